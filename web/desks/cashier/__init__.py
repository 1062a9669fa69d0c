"""The money room: cashier and controller."""

"""The opening hall."""

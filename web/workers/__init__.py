"""What runs beside the pages: the clock, the outbox, decryption, mirror, watch, confined children."""

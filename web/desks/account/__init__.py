"""Sign-in, password, second factor, inbox."""

"""The clerk's desk at the centre."""

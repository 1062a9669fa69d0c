"""Experts and the panels they sit in."""

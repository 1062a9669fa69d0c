"""Writes the lists anew."""

from tests.house import inventory

inventory.write()

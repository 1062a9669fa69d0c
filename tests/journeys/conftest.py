"""Journeys go through the whole application: every table of every room must stand in the database of a test."""

from __future__ import annotations

from web.app import find_desks

find_desks()

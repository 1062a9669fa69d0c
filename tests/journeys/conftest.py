"""Journeys go through the whole application: every table of every room must stand in the database of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto import keyfiles
from tests.journeys.names import CALLED
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from web.app import find_desks

find_desks()


@pytest.fixture
def hall(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A served house whose people have names, as pictures want them."""
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)  # cheap key files: what they cost is tested elsewhere
    monkeypatch.setattr(keyfiles, "PASSES", 1)
    with serving(World(engine, tmp_path, called=CALLED), tmp_path) as live:
        yield live

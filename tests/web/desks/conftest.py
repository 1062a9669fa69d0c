"""The application over a world: people of every role, lots in any state, signed in through the door."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit.world import World
from tests.web.desks.rooms import Rooms, open_rooms


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    return open_rooms(World(engine, tmp_path), tmp_path)

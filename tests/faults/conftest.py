"""A world per test, to be copied and killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit.world import World


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path / "office")

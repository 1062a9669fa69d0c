"""A world per test, with a library of experts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import evaluation_steps
from tests.kit.world import World


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = World(engine, tmp_path)
    evaluation_steps.library(made)
    return made

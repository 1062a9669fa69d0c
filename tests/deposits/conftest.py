"""The money room of a world: cashier, controllers, and a bank."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.deposits.money_room import MoneyRoom
from tests.kit.world import World


@pytest.fixture
def room(engine: Engine, tmp_path: Path) -> MoneyRoom:
    return MoneyRoom(World(engine, tmp_path), tmp_path / "bank.db")

"""A world, a desk with its files, and a lot that takes bids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.commands import Desk
from tests.kit.real_server import Nest, hatchery
from tests.kit.world import World


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    """Where the real servers of a file are hatched."""
    with hatchery() as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder)


@pytest.fixture
def world(engine: Engine, tmp_path: Path, desk: Desk) -> World:
    made = World(engine, tmp_path / "office")
    desk.world = made
    return made


@pytest.fixture
def lot(world: World) -> str:
    """The reference of a lot that takes bids; all bidders take part."""
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    return ref

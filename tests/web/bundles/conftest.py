"""Tenders that are over, played once for all tests of this folder: they cost seconds, and no test changes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import web.papers.bundles  # noqa: F401  so that the tables of all three rooms stand in the template of the database
from tests.deposits.money_room import MoneyRoom
from tests.kit import evaluation_steps as steps
from tests.kit import replacing
from tests.kit.database import Databases
from tests.kit.world import World
from tests.web.bundles import play
from trading.kernel.db import open_engine

if TYPE_CHECKING:
    from tests.web.bundles.every_kind import Played


@contextmanager
def world_of(databases: Databases, folder: Path, bidders: int) -> Iterator[World]:
    with databases.fresh() as url:
        engine = open_engine(url)
        try:
            yield World(engine, folder, bidders=bidders)
        finally:
            engine.dispose()


@pytest.fixture(scope="session")
def finished(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, play.Finished]]:
    """GP and WORKS: whole tenders from the notice to the refunded deposits."""
    with ExitStack() as stack:
        found = {}
        for regime in ("GP", "WORKS"):
            folder = tmp_path_factory.mktemp(f"finished-{regime}")
            world = stack.enter_context(world_of(databases, folder, 5))
            steps.library(world)
            world.tick()
            early = play.checkpoint(world)
            ref = play.finished(world, regime, MoneyRoom(world, folder / "bank.db"))
            found[regime] = play.bundled(world, ref, folder, early)
        yield found


@pytest.fixture(scope="session")
def failed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    """A lot that failed with two bids, its envelopes unopened."""
    folder = tmp_path_factory.mktemp("failed")
    with world_of(databases, folder, 2) as world:
        world.tick()
        early = play.checkpoint(world)
        yield play.bundled(world, play.failed(world), folder, early)


@pytest.fixture
def failed_now(databases: Databases, tmp_path: Path) -> Iterator[tuple[World, str]]:
    """A failed lot of one's own."""
    with world_of(databases, tmp_path, 2) as world:
        yield world, play.failed(world)


@pytest.fixture
def running(databases: Databases, tmp_path: Path) -> Iterator[tuple[World, str]]:
    """A lot that takes bids."""
    with world_of(databases, tmp_path, 2) as world:
        yield world, world.lot()


@pytest.fixture(scope="session")
def whole(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """See every_kind.py, as for the next two."""
    from tests.web.bundles import every_kind

    yield from every_kind.whole(databases, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def eventful(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    from tests.web.bundles import every_kind

    yield from every_kind.eventful(databases, tmp_path_factory.mktemp("eventful"))


@pytest.fixture(scope="session")
def co_opened(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    from tests.web.bundles import every_kind

    yield from every_kind.co_opened(databases, tmp_path_factory.mktemp("co-opened"))


@pytest.fixture(scope="session")
def alive(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    """Officers replaced while bids lay sealed, few enough that these are opened."""
    from tests.web.bundles.test_officers_replaced import played

    folder = tmp_path_factory.mktemp("replaced")
    with world_of(databases, folder, 3) as world:
        yield played(world, folder, replacing.SHUFFLED, dies=False)


@pytest.fixture(scope="session")
def dead(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    """So many officers replaced that the bids of before are opened by nobody."""
    from tests.web.bundles.test_officers_replaced import played

    folder = tmp_path_factory.mktemp("dead")
    with world_of(databases, folder, 3) as world:
        yield played(world, folder, replacing.DEADLY, dies=True)

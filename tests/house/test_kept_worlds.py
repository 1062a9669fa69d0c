"""Kept worlds (tests/kit/kept.py): the same acts from the same beginning are played once, anything else is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import kept
from tests.kit.database import Databases
from tests.kit.world import World
from trading.kernel.db import open_engine
from trading.tendering.tenders import Lot
from web.app import find_desks

find_desks()  # so that every table stands in the template of the database


@pytest.fixture
def two(databases: Databases, engine: Engine, tmp_path: Path) -> Iterator[tuple[World, World]]:
    with databases.fresh() as url:
        second = open_engine(url)
        yield World(engine, tmp_path / "one"), World(second, tmp_path / "two")
        second.dispose()


def counted(times: list[str], at: str = "DRAFTED") -> Callable[[World], str]:
    def build(world: World) -> str:
        times.append(at)
        return world.lot(at)

    return build


def title(world: World, ref: str) -> str:
    with world.view("clock") as view:
        lot: Lot = world.lot_in(view, ref)
        return f"{lot.ref} {lot.state} {lot.published_at}"


def test_worlds_settled_alike_are_one_in_everything(two: tuple[World, World]) -> None:
    one, other = two
    assert kept.state(one) == kept.state(other) == one.state == other.state
    assert one.office.keys == other.office.keys and one.keys == other.keys


def test_the_same_acts_from_the_same_beginning_are_played_once(two: tuple[World, World]) -> None:
    one, other = two
    times: list[str] = []
    found = [kept.played(world, "house/lot", counted(times)) for world in two]
    assert len(times) <= 1  # none, where another worker of the run was first
    assert (
        found[0] == found[1] and title(one, found[0]) == title(other, found[1]) and kept.state(one) == kept.state(other)
    )


def test_other_acts_another_moment_or_an_act_in_between_are_played(two: tuple[World, World]) -> None:
    one, other = two
    times: list[str] = []
    kept.played(one, "house/first", counted(times))
    other.tick()
    before = len(times)
    kept.played(other, "house/first", counted(times))
    kept.played(other, "house/second", counted(times))
    other.keys["agent"] = next(iter(other.keys.values()))
    kept.played(other, "house/third", counted(times))
    assert len(times) == before + 3


def test_acts_go_on_from_a_copy(two: tuple[World, World]) -> None:
    one, other = two
    first, second = one.lot("READY"), other.lot("READY")
    other.publish(second)
    other.issue(second)
    assert "BIDDING" in title(other, second) and "BIDDING" not in title(one, first)
    assert other.lot("READY") != second


def test_where_something_is_patched_acts_are_played(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not kept.automatic


def test_elsewhere_they_are_kept() -> None:
    assert kept.automatic

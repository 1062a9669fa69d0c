"""Counting rows: a refusal must leave every table as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.world import World
from trading.kernel.db import Base


def fingerprint(world: World, *, without: tuple[str, ...] = ()) -> dict[str, int]:
    """A hash of every row of every table, by table: as the database gives them, for each test asks for many."""
    found = {}
    with (
        world.office.engine.connect().execution_options(bidhall_readonly=True) as connection,
        connection.begin() as all_of,
    ):
        cursor = connection.connection.cursor()
        for name in Base.metadata.tables:
            if name not in without:
                cursor.execute(f'SELECT * FROM "{name}"')
                found[name] = hash(tuple(sorted(map(repr, cursor.fetchall()))))
        cursor.close()
        all_of.rollback()
    return found


@contextmanager
def unchanged(world: World, *, without: tuple[str, ...] = ()) -> Iterator[None]:
    """Inside this block nothing may be written, whatever is refused."""
    before = fingerprint(world, without=without)
    yield
    after = fingerprint(world, without=without)
    assert [name for name in before if before[name] != after[name]] == []


def changed(world: World, before: dict[str, int]) -> set[str]:
    """The tables that differ from an earlier fingerprint."""
    after = fingerprint(world)
    return {name for name in before if before[name] != after[name]}

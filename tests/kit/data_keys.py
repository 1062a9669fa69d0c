"""The key under which the tests' own databases are sealed: one for all, since kept worlds go from one test to another. Whoever opens a
database by settings finds the keys of its folder instead, and ``lay`` lays this one there.

``sealed`` is for a thief of database and key, who writes what the platform will read.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from trading.kernel import at_rest

SECRET = bytes(range(7, 39))
RING = at_rest.Ring([at_rest.Key.of(SECRET)])


def attach(engine: Engine) -> None:
    at_rest.attach(engine, RING)


def lay(folder: Path) -> None:
    at_rest.write_file(folder / "data.keys", [SECRET])


def sealed(table: str, column: str, row: str, value: str) -> at_rest.Token:
    return RING.first.seal(table, column, row, value)

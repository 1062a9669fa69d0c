"""The savings cube: stored results summed once, so that a page never reads a million rows.

A cube row holds exact sums for one combination of regime, category, method, region and month (a year is its twelve months), and how
many lots lie below each edge of the saving rate. A month's cells depend on that month's results only, so `refresh` may be given the
months that changed, and its cost follows their lots. Sums are integers in the database, which refuses to overflow rather than wrap.

The caller owns the tables: it hands in the selectable of results (columns `SOURCE`) and the table made by `cube_table`. Which result
enters the rate is decided before, by the rules in ``savings``; here it is the column ``in_rate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    FromClause,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
)

from trading.kernel.errors import Invalid
from trading.reports.savings import EDGES, Group

CELL = ("regime", "category", "method", "region", "month")
DIMENSIONS = (*CELL, "year")
SOURCE = (*CELL, "budget", "award", "in_rate")
"""``budget`` and ``award``: whole fen, in one currency; ``in_rate``: 1 or 0; ``month``: ``2018-03``. A missing word is the empty string."""
BELOW = tuple(f"below_{edge}" for edge in EDGES)
"""Lots in the rate whose saving rate is below an edge, in whole percent."""


def cube_table(metadata: MetaData, name: str = "savings_cube") -> Table:
    """The cube's table in ``metadata``."""
    return Table(
        name,
        metadata,
        *(Column(word, String(64), primary_key=True) for word in CELL),
        Column("transactions", Integer, nullable=False),
        Column("in_rate", Integer, nullable=False),
        Column("budget", BigInteger, nullable=False),
        Column("award", BigInteger, nullable=False),
        *(Column(name, Integer, nullable=False) for name in BELOW),
    )


def refresh(connection: Connection, cube: Table, source: FromClause, months: Sequence[str] | None = None) -> None:
    """Sums the results anew, all of them or those of ``months``, inside the caller's transaction."""
    clear = delete(cube)
    results = source.c
    counts = results.in_rate == 1
    saved = (results.budget - results.award) * 100
    below = [func.sum(case((and_(counts, saved < results.budget * edge), 1), else_=0)) for edge in EDGES]
    sums = [func.sum(case((counts, column), else_=0)) for column in (results.budget, results.award)]
    cells = [results[word] for word in CELL]
    words: list[Any] = list(cells)
    keys: list[Any] = list(cells)
    if connection.dialect.name == "sqlite":  # it groups by sorting, and one key sorts sooner than five
        words = [func.min(cell) for cell in cells]
        lengths: Any = func.length(cells[0])
        for cell in cells[1:]:
            lengths = lengths * 1000 + func.length(cell)
        told: list[Any] = [
            *reversed(cells),
            literal(":"),
            cast(lengths, String),
        ]  # with the lengths: no two cells share a key
        keys = [reduce(lambda left, right: left.concat(right), told)]
    lots = select(*words, func.count(), func.sum(results.in_rate), *sums, *below).group_by(*keys)
    if months is not None:
        clear = clear.where(cube.c.month.in_(months))
        lots = lots.where(results.month.in_(months))
    connection.execute(clear)
    connection.execute(insert(cube).from_select([column.name for column in cube.c], lots))


def groups(connection: Connection, cube: Table, by: Sequence[str] = (), **only: str) -> list[Group]:
    """The breakdown by ``by``, of the cells whose words are those of ``only`` (``regime="GP"``, ``year="2018"``).

    Refuses: Invalid ``savings.unknown_dimension``.
    """
    for name in (*by, *only):
        if name not in DIMENSIONS:
            raise Invalid("savings.unknown_dimension", name=name, known=", ".join(DIMENSIONS))
    words = [_word(cube, name) for name in by]
    query = select(
        *words, *(func.sum(cube.c[name]) for name in ("transactions", "in_rate", "budget", "award"))
    ).group_by(*words)
    query = query.where(*(_word(cube, name) == value for name, value in only.items()))
    found = [
        Group(tuple(word or None for word in row[: len(by)]), *(int(value or 0) for value in row[len(by) :]))
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda group: tuple((word is None, word or "") for word in group.by))


def bands(connection: Connection, cube: Table, **only: str) -> list[int]:
    """How many lots lie in each band of the saving rate; the bands lie between the edges of ``savings.EDGES``."""
    columns = (*BELOW, "in_rate")
    query = select(*(func.sum(cube.c[name]) for name in columns)).where(
        *(_word(cube, name) == value for name, value in only.items())
    )
    below = [0, *(int(value or 0) for value in connection.execute(query).one())]
    return [high - low for low, high in pairwise(below)]


def _word(cube: Table, name: str) -> Any:
    return func.substr(cube.c.month, 1, 4) if name == "year" else cube.c[name]

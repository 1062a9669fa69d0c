"""The savings cube: stored results summed once, so that a page never reads a million rows.

A cube row holds exact sums for one combination of regime, category, method, region and month (a year is its twelve months), and how
many lots lie in each band of the saving rate. A month's cells depend on that month's results only, so `refresh` may be given the
months that changed, and its cost follows their lots. Sums are integers in the database, which refuses to overflow rather than wrap.

The caller owns the tables: it hands in the selectable of results (columns `SOURCE`) and the table made by `cube_table`. Which result
enters the rate is decided before, by the rules in ``savings``; here it is the column ``in_rate``.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    case,
    delete,
    func,
    insert,
    select,
)

from trading.kernel.errors import Invalid
from trading.reports.savings import EDGES, Group

CELL = ("regime", "category", "method", "region", "month")
DIMENSIONS = (*CELL, "year")
SOURCE = (*CELL, "budget", "award", "in_rate")
"""``budget`` and ``award``: whole fen, in one currency; ``in_rate``: 1 or 0; ``month``: ``2018-03``. A missing word is the empty string."""
BANDS = tuple(f"band_{number}" for number in range(len(EDGES) + 1))


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
        *(Column(band, Integer, nullable=False) for band in BANDS),
    )


def refresh(connection: Connection, cube: Table, source: FromClause, months: Sequence[str] | None = None) -> None:
    """Sums the results anew, all of them or those of ``months``, inside the caller's transaction."""
    clear = delete(cube)
    results = source.c
    budget, award = (case((results.in_rate == 1, column), else_=0) for column in (results.budget, results.award))
    saved = (results.budget - results.award) * 100
    band = case(
        (results.in_rate == 0, None),
        *((saved < results.budget * edge, number) for number, edge in enumerate(EDGES)),
        else_=len(EDGES),
    )
    lots = select(
        *(results[word] for word in CELL),
        results.in_rate,
        budget.label("budget"),
        award.label("award"),
        band.label("band"),
    )
    if months is not None:
        clear = clear.where(cube.c.month.in_(months))
        lots = lots.where(results.month.in_(months))
    fine = lots.subquery()
    counted = (
        select(
            *(fine.c[word] for word in (*CELL, "band")),
            func.count().label("n"),
            func.sum(fine.c.in_rate).label("r"),
            func.sum(fine.c.budget).label("b"),
            func.sum(fine.c.award).label("a"),
        )
        .group_by(*(fine.c[word] for word in (*CELL, "band")))
        .subquery()
    )
    bands = [func.sum(case((counted.c.band == number, counted.c.n), else_=0)) for number in range(len(BANDS))]
    connection.execute(clear)
    connection.execute(
        insert(cube).from_select(
            [column.name for column in cube.c],
            select(
                *(counted.c[word] for word in CELL),
                func.sum(counted.c.n),
                func.sum(counted.c.r),
                func.sum(counted.c.b),
                func.sum(counted.c.a),
                *bands,
            ).group_by(*(counted.c[word] for word in CELL)),
        )
    )


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
    query = select(*(func.sum(cube.c[band]) for band in BANDS)).where(
        *(_word(cube, name) == value for name, value in only.items())
    )
    return [int(value or 0) for value in connection.execute(query).one()]


def _word(cube: Table, name: str) -> Any:
    return func.substr(cube.c.month, 1, 4) if name == "year" else cube.c[name]

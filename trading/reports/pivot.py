"""Results laid out by year: one breakdown down the side, the years across, in exact sums.

pandas groups and pivots, and is loaded only when such a table is asked for. Two of its habits would change an amount, and are shut out
here: a pivot with a hole turns a column of whole numbers into binary floats (10**17 + 1 was not the same afterwards), and sums of int64
run over without a word. So sums are of its nullable ``Int64``, which stays whole beside holes, or of Python's own integers where the sum of
all could pass 63 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trading.reports.savings import AWARDED, DIMENSIONS, OUTSIDE, SUPERSEDED, Row

MEASURES = ("transactions", "in_rate", "budget", "award")
_ASIDE = (OUTSIDE, SUPERSEDED, "no_date")
"""Verdicts of rows that are no transactions, whatever their status (rules ST-02, ST-09)."""


@dataclass(frozen=True)
class Cell:
    """Exact sums; ``budget`` and ``award`` are whole small units of the table, over the results in the rate."""

    transactions: int = 0
    in_rate: int = 0
    budget: int = 0
    award: int = 0


@dataclass(frozen=True)
class ByYear:
    """``years`` in order, "" last for results without a day. A line holds the words of the breakdown, a cell for each year (None where
    there is no result) and the sum over all years. The last line is the sum over all."""

    by: tuple[str, ...]
    years: tuple[str, ...]
    lines: tuple[tuple[tuple[str, ...], tuple[Cell | None, ...], Cell], ...]


def by_year(rows: Sequence[Row], verdicts: Sequence[str | None], by: Sequence[str]) -> ByYear:
    """``verdicts``: of ``savings.treatments``, row by row. ``by``: dimensions that a row holds as they are, so neither month nor year.

    Raises ValueError for another dimension.
    """
    import pandas

    for name in by:
        if name not in DIMENSIONS or name in ("month", "year"):
            raise ValueError(f"no dimension of a line: {name}")
    counted = [
        (row, why) for row, why in zip(rows, verdicts, strict=True) if why not in _ASIDE and row.status == AWARDED
    ]
    if not counted:
        return ByYear(tuple(by), (), ())
    most = sum(max(row.budget or 0, row.award or 0) for row, _why in counted)
    whole = "Int64" if most < 2**63 else "object"
    frame = pandas.DataFrame(
        {
            **{name: [getattr(row, name) or "" for row, _why in counted] for name in by},
            "year": [f"{row.date.year:04}" if row.date else "" for row, _why in counted],
            "transactions": pandas.array([1] * len(counted), dtype="Int64"),
            "in_rate": pandas.array([int(why is None) for _row, why in counted], dtype="Int64"),
            **{
                name: pandas.array([getattr(row, name) if why is None else 0 for row, why in counted], dtype=whole)
                for name in ("budget", "award")
            },
        }
    )
    years = sorted(set(frame["year"]), key=lambda year: (year == "", year))
    side = list(by)
    sums = frame.groupby([*side, "year"], sort=False)[list(MEASURES)].sum()
    table = {name: sums[name].unstack("year") for name in MEASURES} if side else {}
    over_years = frame.groupby(side, sort=False)[list(MEASURES)].sum() if side else None
    lines = []
    if over_years is not None:
        for key in sorted(over_years.index, key=lambda key: tuple((word == "", word) for word in _tuple(key))):
            cells = tuple(_cell({name: table[name].at[key, year] for name in MEASURES}) for year in years)
            lines.append((_tuple(key), cells, _cell(over_years.loc[key])))
    by_year_only = frame.groupby("year", sort=False)[list(MEASURES)].sum()
    total = _cell(frame[list(MEASURES)].sum())
    lines.append((("",) * len(side), tuple(_cell(by_year_only.loc[year]) for year in years), total))
    return ByYear(tuple(by), tuple(years), tuple(lines))  # type: ignore[arg-type]


def _tuple(key: Any) -> tuple[str, ...]:
    return key if isinstance(key, tuple) else (key,)


def _cell(sums: Any) -> Cell | None:
    """The sums of a line of a frame as Python's own integers; None for a hole of a pivot."""
    import pandas

    if pandas.isna(sums["transactions"]):
        return None
    return Cell(*(int(sums[name]) for name in MEASURES))

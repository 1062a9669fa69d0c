"""Limits in figures: week by week and kind by kind, how many were kept, are running, came late. Each figure leads to its rows. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from trading.kernel.calendar import local_day
from trading.kernel.exact import written
from trading.views.oversight import Limit
from web.desks.parts.charts import share

WEEKS = 12
HEIGHT = 120
"""Pixels of the tallest column."""


@dataclass(frozen=True)
class Count:
    """How limits stand: done in time, still running, past their last moment (done late, or not yet done)."""

    kept: int = 0
    running: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        return self.kept + self.running + self.late

    @property
    def rate(self) -> str:
        """Percent of those whose last moment is past or that are done, that were kept; "" where there is none."""
        over = self.kept + self.late
        return written(Fraction(self.kept * 100, over), 1) if over else ""


@dataclass(frozen=True)
class Bar:
    """One part of a stacked column or row: its tone, where it begins and how long it is (pixels of a column, percent of a row)."""

    tone: str
    at: str
    size: str


@dataclass(frozen=True)
class Week:
    """A column: the Monday it begins with, its count, its parts from the ground up."""

    monday: dt.date
    count: Count
    bars: tuple[Bar, ...]
    is_now: bool


@dataclass(frozen=True)
class KindRow:
    kind: str
    count: Count
    bars: tuple[Bar, ...]


def count_of(found: Iterable[Limit], now: dt.datetime) -> Count:
    states = [one.state(now) for one in found]
    return Count(
        states.count("kept"),
        states.count("running") + states.count("soon"),
        states.count("late") + states.count("kept_late"),
    )


def monday_of(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def in_week(one: Limit, monday: dt.date) -> bool:
    """Whether a limit's last moment falls into a week. A limit that ends with a day ends at midnight, which belongs to the day before."""
    return monday_of(local_day(one.until - dt.timedelta(microseconds=1))) == monday


def weeks(found: list[Limit], now: dt.datetime) -> list[Week]:
    """The last twelve weeks, this one included, by the last moment of each limit."""
    this = monday_of(local_day(now))
    mondays = [this - dt.timedelta(weeks=back) for back in range(WEEKS - 1, -1, -1)]
    counts = [count_of((one for one in found if in_week(one, monday)), now) for monday in mondays]
    most = max((one.total for one in counts), default=0)
    return [Week(monday, one, _column(one, most), monday == this) for monday, one in zip(mondays, counts, strict=True)]


def kinds(found: list[Limit], now: dt.datetime, order: Iterable[str]) -> list[KindRow]:
    """Kinds of limits that ran in these weeks, in a given order."""
    counts = {kind: count_of((one for one in found if one.kind == kind), now) for kind in order}
    most = max((one.total for one in counts.values()), default=0)
    return [KindRow(kind, one, _row(one, most)) for kind, one in counts.items() if one.total]


def _parts(count: Count) -> tuple[tuple[str, int], ...]:
    return ("award", count.kept), ("sun", count.running), ("neg", count.late)


def _column(count: Count, most: int) -> tuple[Bar, ...]:
    bars, ground = [], HEIGHT
    for tone, n in _parts(count):
        size = max(3, n * HEIGHT // most) if n else 0
        if size:
            ground -= size
            bars.append(Bar(tone, str(max(0, ground)), str(size)))
    return tuple(bars)


def _row(count: Count, most: int) -> tuple[Bar, ...]:
    bars, at = [], 0
    for tone, n in _parts(count):
        if n:
            bars.append(Bar(tone, share(at, most), share(n, most)))
        at += n
    return tuple(bars)

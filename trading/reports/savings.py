"""Savings: what was planned against what was agreed, by the counting rules ST-01 to ST-11.

A row is one result of one section or package (rule ST-01); the amounts of all rows of one table are whole numbers of the same
small unit, ``10**-places`` of the currency's main unit, so every sum is exact (rule ST-11) and nothing here is rounded but the
words of a rate. The aggregate rate is the rate of the sums, never the mean of the rates. Rows that do not enter the rate are
named with a reason, never dropped silently; rows whose award is above the budget stay in (rule ST-07).

This file is pure: no database, no files, no clock. Files become rows in ``readers``, reports become files in ``writers``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter
from typing import Any, NamedTuple

from trading.kernel.errors import Invalid
from trading.kernel.exact import written

AWARDED, FAILED, TERMINATED, PENDING = "awarded", "failed", "terminated", "pending"
CANCELLED = "cancelled"
"""Called off, by a publisher who says no more. OCDS publishers use the word for a failure and for a termination alike, so such a
row is counted with the terminated, and listed for what is certain: no award."""
SUPERSEDED = "superseded"

PRICE_FORMS = ("total", "unit_price", "discount_rate", "fee_rate", "framework_ceiling")
REASONS = ("no_award", "no_budget", "price_form", "other_currency", "failed", "terminated", "superseded", "no_date")
"""Why a row is not in the rate. ``no_date`` only where a period was asked for: a row without a day belongs to none (rule ST-02)."""
DIMENSIONS = ("regime", "category", "method", "month", "year", "purchaser", "agency", "region", "price_form")
FAR_TIMES = 10
"""An award of more than this many times its budget, or less than this part of it, is named as an exception."""
OUTSIDE = "outside"


class Row(NamedTuple):
    """One result of one section or package. Amounts are whole numbers of the table's small unit, or None where none is known.

    ``currency`` None: budget and award are in different currencies. ``discount_pct``: the discount of a result without a total.
    """

    id: str
    budget: int | None
    award: int | None
    status: str = AWARDED
    price_form: str = "total"
    date: date | None = None
    currency: str | None = "CNY"
    project: str | None = None
    regime: str | None = None
    category: str | None = None
    method: str | None = None
    purchaser: str | None = None
    agency: str | None = None
    region: str | None = None
    discount_pct: Decimal | None = None


class Group(NamedTuple):
    """One line of a breakdown: ``transactions`` counts all results, the sums only those in the rate."""

    by: tuple[str | None, ...]
    transactions: int
    in_rate: int
    budget: int
    award: int


class FarAward(NamedTuple):
    """A row that stays in the rate although its award is far from its budget."""

    id: str
    budget: int
    award: int


@dataclass(frozen=True)
class Savings:
    """A report. Amounts are whole numbers of ``10**-places`` of the main unit of ``currency``."""

    currency: str
    places: int
    by: tuple[str, ...]
    since: date | None
    until: date | None
    transactions: int
    projects: int
    in_rate: int
    budget: int
    award: int
    failed: int
    terminated: int
    negative_rows: tuple[str, ...]
    without_negative: tuple[int, int]
    """Sums of budget and award over the rows whose award is not above the budget."""
    only_positive: tuple[int, int]
    """The same over the rows with a saving, as one provincial platform counts (rule ST-07)."""
    excluded: tuple[tuple[str, str], ...]
    exceptions: tuple[FarAward, ...]
    groups: tuple[Group, ...]
    discounts: int
    mean_discount_pct: str | None


def rate_pct(budget: int, award: int, places: int = 2) -> str | None:
    """The saving rate in percent, half up; None without a budget. The amounts are in any one unit."""
    return written(Fraction((budget - award) * 100, budget), places) if budget > 0 else None


def why_not_in_rate(row: Row, currency: str | None = None) -> str | None:
    """Why this row, taken alone, is not in the rate (rules ST-03, ST-05, ST-06), or None. ``currency`` None: any will do."""
    status = row.status
    if status != AWARDED:
        return status if status in (FAILED, TERMINATED, SUPERSEDED) else "no_award"
    if row.price_form != "total":
        return "price_form"
    if not row.award:
        return "no_award"
    if not row.budget:
        return "no_budget"
    if row.currency is None or (currency is not None and row.currency != currency):
        return "other_currency"
    return None


def main_currency(rows: Iterable[Row]) -> str:
    """The currency of most rows that could enter the rate, else of most rows; CNY before others, then the first met."""
    able: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for row in rows:
        if row.currency is not None:
            every[row.currency] += 1
            if why_not_in_rate(row) is None:
                able[row.currency] += 1
    votes = able or every
    return max(votes, key=lambda name: (votes[name], name == "CNY")) if votes else "CNY"


def treatments(
    rows: Sequence[Row], *, currency: str, since: date | None = None, until: date | None = None
) -> list[str | None]:
    """For each row None (in the rate), a reason of `REASONS`, or `OUTSIDE` the days asked for (both included)."""
    replaced = _replaced(rows)
    verdicts: list[str | None] = []
    for place, row in enumerate(rows):
        if since is not None or until is not None:
            if row.date is None:
                verdicts.append("no_date")
                continue
            if (since is not None and row.date < since) or (until is not None and row.date > until):
                verdicts.append(OUTSIDE)
                continue
        verdicts.append(SUPERSEDED if place in replaced else why_not_in_rate(row, currency))
    return verdicts


def _replaced(rows: Sequence[Row]) -> set[int]:
    """Places of award results that a later result of the same section replaced (rule ST-09).

    Later is by day, then by place in the table; a result without a day comes before those with one. An earlier failure is
    not replaced: it stays a failed round (rule ST-03).
    """
    standing: dict[str, int] = {}
    replaced: set[int] = set()
    for place, row in enumerate(rows):
        if row.status == PENDING or row.status == SUPERSEDED:
            continue
        other = standing.setdefault(row.id, place)
        if other != place:
            later = (row.date or date.min) >= (rows[other].date or date.min)
            standing[row.id], old = (place, other) if later else (other, place)
            if rows[old].status == AWARDED:
                replaced.add(old)
    return replaced


def reckon(
    rows: Sequence[Row],
    *,
    places: int = 2,
    by: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    currency: str | None = None,
) -> Savings:
    """The savings report over ``rows``, whose amounts are in ``10**-places`` of the main unit.

    ``by``: dimensions of the breakdown, crossed. ``since`` and ``until``: days of the result, both included. ``currency``: the one
    reported; by default that of most rows.
    Refuses: Invalid ``savings.unknown_dimension``.
    """
    key_of = _key(by)
    currency = currency or main_currency(rows)
    verdicts = treatments(rows, currency=currency, since=since, until=until)
    excluded: list[tuple[str, str]] = []
    negative: list[str] = []
    far: list[FarAward] = []
    projects: set[str] = set()
    groups: dict[tuple[str | None, ...], list[int]] = {}
    discounts: list[Fraction] = []
    failed = terminated = transactions = in_rate = budgets = awards = 0
    kept_budget = kept_award = positive_budget = positive_award = 0
    for row, why in zip(rows, verdicts, strict=True):
        if why is not None:
            if why == OUTSIDE:
                continue
            excluded.append((row.id, why))
            if why == SUPERSEDED or why == "no_date":
                continue
            if row.status != AWARDED:
                failed += row.status == FAILED
                terminated += row.status in (TERMINATED, CANCELLED)
                continue
            if row.discount_pct is not None and why == "price_form":
                discounts.append(Fraction(row.discount_pct))
        transactions += 1
        projects.add(row.project or row.id)
        sums = None
        if by:
            key = key_of(row)
            sums = groups.get(key)
            if sums is None:
                sums = groups[key] = [0, 0, 0, 0]
            sums[0] += 1
        if why is not None:
            continue
        budget, award = row.budget, row.award
        assert budget is not None and award is not None
        in_rate += 1
        budgets += budget
        awards += award
        if sums is not None:
            sums[1] += 1
            sums[2] += budget
            sums[3] += award
        if award > budget:
            negative.append(row.id)
        else:
            kept_budget += budget
            kept_award += award
            if award < budget:
                positive_budget += budget
                positive_award += award
        if award > FAR_TIMES * budget or award * FAR_TIMES < budget:
            far.append(FarAward(row.id, budget, award))
    return Savings(
        currency=currency,
        places=places,
        by=tuple(by),
        since=since,
        until=until,
        transactions=transactions,
        projects=len(projects),
        in_rate=in_rate,
        budget=budgets,
        award=awards,
        failed=failed,
        terminated=terminated,
        negative_rows=tuple(negative),
        without_negative=(kept_budget, kept_award),
        only_positive=(positive_budget, positive_award),
        excluded=tuple(excluded),
        exceptions=tuple(far),
        groups=tuple(Group(key, *groups[key]) for key in sorted(groups, key=_order)),
        discounts=len(discounts),
        mean_discount_pct=written(sum(discounts, Fraction(0)) / len(discounts)) if discounts else None,
    )


def _key(by: Sequence[str]) -> Any:
    """A function from a row to the values of the dimensions ``by``."""
    for name in by:
        if name not in DIMENSIONS:
            raise Invalid("savings.unknown_dimension", name=name, known=", ".join(DIMENSIONS))
    if not {"month", "year"} & set(by):
        get = attrgetter(*by) if by else None
        return (lambda row: (get(row),)) if len(by) == 1 and get else get

    def one(row: Row, name: str) -> str | None:
        if name == "month" or name == "year":
            return row.date.isoformat()[: 7 if name == "month" else 4] if row.date else None
        value: str | None = getattr(row, name)
        return value

    return lambda row: tuple(one(row, name) for name in by)


def _order(key: tuple[str | None, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is None, value or "") for value in key)


class Distribution(NamedTuple):
    """How the rates of single lots lie. The mean of rates is shown beside the rate of the sums, never in its place."""

    median_pct: str
    mean_of_rates_pct: str
    bins: tuple[tuple[int | None, int | None, int], ...]
    """(from, below, lots) in whole percent; None is open."""


EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15)


def distribution(pairs: Iterable[tuple[int, int]], edges: Sequence[int] = EDGES) -> Distribution | None:
    """Median, mean and counts of the rates of (budget, award) pairs in the rate; None without any.

    Rates are cut at 10**-12 of a percent for the mean; the median is exact before it is rounded to two places.
    """
    fine = 10**12
    held = list(pairs)
    if not held:
        return None
    cuts = [(budget - award) * 100 * fine // budget for budget, award in held]
    ordered = sorted(cuts)
    middle = sorted({(len(held) - 1) // 2, len(held) // 2})
    low, high = ordered[middle[0]], ordered[middle[-1]]
    near = sorted(
        Fraction((held[n][0] - held[n][1]) * 100, held[n][0]) for n, cut in enumerate(cuts) if low <= cut <= high
    )
    before = bisect_left(ordered, low)
    median = sum((near[place - before] for place in middle), Fraction(0)) / len(middle)
    marks = [0, *(bisect_left(ordered, edge * fine) for edge in edges), len(ordered)]
    limits = [None, *edges, None]
    return Distribution(
        written(median),
        written(Fraction(sum(cuts), fine * len(cuts))),
        tuple((limits[n], limits[n + 1], marks[n + 1] - marks[n]) for n in range(len(edges) + 1)),
    )


def own_rows(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of the platform's own records, given as mappings with the fields of `Row`; amounts in fen.

    The caller reads them: one record for each result or ended round of a lot, with ``id``, ``status`` as named here, and whatever
    else it knows.
    """
    return [Row(**{name: record[name] for name in Row._fields if name in record}) for record in records]

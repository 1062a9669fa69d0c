"""Savings and counts by the rules of statistics (ST-01 to ST-11, rulebook §6), as the recompute command asks them.

Rate of (budget, award) = (budget - award) / budget x 100. Sums are exact and rates are rounded for display only, half
up, two decimals; the rate of sums is the rate, never the mean of rates, and negative savings stay in. Pure: rows in,
figures out. Which rows of the platform enter, and what a saved report looks like, is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from trading.kernel.exact import (
    Answer,
    BadValue,
    amount,
    count,
    list_of,
    map_of,
    mean,
    number,
    price,
    record,
    rounded,
    take,
    text,
    word,
    written,
    written_exactly,
)

Params = Mapping[str, Any]

UNIT_SIZES = {"yuan": 1, "wan_yuan": 10**4, "yi_yuan": 10**8}
PRICE_FORMS = ("total", "unit_price", "discount_rate", "fee_rate", "framework_ceiling")


def saving_rate_pct(budget: Fraction, award: Fraction) -> Fraction:
    """(budget - award) / budget x 100, unrounded; the budget is not zero."""
    return (budget - award) / budget * 100


def rate_of_sums_pct(rows: Iterable[tuple[Fraction, Fraction]]) -> Fraction | None:
    """The rate of the sums of (budget, award) rows, unrounded; None without rows (6.1)."""
    held = list(rows)
    if not held:
        return None
    return saving_rate_pct(sum((row[0] for row in held), Fraction(0)), sum((row[1] for row in held), Fraction(0)))


def _pct(value: Fraction | None) -> str | None:
    return None if value is None else written(value)


# --- rates ------------------------------------------------------------------------------------------------------------


def saving_rate(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.saving_rate: a rate, the band that rounded inputs allow, and whether a printed rate lies in it."""
    budget, award = take(inputs, "budget", price), take(inputs, "award", amount)
    half = take(inputs, "input_half_unit", amount, default=Fraction(0))
    printed = take(inputs, "printed_rate_pct", number, default=None)
    if half >= budget:
        raise BadValue("too_large", "input_half_unit", "below the budget")
    low = saving_rate_pct(budget - half, award + half)
    high = saving_rate_pct(budget + half, award - half)
    possible = None
    if printed is not None:
        places = _decimals(inputs["printed_rate_pct"])
        possible = rounded(low, places) <= printed <= rounded(high, places)
    return {
        "saving": written_exactly(budget - award),
        "rate_pct": written(saving_rate_pct(budget, award)),
        "min_rate_pct": written(low, 4),
        "max_rate_pct": written(high, 4),
        "printed_is_possible": possible,
    }


def _decimals(printed: object) -> int:
    """How many decimals a number was printed with."""
    return len(printed.partition(".")[2]) if isinstance(printed, str) else 0


def _budget_and_award(value: object, where: str) -> tuple[Fraction, Fraction]:
    row = record(value, where)
    return take(row, "budget", price, where), take(row, "award", amount, where)


def saving_rate_aggregate(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.saving_rate_aggregate: the rate of sums, and beside it the mean of rates that some reports print by
    mistake."""
    rows = take(inputs, "rows", list_of(_budget_and_award, at_least=1))
    return {
        "sum_budget": written_exactly(sum((row[0] for row in rows), Fraction(0))),
        "sum_award": written_exactly(sum((row[1] for row in rows), Fraction(0))),
        "rate_of_sums_pct": _pct(rate_of_sums_pct(rows)),
        "mean_of_rates_pct_wrong": written(mean(saving_rate_pct(*row) for row in rows)),
    }


def saving_rate_published(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.saving_rate_published: published totals, recomputed row by row."""
    return {"rate_pct": [written(saving_rate_pct(*row)) for row in take(inputs, "rows", list_of(_budget_and_award))]}


# --- what is counted --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    id: str
    status: str
    price_form: str
    budget: Fraction
    award: Fraction


def _scope_row(value: object, where: str) -> _Row:
    row = record(value, where)
    status = take(row, "status", word("awarded", "failed", "terminated"), where)
    needed = {} if status == "awarded" else {"default": ""}
    return _Row(
        take(row, "id", text, where, **needed),
        status,
        take(row, "price_form", word(*PRICE_FORMS), where),
        take(row, "budget", amount, where, default=Fraction(0)),
        take(row, "award", amount, where, default=Fraction(0)),
    )


def saving_scope(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.saving_scope (ST-03 to ST-07): which rows are transactions, which enter the rate, and what two other
    habits would show."""
    rows = take(inputs, "rows", list_of(_scope_row))
    awarded = [row for row in rows if row.status == "awarded"]
    totals = [row for row in awarded if row.price_form == "total"]
    rated = [row for row in totals if row.budget > 0 and row.award > 0]

    def rate(chosen: Iterable[_Row]) -> str | None:
        return _pct(rate_of_sums_pct((row.budget, row.award) for row in chosen))

    return {
        "transactions_counted": [row.id for row in awarded],
        "rate_rows": [row.id for row in rated],
        "missing_value_rows": [row.id for row in totals if row.budget == 0 or row.award == 0],
        "sum_budget": written_exactly(sum((row.budget for row in rated), Fraction(0))),
        "sum_award": written_exactly(sum((row.award for row in rated), Fraction(0))),
        "rate_pct": rate(rated),
        "failed_count": sum(row.status == "failed" for row in rows),
        "terminated_count": sum(row.status == "terminated" for row in rows),
        "rate_pct_if_negative_rows_are_dropped": rate(row for row in rated if row.award <= row.budget),
        "rate_pct_if_zero_and_negative_rows_are_dropped": rate(row for row in rated if row.award < row.budget),
    }


def count_check(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.count_check: whether the counts by regime and by method have the same sum."""
    by_regime, by_method = (sum(take(inputs, name, map_of(count(0))).values()) for name in ("by_regime", "by_method"))
    return {"total": by_regime, "equal": by_regime == by_method}


def _package(value: object, place: str) -> list[str]:
    """The results of the rounds of one package, first to last."""
    package = record(value, place)
    take(package, "id", text, place)
    where = place
    results: list[str] = []
    round_held: Params | None = package
    while round_held is not None:  # a loop, for a vector may nest deeper than Python's stack
        results.append(take(round_held, "result", word("awarded", "failed"), where))
        where = f"{place}, round {len(results) + 1}"
        round_held = take(round_held, "retender", record, default=None)
        if round_held is not None and results[-1] == "awarded":
            raise BadValue("retender_after_award", where, "no new round after an award")
    return results


def transaction_count(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.transaction_count (ST-01, ST-03): one project counted by project and by awarded package, failed rounds
    apart."""
    take(inputs, "project", text)
    packages = take(inputs, "packages", list_of(_package))
    awarded = sum(results[-1] == "awarded" for results in packages)
    return {
        "count_by_project": 1 if awarded else 0,
        "count_by_package_awarded": awarded,
        "rounds_held": sum(map(len, packages)),
        "failed_rounds": sum(results.count("failed") for results in packages),
    }


def _in_yuan(value: object, where: str) -> Fraction:
    row = record(value, where)
    return take(row, "amount", amount, where) * UNIT_SIZES[take(row, "unit", word(*UNIT_SIZES), where)]


def unit_normalise(params: Params, inputs: Params) -> dict[str, Any]:
    """stats.unit_normalise (ST-08): amounts in yuan, ten thousands and hundred millions in one exact sum."""
    total = sum(take(inputs, "rows", list_of(_in_yuan)), Fraction(0))
    sizes = {"sum_yuan": "yuan", "sum_wan": "wan_yuan", "sum_yi": "yi_yuan"}
    return {name: written(total / UNIT_SIZES[unit]) for name, unit in sizes.items()}


METHODS: dict[str, Answer] = {
    "stats.saving_rate": saving_rate,
    "stats.count_check": count_check,
    "stats.saving_rate_aggregate": saving_rate_aggregate,
    "stats.saving_rate_published": saving_rate_published,
    "stats.unit_normalise": unit_normalise,
    "stats.saving_scope": saving_scope,
    "stats.transaction_count": transaction_count,
}

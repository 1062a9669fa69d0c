"""Abnormally low prices in government procurement: the three lines that start a review (rulebook 2.9).

A hit starts a review, nothing more: the supplier is asked, and the panel decides with reasons. Quotes are the raw
ones of the bids that passed conformity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.vectors import written_map
from trading.kernel.exact import (
    Answer,
    between,
    cases,
    map_of,
    mean,
    number,
    price,
    take,
    written,
    written_exactly,
)

BASE_RATES = {"mean_rate": Fraction(50, 100), "second_rate": Fraction(50, 100), "ceiling_rate": Fraction(45, 100)}
HIGHEST_RATE = Fraction(65, 100)


@dataclass(frozen=True)
class AbnormalPrices:
    """The mean, the unrounded lines, and per bidder the lines its quote is strictly below."""

    mean: Fraction
    mean_line: Fraction
    second_lowest_line: Fraction | None
    ceiling_line: Fraction
    triggers: dict[str, list[str]]


def abnormally_low(
    conforming_quotes: Mapping[str, Fraction],
    ceiling: Fraction,
    *,
    mean_rate: Fraction = BASE_RATES["mean_rate"],
    second_rate: Fraction = BASE_RATES["second_rate"],
    ceiling_rate: Fraction = BASE_RATES["ceiling_rate"],
) -> AbnormalPrices:
    """Who is below a line. `ceiling` is the price ceiling, or the budget where there is none; there is at least one
    quote.

    The second-lowest quote is the second of the sorted quotes, so equal lowest quotes count twice; a single quote has
    no such line.
    """
    average = mean(conforming_quotes.values())
    lowest = sorted(conforming_quotes.values())
    second_line = lowest[1] * second_rate if len(lowest) > 1 else None
    lines = {"mean": average * mean_rate, "second_lowest": second_line, "ceiling": ceiling * ceiling_rate}
    triggers = {
        bidder: [name for name, line in lines.items() if line is not None and quote < line]
        for bidder, quote in conforming_quotes.items()
    }
    return AbnormalPrices(average, average * mean_rate, second_line, ceiling * ceiling_rate, triggers)


def rates_allowed(mean_rate: Fraction, second_rate: Fraction, ceiling_rate: Fraction) -> bool:
    """Whether the rates of the documents lie between the base rates and the cap, limits included."""
    chosen = {"mean_rate": mean_rate, "second_rate": second_rate, "ceiling_rate": ceiling_rate}
    return all(BASE_RATES[name] <= value <= HIGHEST_RATE for name, value in chosen.items())


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_abnormally_low(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "conforming_quotes", map_of(price))
    share = between(above=0, below=1)
    rates = {name: take(params, name, share, default=default) for name, default in BASE_RATES.items()}
    ceiling = take(inputs, "ceiling" if inputs.get("ceiling") is not None else "budget", price)
    found = abnormally_low(quotes, ceiling, **rates)
    lines = {"mean": found.mean, "mean_line": found.mean_line, "ceiling_line": found.ceiling_line}
    second = None if found.second_lowest_line is None else written(found.second_lowest_line)
    return {
        "ceiling_used": written_exactly(ceiling),
        **written_map(lines),
        "second_lowest_line": second,
        "triggers": found.triggers,
    }


def _asked_config(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"valid": [rates_allowed(*(take(case, name, number) for name in BASE_RATES)) for case in cases(inputs)]}


METHODS: dict[str, Answer] = {
    "gp.abnormally_low": _asked_abnormally_low,
    "gp.abnormally_low_config": _asked_config,
}

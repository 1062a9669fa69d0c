"""What methods that rank by a price share: the lowest first, equal prices tied until the documents' way of settling it, one line a bid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.declared import Outcome, Prices
from evaluation.methods.inputs import Inputs
from evaluation.methods.ranking import rank
from trading.kernel.exact import written_exactly


@dataclass(frozen=True)
class Priced:
    """The prices that rank, in yuan, with their lines; ``facts`` of the lot, ``rows`` told of each bidder beside."""

    prices: dict[str, Fraction]
    lines: dict[str, str]
    facts: dict[str, Any]
    rows: dict[str, dict[str, Any]]


def by_price(priced: Callable[[Inputs], Priced]) -> Callable[[Inputs], Outcome]:
    """The outcome of a method that ranks by ``priced``: equal prices are equal in rank, whatever the quotes (rules E-07b, 2.8)."""

    def outcome(inputs: Inputs) -> Outcome:
        """Refuses: BadValue ``missing``, and whatever the method cannot use."""
        found, places = priced(inputs), inputs.places
        ranking = rank({bidder: (price, places[bidder]) for bidder, price in found.prices.items()})
        lowest = min(found.prices.values(), default=None)
        facts = {**found.facts, "lowest": "" if lowest is None else written_exactly(lowest)}
        evaluated = {bidder: written_exactly(price) for bidder, price in found.prices.items()}
        return Outcome(inputs, found.prices, ranking, Prices({}, found.lines, evaluated, facts), found.rows)

    return outcome


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """Each ranked bid, lowest first. ``total`` is the price that ranks: no points are given, so ``criteria`` is empty."""
    by_code, quotes = {bid.bidder: bid for bid in outcome.inputs.valid}, outcome.inputs.quotes
    return [
        {
            "bidder": code,
            "name": by_code[code].name,
            "quote": written_exactly(quotes[code]),
            "small": by_code[code].small,
            "criteria": [],
            "total": outcome.prices.evaluated[code],
            "rank": outcome.ranking.ranks[code],
            "total_line": outcome.prices.lines[code],
            **outcome.rows.get(code, {}),
        }
        for group in outcome.ranking.order
        for code in group
    ]

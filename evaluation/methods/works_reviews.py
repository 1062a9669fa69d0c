"""Works: the price ceiling, reviewed prices, discount-rate tenders and the bonus for small firms (rules C-08, E-06b,
2.7, 2.8).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.ranking import Ranking, rank_by_price
from evaluation.methods.vectors import known_ids, rates_of, written_map
from trading.kernel.exact import (
    Answer,
    BadValue,
    amount,
    between,
    map_of,
    mean,
    number,
    price,
    rate,
    record,
    rounding_params,
    take,
    written,
    written_exactly,
)


def over_ceiling(quotes: Mapping[str, Fraction], ceiling: Fraction) -> list[str]:
    """Bidders whose quote is above the price ceiling, sorted (C-08)."""
    return sorted(bidder for bidder, quote in quotes.items() if quote > ceiling)


@dataclass(frozen=True)
class DiscountScores:
    """A discount-rate tender: mean of all rates, mean of the rates not below it, who has full marks, points; all
    unrounded.
    """

    mean_of_all: Fraction
    benchmark: Fraction
    full_mark_bidders: list[str]
    points: dict[str, Fraction]


def down_rate(
    discount_rates: Mapping[str, Fraction], full_points: Fraction, points_per_tenth: Fraction
) -> DiscountScores:
    """Points of a discount-rate tender (下浮率): rates are shares of 1, a tenth is 0.1 percentage points from the
    benchmark.

    The lowest rate strictly above the benchmark has full marks, and all who share it; nobody, if no rate is above.
    """
    average = mean(discount_rates.values())
    benchmark = mean(value for value in discount_rates.values() if value >= average)
    best = min((value for value in discount_rates.values() if value > benchmark), default=None)
    points = {
        bidder: full_points
        if value == best
        else max(full_points - abs(value - benchmark) * 1000 * points_per_tenth, Fraction(0))
        for bidder, value in discount_rates.items()
    }
    return DiscountScores(average, benchmark, sorted(b for b, value in discount_rates.items() if value == best), points)


def sme_bonus(price_scores: Mapping[str, Fraction], bonus_rates: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """A small firm's own price score x (1 + rate), unrounded; the quote is not touched (E-06b)."""
    return {bidder: score * (1 + bonus_rates.get(bidder, 0)) for bidder, score in price_scores.items()}


@dataclass(frozen=True)
class WorksBid:
    """A works bid under review: the quote, its arithmetic correction and the quantified adjustments, which may be
    negative.
    """

    quote: Fraction
    arithmetic: Fraction
    adjustment: Fraction

    @property
    def corrected(self) -> Fraction:
        """The contract price: without the adjustments."""
        return self.quote + self.arithmetic

    @property
    def reviewed(self) -> Fraction:
        """The price that ranks."""
        return self.corrected + self.adjustment


def lowest_reviewed_price(bids: Mapping[str, WorksBid], *, below_cost: Collection[str] = ()) -> Ranking:
    """Lowest reviewed price first, without the bids below cost (2.8). Refuses: `corrected_price` of 0 or less, of any
    bid.
    """
    for bidder, bid in bids.items():
        if bid.corrected <= 0:
            raise BadValue("corrected_price", f"bids.{bidder}", "a corrected price above 0")
    return rank_by_price({bidder: bid.reviewed for bidder, bid in bids.items() if bidder not in below_cost})


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_ceiling(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    rejected = over_ceiling(quotes, take(inputs, "ceiling", price))
    left = [quote for bidder, quote in quotes.items() if bidder not in rejected]
    return {"rejected": rejected, "mean": written(mean(left)) if left else None}


def _asked_down_rate(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = down_rate(
        take(inputs, "discount_rates", map_of(rate)),
        take(inputs, "full_points", between(above=0, high=100)),
        take(inputs, "points_per_0.1pct", amount),
    )
    return {
        "A": written(found.mean_of_all, 6),
        "B": written(found.benchmark, 6),
        "full_mark_bidder": found.full_mark_bidders,
        "price_scores": written_map(found.points),
    }


def _asked_bonus(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    scores = take(inputs, "price_scores", map_of(amount))
    return {
        "adjusted": written_map(sme_bonus(scores, rates_of(inputs, "bonus_rate", scores)), *rounding_params(params))
    }


def _asked_reviewed(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = {
        bidder: WorksBid(
            *(
                take(row, key, read, f"bids.{bidder}")
                for key, read in (("quote", price), ("arith", number), ("adj", number))
            )
        )
        for bidder, row in take(inputs, "bids", map_of(record)).items()
    }
    rejected = known_ids(inputs, "below_cost", bids)
    ranking = lowest_reviewed_price(bids, below_cost=rejected)
    award = None if ranking.winner is None else written_exactly(bids[ranking.winner].corrected)
    return {
        "reviewed_prices": {
            bidder: written_exactly(bid.reviewed) for bidder, bid in bids.items() if bidder not in rejected
        },
        **ranking.as_answer(),
        "award_price": award,
        "rejected": rejected,
    }


METHODS: dict[str, Answer] = {
    "works.ceiling_filter": _asked_ceiling,
    "works.down_rate": _asked_down_rate,
    "works.sme_price_score_bonus": _asked_bonus,
    "works.lowest_reviewed_price": _asked_reviewed,
}

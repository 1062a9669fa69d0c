"""Who comes first: the ranking rules of tenders, consultations and negotiations (rules E-07, E-07b, E-08, E-08b,
E-09).

Equal in every key means equal rank: a tie is shown, never hidden behind an id or the order of arrival. The tie for an
award is resolved outside, as the documents say. Keys are compared unrounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from evaluation.methods.vectors import known_ids, rates_of, written_map
from trading.kernel.exact import (
    Answer,
    BadValue,
    amount,
    boolean,
    count,
    list_of,
    map_of,
    price,
    record,
    take,
    text,
    written_exactly,
)

Key = tuple[Fraction, ...]


@dataclass(frozen=True)
class Ranking:
    """Groups of equal bidders, best first; each bidder's rank; the winner when the first group has one member."""

    order: list[list[str]]
    ranks: dict[str, int]
    winner: str | None

    def as_answer(self) -> dict[str, Any]:
        """The three keys every ranking rule answers with."""
        return {"order": self.order, "ranks": self.ranks, "winner": self.winner}


def rank(keys: Mapping[str, Key]) -> Ranking:
    """Rank by the keys, lowest first (negate what should be high). All of a group share a rank, the next rank skips:
    1, 2, 2, 4.
    """

    def key(bidder: str) -> Key:
        return keys[bidder]

    order = [sorted(group) for _, group in groupby(sorted(keys, key=key), key=key)]
    ranks: dict[str, int] = {}
    for group in order:
        place = len(ranks) + 1
        ranks.update((bidder, place) for bidder in group)
    return Ranking(order, ranks, order[0][0] if order and len(order[0]) == 1 else None)


def rank_by_score(
    scores: Mapping[str, Fraction], quotes: Mapping[str, Fraction], technical: Mapping[str, Fraction] | None = None
) -> Ranking:
    """Score descending, then the raw quote ascending (E-07, E-08b), then, if given, technical points descending
    (E-08).
    """
    return rank(
        {
            bidder: (-score, quotes[bidder], *(() if technical is None else (-technical[bidder],)))
            for bidder, score in scores.items()
        }
    )


def rank_by_price(prices: Mapping[str, Fraction]) -> Ranking:
    """Price ascending (E-07b); for government procurement the evaluated price."""
    return rank({bidder: (amount_,) for bidder, amount_ in prices.items()})


def candidates_within(ranking: Ranking, max_candidates: int) -> list[str]:
    """The bidders whose rank is within the number of candidates; a tie at the limit is kept whole (E-08b)."""
    return [bidder for group in ranking.order for bidder in group if ranking.ranks[bidder] <= max_candidates]


@dataclass(frozen=True)
class SameBrand:
    """What is left when each brand counts as one bidder (E-09)."""

    heads: list[str]
    """The one bid of each brand that stands, for the brands without an open draw; sorted."""
    others: list[str]
    draws: list[list[str]]
    brand_count: int


def one_per_brand(brands: Mapping[str, str], keys: Mapping[str, Fraction]) -> SameBrand:
    """Per brand the bid with the lowest key stands; equal lowest keys stay open for a draw (E-09). All given bids are
    valid.
    """
    heads: list[str] = []
    others: list[str] = []
    draws: list[list[str]] = []
    by_brand: dict[str, list[str]] = {}
    for bidder in sorted(keys):
        by_brand.setdefault(brands[bidder], []).append(bidder)
    for bidders in by_brand.values():
        best = min(keys[bidder] for bidder in bidders)
        first = [bidder for bidder in bidders if keys[bidder] == best]
        others += [bidder for bidder in bidders if keys[bidder] != best]
        if len(first) == 1:
            heads += first
        else:
            draws.append(first)
    return SameBrand(sorted(heads), sorted(others), sorted(draws), len(by_brand))


def negotiation_lowest(final_quotes: Mapping[str, Fraction], budget: Fraction) -> tuple[Ranking, list[str]]:
    """The final quotes within the budget, lowest first, and the ids above the budget (procedure M3)."""
    over = sorted(bidder for bidder, quote in final_quotes.items() if quote > budget)
    return rank_by_price({bidder: quote for bidder, quote in final_quotes.items() if quote <= budget}), over


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _column(
    rows: Mapping[str, Mapping[str, Any]], key: str, read: Callable[[object, str], Fraction]
) -> dict[str, Fraction]:
    return {bidder: take(row, key, read, f"bids.{bidder}") for bidder, row in rows.items()}


def _asked_lowest_evaluated_price(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    rates = rates_of(inputs, "deduction_rates", quotes, optional=True)
    excluded = known_ids(inputs, "invalid", quotes)
    evaluated = {
        bidder: quote * (1 - rates.get(bidder, 0)) for bidder, quote in quotes.items() if bidder not in excluded
    }
    ranking = rank_by_price(evaluated)
    award = None if ranking.winner is None else written_exactly(quotes[ranking.winner])
    return {
        "evaluated_prices": written_map(evaluated),
        **ranking.as_answer(),
        "award_price": award,
        "excluded": excluded,
    }


def _asked_same_brand_lowest_price(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = take(inputs, "bids", map_of(record))
    brands = {bidder: take(bid, "brand", text, f"bids.{bidder}") for bidder, bid in bids.items()}
    quotes = _column(bids, "quote", price)
    valid = {bidder for bidder, bid in bids.items() if take(bid, "valid", boolean, f"bids.{bidder}")}
    found = one_per_brand(brands, {bidder: quote for bidder, quote in quotes.items() if bidder in valid})
    return {
        "entering": found.heads,
        "excluded_same_brand": found.others,
        "draw_required": found.draws,
        "invalid": sorted(set(bids) - valid),
        "distinct_bidder_count": found.brand_count,
        "enough_for_evaluation": found.brand_count >= 3,
    }


def _asked_same_brand_scoring(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = take(inputs, "bids", map_of(record))
    brands = {bidder: take(bid, "brand", text, f"bids.{bidder}") for bidder, bid in bids.items()}
    scores = _column(bids, "score", amount)
    wanted = take(inputs, "candidates_wanted", count(1))
    found = one_per_brand(brands, {bidder: -score for bidder, score in scores.items()})
    ordered = sorted(found.heads, key=lambda bidder: (-scores[bidder], bidder))
    return {
        "candidates": None if found.draws else ordered[:wanted],
        "not_candidate_same_brand": found.others,
        "draw_required": found.draws,
        "distinct_bidder_count": found.brand_count,
    }


def _asked_rank(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = take(inputs, "bids", map_of(record))
    return rank_by_score(_column(bids, "score", amount), _column(bids, "quote", price)).as_answer()


def _asked_rank_consultation(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = take(inputs, "bids", map_of(record))
    return rank_by_score(
        _column(bids, "score", amount), _column(bids, "quote", price), _column(bids, "technical", amount)
    ).as_answer()


def _asked_rank_lowest_price(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return rank_by_price(take(inputs, "evaluated_prices", map_of(price))).as_answer()


def _asked_negotiation_lowest(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "final_quotes", map_of(price, may_be_empty=True))
    withdrawn = take(inputs, "withdrawn_before_final", list_of(text), default=[])
    for bidder in withdrawn:
        if bidder in quotes:
            raise BadValue("withdrawn_but_quoted", f"withdrawn_before_final.{bidder}", "an id without a final quote")
    ranking, over = negotiation_lowest(quotes, take(inputs, "budget", price))
    return {**ranking.as_answer(), "over_budget": over, "deposit_return": sorted(set(withdrawn))}


def _asked_works_rank(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bids = take(inputs, "bids", map_of(record))
    ranking = rank_by_score(_column(bids, "score", amount), _column(bids, "quote", price))
    return {**ranking.as_answer(), "candidates": candidates_within(ranking, take(inputs, "max_candidates", count(1)))}


METHODS: dict[str, Answer] = {
    "gp.lowest_evaluated_price": _asked_lowest_evaluated_price,
    "gp.same_brand_lowest_price": _asked_same_brand_lowest_price,
    "gp.same_brand_scoring": _asked_same_brand_scoring,
    "gp.rank": _asked_rank,
    "gp.rank_consultation": _asked_rank_consultation,
    "gp.rank_lowest_price": _asked_rank_lowest_price,
    "gp.negotiation_lowest": _asked_negotiation_lowest,
    "works.rank": _asked_works_rank,
}

"""Price points in government procurement: low-price-first and the comprehensive score (rules E-02, E-04 to E-07).

Evaluated price = quote x (1 - deduction); the lowest evaluated price of the valid bidders is the benchmark; points =
benchmark / evaluated price x weight, rounded once at the end. Dropping the highest or lowest quote is forbidden
(E-04), so no function here can. The contract is always at the raw quote.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from evaluation.methods.ranking import Ranking, rank_by_score
from evaluation.methods.vectors import known_ids, rates_of, written_map
from trading.kernel.exact import (
    Answer,
    BadValue,
    Rounding,
    amount,
    between,
    boolean,
    day,
    decimals,
    list_of,
    map_of,
    mean,
    price,
    rounded,
    rounding_params,
    take,
    word,
    written,
    written_exactly,
)

DOMESTIC_FROM = dt.date(2026, 1, 1)
"""The domestic product deduction exists from this day on (E-06c)."""


class RoundPlace(StrEnum):
    """Where low-price-first rounds: only the points, or the factor first and then the points (E-05)."""

    POINTS_ONLY = "points_only"
    FACTOR_THEN_WEIGHT = "factor_then_weight"


@dataclass(frozen=True)
class PriceScores:
    """Prices and points of the valid bidders; prices unrounded, factors (percent) and points as they are shown."""

    evaluated: dict[str, Fraction]
    benchmark: Fraction | None
    factors: dict[str, Fraction]
    points: dict[str, Fraction]


def low_price_first(
    quotes: Mapping[str, Fraction],
    weight_points: Fraction,
    *,
    deduction_rates: Mapping[str, Fraction] | None = None,
    invalid: Collection[str] = (),
    places: int = 2,
    mode: Rounding = Rounding.HALF_UP,
    round_place: RoundPlace = RoundPlace.POINTS_ONLY,
    factor_places: int = 2,
) -> PriceScores:
    """Price points by low-price-first (E-02). A deduction is a share of 1 (0.10 for ten percent); quotes are above 0.

    Invalid bidders (failed qualification or conformity) neither set the benchmark nor get points. The benchmark is
    never rounded inside.
    """
    rates = deduction_rates or {}
    evaluated = {
        bidder: quote * (1 - rates.get(bidder, 0)) for bidder, quote in quotes.items() if bidder not in invalid
    }
    if any(value <= 0 for value in evaluated.values()):
        raise BadValue("too_small", "quotes", "more than 0 after the deduction")
    benchmark = min(evaluated.values(), default=None)
    factors: dict[str, Fraction] = {}
    points: dict[str, Fraction] = {}
    for bidder, value in evaluated.items():
        assert benchmark is not None  # there is a bidder, so there is a lowest price
        factor = benchmark / value * 100
        factors[bidder] = rounded(factor, factor_places, mode)
        used = factors[bidder] if round_place is RoundPlace.FACTOR_THEN_WEIGHT else factor
        points[bidder] = rounded(used * weight_points / 100, places, mode)
    return PriceScores(evaluated, benchmark, factors, points)


def domestic_rates(
    bidders: Collection[str], rates: Mapping[str, Fraction], tender_date: dt.date
) -> dict[str, Fraction]:
    """The domestic product deductions that apply among the valid `bidders`: none before 2026-01-01, none without
    competition between offers with and without one (E-06c).
    """
    favoured = {bidder for bidder in bidders if rates.get(bidder, 0) > 0}
    if tender_date < DOMESTIC_FROM or not favoured or len(favoured) == len(set(bidders)):
        return {}
    return {bidder: rates[bidder] for bidder in favoured}


@dataclass(frozen=True)
class ComprehensiveScore:
    """The comprehensive score of the valid bidders: parts as rounded, totals exact, and the ranking (E-07)."""

    subjective: dict[str, Fraction]
    price: PriceScores
    totals: dict[str, Fraction]
    ranking: Ranking


def comprehensive_score(
    quotes: Mapping[str, Fraction],
    weight_points: Fraction,
    subjective: Mapping[str, Sequence[Fraction]],
    objective: Mapping[str, Fraction],
    *,
    deduction_rates: Mapping[str, Fraction] | None = None,
    invalid: Collection[str] = (),
    avg_places: int = 2,
    places: int = 2,
    mode: Rounding = Rounding.HALF_UP,
    round_place: RoundPlace = RoundPlace.POINTS_ONLY,
    factor_places: int = 2,
) -> ComprehensiveScore:
    """Mean of the members' subjective points + objective points + price points, ranked by total, then raw quote.

    The total is the sum of the rounded parts, so that it equals what people see (2.12). The mean is a plain one (E-30).
    Refuses: `missing` (a valid bidder without points), `unequal_lists` (not every member scored every valid bidder).
    """
    valid = [bidder for bidder in quotes if bidder not in invalid]
    for bidder in valid:
        if not subjective.get(bidder):
            raise BadValue("missing", f"subjective.{bidder}", "points of every member")
        if bidder not in objective:
            raise BadValue("missing", f"objective.{bidder}", "objective points")
    if len({len(subjective[bidder]) for bidder in valid}) > 1:
        raise BadValue("unequal_lists", "subjective", "as many members for every valid bidder")
    means = {bidder: rounded(mean(subjective[bidder]), avg_places, mode) for bidder in valid}
    prices = low_price_first(
        quotes,
        weight_points,
        deduction_rates=deduction_rates,
        invalid=invalid,
        places=places,
        mode=mode,
        round_place=round_place,
        factor_places=factor_places,
    )
    totals = {bidder: means[bidder] + objective[bidder] + prices.points[bidder] for bidder in valid}
    return ComprehensiveScore(means, prices, totals, rank_by_score(totals, quotes))


# --- asked as test vectors --------------------------------------------------------------------------------------------


_WEIGHT = between(0, 100)


def _rounding(params: Mapping[str, Any]) -> dict[str, Any]:
    places, mode = rounding_params(params)
    place = take(params, "round_place", word(*RoundPlace), default=RoundPlace.POINTS_ONLY)
    return {
        "places": places,
        "mode": mode,
        "round_place": RoundPlace(place),
        "factor_places": take(params, "factor_places", decimals, default=2),
    }


def _answer(scores: PriceScores, excluded: list[str], how: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "benchmark": None if scores.benchmark is None else written(scores.benchmark),
        "factors": written_map(scores.factors, how["factor_places"]),
        "price_scores": written_map(scores.points, how["places"]),
        "excluded": excluded,
    }


def _both_prices(scores: PriceScores, quotes: Mapping[str, Fraction]) -> dict[str, Any]:
    return {
        "evaluated_prices": written_map(scores.evaluated),
        "contract_prices": {bidder: written_exactly(quotes[bidder]) for bidder in scores.evaluated},
    }


def _asked_low_price_first(
    params: Mapping[str, Any], inputs: Mapping[str, Any], quotes_key: str = "quotes"
) -> dict[str, Any]:
    quotes = take(inputs, quotes_key, map_of(price))
    excluded, how = known_ids(inputs, "invalid", quotes), _rounding(params)
    weight = take(inputs, "weight_points", _WEIGHT)
    return _answer(low_price_first(quotes, weight, invalid=excluded, **how), excluded, how)


def _asked_consultation(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return _asked_low_price_first(params, inputs, "final_quotes")


def _asked_sme(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    excluded, how = known_ids(inputs, "invalid", quotes), _rounding(params)
    rates, weight = rates_of(inputs, "deduction_rates", quotes), take(inputs, "weight_points", _WEIGHT)
    scores = low_price_first(quotes, weight, deduction_rates=rates, invalid=excluded, **how)
    return {**_both_prices(scores, quotes), **_answer(scores, excluded, how)}


def _asked_domestic(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    excluded, how = known_ids(inputs, "invalid", quotes), _rounding(params)
    rates, weight = rates_of(inputs, "deduction_rates", quotes), take(inputs, "weight_points", _WEIGHT)
    applied = domestic_rates(set(quotes) - set(excluded), rates, take(inputs, "tender_date", day))
    scores = low_price_first(quotes, weight, deduction_rates=applied, invalid=excluded, **how)
    return {**_both_prices(scores, quotes), **_answer(scores, excluded, how), "deduction_applied": bool(applied)}


def _as_given(value: object, where: str) -> object:
    return value


def _asked_comprehensive(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    excluded, how = known_ids(inputs, "invalid", quotes), _rounding(params)
    avg_places = take(params, "avg_places", decimals, default=2)
    if take(params, "drop_extremes", boolean, default=False):
        raise BadValue("dropping_forbidden", "drop_extremes", "false: the mean is of all members")
    given = {key: take(inputs, key, map_of(_as_given)) for key in ("subjective", "objective")}
    valid = [bidder for bidder in quotes if bidder not in excluded]  # what stands under other ids is not looked at
    found = comprehensive_score(
        quotes,
        take(inputs, "price_weight_points", _WEIGHT),
        {bidder: take(given["subjective"], bidder, list_of(amount, at_least=1), "subjective") for bidder in valid},
        {bidder: take(given["objective"], bidder, amount, "objective") for bidder in valid},
        deduction_rates=rates_of(inputs, "deduction_rates", quotes, optional=True),
        invalid=excluded,
        avg_places=avg_places,
        **how,
    )
    return {
        "subjective_avg": written_map(found.subjective, avg_places),
        "price_scores": written_map(found.price.points, how["places"]),
        "totals": {bidder: written_exactly(total) for bidder, total in found.totals.items()},
        **found.ranking.as_answer(),
        "excluded": excluded,
    }


METHODS: dict[str, Answer] = {
    "gp.low_price_first": _asked_low_price_first,
    "gp.low_price_first_sme": _asked_sme,
    "gp.low_price_first_domestic": _asked_domestic,
    "gp.consultation_price_score": _asked_consultation,
    "gp.comprehensive_score": _asked_comprehensive,
}

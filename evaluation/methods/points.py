"""What methods that rank by points share: the members' points and those of the price added up, and the line of every part (rules E-01e,
E-05, E-07, E-08b, E-30, E-31)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.declared import Outcome, Prices
from evaluation.methods.expert_scores import is_consistent, trimmed
from evaluation.methods.inputs import Criterion, Inputs, Scheme, given
from evaluation.methods.ranking import Ranking, rank
from trading.kernel.exact import BadValue, mean, rounded, written, written_exactly


def by_points(prices: Callable[[Inputs], Prices]) -> Callable[[Inputs], Outcome]:
    """The outcome of a method whose points of the price are ``prices``."""

    def outcome(inputs: Inputs) -> Outcome:
        """Refuses: BadValue ``objective_differs``, ``missing``, and whatever the price formula cannot use."""
        means = {
            bid.bidder: {one.id: _mean(inputs, one, bid.bidder) for one in inputs.scheme.scored} for bid in inputs.valid
        }
        quotes, found = inputs.quotes, prices(inputs)
        totals = {b: sum((one.points for one in of.values()), found.points[b]) for b, of in means.items()}
        return Outcome(inputs, totals, ranked(totals, quotes, inputs.tie_break), found, means)

    return outcome


def objective_mismatches(inputs: Inputs) -> list[dict[str, Any]]:
    """Objective items the members gave different points for: they block the report (rules E-01e, E-32)."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind == "objective" and not is_consistent(scores):
                found.append({"bidder": bid.bidder, "criterion": criterion.id, "given": seat_points(scores)})
    return found


def ranked(totals: Mapping[str, Fraction], quotes: Mapping[str, Fraction], tie_break: Sequence[str] = ()) -> Ranking:
    """Total descending, then the lower quote (rules E-07, E-08b), then the order the panel chose among those still equal."""
    place = {bidder: Fraction(at) for at, bidder in enumerate(tie_break)}
    return rank(
        {bidder: (-total, quotes[bidder], place.get(bidder, Fraction(len(place)))) for bidder, total in totals.items()}
    )


@dataclass(frozen=True)
class Mean:
    """Points of a criterion for one bid: ``given`` by seat, the scores ``left`` their mean is taken of, and those ``dropped``."""

    points: Fraction
    given: dict[str, Fraction]
    left: list[Fraction]
    dropped: list[Fraction]


def _mean(inputs: Inputs, criterion: Criterion, bidder: str) -> Mean:
    """Mean of the members (E-30), trimmed where the documents say so (E-31); an objective item is what all gave. Refuses: BadValue."""
    scheme, by_seat = inputs.scheme, given(inputs, criterion, bidder)
    scores = list(by_seat.values())
    if criterion.kind == "objective":
        if not is_consistent(by_seat):
            raise BadValue("objective_differs", f"{bidder}.{criterion.id}", "equal points of every member")
        return Mean(rounded(scores[0], scheme.points_places, scheme.mode), by_seat, scores, [])
    left, dropped = trimmed(scores, scheme.trim_from) if scheme.trim_from else (scores, [])
    return Mean(rounded(mean(left), scheme.mean_places, scheme.mode), by_seat, left, dropped)


# --- the lines --------------------------------------------------------------------------------------------------------------------


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """Each ranked bid, best first, with every part and its arithmetic."""
    inputs, scheme, quotes = outcome.inputs, outcome.inputs.scheme, outcome.inputs.quotes
    by_code = {bid.bidder: bid for bid in inputs.valid}
    found = []
    for code in (bidder for group in outcome.ranking.order for bidder in group):
        rows = [
            _price_row(one, outcome.prices, code, scheme)
            if one.kind == "price"
            else _scored(one, outcome.rows[code][one.id])
            for one in scheme.criteria
        ]
        total = written_exactly(outcome.figures[code])
        found.append(
            {
                "bidder": code,
                "name": by_code[code].name,
                "quote": written_exactly(quotes[code]),
                "small": by_code[code].small,
                "criteria": rows,
                "total": total,
                "rank": outcome.ranking.ranks[code],
                "total_line": " + ".join(row["points"] for row in rows) + f" = {total}",
            }
        )
    return found


def seat_points(scores: Mapping[str, Fraction]) -> list[dict[str, Any]]:
    return [{"seat": int(no), "points": written_exactly(score)} for no, score in scores.items()]


def _scored(criterion: Criterion, found: Mean) -> dict[str, Any]:
    scores = seat_points(found.given)
    row: dict[str, Any] = {
        "id": criterion.id,
        "kind": criterion.kind,
        "max": written_exactly(criterion.max),
        "given": scores,
    }
    text = written_exactly(found.points)
    if criterion.kind == "objective":
        return row | {"points": text, "line": f"{text} ({len(scores)} × {text})"}
    shown = [written_exactly(score) for score in found.left] if found.dropped else [one["points"] for one in scores]
    row |= {"points": text, "line": f"({' + '.join(shown)}) ÷ {len(found.left)} = {text}"}
    return row | ({"dropped": [written_exactly(score) for score in found.dropped]} if found.dropped else {})


def _price_row(criterion: Criterion, prices: Prices, bidder: str, scheme: Scheme) -> dict[str, Any]:
    return {
        "id": criterion.id,
        "kind": "price",
        "max": written_exactly(criterion.max),
        "given": [],
        "points": written(prices.points[bidder], max(scheme.points_places, 2)),
        "line": prices.lines[bidder],
        "evaluated": prices.evaluated[bidder],
    }

"""What methods that rank by points share: the members' points and those of the price added up, and the line of every part (rules E-01e,
E-05, E-07, E-08b, E-30, E-31)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        if differing := objective_mismatches(inputs):
            where = f"{differing[0]['bidder']}.{differing[0]['criterion']}"
            raise BadValue("objective_differs", where, "equal points of every member")
        quotes, found = inputs.quotes, prices(inputs)
        totals = {
            bidder: sum((mean_points(inputs, one, bidder)[0] for one in inputs.scheme.scored), found.points[bidder])
            for bidder in quotes
        }
        return Outcome(inputs, totals, ranked(totals, quotes, inputs.tie_break), found)

    return outcome


def objective_mismatches(inputs: Inputs) -> list[dict[str, Any]]:
    """Objective items the members gave different points for: they block the report (rules E-01e, E-32)."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind == "objective" and not is_consistent(scores):
                found.append({"bidder": bid.bidder, "criterion": criterion.id, "given": told(scores)})
    return found


def ranked(totals: Mapping[str, Fraction], quotes: Mapping[str, Fraction], tie_break: Sequence[str] = ()) -> Ranking:
    """Total descending, then the lower quote (rules E-07, E-08b), then the order the panel chose among those still equal."""
    place = {bidder: Fraction(at) for at, bidder in enumerate(tie_break)}
    return rank(
        {bidder: (-total, quotes[bidder], place.get(bidder, Fraction(len(place)))) for bidder, total in totals.items()}
    )


def mean_points(inputs: Inputs, criterion: Criterion, bidder: str) -> tuple[Fraction, list[Fraction], list[Fraction]]:
    """Points of a criterion, the scores their mean is taken of, and those dropped; an objective item is what the first gave."""
    scheme, scores = inputs.scheme, list(given(inputs, criterion, bidder).values())
    if criterion.kind == "objective":
        return rounded(scores[0], scheme.points_places, scheme.mode), scores, []
    left, dropped = trimmed(scores, scheme.trim_from) if scheme.trim_from else (scores, [])
    return rounded(mean(left), scheme.mean_places, scheme.mode), left, dropped


# --- the lines --------------------------------------------------------------------------------------------------------------------


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """Each ranked bid, best first, with every part and its arithmetic."""
    inputs, scheme = outcome.inputs, outcome.inputs.scheme
    by_code = {bid.bidder: bid for bid in inputs.valid}
    found = []
    for code in (bidder for group in outcome.ranking.order for bidder in group):
        rows = [
            _price_row(one, outcome.prices, code, scheme) if one.kind == "price" else _scored(inputs, one, code)
            for one in scheme.criteria
        ]
        total = written_exactly(outcome.figures[code])
        found.append(
            {
                "bidder": code,
                "name": by_code[code].name,
                "quote": written_exactly(inputs.quotes[code]),
                "small": by_code[code].small,
                "criteria": rows,
                "total": total,
                "rank": outcome.ranking.ranks[code],
                "total_line": " + ".join(row["points"] for row in rows) + f" = {total}",
            }
        )
    return found


def told(scores: Mapping[str, Fraction]) -> list[dict[str, Any]]:
    return [{"seat": int(no), "points": written_exactly(score)} for no, score in scores.items()]


def _scored(inputs: Inputs, criterion: Criterion, bidder: str) -> dict[str, Any]:
    """Mean of the members (E-30), trimmed where the documents say so (E-31); an objective item is what all gave."""
    scores = told(given(inputs, criterion, bidder))
    row: dict[str, Any] = {
        "id": criterion.id,
        "kind": criterion.kind,
        "max": written_exactly(criterion.max),
        "given": scores,
    }
    points, left, dropped = mean_points(inputs, criterion, bidder)
    text = written_exactly(points)
    if criterion.kind == "objective":
        return row | {"points": text, "line": f"{text} ({len(scores)} × {text})"}
    shown = [written_exactly(score) for score in left] if dropped else [one["points"] for one in scores]
    row |= {"points": text, "line": f"({' + '.join(shown)}) ÷ {len(left)} = {text}"}
    return row | ({"dropped": [written_exactly(score) for score in dropped]} if dropped else {})


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

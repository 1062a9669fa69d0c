"""The outcome of an evaluation as a pure function of its stored inputs: points, totals, ranking, each with its arithmetic line (rules E-02,
E-05 to E-08b, E-30, E-31; rulebook 2.7, 2.12).

Nothing here reads a database or a clock: what goes in is what anybody can take from the bundle (signed sheets, announced prices, the drawn
coefficient, the scheme), so what comes out can be recomputed by anybody. The order of bids and members never matters. All numbers in the
facts are texts, for the report is signed as canonical JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from evaluation.methods import registry
from evaluation.methods.declared import PriceInputs, Prices
from evaluation.methods.expert_scores import Outliers, is_consistent, outliers, trimmed
from evaluation.methods.ranking import Ranking, rank
from evaluation.scoring.schemes import Criterion, Scheme
from trading.kernel.exact import BadValue, mean, rounded, written, written_exactly


@dataclass(frozen=True)
class BidIn:
    """One opened bid: ``bidder`` its code, ``quote`` in yuan (None if its form could not be read), ``small``: the deduction for small firms
    applies; ``finding`` empty while valid, else ``{stage, clause, reason, votes_for, votes_against}``."""

    bidder: str
    name: str
    quote: Fraction | None
    small: bool = False
    finding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        return not self.finding


@dataclass(frozen=True)
class Inputs:
    """Everything the outcome follows from. ``scores``: seat number → bidder → criterion → points. ``tie_break``: bidders in the order the
    panel chose among equals. ``coefficient``: the drawn K, "" if none; ``ceiling`` in yuan."""

    scheme: Scheme
    bids: Sequence[BidIn]
    scores: Mapping[int, Mapping[str, Mapping[str, Fraction]]]
    coefficient: str = ""
    ceiling: Fraction | None = None
    tie_break: Sequence[str] = ()

    @property
    def valid(self) -> list[BidIn]:
        """The bids that are scored, by bidder."""
        return sorted((bid for bid in self.bids if bid.valid), key=lambda bid: bid.bidder)


def given(inputs: Inputs, criterion: Criterion, bidder: str) -> dict[str, Fraction]:
    """Points by seat number (as text), in the order of seats. Refuses: BadValue ``missing``."""
    found = {}
    for no in sorted(inputs.scores):
        try:
            found[str(no)] = inputs.scores[no][bidder][criterion.id]
        except KeyError as error:
            raise BadValue("missing", f"scores.{no}.{bidder}.{criterion.id}", "points of every member") from error
    if not found:
        raise BadValue("missing", f"scores.{bidder}.{criterion.id}", "points of every member")
    return found


def objective_mismatches(inputs: Inputs) -> list[dict[str, Any]]:
    """Objective items the members gave different points for: they block the report (rules E-01e, E-32)."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind == "objective" and not is_consistent(scores):
                found.append({"bidder": bid.bidder, "criterion": criterion.id, "given": _given(scores)})
    return found


def outlier_flags(inputs: Inputs) -> list[dict[str, Any]]:
    """Subjective scores whose deviation is above the scheme's share: the arithmetic of rule E-38 as the report states it. What people are
    asked to look at again is less: ``flags.flags``."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind != "subjective" or len(scores) < 2:
                continue
            found += [
                _flag(bid.bidder, criterion, scores, outliers(scores, inputs.scheme.outlier), no)
                for no in outliers(scores, inputs.scheme.outlier).flagged
            ]
    return found


def _flag(bidder: str, criterion: Criterion, scores: Mapping[str, Fraction], seen: Outliers, no: str) -> dict[str, Any]:
    deviation = seen.deviation_pct[no]
    return {
        "bidder": bidder,
        "criterion": criterion.id,
        "seat": int(no),
        "points": written_exactly(scores[no]),
        "others": written(seen.others_mean[no]),
        "percent": "" if deviation is None else written(deviation),
    }


def outcome(inputs: Inputs) -> dict[str, Any]:
    """The outcome as facts: bids best first, each with criteria, price, total and rank; rejected bids; ties.

    Refuses: BadValue ``objective_differs``, ``missing``, and whatever the price formula cannot use.
    """
    if differing := objective_mismatches(inputs):
        raise BadValue(
            "objective_differs", f"{differing[0]['bidder']}.{differing[0]['criterion']}", "equal points of every member"
        )
    valid, scheme = inputs.valid, inputs.scheme
    quotes = {bid.bidder: _quote(bid) for bid in valid}
    prices = price_points(inputs, quotes)
    parts: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, Fraction] = {}
    for bid in valid:
        rows, total = [], Fraction(0)
        for criterion in scheme.criteria:
            points, row = (
                (prices.points[bid.bidder], _price_row(criterion, prices, bid.bidder, scheme))
                if criterion.kind == "price"
                else (_scored(inputs, criterion, bid.bidder))
            )
            total += points
            rows.append(row)
        parts[bid.bidder], totals[bid.bidder] = rows, total
    ranking = ranked(totals, quotes, inputs.tie_break)
    by_code = {bid.bidder: bid for bid in valid}
    order = [bidder for group in ranking.order for bidder in group]
    return {
        "method": scheme.method,
        "price": prices.facts,
        "tie_rule": scheme.tie,
        "tie_break": list(inputs.tie_break),
        "bids": [
            {
                "bidder": code,
                "name": by_code[code].name,
                "quote": written_exactly(quotes[code]),
                "small": by_code[code].small,
                "criteria": parts[code],
                "total": written_exactly(totals[code]),
                "rank": ranking.ranks[code],
                "total_line": " + ".join(row["points"] for row in parts[code]) + f" = {written_exactly(totals[code])}",
            }
            for code in order
        ],
        "ties": [list(group) for group in ranking.order if len(group) > 1],
        "rejected": [_rejected(bid) for bid in sorted(inputs.bids, key=lambda bid: bid.bidder) if not bid.valid],
    }


@dataclass(frozen=True)
class Standing:
    """Totals and ranks alone, without their arithmetic."""

    totals: dict[str, Fraction]
    ranks: dict[str, int]


def standing(inputs: Inputs) -> Standing:
    """Totals and ranks as ``outcome`` gives them; points may be any fraction. Refuses: BadValue, as ``outcome``; objective points are taken
    from the first member."""
    quotes = {bid.bidder: _quote(bid) for bid in inputs.valid}
    prices = price_points(inputs, quotes)
    totals = {
        bid.bidder: prices.points[bid.bidder]
        + sum((_mean_points(inputs, one, bid.bidder)[0] for one in inputs.scheme.scored), Fraction(0))
        for bid in inputs.valid
    }
    return Standing(totals, ranked(totals, quotes, inputs.tie_break).ranks)


def ranked(totals: Mapping[str, Fraction], quotes: Mapping[str, Fraction], tie_break: Sequence[str] = ()) -> Ranking:
    """Total descending, then the lower quote (rules E-07, E-08b), then the order the panel chose among those still equal."""
    place = {bidder: Fraction(at) for at, bidder in enumerate(tie_break)}
    return rank(
        {bidder: (-total, quotes[bidder], place.get(bidder, Fraction(len(place)))) for bidder, total in totals.items()}
    )


def _quote(bid: BidIn) -> Fraction:
    if bid.quote is None or bid.quote <= 0:
        raise BadValue("missing", f"quotes.{bid.bidder}", "a price above 0")
    return bid.quote


def _rejected(bid: BidIn) -> dict[str, Any]:
    quote = "" if bid.quote is None else written_exactly(bid.quote)
    return {
        "bidder": bid.bidder,
        "name": bid.name,
        "quote": quote,
        **{key: bid.finding[key] for key in sorted(bid.finding)},
    }


def _given(scores: Mapping[str, Fraction]) -> list[dict[str, Any]]:
    return [{"seat": int(no), "points": written_exactly(score)} for no, score in scores.items()]


def _scored(inputs: Inputs, criterion: Criterion, bidder: str) -> tuple[Fraction, dict[str, Any]]:
    """Mean of the members (E-30), trimmed where the documents say so (E-31); an objective item is what all gave."""
    scores = given(inputs, criterion, bidder)
    told = _given(scores)
    row: dict[str, Any] = {
        "id": criterion.id,
        "kind": criterion.kind,
        "max": written_exactly(criterion.max),
        "given": told,
    }
    if criterion.kind == "objective":
        points, *_rest = _mean_points(inputs, criterion, bidder)
        text = written_exactly(points)
        return points, row | {"points": text, "line": f"{text} ({len(scores)} × {text})"}
    points, left, dropped = _mean_points(inputs, criterion, bidder)
    shown = [written_exactly(score) for score in left] if dropped else [one["points"] for one in told]
    text = written_exactly(points)
    row |= {"points": text, "line": f"({' + '.join(shown)}) ÷ {len(left)} = {text}"}
    return points, row | ({"dropped": [written_exactly(score) for score in dropped]} if dropped else {})


def _mean_points(inputs: Inputs, criterion: Criterion, bidder: str) -> tuple[Fraction, list[Fraction], list[Fraction]]:
    """Points of a criterion, the scores their mean is taken of, and those dropped; an objective item is what the first gave."""
    scheme, scores = inputs.scheme, list(given(inputs, criterion, bidder).values())
    if criterion.kind == "objective":
        return rounded(scores[0], scheme.points_places, scheme.mode), scores, []
    left, dropped = trimmed(scores, scheme.trim_from) if scheme.trim_from else (scores, [])
    return rounded(mean(left), scheme.mean_places, scheme.mode), left, dropped


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


# --- price points -----------------------------------------------------------------------------------------------------------------


def price_points(inputs: Inputs, quotes: Mapping[str, Fraction]) -> Prices:
    """Price points of the valid bidders by the scheme's method. Refuses: BadValue."""
    scheme = inputs.scheme
    return registry.method(scheme.method).prices(
        PriceInputs(
            quotes=quotes,
            small=frozenset(bid.bidder for bid in inputs.valid if bid.small),
            weight=scheme.price.max,
            places=scheme.points_places,
            mode=scheme.mode,
            parameters=scheme.own,
            coefficient=inputs.coefficient,
            ceiling=inputs.ceiling,
        )
    )


def plain_points(value: Fraction) -> str:
    """Points as they are shown."""
    return written_exactly(value)

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

from evaluation.methods import works_prices
from evaluation.methods.expert_scores import Outliers, is_consistent, outliers, trimmed
from evaluation.methods.price_scores import low_price_first
from evaluation.methods.ranking import Ranking, rank
from evaluation.schemes import Criterion, Scheme, benchmark_scheme
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


@dataclass(frozen=True)
class Prices:
    """Price points of the valid bidders with their lines; ``facts``: what led there, ``lines`` per bidder, texts."""

    points: dict[str, Fraction]
    lines: dict[str, str]
    evaluated: dict[str, str]
    facts: dict[str, Any]


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
            found += [_flag(bid.bidder, criterion, scores, outliers(scores, inputs.scheme.outlier), no)
                      for no in outliers(scores, inputs.scheme.outlier).flagged]
    return found


def _flag(bidder: str, criterion: Criterion, scores: Mapping[str, Fraction], seen: Outliers, no: str) -> dict[str, Any]:
    deviation = seen.deviation_pct[no]
    return {"bidder": bidder, "criterion": criterion.id, "seat": int(no), "points": written_exactly(scores[no]),
            "others": written(seen.others_mean[no]), "percent": "" if deviation is None else written(deviation)}


def outcome(inputs: Inputs) -> dict[str, Any]:
    """The outcome as facts: bids best first, each with criteria, price, total and rank; rejected bids; ties.

    Refuses: BadValue ``objective_differs``, ``missing``, and whatever the price formula cannot use.
    """
    if differing := objective_mismatches(inputs):
        raise BadValue("objective_differs", f"{differing[0]['bidder']}.{differing[0]['criterion']}", "equal points of every member")
    valid, scheme = inputs.valid, inputs.scheme
    quotes = {bid.bidder: _quote(bid) for bid in valid}
    prices = price_points(inputs, quotes)
    parts: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, Fraction] = {}
    for bid in valid:
        rows, total = [], Fraction(0)
        for criterion in scheme.criteria:
            points, row = (prices.points[bid.bidder], _price_row(criterion, prices, bid.bidder, scheme)) if criterion.kind == "price" else (
                _scored(inputs, criterion, bid.bidder))
            total += points
            rows.append(row)
        parts[bid.bidder], totals[bid.bidder] = rows, total
    ranking = ranked(totals, quotes, inputs.tie_break)
    by_code = {bid.bidder: bid for bid in valid}
    order = [bidder for group in ranking.order for bidder in group]
    return {
        "method": scheme.method, "price": prices.facts, "tie_rule": scheme.tie, "tie_break": list(inputs.tie_break),
        "bids": [{
            "bidder": code, "name": by_code[code].name, "quote": written_exactly(quotes[code]), "small": by_code[code].small,
            "criteria": parts[code], "total": written_exactly(totals[code]), "rank": ranking.ranks[code],
            "total_line": " + ".join(row["points"] for row in parts[code]) + f" = {written_exactly(totals[code])}",
        } for code in order],
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
    totals = {bid.bidder: prices.points[bid.bidder] + sum(
        (_mean_points(inputs, one, bid.bidder)[0] for one in inputs.scheme.scored), Fraction(0)) for bid in inputs.valid}
    return Standing(totals, ranked(totals, quotes, inputs.tie_break).ranks)


def ranked(totals: Mapping[str, Fraction], quotes: Mapping[str, Fraction], tie_break: Sequence[str] = ()) -> Ranking:
    """Total descending, then the lower quote (rules E-07, E-08b), then the order the panel chose among those still equal."""
    place = {bidder: Fraction(at) for at, bidder in enumerate(tie_break)}
    return rank({bidder: (-total, quotes[bidder], place.get(bidder, Fraction(len(place)))) for bidder, total in totals.items()})


def _quote(bid: BidIn) -> Fraction:
    if bid.quote is None or bid.quote <= 0:
        raise BadValue("missing", f"quotes.{bid.bidder}", "a price above 0")
    return bid.quote


def _rejected(bid: BidIn) -> dict[str, Any]:
    quote = "" if bid.quote is None else written_exactly(bid.quote)
    return {"bidder": bid.bidder, "name": bid.name, "quote": quote, **{key: bid.finding[key] for key in sorted(bid.finding)}}


def _given(scores: Mapping[str, Fraction]) -> list[dict[str, Any]]:
    return [{"seat": int(no), "points": written_exactly(score)} for no, score in scores.items()]


def _scored(inputs: Inputs, criterion: Criterion, bidder: str) -> tuple[Fraction, dict[str, Any]]:
    """Mean of the members (E-30), trimmed where the documents say so (E-31); an objective item is what all gave."""
    scores = given(inputs, criterion, bidder)
    told = _given(scores)
    row: dict[str, Any] = {"id": criterion.id, "kind": criterion.kind, "max": written_exactly(criterion.max), "given": told}
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
    return {"id": criterion.id, "kind": "price", "max": written_exactly(criterion.max), "given": [],
            "points": written(prices.points[bidder], max(scheme.points_places, 2)), "line": prices.lines[bidder],
            "evaluated": prices.evaluated[bidder]}


# --- price points -----------------------------------------------------------------------------------------------------------------


def price_points(inputs: Inputs, quotes: Mapping[str, Fraction]) -> Prices:
    """Price points of the valid bidders by the scheme's method. Refuses: BadValue."""
    return _low_price_first(inputs, quotes) if inputs.scheme.method == "GP_SCORE" else _benchmark(inputs, quotes)


def _low_price_first(inputs: Inputs, quotes: Mapping[str, Fraction]) -> Prices:
    """Government procurement: lowest evaluated price ÷ evaluated price × weight (rules E-02, E-06)."""
    scheme = inputs.scheme
    rates = {bid.bidder: scheme.small_firm for bid in inputs.valid if bid.small and scheme.small_firm}
    found = low_price_first(quotes, scheme.price.max, deduction_rates=rates, places=scheme.points_places, mode=scheme.mode)
    weight, lines, evaluated = _plain(scheme.price.max), {}, {}
    best = "" if found.benchmark is None else written_exactly(found.benchmark)
    for bidder, points in found.points.items():
        value = written_exactly(found.evaluated[bidder])
        reduced = f"{written_exactly(quotes[bidder])} × (1 − {_plain(rates[bidder])}) = {value}; " if bidder in rates else ""
        evaluated[bidder] = value
        lines[bidder] = f"{reduced}{best} ÷ {value} × {weight} = {written(points, max(scheme.points_places, 2))}"
    facts = {"formula": "low_price_first", "benchmark": best, "weight": weight, "small_firm": _plain(scheme.small_firm)}
    return Prices(found.points, lines, evaluated, facts)


def _benchmark(inputs: Inputs, quotes: Mapping[str, Fraction]) -> Prices:
    """Works: points by deviation from the benchmark of the tender document (rulebook 2.7)."""
    scheme = inputs.scheme
    formula = benchmark_scheme(scheme, coefficient=inputs.coefficient, ceiling=inputs.ceiling)
    found = works_prices.benchmark_deviation(quotes, formula)
    if found.benchmark is None:
        return Prices({}, {}, {}, {"formula": "benchmark_deviation", "coefficient": inputs.coefficient})
    base = written(found.benchmark, 2 if formula.benchmark_places is None else max(formula.benchmark_places, 2))
    places = 4 if formula.deviation_places is None else formula.deviation_places
    lines = {}
    for bidder, points in found.points.items():
        deviation = found.deviation_pct[bidder]
        per_percent = formula.above if deviation > 0 else formula.below
        percent = written(abs(deviation), places)
        lines[bidder] = (f"({written_exactly(quotes[bidder])} − {base}) ÷ {base} = {written(deviation, places)} %; "
                         f"{_plain(formula.full_points)} − {percent} × {_plain(per_percent)}"
                         f"{_floor(formula)} = {written(points, max(scheme.points_places, 2))}")
    members = [written_exactly(quote) for quote in found.mean_members]
    facts = {
        "formula": "benchmark_deviation", "coefficient": inputs.coefficient, "benchmark": base, "members": members,
        "mean": "" if found.mean is None else written(found.mean), "dropped_high": found.dropped_high, "dropped_low": found.dropped_low,
        "line": _base_line(inputs, members, found.mean, base), "weight": _plain(scheme.price.max),
    }
    return Prices(found.points, lines, {bidder: written_exactly(quote) for bidder, quote in quotes.items()}, facts)


def _floor(formula: works_prices.BenchmarkScheme) -> str:
    return "" if formula.max_deduction is None else f" (≤ {_plain(formula.max_deduction)})"


def _base_line(inputs: Inputs, members: list[str], average: Fraction | None, base: str) -> str:
    """How the benchmark came about, by the mix of the scheme."""
    params, shown = inputs.scheme.benchmark, "" if average is None else written(average)
    k, ceiling = inputs.coefficient or params.get("k", ""), "" if inputs.ceiling is None else written_exactly(inputs.ceiling)
    if average is None:
        return f"{ceiling} × {k} = {base}"
    mix = params.get("mix", "none")
    if mix == "control_price":
        how = f"{ceiling} × {k} × (1 − {params['c']}) + {shown} × {params['c']}"
    elif mix == "warning_line":
        how = f"{shown} × {params['m']} + {params['warning_line']} × (1 − {params['m']})"
    elif mix == "two_weights":
        how = f"{shown} × {params['k1']} × {params['q1']} + {ceiling} × {params['k2']} × (1 − {params['q1']})"
    else:
        factor = k or (f"(1 − {params['n']})" if params.get("n") else f"(1 + {params['float']})" if params.get("float") else "1")
        how = f"{shown} × {factor}"
    return f"({' + '.join(members)}) ÷ {len(members)} = {shown}; {how} = {base}"


def plain_points(value: Fraction) -> str:
    """Points as they are shown."""
    return written_exactly(value)


def _plain(value: Fraction) -> str:
    """A number without needless noughts: 30, 0.1."""
    return written_exactly(value, 0)

"""The outcome of an evaluation: means, price points, totals, ranking and the report's rows with every arithmetic line, exact.

Rivals: the same figures with ``fractions`` alone, without rows, lines, checks of objective items or rounding modes; and with numpy in
floats, which is no answer in law but the speed of the machine. All must find the same ranking.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import floor

import numpy

from bench.race import Row, race, row
from evaluation.methods.inputs import BidIn, Inputs
from evaluation.scoring.outcome import outcome
from evaluation.scoring.schemes import read

BIDDERS, CRITERIA, MEMBERS = 20, 30, 7
PRICE, EACH = 42, 2
"""Points of the price, and of each of the other 29 criteria: 100 in all."""


def run(quick: bool) -> list[Row]:
    rows = []
    for lots in (10,) if quick else (10, 30, 100):
        rows += _at([_lot(number) for number in range(lots)], rounds=2 if quick else 3)
    return rows


def _lot(number: int) -> Inputs:
    """Scores in steps of a hundredth; objective items get the same from all members, as the rules want."""
    chance = random.Random(number)
    criteria = [{"id": "price", "title": "报价", "kind": "price", "max": str(PRICE)}]
    criteria += [
        {"id": f"c{at}", "title": f"评分项 {at}", "kind": "subjective" if at % 3 else "objective", "max": str(EACH)}
        for at in range(1, CRITERIA)
    ]
    scheme = read({"v": 1, "method": "GP_SCORE", "tie": "panel", "blind": False, "outlier": "0.30", "small_firm": "0.10",
                   "criteria": criteria, "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"}})  # fmt: skip
    codes = [f"B{at:02d}" for at in range(BIDDERS)]
    bids = [BidIn(code, f"firm {code}", Fraction(chance.randrange(200_000_000, 300_000_000), 100)) for code in codes]
    scores: dict[int, dict[str, dict[str, Fraction]]] = {
        no: {code: {} for code in codes} for no in range(1, MEMBERS + 1)
    }
    for one in scheme.scored:
        for code in codes:
            same = Fraction(chance.randrange(0, EACH * 100 + 1), 100)
            for no in scores:
                scores[no][code][one.id] = (
                    same if one.kind == "objective" else Fraction(chance.randrange(0, EACH * 100 + 1), 100)
                )
    return Inputs(scheme, bids, scores)


def _at(lots: list[Inputs], rounds: int) -> list[Row]:
    def ours() -> list[list[str]]:
        return [[one["bidder"] for one in outcome(inputs)["bids"]] for inputs in lots]

    def fractions() -> list[list[str]]:
        return [_with_fractions(inputs) for inputs in lots]

    tables = [_table(inputs) for inputs in lots]

    def floats() -> list[list[str]]:
        return [_with_numpy(*table) for table in tables]

    if ours() != fractions() or sum(a != b for a, b in zip(ours(), floats(), strict=True)) > len(lots) // 10:
        raise AssertionError("the contestants disagree")
    mine, plain, fast = race(ours, fractions, floats, rounds=rounds)
    workload = f"{len(lots)} lots × {BIDDERS} bidders × {CRITERIA} criteria × {MEMBERS} experts"
    notes = f"{mine / len(lots) * 1000:.1f} ms a lot, with the report's rows and lines, which the rivals leave out"
    return [
        row(workload=workload, ours=mine, unit="s", rival=plain, rival_name="fractions, no rows", ratio=plain / mine, goal=">= 20",
            notes=notes),
        row(workload=workload, ours=mine, unit="s", rival=fast, rival_name="numpy, floats", ratio=fast / mine, goal=">= 0.1", notes=notes),
    ]  # fmt: skip


def _round(value: Fraction) -> Fraction:
    return Fraction(floor(value * 100 + Fraction(1, 2)), 100)


def _with_fractions(inputs: Inputs) -> list[str]:
    quotes = {bid.bidder: bid.quote for bid in inputs.bids if bid.quote is not None}
    best = min(quotes.values())
    totals = {}
    for code, quote in quotes.items():
        total = _round(best / quote * PRICE)
        for one in inputs.scheme.scored:
            total += _round(
                sum((inputs.scores[no][code][one.id] for no in inputs.scores), Fraction(0)) / len(inputs.scores)
            )
        totals[code] = total
    return sorted(quotes, key=lambda code: (-totals[code], quotes[code], code))


def _table(inputs: Inputs) -> tuple[list[str], numpy.ndarray, numpy.ndarray]:
    codes = [bid.bidder for bid in inputs.bids]
    quotes = numpy.array([float(bid.quote or 0) for bid in inputs.bids])
    scores = [
        [[float(inputs.scores[no][code][one.id]) for no in inputs.scores] for one in inputs.scheme.scored]
        for code in codes
    ]
    return codes, quotes, numpy.array(scores)


def _with_numpy(codes: list[str], quotes: numpy.ndarray, scores: numpy.ndarray) -> list[str]:
    points = numpy.floor(scores.mean(axis=2) * 100 + 0.5).sum(axis=1) + numpy.floor(
        quotes.min() / quotes * PRICE * 100 + 0.5
    )
    return [codes[at] for at in numpy.lexsort((quotes, -points))]

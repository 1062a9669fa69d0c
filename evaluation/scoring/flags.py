"""Prompts to look again at points far from those of the other members: how far, and whether the ranking hangs on it (rules E-32, E-38).

A prompt is no verdict and changes nothing. The deviation is the one of rule E-38, unchanged: leave-one-out, against the share of the mean
that the scheme states. That alone flags everybody where the stated share is small, a single point where the others gave none, and those
who agree with each other where one member far off draws the mean away from them. So points are worth a second look only when they also lie
more than one step of the criterion's scale from the others' mean, and no more than half of the members are within a step of them. A step
is a tenth of the criterion's maximum. Members whose points all lie within a step agree, whatever share is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.expert_scores import Outliers, outliers
from evaluation.methods.inputs import Criterion, Inputs, given
from evaluation.scoring import outcome
from trading.kernel.exact import BadValue, exact

STEP = Fraction(1, 10)
"""One step of a criterion's scale, as a share of its maximum."""


@dataclass(frozen=True)
class Effect:
    """What the ranking would be if the flagged member had given the others' mean. ``moved``: bidders whose rank would be another."""

    total: Fraction
    total_then: Fraction
    rank: int
    rank_then: int
    moved: tuple[str, ...]


@dataclass(frozen=True)
class Flag:
    """``far``: points less the others' mean; ``of_most``: its size in percent of the maximum; ``deviation``: rule E-38's, in percent of the
    others' mean, None where that is 0; ``effect``: None while prices or the drawn coefficient are not known."""

    bidder: str
    criterion: str
    seat: int
    points: Fraction
    others: Fraction
    most: Fraction
    deviation: Fraction | None
    effect: Effect | None = None

    @property
    def far(self) -> Fraction:
        return self.points - self.others

    @property
    def of_most(self) -> Fraction:
        return abs(self.far) / self.most * 100

    @property
    def key(self) -> tuple[str, str, int]:
        return self.bidder, self.criterion, self.seat


def far_off(scores: Mapping[str, Fraction], most: Fraction, threshold: Fraction) -> Outliers:
    """As ``outliers``; flagged are those who also lie more than a step of the scale from the others' mean and from half of the members."""
    found, step = outliers(scores, threshold), most * STEP

    def stands_apart(member: str) -> bool:
        near = sum(abs(scores[member] - score) <= step for score in scores.values())
        return abs(scores[member] - found.others_mean[member]) > step and near * 2 <= len(scores)

    return Outliers(
        found.others_mean, found.deviation_pct, [member for member in found.flagged if stands_apart(member)]
    )


def flags(inputs: Inputs, *, priced: bool = True) -> list[Flag]:
    """Every subjective score worth a second look, by bidder, criterion and place. ``priced``: whether the ranking can be reckoned."""
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            scores = given(inputs, criterion, bid.bidder)
            if criterion.kind != "subjective" or len(scores) < 2:
                continue
            seen = far_off(scores, criterion.max, inputs.scheme.outlier)
            found += [
                Flag(
                    bid.bidder,
                    criterion.id,
                    int(no),
                    scores[no],
                    seen.others_mean[no],
                    criterion.max,
                    seen.deviation_pct[no],
                    effect(inputs, bid.bidder, criterion, int(no), seen.others_mean[no]) if priced else None,
                )
                for no in seen.flagged
            ]
    return sorted(found, key=lambda one: one.key)


def effect(inputs: Inputs, bidder: str, criterion: Criterion, seat: int, points: Fraction) -> Effect | None:
    """The ranking with other points of one member for one item; None where it cannot be reckoned yet."""
    scores = {no: {name: dict(items) for name, items in bids.items()} for no, bids in inputs.scores.items()}
    scores[seat][bidder][criterion.id] = points
    other = Inputs(inputs.scheme, inputs.bids, scores, inputs.coefficient, inputs.ceiling, inputs.tie_break)
    try:
        now, then = outcome.standing(inputs), outcome.standing(other)
    except BadValue:
        return None
    moved = tuple(sorted(name for name in now.ranks if now.ranks[name] != then.ranks[name]))
    return Effect(now.totals[bidder], then.totals[bidder], now.ranks[bidder], then.ranks[bidder], moved)


def counted(facts: Mapping[str, Any], threshold: Fraction) -> tuple[int, int]:
    """(flagged, given) subjective scores of a stored report, by its own facts: how often a prompt comes up elsewhere."""
    flagged = cells = 0
    for bid in facts["bids"]:
        for row in bid["criteria"]:
            if row["kind"] != "subjective" or len(row["given"]) < 2:
                continue
            scores = {str(one["seat"]): exact(one["points"]) for one in row["given"]}
            cells += len(scores)
            flagged += len(far_off(scores, exact(row["max"]), threshold).flagged)
    return flagged, cells

"""Points given by experts: means, trimmed means, the recheck before signing and outliers (rules E-30 to E-32, E-38,
E-39).

No result depends on the order in which members are listed. Government procurement takes the plain mean of all
members; trimming is for works, and only where the documents say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluation.methods.vectors import written_map
from trading.kernel.exact import (
    Answer,
    BadValue,
    amount,
    between,
    boolean,
    count,
    list_of,
    map_of,
    mean,
    number,
    rounded,
    rounding_params,
    take,
    text,
    word,
    written,
    written_exactly,
)


def trimmed(scores: Sequence[Fraction], min_members: int = 7) -> tuple[list[Fraction], list[Fraction]]:
    """The scores left (ascending) and the one lowest and one highest dropped; nothing is dropped below `min_members`
    (E-31).
    """
    ordered = sorted(scores)
    if len(ordered) < min_members:
        return ordered, []
    return ordered[1:-1], [ordered[0], ordered[-1]]


@dataclass(frozen=True)
class NineMembers:
    """The trimmed mean of nine members (E-31): spreads, who is dropped (or between whom a draw decides), unrounded
    means.
    """

    spread: dict[str, Fraction]
    dropped_member: str | None
    draw_required: list[str]
    means: list[Fraction] | None
    """One per bidder, in the order of the lists; None while a draw is open."""


def trimmed_mean_of_nine(scores_by_member: Mapping[str, Sequence[Fraction]]) -> NineMembers:
    """Drop the member with the largest spread, then per bidder one highest and one lowest of the eight left, and take
    the mean.

    Members of equal spread: the one with the largest gap between his highest and his second-lowest score; still
    equal: a draw. Refuses: `nine_members`, `two_bidders`, `unequal_lists`.
    """
    if len(scores_by_member) != 9:
        raise BadValue("nine_members", "scores_by_expert", "exactly 9 members")
    lengths = {len(scores) for scores in scores_by_member.values()}
    if len(lengths) != 1:
        raise BadValue("unequal_lists", "scores_by_expert", "one score per bidder from every member")
    if min(lengths) < 2:
        raise BadValue("two_bidders", "bidder_order", "2 bidders or more")
    spread = {member: max(scores) - min(scores) for member, scores in scores_by_member.items()}
    keys = {member: (spread[member], max(scores) - sorted(scores)[1]) for member, scores in scores_by_member.items()}
    widest = sorted(member for member in keys if keys[member] == max(keys.values()))
    if len(widest) > 1:
        return NineMembers(spread, None, widest, None)
    left = [scores for member, scores in scores_by_member.items() if member != widest[0]]
    return NineMembers(spread, widest[0], [], [mean(sorted(column)[1:-1]) for column in zip(*left, strict=True)])


def is_consistent(scores: Mapping[str, Fraction]) -> bool:
    """Whether all members gave the same points, as they must for an objective criterion (E-01e)."""
    held = list(scores.values())
    return all(score == held[0] for score in held)


def out_of_range(scores: Mapping[str, Fraction], max_points: Fraction) -> list[str]:
    """Members whose points lie outside 0..max_points, sorted (E-32)."""
    return sorted(member for member, score in scores.items() if not 0 <= score <= max_points)


@dataclass(frozen=True)
class Outliers:
    """Per member the mean of the others and the deviation from it in percent (None if that mean is 0), both
    unrounded.
    """

    others_mean: dict[str, Fraction]
    deviation_pct: dict[str, Fraction | None]
    flagged: list[str]


def outliers(
    scores: Mapping[str, Fraction], threshold: Fraction = Fraction(30, 100), *, or_equal: bool = False
) -> Outliers:
    """Flag members whose score deviates from the mean of the others by more than `threshold`, a share of 1 (E-38). A
    hint for the panel, no verdict. Two members or more; where the others' mean is 0, every other score is flagged.
    """
    total = sum(scores.values(), Fraction(0))
    means = {member: (total - score) / (len(scores) - 1) for member, score in scores.items()}
    deviations: dict[str, Fraction | None] = {}
    flagged = []
    for member, score in scores.items():
        others = means[member]
        deviation = abs(score - others) / others if others else None
        deviations[member] = None if deviation is None else deviation * 100
        if (score != 0) if deviation is None else (deviation > threshold or (or_equal and deviation == threshold)):
            flagged.append(member)
    return Outliers(means, deviations, sorted(flagged))


def replace_outlier(
    scores: Mapping[str, Fraction], abnormal_member: str, votes_abnormal: int
) -> tuple[Fraction | None, Fraction]:
    """Chongqing (E-39): if more than half of the members find one score abnormal, the mean of the others (2 places)
    replaces it.

    Returns the replacement, or None where it does not apply, and the unrounded mean of the item afterwards.
    """
    after = dict(scores)
    if votes_abnormal * 2 <= len(scores):
        return None, mean(after.values())
    after[abnormal_member] = rounded(mean(score for member, score in scores.items() if member != abnormal_member))
    return after[abnormal_member], mean(after.values())


# --- asked as test vectors --------------------------------------------------------------------------------------------

_SCORES = list_of(amount, at_least=1)


def _asked_mean(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"mean": written(mean(take(inputs, "scores", _SCORES)), *rounding_params(params))}


def _asked_trimmed_mean(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    left, dropped = trimmed(take(inputs, "scores", _SCORES), take(params, "min_members", count(3), default=7))
    return {
        "dropped": [written_exactly(score) for score in dropped],
        "mean": written(mean(left), *rounding_params(params, 3)),
    }


def _asked_trimmed_mean_9(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    bidders = take(inputs, "bidder_order", list_of(text, at_least=2))
    places, mode = rounding_params(params, 3)
    if len(set(bidders)) < len(bidders):
        raise BadValue("named_twice", "bidder_order", "every bidder once")
    scores = take(inputs, "scores_by_expert", map_of(list_of(amount)))
    if any(len(given) != len(bidders) for given in scores.values()):
        raise BadValue("unequal_lists", "scores_by_expert", "one score per bidder from every member")
    found = trimmed_mean_of_nine(scores)
    means = None if found.means is None else written_map(dict(zip(bidders, found.means, strict=True)), places, mode)
    return {
        "spread": {member: written_exactly(spread) for member, spread in found.spread.items()},
        "dropped_member": [] if found.dropped_member is None else [found.dropped_member],
        "draw_required": found.draw_required,
        "means": means,
    }


def _asked_consistency(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    consistent = is_consistent(take(inputs, "scores", map_of(number)))
    block = take(inputs, "objective", boolean) and not consistent
    return {"consistent": consistent, "block_sign": block, "reason": "objective_inconsistent" if block else None}


def _asked_range(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"out_of_range": out_of_range(take(inputs, "scores", map_of(number)), take(inputs, "max_points", amount))}


def _asked_sum(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    total = sum(take(inputs, "items", _SCORES), Fraction(0))
    return {"sum": written_exactly(total), "mismatch": total != take(inputs, "stated_total", amount)}


def _two_or_more(scores: Mapping[str, Fraction]) -> None:
    if len(scores) < 2:
        raise BadValue("too_short", "scores", "2 members or more")


def _asked_outliers(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    scores = take(inputs, "scores", map_of(amount))
    _two_or_more(scores)
    threshold = take(params, "threshold", between(above=0), default=Fraction(30, 100))
    comparison = take(params, "comparison", word("greater_than", "greater_or_equal"), default="greater_than")
    found = outliers(scores, threshold, or_equal=comparison == "greater_or_equal")
    return {
        "others_mean": written_map(found.others_mean, 4),
        "flagged": found.flagged,
        "deviation_pct": {
            member: None if value is None else written(value) for member, value in found.deviation_pct.items()
        },
    }


def _asked_replace(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    scores = take(inputs, "scores", map_of(number))
    _two_or_more(scores)
    member, votes = take(inputs, "abnormal_member", text), take(inputs, "votes_abnormal", count(0))
    if member not in scores:
        raise BadValue("unknown_id", "abnormal_member", "a member with a score")
    if take(inputs, "members", count(2)) != len(scores):
        raise BadValue("wrong_number", "members", "the number of scores")
    if votes > len(scores):
        raise BadValue("too_large", "votes_abnormal", "at most one vote per member")
    replacement, item_mean = replace_outlier(scores, member, votes)
    return {
        "applies": replacement is not None,
        "replacement": None if replacement is None else written(replacement),
        "item_mean_after": written(item_mean),
    }


METHODS: dict[str, Answer] = {
    "expert.mean": _asked_mean,
    "expert.trimmed_mean": _asked_trimmed_mean,
    "expert.trimmed_mean_9": _asked_trimmed_mean_9,
    "expert.objective_consistency": _asked_consistency,
    "expert.range_check": _asked_range,
    "expert.sum_check": _asked_sum,
    "expert.outlier_flag": _asked_outliers,
    "expert.outlier_replace_chongqing": _asked_replace,
}

"""How a panel must be made up and how it decides (rules P-01 to P-04, P-32, P-43). Pure counting, no people."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from trading.kernel.exact import Answer, BadValue, amount, boolean, cases, count, take, word

SEVEN_FROM_BUDGET = 10_000_000
"""A government procurement panel has seven members or more from this budget in yuan on (P-02)."""


def minimum_members(
    method: str,
    budget: Fraction,
    *,
    at_or_over_open_tender_threshold: bool,
    technically_complex: bool = False,
    large_social_impact: bool = False,
) -> int:
    """The smallest panel of a method: works_tender, consultation, gp_tender, negotiation or inquiry."""
    if method == "works_tender":
        return 5
    if method == "consultation":
        return 3
    if method == "gp_tender":
        return 7 if budget >= SEVEN_FROM_BUDGET or technically_complex or large_social_impact else 5
    return 5 if at_or_over_open_tender_threshold else 3


def panel_allowed(minimum: int, *, members: int, purchaser_reps: int, experts: int) -> bool:
    """Odd, large enough, two thirds or more experts, and nobody who is neither expert nor representative."""
    return (
        members % 2 == 1 and members >= minimum and experts * 3 >= members * 2 and purchaser_reps + experts == members
    )


def time_is_extended(members: int, asking: int) -> bool:
    """Whether more than a third of the members ask for more time (P-32)."""
    return asking * 3 > members


def finding_stands(members: int, votes_for: int) -> bool:
    """Whether more than half of the members are for it (P-43)."""
    return votes_for * 2 > members


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_composition(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    valid = []
    for case in cases(inputs):
        minimum = minimum_members(
            take(case, "method", word("gp_tender", "negotiation", "inquiry", "consultation", "works_tender")),
            take(case, "budget", amount),
            at_or_over_open_tender_threshold=take(case, "at_or_over_open_tender_threshold", boolean),
            technically_complex=take(case, "technically_complex", boolean, default=False),
            large_social_impact=take(case, "large_social_impact", boolean, default=False),
        )
        people = {key: take(case, key, count(0)) for key in ("members", "purchaser_reps", "experts")}
        valid.append(panel_allowed(minimum, **people))
    return {"valid": valid}


def _members_and(case: Mapping[str, Any], key: str) -> tuple[int, int]:
    members, some = take(case, "members", count(1)), take(case, key, count(0))
    if some > members:
        raise BadValue("too_large", key, "at most the number of members")
    return members, some


def _asked_time(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"extend": [time_is_extended(*_members_and(case, "asking")) for case in cases(inputs)]}


def _asked_majority(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"finding_stands": [finding_stands(*_members_and(case, "for")) for case in cases(inputs)]}


METHODS: dict[str, Answer] = {
    "expert.panel_composition": _asked_composition,
    "expert.time_extension": _asked_time,
    "expert.majority": _asked_majority,
}

"""Every kind of message there is, by what it is about; which of them tell, by merely coming, what must not be known yet.

A letter passes through the machines of others: who it went to and when is known there even where nobody reads it. What comes to a bidder
of a lot still sealed says that they bid, what comes to an expert says who evaluates.
"""

from __future__ import annotations

DEEDS = ("password", "second_factor", "enable")
ABOUT: dict[str, tuple[str, ...]] = {
    "deadline": (
        "fault.held",
        "fault.stopped",
        "fault.extended",
        "fault.lifted",
        "fault.ended",
        "officers.changed",
        "officers.changed_dead",
        "bid.copy_wanted",
        "lot.invited",
    ),
    "opening": ("opening.bid_failed", "opening.ruling"),
    "panel": ("panel.called", "award.reviewed_again"),
    "result": ("award.won", "award.lost", "award.lost_by_price", "award.not_ranked", "award.withdrawn"),
    "remedies": ("complaint.accepted", "complaint.suspended", "complaint.refused", "complaint.decided"),
    "followed": (
        "follow.correction",
        "follow.clarification",
        "follow.failure",
        "follow.termination",
        "follow.opening_record",
        "follow.candidates",
        "follow.result",
        "follow.contract",
    ),
    "account": (
        *(f"account.{deed}_{state}" for deed in DEEDS for state in ("proposed", "granted", "refused")),
        "party.correction_proposed",
        "role.proposed",
        "role.granted",
        "role.refused",
        "password.changed",
        "recovery.used",
        "registration.accepted",
    ),
    "money": ("refund.returned", "payee.declined", "forfeit.hearing", "forfeit.decided"),
}
OTHER = "other"
PUBLIC_BY_THEN = frozenset({"follow.opening_record", "follow.candidates", "follow.result", "follow.contract"})
"""Of the lots followed: what comes once it is public who has bid."""
TELLING = frozenset(
    one
    for group in ("deadline", "panel", "remedies", "money", "followed")
    for one in ABOUT[group]
    if one not in PUBLIC_BY_THEN
)
"""A letter about these has neither subject nor text of its own, and comes only to whoever asked for it."""
USUAL = tuple(group for group, templates in ABOUT.items() if TELLING.isdisjoint(templates))
"""The groups that come by mail unless somebody says otherwise."""


def about(template: str) -> str:
    return next((one for one, templates in ABOUT.items() if template in templates), OTHER)


def tells(template: str) -> bool:
    """Also of a kind that nobody has put into a group."""
    return template in TELLING or about(template) == OTHER

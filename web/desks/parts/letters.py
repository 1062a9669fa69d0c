"""Messages of the inbox in words, with the page each is about.

For the homes of desks: ``excerpt(look, n)`` gives the last messages of whoever looks, ready to show; the macro ``letters`` of
``parts/letters.html`` draws them with a link to /account/inbox.

    with reading() as view:
        return render("bidder/index.html", letters=letters.excerpt(now), …)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from trading.kernel.access import Role
from trading.kernel.work import View
from trading.parties import inbox
from trading.parties.inbox import Letter
from web import words
from web.http.refusals import language

DEEDS = ("password", "second_factor", "enable")
# Every kind of message there is, by what it is about: the filter of the inbox, and the test that each has its words.
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
MAILS = ("password.link", "registration.accepted", "registration.returned")
"""What leaves as mail: to people who may not be signed in."""
OTHER = "other"
_BIDDERS = (Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER, Role.BIDDER_ADMIN)
_UNDER_LOT = {
    "award.won": "/outcome",
    "award.lost": "/outcome",
    "award.lost_by_price": "/outcome",
    "award.not_ranked": "/outcome",
    "award.withdrawn": "/outcome",
    "bid.copy_wanted": "/copy",
    "opening.bid_failed": "/opening",
    "opening.ruling": "/opening",
}
_OF_FOLLOWED = {
    "follow.failure": "/result",
    "follow.termination": "/result",
    "follow.candidates": "/result",
    "follow.result": "/result",
    "follow.contract": "/contract",
}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """A message to be shown. ``href``: the page it is about, or empty; ``about``: a key of ``ABOUT``."""

    id: int
    subject: str
    text: str
    at: datetime
    unread: bool
    about: str
    href: str


def excerpt(view: View, n: int = 5) -> list[Shown]:
    """The last messages of whoever looks, newest first."""
    found, _ = inbox.letters(view, limit=n)
    return [shown(one, view.actor.role) for one in found]


def shown(letter: Letter, role: Role) -> Shown:
    """The message in the language of the page."""
    facts, lang = facts_of(letter.facts), language()
    template = letter.template if letter.template in words.refusals() else "inbox.no_words"
    return Shown(
        letter.id,
        words.words(f"{template}.subject", facts, lang),
        words.words(template, facts, lang),
        letter.made_at,
        letter.unread,
        about(letter.template),
        href(letter.template, letter.facts, role),
    )


def about(template: str) -> str:
    return next((one for one, templates in ABOUT.items() if template in templates), OTHER)


def href(template: str, facts: dict[str, Any], role: Role) -> str:
    """The page a message is about, for somebody who acts in this role; empty where that role has none."""
    lot = quote(str(facts.get("lot", "")), safe="")
    if template == "panel.called":
        return "/expert" if role is Role.EXPERT else ""
    if "correction" in facts:
        return f"/admin/corrections/{int(facts['correction'])}" if role is Role.SECURITY_ADMIN else ""
    if "proposal" in facts:
        return f"/admin/grants/{int(facts['proposal'])}" if role is Role.SECURITY_ADMIN else ""
    if about(template) == "money":
        return "/bidder/deposits" if role in _BIDDERS else ""
    if not lot:
        return ""
    if about(template) == "followed":
        return f"/lots/{lot}{_OF_FOLLOWED.get(template, '')}"
    return f"/bidder/lots/{lot}{_UNDER_LOT.get(template, '')}" if role in _BIDDERS else f"/lots/{lot}"


def facts_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts are kept as text; a moment among them is shown as one, in the centre's zone, and a role in words."""
    said = {
        name: datetime.fromisoformat(value) if isinstance(value, str) and _MOMENT.fullmatch(value) else value
        for name, value in facts.items()
    }
    return said | ({"role": words.state("role", str(said["role"]), language()).text} if "role" in said else {})

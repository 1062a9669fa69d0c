"""Messages of the inbox in words, with the page each is about.

For the homes of desks: ``excerpt(look, n)`` gives the last messages of whoever looks, ready to show; the macro ``letters`` of
``parts/letters.html`` draws them with a link to /account/inbox.

    with reading() as view:
        return render("bidder/index.html", letters=letters.excerpt(now), …)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from trading.kernel.access import Role
from trading.kernel.work import View
from trading.parties import inbox
from trading.parties.inbox import Letter
from trading.parties.message_groups import ABOUT, OTHER, about
from web.http.refusals import language
from web.words.messages import spoken

MAILS = ("password.link", "registration.accepted", "registration.returned", "mail.check", "account.first")
"""What leaves as mail: to people who may not be signed in."""
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
__all__ = ["ABOUT", "MAILS", "OTHER", "Shown", "about", "excerpt", "href", "shown"]


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
    subject, text = spoken(letter.template, letter.facts, language())
    return Shown(
        letter.id,
        subject,
        text,
        letter.made_at,
        letter.unread,
        about(letter.template),
        href(letter.template, letter.facts, role),
    )


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

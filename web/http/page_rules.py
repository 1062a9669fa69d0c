"""Which page needs which act: the register that the gate fills (web/http/gate.py) and the answers to a refusal read
(web/http/refusals.py)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from trading.kernel.access import Act, Actor, Role, may


class Anyone:
    """The mark of a page open to all."""

    def __repr__(self) -> str:
        return "ANYONE"


ANYONE = Anyone()
Needs = Anyone | Act | frozenset[Act]


def acts_of(needs: Needs) -> frozenset[Act]:
    if isinstance(needs, Anyone):
        return frozenset()
    return needs if isinstance(needs, frozenset) else frozenset({needs})


class ByHand(StrEnum):
    """Why what is posted to a page is not one form, one unit of work and one page to look at next, as the gate does it by itself."""

    BYTES = "a file is stored, a paper set or a slow hash made before the unit opens, so that nobody who writes waits for it"
    LOOKS = "fields are read by what a look has found, and a card or a list of people costs more than the rows an act reads anyway"
    OUTSIDE = "a part of it is done outside any unit: a bank is asked, an opening runs, attempts are counted that stay counted"
    UNITS = "a unit for each of several lots, of which one may be refused while the others stand"
    DOCUMENT = "it answers with a document and not with a page: a receipt, which the same bid gets again, or a key's"
    SIGN_IN = "the sign-in has units of its own, which keep what was refused too"
    NO_UNIT = "nothing is written: a preview, a check, a cookie"
    AGAIN = "it is no form: done again, it is as it was"
    PROTOCOL = "a door that speaks another protocol than forms"


@dataclass(frozen=True)
class PageRule:
    """A page and what it needs: the rows of the access matrix. ``by_hand``: why the gate's default is left out where something is
    posted."""

    endpoint: str
    path: str
    method: str
    needs: Needs
    fresh: bool
    back: str = ""
    by_hand: ByHand | None = None

    def open_to(self, role: Role) -> bool:
        return isinstance(self.needs, Anyone) or any(may(Actor(role), act) for act in acts_of(self.needs))


PAGES: dict[str, PageRule] = {}


def open_to(address: str, role: Role) -> bool:
    """Whether a page of ours is one that ``role`` may see; False for what is no page."""
    try:
        endpoint, _arguments = current_app.url_map.bind(request.host).match(urlsplit(address).path, method="GET")
    except HTTPException:
        return False
    rule = PAGES.get(endpoint)
    return rule is not None and rule.open_to(role)


def role_for(address: str, roles: Iterable[Role], now: Role) -> Role:
    """The role in which a page of ours can be seen: ``now`` if it may, else the first of ``roles`` that may, else ``now``."""
    return next((role for role in (now, *roles) if open_to(address, role)), now)

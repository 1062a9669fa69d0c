"""Which page needs which act: the register that the gate fills (web/http/gate.py) and the answers to a refusal read
(web/http/refusals.py)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PageRule:
    """A page and what it needs: the rows of the access matrix."""

    endpoint: str
    path: str
    method: str
    needs: Needs
    fresh: bool
    back: str = ""

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

"""What is told of a request afterwards: a line of the platform's own log, and a count. Of whoever bids, and of how bids come in: nothing.

Whether somebody bids, who, when and how often must be told by no log and no figure before the opening (promise S1), not even to whoever
runs the machine. So what is left out is decided by the door and not by the moment: nobody can read off that something is left out now.
"""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request, session

from trading.kernel.access import Role
from web.tally import TALLY

DESK_OF = {
    "public": "public",
    "lots": "public",
    "results": "public",
    "draws": "public",
    "law": "public",
    "savings": "public",
    "savings_history": "public",
    "agency": "agency",
    "centre": "centre",
    "centre_faults": "centre",
    "panels": "centre",
    "hall": "hall",
    "expert": "expert",
    "cashier": "cashier",
    "supervisor": "supervisor",
    "admin": "admin",
}
"""Blueprint → the desk it is counted under. Left out on purpose: bidding itself, uploads, accounts and keys (who signs in before a
deadline), registration, receipts that are checked, lots that are followed, the log (fetched to prove a receipt), probes, and the files
of pages: a sealing page asks for others than a notice does."""
NEVER = ("public.time", "lots.ticket", "lots.policy", "lots.document")
"""Pages of those desks that whoever seals and hands in asks for."""
BIDDERS = (Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER, Role.BIDDER_ADMIN)
LOG = logging.getLogger("bidhall.request")


def install(app: Flask) -> None:
    """Before all other hooks: of those after a request the first registered runs last."""
    app.before_request(_begins)
    app.after_request(_ends)


def _begins() -> None:
    g.began = time.perf_counter_ns()


def _ends(response: Response) -> Response:
    desk, kind = desk_of(request.endpoint), _kind()
    if desk and kind and kind not in BIDDERS:
        us = (time.perf_counter_ns() - g.get("began", time.perf_counter_ns())) // 1000
        TALLY.count(desk, response.status_code, us)
        if LOG.isEnabledFor(logging.INFO):
            told = {
                "request": response.headers.get("X-Request-Id", ""),
                "method": request.method,
                "route": str(request.url_rule),
                "status": response.status_code,
                "ms": us // 1000,
                "kind": str(kind),
            }
            LOG.info("answered", extra={"told": told})
    return response


def desk_of(endpoint: str | None) -> str:
    """The desk a page is counted under, "" for one of which nothing is told."""
    return "" if endpoint is None or endpoint in NEVER else DESK_OF.get(endpoint.partition(".")[0], "")


def _kind() -> Role | None:
    """In which role somebody was here; None where a sign-in is named that nobody has looked at: it could be anybody's."""
    person = g.get("_login_user")
    if person is not None and person.is_authenticated:
        role: Role = person.actor.role
        return role
    return None if person is None and "_user_id" in session else Role.PUBLIC

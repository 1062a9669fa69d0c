"""The bidder's room (desks §5): the desk object and what its modules share. `desk.py` puts the modules together.

Everything here is about one's own party. A sealed lot's page has no field for others: no count, no order, no total (desks §8).
"""

from __future__ import annotations

import json
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.bidding import participants
from trading.bidding.participants import Participant
from trading.kernel.access import Act, may
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.parties import parties
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from web.http.forms import Form
from web.http.gate import Desk, actor, request
from web.http.layout import Group, Link
from web.http.refusals import language

bidder = Desk("bidder", prefix="/bidder")

SEE = Act.BID_LOOK
"""The act every role of a bidder holds."""


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def lang() -> str:
    return language()


def open_lot(view: View, ref: str) -> Lot:
    """A published lot. Refuses: NotFound."""
    return lot_cards.visible_lot(view, ref)


def own_lot(view: View, ref: str) -> tuple[Lot, Participant]:
    """A lot one takes part in, also after leaving it. Refuses: NotFound."""
    lot = open_lot(view, ref)
    found = participants.find(view.session, lot, parties.own_party(view))
    if found is None:
        raise NotFound("participant.none", ref=lot.ref)
    return lot, found


def signed(form: Form, name: str) -> Any:
    """A signed document in a field, or in a file of that name: parsed, not verified. Notes ``bid.not_json``."""
    upload = form.file(name + "_file", needed=False)
    text = (
        upload.stream.read(200_000).decode("utf-8", "replace")
        if upload is not None
        else str(form.typed.get(name, "")).strip()
    )
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        form.fault(name, "bid.not_json")
        return None
    return value


def can(act: Act) -> bool:
    """Whether the role one acts in holds an act: for a button and the sentence beside it. The act itself checks again."""
    return may(actor(), act)


def crumbs(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("My desk"), "/bidder"), *links]


def lot_crumbs(ref: str, *links: tuple[str, str]) -> list[tuple[str, str]]:
    return crumbs((_("My lots"), "/bidder/lots"), (ref, f"/bidder/lots/{ref}"), *links)


@bidder.rail
def rail() -> list[Group]:
    groups = [
        (
            _("Bidding"),
            [
                (_("My desk"), "/bidder"),
                (_("My lots"), "/bidder/lots"),
                (_("Consortia"), "/bidder/consortia"),
                (_("Receipts"), "/bidder/receipts"),
            ],
        ),
        (
            _("Answers"),
            [
                (_("Questions"), "/bidder/questions"),
                (_("Objections"), "/bidder/objections"),
                (_("Opening hall"), "/hall"),
            ],
        ),
        (_("Funds and deposits"), [(_("Deposits"), "/bidder/deposits")]),
        (
            _("Company"),
            [
                (_("Company"), "/bidder/company"),
                *([(_("People"), "/bidder/people")] if can(Act.PEOPLE_OWN) else []),
                *([(_("Keys"), "/account/keys")] if can(Act.KEY_ENROL) else []),
            ],
        ),
    ]
    return [
        Group(title, tuple(Link(label, href, here=_here(href)) for label, href in links)) for title, links in groups
    ]


def _here(href: str) -> bool:
    return request.path == href or (href != "/bidder" and request.path.startswith(href + "/"))

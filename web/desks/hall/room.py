"""The hall's desk: its rail, its locks, and how signed documents come in, whether typed, uploaded or made by a page."""

from __future__ import annotations

import json
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.custody import officers
from trading.kernel.access import Act, Role, may
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import View
from trading.opening import ceremony as opening
from trading.procedures import procedure_of
from trading.tendering.projects import is_of
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from web.desks.hall import law, waits
from web.http.forms import Form
from web.http.gate import Desk, actor, reading, request
from web.http.layout import Group, Link

hall = Desk("hall", prefix="/hall")

MOST_CHARACTERS = 1_500_000
"""A signed document that comes in as a field of a form: shares of some thousands of bids fit."""


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def hall_lot(view: View, ref: str) -> Lot:
    """A lot whose hall the caller may enter. Refuses: NotFound, NotAllowed for members of a panel while it is being opened."""
    lot = lot_cards.visible_lot(view, ref)
    opening.refuse_reviewer(view, lot)
    return lot


def ceremony(view: View, lot: Lot) -> opening.Opening:
    """The opening the hall holds now. Refuses: NotFound ``opening.not_yet``."""
    return opening.opening(view.session, lot, opening.current_part(view.session, lot))


def part_asked(view: View, lot: Lot) -> str:
    """The envelope a page was asked to show (``?envelope=``), else the one whose ceremony the hall holds."""
    asked = request.args.get("envelope", "")
    return asked if asked in officers.bid_envelopes(lot) else opening.current_part(view.session, lot)


def own_hall(view: View, ref: str, *stages: str) -> tuple[Lot, officers.OfficerSeat]:
    """The lot and the seat of the officer who looks, among those in force or in the first of ``stages``. Refuses: NotFound, NotAllowed
    ``officer.not_yours``."""
    lot = hall_lot(view, ref)
    return lot, officers.own_seat(view, lot, *stages)


def lot_at_market(view: View, ref: str) -> Lot:
    """A published lot. Refuses: NotFound."""
    lot = hall_lot(view, ref)
    if lot.published_at is None:
        raise NotFound("lot.unknown", ref=ref)
    return lot


def signed(form: Form, name: str) -> Any:
    """The JSON value of a field, or of the file ``<name>_file`` sent instead of it. Its content is judged by the act.

    A fault ``hall.not_json`` is noted on the form when there is none; None then.
    """
    upload = form.file(name + "_file", needed=False)
    text = upload.read(MOST_CHARACTERS + 1).decode("utf-8", "replace") if upload else str(form.typed.get(name, ""))
    if not text.strip():
        form.fault(name, "form.required")
        return None
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError
        return json.loads(text)
    except (ValueError, RecursionError):
        form.fault(name, "hall.not_json")
        return None


def signed_list(form: Form, name: str) -> list[Any]:
    """Like ``signed``, for several documents at once: a JSON list; one document alone is taken as a list of one."""
    value = signed(form, name)
    if value is None:
        return []
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list) or not value:
        form.fault(name, "hall.not_json")
        return []
    return value


def plain_map(value: Any, name: str) -> dict[str, str]:
    """A flat object of texts. Refuses: Invalid ``hall.not_json``."""
    if not isinstance(value, dict) or any(not isinstance(one, str) for one in value.values()):
        raise Invalid("hall.not_json", where=name)
    return dict(value)


def crumbs_of(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Opening hall"), "/hall"), *links]


@hall.blueprint.context_processor
def _words_of_law_and_turn() -> dict[str, Any]:
    """For the templates: the law of a rule by regime; whose turns are the reader's by role (a key holder's go by its seat); until when
    its sign-in is fresh, so that key work does not begin that could not be handed in."""
    turns = {Role.HOST: (waits.HOST,), Role.SUPERVISOR: (waits.SUPERVISOR,)}.get(actor().role, ())
    fresh = actor().fresh_until
    return {
        "with_law": law.with_law,
        "law_of": law.law_of,
        "turns": turns,
        "fresh_until_ms": int(fresh.timestamp() * 1000) if fresh is not None else 0,
    }


@hall.rail
def rail() -> list[Group]:
    who = actor()
    here = request.path
    groups = [(_("Hall"), [Link(_("Openings"), "/hall", here == "/hall")])]
    if may(who, Act.POLICY_SIGN) or may(who, Act.OPENING_HOST):
        groups[0][1].append(Link(_("What needs me now"), "/hall/desk", here == "/hall/desk"))
    ref = (request.view_args or {}).get("ref", "")
    if ref:
        groups.append((ref, _of_lot(ref, here)))
    return [Group(title, tuple(links)) for title, links in groups]


def _of_lot(ref: str, here: str) -> list[Link]:
    who, base = actor(), f"/hall/{ref}"
    with reading() as view:
        lot = lot_cards.visible_lot(view, ref)
        coefficient, tender = bool(lot.coefficients), lot.tender.ref
        base_price = procedure_of(lot).base_price is not None
        ours = is_of(lot.project, who.party_id)
        several = sum(one.published_at is not None for one in lot.tender.lots) > 1
        row = opening.current(view.session, lot)
        mine = who.role is Role.OFFICER and any(
            seat.account_id == who.account_id
            for stage in (officers.STANDING, officers.NEXT)
            for seat in officers.seats(view.session, lot, stage)
        )
        signed_minutes = row is not None and row.minutes is not None
        at_market = lot.published_at is not None
    links = [(_("This opening"), base)] if at_market else []
    if who.role is Role.HOST:
        links += [(_("Host's chair"), base + "/host"), (_("Reading out"), base + "/read")]
    if base_price and may(who, Act.BASE_PRICE) and ours:
        links.append((_("Base price"), base + "/base-price"))
    if several:
        links.append((_("All lots of this ceremony"), f"/hall/sessions/{tender}"))
    if mine:
        links.append((_("My keys and policies"), base + "/officer"))
    if mine and at_market:
        links += [(_("Release my shares"), base + "/release"), (_("Countersign"), base + "/sign")]
    if coefficient and who.role is Role.HOST:
        links.append((_("Draw of the coefficient"), f"{base}/draw/k"))
    if at_market:
        links += [
            (_("Sign-in sheet"), base + "/sheet"),
            (_("Projector"), base + "/projector"),
            (_("Public draws"), f"/lots/{ref}/draw"),
        ]
    if signed_minutes:
        links += [(_("Minutes"), base + "/minutes"), (_("Papers of the opening"), base + "/papers")]
    return [Link(label, href, here == href) for label, href in links]

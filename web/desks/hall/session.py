"""Several lots in one ceremony: the lots of one tender side by side, each with its step, and one screen for the room (desks §9.2).

Doing something "for all" does it lot by lot, each in a unit of its own: what one lot refuses stops no other, and is said by its name.

    host      POST /hall/sessions/<tender>/acts/list, …/open        every lot that stands at that step
    chairs    POST /hall/sessions/<tender>/acts/sign-in             every lot one has a chair in
    anybody   GET  /hall/sessions/<tender>, …/projector
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from trading.custody import officers
from trading.hall import attendance
from trading.kernel.access import Act, may
from trading.kernel.errors import Faults, Refusal, WrongStep
from trading.kernel.work import View
from trading.opening import opening_set
from trading.tendering.tenders import Lot
from trading.views.hall_queries import step_of, tender_lots
from web import words
from web.desks.hall import sheet
from web.desks.hall.cards import hall_card
from web.desks.hall.lines import HallCard
from web.desks.hall.marks import mark
from web.desks.hall.read import wall_of
from web.desks.hall.room import crumbs_of, hall, hall_lot, zone
from web.http.forms import Form
from web.http.gate import actor, go, office, reading, render, work
from web.http.page_rules import ANYONE, ByHand
from web.http.refusals import language
from web.workers import opening_run


def session_mark(view: View, tender: str) -> str:
    """The mark of a whole ceremony: of all its lots."""
    return hashlib.sha256("|".join(mark(view, lot.ref) for lot in tender_lots(view, tender)).encode()).hexdigest()[:24]


@hall.page("/sessions/<tender>", needs=ANYONE)
def session(tender: str, form: Form | None = None) -> str:
    with reading() as view:
        rows = tender_lots(view, tender)
        cards = [hall_card(view, lot) for lot in rows]
        mine = {lot.ref: attendance.own(view, lot) for lot in rows}
        waiting = [lot.ref for lot in rows if mine[lot.ref] is None and _may_sign_in(view, lot)]
        last = session_mark(view, tender)
    return render(
        "hall/session.html",
        is_host=may(actor(), Act.OPENING_HOST),
        cards=cards,
        tender=tender,
        last=last,
        form=form or Form.blank(),
        waiting=waiting,
        ready={
            "list": [c.lot.ref for c in cards if may_list(c)],
            "open": [c.lot.ref for c in cards if c.may_decrypt and c.step == "LISTED"],
        },
        mine=mine,
        crumbs=crumbs_of((cards[0].lot.tender_title, "")),
    )


def _may_sign_in(view: View, lot: Lot) -> bool:
    """Whether one's own chair may sign in now: the sheet of a lot that failed, or whose hour is far, takes nobody."""
    return attendance.window(view.session, lot, view.now).state == "open" and sheet.has_chair(view, lot)


def may_list(card: HallCard) -> bool:
    """Whether the set of a lot can be published now, as the host's chair says it too."""
    return bool(
        card.step == "SHUT"
        and card.closed_at
        and not card.closing_late
        and card.lot.opens_at
        and card.now >= card.lot.opens_at
    )


@hall.page("/sessions/<tender>/projector", needs=ANYONE)
def session_projector(tender: str) -> str:
    """One screen for all lots: the line read last is shown big, the lots beside it."""
    with reading() as view:
        cards = [hall_card(view, lot) for lot in tender_lots(view, tender)]
        last = session_mark(view, tender)
    read_lines = [card for card in cards if card.step == "OPENED" and card.place]
    shown = max(read_lines, key=lambda card: max(card.read_moments.values())) if read_lines else None
    return render(
        "hall/projector.html",
        card=shown or cards[0],
        cards=cards,
        tender=tender,
        last=last,
        reading=shown is not None,
        wall=wall_of(shown or cards[0]),
    )


@hall.page("/sessions/<tender>/acts/sign-in", needs=Act.HALL_ATTEND, post=ByHand.UNITS, back=session)
def sign_in_all(tender: str) -> Any:
    def one(ref: str) -> None:
        with work() as unit:
            lot = hall_lot(unit, ref)
            attendance.sign_in(unit, lot)

    return _for_all(tender, one, _may_sign_in)


@hall.page("/sessions/<tender>/acts/list", needs=Act.OPENING_HOST, post=ByHand.UNITS, back=session)
def list_all(tender: str) -> Any:
    def one(ref: str) -> None:
        with work() as unit:
            opening_set.list_bids(unit, hall_lot(unit, ref))

    return _for_all(tender, one, lambda now, lot: step_of(now, lot) == "SHUT")


@hall.page("/sessions/<tender>/acts/open", needs=Act.OPENING_HOST, post=ByHand.UNITS, back=session)
def open_all(tender: str) -> Any:
    def one(ref: str) -> None:
        opening_run.start(office(), actor(), ref, part=officers.BID)

    return _for_all(tender, one, lambda now, lot: step_of(now, lot) == "LISTED")


def _for_all(tender: str, act: Callable[[str], None], fits: Callable[[View, Lot], bool]) -> Any:
    """The act on every lot it fits, each by itself. Refuses: Invalid with one fault a lot that refused, after all have been tried."""
    form = Form.read()
    with reading() as view:
        refs = [lot.ref for lot in tender_lots(view, tender) if fits(view, lot)]
    if not refs:
        raise WrongStep("hall.no_lot_ready", ref=tender)
    faults = Faults()
    for ref in refs:
        try:
            act(ref)
        except Refusal as refusal:
            faults.add(ref, "hall.lot_refused", ref=ref, why=_words(refusal))
    faults.refuse_if_any()
    where = f"/hall/sessions/{tender}"
    with work() as unit:
        unit.once(form.form_id, where)
    return go(where)


def _words(refusal: Refusal) -> str:
    return words.words(refusal.code, refusal.facts, language(), zone())

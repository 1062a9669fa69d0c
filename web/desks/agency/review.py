"""Qualification review in government procurement: the purchaser or its agency finds, bid by bid, after the opening. The platform only
points out; people find, and a no needs the clause and the reason."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from evaluation.scoring import reviews
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Fault, Invalid, NotFound
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web.desks.agency.lots import show_lot
from web.desks.agency.room import agency, said
from web.http.forms import Form
from web.http.gate import reading
from web.http.opened import hand_out, states_of

MONEY_FACTS = {"price_minor", "ceiling_minor", "deposit_minor"}


@agency.page("/lots/<ref>/qualification", needs=Act.QUALIFICATION_REVIEW)
def qualification_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        rows = _rows(view, lot) if ceremony.is_public(view.session, lot) else []
        open_ones = sum(row["finding"] is None for row in rows)
        for row in rows:
            row["form"] = _form_of(row, form)
        return show_lot(
            "agency/lot_qualification.html",
            view,
            card,
            _("Qualification review"),
            form=form or Form.blank(),
            rows=rows,
            open_ones=open_ones,
            running=lot.state == "QUAL_REVIEW",
            least=reviews.least(lot) if lot.rules else 0,
            passed=sum(bool(row["ok"]) for row in rows),
        )


def _form_of(row: dict[str, Any], form: Form | None) -> Form:
    """The form of one bid: as it was posted for this bid, else its own, with ids that differ from those of its neighbours."""
    if form is not None and form.shown("bid") == str(row["id"]):
        return form
    blank = Form.blank(row["first"])
    blank.suffix = f"-{row['id']}"
    return blank


def _rows(view: View, lot: Lot) -> list[dict[str, Any]]:
    found = reviews.findings(view.session, lot, "qualification")
    noticed = reviews.prompts(view.session, lot)
    states, rows = states_of(view, lot), []
    for bid in ceremony.opened_of_lot(view.session, lot):
        finding = found.get(bid.id)
        rows.append(
            {
                "id": bid.id,
                "name": bid.party.name,
                "code": bid.party.code,
                "files": [(place, file, states[bid.id, place]) for place, file in enumerate(bid.files)],
                "finding": finding,
                "price": Money(bid.price_minor, lot.currency) if bid.price_minor is not None else None,
                "ok": finding.ok if finding else None,
                "prompts": [
                    said(Fault("", one.code, _facts(lot, one.facts) | {"rule": one.rule})) for one in noticed[bid.id]
                ],
                "first": {
                    "ok": ("yes" if finding.ok else "no") if finding else "",
                    "clause": finding.clause if finding else "",
                    "reason": finding.reason if finding else "",
                },
            }
        )
    return rows


def _facts(lot: Lot, facts: dict[str, Any]) -> dict[str, Any]:
    """Amounts of a prompt as money, under both names: the words may use either."""
    held = {name: Money(value, lot.currency) if name in MONEY_FACTS else value for name, value in facts.items()}
    return held | {name.removesuffix("_minor"): held[name] for name in MONEY_FACTS & held.keys()}


@agency.page("/lots/<ref>/qualification/files/<int:bid_id>/<int:place>", needs=Act.QUALIFICATION_REVIEW)
def take_bid_file(ref: str, bid_id: int, place: int) -> AnyResponse:
    """A file of an opened bid. It is a stranger's: handed out to be saved, never shown as a page of ours."""
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        if not ceremony.is_public(view.session, lot):
            raise NotFound("document.unknown", id=bid_id)
        bid = reviews.bid_of(view.session, lot, bid_id)
        if place >= len(bid.files):
            raise NotFound("document.unknown", id=place)
        return hand_out(view, bid, place, bid.files[place]["name"])


@agency.act("/lots/<ref>/acts/review", needs=Act.QUALIFICATION_REVIEW, back=qualification_page)
def do_review(unit: UnitOfWork, form: Form, ref: str) -> str:
    bid_id, ok = form.whole("bid", least=1), form.choice("ok", ("yes", "no"))
    clause, reason = form.text("clause", needed=False), form.text("reason", needed=False, limit=2000, lines=True)
    if ok == "no":
        for name, value in (("clause", clause), ("reason", reason)):
            if not value:
                form.fault(name, "form.required")
    form.refuse_if_any()
    reviews.review_qualification(
        unit, tenders.lot(unit.session, ref), bid_id or 0, ok=ok == "yes", clause=clause, reason=reason
    )
    return f"/agency/lots/{ref}/qualification#bid-{bid_id}"


@agency.act("/lots/<ref>/acts/finish-review", needs=Act.QUALIFICATION_REVIEW, back=qualification_page)
def do_finish_review(unit: UnitOfWork, form: Form, ref: str) -> str:
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    try:
        reviews.finish_qualification(unit, tenders.lot(unit.session, ref))
    except Conflict as refusal:
        if refusal.code != "review.open":
            raise
        raise Invalid("form.faults", faults=[Fault("sure", refusal.code, refusal.facts)], count=1) from refusal
    return f"/agency/lots/{ref}"

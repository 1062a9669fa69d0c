"""After the deadline: one's own line of the opening, the outcome, objections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits.views.own_lots import own_lot_card, own_lots
from evaluation.reporting import outcome_queries
from trading.awarding import awards
from trading.bidding import tickets
from trading.files import attachments
from trading.hall import attendance, readings
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Fault, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, co_opening, opening_list
from trading.parties import parties
from trading.procedures import procedure_of
from trading.procedures.procedure import CONFIRMATION_ENDS, DEADLINE, NOTICE_ENDS, OPENED
from trading.remedies import complaints, disputes
from trading.tendering import notices, terms
from trading.tendering.tenders import Lot
from web.desks.bidder.room import SEE, bidder, can, crumbs, lang, lot_crumbs, open_lot, own_lot
from web.desks.bidder.trouble import trouble_of
from web.desks.hall.cards import said_of
from web.desks.hall.law import OBJECTION, with_law
from web.desks.hall.marks import mark
from web.desks.hall.room import signed
from web.http import attached
from web.http.forms import Form
from web.http.gate import go, reading, render, request, work
from web.http.page_rules import ByHand


@bidder.page("/lots/<ref>/opening", needs=SEE)
def opening_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, taking = own_lot(view, ref)
        mine = own_lot_card(view, taking)
        found = ceremony.current(view.session, row)
        line = ceremony.own_opened(view, found) if found is not None and found.opened is not None else None
        said = (
            [r for r in ceremony.remarks(view.session, found) if r.party_id == taking.party_id]
            if found is not None
            else []
        )
        label = "label" if lang() == "zh" else "label_en"
        announced = line.announce if line is not None else {}
        read = (
            [
                (field.get(label) or field["label"], said_of(field, announced.get(field["key"], "–")), field["type"])
                for field in row.form
                if field["type"] != "file"
            ]
            if line
            else []
        )
        price = Money(line.price_minor) if line is not None and line.price_minor is not None else None
        trouble = {name: value for name, value in trouble_of(view, ref).items() if name != "opening"}
        sheet = {
            "window": attendance.window(view.session, row, view.now),
            "mine": attendance.own(view, row),
            "last": mark(view, ref),
        }
        place = line_of(found, line.header_hash) if found is not None and line is not None else 0
        line_read = readings.position(view.session, found).place if found is not None else 0
        asked = (
            co_opening.is_asked(view, found) and (co_opening.own_bid(view.session, found, taking.party_id) is not None)
            if found is not None
            else False
        )
        given = co_opening.own(view.session, found, taking.party_id) if asked and found is not None else None
        running = bool(found and found.state == "OPENED" and found.confirm_until and view.now <= found.confirm_until)
    return render(
        "bidder/opening.html",
        **trouble,
        mine=mine,
        card=mine.card,
        opening=found,
        line=line,
        read=read,
        price=price,
        said=said,
        running=running,
        form=form or Form.blank(),
        now=view.now,
        crumbs=lot_crumbs(ref, (_("Opening"), "")),
        sheet=sheet,
        place=place,
        reading=line_read,
        can_confirm=can(Act.OPENING_CONFIRM),
        may_attend=can(Act.HALL_ATTEND),
        asked=asked,
        given=given,
        can_give=can(Act.BID_SUBMIT),
        law=with_law(mine.card, OBJECTION),
    )


def line_of(row: ceremony.Opening, header_hash: str) -> int:
    """The place of a bid in the published set, from 1."""
    return 1 + [item["header_hash"] for item in row.bids].index(header_hash)


@bidder.page("/lots/<ref>/part", needs=SEE)
def part_package(ref: str) -> Response:
    """What our own client makes its part from, in the page or by ``bidhall share``: the signed set and the header of our bid."""
    with reading() as view:
        row, _taking = own_lot(view, ref)
        found = ceremony.opening(view.session, row, ceremony.current_part(view.session, row))
        return jsonify(co_opening.package(view, found) | {"trust": tickets.trust(view)})


@bidder.act("/lots/<ref>/acts/part", needs=Act.BID_SUBMIT, back=opening_page)
def give_part(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Our own part, where the tender has co-opening. Field: ``part`` (signed, JSON)."""
    envelope = signed(form, "part")
    form.refuse_if_any()
    row, _taking = own_lot(unit, ref)
    co_opening.accept(unit, ceremony.opening(unit.session, row, ceremony.current_part(unit.session, row)), envelope)
    return f"/bidder/lots/{ref}/opening"


@bidder.act("/lots/<ref>/acts/confirm", needs=Act.OPENING_CONFIRM, back=opening_page)
def confirm(unit: UnitOfWork, _form: Form, ref: str) -> str:
    """Confirm one's own line of the opening list."""
    row, _taking = own_lot(unit, ref)
    opening_list.remark(
        unit, ceremony.opening(unit.session, row, ceremony.current_part(unit.session, row)), kind="confirm"
    )
    return f"/bidder/lots/{ref}/opening"


@bidder.act("/lots/<ref>/acts/object-opening", needs=Act.OPENING_CONFIRM, back=opening_page)
def object_opening(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Object to the opening on the spot; the host answers and it is recorded. Field: ``text``."""
    text = form.text("text", limit=2000, lines=True)
    form.refuse_if_any()
    row, _taking = own_lot(unit, ref)
    opening_list.remark(
        unit,
        ceremony.opening(unit.session, row, ceremony.current_part(unit.session, row)),
        kind="objection",
        text=text,
    )
    return f"/bidder/lots/{ref}/opening"


# --- outcome and objections -------------------------------------------------------------------------------------------


@bidder.page("/lots/<ref>/outcome", needs=SEE)
def outcome(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, taking = own_lot(view, ref)
        mine = own_lot_card(view, taking)
        award = awards.find(view.session, row)
        if award is None or not mine.outcome:
            raise NotFound("award.not_published", ref=ref)
        code = parties.own_party(view).code
        own = next((one for one in award.ranking if one["bidder"] == code), None)
        filed = [one for one in disputes.own(view) if one.lot_id == row.id]
        winner = award.winner.name if award.winner is not None and award.announced_at is not None else ""
        price = Money(award.price_minor) if winner and award.price_minor is not None else None
        quoted = Money(own["price_minor"]) if own and own.get("price_minor") is not None else None
        scores, rejected = _own_scores(view, row, code)
        sum_of_price = _own_sum(view, row)
    return render(
        "bidder/outcome.html",
        mine=mine,
        card=mine.card,
        award=award,
        own=own,
        quoted=quoted,
        scores=scores,
        rejected=rejected,
        sum_of_price=sum_of_price,
        won=award.winner_party_id == taking.party_id,
        winner=winner,
        price=price,
        filed=filed,
        until=mine.object_until,
        form=form or Form.blank(),
        now=view.now,
        crumbs=lot_crumbs(ref, (_("Outcome"), "")),
        can_object=can(Act.OBJECTION_FILE),
    )


def _own_scores(view: View, row: Lot, code: str) -> tuple[list[dict[str, str]], str]:
    """Our own points by criterion, with the arithmetic of the price alone (single members' points are not for bidders), and why the panel
    rejected our bid, "" if it did not. Nothing before candidates or result are public."""
    try:
        found = outcome_queries.outcome_card(view, row)
    except (NotFound, NotAllowed):
        return [], ""
    titles = {one[0]: one[2] if lang() == "en" and one[2] else one[1] for one in found.criteria}
    scores = [
        {
            "title": titles.get(part["id"], part["id"]),
            "points": part["points"],
            "max": part["max"],
            "line": part["line"] if part["kind"] == "price" else "",
        }
        for part in (found.own or {}).get("criteria", [])
    ]
    rejected = next((one for one in found.rejected if one["bidder"] == code), {})
    return scores, str(rejected.get("reason", ""))


def _own_sum(view: View, row: Lot) -> str:
    """Where a price ranks, how our own came about; "" elsewhere, and before candidates or result are public."""
    try:
        found = outcome_queries.outcome_card(view, row)
    except (NotFound, NotAllowed):
        return ""
    return str(found.own["total_line"]) if found.by_price and found.own else ""


@bidder.page("/objections", needs=SEE)
def objections() -> str:
    with reading() as view:
        rows = disputes.own(view)
        found = [
            (one.card, open_stages(open_lot(view, one.card.ref), view)) for one in own_lots(view) if one.left_at is None
        ]
        lots = sorted(
            ((card, stages) for card, stages in found if stages), key=lambda row: min(until for _stage, until in row[1])
        )
    return render(
        "bidder/objections.html",
        rows=rows,
        lots=lots,
        crumbs=crumbs((_("Objections"), "")),
        can_object=can(Act.OBJECTION_FILE),
    )


@bidder.page("/objections/<oref>", needs=SEE)
def objection(oref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = next((one for one in disputes.own(view) if one.ref == oref), None)
        if row is None:
            raise NotFound("objection.unknown")
        filed, answered = (
            attached.rows(
                attachments.of_objection(view.session, row.id, role), f"/bidder/objections/{oref}/attachments"
            )
            for role in ("objection", "answer")
        )
        complained, until = complaints.of_objection(view.session, row), complaints.last_moment(view.session, row)
        now = view.now
    return render(
        "bidder/objection.html",
        row=row,
        complained=complained,
        complain_until=until if until is not None and now < until else None,
        now=now,
        filed=filed,
        answered=answered,
        form=form or Form.blank(),
        crumbs=crumbs((_("Objections"), "/bidder/objections"), (oref, "")),
        can_object=can(Act.OBJECTION_FILE),
    )


@bidder.act("/objections/<oref>/acts/complain", needs=Act.OBJECTION_FILE, back=objection)
def complain(unit: UnitOfWork, form: Form, oref: str) -> str:
    """Complain to the supervisory body about the answer, or about none in time. Field: ``complaint``."""
    text = form.text("complaint", limit=8000, lines=True)
    form.refuse_if_any()
    complaints.file(unit, disputes.objection(unit.session, oref), text=text)
    return f"/bidder/objections/{oref}"


@bidder.act("/objections/<oref>/acts/withdraw-complaint", needs=Act.OBJECTION_FILE, back=objection)
def withdraw_complaint(unit: UnitOfWork, _form: Form, oref: str) -> str:
    """Take one's own complaint back."""
    row = complaints.of_objection(unit.session, disputes.objection(unit.session, oref))
    if row is None:
        raise NotFound("complaint.unknown")
    complaints.withdraw(unit, row)
    return f"/bidder/objections/{oref}"


@bidder.page("/lots/<ref>/objection", needs=Act.OBJECTION_FILE)
def object_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, _taking = own_lot(view, ref)
        stages = open_stages(row, view)
        mine = own_lot_card(view, _taking)
    first = {"stage": stages[-1][0] if stages else ""}
    return render(
        "bidder/object.html",
        accept=attached.ACCEPT,
        mine=mine,
        card=mine.card,
        stages=stages,
        form=form or Form.blank(first),
        crumbs=lot_crumbs(ref, (_("Object"), "")),
        now=view.now,
    )


@bidder.page("/lots/<ref>/acts/object", needs=Act.OBJECTION_FILE, post=ByHand.BYTES, back=object_page)
def file_objection(ref: str) -> Any:
    """File an objection or challenge. Fields: ``stage`` (documents, opening, result), ``text``."""
    form = Form.read()
    stage, text = form.choice("stage", disputes.STAGES), form.text("text", limit=8000, lines=True)
    with reading() as view:
        own_lot(view, ref)  # the tie, before anything is stored
    files = attached.taken_in(form)
    with work() as unit:
        unit.once(form.form_id, "/bidder/objections")
        row, _taking = own_lot(unit, ref)
        until = next((last for name, last in open_stages(row, unit) if name == stage), None)
        if until is None:
            raise WrongStep("objection.stage_not_open", stage=stage)
        try:
            disputes.file(unit, row, stage=stage, text=text, until=until, files=files)
        except Invalid as refusal:
            raise attached.at_files(refusal) from refusal
        except Conflict as refusal:
            if not refusal.code.startswith("attachment."):
                raise
            raise Invalid("form.faults", faults=[Fault("files", refusal.code, refusal.facts)], count=1) from refusal
    return go("/bidder/objections")


@bidder.blueprint.url_value_preprocessor
def _room_for_attachments(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """An objection with its papers may be larger than a form, when it comes from somebody who may file one."""
    if endpoint == "bidder.file_objection" and can(Act.OBJECTION_FILE):
        request.max_content_length = attached.SEVERAL


@bidder.page("/objections/<oref>/attachments/<int:number>", needs=SEE)
def take_objection_file(oref: str, number: int) -> Response:
    with reading() as view:
        row = next((one for one in disputes.own(view) if one.ref == oref), None)
        if row is None:
            raise NotFound("objection.unknown")
        return attached.hand_out(attachments.of_objection(view.session, row.id), number)


@bidder.act("/objections/<oref>/acts/withdraw", needs=Act.OBJECTION_FILE, back=objection)
def withdraw_objection(unit: UnitOfWork, _form: Form, oref: str) -> str:
    """Take one's own objection back, before it is answered."""
    disputes.withdraw(unit, disputes.objection(unit.session, oref))
    return f"/bidder/objections/{oref}"


def open_stages(row: Lot, view: View) -> list[tuple[str, datetime]]:
    """The stages one may object to now, each with its last moment (that instant is late): rules T-21, T-24, T-25; TReg art. 44."""
    told, opened = notices.of_lot(view.session, row, "tender"), ceremony.current(view.session, row)
    opened = opened if opened is not None and opened.opened_at is not None else None
    moments = {
        NOTICE_ENDS: told[0].until or told[0].published_at if told else None,
        DEADLINE: row.deadline,
        OPENED: opened.opened_at if opened is not None else None,
        CONFIRMATION_ENDS: opened.confirm_until if opened is not None else None,
    }
    award, found = awards.find(view.session, row), []
    for window in procedure_of(row).remedies.windows:
        if window.stage == "result":
            last = awards.result_window(award) if award is not None else None
        else:
            last = moments[window.anchor]
            if last is not None and window.period is not None:
                count = terms.period_after if window.anchor == NOTICE_ENDS else terms.period
                last = count(view.session, row, window.period, last).ends_at
        if last is not None and view.now < last:
            found.append((window.stage, last))
    return found

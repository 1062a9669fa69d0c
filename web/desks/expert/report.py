"""After the reveal: dispersion, the ranking with its arithmetic, the report drawn up, signed or dissented, concluded (desks §9.6)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from evaluation.reporting import conclusion, report
from evaluation.scoring import evidence, schemes, sheets
from trading import draws
from trading.kernel.access import Act
from trading.kernel.exact import written, written_exactly
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from web.desks.expert import report_paper, report_view
from web.desks.expert.room import expert, own_room, panel_in, room_card, room_crumbs
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import office, reading, render, saved_as
from web.papers import printing


@expert.page("/<ref>/report", needs=Act.SEAT_ANSWER)
def report_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        panel, _seat = own_room(view, ref)
        card = room_card(view, ref)
        waits_for_k = schemes.of_lot(panel.lot).draws_coefficient and not _drawn(view, panel.lot)
        shown = report_view.report_view(view, panel, card)
        return render(
            "expert/report.html",
            form=form or Form.blank(version=panel.version),
            card=card,
            view=shown,
            said=report_view.state_words(shown),
            waits_for_k=waits_for_k,
            grounds=sheets.grounds(panel.lot),
            crumbs=room_crumbs(card, (_("Evaluation report"), "")),
        )


@expert.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {
        "signed_text": lambda text: f"{'−' if text.startswith('-') else '+'}{report_view.grouped(text.lstrip('-'))}",
        "grouped": report_view.grouped,
        "points_text": written,
        "evidence_of": evidence.read,
        "plain_share": lambda value: written_exactly(value * 100, 0),
    }


def _drawn(view: View, lot: Lot) -> bool:
    row = draws.find(view.session, lot, "k")
    return row is not None and row.state == "DRAWN"


@expert.page("/<ref>/report.json", needs=Act.SEAT_ANSWER)
def report_file(ref: str) -> Response:
    """The report's very bytes, which every member's signature names by their hash."""
    with reading() as view:
        panel, _seat = own_room(view, ref)
        row = report.report(view.session, panel)
        data = office().blobs.read(row.blob)
    return saved_as(Response(data, mimetype="application/json"), f"report-{ref}.json")


@expert.page("/<ref>/report.pdf", needs=Act.SEAT_ANSWER)
def report_pdf(ref: str) -> Response:
    """The report as a paper: every sum, prompts, dissent in full, signatures."""
    with reading() as view:
        panel, _seat = own_room(view, ref)
        report.report(view.session, panel)
        paper = report_paper.make(view, panel, room_card(view, ref))
    return printing.answer(paper, f"report-{ref}")


@expert.page("/<ref>/recompute.json", needs=Act.SEAT_ANSWER)
def recompute(ref: str) -> Response:
    """The outcome computed anew from the signed sheets, announced prices and the scheme, held against the report."""
    with reading() as view:
        own_room(view, ref)
        return jsonify(conclusion.recompute(view.session, tenders.lot(view.session, ref)))


@expert.act("/<ref>/acts/draw-up", needs=Act.REPORT_CONCLUDE, back=report_page)
def do_draw_up(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``tie_break``: bidders still equal, in the order the panel voted."""
    named = " ".join(form.typed.getlist("tie_break")).replace(",", " ").split()
    report.draw_up(unit, panel_in(unit, ref), tie_break=named)
    return f"/expert/{ref}/report"


@expert.act("/<ref>/acts/recheck", needs=Act.REPORT_CONCLUDE, back=report_page)
def do_recheck(unit: UnitOfWork, form: Form, ref: str) -> str:
    ground, reason = form.choice("ground", sheets.ALL_GROUNDS), form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    sheets.recheck(unit, panel_in(unit, ref), ground=ground, reason=reason, seen=form.version)
    return f"/expert/{ref}"


@expert.page("/<ref>/sign", needs=Act.REPORT_SIGN, fresh=True)
def sign_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        panel, seat = own_room(view, ref)
        card = room_card(view, ref)
        row = report.find(view.session, panel)
        done = next((one for one in row.signatures if one.seat_id == seat.id), None) if row else None
        return render(
            "expert/sign.html",
            form=form or Form.blank(),
            card=card,
            row=row,
            done=done,
            most=report.MOST_DISSENT,
            crumbs=room_crumbs(card, (_("Sign the report"), "")),
        )


@expert.act("/<ref>/acts/sign-report", needs=Act.REPORT_SIGN, back=sign_page)
def do_sign(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``signature``: the signed ``report-signature``; its ``dissent`` empty or the reasons."""
    document = signed(form, "signature")
    form.refuse_if_any()
    report.sign(unit, report.report(unit.session, panel_in(unit, ref)), document)
    return f"/expert/{ref}/report"


@expert.act("/<ref>/acts/conclude", needs=Act.REPORT_CONCLUDE, back=report_page)
def do_conclude(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``note.<place>``: the panel's note on a member who neither signed nor dissented."""
    notes = {
        int(name.removeprefix("note.")): form.text(name, limit=2000, lines=True)
        for name in sorted(form.typed)
        if name.startswith("note.") and name.removeprefix("note.").isdigit()
    }
    form.refuse_if_any()
    panel = panel_in(unit, ref)
    check_version(panel, form.version)
    conclusion.conclude(unit, tenders.lot(unit.session, ref), refusals=notes)
    return f"/expert/{ref}/report"

"""Complaints: what is complained about, taking it up or not, standing still meanwhile, the decision (rules T-23b, T-27b)."""

from __future__ import annotations

from trading.kernel.access import Act, may
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork
from trading.procedures import procedure_of
from trading.remedies import complaints, disputes
from trading.views import oversight
from web import words
from web.desks.supervisor.desk import desk as supervision
from web.http.forms import Form
from web.http.gate import reading, render
from web.http.refusals import language

DECIDE = Act.COMPLAINT_DECIDE


@supervision.page("/complaints/<ref>", needs=Act.SUPERVISE)
def complaint_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = complaints.complaint(view.session, ref)
        law = procedure_of(row.lot).remedies
        return render(
            "supervisor/complaint.html",
            row=row,
            objected=oversight.objection_card(view, row.objection),
            suspended=complaints.suspension(view.session, row.lot, view.now),
            most=law.complaint_suspends,
            may_decide=may(view.actor, DECIDE),
            effects=[(one, words.state("objection_effect", one, language()).text) for one in disputes.EFFECTS],
            form=form or Form.blank(version=row.version),
        )


@supervision.act("/complaints/<ref>/acts/accept", needs=DECIDE, back=complaint_page)
def do_accept(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``suspend``: the procurement stands still; ``reasons``: why it does."""
    suspend, reasons = form.ticked("suspend"), form.text("reasons", needed=False, limit=4000, lines=True)
    form.refuse_if_any()
    row = complaints.complaint(unit.session, ref)
    check_version(row, form.version)
    complaints.accept(unit, row, suspend=suspend, reasons=reasons)
    return f"/supervisor/complaints/{ref}"


@supervision.act("/complaints/<ref>/acts/refuse", needs=DECIDE, back=complaint_page)
def do_refuse(unit: UnitOfWork, form: Form, ref: str) -> str:
    reasons = form.text("refused", limit=4000, lines=True)
    form.refuse_if_any()
    row = complaints.complaint(unit.session, ref)
    check_version(row, form.version)
    complaints.refuse(unit, row, reasons=reasons)
    return f"/supervisor/complaints/{ref}"


@supervision.act("/complaints/<ref>/acts/decide", needs=DECIDE, back=complaint_page)
def do_decide(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``upheld``: yes or no; ``effect``: what an upheld one about the result leads to."""
    upheld, reasons = form.choice("upheld", ("yes", "no")), form.text("reasons", limit=8000, lines=True)
    effect = form.choice("effect", disputes.EFFECTS, needed=False)
    form.refuse_if_any()
    row = complaints.complaint(unit.session, ref)
    check_version(row, form.version)
    complaints.decide(unit, row, upheld=upheld == "yes", reasons=reasons, effect=effect)
    return f"/supervisor/complaints/{ref}"

"""Deposits that are kept: proposed with ground and evidence, the bidder heard, checked by the controller; the purchaser decides."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits import demands, forfeits
from deposits.refunds import signed_approvals
from trading.kernel.access import Act, may
from trading.kernel.errors import NotFound
from trading.kernel.flow import check_version
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.procedures import PROCEDURES, procedure_of
from trading.tendering import tenders
from web.desks.cashier.room import SEE, cashier, crumbs_of, name_of
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import reading, render, request


@cashier.page("/forfeits", needs=SEE)
def forfeits_page(form: Form | None = None) -> str:
    """All proposals and decisions; with ``?lot=`` the bidders of a lot whose payers are public, to propose one."""
    asked = str((form.typed.get("lot") if form else "") or request.args.get("lot", "")).strip()[:40]
    with reading() as view:
        found = forfeits.everything(view)
        choices: list[tuple[str, str]] = []
        grounds: tuple[str, ...] = ()
        wrong = ""
        if asked:
            try:
                lot = tenders.lot(view.session, asked)
                choices = [
                    (one.sub_account, one.participant.party.name) for one in forfeits.keepable(view.session, lot)
                ]
                grounds = procedure_of(lot).money.grounds
            except NotFound as refusal:
                wrong = refusal.code
        return render(
            "cashier/forfeits.html",
            found=found,
            asked=asked,
            choices=choices,
            wrong=wrong,
            form=form or Form.blank({"lot": asked}),
            grounds=[(one, f"{one} {ground_words(one)}") for one in grounds],
            may_draft=may(view.actor, Act.REFUND_PREPARE),
            ground_words=ground_words,
            money=Money,
        )


def ground_words(rule: str) -> str:
    return {
        "D-40": _("took the bid back after the deadline"),
        "D-41": _("will not sign the contract, or adds conditions"),
        "D-42": _("took the bid back while it was valid, or will not sign"),
        "D-43": _("a ground the tender documents name"),
        "D-44": _("bid not opened by the bidder's own fault, so revoked"),
    }.get(rule, rule)


@cashier.act("/acts/forfeit", needs=Act.REFUND_PREPARE, back=forfeits_page)
def do_draft(unit: UnitOfWork, form: Form) -> str:
    """Propose to keep a deposit. Fields: ``account`` (sub-account), ``ground``, ``evidence``, ``hold_until``."""
    account, ground = (
        form.text("account", limit=40),
        form.choice("ground", {one for law in PROCEDURES for one in law.money.grounds}),
    )
    evidence, until = form.text("evidence", limit=2000, lines=True), form.day("hold_until")
    form.refuse_if_any()
    assert until is not None
    demand = demands.find_by_sub_account(unit.session, account)
    if demand is None:
        raise NotFound("deposit.unknown")
    made = forfeits.draft(unit, demand, ground=ground, evidence=evidence, hold_until=until)
    return f"/cashier/forfeits/{made.ref}"


@cashier.page("/forfeits/<ref>", needs=SEE)
def forfeit_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = forfeits.forfeit(view.session, ref)
        people = {
            key: name_of(view, one)
            for key, one in (("drafted", row.drafted_by), ("checked", row.checked_by), ("decided", row.decided_by))
        }
        return render(
            "cashier/forfeit.html",
            row=row,
            people=people,
            amount=forfeits.kept(view.session, row),
            form=form or Form.blank(version=row.version),
            shown=_shown(view, row),
            has_key=may(view.actor, Act.REFUND_APPROVE) and signed_approvals.has_key(view),
            ground_words=ground_words,
            crumbs=crumbs_of((_("Deposits kept"), "/cashier/forfeits"), (ref, "")),
            can_hear=row.state == "FORFEIT_DRAFT" and may(view.actor, Act.REFUND_PREPARE),
            can_check=row.state == "HEARD" and may(view.actor, Act.REFUND_APPROVE),
            can_drop=row.state in forfeits.OPEN and may(view.actor, Act.REFUND_APPROVE),
        )


def _shown(view: View, row: forfeits.Forfeit) -> dict[str, Any]:
    """What a controller would sign of what this page shows."""
    if row.state != "HEARD" or not may(view.actor, Act.REFUND_APPROVE):
        return {}
    about = forfeits.matter(view, row)
    return {"of": about.of, "facts": dict(about.facts)}


@cashier.page("/forfeits/<ref>/approval.json", needs=Act.REFUND_APPROVE)
def forfeit_data(ref: str) -> Response:
    """What a controller signs to check the proposal, all but the moment: ``{document}``."""
    with reading() as view:
        document = signed_approvals.to_sign(view, forfeits.matter(view, forfeits.forfeit(view.session, ref)))
    return jsonify({"document": document})


@cashier.act("/forfeits/<ref>/acts/hear", needs=Act.REFUND_PREPARE, back=forfeit_page)
def do_hear(unit: UnitOfWork, form: Form, ref: str) -> str:
    """What the bidder was told and said. Field: ``hearing``."""
    hearing = form.text("hearing", limit=4000, lines=True)
    form.refuse_if_any()
    row = forfeits.forfeit(unit.session, ref)
    check_version(row, form.version)
    forfeits.hear(unit, row, hearing=hearing)
    return f"/cashier/forfeits/{ref}"


@cashier.act("/forfeits/<ref>/acts/check", needs=Act.REFUND_APPROVE, back=forfeit_page)
def do_check(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Field: ``approval``, signed by one's own key (JSON)."""
    document = signed(form, "approval")
    form.refuse_if_any()
    forfeits.check(unit, forfeits.forfeit(unit.session, ref), approval=document)
    return f"/cashier/forfeits/{ref}"


@cashier.act("/forfeits/<ref>/acts/drop", needs=Act.REFUND_APPROVE, back=forfeit_page)
def do_drop(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The ground does not stand. Field: ``why``."""
    why = form.text("why", limit=1000, lines=True)
    form.refuse_if_any()
    row = forfeits.forfeit(unit.session, ref)
    check_version(row, form.version)
    forfeits.drop(unit, row, why=why)
    return f"/cashier/forfeits/{ref}"

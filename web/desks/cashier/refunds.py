"""The refund queue, one refund, and what may be done to it before it goes into a batch."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits import demands
from deposits.bank.simulated import SimulatedBank
from deposits.refunds import falling_due, payees, refunds, sealed, signed_approvals
from deposits.views import queries, reckoning
from deposits.views.queries import RefundCard
from trading.kernel.access import Act, may
from trading.kernel.calendar import local_day
from trading.kernel.errors import NotFound
from trading.kernel.exact import written, written_exactly
from trading.kernel.work import UnitOfWork, View
from trading.reports.writers import inert
from trading.views import log_queries
from web import words
from web.desks.cashier.figures import figures
from web.desks.cashier.room import SEE, cashier, crumbs_of, name_of, names_of, own_bank, payees_of, total
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import office, reading, render, request, saved_as
from web.http.layout import Link, page_of
from web.http.opened import attachment, has_scanner
from web.http.refusals import language
from web.words import formatting

SHOWN = {
    "": queries.LISTED,
    "prepare": ("DUE", "RETURNED_BY_BANK"),
    "check": ("REFUND_DRAFT",),
    "pay": ("REFUND_CHECKED",),
    "sent": ("SENT",),
    "done": ("CONFIRMED", "CONVERTED", "FORFEITED"),
}


DUE = ("overdue", "today", "soon")
"""What a figure above the queue counts: its rows are the same, whatever they wait for, but for held and sent ones."""


def due_filter(when: str) -> str:
    return {"overdue": _("Overdue"), "today": _("Due today"), "soon": _("Within three working days")}.get(when, "")


def _tab_words(key: str) -> str:
    return {
        "": _("By due day"),
        "prepare": _("To prepare"),
        "check": _("To check"),
        "pay": _("Approved"),
        "sent": _("Sent to the bank"),
        "done": _("Ended"),
    }[key]


@cashier.page("/refunds", needs=SEE)
def queue(form: Form | None = None) -> Any:
    asked = request.args.get("show", "")
    chosen = asked if asked in SHOWN else ""
    with reading() as view:
        waiting = queries.queue(view)
        cards = waiting if not chosen else queries.queue(view, states=SHOWN[chosen])
        due = request.args.get("due", "")
        if due in DUE:
            cards = [card for card in cards if card.when == due and card.state not in ("HELD", "SENT")]
        if request.args.get("format") == "csv":
            return _csv(view, cards)
        page = page_of(len(cards), request.args, "/cashier/refunds", csv=True)
        shown = cards[page.offset : page.offset + page.size]
        ready = [card for card in shown if "prepare" in card.may]
        tabs = [
            Link(
                _tab_words(key),
                "/cashier/refunds" + (f"?show={key}" if key else ""),
                key == chosen and due not in DUE,
                sum(1 for card in waiting if card.state in SHOWN[key] or not key) if key != "done" else None,
                key in ("prepare", "check")
                and any(card.when == "overdue" for card in waiting if card.state in SHOWN[key]),
            )
            for key in SHOWN
        ]
        return render(
            "cashier/refunds.html",
            chips=[(due_filter(due), "/cashier/refunds")] if due in DUE else [],
            cards=shown,
            page=page,
            tabs=tabs,
            chosen=chosen,
            people=names_of(view, shown),
            payees=payees_of(view, shown),
            today=local_day(view.now),
            figures=figures(queries.home(view), waiting),
            form=form or Form.blank({"value_on": local_day(view.now).isoformat()}),
            ready=ready,
            ready_sum=total(card.amount for card in ready),
            next_due=min((c.due_on for c in waiting), default=None),
            may_prepare=may(view.actor, Act.REFUND_PREPARE),
        )


def _csv(view: View, cards: list[RefundCard]) -> Response:
    """Exactly the rows shown, words as on the page, amounts as plain decimals."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(
        [
            _("Due"),
            _("Bidder"),
            _("Lot"),
            _("Event"),
            _("Rule"),
            _("Principal"),
            _("Interest"),
            _("Late fee"),
            _("Account ends with"),
            _("State"),
            _("Reference"),
        ]
    )
    for card in cards:
        table.writerow(
            [
                inert(cell)
                for cell in (
                    card.due_on.isoformat(),
                    card.bidder,
                    card.lot,
                    words.state("refund_event", card.event, language()).text if card.event else "",
                    card.rule,
                    *(amount.text() if amount is not None else "" for amount in (card.amount, card.interest, card.fee)),
                    card.account_tail,
                    words.state("refund", card.state, language()).text,
                    card.ref,
                )
            ]
        )
    return saved_as(Response(out.getvalue().encode("utf-8-sig"), mimetype="text/csv"), "refunds.csv")


@cashier.act("/acts/due", needs=Act.REFUND_PREPARE, back=queue)
def do_due(unit: UnitOfWork, _form: Form) -> str:
    """Look for what has fallen due, as the clock does every minute."""
    falling_due.due(unit)
    return "/cashier/refunds"


@cashier.act("/acts/prepare", needs=Act.REFUND_PREPARE, back=queue)
def do_prepare(unit: UnitOfWork, form: Form) -> str:
    """Put the ticked refunds into a batch; with one of today goes what has fallen due of sealed lots, unseen. Fields: ``refs``,
    ``value_on``; ``along``: nothing is ticked, the batch is for that alone."""
    refs = list(dict.fromkeys(str(ref) for ref in form.typed.getlist("refs")))
    day, alone = form.day("value_on", needed=False), form.text("along", needed=False, limit=3) == "yes"
    form.refuse_if_any()
    rows = [refunds.refund(unit.session, queries.refund_card(unit, ref).ref) for ref in refs]
    today = alone or day is None or day == local_day(unit.now)
    along = sealed.waiting(unit.session) if today and (rows or alone) else None
    batch = refunds.prepare(unit, rows, value_on=None if alone else day, along=along)
    return f"/cashier/batches/{batch.ref}"


# --- one refund -------------------------------------------------------------------------------------------------------


@cashier.page("/refunds/<ref>", needs=SEE)
def refund(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = queries.refund_card(view, ref)
        change = queries.payee_request(view, ref)
        row = refunds.refund(view.session, ref)
        holds = (
            [] if row.demand is None or row.part != "deposit" else demands.holds(view.session, row.demand.id, view.now)
        )
        return render(
            "cashier/refund.html",
            card=card,
            crumbs=crumbs_of((_("Refund queue"), "/cashier/refunds"), (ref, "")),
            form=form or Form.blank(),
            sums=_sums(view, row),
            reckoned_today=row.batch is None and row.bank_key is None,
            change=change,
            change_by=_change_by(view, change),
            standing=payees.standing(change, scanned=has_scanner()) if change else "",
            waits=change is not None and change.second_by is None and change.declined_by is None,
            first_mine=change is not None and change.first_by == view.actor.account_id,
            shown=_shown(view, change),
            has_key=may(view.actor, Act.REFUND_APPROVE) and signed_approvals.has_key(view),
            holds=holds,
            placed={hold.ref: name_of(view, hold.placed_by) for hold in holds},
            mine=[hold.ref for hold in holds if hold.placed_by == view.actor.account_id],
            history=_history(view, row),
            convertible=card.state == "DUE" and card.event == "contract_signed_winner" and card.part == "deposit",
            may_prepare=may(view.actor, Act.REFUND_PREPARE),
            people=names_of(view, [card]),
            payee=row.payee_name,
            today=local_day(view.now),
            can_return=_can_return(view, row),
            returned=bool(request.args.get("returned")),
            can_hold=card.state in ("DUE", "RETURNED_BY_BANK", "HELD")
            and card.part == "deposit"
            and row.demand is not None,
        )


def _shown(view: View, change: payees.PayeeChange | None) -> dict[str, Any]:
    """What a controller would sign of another account that waits."""
    if change is None or change.second_by or change.declined_by or not may(view.actor, Act.REFUND_APPROVE):
        return {}
    about = payees.matter(view, change)
    return {"of": about.of, "facts": dict(about.facts)}


def _sums(view: View, row: refunds.Refund) -> list[tuple[str, str]]:
    """Principal, interest and fee: each a line of arithmetic."""
    sums = reckoning.reckoning(view, row)
    if sums is None:
        return []
    found = []
    if sums.converted.is_positive:
        found.append((_("Stays as performance deposit"), formatting.money(sums.converted, language())))
    found.append((_("Goes back"), formatting.money(sums.principal, language())))
    if sums.earns:
        principal = formatting.figure(sums.principal)
        line = " + ".join(
            f"{principal} × {written(one.annual_rate * 100, 4)}% × {one.days} ÷ 360" for one in sums.segments
        )
        found.append((_("Interest, rounded once (rule D-53)"), f"{line} = {formatting.figure(sums.earned)}"))
    if sums.fee.is_positive:
        found.append(
            (
                _("Late fee (rule D-52)"),
                _("%(days)s days late: %(fee)s", days=sums.overdue, fee=formatting.money(sums.fee, language())),
            )
        )
    elif sums.has_fee:
        found.append(
            (_("Late fee (rule D-52)"), _("none, unless it is paid after %(day)s", day=row.due_on.isoformat()))
        )
    return found


def _can_return(view: View, row: refunds.Refund) -> bool:
    """In a rehearsal the simulated bank can be told to give back what it carried out."""
    return (
        isinstance(own_bank(), SimulatedBank)
        and row.state in ("SENT", "CONFIRMED")
        and may(view.actor, Act.STATEMENT_IMPORT)
    )


def _history(view: View, row: refunds.Refund) -> list[tuple[Any, str]]:
    """The records of this refund, oldest first: what was done and in which role."""
    return [
        (
            one.at,
            f"{words.state('refund_act', one.act, language()).text} · {words.state('role', one.actor, language()).text}",
        )
        for one in log_queries.acts_on(view, row.log_of)
    ]


@cashier.act("/refunds/<ref>/acts/convert", needs=Act.REFUND_PREPARE, back=refund)
def do_convert(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The winner turns the deposit into the performance deposit. Field: ``rate``, percent of the contract price."""
    rate = form.number("rate", least=0, most=100)
    form.refuse_if_any()
    assert rate is not None
    refunds.convert(unit, refunds.refund(unit.session, ref), rate=written_exactly(rate / 100))
    return f"/cashier/refunds/{ref}"


@cashier.act("/refunds/<ref>/acts/hold", needs=Act.REFUND_PREPARE, back=refund)
def do_hold(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Keep the money for now, on a written basis. Fields: ``basis``, ``owner``, ``until``."""
    basis, owner, until = form.text("basis", limit=400, lines=True), form.text("owner", limit=120), form.day("until")
    form.refuse_if_any()
    assert until is not None
    row = refunds.refund(unit.session, ref)
    demands.place_hold(unit, _demand_of(row), basis=basis, owner=owner, until=until)
    return f"/cashier/refunds/{ref}"


@cashier.act("/refunds/<ref>/acts/lift", needs=Act.REFUND_APPROVE, back=refund)
def do_lift(unit: UnitOfWork, form: Form, ref: str) -> str:
    """End a hold before its day. Fields: ``hold``, ``why``."""
    hold, why = form.text("hold", limit=40), form.text("why", limit=400, lines=True)
    form.refuse_if_any()
    demand = _demand_of(refunds.refund(unit.session, ref))
    found = next((one for one in demands.holds(unit.session, demand.id, unit.now) if one.ref == hold), None)
    if found is None:
        raise NotFound("deposit.unknown")
    demands.lift_hold(unit, found, why=why)
    return f"/cashier/refunds/{ref}"


@cashier.act("/refunds/<ref>/acts/payee", needs=Act.REFUND_APPROVE, back=refund)
def do_payee(unit: UnitOfWork, form: Form, ref: str) -> str:
    """One of the two approvals of another account of the same bidder. Field: ``approval``, signed by one's own key (JSON)."""
    document = signed(form, "approval")
    form.refuse_if_any()
    payees.approve(unit, _pending(unit, ref), approval=document)
    return f"/cashier/refunds/{ref}"


@cashier.page("/refunds/<ref>/approval.json", needs=Act.REFUND_APPROVE)
def payee_data(ref: str) -> Response:
    """What a controller signs to approve another account, all but the moment: ``{document}``."""
    with reading() as view:
        document = signed_approvals.to_sign(view, payees.matter(view, _pending(view, ref)))
    return jsonify({"document": document})


@cashier.act("/refunds/<ref>/acts/decline-payee", needs=Act.REFUND_APPROVE, back=refund)
def do_decline_payee(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The bank's paper is not accepted: the bidder is told why and may hand in another. Field: ``declined_why``."""
    why = form.text("declined_why", limit=400, lines=True)
    form.refuse_if_any()
    payees.decline(unit, _pending(unit, ref), why=why)
    return f"/cashier/refunds/{ref}"


@cashier.page("/refunds/<ref>/proof", needs=SEE)
def proof(ref: str) -> Response:
    """The bank's paper for another account, to be saved: two controllers approve after reading it."""
    with reading() as view:
        change = queries.payee_request(view, ref)
        if change is None:
            raise NotFound("refund.unknown")
        payees.release(change, scanned=has_scanner())
        blob = change.proof
        size = change.proof_size or office().blobs.path(blob).stat().st_size
    return attachment(
        Response(office().blobs.read(blob), mimetype="application/octet-stream"), f"bank-proof-{ref}.pdf", size
    )


def _pending(view: View, ref: str) -> payees.PayeeChange:
    change = payees.pending(view.session, refunds.refund(view.session, ref))
    if change is None:
        raise NotFound("refund.unknown")
    return change


def _change_by(view: View, change: payees.PayeeChange | None) -> dict[str, str]:
    """Who approved another account first and second, or declined it."""
    if change is None:
        return {}
    return {
        "first": name_of(view, change.first_by),
        "second": name_of(view, change.second_by),
        "declined": name_of(view, change.declined_by),
    }


def _demand_of(row: refunds.Refund) -> demands.DepositDemand:
    """Refuses: NotFound: money of nobody known is not held."""
    if row.demand is None:
        raise NotFound("deposit.unknown")
    return row.demand

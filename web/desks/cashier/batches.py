"""Batches: read, approved with their digest by another person, paid on their day, sent back with the reason."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from deposits.refunds import approvals, refunds, signed_approvals
from deposits.refunds.sealed import Sealed
from deposits.views import books, queries
from deposits.views.queries import BatchCard
from trading.kernel.access import Act, Role
from trading.kernel.calendar import local_day
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork
from trading.reports.writers import inert
from web.desks.cashier.room import SEE, cashier, crumbs_of, name_of, names_of, own_bank, payees_of
from web.desks.hall.room import signed
from web.http.forms import Form
from web.http.gate import go, office, reading, render, saved_as, work
from web.http.page_rules import ByHand
from web.http.refusals import language
from web.words import formatting


@cashier.page("/batches", needs=SEE)
def batches() -> str:
    with reading() as view:
        found = queries.batches(view)
        return render(
            "cashier/batches.html",
            batches=found,
            step_of=step_of,
            people={one.ref: name_of(view, one.prepared_by) for one in found},
        )


def step_of(card: BatchCard) -> tuple[str, str]:
    """Where a batch stands: words and tone."""
    if card.closed_at is not None:
        return (_("sent back"), "warn") if card.reason else (_("taken back"), "plain")
    if card.sent_at is not None:
        came_back = sum(1 for row in card.rows if row.state == "RETURNED_BY_BANK")
        if came_back:
            return (_("%(n)s came back", n=came_back), "stop")
        return (_("paid back"), "ok") if is_confirmed(card) else (_("sent to the bank"), "info")
    return (_("approved"), "info") if card.approved_at is not None else (_("to check"), "now")


def is_confirmed(card: BatchCard) -> bool:
    """Whether the bank's statement has shown every payment of it."""
    return card.sent_at is not None and {row.state for row in card.rows} <= {"CONFIRMED", "CONVERTED"}


@cashier.page("/batches/<ref>", needs=SEE)
def batch(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = queries.batch_card(view, ref)
        open_, today = card.closed_at is None and card.sent_at is None, local_day(view.now)
        cashier_here = view.actor.role is Role.CASHIER
        pay_why = "" if today == card.value_on else _("its value day is %(day)s", day=card.value_on.isoformat())
        return render(
            "cashier/batch.html",
            card=card,
            crumbs=crumbs_of((_("Batches"), "/cashier/batches"), (ref, "")),
            form=form or Form.blank(),
            step=step_of(card),
            confirmed=is_confirmed(card),
            confirmed_at=max((row.confirmed_at for row in card.rows if row.confirmed_at), default=None),
            names=names_of(view, card.rows),
            payees=payees_of(view, card.rows),
            prepared=name_of(view, card.prepared_by),
            approved=name_of(view, card.approved_by),
            today=today,
            pay_why=pay_why,
            connected=own_bank() is not None,
            can_pay=open_ and card.approved_at is not None and cashier_here,
            can_take_back=open_ and card.approved_at is None and cashier_here,
            can_check=open_ and not cashier_here,
            answers=books.bank_answers(view, ref) if card.sent_at else {},
        )


@cashier.page("/batches/<ref>/approve", needs=Act.REFUND_APPROVE, fresh=True)
def approve_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = queries.batch_card(view, ref)
        shown = {"of": f"batch/{ref}", "facts": {"digest": card.digest, "value_on": card.value_on.isoformat()}}
        return render(
            "cashier/approve.html",
            card=card,
            payees=payees_of(view, card.rows),
            form=form or Form.blank(),
            shown=shown,
            has_key=signed_approvals.has_key(view),
            prepared=name_of(view, card.prepared_by),
            crumbs=crumbs_of((_("Batches"), "/cashier/batches"), (ref, f"/cashier/batches/{ref}"), (_("Approve"), "")),
            open_=card.closed_at is None and card.sent_at is None,
            paid_out=card.total + card.interest + card.fee,
        )


@cashier.page("/batches/<ref>/approval.json", needs=Act.REFUND_APPROVE)
def approval_data(ref: str) -> Response:
    """What a controller signs to approve the batch, all but the moment: ``{document}``."""
    with reading() as view:
        document = signed_approvals.to_sign(view, approvals.batch_matter(view, refunds.batch(view.session, ref)))
    return jsonify({"document": document})


@cashier.act("/batches/<ref>/acts/approve", needs=Act.REFUND_APPROVE, back=approve_page)
def do_approve(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Approve what the digest says. Field: ``approval``, signed by one's own key (JSON)."""
    document = signed(form, "approval")
    form.refuse_if_any()
    refunds.approve(unit, refunds.batch(unit.session, ref), approval=document)
    return f"/cashier/batches/{ref}"


@cashier.act("/batches/<ref>/acts/send-back", needs=Act.REFUND_APPROVE, back=approve_page)
def do_send_back(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Return it to the cashier. Field: ``reason``."""
    reason = form.text("reason", limit=400, lines=True)
    form.refuse_if_any()
    refunds.send_back(unit, refunds.batch(unit.session, ref), reason=reason)
    return f"/cashier/batches/{ref}"


@cashier.act("/batches/<ref>/acts/take-back", needs=Act.REFUND_PREPARE, back=batch)
def do_take_back(unit: UnitOfWork, _form: Form, ref: str) -> str:
    refunds.take_back(unit, refunds.batch(unit.session, ref))
    return f"/cashier/batches/{ref}"


@cashier.page("/batches/<ref>/acts/pay", needs=Act.REFUND_PAY, post=ByHand.OUTSIDE, back=batch)
def do_pay(ref: str) -> Any:
    """Post and order; what the bank has not answered is asked after again every minute, under the same key."""
    form, where = Form.read(), f"/cashier/batches/{ref}"
    with work() as unit:
        unit.once(form.form_id, where)
        refunds.pay(unit, refunds.batch(unit.session, ref))
        later = Sealed(unit.session).refunds
    bank = own_bank()
    if bank is not None:
        refunds.deliver(office(), bank, but=later)
    return go(where)


@cashier.page("/batches/<ref>/payments.csv", needs=Act.REFUND_PAY)
def payments(ref: str) -> Response:
    """The payment file for the bank's own counter or portal: one order a line, its key in the remark. Orders of a sealed lot are
    left out: their payees may not be seen yet, they go by the connected bank alone. Refuses: as ``refunds.require_orders``."""
    with reading() as view:
        told = {row.ref for row in queries.batch_card(view, ref).rows}
        orders = [order for refund, order in books.bank_orders(view, ref).items() if refund in told]
        refunds.require_orders(view, orders)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(
        [_("Name"), _("Account"), _("Amount"), _("Remark")]
        if language() == "en"
        else ["收款户名", "收款账号", "金额", "附言"]
    )
    for order in sorted(orders, key=lambda one: str(one.key)):
        table.writerow(
            [inert(order.payee_name), order.payee_account, Money(order.amount_minor).text(), order.order.text]
        )
    return saved_as(Response(out.getvalue().encode("utf-8-sig"), mimetype="text/csv"), f"payments-{ref}.csv")


@cashier.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"short_digest": lambda value: formatting.digest(value, 3)}

"""Statements taken in, what each line was, exceptions settled, books compared with the bank, the ledger."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask_babel import gettext as _

from deposits import receipts, reconcile
from deposits.bank.protocol import BankUnreachable
from deposits.bank.simulated import SimulatedBank
from deposits.bank.statements import HEADINGS
from deposits.ledger import postings
from deposits.receipts import ImportReport
from deposits.refunds import settlement
from deposits.refunds.sealed import Sealed
from deposits.refunds.settlement import Settled
from deposits.views import books, queries
from deposits.views.queries import ExceptionCard
from trading.kernel.access import Act, may
from trading.kernel.errors import Invalid, NotFound, NotReady
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.tendering import tenders
from web.desks.cashier.room import SEE, bank, cashier, crumbs_of, name_of, own_bank
from web.http.forms import Form
from web.http.gate import actor, reading, render, request
from web.http.layout import address
from web.http.refusals import language
from web.words import formatting

MOST_BYTES = 20_000_000
SLACK = 100_000
EXPLAINED = ("stranger", "bank_interest", "centre")


@cashier.blueprint.url_value_preprocessor
def _room_for_a_file(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A statement may be larger than a form, when it comes from somebody who may take one in."""
    if endpoint == "cashier.do_import" and may(actor(), Act.STATEMENT_IMPORT):
        request.max_content_length = MOST_BYTES + SLACK


# --- statements -------------------------------------------------------------------------------------------------------


@cashier.page("/import", needs=SEE)
def statements(form: Form | None = None) -> str:
    with reading() as view:
        taken = books.statement_cards(view)
        names = parties.names_of(view.session, [one.taken_by for one in taken])
        return render(
            "cashier/import.html",
            form=form or Form.blank(),
            taken=taken,
            names={one.id: names.get(one.taken_by or 0, "") for one in taken},
            pool=books.pool_card(view),
            headings=HEADINGS,
            connected=own_bank() is not None,
            fetched=lambda one: one.fetched,
            may_import=may(view.actor, Act.STATEMENT_IMPORT),
            money=Money,
            rehearsal=isinstance(own_bank(), SimulatedBank),
            booked=bool(request.args.get("booked")),
            nothing=request.args.get("known", "") if request.args.get("nothing") else None,
        )


@cashier.act("/acts/import", needs=Act.STATEMENT_IMPORT, back=statements)
def do_import(unit: UnitOfWork, form: Form) -> str:
    """Take a statement file in. Field: ``statement`` (a file); the file stands as a whole or not at all."""
    file = form.file("statement")
    form.refuse_if_any()
    assert file is not None
    data = file.stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Invalid("statement.too_big", where="statement", most=formatting.size(MOST_BYTES, language()))
    report, settled = settlement.take_statement(unit, data, name=settlement.name_of_file(file.filename))
    return _report_address(unit, report, settled)


@cashier.act("/acts/fetch", needs=Act.STATEMENT_IMPORT, back=statements)
def do_fetch(unit: UnitOfWork, _form: Form) -> str:
    """The same straight from the bank. Nobody gets to see who paid."""
    source = bank()
    try:
        report, settled = settlement.fetch(unit, source)
    except BankUnreachable as error:
        raise NotReady("bank.unreachable") from error
    return _report_address(unit, report, settled)


def _report_address(unit: UnitOfWork, report: ImportReport, settled: Settled) -> str:
    """Where the report is: the statement's page, where there is anything on it that may be told."""
    ref, shown = receipts.statement_of(unit.session, report), settled.without(Sealed(unit.session).refunds)
    counts = {
        "known": len(report.skipped),
        "confirmed": shown.confirmed,
        "returned": shown.returned,
        "refused": shown.refused,
    }
    if report.name.startswith(settlement.FETCHED):
        counts.pop("known")
    if not ref or not books.is_told(unit, ref):
        return address("/cashier/import", {}, nothing="yes", **counts)
    return address(f"/cashier/statements/{ref}", {}, **counts)


@cashier.page("/statements/<ref>", needs=SEE)
def statement_page(ref: str) -> str:
    """Line by line for who took the file in; for others, and of statements fetched from the bank, only our own payments and charges."""
    with reading() as view:
        row = books.statement_card(view, ref)
        counts = [
            (key, int(request.args[key]))
            for key in ("confirmed", "returned", "refused", "known")
            if request.args.get(key, "").isdigit() and request.args[key] != "0" and len(request.args[key]) < 7
        ]
        return render(
            "cashier/statement.html",
            row=row,
            lines=books.line_cards(view, row),
            own=row.own,
            counts=counts,
            by=name_of(view, row.taken_by),
            money=Money,
            crumbs=crumbs_of((_("Statements"), "/cashier/import"), (row.name, "")),
        )


# --- exceptions -------------------------------------------------------------------------------------------------------


@cashier.page("/exceptions", needs=SEE)
def exceptions(form: Form | None = None) -> str:
    with reading() as view:
        found = queries.exceptions(view)
        return render(
            "cashier/exceptions.html",
            found=found,
            form=form or Form.blank(),
            next_step=_next_step,
            may_settle=may(view.actor, Act.DEPOSIT_RECONCILE),
            tails=_suspense_numbers(view),
        )


def _suspense_numbers(view: View) -> dict[str, str]:
    """The bank's number of each payment in suspense: what its owner needs to claim it."""
    return {row.ref: row.line.bank_id for row in receipts.in_suspense(view.session)}


def _next_step(card: ExceptionCard) -> str:
    return {
        "payer_name": _(
            "Shown to those who review the bids; it goes back to the account that paid (rules D-05, CL-07)"
        ),
        "payer_account": _("Shown to those who review the bids (rule D-05)"),
        "late": _("Does not count as a deposit in time (rule D-13); it goes back like the others"),
        "overpaid": _("What is beyond the demand is a refund of its own (rule D-29)"),
        "suspense": _("Its owner claims it with the bank's number, or say what it was"),
        "unexplained": _("Say that it is a charge of the bank, or ask the bank"),
        "returned": _("The bidder names another account of its own with its bank's proof"),
    }[card.kind]


@cashier.act("/acts/explain", needs=Act.DEPOSIT_RECONCILE, back=exceptions)
def do_explain(unit: UnitOfWork, form: Form) -> str:
    """Say what a payment in suspense was. Fields: ``receipt``, ``account``, ``note``."""
    ref, account, note = (
        form.text("receipt", limit=40),
        form.choice("account", EXPLAINED),
        form.text("note", limit=400, lines=True),
    )
    form.refuse_if_any()
    if ref in Sealed(unit.session).stray:
        raise NotFound("deposit.unknown")
    receipts.explain(unit, receipts.receipt(unit.session, ref), account=account, note=note)
    return "/cashier/exceptions"


@cashier.act("/acts/charge", needs=Act.DEPOSIT_RECONCILE, back=exceptions)
def do_charge(unit: UnitOfWork, form: Form) -> str:
    """An unexplained line out is a charge the centre bears. Fields: ``line`` (the bank's number), ``note``."""
    number, note = form.text("line", limit=64), form.text("note", limit=400, lines=True)
    form.refuse_if_any()
    line = next((one for one in receipts.unexplained(unit.session) if one.bank_id == number), None)
    if line is None or line in Sealed(unit.session).unsettled:
        raise NotFound("deposit.unknown")
    receipts.book_charge(unit, line, note=note)
    return "/cashier/exceptions"


# --- reconciliation ---------------------------------------------------------------------------------------------------


@cashier.page("/reconcile", needs=SEE)
def reconcile_page(form: Form | None = None) -> str:
    with reading() as view:
        try:
            figures = books.figures(view)
        except NotReady:
            figures = None
        asked = request.args.get("day", "")
        try:
            day = dt.date.fromisoformat(asked) if asked else None
        except ValueError:
            day = None
        rows = books.comparison_cards(view, day)
        names = parties.names_of(view.session, [row.by for row in rows])
        return render(
            "cashier/reconcile.html",
            figures=figures,
            rows=rows,
            names={row.id: names.get(row.by or 0, "") for row in rows},
            money=Money,
            case=postings.open_case(view.session),
            form=form or Form.blank(),
            pool=books.pool_card(view),
            big=lambda minor: formatting.big(Money(minor), language()),
            may_reconcile=may(view.actor, Act.DEPOSIT_RECONCILE),
        )


@cashier.act("/acts/reconcile", needs=Act.DEPOSIT_RECONCILE, back=reconcile_page)
def do_reconcile(unit: UnitOfWork, form: Form) -> str:
    """Compare the three and keep the result. Field: ``note``, needed to close an open case."""
    note = form.text("note", needed=False, limit=400, lines=True)
    form.refuse_if_any()
    books.figures(unit)
    reconcile.reconcile(unit, note=note)
    return "/cashier/reconcile"


# --- the ledger -------------------------------------------------------------------------------------------------------


@cashier.page("/ledger", needs=SEE)
def ledger_page() -> str:
    """Balances of the chart over all lots; the postings of one lot once its payers are public."""
    asked = request.args.get("lot", "").strip()[:40]
    with reading() as view:
        lines, wrong = [], ""
        if asked:
            try:
                lines = queries.lot_postings(view, tenders.lot(view.session, asked))
            except NotFound as refusal:
                wrong = refusal.code
        held = queries.balances(view)
        return render(
            "cashier/ledger.html",
            chart=[(account, held[account.code]) for account in queries.chart()],
            lines=lines,
            asked=asked,
            wrong=wrong,
            totals=queries.home(view).totals,
            form=Form.query(),
        )

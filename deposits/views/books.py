"""What the money room reads of its books: statements taken in and what became of each line, comparisons with the bank."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select

from deposits import demands, receipts, reconcile
from deposits.bank.transfers import Transfer
from deposits.receipts import BankLine, BankStatement, LineUse
from deposits.reconcile import Figures, Reconciliation
from deposits.refunds.refunds import Refund, RefundBatch
from deposits.refunds.sealed import Sealed
from deposits.refunds.settlement import FETCHED
from trading.kernel.access import Act
from trading.kernel.errors import NotFound, NotReady
from trading.kernel.money import Money
from trading.kernel.work import View


@dataclass(frozen=True)
class StatementCard:
    """``own``: taken from a file by the person who looks, who has read it anyway. ``fetched``: it came straight from the bank, and of it
    nobody sees a list of lines. Balances in fen, of one's own alone: they hold the money of sealed lots."""

    id: int
    ref: str
    name: str
    at: dt.datetime
    taken_by: int | None
    opening_minor: int | None
    closing_minor: int | None
    fetched: bool
    own: bool


@dataclass(frozen=True)
class LineCard:
    """A line of a statement as far as it may be told. ``kind``: receipt, transfer, returned, charge, or "" (unexplained); ``of``: the
    refund it paid."""

    n: int
    bank_id: str
    kind: str
    of: str
    amount: Money | None


@dataclass(frozen=True)
class BankAnswer:
    """What the bank says of an order: ``state`` queued, accepted or refused, and why."""

    state: str
    reason: str


@dataclass(frozen=True)
class ComparisonCard:
    """One three-way comparison, fen. ``by``: the account that made it, None for the clock."""

    id: int
    at: dt.datetime
    by: int | None
    ledger_minor: int
    registers_minor: int
    bank_minor: int
    balanced: bool
    note: str


@dataclass(frozen=True)
class PoolCard:
    """The pooled account without the money of sealed lots (fen), and the moment of the newest statement that may be told."""

    balance_minor: int | None
    stated_at: dt.datetime | None


def statement_cards(view: View, limit: int = 20) -> list[StatementCard]:
    """The latest statements, newest first: one's own files, and those with a line that hangs on no sealed lot. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    rows = select(BankStatement).where(_is_told(view)).order_by(BankStatement.id.desc()).limit(limit)
    return [_statement_card(view, row) for row in view.session.scalars(rows)]


def statement_card(view: View, ref: str) -> StatementCard:
    """Refuses: NotAllowed, NotFound (also of one that may not be told yet)."""
    view.require(Act.DEPOSIT_LOOK)
    row = view.session.scalar(select(BankStatement).where(BankStatement.ref == ref, _is_told(view)))
    if row is None:
        raise NotFound("deposit.unknown")
    return _statement_card(view, row)


def is_told(view: View, ref: str) -> bool:
    return view.session.scalar(select(BankStatement.id).where(BankStatement.ref == ref, _is_told(view))) is not None


def pool_card(view: View) -> PoolCard:
    """Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    pool = receipts.stated(view.session)
    at = view.session.scalar(select(BankStatement.at).where(_is_told(view)).order_by(BankStatement.id.desc()).limit(1))
    if pool is None or pool.balance_minor is None or at is None:
        return PoolCard(None, at)
    return PoolCard(pool.balance_minor - Sealed(view.session).stated, at)


def figures(view: View) -> Figures:
    """The comparison as a desk may see it: where nothing but the money of sealed lots has come there is nothing to compare, for whether
    anything has would tell. Refuses: NotAllowed, NotReady ``reconcile.no_statement``."""
    if pool_card(view).stated_at is None:
        raise NotReady("reconcile.no_statement")
    return reconcile.figures(view.session)


def _is_told(view: View) -> ColumnElement[bool]:
    told = select(BankLine.statement_id).where(BankLine.id.not_in(Sealed(view.session).lines))
    own = BankStatement.name.not_like(f"{FETCHED}%") & (BankStatement.taken_by == view.actor.account_id)
    return own | BankStatement.id.in_(told)


def _statement_card(view: View, row: BankStatement) -> StatementCard:
    fetched = row.name.startswith(FETCHED)
    own = row.taken_by == view.actor.account_id and not fetched
    opening, closing = (row.opening_minor, row.closing_minor) if own else (None, None)
    return StatementCard(row.id, row.ref, row.name, row.at, row.taken_by, opening, closing, fetched, own)


def line_cards(view: View, statement: StatementCard) -> list[LineCard]:
    """Line by line for who took the file in; for others, and of a fetched statement, only our own payments and charges, and nothing that
    hangs on a sealed lot. Payments in are told without their amount, which would tell the lot."""
    in_statement = BankLine.statement_id == statement.id
    left_out = set() if statement.own else set(view.session.scalars(Sealed(view.session).lines.where(in_statement)))
    used = select(LineUse).join(BankLine, BankLine.id == LineUse.line_id).where(in_statement)
    uses = {use.line_id: use for use in view.session.scalars(used)}
    paid = _refunds_paid(view, statement)
    found = []
    lines = view.session.scalars(select(BankLine).where(in_statement).order_by(BankLine.id))
    n = 0
    for line in lines:
        use = uses.get(line.id)
        kind = use.kind if use is not None else ""
        if line.id in left_out or (not statement.own and kind == "receipt"):
            continue
        n += 1
        of, seen = "", kind != "receipt"
        if use is not None and kind in ("transfer", "returned"):
            of, seen = paid[use.of]
        found.append(LineCard(n, line.bank_id, kind, of, Money(line.amount_minor) if seen else None))
    return found


def _refunds_paid(view: View, statement: StatementCard) -> dict[str, tuple[str, bool]]:
    """By the key of each order on a statement: the refund it paid, "" while its lot is sealed, and whether it may be told."""
    rows = (
        select(Transfer.key, Refund)
        .join(Refund, Refund.ref == Transfer.refund)
        .join(LineUse, LineUse.of == Transfer.key)
        .join(BankLine, BankLine.id == LineUse.line_id)
        .where(BankLine.statement_id == statement.id, LineUse.kind.in_(("transfer", "returned")))
    )
    is_public = demands.publicity(view.session)
    found = {}
    for key, refund in view.session.execute(rows):
        seen = refund.demand is None or is_public(refund.demand)
        found[key] = (refund.ref if seen else "", seen)
    return found


def bank_answers(view: View, batch: str) -> dict[str, BankAnswer]:
    """The bank's answer by refund, for rows of a batch that was sent. Refuses: NotAllowed."""
    return {ref: BankAnswer(order.state, order.reason) for ref, order in bank_orders(view, batch).items()}


def bank_orders(view: View, batch: str) -> dict[str, Transfer]:
    """The order last sent for each refund of a batch. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    rows = (
        select(Refund.ref, Transfer)
        .join(Transfer, Transfer.key == Refund.bank_key)
        .join(RefundBatch, RefundBatch.id == Refund.batch_id)
        .where(RefundBatch.ref == batch)
        .order_by(Refund.due_on, Refund.id)
    )
    return dict(view.session.execute(rows).all())


def comparison_cards(view: View, day: dt.date | None = None, limit: int = 30) -> list[ComparisonCard]:
    """The latest comparisons, newest first; of one day if it is named. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    rows = select(Reconciliation).order_by(Reconciliation.id.desc()).limit(limit)
    if day is not None:
        rows = rows.where(Reconciliation.day == day)
    return [
        ComparisonCard(
            row.id, row.at, row.by, row.ledger_minor, row.registers_minor, row.bank_minor, row.balanced, row.note
        )
        for row in view.session.scalars(rows)
    ]

"""The ledger: entries of deposit money, double entry, append-only; balances are derived and never stored (rulebook §4.6).

Law of the noun: the lines of an entry add up to nothing; no account and no sub-account may stand on its wrong side; what ends a deposit
(refund, forfeit, conversion) is posted once, held by a unique key. An error is corrected by a further entry. A difference between books
and bank opens a case, and while a case is open nothing is paid.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Select, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from deposits.ledger import accounts
from deposits.ledger.accounts import CHART, KINDS, Lines, Totals
from trading.kernel import ids
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment, append_only, one_of
from trading.kernel.errors import Conflict
from trading.kernel.work import UnitOfWork


class LedgerEntry(Base):
    """One movement. ``kind``: see accounts.KINDS; ``of``: reference of what it is about (receipt, refund, forfeit, bank line);
    ``terminal``: the part of a receipt it ends, once only."""

    __tablename__ = "ledger_entry"
    __table_args__ = (CheckConstraint(one_of("kind", KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(20), index=True)
    of: Mapped[str] = mapped_column(String(60), index=True)
    terminal: Mapped[str | None] = mapped_column(String(60), unique=True)
    at: Mapped[datetime] = mapped_column(Moment)


class Posting(Base):
    """One line of an entry: fen, debit positive."""

    __tablename__ = "ledger_posting"
    __table_args__ = (
        CheckConstraint(one_of("account", CHART), name="account"),
        CheckConstraint("amount_minor <> 0", name="moves"),
        Index("ix_ledger_posting_balance", "account", "item"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger_entry.id"), index=True)
    account: Mapped[str] = mapped_column(String(20))
    item: Mapped[str] = mapped_column(String(60))
    amount_minor: Mapped[int] = mapped_column(BigInteger)


class ReconciliationCase(Base):
    """Books and bank differ by ``difference_minor``: open until a reconciliation without difference and an explanation close it."""

    __tablename__ = "reconciliation_case"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    day: Mapped[date] = mapped_column(Date)
    difference_minor: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    explanation: Mapped[str] = mapped_column(Text, default="")


for _table in (LedgerEntry, Posting):
    append_only(_table.__table__)  # type: ignore[arg-type]


def post(work: UnitOfWork, kind: str, lines: Lines, *, of: str, terminal: str | None = None) -> LedgerEntry:
    """Write an entry. The caller has taken the act's locks and holds the demand (or the pooled account) it moves.

    Refuses: Conflict ``ledger.ended_already`` (the same deposit ended before), ``ledger.overdrawn`` (a balance would fall below nothing).
    """
    if kind not in KINDS or not lines or sum(line.amount for line in lines) != 0:
        raise ValueError(f"not an entry: {kind}")
    if (
        terminal is not None
        and work.session.scalar(select(LedgerEntry.id).where(LedgerEntry.terminal == terminal)) is not None
    ):
        raise Conflict("ledger.ended_already")
    new = LedgerEntry(ref=ids.new_reference(), kind=kind, of=of, terminal=terminal, at=floor_second(work.now))
    work.session.add(new)
    work.session.flush()
    work.session.add_all(
        Posting(entry_id=new.id, account=line.account, item=line.item, amount_minor=line.amount) for line in lines
    )
    work.session.flush()
    for account, item in sorted({(line.account, line.item) for line in lines}):
        if accounts.overdrawn(account, raw_balance(work.session, account, item)):
            raise Conflict("ledger.overdrawn", account=account)
    return new


def raw_balance(session: Session, account: str, item: str | None = None, without: Select[Any] | None = None) -> int:
    """The sum of an account's lines in fen, debit positive; of one item if named; ``without`` the entries of these ids."""
    query = select(func.coalesce(func.sum(Posting.amount_minor), 0)).where(Posting.account == account)
    if without is not None:
        query = query.where(Posting.entry_id.not_in(without))
    return int(session.scalar(query if item is None else query.where(Posting.item == item)) or 0)


def balance(session: Session, account: str, item: str | None = None, without: Select[Any] | None = None) -> int:
    """What stands on the account's own side, in fen: what we have, or what we owe. A settlement account: debit positive."""
    return (CHART[account].sign or 1) * raw_balance(session, account, item, without)


def balances(session: Session, without: Select[Any] | None = None) -> dict[str, int]:
    """Every account's balance, in the order of the chart."""
    return {code: balance(session, code, None, without) for code in CHART}


def standing_items(account: str) -> Select[Any]:
    """A subquery: the items of an account that do not stand at nothing."""
    return (
        select(Posting.item)
        .where(Posting.account == account)
        .group_by(Posting.item)
        .having(func.sum(Posting.amount_minor) != 0)
    )


def items(session: Session, account: str) -> dict[str, int]:
    """The balances of an account's items, those of nothing left out. For reconciliation and tests: it tells the number of payers."""
    total = func.sum(Posting.amount_minor)
    rows = session.execute(
        select(Posting.item, total).where(Posting.account == account).group_by(Posting.item).having(total != 0)
    )
    return {item: (CHART[account].sign or 1) * int(amount) for item, amount in rows}


def totals(session: Session, without: Select[Any] | None = None) -> Totals:
    """Received, refunded, forfeited, converted, held, interest: over all lots; for a page ``without`` the entries of sealed ones."""
    query = (
        select(LedgerEntry.kind, Posting.account, func.sum(Posting.amount_minor))
        .join(LedgerEntry, LedgerEntry.id == Posting.entry_id)
        .group_by(LedgerEntry.kind, Posting.account)
    )
    rows = session.execute(query if without is None else query.where(LedgerEntry.id.not_in(without)))
    return accounts.totals((kind, account, int(amount)) for kind, account, amount in rows)


def unbalanced(session: Session) -> list[str]:
    """References of entries whose lines do not add up: always empty, unless somebody wrote past this file."""
    total = func.sum(Posting.amount_minor)
    query = (
        select(LedgerEntry.ref)
        .join(Posting, Posting.entry_id == LedgerEntry.id)
        .group_by(LedgerEntry.ref)
        .having(total != 0)
    )
    return list(session.scalars(query.order_by(LedgerEntry.ref)))


def open_case(session: Session) -> ReconciliationCase | None:
    """The case that stops payments, if one is open."""
    return session.scalar(
        select(ReconciliationCase).where(ReconciliationCase.closed_at.is_(None)).order_by(ReconciliationCase.id)
    )


def require_no_case(session: Session) -> None:
    """Refuses: Conflict ``reconcile.case_open``."""
    if (case := open_case(session)) is not None:
        raise Conflict("reconcile.case_open", day=case.day)

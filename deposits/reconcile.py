"""Three-way reconciliation: what the ledger says, what the registers of receipts and payments add up to, what the bank states.

Law of the noun: the difference is 0.00 or a case is open, and while one is open nothing is prepared, approved or paid. An unexplained line
of the bank is not posted, so it shows here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Select, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from deposits import forfeits, receipts
from deposits.bank.transfers import Transfer
from deposits.demands import DepositDemand
from deposits.ledger import accounts
from deposits.ledger import postings as ledger
from deposits.ledger.postings import ReconciliationCase
from deposits.receipts import BankLine, BankStatement, LineUse, Receipt
from deposits.refunds import refunds
from deposits.refunds.sealed import Sealed
from trading.kernel import ids
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.work import UnitOfWork


class Reconciliation(Base):
    """One comparison, fen. ``unexplained``: how many bank lines nobody has explained; ``faults``: how many sub-accounts differ."""

    __tablename__ = "reconciliation"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    day: Mapped[date] = mapped_column(Date, index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    ledger_minor: Mapped[int] = mapped_column(BigInteger)
    registers_minor: Mapped[int] = mapped_column(BigInteger)
    bank_minor: Mapped[int] = mapped_column(BigInteger)
    unexplained: Mapped[int]
    faults: Mapped[int]
    balanced: Mapped[bool] = mapped_column(Boolean)
    note: Mapped[str] = mapped_column(Text, default="")


append_only(Reconciliation.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Figures:
    """Fen. ``registers``: the sub-accounts, by the registers of receipts, payments and charges and not by the ledger."""

    ledger: int
    registers: int
    bank: int
    unexplained: int
    faults: int

    @property
    def difference(self) -> int:
        """Of the bank against the ledger; when these agree, of the registers."""
        return self.bank - self.ledger or self.registers - self.ledger

    @property
    def balanced(self) -> bool:
        return self.ledger == self.registers == self.bank and not self.unexplained and not self.faults


def figures(session: Session) -> Figures:
    """The three of this moment, each without the money of sealed lots, so that they compare as they would with it and tell nothing of it.
    Refuses: NotReady ``reconcile.no_statement`` before the first statement."""
    pool = receipts.stated(session)
    if pool is None or pool.balance_minor is None:
        raise NotReady("reconcile.no_statement")
    left_out = Sealed(session)
    return Figures(
        ledger.balance(session, accounts.BANK) - left_out.at_bank,
        registers(session) - left_out.at_bank,
        pool.balance_minor - left_out.stated,
        len(receipts.unexplained(session)) - len(left_out.unsettled),
        len(sub_account_faults(session)) + len(ledger.unbalanced(session)),
    )


def registers(session: Session) -> int:
    """What should lie at the bank by the registers alone (fen): brought forward + receipts - payments carried out + payments come back
    - charges."""

    def total(query: object) -> int:
        return int(session.scalar(query) or 0)  # type: ignore[call-overload]

    paid = func.sum(Transfer.principal_minor + Transfer.extra_minor)
    charges = (
        select(func.sum(BankLine.amount_minor))
        .join(LineUse, LineUse.line_id == BankLine.id)
        .where(LineUse.kind == "charge")
    )
    forward = select(BankStatement.opening_minor).order_by(BankStatement.id).limit(1)
    return (
        total(forward)
        + total(select(func.sum(Receipt.amount_minor)))
        + total(charges)
        - total(select(paid).where(Transfer.settled_at.is_not(None)))
        + total(select(paid).where(Transfer.returned_at.is_not(None)))
    )


def sub_account_faults(session: Session) -> list[str]:
    """Sub-accounts whose ledger balance is not receipts - refunds ordered - kept - converted: always empty."""
    owed = ledger.items(session, accounts.DEPOSITS)
    refund, forfeit = refunds.Refund, forfeits.Forfeit
    came = _sums(session, select(Receipt.demand_id, func.sum(Receipt.amount_minor)).group_by(Receipt.demand_id))
    left = select(refund.demand_id, func.sum(refund.amount_minor)).where(
        refund.bank_key.is_not(None) | (refund.state == "CONVERTED")
    )
    gone = _sums(session, left.group_by(refund.demand_id))
    kept = _sums(session, select(forfeit.demand_id, func.sum(forfeit.amount_minor)).group_by(forfeit.demand_id))
    found = []
    for id, sub_account in session.execute(
        select(DepositDemand.id, DepositDemand.sub_account).order_by(DepositDemand.sub_account)
    ):
        if came.get(id, 0) - gone.get(id, 0) - kept.get(id, 0) != owed.get(sub_account, 0):
            found.append(sub_account)
    return found


def _sums(session: Session, query: Select[Any, Any]) -> dict[int, int]:
    """Demand → fen."""
    return {demand: int(amount) for demand, amount in session.execute(query) if demand is not None}


def reconcile(work: UnitOfWork, *, note: str = "") -> Reconciliation:
    """Compare and keep the result. A difference opens a case; without one an open case is closed, with ``note`` as its explanation.

    Refuses: NotAllowed, NotReady ``reconcile.no_statement``, Invalid (a case is open and ``note`` is empty).
    """
    work.require(Act.DEPOSIT_RECONCILE)
    found, case = figures(work.session), ledger.open_case(work.session)
    if found.balanced and case is not None:
        if not note.strip():
            raise Invalid("form.required", field="note")
        work.lock(case)
        case.closed_at, case.explanation = work.now, note.strip()
    elif not found.balanced and case is None:
        work.session.add(
            ReconciliationCase(
                ref=ids.new_reference(),
                day=local_day(work.now),
                difference_minor=found.difference,
                opened_at=work.now,
                explanation="",
            )
        )
    row = Reconciliation(
        ref=ids.new_reference(),
        day=local_day(work.now),
        at=work.now,
        by=work.actor.account_id,
        ledger_minor=found.ledger,
        registers_minor=found.registers,
        bank_minor=found.bank,
        unexplained=found.unexplained,
        faults=found.faults,
        balanced=found.balanced,
        note=note.strip(),
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "deposit.reconcile",
        f"reconciliation/{row.ref}",
        ledger=found.ledger,
        registers=found.registers,
        bank=found.bank,
        balanced=found.balanced,
    )
    return row


def latest(session: Session, day: date | None = None) -> Reconciliation | None:
    """The last comparison, of a day if named."""
    query = select(Reconciliation).order_by(Reconciliation.id.desc()).limit(1)
    return session.scalar(query if day is None else query.where(Reconciliation.day == day))

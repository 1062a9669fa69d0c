"""Orders to the bank: written in the unit that decides them, handed over after it, and asked after by the same key until they are answered.

Law of the noun: one key, one payment. An order is stored before the bank hears of it; an answer that did not come is asked for with the
same key and never replaced by a new order (promise R15).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from deposits.bank.protocol import ACCEPTED, REFUSED, Bank, BankAnswer, BankUnreachable, TransferOrder
from trading.kernel import ids
from trading.kernel.access import CLOCK, Act
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.work import Office, UnitOfWork

_KEY = re.compile(rf"(?<![a-z0-9])[{ids.REFERENCE_ALPHABET}]{{{ids.REFERENCE_LENGTH}}}(?![a-z0-9])")
STATES = ("queued", ACCEPTED, REFUSED)


class Transfer(Base):
    """``refund``: reference of the refund it pays; ``principal_minor`` and ``extra_minor`` (interest and fee) make up the payment."""

    __tablename__ = "bank_transfer"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint("principal_minor > 0", name="principal"),
        CheckConstraint("extra_minor >= 0", name="extra"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    refund: Mapped[str] = mapped_column(String(40), index=True)
    principal_minor: Mapped[int] = mapped_column(BigInteger)
    extra_minor: Mapped[int] = mapped_column(BigInteger)
    payee_name: Mapped[str] = mapped_column(Sealed)
    payee_account: Mapped[str] = mapped_column(Sealed)
    state: Mapped[str] = mapped_column(String(10), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    made_at: Mapped[datetime] = mapped_column(Moment)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    returned_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def amount_minor(self) -> int:
        return self.principal_minor + self.extra_minor

    @property
    def order(self) -> TransferOrder:
        return TransferOrder(
            self.key, self.amount_minor, self.payee_name, self.payee_account, f"退投标保证金 {self.key}"
        )


hold(Transfer, row="key")


def queue(
    work: UnitOfWork, *, refund: str, principal_minor: int, extra_minor: int, payee_name: str, payee_account: str
) -> Transfer:
    """Write an order; it goes to the bank after the unit, by ``deliver``. The caller has taken its locks."""
    new = Transfer(
        key=ids.new_reference(),
        refund=refund,
        principal_minor=principal_minor,
        extra_minor=extra_minor,
        payee_name=payee_name,
        payee_account=payee_account,
        state="queued",
        reason="",
        made_at=work.now,
    )
    work.session.add(new)
    work.session.flush()
    return new


def waiting(session: Session) -> list[Transfer]:
    """The orders the bank has not answered, oldest first."""
    return list(session.scalars(select(Transfer).where(Transfer.state == "queued").order_by(Transfer.id)))


def deliver(office: Office, bank: Bank, keys: Sequence[str]) -> list[str]:
    """Hand these orders, if they still wait, to the bank, oldest first, and note its answers; returns the keys answered. Twice is
    harmless. An order without an answer stays waiting. ``keys``: of those that were held against what was approved (refunds.deliver)."""
    with office.view(CLOCK) as view:
        orders = [(row.key, row.order) for row in waiting(view.session) if row.key in keys]
    answered = []
    for key, order in orders:
        try:
            found = bank.find(key)
            answer = found if found.state in (ACCEPTED, REFUSED) else bank.transfer(order)
        except BankUnreachable:
            continue
        with office.work(CLOCK) as work:
            note(work, answer)
        answered.append(key)
    return answered


def note(work: UnitOfWork, answer: BankAnswer) -> None:
    """Keep the bank's answer, the first one. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    row = transfer(work.session, answer.key)
    work.lock(row)
    if row.state == "queued":
        row.state, row.reason, row.answered_at = answer.state, answer.reason[:400], work.now
        work.session.flush()
        work.record("transfer.answer", f"transfer/{row.key}", answer=answer.state, reason=row.reason)


def transfer(session: Session, key: str) -> Transfer:
    return session.scalars(select(Transfer).where(Transfer.key == key)).one()


def find_in_text(session: Session, text: str) -> Transfer | None:
    """The order whose key stands in a statement's remark, whatever the bank has put round it."""
    return session.scalar(select(Transfer).where(Transfer.key.in_(_KEY.findall(text.lower()))))

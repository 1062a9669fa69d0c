"""The money of lots whose payers are sealed: what of the books, the bank and the refunds may be told to nobody yet (rule D-12, promise S1).

Totals tell too: where one lot takes deposits of 50,000, three of them more in the pooled account are three bidders. So the money room's
pages, sums and exports leave out every entry, line and refund that hangs on such a lot, on both sides of each sum, and everything stands
there at once when the opening list is public. A payment that names no lot is left out while a lot is sealed that could have been meant, if
it comes from a firm that is registered here: whether that firm takes part changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Select, exists, func, select, union_all
from sqlalchemy.orm import Session

from deposits import receipts
from deposits.bank.transfers import Transfer
from deposits.demands import DepositDemand, is_sealed
from deposits.ledger import accounts
from deposits.ledger.postings import Posting
from deposits.receipts import BankLine, LineUse, Receipt
from deposits.refunds.refunds import Refund
from trading.parties.parties import Party
from trading.tendering.tenders import Lot


def _demands() -> Select[Any]:
    return select(DepositDemand.id).join(Lot, Lot.id == DepositDemand.lot_id).where(is_sealed())


def refunds_of_sealed() -> Select[Any]:
    """The references of refunds of sealed lots."""
    return select(Refund.ref).where(Refund.demand_id.in_(_demands()))


def waiting(session: Session) -> list[Refund]:
    """Refunds of sealed lots that have fallen due. One that the bank sent back waits for the opening list: only then can anybody look."""
    rows = select(Refund).where(Refund.demand_id.in_(_demands()), Refund.state == "DUE")
    return list(session.scalars(rows.order_by(Refund.due_on, Refund.ref)))


def takes_deposits(session: Session) -> bool:
    """Whether a published lot that asks for deposits is sealed: known to everybody from its notice."""
    return bool(
        session.scalar(select(exists().where(is_sealed(), Lot.deposit_minor > 0, Lot.published_at.is_not(None))))
    )


def stray(session: Session) -> frozenset[str]:
    """The references of payments in suspense that are left out: of registered firms, while a lot is sealed that they could be for."""
    since = session.scalar(
        select(func.min(Lot.published_at)).where(is_sealed(), Lot.deposit_minor > 0, Lot.published_at.is_not(None))
    )
    found = [row for row in receipts.in_suspense(session) if since is not None and row.at >= since]
    if not found:
        return frozenset()
    firms = {receipts.plain(name) for name in session.scalars(select(Party.name).where(Party.kind == "bidder"))}
    return frozenset(row.ref for row in found if receipts.plain(row.line.payer_name) in firms)


@dataclass(frozen=True)
class Sealed:
    """What is left out, looked up once for a page."""

    session: Session

    @cached_property
    def stray(self) -> frozenset[str]:
        return stray(self.session)

    @cached_property
    def refunds(self) -> frozenset[str]:
        return frozenset(self.session.scalars(refunds_of_sealed()))

    @property
    def receipts(self) -> Select[Any]:
        """References of payments, as a part of a larger question."""
        return select(Receipt.ref).where(Receipt.demand_id.in_(_demands()) | Receipt.ref.in_(self.stray))

    @property
    def entries(self) -> Select[Any]:
        """Ids of entries of the ledger that touch a sub-account, a payment or a refund of a sealed lot, as a part of a larger question."""
        numbers = select(DepositDemand.sub_account).where(DepositDemand.id.in_(_demands()))
        items = union_all(numbers, self.receipts, refunds_of_sealed())
        return select(Posting.entry_id).where(Posting.item.in_(items))

    @property
    def lines(self) -> Select[Any]:
        """Ids of lines of the bank: payments in, and payments of ours out or come back."""
        orders = select(Transfer.key).where(Transfer.refund.in_(refunds_of_sealed()))
        of = select(LineUse.line_id).where(LineUse.of.in_(union_all(self.receipts, orders)))
        return select(BankLine.id).where(BankLine.id.in_(of) | BankLine.id.in_([line.id for line in self.unsettled]))

    @cached_property
    def unsettled(self) -> tuple[BankLine, ...]:
        """Lines with a payment of ours for a sealed lot that the cashier has not settled yet."""
        return tuple(line for line, order in receipts.ours(self.session) if order.refund in self.refunds)

    @cached_property
    def at_bank(self) -> int:
        """What lies at the bank of it, by the ledger (fen)."""
        return int(
            self.session.scalar(
                select(func.coalesce(func.sum(Posting.amount_minor), 0)).where(
                    Posting.account == accounts.BANK, Posting.entry_id.in_(self.entries)
                )
            )
            or 0
        )

    @cached_property
    def stated(self) -> int:
        """The same as the bank states it: lines that wait to be settled are in its balance already."""
        return self.at_bank + sum(line.amount_minor for line in self.unsettled)


def visible(session: Session, rows: Iterable[Refund]) -> list[Refund]:
    """Refunds without those of sealed lots."""
    left_out = Sealed(session).refunds
    return [row for row in rows if row.ref not in left_out]

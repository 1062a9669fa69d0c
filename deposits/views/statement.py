"""The deposit statement: what came in, went back, was kept and is held, over all lots; what has lain too long.

Refunded is what the bank has carried out; converted money stays with us as performance deposits; interest, late fees included, stands
apart from principal. Never of one lot before its payers are public.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from deposits.ledger import postings
from deposits.refunds.refunds import Refund
from trading.kernel.money import Money

DORMANT_DAYS = 365
UNPAID = ("DUE", "REFUND_DRAFT", "REFUND_CHECKED", "RETURNED_BY_BANK")


@dataclass(frozen=True)
class Totals:
    """``balanced``: received = refunded + forfeited + converted + held, and every entry of the ledger adds up."""

    received: Money
    refunded: Money
    forfeited: Money
    converted: Money
    held: Money
    interest: Money
    balanced: bool

    def as_json(self) -> dict[str, Any]:
        """Amounts as decimal text. ``held`` includes converted money: it still is in the centre's hands."""
        return {
            "received": self.received.text(),
            "refunded": self.refunded.text(),
            "forfeited": self.forfeited.text(),
            "held": (self.held + self.converted).text(),
            "converted": self.converted.text(),
            "interest": self.interest.text(),
            "balanced": self.balanced,
        }


def totals(session: Session, without: Select[Any] | None = None) -> Totals:
    """All money of all lots to this moment; ``without`` the entries of these ids, as the money room sees it (``sealed.Sealed.entries``)."""
    found = postings.totals(session, without)
    return Totals(
        received=Money(found.received),
        refunded=Money(found.refunded),
        forfeited=Money(found.forfeited),
        converted=Money(found.converted),
        held=Money(found.held),
        interest=Money(found.interest),
        balanced=found.balanced and not postings.unbalanced(session),
    )


def dormant(session: Session, today: dt.date) -> list[Refund]:
    """Refunds unpaid for more than a year after they were due: the list for the yearly clearing, oldest first."""
    query = select(Refund).where(Refund.state.in_(UNPAID), Refund.due_on < today - dt.timedelta(days=DORMANT_DAYS))
    return list(session.scalars(query.order_by(Refund.due_on, Refund.id)))

"""Refunds as limits of the law, for the supervisor: until when each must be paid back, and whether it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from deposits import demands
from deposits.refunds.refunds import Refund
from trading.kernel.access import Act
from trading.kernel.calendar import day_end
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.tendering.tenders import Lot

MET = ("SENT", "CONVERTED", "CONFIRMED")
"""States of a refund that has been paid, or has become the performance deposit."""


@dataclass(frozen=True)
class RefundLimit:
    """``ref`` of the refund, ``lot`` it is of, ``bidder`` whose deposit it was; ``met_at``: when it was paid or became the performance
    deposit, None while it waits; ``reason``: how ``until`` was counted."""

    ref: str
    lot: str
    bidder: str
    principal: Money
    rule: str
    until: datetime
    met_at: datetime | None
    reason: dict[str, Any]


def refund_limits(view: View, *, of: Lot | None = None, running: bool = False) -> list[RefundLimit]:
    """Refunds of lots whose payers are public, or of one of them; those of sealed lots are on no list here, nor money that is held.
    ``running``: only those that wait to be paid. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    is_public = demands.publicity(view.session)
    held = demands.held_demands(view.session, view.now)
    rows = select(Refund).join(demands.DepositDemand, demands.DepositDemand.id == Refund.demand_id)
    rows = rows.where(Refund.state.not_in(("FORFEITED", *MET) if running else ("FORFEITED",)))
    if of is not None:
        rows = rows.where(demands.DepositDemand.lot_id == of.id)
    found = []
    for row in view.session.scalars(rows.order_by(Refund.id)):
        demand = row.demand
        if demand is None:
            continue
        if is_public(demand) and not (row.part == "deposit" and demand.id in held):
            bidder, principal = demand.participant.party.name, Money(row.principal_minor)
            until, reason = day_end(row.due_on), dict(row.due_reason)
            found.append(RefundLimit(row.ref, demand.lot.ref, bidder, principal, row.rule, until, _met_at(row), reason))
    return found


def _met_at(row: Refund) -> datetime | None:
    if row.state == "SENT":
        return row.sent_at
    if row.state == "CONVERTED":
        return row.confirmed_at or row.approved_at
    return row.confirmed_at if row.state == "CONFIRMED" else None

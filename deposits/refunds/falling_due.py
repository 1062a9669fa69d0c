"""Which money is to go back by now: a refund for each part of a payment whose event has come, made by the clock (rulebook §4.2, §4.6)."""

from __future__ import annotations

from sqlalchemy import select

from deposits import bound, receipts
from deposits.demands import DepositDemand
from deposits.ledger import accounts, postings
from deposits.receipts import Receipt
from deposits.refunds import triggers
from deposits.refunds.refunds import REFUND_FLOW, Refund, parts_of, terminal_of
from deposits.refunds.triggers import Due
from trading.kernel import audit, ids
from trading.kernel.access import Act, Role
from trading.kernel.calendar import local_day
from trading.kernel.work import UnitOfWork


def due(work: UnitOfWork) -> list[Refund]:
    """Find what has fallen due and write a row for each part of each payment: the clock's act, or the cashier's; twice is harmless.

    Refuses: NotAllowed, Invalid calendar.year_unknown.
    """
    if work.actor.role is not Role.CLOCK:
        work.require(Act.REFUND_PREPARE)
    known: dict[int, triggers.LotFacts] = {}
    made: list[Refund] = []
    owed = postings.standing_items(accounts.DEPOSITS)
    for demand in work.session.scalars(
        select(DepositDemand).where(DepositDemand.sub_account.in_(owed)).order_by(DepositDemand.id)
    ).all():
        if demand.lot_id not in known:
            known[demand.lot_id] = triggers.facts(work.session, demand.lot)
        made += _due_of(work, demand, known[demand.lot_id])
    strangers = select(Receipt).where(Receipt.settled == "stranger").order_by(Receipt.id)
    for receipt in work.session.scalars(strangers).all():
        if postings.balance(work.session, accounts.SUSPENSE, receipt.ref):
            made += _row(
                work,
                receipt,
                None,
                "stranger",
                receipt.amount_minor,
                triggers.at_once(triggers.STRANGER, local_day(receipt.at)),
            )
    work.session.flush()
    return made


def _due_of(work: UnitOfWork, demand: DepositDemand, known: triggers.LotFacts) -> list[Refund]:
    paid = receipts.of_demand(work.session, demand.id)
    event = triggers.event_of(known, demand)
    made: list[Refund] = []
    for receipt, (asked, beyond) in zip(
        paid, parts_of(demand.amount_minor, (r.amount_minor for r in paid)), strict=True
    ):
        came = local_day(receipt.at)
        if asked and event is not None:
            made += _row(
                work,
                receipt,
                demand,
                "deposit",
                asked,
                triggers.due(work.session, demand.lot, event[0], max(event[1], came)),
            )
        if beyond and known.public_on is not None:
            made += _row(
                work, receipt, demand, "excess", beyond, triggers.at_once(triggers.OVERPAID, max(known.public_on, came))
            )
    return made


def _row(
    work: UnitOfWork, receipt: Receipt, demand: DepositDemand | None, part: str, amount: int, due: Due
) -> list[Refund]:
    """The row, unless there is one or the part has ended; the payment is locked before it is looked at, so two clocks make one row."""
    seen = select(Refund.id).where(Refund.receipt_id == receipt.id, Refund.part == part)
    ended = select(postings.LedgerEntry.id).where(postings.LedgerEntry.terminal == terminal_of(receipt, part))
    if work.session.scalar(seen) is not None or work.session.scalar(ended) is not None:
        return []
    work.lock(receipt)
    if work.session.scalar(seen) is not None:
        return []
    new = Refund(
        ref=ids.new_reference(),
        receipt_id=receipt.id,
        demand_id=demand.id if demand else None,
        part=part,
        state=REFUND_FLOW.start,
        version=0,
        event=due.event,
        rule=due.rule,
        event_on=due.on,
        due_on=due.by,
        due_reason=due.reason,
        with_interest=due.interest,
        amount_minor=amount,
        converted_minor=0,
        interest_minor=0,
        fee_minor=0,
        payee_name=receipt.line.payer_name,
        payee_account=receipt.line.payer_account,
        made_at=work.now,
        returned_why="",
    )
    new.receipt, new.demand, new.batch = receipt, demand, None
    work.session.add(new)
    work.session.flush()
    work.record(
        "refund.due",
        new.log_of,
        rule=due.rule,
        event_on=due.on.isoformat(),
        due_on=due.by.isoformat(),
        n=0,
        bound=audit.hide(bound.fallen_due(new)),
    )
    return [new]

"""Cards of the money room: frozen, and holding nothing the reader may not know.

Before a lot's payers are public its money is nowhere here: in no list, no count and no total (deposits/refunds/sealed.py). Its refunds (a
withdrawal must be paid back in days) go along with every batch, and a batch is prepared whether there are any or not. A bidder sees its
own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deposits import demands, forfeits, receipts, reconcile
from deposits.demands import DepositHold
from deposits.ledger import accounts, postings
from deposits.ledger.postings import LedgerEntry, Posting
from deposits.receipts import BankLine, Receipt
from deposits.refunds import payees, refunds, sealed
from deposits.refunds.refunds import REFUND_FLOW, Refund, RefundBatch
from deposits.refunds.sealed import Sealed
from deposits.views import statement
from deposits.views.statement import Totals
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.rulebook import calendars
from trading.tendering.tenders import Lot

LISTED = ("DUE", "REFUND_DRAFT", "REFUND_CHECKED", "SENT", "RETURNED_BY_BANK")
SOON_WORKING_DAYS = 3


@dataclass(frozen=True)
class RefundCard:
    """``state``: HELD while a hold is in force. ``when``: overdue | today | soon | later. ``may``: the steps this person could take now; a
    row of one's own cannot be approved. ``account_tail``: last 4."""

    ref: str
    due_on: dt.date
    when: str
    state: str
    amount: Money
    converted: Money
    interest: Money
    fee: Money
    lot: str = ""
    title: str = ""
    bidder: str = ""
    event: str = ""
    rule: str = ""
    event_on: dt.date | None = None
    due_reason: dict[str, Any] | None = None
    part: str = ""
    account_tail: str = ""
    value_from: dt.date | None = None
    held_basis: str = ""
    held_until: dt.date | None = None
    returned_why: str = ""
    batch: str = ""
    prepared_by: int | None = None
    approved_by: int | None = None
    mine: bool = False
    may: tuple[str, ...] = ()
    sent_at: dt.datetime | None = None
    confirmed_at: dt.datetime | None = None
    returned_at: dt.datetime | None = None


@dataclass(frozen=True)
class BatchCard:
    """``rows``: those that may be seen, of which ``total``, ``interest`` and ``fee`` are the sums. There may be others, of sealed lots."""

    ref: str
    value_on: dt.date
    digest: str
    rows: tuple[RefundCard, ...]
    total: Money
    interest: Money
    fee: Money
    prepared_by: int
    prepared_at: dt.datetime
    approved_by: int | None
    approved_at: dt.datetime | None
    sent_at: dt.datetime | None
    closed_at: dt.datetime | None
    reason: str
    mine: bool


@dataclass(frozen=True)
class ExceptionCard:
    """``kind``: payer_name | payer_account | late | overpaid (of a public lot), suspense, unexplained, returned."""

    kind: str
    ref: str
    at: dt.datetime
    amount: Money
    payer: str
    account_tail: str
    lot: str = ""
    bidder: str = ""
    text: str = ""


@dataclass(frozen=True)
class HomeCard:
    """The desk's first page. Counts and sums are without sealed lots. ``send_along``: whether a batch is to be prepared today for what may
    have fallen due of them; it depends on notices and on batches alone."""

    totals: Totals
    overdue: int
    today: int
    soon: int
    to_check: int
    exceptions: int
    next_due: dt.date | None
    reconciled: reconcile.Reconciliation | None
    case_open: bool
    send_along: bool


@dataclass(frozen=True)
class PostingCard:
    """A line of the ledger: ``of`` is random; sub-account and receipt are left out while their payers are sealed."""

    entry: str
    at: dt.datetime
    kind: str
    account: str
    item: str
    debit: Money | None
    credit: Money | None


# --- refunds ----------------------------------------------------------------------------------------------------------


def queue(view: View, *, states: Iterable[str] = LISTED) -> list[RefundCard]:
    """Refunds to do something about, by due day, lot and bidder. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    return _cards(view, view.session.scalars(select(Refund).where(Refund.state.in_(list(states)))))


def refund_card(view: View, ref: str) -> RefundCard:
    """Refuses: NotAllowed, NotFound (also of a sealed lot's)."""
    view.require(Act.DEPOSIT_LOOK)
    found = _cards(view, [refunds.refund(view.session, ref)])
    if not found:
        raise NotFound("refund.unknown")
    return found[0]


def batch_card(view: View, ref: str) -> BatchCard:
    """Refuses: NotAllowed, NotFound."""
    view.require(Act.DEPOSIT_LOOK)
    batch = refunds.batch(view.session, ref)
    return _batch(view, batch, _cards(view, refunds.of_batch(view.session, batch)))


def batches(view: View, *, limit: int = 50) -> list[BatchCard]:
    """The latest batches, newest first. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    rows = list(
        view.session.scalars(select(RefundBatch).order_by(RefundBatch.prepared_at.desc(), RefundBatch.ref).limit(limit))
    )
    return [_batch(view, row, _cards(view, refunds.of_batch(view.session, row))) for row in rows]


def _batch(view: View, batch: RefundBatch, rows: list[RefundCard]) -> BatchCard:
    return BatchCard(
        batch.ref,
        batch.value_on,
        batch.digest,
        tuple(rows),
        Money.total(row.amount for row in rows),
        Money.total(row.interest for row in rows),
        Money.total(row.fee for row in rows),
        batch.prepared_by,
        batch.prepared_at,
        batch.approved_by,
        batch.approved_at,
        batch.sent_at,
        batch.closed_at,
        batch.reason,
        batch.prepared_by == view.actor.account_id,
    )


def _cards(view: View, rows: Iterable[Refund]) -> list[RefundCard]:
    """By what stands on them: a reference is random, and an order by it would change from house to house."""
    today = local_day(view.now)
    soon = calendars.current(view.session).add_working_days(today, SOON_WORKING_DAYS)
    seen = list(sealed.visible(view.session, rows))
    held = demands.holds_of(view.session, [row.demand_id for row in seen if row.demand_id is not None], view.now)
    cards = [_card(view, row, held.get(row.demand_id or 0, []), today, soon) for row in seen]
    return sorted(cards, key=lambda card: (card.due_on, card.lot, card.bidder, card.part, card.ref))


def _card(view: View, row: Refund, holds: list[DepositHold], today: dt.date, soon: dt.date) -> RefundCard:
    """``holds``: those in force on its demand; they stop the deposit alone."""
    held = holds if row.part == "deposit" else []
    mine = row.prepared_by is not None and row.prepared_by == view.actor.account_id
    steps = {step.name for step in REFUND_FLOW.open_to(view.actor, row)} - ({"approve"} if mine else set())
    steps -= {"prepare", "approve", "pay", "forfeit"} if held else {"forfeit"}
    when = (
        "overdue"
        if row.due_on < today
        else "today"
        if row.due_on == today
        else "soon"
        if row.due_on <= soon
        else "later"
    )
    batch = row.batch.ref if row.batch is not None else ""
    state = "HELD" if held and row.state in LISTED and row.state != "SENT" else row.state
    lot = row.demand.lot if row.demand is not None else None
    return RefundCard(
        row.ref,
        row.due_on,
        when,
        state,
        Money(row.principal_minor),
        Money(row.converted_minor),
        Money(row.interest_minor),
        Money(row.fee_minor),
        lot=lot.ref if lot else "",
        title=lot.title if lot else "",
        bidder=row.demand.participant.party.name if row.demand else row.payee_name,
        event=row.event,
        rule=row.rule,
        event_on=row.event_on,
        due_reason=row.due_reason,
        part=row.part,
        account_tail=row.payee_account[-4:],
        value_from=local_day(row.receipt.at),
        held_basis=held[0].basis if held else "",
        held_until=held[0].until if held else None,
        returned_why=row.returned_why,
        batch=batch,
        prepared_by=row.prepared_by,
        approved_by=row.approved_by,
        mine=mine,
        may=tuple(sorted(steps)),
        sent_at=row.sent_at,
        confirmed_at=row.confirmed_at,
        returned_at=row.returned_at,
    )


# --- the desk ---------------------------------------------------------------------------------------------------------


def home(view: View) -> HomeCard:
    """Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    waiting = [
        card for card in queue(view) if card.state in ("DUE", "REFUND_DRAFT", "REFUND_CHECKED", "RETURNED_BY_BANK")
    ]
    count = {when: sum(1 for card in waiting if card.when == when) for when in ("overdue", "today", "soon")}
    return HomeCard(
        statement.totals(view.session, Sealed(view.session).entries),
        count["overdue"],
        count["today"],
        count["soon"],
        sum(1 for card in waiting if card.state == "REFUND_DRAFT"),
        len(exceptions(view)),
        min((card.due_on for card in waiting), default=None),
        reconcile.latest(view.session),
        postings.open_case(view.session) is not None,
        _send_along(view),
    )


def _send_along(view: View) -> bool:
    """Once a day, while a lot that asks for deposits is sealed, whether anything of it has fallen due or not."""
    last = view.session.scalar(select(func.max(RefundBatch.prepared_at)))
    return sealed.takes_deposits(view.session) and (last is None or local_day(last) < local_day(view.now))


def exceptions(view: View) -> list[ExceptionCard]:
    """Wrong payers, late and overpaid money of lots whose payers are public; money in suspense; lines and refunds that came back.
    Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    left_out = Sealed(view.session)
    found = [
        _exception("suspense", row.ref, row.line, text=row.line.text)
        for row in receipts.in_suspense(view.session)
        if row.ref not in left_out.stray
    ]
    unsettled = {line.id for line in left_out.unsettled}
    for line in receipts.unexplained(view.session):
        if line.id not in unsettled:
            found.append(_exception("unexplained", line.bank_id, line, text=line.text))
    for refund in view.session.scalars(
        select(Refund).where(Refund.state == "RETURNED_BY_BANK").order_by(Refund.due_on, Refund.id)
    ):
        if refund.demand is None or demands.is_public(view.session, refund.demand.lot):
            found.append(
                ExceptionCard(
                    "returned",
                    refund.ref,
                    refund.returned_at or refund.made_at,
                    Money(refund.principal_minor),
                    refund.payee_name,
                    refund.payee_account[-4:],
                    text=refund.returned_why,
                )
            )
    for demand, row in _wrong(view.session):
        lot, bidder = demand.lot.ref, demand.participant.party.name
        found += [_exception(kind, row.ref, row.line, lot=lot, bidder=bidder) for kind in row.exceptions]
    for refund in view.session.scalars(
        select(Refund).where(Refund.part == "excess", Refund.state.in_(LISTED)).order_by(Refund.id)
    ):
        assert refund.demand is not None
        found.append(
            ExceptionCard(
                "overpaid",
                refund.ref,
                refund.receipt.at,
                Money(refund.amount_minor),
                refund.payee_name,
                refund.payee_account[-4:],
                refund.demand.lot.ref,
                refund.demand.participant.party.name,
            )
        )
    return found


def payer_mismatches(session: Session, lot: Lot) -> list[ExceptionCard]:
    """Wrong payers of one lot, for those who review its bids (rules D-05, CL-07). Refuses: NotFound while the payers are sealed."""
    if not demands.is_public(session, lot):
        raise NotFound("deposit.unknown")
    return [
        _exception(kind, row.ref, row.line, lot=lot.ref, bidder=demand.participant.party.name)
        for demand, row in _wrong(session, lot)
        for kind in row.exceptions
        if kind != "late"
    ]


def _wrong(session: Session, lot: Lot | None = None) -> list[tuple[demands.DepositDemand, Receipt]]:
    query = select(Receipt).where(Receipt.demand_id.is_not(None), Receipt.exceptions != [])
    rows = [(row.demand, row) for row in session.scalars(query.order_by(Receipt.id)) if row.demand is not None]
    return [
        (demand, row)
        for demand, row in rows
        if (lot is None or demand.lot_id == lot.id) and demands.is_public(session, demand.lot)
    ]


def _exception(
    kind: str, ref: str, line: BankLine, *, lot: str = "", bidder: str = "", text: str = ""
) -> ExceptionCard:
    return ExceptionCard(
        kind, ref, line.at, Money(line.amount_minor), line.payer_name, line.payer_account[-4:], lot, bidder, text
    )


def balances(view: View) -> dict[str, Money]:
    """The balance of every account of the chart, over all lots but sealed ones. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    found = postings.balances(view.session, Sealed(view.session).entries)
    return {code: Money(amount) for code, amount in found.items()}


def lot_postings(view: View, lot: Lot) -> list[PostingCard]:
    """The ledger of one lot's sub-accounts and refunds. Refuses: NotAllowed, NotFound while its payers are sealed."""
    view.require(Act.DEPOSIT_LOOK)
    if not demands.is_public(view.session, lot):
        raise NotFound("deposit.unknown")
    of = [demand.sub_account for demand in demands.of_lot(view.session, lot)]
    back = (
        select(Refund.ref)
        .join(demands.DepositDemand, demands.DepositDemand.id == Refund.demand_id)
        .where(demands.DepositDemand.lot_id == lot.id)
    )
    items = [*of, *view.session.scalars(back)]
    query = (
        select(LedgerEntry, Posting).join(Posting, Posting.entry_id == LedgerEntry.id).where(Posting.item.in_(items))
    )
    return [
        PostingCard(
            entry.ref,
            entry.at,
            entry.kind,
            line.account,
            line.item,
            Money(line.amount_minor) if line.amount_minor > 0 else None,
            Money(-line.amount_minor) if line.amount_minor < 0 else None,
        )
        for entry, line in view.session.execute(query.order_by(LedgerEntry.id, Posting.id))
    ]


def forfeits_of(view: View, lot: Lot) -> list[forfeits.Forfeit]:
    """Refuses: NotAllowed, NotFound while the payers are sealed."""
    view.require(Act.DEPOSIT_LOOK)
    if not demands.is_public(view.session, lot):
        raise NotFound("deposit.unknown")
    return forfeits.of_lot(view.session, lot)


def other_payees(view: View, cards: Iterable[RefundCard]) -> dict[str, str]:
    """By reference, the name a refund goes to where it is not the bidder's own: somebody else paid, and gets it back (rule D-05)."""
    seen = {card.ref: card.bidder for card in cards}
    rows = view.session.scalars(select(Refund).where(Refund.ref.in_(seen)))
    return {row.ref: row.payee_name for row in rows if receipts.plain(row.payee_name) != receipts.plain(seen[row.ref])}


def payee_change(view: View, ref: str) -> payees.PayeeChange | None:
    """The change that waits for approval on a refund. Refuses: NotAllowed, NotFound."""
    refund_card(view, ref)
    return payees.pending(view.session, refunds.refund(view.session, ref))


def payee_request(view: View, ref: str) -> payees.PayeeChange | None:
    """The request for another account that waits, or how the last one ended. Refuses: NotAllowed, NotFound (also of a sealed lot)."""
    refund_card(view, ref)
    return payees.latest(view.session, refunds.refund(view.session, ref))


# --- a bidder's own ---------------------------------------------------------------------------------------------------


def own_refunds(view: View, demand: demands.DepositDemand) -> tuple[RefundCard, ...]:
    """The refunds of one's own demand, for its owner alone (the caller has looked whose it is)."""
    today = local_day(view.now)
    held = demands.holds(view.session, demand.id, view.now)
    return tuple(_card(view, row, held, today, today) for row in refunds.of_demand(view.session, demand.id))


def chart() -> tuple[accounts.Account, ...]:
    """The chart of accounts, for headings."""
    return tuple(accounts.CHART.values())

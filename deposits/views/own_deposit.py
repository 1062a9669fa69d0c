"""A bidder's own deposit, as its owner may see it: what is asked, what arrived and when, what is wrong with it, and the way back.

Nothing here is for anybody else: who has paid is secret until the opening list (rule D-12).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select

from deposits import demands, forfeits, receipts
from deposits.demands import DepositDemand
from deposits.receipts import Receipt
from deposits.views import queries
from deposits.views.queries import RefundCard
from trading.bidding import participants
from trading.kernel.access import Act
from trading.kernel.calendar import BEIJING, WorkingDayCalendar, local_day
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.rulebook import calendars
from trading.tendering.tenders import Lot

BANKS_CLOSE = dt.time(17, 0)
"""What leaves the payer's bank on a working day before this hour is there the same day; later, or between days of rest, it may not be."""
GOING = ("DUE", "REFUND_DRAFT", "REFUND_CHECKED", "SENT")


@dataclass(frozen=True)
class OwnPayment:
    """One payment as the bank told it. ``exceptions``: payer_name, payer_account, late. ``late_by``: seconds past the deadline, 0 in
    time (the deadline's own second is one late)."""

    at: dt.datetime
    amount: Money
    payer: str
    account_tail: str
    bank_id: str
    exceptions: tuple[str, ...]
    late_by: int


@dataclass(frozen=True)
class OwnForfeit:
    """A proposal or decision to keep the deposit. ``goes_to``: the account of the chart it went to."""

    state: str
    ground: str
    evidence: str
    hearing: str
    drafted_at: dt.datetime
    decided_at: dt.datetime | None
    goes_to: str
    amount: Money


@dataclass(frozen=True)
class OwnCard:
    """A bidder's own deposit. ``secured``: had arrived in full in time. ``over``: the deadline has passed. ``missing``: what still has to
    arrive. ``safe_until``: what is sent before it arrives before the deadline. ``exceptions``: what is wrong with the payer."""

    lot: str
    sub_account: str
    amount: Money
    received: Money
    secured: bool
    due_at: dt.datetime
    exceptions: tuple[str, ...]
    refunds: tuple[RefundCard, ...]
    held_basis: str = ""
    over: bool = False
    public: bool = False
    payments: tuple[OwnPayment, ...] = ()
    forfeit: OwnForfeit | None = None
    safe_until: dt.datetime | None = None

    @property
    def missing(self) -> Money:
        rest = self.amount - self.received
        return rest if rest.is_positive else Money.zero(self.amount.currency)

    @property
    def returned(self) -> tuple[RefundCard, ...]:
        """Refunds the bank could not pay out."""
        return tuple(row for row in self.refunds if row.state == "RETURNED_BY_BANK")

    @property
    def state(self) -> str:
        """Before the deadline unpaid, short or secured; after it none, short, late, or held; then due, sent, back, returned, forfeited,
        converted."""
        main = [row for row in self.refunds if row.part == "deposit"]
        if self.forfeit is not None and self.forfeit.state == "FORFEITED":
            return "forfeited"
        if self.returned:
            return "returned"
        if main:
            states = {row.state for row in main}
            return "sent" if "SENT" in states else "due" if states & {*GOING, "HELD"} else "back"
        if self.secured:
            return "held" if self.public else "secured"
        if not self.received.is_positive:
            return "none" if self.over else "unpaid"
        return "late" if not self.missing.is_positive and self.over else "short"


def own(view: View, lot: Lot) -> OwnCard | None:
    """One's own deposit in a lot; None where it asks for none. Refuses: NotAllowed, NotFound (does not take part)."""
    demand = own_demand(view, lot)
    if demand is None:
        return None
    paid = receipts.of_demand(view.session, demand.id)
    held = demands.holds(view.session, demand.id, view.now)
    return OwnCard(
        lot.ref,
        demand.sub_account,
        Money(demand.amount_minor),
        Money(sum(row.amount_minor for row in paid)),
        participants.is_secured(demand.participant),
        demand.due_at,
        tuple(sorted({kind for row in paid for kind in row.exceptions})),
        queries.own_refunds(view, demand),
        held[0].basis if held else "",
        over=view.now >= demand.due_at,
        public=demands.is_public(view.session, lot),
        payments=tuple(_payment(row, demand) for row in paid),
        forfeit=_forfeit(view, demand),
        safe_until=safe_until(calendars.current(view.session), demand.due_at),
    )


def own_demand(view: View, lot: Lot) -> DepositDemand | None:
    """The demand behind the card. Refuses: NotAllowed, NotFound (does not take part)."""
    view.require(Act.DEPOSIT_LOOK_OWN)
    query = select(participants.Participant).where(
        participants.Participant.lot_id == lot.id, participants.Participant.party_id == view.actor.party_id
    )
    participant = view.session.scalar(query)
    if participant is None:
        raise NotFound("participant.none", ref=lot.ref)
    return demands.of_participant(view.session, participant)


def safe_until(calendar: WorkingDayCalendar, due_at: dt.datetime) -> dt.datetime | None:
    """The close of the last working day of the banks before a deadline; None where the calendar of its year is unknown."""
    day = local_day(due_at)
    try:
        while True:
            close = dt.datetime.combine(day, BANKS_CLOSE, BEIJING).astimezone(dt.UTC)
            if close < due_at and calendar.is_working_day(day):
                return close
            day -= dt.timedelta(days=1)
    except Invalid:
        return None


def _payment(row: Receipt, demand: DepositDemand) -> OwnPayment:
    late = row.at >= demand.due_at
    return OwnPayment(
        row.at,
        Money(row.amount_minor),
        row.line.payer_name,
        row.line.payer_account[-4:],
        row.line.bank_id,
        tuple(row.exceptions),
        max(1, int((row.at - demand.due_at).total_seconds())) if late else 0,
    )


def _forfeit(view: View, demand: DepositDemand) -> OwnForfeit | None:
    row = forfeits.latest(view.session, demand)
    if row is None or row.state == "DROPPED":
        return None
    return OwnForfeit(
        row.state,
        row.ground,
        row.evidence,
        row.hearing,
        row.drafted_at,
        row.decided_at,
        row.goes_to,
        Money(row.amount_minor),
    )

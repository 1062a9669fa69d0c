"""What is due when, and taking it: the clock's own hand (architecture §6).

``due`` is pure reading; ``turn`` takes everything that is due and seals the log's tick if one is due. It may run twice, late, or on two
machines: every step checks its state in its own transaction, and a tick is sealed once. The law never waits for it: acts compare
``work.now`` with the deadline themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, literal, select, text, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trading.availability import deadline_faults
from trading.awarding import contracts
from trading.bidding import bids, closing, floods, officer_news, signed_bids
from trading.custody import officers, signed_policies
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.db import Moment
from trading.kernel.errors import Conflict, WrongStep
from trading.kernel.faults import fault
from trading.kernel.work import Office, UnitOfWork
from trading.procedures import procedure_of
from trading.remedies import disputes
from trading.tendering import notices, terms
from trading.tendering.tenders import LOT_FLOW, Lot


@dataclass(frozen=True)
class Due:
    """One step the clock should take: ``what``, on which lot, since when."""

    what: str
    lot_id: int
    since: datetime


def _due_query() -> CompoundSelect[Any]:
    now, closed, fault = bindparam("now", type_=Moment), closing.Closing, deadline_faults.DeadlineFault
    change = officers.PolicyChange
    return union_all(
        select(literal("issue"), Lot.id, Lot.issue_at).where(Lot.state == "NOTICE", Lot.issue_at <= now),
        select(literal("close"), Lot.id, Lot.deadline).where(Lot.state == "BIDDING", Lot.deadline <= now),
        select(literal("close"), Lot.id, closed.tick_at)  # whatever the lot's row says of its deadline
        .join(closed, Lot.id == closed.lot_id)
        .where(Lot.state == "BIDDING", Lot.deadline > now, closed.part == officers.BID),
        select(literal("judge"), Lot.id, closed.tick_at)
        .join(closed, Lot.id == closed.lot_id)
        .where(Lot.state == "OPENING", closed.part == officers.BID, Lot.closed_at.is_(None)),
        select(literal("objection_late"), disputes.Objection.lot_id, disputes.Objection.due_at).where(
            disputes.Objection.state == "FILED", disputes.Objection.due_at <= now
        ),
        select(literal("fault_settle"), Lot.id, fault.confirmed_at)
        .join(fault, Lot.id == fault.lot_id)
        .where(fault.state == "SUSPENDED", Lot.deadline >= fault.until),
        select(literal("officers_tell"), change.lot_id, change.ended_at).where(
            change.kind == "officers", change.state == "DONE", change.told_at.is_(None)
        ),
        select(literal("settle"), Lot.id, contracts.Contract.filed_at)
        .join(contracts.Contract, contracts.Contract.lot_id == Lot.id)
        .where(Lot.state == "FILING"),
    )


_DUE = _due_query()


def due(session: Session, now: datetime) -> list[Due]:
    """Everything that should have been taken by ``now``, earliest first: one query, asked every second."""
    found = [Due(str(row[0]), int(row[1]), row[2]) for row in session.execute(_DUE, {"now": now}) if row[2] is not None]
    return sorted(found, key=lambda d: (d.since, d.what, d.lot_id))


def take_due(office: Office, todo: list[Due] | None = None) -> list[str]:
    """Take everything due, each step in a unit of its own; returns what was taken, as ``step LOT``. ``todo``: what is known to be due."""
    taken: list[str] = []
    while True:
        if todo is None:
            with office.view(CLOCK) as view:
                todo = due(view.session, view.now)
        progress = False
        for one in todo:
            try:
                with office.work(CLOCK) as work:
                    lot = work.session.get(Lot, one.lot_id)
                    assert lot is not None
                    work.lock(lot)
                    if STEPS[one.what](work, lot):
                        taken.append(f"{one.what} {lot.ref}")
                        progress = True
            except WrongStep:
                continue  # another machine took it
        if not progress:
            return taken
        todo = None


def turn(office: Office) -> list[str]:
    """One turn of the clock: what is due, then the log's tick (with the closing entries that belong into it), then what that made due.
    Nothing while the machine's clocks disagree: what is due stays due."""
    with office.view(CLOCK) as view:
        office.clock.tend(log.newest(view.session))
        if office.clock.doubt() is not None:
            return []
        todo, tick = due(view.session, view.now), log.due_tick(view.session, view.now)
    taken = take_due(office, todo) if todo else []
    if tick is not None and (closed := seal_tick(office)) is not None:
        taken += ["tick", *(take_due(office) if closed else [])]
    return taken


def seal_tick(office: Office) -> list[str] | None:
    """Seal the tick that is due; the deadline entries of lots it closes are written into it. The lots closed, or None without a tick.

    What remembers the log is asked before, and gets the checkpoint after. Refuses: NotReady as ``memory.Memory.check``."""
    if office.memory is None:
        return _seal_tick(office)
    with office.memory.turn() as ours:
        return _seal_tick(office) if ours else None


def _seal_tick(office: Office) -> list[str] | None:
    try:
        with office.work(CLOCK) as work:
            if work.session.get_bind().dialect.name == "postgresql":
                work.session.execute(text("SELECT pg_advisory_xact_lock(4242002)"))
            at = log.due_tick(work.session, work.now)
            if at is None:
                return None
            if office.memory is not None:
                office.memory.check(work.session)
            floods.gather(work, at)
            lots = closing.to_close(work, at)
            for lot in lots:
                for part in officers.bid_envelopes(lot):
                    closing.close_intake(work, lot, at, part)
            tick = log.seal(work, at)
    except IntegrityError:
        return None  # another machine sealed it
    if office.memory is not None:
        fault("memory.keep")
        office.memory.keep(tick.checkpoint, at)
    return [lot.ref for lot in lots]


# --- the steps --------------------------------------------------------------------------------------------------------


def _issue(work: UnitOfWork, lot: Lot) -> bool:
    if lot.state != "NOTICE":
        return False
    LOT_FLOW.take(work, lot, "issue")
    return True


def _close(work: UnitOfWork, lot: Lot) -> bool:
    """At the deadline everybody signed, or once the intake is closed: the row of the lot alone ends nothing."""
    moment = signed_policies.deadlines(work, [lot]).get(lot.id)
    if lot.state != "BIDDING" or moment is None:
        return False
    if work.now < moment and not (closing.is_closed(work.session, lot) and closing.is_logged(work, lot, officers.BID)):
        return False
    LOT_FLOW.take(work, lot, "close")
    return True


def _judge(work: UnitOfWork, lot: Lot) -> bool:
    """After the closing tick: enough bids, or a failed tender whose envelopes stay sealed for ever (rules B-01, B-07)."""
    row = closing.find(work.session, lot)
    if lot.state != "OPENING" or lot.closed_at is not None or row is None:
        return False
    if deadline_faults.is_held(work.session, lot, work.now):
        return False  # whoever was shut out may make the number: no lot fails for too few while that is open
    if not _counted_right(work, lot):
        return False  # the host's act says which row differs, and doctor that the step is overdue
    lot.closed_at = row.tick_at
    minimum = procedure_of(lot).minimum
    if len(bids.complete(work.session, lot)) < minimum.bidders(
        terms.book(lot)
    ):  # with two envelopes a lone one is no bid
        lot.failure, lot.failure_reason = "few_bidders", str(minimum.at_deadline)
        LOT_FLOW.take(work, lot, minimum.fails_by, ground=lot.failure, rule=lot.failure_reason)
        body = {"ground": lot.failure, "rule": lot.failure_reason, "entries": row.entries, "deadline": row.deadline_c}
        if lot.two_envelopes:
            price = closing.closing(work.session, lot, officers.PRICE)
            body |= {"entries_price": price.entries, "deadline_price": price.deadline_c}
        notices.post(work, lot, "failure", title=lot.title, body=body)
    return True


def _counted_right(work: UnitOfWork, lot: Lot) -> bool:
    """Whether the bids that the rows count are those of the log: no lot fails, and none goes on, by a row alone."""
    try:
        return not any(
            found
            for part in officers.bid_envelopes(lot)
            for found in (*signed_bids.differences(work, lot, part), *signed_bids.of_closing(work, lot, part))
        )
    except Conflict:
        return False


def _objection_late(work: UnitOfWork, lot: Lot) -> bool:
    late = [o for o in disputes.overdue(work.session, work.now) if o.lot_id == lot.id]
    for one in late:
        disputes.OBJECTION_FLOW.take(work, one, "fall_late")
    return bool(late)


def _fault_settle(work: UnitOfWork, lot: Lot) -> bool:
    return deadline_faults.settle_extended(work, lot)


def _officers_tell(work: UnitOfWork, lot: Lot) -> bool:
    return officer_news.tell(work, lot)


def _settle(work: UnitOfWork, lot: Lot) -> bool:
    if lot.state != "FILING":
        return False
    LOT_FLOW.take(work, lot, "settle")
    return True


STEPS: dict[str, Callable[[UnitOfWork, Lot], bool]] = {
    "issue": _issue,
    "close": _close,
    "judge": _judge,
    "objection_late": _objection_late,
    "fault_settle": _fault_settle,
    "officers_tell": _officers_tell,
    "settle": _settle,
}

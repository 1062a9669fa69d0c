"""What is due when, and taking it: the clock's own hand (architecture §6).

``due`` is pure reading; ``turn`` takes everything that is due and seals the log's tick if one is due. It may run twice, late, or on two
machines: every step checks its state in its own transaction, and a tick is sealed once. The law never waits for it: acts compare
``work.now`` with the deadline themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trading import bids, closing, contracts, disputes, notices, officers
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.errors import WrongStep
from trading.kernel.work import Office, UnitOfWork
from trading.tenders import LOT_FLOW, Lot

LEAST_BIDDERS = "B-01"


@dataclass(frozen=True)
class Due:
    """One step the clock should take: ``what``, on which lot, since when."""

    what: str
    lot_id: int
    since: datetime


def due(session: Session, now: datetime) -> list[Due]:
    """Everything that should have been taken by ``now``, earliest first."""
    found: list[Due] = []
    for what, state, column in (("issue", "NOTICE", Lot.issue_at), ("close", "BIDDING", Lot.deadline)):
        rows = session.execute(select(Lot.id, column).where(Lot.state == state, column.is_not(None), column <= now))
        found += [Due(what, lot_id, since) for lot_id, since in rows if since is not None]
    closed = select(closing.Closing.lot_id, closing.Closing.tick_at).join(Lot, Lot.id == closing.Closing.lot_id)
    judged = closed.where(Lot.state == "OPENING", closing.Closing.part == officers.BID, Lot.closed_at.is_(None))
    found += [Due("judge", lot_id, since) for lot_id, since in session.execute(judged)]
    found += [Due("objection_late", o.lot_id, o.due_at) for o in disputes.overdue(session, now)]
    settle = select(Lot.id, contracts.Contract.filed_at).join(contracts.Contract, contracts.Contract.lot_id == Lot.id)
    settled = session.execute(settle.where(Lot.state == "FILING"))
    found += [Due("settle", lot_id, since) for lot_id, since in settled if since is not None]
    return sorted(found, key=lambda d: (d.since, d.what, d.lot_id))


def take_due(office: Office) -> list[str]:
    """Take everything due, each step in a unit of its own; returns what was taken, as ``step LOT``."""
    taken: list[str] = []
    while True:
        with office.look(CLOCK) as look:
            todo = due(look.session, look.now)
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


def turn(office: Office) -> list[str]:
    """One turn of the clock: what is due, then the log's tick (with the closing entries that belong into it), then what that made due."""
    taken = take_due(office)
    if seal_tick(office):
        taken += ["tick", *take_due(office)]
    return taken


def seal_tick(office: Office) -> bool:
    """Seal the tick that is due, if any; the deadline entries of lots it closes are written into it. False if there was none to seal."""
    with office.look(CLOCK) as look:
        if log.due_tick(look.session, look.now) is None:
            return False
    try:
        with office.work(CLOCK) as work:
            if work.session.get_bind().dialect.name == "postgresql":
                work.session.execute(text("SELECT pg_advisory_xact_lock(4242002)"))
            at = log.due_tick(work.session, work.now)
            if at is None:
                return False
            for lot in closing.to_close(work.session, at):
                closing.close_intake(work, lot, at)
            log.seal(work, at)
    except IntegrityError:
        return False  # another machine sealed it
    return True


# --- the steps --------------------------------------------------------------------------------------------------------


def _issue(work: UnitOfWork, lot: Lot) -> bool:
    if lot.state != "NOTICE":
        return False
    LOT_FLOW.take(work, lot, "issue")
    return True


def _close(work: UnitOfWork, lot: Lot) -> bool:
    if lot.state != "BIDDING" or lot.deadline is None or work.now < lot.deadline:
        return False
    LOT_FLOW.take(work, lot, "close")
    return True


def _judge(work: UnitOfWork, lot: Lot) -> bool:
    """After the closing tick: enough bids, or a failed tender whose envelopes stay sealed for ever (rules B-01, B-07)."""
    row = closing.find(work.session, lot)
    if lot.state != "OPENING" or lot.closed_at is not None or row is None:
        return False
    lot.closed_at = row.tick_at
    if len(bids.standing_bids(work.session, lot)) < 3:
        lot.failure, lot.failure_reason = "few_bids", LEAST_BIDDERS if lot.regime == "GP" else "B-07"
        LOT_FLOW.take(work, lot, "fail_few", ground=lot.failure, rule=lot.failure_reason)
        body = {"ground": lot.failure, "rule": lot.failure_reason, "entries": row.entries, "deadline": row.deadline_c}
        notices.post(work, lot, "failure", title=lot.title, body=body)
    return True


def _objection_late(work: UnitOfWork, lot: Lot) -> bool:
    late = [o for o in disputes.overdue(work.session, work.now) if o.lot_id == lot.id]
    for one in late:
        disputes.OBJECTION_FLOW.take(work, one, "fall_late")
    return bool(late)


def _settle(work: UnitOfWork, lot: Lot) -> bool:
    if lot.state != "FILING":
        return False
    LOT_FLOW.take(work, lot, "settle")
    return True


STEPS: dict[str, Callable[[UnitOfWork, Lot], bool]] = {
    "issue": _issue, "close": _close, "judge": _judge, "objection_late": _objection_late, "settle": _settle,
}

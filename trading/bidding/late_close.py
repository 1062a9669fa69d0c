"""A closing that came late: the supervisory body confirms it with its own key before anything is opened (protocol §4, Deadline).

Law of the noun: the closing tick is the first at least a minute after the deadline; where an outage made it later than ten minutes,
nobody opens before a signed ``late-close`` names this very closing with what was found. What the body sees is the log alone: moments of
ticks and the gap between them, never who or how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import parse_time
from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.ticks import Busy, schedule
from trading.bidding import closing
from trading.bidding.closing import Closing
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, Invalid
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments
from trading.parties.parties import account
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class LateClosing:
    """What happened, as the log shows it. ``last_before``: the tick before the closing one, None if the log began there; ``missed``: ticks
    that were due in between and are not there; ``confirmed``: the entry of the confirmation, None while it is awaited."""

    lot: Lot
    part: str
    deadline: datetime
    closing_at: datetime
    tick: int
    last_before: datetime | None
    missed: int
    confirmed: LogEntry | None

    @property
    def minutes_late(self) -> int:
        """Whole minutes from the deadline to the closing tick."""
        return int((self.closing_at - self.deadline).total_seconds() // 60)


def find(session: Session, lot: Lot, part: str = officers.BID) -> LogEntry | None:
    """The entry of the confirmation, None while there is none."""
    return session.scalar(
        select(LogEntry)
        .where(
            LogEntry.event == "late-close",
            LogEntry.tender == lot.tender.ref,
            LogEntry.lot == lot.no_text,
            LogEntry.part == part,
        )
        .order_by(LogEntry.id.desc())
        .limit(1)
    )


def is_awaited(session: Session, lot: Lot, row: Closing, deadline: datetime) -> bool:
    """Whether this closing needs a confirmation it has not got."""
    return closing.is_late(row, deadline) and find(session, lot, row.part) is None


def what_happened(session: Session, lot: Lot, part: str = officers.BID) -> LateClosing | None:
    """The late closing of an envelope; None where the closing was in time or has not come."""
    row = closing.find(session, lot, part)
    policy = officers.find_policy(session, lot, part)
    if row is None or policy is None or not closing.is_late(row, policy.deadline):
        return None
    before = session.get(LogTick, row.tick - 1) if row.tick else None
    busy = [Busy(write_moment(policy.deadline), write_moment(policy.opens_at))]
    due = schedule(write_moment(before.at), write_moment(row.tick_at), busy)[1:-1] if before is not None else []
    return LateClosing(
        lot,
        part,
        policy.deadline,
        row.tick_at,
        row.tick,
        before.at if before else None,
        len(due),
        find(session, lot, part),
    )


def all_late(view: View) -> list[LateClosing]:
    """Late closings of lots at their opening, those that wait for a confirmation first. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    rows = view.session.scalars(
        select(Lot).join(Closing, Closing.lot_id == Lot.id).where(Lot.state == "OPENING").order_by(Lot.id).distinct()
    )
    found = [late for lot in rows if (late := what_happened(view.session, lot)) is not None]
    return sorted(found, key=lambda one: one.confirmed is not None)


def document(work: View, late: LateClosing, *, finding: str, at: str) -> dict[str, Any]:
    """The ``late-close`` to be signed, with the words of the finding; ``at``: protocol time of the signer."""
    row = closing.closing(work.session, late.lot, late.part)
    policy = officers.current_policy(work.session, late.lot, late.part)
    return {
        "v": 1,
        "platform": work.office.platform,
        "tender": late.lot.tender.ref,
        "lot": late.lot.no_text,
        "envelope": late.part,
        "policy": policy.policy_id,
        "at": at,
        "closing": row.tick,
        "deadline": row.deadline_c,
        "finding": finding,
    }


def confirm(work: UnitOfWork, lot: Lot, envelope: Any, part: str = officers.BID) -> None:
    """Log the supervisory body's signed ``late-close``; the opening may go on from then.

    Refuses: NotAllowed (not a supervisor, not freshly signed in), NotFound (no closing yet, no key enrolled), Conflict
    ``late_close.not_late``, ``late_close.confirmed``, Invalid ``late_close.bad`` (signature, another closing, the moment).
    """
    work.require(Act.FINDING_SIGN)
    work.lock(lot)
    closing.closing(work.session, lot, part)
    late = what_happened(work.session, lot, part)
    if late is None:
        raise Conflict("late_close.not_late")
    if late.confirmed is not None:
        raise Conflict("late_close.confirmed", at=late.confirmed.at)
    key = own_key(work)
    try:
        given = open_document(envelope, "late-close", key)
        if given != document(work, late, finding=given["finding"], at=given["at"]):
            raise CryptoError("CONTEXT_MISMATCH", "a late-close of another closing")
        if not late.closing_at <= parse_time(given["at"]) <= work.now + enrolments.SKEW:
            raise CryptoError("CONTEXT_MISMATCH", "dated before the closing, or in the future")
    except CryptoError as error:
        raise Invalid("late_close.bad", reason=error.code, detail=error.detail) from error
    statement = keep_document(work, "late-close", envelope, signed=True)
    work.log(
        "late-close",
        statement=statement,
        tender=lot.tender.ref,
        lot=lot.no_text,
        envelope=part,
        at=floor_second(work.now),
    )
    work.record("closing.confirm_late", lot.log_of, tick=late.tick, minutes=late.minutes_late)


def own_key(work: View) -> bytes:
    """The enrolled Ed25519 key of the supervisor who acts. Refuses: NotFound ``key.not_enrolled``."""
    assert work.actor.account_id is not None
    username = account(work.session, work.actor.account_id).username
    return enrolments.sign_bytes(enrolments.standing_key(work.session, username, "supervisor"))

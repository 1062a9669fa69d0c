"""The closing of a lot: the salted list of all that came, bound into the tick that ends the intake (protocol §4, Deadline).

Law of the noun: the closing tick is the first at least 60 s after the deadline, whether anything is in flight or not. It holds the
``deadline`` entry, whose document names the hash of the list of all ``bid-*`` entries up to it; the list itself is opened with the
opening, or when the lot fails.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto.canonical import H, b64u, unb64u
from crypto.signatures import document_hash
from trading.bidding import floods
from trading.custody import officers, signed_policies
from trading.kernel import log, signed
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, keep_document
from trading.kernel.clock import write_moment
from trading.kernel.db import Base, Json, Moment, append_only
from trading.kernel.errors import NotFound
from trading.kernel.faults import fault
from trading.kernel.work import UnitOfWork, View
from trading.tendering.tenders import Lot

CLOSING_DELAY = timedelta(seconds=60)
CLAIMS = timedelta(seconds=120)
LATE_CLOSE = timedelta(minutes=10)
COUNTED = ("bid-received", "bid-replaced", "bid-withdrawn", "bid-refused", "bid-refusals")
"""What a closing list names: every answer to a bidder that has a slot."""
OPEN_STATES = ("NOTICE", "BIDDING", "OPENING")


class Closing(Base):
    """``entries``: the list ``{v, entries, salt}``; ``deadline_c``: the ``deadline`` entry; ``tick``: the closing tick's number."""

    __tablename__ = "closing"
    __table_args__ = (UniqueConstraint("lot_id", "part"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    part: Mapped[str] = mapped_column(String(128))
    tick: Mapped[int]
    tick_at: Mapped[datetime] = mapped_column(Moment)
    entries: Mapped[dict[str, Any]] = mapped_column(Json)
    document: Mapped[str] = mapped_column(String(50))
    deadline_c: Mapped[str] = mapped_column(String(50))


append_only(Closing.__table__)  # type: ignore[arg-type]


def to_close(view: View, tick_at: datetime) -> list[Lot]:
    """Lots whose closing tick is the one being built at ``tick_at``, in order: by the deadline everybody signed, whatever the row says. A
    lot of which the signed documents do not hold is not closed by anybody."""
    closed = select(Closing.lot_id).where(Closing.part == officers.BID)
    query = select(Lot).where(Lot.published_at.is_not(None), Lot.state.in_(OPEN_STATES), Lot.id.not_in(closed))
    lots = list(view.session.scalars(query.order_by(Lot.id)))
    moments = signed_policies.deadlines(view, lots)
    return [lot for lot in lots if lot.id in moments and moments[lot.id] <= tick_at - CLOSING_DELAY]


def close_intake(work: UnitOfWork, lot: Lot, tick_at: datetime, part: str = officers.BID) -> Closing:
    """Write the ``deadline`` entry of a lot into the tick about to be sealed. Called by the clock, in the tick's own transaction.

    The lot's row is locked, as every submission does, so no entry of this lot can slip between the list and the tick.
    """
    work.require(Act.CLOCK)
    work.lock(lot)
    found = list(
        work.session.scalars(
            select(LogEntry.c).where(
                LogEntry.tender == lot.tender.ref,
                LogEntry.lot == lot.no_text,
                LogEntry.part == part,
                LogEntry.event.in_(COUNTED),
            )
        )
    )
    listed = floods.without_slot(work.session, found)
    cs = sorted((c for c in found if c not in listed), key=unb64u)
    salt = secrets.token_bytes(32)
    policy = signed_policies.line(work, lot, part)[-1]
    document = {
        "v": 1,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": part,
        "policy": policy.id,
        "at": write_moment(tick_at),
        "deadline": write_moment(policy.deadline),
        "entries": b64u(H("entries", salt, *(unb64u(c) for c in cs))),
    }
    keep_document(work, "deadline", document, signed=False)
    entry = work.log(
        "deadline", statement=document_hash(document), tender=lot.tender.ref, lot=lot.no_text, envelope=part, at=tick_at
    )
    last = log.last_tick(work.session)
    row = Closing(
        lot_id=lot.id,
        part=part,
        tick=0 if last is None else last.tick + 1,
        tick_at=tick_at,
        entries={"v": 1, "salt": b64u(salt), "entries": cs},
        document=document_hash(document),
        deadline_c=entry.c,
    )
    work.session.add(row)
    work.session.flush()
    fault("closing.written")
    return row


def is_closed(session: Session, lot: Lot, part: str = officers.BID) -> bool:
    """Whether the closing list of an envelope is written; asked with every submission, so it reads no list."""
    return session.scalar(select(Closing.id).where(Closing.lot_id == lot.id, Closing.part == part)) is not None


def is_logged(view: View, lot: Lot, part: str) -> bool:
    """Whether the log holds the entry of the closing: a row alone closes nothing. Refuses: Conflict ``signed.altered``."""
    return bool(signed.listed(view, "deadline", tender=lot.tender.ref, lot=lot.no_text, part=part))


def is_there(lot_id: Any, part: Any) -> Any:
    """``is_closed`` as a part of a larger question."""
    return exists().where(Closing.lot_id == lot_id, Closing.part == part)


def find(session: Session, lot: Lot, part: str = officers.BID) -> Closing | None:
    return session.scalar(select(Closing).where(Closing.lot_id == lot.id, Closing.part == part))


def closing(session: Session, lot: Lot, part: str = officers.BID) -> Closing:
    """Refuses: NotFound ``closing.not_yet``."""
    found = find(session, lot, part)
    if found is None:
        raise NotFound("closing.not_yet", ref=lot.ref)
    return found


def claims_end(row: Closing, opens_at: datetime) -> datetime:
    """No share is posted before this moment (protocol §4, Claims)."""
    return max(row.tick_at + CLAIMS, opens_at)


def is_late(row: Closing, deadline: datetime) -> bool:
    """Whether the closing tick came so late that the supervisory body must confirm it first."""
    return row.tick_at > deadline + LATE_CLOSE

"""A flood of refused attempts: each gets a signed no at once, but a tick of the log holds one list for all beyond the eighth (protocol §4).

Law of the noun: the first eight refused attempts of a bidder for a lot and envelope are entries with a slot of their own. What follows
waits here and is bound into the next tick by one ``bid-refusals`` entry per bidder, lot and envelope, whose statement is the sorted list
of their hashes. A list names one bidder's refusals only, so its receipt tells nothing about others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto.canonical import b64u, unb64u
from crypto.documents import MAX_LISTED, check_document
from crypto.ticks import REFUSALS_WITH_SLOT
from trading.bidding import uploads
from trading.bidding.uploads import Upload
from trading.kernel import audit, log
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, SignedEntry
from trading.kernel.clock import Span, floor_second, write_moment
from trading.kernel.db import Base, append_only
from trading.kernel.errors import NotReady
from trading.kernel.work import UnitOfWork
from trading.parties.parties import Party
from trading.tendering.tenders import Lot

EVENT, LIST = "bid-refused", "bid-refusals"


class FloodWaiting(Base):
    """A refusal beyond the eighth that is in no list yet: the next tick takes it."""

    __tablename__ = "flood_waiting"
    __table_args__ = (Index("ix_flood_waiting_of", "lot_id", "party_id", "part"),)

    c: Mapped[str] = mapped_column(ForeignKey("log_entry.c"), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    part: Mapped[str] = mapped_column(String(128))


class FloodListed(Base):
    """The list a refusal stands in: ``list_c`` is the ``bid-refusals`` entry that has the slot."""

    __tablename__ = "flood_listed"

    c: Mapped[str] = mapped_column(ForeignKey("log_entry.c"), primary_key=True)
    list_c: Mapped[str] = mapped_column(ForeignKey("log_entry.c"), index=True)


append_only(FloodListed.__table__)  # type: ignore[arg-type]


def log_refusal(
    work: UnitOfWork, lot: Lot, party: Party, *, part: str, statement: str, reason: str, before: int
) -> SignedEntry:
    """Sign a ``bid-refused`` entry; ``before``: refused attempts of this bidder, lot and envelope so far. The lot is locked by the caller.

    Refuses: NotReady ``bid.too_many_refusals`` where a list is full: the edge is busy and stamps nothing.
    """
    own = before < REFUSALS_WITH_SLOT
    if not own and _waiting(work.session, lot, party, part) >= MAX_LISTED:
        raise NotReady("bid.too_many_refusals", reason=reason, most=MAX_LISTED)
    entry = work.log(
        EVENT, statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part, reason=reason, slot=own
    )
    if not own:
        work.session.add(FloodWaiting(c=entry.c, lot_id=lot.id, party_id=party.id, part=part))
        work.session.flush()
    return entry


def _waiting(session: Session, lot: Lot, party: Party, part: str) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(FloodWaiting)
            .where(FloodWaiting.lot_id == lot.id, FloodWaiting.party_id == party.id, FloodWaiting.part == part)
        )
        or 0
    )


def gather(work: UnitOfWork, tick_at: datetime) -> None:
    """Bind all that waits into the tick about to be sealed, a list for each bidder, lot and envelope. In the tick's own transaction."""
    work.require(Act.CLOCK)
    groups: dict[tuple[int, int, str], list[str]] = {}
    for row in work.session.scalars(select(FloodWaiting)):
        groups.setdefault((row.lot_id, row.party_id, row.part), []).append(row.c)
    for (lot_id, party_id, part), cs in sorted(groups.items()):
        _list(
            work,
            work.session.get_one(Lot, lot_id),
            work.session.get_one(Party, party_id),
            part,
            sorted(cs, key=unb64u),
            tick_at,
        )


def _list(work: UnitOfWork, lot: Lot, party: Party, part: str, cs: list[str], tick_at: datetime) -> None:
    document = {
        "v": 1,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": part,
        "bidder": party.code,
        "entries": cs,
    }
    check_document("refusal-list", document)
    statement = audit.keep_document(work, "refusal-list", document, signed=False)
    entry = work.log(LIST, statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part, at=tick_at)
    work.session.add_all(FloodListed(c=c, list_c=entry.c) for c in cs)
    work.session.execute(delete(FloodWaiting).where(FloodWaiting.c.in_(cs)))
    work.session.flush()


# --- looking ----------------------------------------------------------------------------------------------------------


def without_slot(session: Session, cs: Sequence[str]) -> set[str]:
    """Those of some entries that a list stands for, or will stand for."""
    found: set[str] = set()
    for start in range(0, len(cs), 500):
        some = cs[start : start + 500]
        found |= set(session.scalars(select(FloodWaiting.c).where(FloodWaiting.c.in_(some))))
        found |= set(session.scalars(select(FloodListed.c).where(FloodListed.c.in_(some))))
    return found


def receipt(session: Session, c: str) -> dict[str, Any] | None:
    """``{list: {entry, refusals}, proof}`` of a refusal that a list stands for, once its tick is sealed (protocol §4, Receipt)."""
    row = session.get(FloodListed, c)
    proof = log.proof(session, row.list_c) if row is not None else None
    if row is None or proof is None:
        return None
    above = audit.entry(session, row.list_c)
    return {
        "list": {"entry": json.loads(above.envelope), "refusals": audit.document(session, above.statement)},
        "proof": proof,
    }


def badly_listed(session: Session, cs: Iterable[str]) -> list[str]:
    """Entries without a slot of which no list in the log tells, and that wait for none: an auditor's finding."""
    lists: dict[str, set[str]] = {}
    bad = []
    for c in cs:
        if session.get(FloodWaiting, c) is not None:
            continue
        row = session.get(FloodListed, c)
        if row is not None and row.list_c not in lists:
            above = session.scalar(select(LogEntry).where(LogEntry.c == row.list_c))
            named = (
                audit.document(session, above.statement)
                if above is not None and above.event == LIST
                else {"entries": []}
            )
            lists[row.list_c] = set(named["entries"])
        if row is None or c not in lists[row.list_c]:
            bad.append(c)
    return bad


def attempt(
    work: UnitOfWork, lot: Lot, party: Party, upload: Upload | None, part: str, last: Span | None
) -> dict[str, Any]:
    """The document that stands for an attempt; ``last``: when its last byte came, if that is known better than from the upload. Where our
    clocks disagreed about that, ``first_at`` is no later than the earliest and ``last_at`` the latest of what they say."""
    size, digest = (0, b64u(hashlib.sha256(b"").digest())) if upload is None else uploads.bytes_of(work.office, upload)
    came = last or Span.at(work.now if upload is None else upload.last_at)
    first, ends = came.first if upload is None else min(upload.made_at, came.first), came.last
    return {
        "v": 1,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": part,
        "bidder": party.code,
        "bytes": size,
        "sha256": digest,
        "declared": (upload.sealed_root or "") if upload else "",
        "first_at": write_moment(floor_second(first)),
        "last_at": write_moment(floor_second(ends)),
    }

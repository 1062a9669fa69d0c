"""Copies of sealed bids at the mirror: sent after the receipt, acknowledged, logged as hidden ``mirror-ack`` (protocol §5.1, Mirror).

Law of the noun: a copy never delays a receipt and is never counted for anybody; what was accepted is sent until the mirror has signed for
it, replaced and withdrawn bids too; each try claims its row first, so that two machines or a crash cost a second try and no second
acknowledgement. Before the opening only the bidder learns that its own bid was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto import mirror
from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.mirror import Facts
from trading.bidding.bids import SealedBid
from trading.custody import officers
from trading.kernel.access import CLOCK, Act
from trading.kernel.audit import envelope_text, keep_document
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.faults import fault
from trading.kernel.work import Office, UnitOfWork
from trading.parties import enrolments
from trading.parties.enrolments import EnrolledKey
from trading.tendering.tenders import Lot

NONE, DIGESTS, FILES = "none", "digests", "files"
MODES = (NONE, DIGESTS, FILES)
FIRST_PAUSE, LAST_PAUSE = timedelta(seconds=20), timedelta(minutes=10)
AT_ONCE = 20


class LineDown(Exception):
    """The mirror did not answer, or not as it must."""


class Line(Protocol):
    """The line to the mirror (web/workers/mirror/line.py); ``key``: the Ed25519 key its answers are held to."""

    key: bytes

    def ping(self) -> None: ...
    def deliver(self, facts: Facts, source: BinaryIO) -> dict[str, Any]: ...
    def fetch(self, facts: Facts) -> Iterator[bytes]: ...
    def prove(self, facts: Facts, header: Header, source: BinaryIO | None) -> dict[str, Any]: ...
    def forget(self, facts: Facts, opening_set: dict[str, Any]) -> None: ...


class MirrorCopy(Base):
    """What the mirror has of one accepted bid. ``kind``: none, digests or files, by its policy; ``due_at``: when it is tried (again);
    ``ack``: the mirror's signed document, ``c`` its entry, ``at`` its moment, all empty until it came; ``told_at``: when the mirror was
    told that it may forget the bytes."""

    __tablename__ = "mirror_copy"
    __table_args__ = (CheckConstraint(one_of("kind", MODES), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bid_id: Mapped[int] = mapped_column(ForeignKey("sealed_bid.id"), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime] = mapped_column(Moment, index=True)
    tries: Mapped[int] = mapped_column(default=0)
    ack: Mapped[str | None] = mapped_column(Text)
    c: Mapped[str | None] = mapped_column(String(50))
    at: Mapped[datetime | None] = mapped_column(Moment)
    told_at: Mapped[datetime | None] = mapped_column(Moment)
    bid: Mapped[SealedBid] = relationship(lazy="joined")


@dataclass(frozen=True)
class _Job:
    facts: Facts
    blob: str


# --- looking ----------------------------------------------------------------------------------------------------------


def mode_of(session: Session, lot: Lot, part: str = officers.BID) -> str:
    """What the mirror takes of the bids of an envelope, by its policy."""
    return str(officers.policy_document(officers.current_policy(session, lot, part))["mirror"])


def facts_of(platform: str, lot: Lot, bid: SealedBid, kind: str) -> Facts:
    return Facts(platform, lot.tender.ref, lot.no_text, bid.part, bid.header_hash, bid.sealed_root, bid.size, kind)


def copy_of(session: Session, bid: SealedBid) -> MirrorCopy | None:
    """What the mirror has of a bid. For its bidder, the opening and the archive alone."""
    return session.scalar(select(MirrorCopy).where(MirrorCopy.bid_id == bid.id))


def copy_of_entry(session: Session, c: str) -> MirrorCopy | None:
    """The same, by the entry of the bid's acceptance. For its bidder alone."""
    return session.scalar(select(MirrorCopy).join(SealedBid, SealedBid.id == MirrorCopy.bid_id).where(SealedBid.c == c))


def mirror_keys(session: Session) -> list[bytes]:
    """Every key a mirror may have signed with: those ever enrolled for the supervisory body."""
    return [
        enrolments.sign_bytes(key)
        for key in session.scalars(select(EnrolledKey).where(EnrolledKey.role == "supervisor"))
    ]


def due(session: Session, now: datetime) -> list[int]:
    """The ids of bids to send now: those nobody has looked at yet first, then those to be tried again."""
    new = select(SealedBid.id).outerjoin(MirrorCopy, MirrorCopy.bid_id == SealedBid.id).where(MirrorCopy.id.is_(None))
    again = select(MirrorCopy.bid_id).where(MirrorCopy.c.is_(None), MirrorCopy.kind != NONE, MirrorCopy.due_at <= now)
    return [
        *session.scalars(new.order_by(SealedBid.id).limit(AT_ONCE)),
        *session.scalars(again.order_by(MirrorCopy.due_at).limit(AT_ONCE)),
    ]


# --- sending ----------------------------------------------------------------------------------------------------------


def send_due(office: Office) -> None:
    """Send what is due, one bid after the other; called by the clock. What fails is due again later, and nothing is said about it: a word
    would tell that there are bids."""
    if office.mirror is None:
        return
    with office.view(CLOCK) as view:
        todo = due(view.session, view.now)
    for bid_id in todo:
        _send(office, bid_id)


def _send(office: Office, bid_id: int) -> None:
    line: Line = office.mirror
    try:
        with office.work(CLOCK) as work:
            job = claim(work, bid_id)
    except IntegrityError:
        return  # another machine has it
    if job is None:
        return
    fault("copy.claimed")
    try:
        with office.blobs.open(job.blob) as source:
            ack = line.deliver(job.facts, source)
        fault("copy.sent")
        with office.work(CLOCK) as work:
            take_ack(work, bid_id, ack, line.key)
    except (LineDown, CryptoError, OSError, NotFound, Invalid):
        return  # its claim says when it is tried again


def claim(work: UnitOfWork, bid_id: int) -> _Job | None:
    """Take a bid's row for one try, None where there is nothing (more) to do. The pause before the next try doubles.

    Refuses: NotAllowed.
    """
    work.require(Act.CLOCK)
    bid = work.session.get_one(SealedBid, bid_id)
    lot = work.session.get_one(Lot, bid.lot_id)
    row = copy_of(work.session, bid)
    if row is None:
        row = MirrorCopy(
            bid_id=bid.id,
            kind=mode_of(work.session, lot, bid.part),
            due_at=work.now,
            tries=0,
            ack=None,
            c=None,
            at=None,
            told_at=None,
        )
        work.session.add(row)
        work.session.flush()
    else:
        work.lock(row)
    if row.kind == NONE or row.c is not None or row.due_at > work.now:
        return None
    row.due_at = work.now + min(FIRST_PAUSE * 2 ** min(row.tries, 8), LAST_PAUSE)
    row.tries += 1
    return _Job(facts_of(work.office.platform, lot, bid, row.kind), bid.blob)


def take_ack(work: UnitOfWork, bid_id: int, envelope: Any, key: bytes) -> MirrorCopy:
    """Log the mirror's acknowledgement of a bid, hidden until the opening; the first one counts, a second changes nothing. ``key``: the
    mirror's, which must be enrolled for the supervisory body.

    Refuses: NotAllowed, Invalid ``mirror.not_enrolled``, ``mirror.bad_ack``.
    """
    work.require(Act.CLOCK)
    bid = work.session.get_one(SealedBid, bid_id)
    row = copy_of(work.session, bid)
    assert row is not None, "a copy is claimed before it is sent"
    work.lock(row)
    if row.c is not None:
        return row
    if key not in mirror_keys(work.session):
        raise Invalid("mirror.not_enrolled")
    lot = work.session.get_one(Lot, bid.lot_id)
    try:
        mirror.check_ack(envelope, facts_of(work.office.platform, lot, bid, row.kind), [key])
    except CryptoError as error:
        raise Invalid("mirror.bad_ack", reason=error.code, detail=error.detail) from error
    statement = keep_document(work, "mirror-ack", envelope, signed=True)
    entry = work.log("mirror-ack", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=bid.part)
    row.ack, row.c, row.at = envelope_text(envelope), entry.c, entry.at
    work.session.flush()
    fault("copy.acknowledged")
    return row

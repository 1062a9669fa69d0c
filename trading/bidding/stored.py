"""The stored bytes of accepted bids: looked at again before the shares, mended from a copy, and what keeps the shares waiting until then
(protocol §5 step 4, §5.1).

Law of the noun: a copy counts iff its root is the logged one: that of our second disk and that of the mirror at any time, that of the
bidder until the first share. Bytes that are not those of their name are set aside, never thrown away. Before the set is published nobody
but the bidder learns what was found, for that would tell that there is a bid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import unb64u
from crypto.errors import CryptoError
from crypto.inspection import Inspector, inspect
from trading.bidding import bids, copies, participants, uploads
from trading.bidding.bids import SealedBid
from trading.bidding.copies import DIGESTS, FILES, NONE, LineDown
from trading.bidding.uploads import Upload
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, append_only, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, WrongStep
from trading.kernel.faults import fault
from trading.kernel.work import Office, UnitOfWork, View
from trading.parties.parties import own_party
from trading.tendering.tenders import Lot

GOOD, BROKEN, RESTORED, HANDED_IN = "GOOD", "BROKEN", "RESTORED", "HANDED_IN"
STATES = (GOOD, BROKEN, RESTORED, HANDED_IN)
HAND_IN = timedelta(minutes=30)
"""How long shares wait for the bidder's own copy after its bytes were found broken (L)."""


class ByteCheck(Base):
    """What the newest look at a bid's stored bytes found. ``source``: where they were brought back from (disk, mirror, bidder);
    ``found_at``: when they were first found broken; ``proof``: the mirror's signed ``mirror-check`` of random pieces, ``missed``: whether
    it missed any."""

    __tablename__ = "byte_check"
    __table_args__ = (CheckConstraint(one_of("state", STATES), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bid_id: Mapped[int] = mapped_column(ForeignKey("sealed_bid.id"), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(10), default="")
    checked_at: Mapped[datetime] = mapped_column(Moment)
    found_at: Mapped[datetime | None] = mapped_column(Moment)
    proof: Mapped[str] = mapped_column(Text, default="")
    missed: Mapped[bool] = mapped_column(default=False)


class BidErasure(Base):
    """A bid that was replaced or withdrawn, whose chunks go after the opening. ``blob``: the digests of all its pieces (``pieces.txt``);
    ``gone_at``: when its bytes were gone from our disks; its header stays in its row."""

    __tablename__ = "bid_erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    bid_id: Mapped[int] = mapped_column(ForeignKey("sealed_bid.id"), unique=True)
    blob: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Moment)
    gone_at: Mapped[datetime | None] = mapped_column(Moment)
    bid: Mapped[SealedBid] = relationship(lazy="joined")


class MirrorWaiver(Base):
    """The supervisory body lets an opening go on without its mirror's word, with reasons."""

    __tablename__ = "mirror_waiver"
    __table_args__ = (UniqueConstraint("lot_id", "part"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    part: Mapped[str] = mapped_column(String(128))
    reasons: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(Moment)


append_only(MirrorWaiver.__table__)  # type: ignore[arg-type]


# --- bytes ------------------------------------------------------------------------------------------------------------


def is_good(office: Office, bid: SealedBid) -> bool:
    """As ``gives``, for the root of the bid's row."""
    return gives(office, bid.blob, unb64u(bid.sealed_root, 32))


def gives(office: Office, blob: str, root: bytes) -> bool:
    """Whether stored bytes give the root that was signed: the whole file is read, outside any transaction."""
    try:
        with office.blobs.open(blob) as source:
            return inspect(source).sealed_root == root
    except (NotFound, CryptoError, OSError):
        return False


def restore(office: Office, lot: Lot, bid: SealedBid, kind: str) -> str:
    """Bring a bid's bytes back from the second disk or, where it holds whole files, from the mirror: where from, "" if nobody has them.
    ``kind``: what the mirror holds, by the policy."""
    second = office.blobs.second
    if second is not None and second.has(bid.blob) and _bring_back(office, bid, second.read(bid.blob)):
        return "disk"
    if office.mirror is not None and kind == FILES:
        try:
            if _bring_back(office, bid, office.mirror.fetch(copies.facts_of(office.platform, lot, bid, kind))):
                return "mirror"
        except LineDown:
            return ""
    return ""


def _bring_back(office: Office, bid: SealedBid, pieces: Iterator[bytes]) -> bool:
    inspector = Inspector(bid.size)

    def proven() -> bool:
        return inspector.finish().sealed_root == unb64u(bid.sealed_root, 32)

    try:
        done = office.blobs.bring_back(pieces, bid.blob, inspector.feed, proven)
    except CryptoError:
        return False
    fault("stored.back")
    return done


# --- what was found ---------------------------------------------------------------------------------------------------


def check_of(session: Session, bid: SealedBid) -> ByteCheck | None:
    """What the newest look found. For the bidder, the opening and the archive alone."""
    return session.scalar(select(ByteCheck).where(ByteCheck.bid_id == bid.id))


def checks_of(session: Session, bids_: Sequence[SealedBid]) -> dict[int, ByteCheck]:
    """The same of many bids at once, by the bid's id."""
    ids: list[int] = [bid.id for bid in bids_]
    found: dict[int, ByteCheck] = {}
    for start in range(0, len(ids), 500):
        rows = session.scalars(select(ByteCheck).where(ByteCheck.bid_id.in_(ids[start : start + 500])))
        found |= {row.bid_id: row for row in rows}
    return found


def note(
    work: UnitOfWork, bid: SealedBid, state: str, *, source: str = "", proof: str = "", missed: bool = False
) -> ByteCheck:
    """Write down what a look found; the newest stands. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    return _note(work, bid, state, source, proof, missed)


def _note(
    work: UnitOfWork, bid: SealedBid, state: str, source: str, proof: str = "", missed: bool = False
) -> ByteCheck:
    row = check_of(work.session, bid)
    if row is None:
        row = ByteCheck(
            bid_id=bid.id, state=state, source="", checked_at=work.now, found_at=None, proof="", missed=False
        )
        work.session.add(row)
    if state == BROKEN and row.found_at is None:
        row.found_at = work.now
    row.state, row.checked_at = (row.state if state == GOOD and row.state in (RESTORED, HANDED_IN) else state), work.now
    row.source = source or row.source
    if proof:
        row.proof, row.missed = proof, missed
    work.session.flush()
    return row


def waiver_of(session: Session, lot: Lot, part: str) -> MirrorWaiver | None:
    return session.scalar(select(MirrorWaiver).where(MirrorWaiver.lot_id == lot.id, MirrorWaiver.part == part))


def refuse_unready(view: View, lot: Lot, part: str, bids_of_set: list[SealedBid], listed_at: datetime) -> None:
    """Before the first share: where a mirror is in the policy all bytes have been looked at since the set was published, and one that holds
    digests has been shown the pieces it asked for; whose bytes are broken has had its time to hand its copy in.

    Refuses: TooEarly ``opening.bytes_unchecked``, ``opening.copy_wanted``, ``opening.mirror_waits``, Conflict ``opening.mirror_missed``.
    """
    mode, waived = copies.mode_of(view.session, lot, part), waiver_of(view.session, lot, part) is not None
    checks = checks_of(view.session, bids_of_set)
    for bid in bids_of_set:
        row = checks.get(bid.id)
        if row is not None and row.state == BROKEN and row.found_at is not None and view.now < row.found_at + HAND_IN:
            raise TooEarly("opening.copy_wanted", until=row.found_at + HAND_IN, now=view.now)
        if mode == NONE or waived:
            continue
        if row is None or row.checked_at <= listed_at:
            raise TooEarly("opening.bytes_unchecked", ref=lot.ref)
        if mode == DIGESTS and row.missed:
            raise Conflict("opening.mirror_missed", header_hash=bid.header_hash)
        if mode == DIGESTS and not row.proof:
            raise TooEarly("opening.mirror_waits", ref=lot.ref)


# --- the bidder's own copy --------------------------------------------------------------------------------------------


def wanted_copy(view: View, lot: Lot, part: str = officers.BID) -> SealedBid | None:
    """One's own standing bid whose bytes are broken here, None where all is well. Refuses: NotAllowed, NotFound (not taking part)."""
    view.require(Act.BID_LOOK)
    standing = bids.standing(view.session, participants.own(view, lot).id, part)
    if standing is None:
        return None
    row = check_of(view.session, standing.bid)
    return standing.bid if row is not None and row.state == BROKEN else None


def start_copy(work: UnitOfWork, lot: Lot, *, length: int, part: str = officers.BID) -> Upload:
    """Announce the upload of one's own copy of a bid whose bytes are broken here; its bytes come as those of any upload do.

    Refuses: NotAllowed, NotFound, WrongStep ``copy.not_wanted``, Invalid ``copy.other_bytes`` (another length).
    """
    work.require(Act.BID_UPLOAD)
    bid = wanted_copy(work, lot, part)
    if bid is None:
        raise WrongStep("copy.not_wanted", ref=lot.ref)
    if length != bid.size:
        raise Invalid("copy.other_bytes", length=length, size=bid.size)
    row = uploads.new_upload(work, lot, own_party(work).id, length=length, envelope=part)
    work.office.spool.create(row.token)
    work.session.add(row)
    work.session.flush()
    return row


def accept_copy(work: UnitOfWork, lot: Lot, *, token: str) -> ByteCheck:
    """The copy is whole and its root the logged one: the bid's bytes are here again. Whether it still counts is the opening's to say
    (``opening.take_copy``).

    Refuses: NotAllowed, NotFound, WrongStep ``copy.not_wanted``, Invalid ``copy.other_bytes``.
    """
    work.require(Act.BID_UPLOAD)
    upload = uploads.own(work, token)
    if upload.lot_id != lot.id:
        raise NotFound("upload.unknown")
    bid = wanted_copy(work, lot, upload.part)
    if bid is None:
        raise WrongStep("copy.not_wanted", ref=lot.ref)
    if upload.sealed_root != bid.sealed_root or upload.header_hash != bid.header_hash:
        raise Invalid("copy.other_bytes", length=upload.length, size=bid.size)
    return _note(work, bid, HANDED_IN, "bidder")

"""Looking after the stored bytes round an opening, by the clock: looked at again before the shares, erased after it (protocol §5, §5.1).

Law of the noun: everything here may run twice, late or on two machines, and a crash loses nothing: bytes are brought back before a row says
so, and a row says that they go before they go. What was replaced or withdrawn keeps its header and the digests of its pieces.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crypto import mirror
from crypto.canonical import unb64u
from crypto.errors import CryptoError
from crypto.headers import parse_header
from crypto.inspection import inspect
from trading.bidding import bids, copies, stored, uploads
from trading.bidding.bids import SealedBid, StandingBid
from trading.bidding.closing import Closing
from trading.bidding.copies import DIGESTS, NONE, LineDown, MirrorCopy
from trading.bidding.stored import BROKEN, GOOD, RESTORED, BidErasure, ByteCheck, MirrorWaiver
from trading.bidding.uploads import Upload
from trading.kernel.access import CLOCK, Act
from trading.kernel.audit import envelope_text
from trading.kernel.errors import Conflict, Invalid, NotFound, TooLate, WrongStep
from trading.kernel.faults import fault
from trading.kernel.work import Office, UnitOfWork
from trading.opening import ceremony
from trading.opening.ceremony import Opening
from trading.opening.rulings import LEAST_REASONS
from trading.tendering.tenders import Lot

AGAIN = timedelta(seconds=30)
AT_HAND = ("OPENING", "QUAL_REVIEW", "EVALUATION")
"""States of a lot in which an envelope may still be waiting for its shares."""
ENDED = ("FAILED", "TERMINATED")


# --- before the shares ------------------------------------------------------------------------------------------------


def recheck(office: Office) -> None:
    """Look at the stored bytes of every bid that stands once its intake is closed, and again when its set is published; bring back what is
    broken, and show the mirror the pieces it asks for. Reads whole files; no transaction is open meanwhile."""
    with alone(office, "recheck.lock") as held:
        if not held:
            return  # another process is reading the same files
        with office.view(CLOCK) as view:
            todo = list(_to_look_at(office, view.session, view.now))
        for bid_id, listed in todo:
            _look_at(office, bid_id, listed)


@contextmanager
def alone(office: Office, name: str) -> Iterator[bool]:
    """Whether this process may do what one of a machine is enough for."""
    with (office.blobs.folder / name).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _to_look_at(office: Office, session: Session, now: Any) -> Iterator[tuple[int, bool]]:
    for closed in session.scalars(
        select(Closing).join(Lot, Lot.id == Closing.lot_id).where(Lot.state.in_(AT_HAND)).order_by(Closing.id)
    ):
        lot = session.get_one(Lot, closed.lot_id)
        row = ceremony.find(session, lot, closed.part)
        if row is not None and (row.opened is not None or ceremony.shares(session, row)):
            continue
        wants_proof = office.mirror is not None and copies.mode_of(session, lot, closed.part) == DIGESTS
        standing = bids.standing_bids(session, lot, closed.part)
        checks = stored.checks_of(session, standing)
        for bid in standing:
            check = checks.get(bid.id)
            open_ = check is not None and (check.state == BROKEN or (wants_proof and (check.missed or not check.proof)))
            if (
                check is None
                or (row is not None and check.checked_at <= row.listed_at)
                or (open_ and check.checked_at + AGAIN <= now)
            ):
                yield bid.id, row is not None


def _look_at(office: Office, bid_id: int, listed: bool) -> None:
    with office.view(CLOCK) as view:
        bid = view.session.get_one(SealedBid, bid_id)
        lot = view.session.get_one(Lot, bid.lot_id)
        kind = copies.mode_of(view.session, lot, bid.part)
    state, source = GOOD, ""
    if not stored.is_good(office, bid):
        source = stored.restore(office, lot, bid, kind)
        state = RESTORED if source else BROKEN
    if state == BROKEN:
        office.blobs.set_aside(bid.blob)
    proof, missed = _prove(office, lot, bid, kind)
    fault("recheck.looked")
    try:
        with office.work(CLOCK) as work:
            work.lock(work.session.get_one(Lot, lot.id))
            row = stored.note(work, bid, state, source=source, proof=proof, missed=missed)
            if listed and (row.state != GOOD or missed):
                _tell(work, lot, bid, row)
    except IntegrityError:
        return  # another machine has just written the same


def _prove(office: Office, lot: Lot, bid: SealedBid, kind: str) -> tuple[str, bool]:
    """(the mirror's signed finding, whether it missed a piece); ("", False) where it holds no digests, or does not answer."""
    if office.mirror is None or kind != DIGESTS:
        return "", False
    facts, header = copies.facts_of(office.platform, lot, bid, kind), parse_header(unb64u(bid.header))
    try:
        try:
            with office.blobs.open(bid.blob) as source:
                found = office.mirror.prove(facts, header, source)
        except NotFound:
            found = office.mirror.prove(facts, header, None)
        value = mirror.open_answer(mirror.CHECK, found, facts, [office.mirror.key])
    except (LineDown, CryptoError, OSError):
        return "", False
    return envelope_text(found), bool(value["missed"])


def _tell(work: UnitOfWork, lot: Lot, bid: SealedBid, row: ByteCheck) -> None:
    """Once the set is public: the log says what was found, and the bidder is asked for its copy while it still counts."""
    facts: dict[str, Any] = {
        "header_hash": bid.header_hash,
        "state": row.state,
        "source": row.source,
        "envelope": bid.part,
    }
    if row.missed:
        facts |= {"mirror_check": row.proof}
    work.record("opening.bytes", lot.log_of, **facts)
    if row.state == BROKEN:
        work.send(f"copy/{bid.id}", to=f"party:{bid.party_id}", template="bid.copy_wanted", lot=lot.ref)


def take_copy(work: UnitOfWork, lot: Lot, *, token: str) -> ByteCheck:
    """Take the bidder's own copy of its sealed file in place of the broken one: it counts until the first share.

    Refuses: as ``stored.accept_copy``; TooLate ``copy.too_late``.
    """
    upload = uploads.own(work, token)
    work.lock(lot)
    row = ceremony.find(work.session, lot, upload.part)
    if row is not None and (row.opened is not None or ceremony.shares(work.session, row)):
        raise TooLate("copy.too_late", ref=lot.ref)
    found = stored.accept_copy(work, lot, token=token)
    if row is not None:
        work.record("opening.copy", lot.log_of, header_hash=upload.header_hash or "", envelope=upload.part)
    return found


def waive(work: UnitOfWork, row: Opening, *, reasons: str) -> MirrorWaiver:
    """The supervisory body lets an opening go on without its mirror: its host is down, or a miss has been looked into.

    Refuses: NotAllowed, WrongStep ``opening.opened``, Conflict ``mirror.waived``, Invalid ``ruling.reasons``, ``mirror.none``.
    """
    work.require(Act.FINDING_SIGN)
    work.lock(row)
    if row.opened is not None:
        raise WrongStep("opening.opened", state=row.state)
    if copies.mode_of(work.session, row.lot, row.part) == NONE:
        raise Invalid("mirror.none")
    if stored.waiver_of(work.session, row.lot, row.part) is not None:
        raise Conflict("mirror.waived")
    if len(reasons.strip()) < LEAST_REASONS:
        raise Invalid("ruling.reasons", least=LEAST_REASONS)
    assert work.actor.account_id is not None
    new = MirrorWaiver(
        lot_id=row.lot_id, part=row.part, reasons=reasons.strip(), account_id=work.actor.account_id, at=work.now
    )
    work.session.add(new)
    work.session.flush()
    work.record("opening.mirror_waive", row.log_of, envelope=row.part, reasons=new.reasons)
    return new


# --- after the opening ------------------------------------------------------------------------------------------------


def erase(office: Office) -> None:
    """Erase the chunks of bids that were replaced or withdrawn once their envelope is opened, and the bytes of uploads that never became a
    bid; tell the mirror. Each bid: digests kept, the row and its act written, then the bytes gone."""
    with alone(office, "erase.lock") as held:
        if not held:
            return
        with office.view(CLOCK) as view:
            todo = _to_erase(view.session)
            lost = _never_bids(view.session, view.now - uploads.GIVEN_UP)
        for bid_id in todo:
            _erase(office, bid_id)
        for upload_id, blob in lost:
            office.blobs.remove(blob)
            with office.work(CLOCK) as work:
                work.session.get_one(Upload, upload_id).blob = None
        _tell_mirror(office)


def _opened() -> Any:
    here = (Opening.lot_id == SealedBid.lot_id) & (Opening.part == SealedBid.part)
    return select(Opening.id).where(here, Opening.opened_at.is_not(None)).exists()


def _to_erase(session: Session) -> list[int]:
    """Bids outside the published set of an opened envelope, whose bytes may still be there."""
    stands = select(StandingBid.id).where(StandingBid.bid_id == SealedBid.id).exists()
    query = select(SealedBid.id).outerjoin(BidErasure, BidErasure.bid_id == SealedBid.id)
    return list(session.scalars(query.where(_opened(), ~stands, BidErasure.gone_at.is_(None)).order_by(SealedBid.id)))


def _erase(office: Office, bid_id: int) -> None:
    with office.view(CLOCK) as view:
        bid = view.session.get_one(SealedBid, bid_id)
        lot = view.session.get_one(Lot, bid.lot_id)
        noted = erasure_of(view.session, bid) is not None
    if not noted:
        kept = _keep_digests(office, bid)
        try:
            with office.work(CLOCK) as work:
                work.lock(work.session.get_one(Lot, lot.id))
                work.session.add(BidErasure(bid_id=bid.id, blob=kept, at=work.now, gone_at=None))
                copy = copies.copy_of(work.session, bid)
                if copy is not None and copy.c is None:
                    copy.kind = NONE  # nothing is left to send
                work.session.flush()
                work.record("bid.erase", lot.log_of, header_hash=bid.header_hash, envelope=bid.part, pieces=kept)
        except IntegrityError:
            return  # another machine does it
    fault("erase.noted")
    office.blobs.remove(bid.blob)
    fault("erase.removed")
    with office.work(CLOCK) as work:
        row = erasure_of(work.session, bid)
        assert row is not None
        row.gone_at = row.gone_at or work.now


def _keep_digests(office: Office, bid: SealedBid) -> str:
    """The digests of a bid's pieces as the blob ``pieces.txt`` of its bundle; "" where its bytes were lost before."""
    try:
        with office.blobs.open(bid.blob) as source:
            found = inspect(source)
    except (NotFound, CryptoError):
        return ""
    if found.sealed_root != unb64u(bid.sealed_root, 32):
        return ""
    return office.blobs.put([pieces_text(found.pieces)]).name


def pieces_text(pieces: bytes) -> bytes:
    """Digests of pieces as lines of 64 hexadecimal digits."""
    return "".join(pieces[i : i + 32].hex() + "\n" for i in range(0, len(pieces), 32)).encode()


def erasure_of(session: Session, bid: SealedBid) -> BidErasure | None:
    return session.scalar(select(BidErasure).where(BidErasure.bid_id == bid.id))


def erasures(session: Session, lot: Lot, part: str) -> list[BidErasure]:
    """The bids of an envelope whose chunks went after its opening, in order of their headers. For the archive alone."""
    rows = session.scalars(
        select(BidErasure)
        .join(SealedBid, SealedBid.id == BidErasure.bid_id)
        .where(SealedBid.lot_id == lot.id, SealedBid.part == part)
    )
    return sorted(rows, key=lambda row: row.bid.header_hash)


def _never_bids(session: Session, before: Any) -> list[tuple[int, str]]:
    """Whole uploads that became no bid, of envelopes that are opened or lots that have ended: (id, blob)."""
    opened = (
        select(Opening.id)
        .where(Opening.lot_id == Upload.lot_id, Opening.part == Upload.part, Opening.opened_at.is_not(None))
        .exists()
    )
    ended = select(Lot.id).where(Lot.id == Upload.lot_id, Lot.state.in_(ENDED)).exists()
    named = select(SealedBid.id).where(SealedBid.blob == Upload.blob).exists()
    query = select(Upload.id, Upload.blob).where(
        Upload.blob.is_not(None), Upload.last_at < before, opened | ended, ~named
    )
    return [(int(row[0]), str(row[1])) for row in session.execute(query.order_by(Upload.id))]


def _tell_mirror(office: Office) -> None:
    """Tell the mirror which of its copies are outside the published set, each until it has answered."""
    if office.mirror is None:
        return
    with office.view(CLOCK) as view:
        query = (
            select(MirrorCopy)
            .join(BidErasure, BidErasure.bid_id == MirrorCopy.bid_id)
            .where(MirrorCopy.c.is_not(None), MirrorCopy.told_at.is_(None), MirrorCopy.due_at <= view.now)
        )
        todo = []
        for copy in view.session.scalars(query.order_by(MirrorCopy.id)):
            lot = view.session.get_one(Lot, copy.bid.lot_id)
            row = ceremony.opening(view.session, lot, copy.bid.part)
            todo.append((copy.id, copies.facts_of(office.platform, lot, copy.bid, copy.kind), row.opening_set))
    for copy_id, facts, opening_set in todo:
        try:
            office.mirror.forget(facts, opening_set)
            done = True
        except LineDown:
            done = False
        with office.work(CLOCK) as work:
            one = work.session.get_one(MirrorCopy, copy_id)
            one.told_at, one.due_at = (work.now if done else None), work.now + copies.LAST_PAUSE

"""Uploads: the sealed bytes of a bid on their way in, resumable, inspected as they arrive.

Law of the noun: uploading is not submitting. Bytes come first and hold no transaction; they are looked at piece by piece, so what is no
sealed bid of this lot and bidder is refused as soon as its header is there (protocol §4). Only the bidder's own people know of an upload.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, bindparam, func, insert, select
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column, relationship

from crypto.canonical import b64u, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG, Header, parse_header
from crypto.policies import check_context
from crypto.sealed_bid import Inspection, Inspector
from trading.bidding import participants
from trading.bidding.participants import Participant
from trading.custody import officers, signed_policies
from trading.custody.officers import Policy
from trading.kernel.access import CLOCK, Act, Actor
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.faults import fault
from trading.kernel.work import Office, UnitOfWork, View
from trading.parties import enrolments, signed_keys
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Party
from trading.tendering import signed_terms, tenders
from trading.tendering.tenders import LOT_FACTS, Lot, LotFacts

PIECE = 1 << 20
BESIDE = 1 << 18
"""Smaller pieces are hashed sooner than another thread would begin."""
HOUR = timedelta(hours=1)
STARTS_AN_HOUR = 60
GIVEN_UP = timedelta(days=7)
DIGEST = 32


class Upload(Base):
    """``token`` names the spool file; ``length`` is announced in bytes; the facts of the sealed file once all of it has arrived.
    ``refused``: the code of protocol §7 when the bytes are no bid of this lot and bidder."""

    __tablename__ = "upload"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    part: Mapped[str] = mapped_column(String(128))  # the protocol's `envelope`
    length: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    header: Mapped[str | None] = mapped_column(Text)
    header_hash: Mapped[str | None] = mapped_column(String(50))
    sealed_root: Mapped[str | None] = mapped_column(String(50))
    blob: Mapped[str | None] = mapped_column(String(64))
    refused: Mapped[str | None] = mapped_column(String(30))
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")


@dataclass(frozen=True)
class Arrival:
    """After some bytes came: how many lie there, how many are announced, whether the file is whole, the code if it was refused."""

    size: int
    length: int
    whole: bool
    refused: str = ""


def start(work: UnitOfWork, lot: Lot, *, length: int, envelope: str = officers.BID) -> Upload:
    """Announce an upload of ``length`` bytes of one envelope. Refuses: NotAllowed, TooEarly, TooLate, NotFound (not taking part, no such
    envelope of bids), Invalid (size)."""
    work.require(Act.BID_UPLOAD)
    row = announced(
        work,
        lot,
        participants.own(work, lot).party_id,
        signed_policies.chain(work, lot, envelope),
        length=length,
        envelope=envelope,
    )
    work.office.spool.create(row.token)
    fault("upload.begun")
    work.session.add(row)
    work.session.flush()
    return row


def announced(
    view: View, lot: Lot | LotFacts, party_id: int, chain: Sequence[dict[str, Any]], *, length: int, envelope: str
) -> Upload:
    """The row of an upload about to begin, not yet kept; ``party_id`` takes part, ``chain``: the envelope's policies. Refuses: as
    ``start``."""
    view.require(Act.BID_UPLOAD)
    check_open(view, lot, chain)
    if envelope not in officers.bid_envelopes(lot) or not chain:
        raise NotFound("policy.missing", ref=lot.ref, envelope=envelope)
    if len(chain) > 1 and officers.untried(view.session, lot):
        raise WrongStep("policy.drilling", ref=lot.ref)
    most = chain[-1]["max_plen"] + 70_000 + TAG * (chain[-1]["max_plen"] // CHUNK + 1)
    if not 0 < length <= most:
        raise Invalid("upload.bad_length", length=length, most=most)
    return new_upload(view, lot, party_id, length=length, envelope=envelope)


def new_upload(view: View, lot: Lot | LotFacts, party_id: int, *, length: int, envelope: str) -> Upload:
    """The row of an upload under a random name, not yet kept. The caller has checked who may send what."""
    return Upload(
        token=secrets.token_hex(24),
        lot_id=lot.id,
        party_id=party_id,
        account_id=view.actor.account_id or 0,
        part=envelope,
        length=length,
        made_at=view.now,
        last_at=view.now,
    )


def not_too_many(view: View) -> None:
    """At the door: one person begins so many uploads in an hour and no more, so that nobody fills the disk with beginnings.
    Refuses: TooEarly ``rate.wait`` with the moment from which it goes on."""
    begun = view.session.scalars(
        _BEGUN, {"party": view.actor.party_id, "account": view.actor.account_id, "since": view.now - HOUR}
    ).all()
    if len(begun) == STARTS_AN_HOUR:
        raise TooEarly("rate.wait", until=floor_second(begun[-1] + HOUR))


_BEGUN = (
    select(Upload.made_at)
    .order_by(Upload.made_at.desc())
    .limit(STARTS_AN_HOUR)
    .where(
        Upload.party_id == bindparam("party"),
        Upload.account_id == bindparam("account"),
        Upload.made_at > bindparam("since"),
    )
)


@dataclass(frozen=True)
class _Ground:
    """What an upload begins on: the lot, one's own party, the envelope's policies, the check of the header."""

    lot: LotFacts
    party_id: int
    chain: Sequence[dict[str, Any]]
    check: _Check


def _ground(view: View, ref: str, find_lot: Callable[[View, str], Lot], envelope: str) -> _Ground:
    """Asked in one question. Refuses: as ``find_lot`` and ``not_too_many``; NotFound ``participant.none``."""
    rows = view.session.execute(
        _GROUND,
        {
            "ref": ref,
            "party": view.actor.party_id,
            "envelope": envelope,
            "account": view.actor.account_id,
            "since": view.now - HOUR,
        },
    ).all()
    if not rows or rows[0].published_at is None:
        find_lot(view, ref)
    if not rows or rows[0].begun >= STARTS_AN_HOUR:
        not_too_many(view)
    if not rows or (rows[0].withdrawn_at is not None and not _stays(view, ref)):
        raise NotFound("participant.none", ref=ref)
    mine = rows[0]
    facts: tuple[Any, ...] = tuple(mine)[: len(LOT_FACTS)]
    on = LotFacts(*facts)
    chain = signed_policies.chain_of(view, on.id, on.deadline, envelope, [row[_OWN_FACTS:] for row in rows])
    return _Ground(on, mine.party_id, chain, _Check(chain, mine.code, _seal_key(view, chain, mine)))


def _stays(view: View, ref: str) -> bool:
    """Whether one's own row says wrongly that one has left the lot."""
    return participants.takes_part(view, tenders.lot(view.session, ref))


def _seal_key(view: View, chain: Sequence[dict[str, Any]], mine: Any) -> bytes:
    """The bidder's sealing key, proved in the log where a header names it."""
    if not chain or not chain[-1]["co_opening"]:
        return b""
    key = signed_keys.of(view, mine.code, "bidder", text=mine.document, sign=mine.sign_public, seal=mine.seal_public)
    return key.seal if key is not None else b""


_GROUND = (
    select(
        *LOT_FACTS,
        Participant.party_id,
        Participant.withdrawn_at,
        Party.code,
        EnrolledKey.document,
        EnrolledKey.sign_public,
        EnrolledKey.seal_public,
        select(func.count()).select_from(_BEGUN.subquery()).scalar_subquery().label("begun"),
        *signed_policies.LINKS,
    )
    .join_from(Lot, Participant, Participant.lot_id == Lot.id)
    .join(Party, Party.id == Participant.party_id)
    .outerjoin(EnrolledKey, enrolments.is_standing(Party.code, "bidder"))
    .outerjoin(Policy, officers.is_link(Participant.lot_id, bindparam("envelope")))
    .where(Lot.ref == bindparam("ref"), Participant.party_id == bindparam("party"))
)
_OWN_FACTS = len(LOT_FACTS) + 7


def start_with(
    office: Office,
    actor: Actor,
    ref: str,
    find_lot: Callable[[View, str], Lot],
    *,
    length: int,
    envelope: str = officers.BID,
    pieces: Iterable[bytes],
) -> tuple[str, Arrival]:
    """Announce an upload and take its first bytes, all of them for most bids, in one go: looked up once, written down once, when the bytes
    lie there. For what fits into some seconds: should we die meanwhile, nobody knows the token and the bytes come anew. ``find_lot`` says
    whether there is such a lot for who does not take part in it.

    Returns the token and what arrived; ``refused`` is noted, not raised. Refuses: as ``start`` and ``not_too_many``.
    """
    with office.view(actor) as view:
        view.require(Act.BID_UPLOAD)
        on = _ground(view, ref, find_lot, envelope)
        row = announced(view, on.lot, on.party_id, on.chain, length=length, envelope=envelope)
    inspector, done, refused = Inspector(length, on.check), None, ""
    try:
        size = office.spool.append(row.token, 0, _inspected(inspector, pieces), most=length, new=True)
        done = inspector.finish() if size == length else None
    except CryptoError as error:
        size, refused = office.spool.size(row.token), error.code
    blob = ""
    if done is not None:
        blob = done.sealed_root.hex()
        office.blobs.adopt(office.spool.path(row.token), blob, keep=False)
    elif not refused:
        _keep_digests(office, row.token, inspector)
    with office.work(actor, together=True) as work:
        row.last_at, row.refused = work.now, refused or None
        if done is not None:
            _note_whole(row, done, blob, work.now)
        work.write(_NEW_UPLOAD, {name: getattr(row, name) for name in _FACTS})
    return row.token, Arrival(size, length, done is not None, refused)


_NEW_UPLOAD = insert(Upload.__table__)  # type: ignore[arg-type]
_FACTS = tuple(column.name for column in Upload.__table__.columns if column.name != "id")


def check_open(view: View, lot: Lot | LotFacts, chain: Sequence[dict[str, Any]]) -> None:
    """Whether bids may come now: the law reads the clock, not the state, and the deadline everybody signed. Where clocks disagree, bytes
    are taken that are in time by one of them: uploading decides nothing. What the lot's own row says against it is asked of the notice and
    the record of its steps. Refuses: TooEarly, TooLate."""
    at, deadline = view.span, parse_time(chain[-1]["deadline"]) if chain else lot.deadline
    if lot.published_at is None or lot.issue_at is None or deadline is None:
        raise TooEarly("bid.too_early", ref=lot.ref, now=view.now, opens=lot.issue_at)
    if at.first >= deadline:
        raise TooLate("bid.too_late", ref=lot.ref, now=view.now, deadline=deadline)
    ended = lot.state in ("TERMINATED", "FAILED")
    if (at.last < lot.issue_at or ended) and not signed_terms.takes_bids(view, lot.id):
        if ended:
            raise TooLate("bid.too_late", ref=lot.ref, now=view.now, deadline=deadline)
        raise TooEarly("bid.too_early", ref=lot.ref, now=view.now, opens=lot.issue_at)


def own(view: View, token: str) -> Upload:
    """An upload of one's own party; anybody else's does not exist. Refuses: NotFound."""
    row: Upload | None = view.session.scalar(_OWN, {"token": token, "party": view.actor.party_id})
    if row is None:
        raise NotFound("upload.unknown")
    return row


_OWN = (
    select(Upload)
    .options(lazyload(Upload.lot), lazyload(Upload.party))
    .where(Upload.token == bindparam("token"), Upload.party_id == bindparam("party"))
)


def arrived(office: Office, actor: Actor, token: str) -> Arrival:
    """How much of an upload is there. Refuses: NotFound."""
    with office.view(actor) as view:
        row = own(view, token)
    if row.finished_at is not None or row.refused:
        return Arrival(row.length if row.finished_at else 0, row.length, row.finished_at is not None, row.refused or "")
    size = office.spool.size(token)
    if size < row.length:
        return Arrival(size, row.length, False)
    try:  # all bytes came, but what follows was cut off: nobody sends a byte more, so it is done now
        return receive(office, actor, token, offset=size, pieces=())
    except Invalid as refusal:
        return Arrival(0, row.length, False, str(refusal.facts.get("reason", "FORMAT")))
    except Conflict:
        return Arrival(size, row.length, False)  # another line is just doing it


def receive(office: Office, actor: Actor, token: str, *, offset: int, pieces: Iterable[bytes]) -> Arrival:
    """Take bytes at ``offset``, keep and hash them; when the file is whole, take it over as a blob.

    No transaction is open while bytes flow. Refuses: NotFound, Conflict (offset, another writer), Invalid ``upload.not_sealed`` with the
    code of protocol §7 when the bytes are no sealed bid of this lot and bidder.
    """
    with office.view(actor) as view:
        row = own(view, token)
        if row.refused:
            raise Invalid("upload.not_sealed", reason=row.refused)
        if row.finished_at is not None:
            return Arrival(row.length, row.length, True)
        inspector = Inspector(row.length, _checker(view, signed_policies.chain(view, row.lot, row.part), row.party))
    fault("upload.asked")
    try:
        have = _catch_up(office, token, inspector)
        if (
            have != offset
        ):  # asked before the append too, else bytes of another line could lie between what was seen and the offset
            raise Conflict("upload.offset", have=have, offset=offset)
        size = office.spool.append(token, offset, _inspected(inspector, pieces), most=row.length)
        done = inspector.finish() if size == row.length else None
    except CryptoError as error:
        _refuse(office, actor, token, error.code)
        raise Invalid("upload.not_sealed", reason=error.code, detail=error.detail) from error
    fault("upload.arrived")
    _keep_digests(office, token, inspector)
    fault("upload.digests")
    blob = ""
    if done is not None:
        blob = done.sealed_root.hex()
        office.blobs.adopt(office.spool.path(token), blob)
    with office.work(actor, together=True) as work:
        mine = own(work, token)
        mine.last_at = work.now
        if done is not None:
            _note_whole(mine, done, blob, work.now)
            fault("upload.noted")
    if done is not None:
        drop(office, row)  # the blob has the bytes now; the row says so
    return Arrival(size, row.length, done is not None)


def _note_whole(row: Upload, done: Inspection, blob: str, now: datetime) -> None:
    row.finished_at, row.blob = now, blob
    row.header, row.header_hash = b64u(done.header.raw), b64u(done.header.header_hash)
    row.sealed_root = b64u(done.sealed_root)


def _checker(view: View, chain: Sequence[dict[str, Any]], party: Party) -> _Check:
    sealed = b""
    if chain and chain[-1]["co_opening"]:
        row = enrolments.find_key(view.session, party.code, "bidder")
        key = signed_keys.of_row(view, party.code, "bidder", row)
        sealed = key.seal if key is not None else b""
    return _Check(chain, party.code, sealed)


@dataclass(frozen=True)
class _Check:
    """The header's check against policy and bidder, with everything it needs read beforehand."""

    chain: Sequence[dict[str, Any]]
    bidder: str
    bidder_key: bytes

    def __call__(self, header: Header) -> None:
        check_context(header, self.chain, bidder=self.bidder, bidder_key=self.bidder_key)


def _inspected(inspector: Inspector, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces, each fed to the inspector: until the header is accepted before it is handed on, so that nothing foreign is kept;
    large ones from then on beside it, so that hashing waits for neither line nor disk."""
    with ExitStack() as stack:
        helper: ThreadPoolExecutor | None = None
        behind: Future[None] | None = None
        for piece in pieces:
            if behind is not None:
                behind.result()
                behind = None
            if inspector.header is None or len(piece) < BESIDE:
                inspector.feed(piece)
            else:
                helper = helper or stack.enter_context(ThreadPoolExecutor(1))
                behind = helper.submit(inspector.feed, piece)
            yield piece
        if behind is not None:
            behind.result()


def _digests_path(token: str) -> str:
    return token + ".pieces"


def _catch_up(office: Office, token: str, inspector: Inspector) -> int:
    """Bring an inspector to the end of what lies there, and say where that is: by the kept digests, then by reading only what came
    after them. Digests cut short by a crash are no fault of the bidder's bytes: whole ones are used, the rest is read."""
    have = office.spool.size(token)
    if have == 0:
        return 0
    kept = office.spool.folder / _digests_path(token)
    with office.spool.open(token) as source:
        at = 0
        if kept.exists() and (digests := _whole_digests(kept.read_bytes())):
            head = source.read(12)
            head += source.read(int.from_bytes(head[8:12], "big"))
            at = inspector.resume(head, digests)
        source.seek(at)
        while at < have and (piece := source.read(min(PIECE, have - at))):
            inspector.feed(piece)
            at += len(piece)
    return at


def _whole_digests(data: bytes) -> bytes:
    return data[: len(data) - len(data) % DIGEST]


def _keep_digests(office: Office, token: str, inspector: Inspector) -> None:
    if inspector.header is not None:
        (office.spool.folder / _digests_path(token)).write_bytes(bytes(inspector.pieces))


def _refuse(office: Office, actor: Actor, token: str, code: str) -> None:
    with office.work(actor) as work:
        row = own(work, token)
        row.refused, row.last_at = code, work.now


def bytes_of(office: Office, row: Upload) -> tuple[int, str]:
    """(bytes that came, base64url of their SHA-256): for the proof of an attempt."""
    digest, size = hashlib.sha256(), 0
    source = office.blobs.open(row.blob) if row.blob else office.spool.open(row.token)
    with source:
        while piece := source.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return size, b64u(digest.digest())


def header_of(row: Upload) -> Header:
    """The header of a whole upload. Refuses: NotFound while it is not whole."""
    if row.header is None:
        raise NotFound("upload.not_whole")
    return _parsed(unb64u(row.header))


_parsed = lru_cache(maxsize=256)(parse_header)
"""What was just uploaded is soon handed in."""


def drop(office: Office, row: Upload) -> None:
    """Forget the spool file of an upload that became a bid or was given up."""
    office.spool.remove(row.token)
    (office.spool.folder / _digests_path(row.token)).unlink(missing_ok=True)


def stale(session: Session, before: datetime) -> list[Upload]:
    """Uploads nobody has touched since ``before`` and that never became whole."""
    return list(session.scalars(select(Upload).where(Upload.last_at < before, Upload.blob.is_(None))))


def sweep(office: Office) -> int:
    """Drop the bytes of uploads given up long ago; their rows stay. Called by the clock; returns how many there are."""
    with office.view(CLOCK) as view:
        rows = stale(view.session, view.now - GIVEN_UP)
        known = set(view.session.scalars(select(Upload.token)))
    for row in rows:
        drop(office, row)
    lost = [
        token for token in office.spool.older(view.now - GIVEN_UP) if token not in known
    ]  # begun with their bytes, and we died
    for token in lost:
        office.spool.remove(token)
    return len(rows) + len(lost)

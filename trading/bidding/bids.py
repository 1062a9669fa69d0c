"""Sealed bids: submitted, replaced, withdrawn, refused, each with a signed receipt (protocol §4; rules X-04 to X-06).

Law of the noun: a bid counts iff its submission's last byte arrived before the deadline's second; one standing bid per bidder, lot and
envelope; replacing keeps the old bid valid until the new one is accepted. Every answer, also every no, is a signed entry. Until the
opening nobody but the bidder may learn that there is a bid, and nothing here may be counted for anybody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    bindparam,
    exists,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column, relationship

from crypto.canonical import loads, unb64u
from crypto.errors import CODES, CryptoError
from crypto.receipts import number_of
from crypto.sealed_bid import Inspection
from crypto.signatures import document_hash, payload_of
from crypto.submissions import check_submission, check_withdrawal
from trading.bidding import closing, consortia, floods, in_time, participants, uploads
from trading.bidding.participants import Participant
from trading.bidding.uploads import Upload
from trading.custody import officers, signed_policies
from trading.custody.officers import Policy
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import Span, floor_second
from trading.kernel.db import Base, Moment, append_only, one_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from trading.kernel.faults import fault
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, signed_keys
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Party, own_party
from trading.tendering.tenders import Lot

KINDS = ("received", "replaced", "withdrawn", "refused")


class SealedBid(Base):
    """An accepted submission. ``blob`` names the stored bytes, ``statement`` the signed submission, ``c`` its entry."""

    __tablename__ = "sealed_bid"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), index=True)
    part: Mapped[str] = mapped_column(String(128))
    header: Mapped[str] = mapped_column(Text)
    header_hash: Mapped[str] = mapped_column(String(50), unique=True)
    sealed_root: Mapped[str] = mapped_column(String(50))
    size: Mapped[int] = mapped_column(BigInteger)
    blob: Mapped[str] = mapped_column(String(64))
    statement: Mapped[str] = mapped_column(String(50), unique=True)
    c: Mapped[str] = mapped_column(String(50), unique=True)
    replaces: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


class StandingBid(Base):
    """Which accepted bid of a bidder stands now; gone after a withdrawal."""

    __tablename__ = "standing_bid"
    __table_args__ = (Index("ix_standing_bid_one", "participant_id", "part", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    part: Mapped[str] = mapped_column(String(128))
    bid_id: Mapped[int] = mapped_column(ForeignKey("sealed_bid.id"), unique=True)
    bid: Mapped[SealedBid] = relationship(lazy="joined")


class BidReceipt(Base):
    """A signed answer to a bidder. ``entry`` is the DSSE text; the proof is made from the log when asked for."""

    __tablename__ = "bid_receipt"
    __table_args__ = (CheckConstraint(one_of("kind", KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    c: Mapped[str] = mapped_column(String(50), unique=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    part: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(30), default="")
    statement: Mapped[str] = mapped_column(String(50), index=True)
    entry: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


for _table in (SealedBid, BidReceipt):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Outcome:
    """The platform's signed answer. ``reason``: the code of a refusal, "" if accepted; ``again``: the first answer, asked for again."""

    receipt: BidReceipt
    reason: str
    again: bool = False

    @property
    def accepted(self) -> bool:
        return not self.reason


# --- acts -------------------------------------------------------------------------------------------------------------


def submit(work: UnitOfWork, lot: Lot, *, token: str, submission: Any) -> Outcome:
    """The legal moment: hand in an uploaded sealed file with its signed submission.

    A no that the protocol can name (late, cut off, wrong lot, bad signature …) is an Outcome with a signed proof of the refusal. What was
    accepted gets its first answer again as long as it stands; what was refused is looked at anew, and gets the first no again if nothing
    has changed. Refuses: NotAllowed, NotFound (not taking part, no such upload, no key enrolled), NotReady ``bid.too_many_refusals``,
    Conflict ``bid.replaced_since``, ``bid.withdrawn_since``, ``consortium.bids_alone``, WrongStep ``consortium.not_signed``,
    NotReady as ``work.certain`` where it is in time by one of two clocks that disagree.
    """
    work.require(Act.BID_SUBMIT)
    work.lock(lot, shared=True)  # many at once; who closes or moves the lot waits for them, and they for it
    participant = participants.own_held(work, lot)  # two of one bidder one after the other
    party = participant.party
    statement = _statement_of(submission)
    known = _known(work, lot, participant, token, statement)
    upload = known.upload
    if known.answered and (first := _answered(work.session, party, statement)) is not None:
        _refuse_superseded(work.session, first)
        return Outcome(first, "", again=True)
    if known.consortium:
        consortia.check_may_bid(work.session, lot, party)
    try:
        current = standing(work.session, participant.id, upload.part) if known.stands else None
        document = _check_submission(
            work, lot, party, submission, known, current=current.bid.statement if current else ""
        )
    except CryptoError as error:
        return _refuse(work, lot, party, upload, statement, submission, error.code)
    keep_document(work, "submission", submission, signed=True)
    entry = work.log(
        "bid-replaced" if current else "bid-received",
        statement=statement,
        tender=lot.tender.ref,
        lot=lot.no_text,
        envelope=upload.part,
    )
    fault("bid.signed")
    bid = work.write(
        _NEW_BID,
        {
            "lot_id": lot.id,
            "party_id": party.id,
            "participant_id": participant.id,
            "part": upload.part,
            "header": upload.header,
            "header_hash": upload.header_hash,
            "sealed_root": upload.sealed_root,
            "size": upload.length,
            "blob": upload.blob,
            "statement": statement,
            "c": entry.c,
            "replaces": document["replaces"],
            "at": entry.at,
        },
    )
    fault("bid.stored")
    if current is None:
        work.write(
            _NEW_STANDING, {"participant_id": participant.id, "lot_id": lot.id, "part": upload.part, "bid_id": bid}
        )
    else:
        current.bid_id = bid
    return Outcome(
        _receipt(
            work, lot, party, upload.part, "replaced" if current else "received", "", statement, entry.c, entry.text
        ),
        "",
    )


def withdraw(work: UnitOfWork, lot: Lot, *, withdrawal: Any) -> Outcome:
    """Take a bid back before the deadline (撤回), by a signed withdrawal. The bidder still takes part and may bid anew; who is through
    with the lot leaves it (``leave``), and the deposit goes back from then. Refuses: as ``submit``; Conflict ``bid.bid_since``."""
    work.require(Act.BID_WITHDRAW)
    work.lock(lot)
    party = own_party(work)
    participant = participants.own(work, lot)
    statement = _statement_of(withdrawal)
    if statement and (first := _answered(work.session, party, statement)) is not None:
        _refuse_superseded(work.session, first)
        return Outcome(first, "", again=True)
    part, current = officers.BID, None
    try:
        key = signed_keys.required(work, party.code, "bidder")
        part = str(submission_payload(withdrawal).get("envelope", officers.BID))
        chain = signed_policies.chain(work, lot, part)
        current = standing(work.session, participant.id, part)
        check_withdrawal(
            withdrawal,
            chain,
            bidder=party.code,
            signing_keys=[key.sign],
            current=current.bid.statement if current else "",
        )
        in_time.check(work, lot, chain, part, closed=closing.is_closed(work.session, lot, part))
    except CryptoError as error:
        return _refuse(work, lot, party, None, statement, withdrawal, error.code, part=part, kind="withdrawal")
    assert current is not None
    keep_document(work, "withdrawal", withdrawal, signed=True)
    entry = work.log("bid-withdrawn", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part)
    work.session.delete(current)
    fault("bid.withdrawn")
    return Outcome(_receipt(work, lot, party, part, "withdrawn", "", statement, entry.c, entry.text), "")


def not_settled(work: UnitOfWork, lot: Lot, *, arrived_at: Span, token: str = "", part: str = officers.BID) -> Outcome:
    """The signed no to what arrived in time and was not settled by its tick, or of which our clocks could not say whether it was in time:
    ``UNAVAILABLE``, the platform's fault (protocol §4, Deadline).

    ``work.now`` is the present, for an entry must be in the log by its own tick; the attempt it speaks of says when the bytes had come,
    between which moments if the clocks disagree. What came too late by all of them stays ``LATE``; a platform that stands still cannot
    know whether the deadline had been moved. Refuses: NotAllowed, NotFound.
    """
    work.require(Act.BID_UPLOAD)
    work.lock(lot)
    upload = uploads.own(work, token) if token else None
    if upload is not None and upload.lot_id != lot.id:
        raise NotFound("upload.unknown")
    if upload is None:
        participants.own(work, lot)
    work.now = max(work.now, log.newest(work.session) or work.now)  # none can be proved that lies before the log's end
    deadline = signed_policies.deadline(work, lot) or lot.deadline
    late = work.office.trouble is None and deadline is not None and floor_second(arrived_at.first) >= deadline
    return _refuse(
        work, lot, own_party(work), upload, "", None, "LATE" if late else "UNAVAILABLE", part=part, last=arrived_at
    )


def no_room(work: UnitOfWork, lot: Lot, *, length: int, part: str = officers.BID) -> Outcome:
    """The signed no to an upload for which the disk has no room: ``UNAVAILABLE``, the platform's fault (promise R6). What was taken before
    stays; submitting, withdrawing and opening go on.

    Refuses: as ``uploads.start``, for what could not be announced anyway.
    """
    work.require(Act.BID_UPLOAD)
    work.lock(lot)
    mine, chain = participants.own(work, lot), signed_policies.chain(work, lot, part)
    uploads.announced(work, lot, mine.party_id, chain, length=length, envelope=part)
    return _refuse(work, lot, own_party(work), None, "", None, "UNAVAILABLE", part=part)


def leave(work: UnitOfWork, participant: Participant) -> None:
    """The written notice of a party that no longer takes part, before the deadline: its deposit goes back (rules T-30, T-35). It is final.

    A bid that stands, in whichever envelope, is withdrawn first, by its own signed act: else it would be opened for a firm whose deposit
    has gone back. Refuses: NotAllowed, Conflict ``participant.bid_stands``, ``participant.left``, TooLate ``lot.deadline_past``.
    """
    work.require(Act.BID_WITHDRAW)
    if participant.party_id != work.actor.party_id:
        raise NotAllowed("participant.not_yours")
    lot = participant.lot
    work.lock(lot)
    work.lock(participant)
    if (
        work.session.scalar(select(StandingBid.id).where(StandingBid.participant_id == participant.id).limit(1))
        is not None
    ):
        raise Conflict("participant.bid_stands", ref=lot.ref)
    if participant.withdrawn_at is not None:
        raise Conflict("participant.left", ref=lot.ref)
    deadline = signed_policies.deadline(work, lot) or lot.deadline
    if deadline is None or work.span.first >= deadline:
        raise TooLate("lot.deadline_past", deadline=deadline, now=work.now)
    if work.span.last >= deadline:
        work.certain()
    participant.withdrawn_at = floor_second(work.now)
    work.session.flush()
    work.record("lot.leave", participant.log_of, account=participant.party.code)


def prove_attempt(work: UnitOfWork, lot: Lot, *, token: str) -> Outcome:
    """A signed proof of an upload that did not become a bid: what came, when, and why it does not count (promise C.1).

    Refuses: NotFound; Conflict ``bid.attempt_not_over`` while the upload may still be handed in.
    """
    work.require(Act.BID_UPLOAD)
    work.lock(lot)
    upload = uploads.own(work, token)
    if upload.lot_id != lot.id:
        raise NotFound("upload.unknown")
    deadline = signed_policies.deadline(work, lot) or lot.deadline
    reason = upload.refused or ("LATE" if deadline is not None and work.span.first >= deadline else "")
    if not reason:
        raise Conflict("bid.attempt_not_over", deadline=deadline)
    return _refuse(work, lot, upload.party, upload, "", None, reason)


# --- the checks of a submission (protocol §4, in its order) ---------------------------------------------------------------


def _statement_of(envelope: Any) -> str:
    """The hash of a signed document, or "" for what is none."""
    try:
        return document_hash(payload_of(envelope))
    except CryptoError:
        return ""


@dataclass(frozen=True)
class _Known:
    """What is in the books about a submission already: its upload, a yes to its ``statement``, a bid of the same bytes, one that ``stands``
    for this participant and envelope, the closing list, a consortium of the lot with this party in it; the bidder's enrolled keys
    (``sign``, ``seal``, base64url, and the enrolment that says so; None without any) and the envelope's policies."""

    upload: Upload
    answered: bool
    used: bool
    stands: bool
    closed: bool
    consortium: bool
    sign: str | None
    seal: str | None
    enrolment: str | None
    chain: Sequence[dict[str, Any]]


def _known(view: View, lot: Lot, participant: Participant, token: str, statement: str) -> _Known:
    """Asked in one question, after the locks: a bid in the last minute costs no more than it must. Refuses: NotFound ``upload.unknown``."""
    rows = view.session.execute(
        _KNOWN,
        {
            "token": token,
            "party": participant.party_id,
            "lot": lot.id,
            "participant": participant.id,
            "holder": participant.party.code,
            "statement": statement,
        },
    ).all()
    if not rows:
        raise NotFound("upload.unknown")
    facts: list[Any] = list(rows[0][:9])
    links = [row[9:] for row in rows]
    facts.append(signed_policies.chain_of(view, lot.id, lot.deadline, facts[0].part, links))
    return _Known(*facts)


_KNOWN = (
    select(
        Upload,
        exists().where(
            BidReceipt.party_id == bindparam("party"),
            BidReceipt.statement == bindparam("statement"),
            BidReceipt.reason == "",
            bindparam("statement") != "",
        ),
        exists().where(SealedBid.header_hash == Upload.header_hash),
        exists().where(StandingBid.participant_id == bindparam("participant"), StandingBid.part == Upload.part),
        closing.is_there(Upload.lot_id, Upload.part),
        consortia.is_there(Upload.lot_id, bindparam("party")),
        EnrolledKey.sign_public,
        EnrolledKey.seal_public,
        EnrolledKey.document,
        *signed_policies.LINKS,
    )
    .outerjoin_from(Upload, EnrolledKey, enrolments.is_standing(bindparam("holder"), "bidder"))
    .outerjoin(Policy, officers.is_link(Upload.lot_id, Upload.part))
    .options(lazyload(Upload.lot), lazyload(Upload.party))
    .where(Upload.token == bindparam("token"), Upload.party_id == bindparam("party"), Upload.lot_id == bindparam("lot"))
)


def _check_submission(
    work: UnitOfWork, lot: Lot, party: Party, submission: Any, known: _Known, *, current: str
) -> dict[str, Any]:
    upload = known.upload
    if upload.refused:
        raise CryptoError(upload.refused, "the uploaded bytes were refused")
    if upload.finished_at is None:
        raise CryptoError("SIZE", "not all bytes have arrived")
    header = uploads.header_of(upload)
    key = signed_keys.of(work, party.code, "bidder", text=known.enrolment, sign=known.sign, seal=known.seal)
    if key is None:
        raise NotFound("key.not_enrolled", holder=party.code, role="bidder")
    document = check_submission(
        submission,
        Inspection(header, upload.length, unb64u(upload.sealed_root, 32), b""),
        known.chain,
        bidder=party.code,
        signing_keys=[key.sign],
        bidder_key=key.seal,
        current=current,
    )
    if known.used:
        raise CryptoError("CONTEXT_MISMATCH", "these sealed bytes were handed in before: a new bid is sealed anew")
    tried = len(known.chain) == 1 or not officers.untried(work.session, lot)
    in_time.check(work, lot, known.chain, upload.part, closed=known.closed, tried=tried)
    return document


def _refuse(
    work: UnitOfWork,
    lot: Lot,
    party: Party,
    upload: Upload | None,
    statement: str,
    document: Any,
    reason: str,
    *,
    part: str = officers.BID,
    kind: str = "submission",
    last: Span | None = None,
) -> Outcome:
    """The signed no. A document nobody has signed is not kept under its hash, where the signed one may belong later; the attempt stands
    for it. The same attempt refused for the same reason gets its first answer."""
    part = upload.part if upload is not None else part
    if reason not in CODES:
        reason = "FORMAT"
    if not statement or reason in ("SIG", "SIG_TYPE"):
        document, statement = (
            None,
            keep_document(work, "attempt", floods.attempt(work, lot, party, upload, part, last), signed=False),
        )
    if (first := _answered(work.session, party, statement, refused=reason)) is not None:
        return Outcome(first, first.reason, again=True)
    count = work.session.scalar(
        select(func.count())
        .select_from(BidReceipt)
        .where(
            BidReceipt.lot_id == lot.id,
            BidReceipt.party_id == party.id,
            BidReceipt.part == part,
            BidReceipt.kind == "refused",
        )
    )
    if document is not None:
        keep_document(work, kind, document, signed=True)
    entry = floods.log_refusal(work, lot, party, part=part, statement=statement, reason=reason, before=count or 0)
    return Outcome(_receipt(work, lot, party, part, "refused", reason, statement, entry.c, entry.text), reason)


def _receipt(
    work: UnitOfWork, lot: Lot, party: Party, part: str, kind: str, reason: str, statement: str, c: str, entry: str
) -> BidReceipt:
    facts: dict[str, Any] = {
        "c": c,
        "lot_id": lot.id,
        "party_id": party.id,
        "part": part,
        "kind": kind,
        "reason": reason,
        "statement": statement,
        "entry": entry,
        "at": floor_second(work.now),
    }
    work.write(_NEW_RECEIPT, facts)
    fault("bid.receipt")
    return BidReceipt(**facts)


# Straight into the tables, without a session's bookkeeping: these are written in a rush.
_NEW_BID, _NEW_STANDING, _NEW_RECEIPT = (insert(table.__table__) for table in (SealedBid, StandingBid, BidReceipt))  # type: ignore[arg-type]


# --- looking ----------------------------------------------------------------------------------------------------------


def _answered(session: Session, party: Party, statement: str, *, refused: str = "") -> BidReceipt | None:
    """The first yes to a statement; with ``refused`` the first no for that reason. A no is no last word: the rest of the bytes may have
    come since."""
    query = select(BidReceipt).where(
        BidReceipt.party_id == party.id, BidReceipt.statement == statement, BidReceipt.reason == refused
    )
    return session.scalar(query.order_by(BidReceipt.id).limit(1))


def _refuse_superseded(session: Session, first: BidReceipt) -> None:
    """A yes that no longer holds is not given again as if it did: it names what counts now. Nothing is written.

    Refuses: Conflict ``bid.replaced_since``, ``bid.withdrawn_since``; of a withdrawal ``bid.bid_since``, where another bid stands.
    """
    own = (SealedBid.lot_id == first.lot_id, SealedBid.party_id == first.party_id, SealedBid.part == first.part)
    stands = session.scalar(select(SealedBid).join(StandingBid, StandingBid.bid_id == SealedBid.id).where(*own))
    if first.kind == "withdrawn":
        if stands is not None:
            raise Conflict("bid.bid_since", at=first.at, number=number_of(unb64u(stands.c)))
        return
    if stands is not None and stands.statement == first.statement:
        return
    gone = select(BidReceipt.c).where(
        BidReceipt.lot_id == first.lot_id, BidReceipt.party_id == first.party_id, BidReceipt.part == first.part
    )
    last = session.scalar(gone.where(BidReceipt.kind == "withdrawn").order_by(BidReceipt.id.desc()).limit(1))
    replaced = session.scalar(select(exists().where(*own, SealedBid.replaces == first.statement)))
    number = number_of(unb64u(stands.c if stands is not None else str(last)))
    raise Conflict("bid.replaced_since" if replaced else "bid.withdrawn_since", at=first.at, number=number)


def standing(session: Session, participant_id: int, part: str = officers.BID) -> StandingBid | None:
    return session.scalar(
        select(StandingBid).where(StandingBid.participant_id == participant_id, StandingBid.part == part)
    )


def standing_bids(session: Session, lot: Lot, part: str = officers.BID, *, alone: bool = False) -> list[SealedBid]:
    """The bids that stand, sorted by header hash. For the closing and the opening alone. ``alone``: without reading their bidders."""
    query = select(SealedBid).join(StandingBid, StandingBid.bid_id == SealedBid.id)
    query = query.options(lazyload(SealedBid.party)) if alone else query
    rows = session.scalars(query.where(StandingBid.lot_id == lot.id, StandingBid.part == part))
    return sorted(rows, key=lambda bid: bid.header_hash)


def standing_facts(session: Session, lot: Lot, part: str, *columns: Any) -> dict[str, tuple[Any, ...]]:
    """header_hash → these columns of each bid that stands: as `standing_bids`, without reading all there is of it and its bidder."""
    query = select(SealedBid.header_hash, *columns).join(StandingBid, StandingBid.bid_id == SealedBid.id)
    rows = session.execute(query.where(StandingBid.lot_id == lot.id, StandingBid.part == part))
    return {row[0]: tuple(row[1:]) for row in rows}


def complete(session: Session, lot: Lot) -> set[int]:
    """The parties whose bid is whole: every envelope of the lot stands; a lone one is no bid. For the closing and the opening alone."""
    found = [{bid.party_id for bid in standing_bids(session, lot, part)} for part in officers.bid_envelopes(lot)]
    return set.intersection(*found)


def missing_parts(session: Session, lot: Lot, participant_id: int) -> list[str]:
    """The envelopes a participant who has handed in at least one still lacks; nothing for who has none, or all."""
    parts = officers.bid_envelopes(lot)
    there = [part for part in parts if standing(session, participant_id, part) is not None]
    return [part for part in parts if part not in there] if there else []


def own_receipts(view: View, lot: Lot | None = None) -> Sequence[BidReceipt]:
    """One's own receipts, newest first. Refuses: NotAllowed."""
    view.require(Act.BID_LOOK)
    query = select(BidReceipt).where(BidReceipt.party_id == view.actor.party_id)
    if lot is not None:
        query = query.where(BidReceipt.lot_id == lot.id)
    return list(view.session.scalars(query.order_by(BidReceipt.at.desc(), BidReceipt.id.desc())))


def own_receipt(view: View, c: str) -> BidReceipt:
    """Refuses: NotFound for anybody else's."""
    view.require(Act.BID_LOOK)
    row = view.session.scalar(select(BidReceipt).where(BidReceipt.c == c, BidReceipt.party_id == view.actor.party_id))
    if row is None:
        raise NotFound("receipt.unknown")
    return row


def receipt_document(session: Session, receipt: BidReceipt) -> dict[str, Any]:
    """The receipt as handed out: ``{entry}``, from its tick on ``{entry, proof}``, of a flood ``{entry, list, proof}`` (protocol §4)."""
    document: dict[str, Any] = {"entry": json.loads(receipt.entry)}
    if receipt.kind == "refused" and (listed := floods.receipt(session, receipt.c)) is not None:
        return {**document, **listed}
    proof = log.proof(session, receipt.c)
    if proof is not None:
        document["proof"] = proof
    return document


def answer_document(session: Session, outcome: Outcome) -> dict[str, Any]:
    """The receipt of an act just taken: nothing signed in this very unit can be in the log yet."""
    return receipt_document(session, outcome.receipt) if outcome.again else {"entry": json.loads(outcome.receipt.entry)}


def submission_payload(envelope: Any) -> dict[str, Any]:
    """The payload of a submission, not verified: to show what was sent. Refuses: Invalid."""
    try:
        value: dict[str, Any] = loads(payload_of(envelope))
    except CryptoError as error:
        raise Invalid("bid.bad_submission", reason=error.code) from error
    return value


def header_bytes(bid: SealedBid) -> bytes:
    return unb64u(bid.header)

"""The opening ceremony: the set published, officers' shares, decryption, the opening list, confirmations, minutes (protocol §5; rules
X-07 to X-10, rulebook §5.2).

Law of the noun: nothing is shown before every bid of the set has its verdict; no share is taken before claims end; a bid that fails
never stops the others; whose fault it is follows from the order of checks, not from anybody's word. Which bytes go where stands in
decryption.py; what officers' clients are handed in opening_package.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import b64u, parse_time, unb64u
from crypto.documents import open_opened, sign_document
from crypto.errors import CryptoError
from crypto.headers import Header, parse_header
from crypto.opening import LEFT_SEALED, check_posted_shares, make_opening_set, open_shares, set_id
from crypto.policy_lines import Generation, boxes_of, dead_bids
from crypto.signatures import payload_of
from trading import bids, claims, closing, deadline_faults, late_close, notices, officers, rulings, stored, technical
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.audit import envelope_text, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, append_only, one_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.faults import fault
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.work import Look, UnitOfWork
from trading.opening_rules import works_may_continue
from trading.parties import Party
from trading.tenders import LOT_FLOW, Lot

OPENING_FLOW = Flow(
    "opening",
    "LISTED",
    Step("decrypt", "LISTED", "OPENED", Act.OPENING_HOST),
    Step("sign", "OPENED", "SIGNED", Act.OPENING_SIGN),
    Step("close", "SIGNED", "CLOSED", Act.OPENING_HOST),
)
CONFIRM = timedelta(minutes=15)
REMARKS = ("confirm", "objection")
OPENS_IN = {officers.BID: "OPENING", officers.PRICE: "EVALUATION"}
"""The state of a lot in which an envelope is opened."""


class Opening(Base):
    """One envelope's opening. ``opening_set``: signed; ``set_hash`` names it in shares; ``left_sealed``: header_hash → ``{ground, cause,
    c, statement}`` of the bids of the set that are not to be opened; ``opened``: the signed opening list, with the
    officers' signatures so far; ``minutes``: blob of the signed paper."""

    __tablename__ = "opening"
    __table_args__ = (UniqueConstraint("lot_id", "part"), CheckConstraint(state_check(OPENING_FLOW), name="state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    part: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(20), default=OPENING_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    opening_set: Mapped[dict[str, Any]] = mapped_column(Json)
    set_hash: Mapped[str] = mapped_column(String(50))
    set_c: Mapped[str] = mapped_column(String(50))
    bids: Mapped[list[dict[str, str]]] = mapped_column(Json)
    left_sealed: Mapped[dict[str, dict[str, str]]] = mapped_column(Json, default=dict)
    listed_at: Mapped[datetime] = mapped_column(Moment)
    shares_from: Mapped[datetime] = mapped_column(Moment)
    shares_until: Mapped[datetime] = mapped_column(Moment)
    extended: Mapped[str] = mapped_column(Text, default="")
    opened: Mapped[dict[str, Any] | None] = mapped_column(Json)
    opened_c: Mapped[str | None] = mapped_column(String(50))
    opened_at: Mapped[datetime | None] = mapped_column(Moment)
    confirm_until: Mapped[datetime | None] = mapped_column(Moment)
    minutes: Mapped[str | None] = mapped_column(String(64))
    lot: Mapped[Lot] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


class Share(Base):
    """An officer's signed ``shares`` and the server's answer: ``parts`` header_hash → good part, ``errors`` header_hash → code."""

    __tablename__ = "share"

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    j: Mapped[int]
    document: Mapped[str] = mapped_column(Text)
    parts: Mapped[dict[str, str]] = mapped_column(Json)
    errors: Mapped[dict[str, str]] = mapped_column(Json)
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)


class OpenedBid(Base):
    """The verdict on one bid. ``announce`` as sealed; ``price_minor`` in fen once the form could be read, ``form_faults`` if it could not;
    ``files``: ``[{name, size, type, blob, digest}]``, untrusted content; ``seed`` for the archive and the officers' second look only."""

    __tablename__ = "opened_bid"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    verdict: Mapped[str] = mapped_column(String(30))
    cause: Mapped[str] = mapped_column(String(20), default="")
    announce: Mapped[dict[str, str]] = mapped_column(Json)
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    form_faults: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    files: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    party: Mapped[Party] = relationship(lazy="joined")


class OpeningRemark(Base):
    """A bidder's confirmation of its line, or an objection on the spot with the host's answer (TReg art. 44)."""

    __tablename__ = "opening_remark"
    __table_args__ = (CheckConstraint(one_of("kind", REMARKS), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


for _table in (Share, OpenedBid):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class BidVerdict:
    """What decryption found of one bid: everything an OpenedBid row holds."""

    header_hash: str
    verdict: str
    cause: str
    announce: dict[str, str]
    price_minor: int | None
    form_faults: list[dict[str, Any]]
    files: list[dict[str, Any]]
    seed: bytes
    item: dict[str, Any]


# --- step 1: the set --------------------------------------------------------------------------------------------------


def list_bids(work: UnitOfWork, lot: Lot, part: str = officers.BID) -> Opening:
    """Publish who bid: the opening set, signed and logged (protocol §5 step 1); of two envelopes the price's only once the technical
    result is fixed. What stays sealed is named with it, each in a logged ``bid-failed``.

    Refuses: NotAllowed, WrongStep (not closed, or failed; ``opening.technical_first``; held by a fault before the deadline), TooEarly
    (closing tick not sealed, ``opens_at``, a late closing not confirmed), NotFound ``policy.missing`` (no such envelope), Conflict
    (published already; ``claim.open``: a claim of omission waits).
    """
    work.require(Act.OPENING_HOST)
    work.lock(lot)
    if part not in officers.bid_envelopes(lot):
        raise NotFound("policy.missing", ref=lot.ref, envelope=part)
    if part == officers.PRICE and technical.find(work.session, lot) is None:
        raise WrongStep("opening.technical_first", ref=lot.ref)
    if lot.state != OPENS_IN[part]:
        raise WrongStep("opening.lot_state", state=lot.state)
    if find(work.session, lot, part) is not None:
        raise Conflict("opening.listed")
    row = closing.closing(work.session, lot, part)
    policy = officers.current_policy(work.session, lot, part)
    if work.now < policy.opens_at:
        raise TooEarly("opening.too_early", now=work.now, opens_at=policy.opens_at)
    if log.tick_of(work.session, row.deadline_c) is None:
        raise TooEarly("closing.not_sealed", ref=lot.ref)
    claims.require_none_open(work.session, lot, part)
    if late_close.is_awaited(work.session, lot, row, policy.deadline):
        raise TooEarly("closing.late_needs_supervisor", closing=row.tick_at, deadline=policy.deadline)
    if part != officers.PRICE:
        deadline_faults.refuse_held(work.session, lot, work.now)
    standing = bids.standing_bids(work.session, lot, part)
    listed = sorted(({"entry": b.c, "header_hash": b.header_hash, "statement": b.statement} for b in standing),
                    key=lambda item: unb64u(item["header_hash"]))
    document = make_opening_set(officers.policy_document(policy), at=_at(work), deadline_entry=unb64u(row.deadline_c), bids=listed)
    envelope = sign_document("opening-set", document, work.office.keys.signing)
    statement = keep_document(work, "opening-set", envelope, signed=True)
    entry = work.log("opening-set", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part)
    begins = max(closing.claims_end(row, policy.opens_at), floor_second(work.now))
    window = timedelta(minutes=officers.policy_document(policy)["window"])
    if officers.policy_document(policy)["co_opening"]:  # bidders' own parts first, for a window from the tick of the set (step 3)
        begins = max(begins, entry.tick_by + window)
    opening = Opening(lot_id=lot.id, part=part, opening_set=dict(envelope), set_hash=set_id(document), set_c=entry.c, bids=listed,
                      listed_at=work.now, shares_from=begins, shares_until=begins + window)
    opening.lot = lot
    opening.left_sealed = _leave_sealed(work, opening)
    work.session.add(opening)
    work.session.flush()
    fault("opening.listed")
    work.record("opening.list", lot.log_of, bids=len(listed), envelope=part, left_sealed=len(opening.left_sealed))
    return opening


def _leave_sealed(work: UnitOfWork, opening: Opening) -> dict[str, dict[str, str]]:
    """Name what of a set stays sealed, in documents of the platform that are logged before any share."""
    lot, first = opening.lot, find(work.session, opening.lot) if opening.part != officers.BID else None
    causes = {one.party_id: one.cause for one in opened_bids(work.session, first)} if first is not None else {}
    found: dict[str, dict[str, str]] = {}
    for left in technical.left_sealed(work.session, lot, opening.part, causes):
        document = {"v": 1, "at": _at(work), "set": opening.set_hash, "header_hash": left.bid.header_hash, "code": LEFT_SEALED,
                    "cause": left.cause}
        statement = keep_document(work, "bid-failed", sign_document("bid-failed", document, work.office.keys.signing), signed=True)
        entry = work.log("bid-failed", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=opening.part,
                         reason=LEFT_SEALED)
        found[left.bid.header_hash] = {"ground": left.ground, "cause": left.cause, "c": entry.c, "statement": statement}
    return found


# --- step 4: shares ---------------------------------------------------------------------------------------------------


def accept_share(work: UnitOfWork, opening: Opening, envelope: Any) -> Share:
    """Take an officer's shares, every part checked against its commitment at once; a wrong one is answered item by item and may be
    posted again (protocol §5 step 4).

    Refuses: NotAllowed (not an officer of this lot; not freshly signed in), TooEarly before claims end, TooLate after the window,
    WrongStep, Invalid ``share.bad`` (signature, another set), ``share.wrong_parts`` (with the codes); before the first share also as
    ``stored.refuse_unready``.
    """
    work.require(Act.SHARE_RELEASE)
    work.lock(opening)
    seat = officers.own_seat(work, opening.lot)
    OPENING_FLOW.check(opening, "decrypt")
    claims.require_none_open(work.session, opening.lot, opening.part)
    if work.now < opening.shares_from:
        raise TooEarly("share.too_early", now=work.now, shares_from=opening.shares_from)
    if work.now > opening.shares_until:
        raise TooLate("share.too_late", now=work.now, shares_until=opening.shares_until)
    if (first := _share_of(work.session, opening, seat.j)) is not None:
        if payload_of(envelope) == payload_of(json.loads(first.document)):
            return first
        raise Conflict("share.posted", j=seat.j)
    if not shares(work.session, opening):
        stored.refuse_unready(work, opening.lot, opening.part, to_open(work.session, opening), opening.listed_at)
    try:
        document = open_shares(envelope, unb64u(seat.sign_public, 32))
        if document["j"] != seat.j or parse_time(document["at"]) < opening.shares_from:
            raise CryptoError("CONTEXT_MISMATCH", "shares of another officer, or dated before claims end")
        answer = check_posted_shares(document, headers(work.session, opening), opening.set_hash, generations(work.session, opening),
                                     opening.left_sealed)
    except CryptoError as error:
        raise Invalid("share.bad", reason=error.code, detail=error.detail) from error
    given = {item["header_hash"] for item in document["items"] if item["part"]}
    wrong = {name: code for name, (part, code) in answer.items() if name in given and not part}  # a complaint is no wrong part
    if wrong:
        raise Invalid("share.wrong_parts", codes=wrong)
    statement = keep_document(work, "shares", envelope, signed=True)
    entry = work.log("shares", statement=statement, tender=opening.lot.tender.ref, lot=opening.lot.no_text, envelope=opening.part)
    share = Share(opening_id=opening.id, j=seat.j, document=envelope_text(envelope), c=entry.c, at=work.now,
                  parts={name: b64u(part) for name, (part, _) in answer.items() if part},
                  errors={name: code for name, (_, code) in answer.items() if code})
    work.session.add(share)
    work.session.flush()
    fault("share.stored")
    work.record("share.release", opening.log_of, j=seat.j)
    return share


def extend_window(work: UnitOfWork, opening: Opening, *, reason: str) -> None:
    """Extend the share window once, by as much, with a reason. Refuses: NotAllowed, WrongStep, Conflict, Invalid."""
    work.require(Act.OPENING_HOST)
    work.lock(opening)
    OPENING_FLOW.check(opening, "decrypt")
    if opening.extended:
        raise Conflict("share.extended")
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    opening.shares_until += opening.shares_until - opening.shares_from
    opening.extended = reason.strip()
    work.record("opening.extend", opening.log_of, until=opening.shares_until, reason=reason.strip())


def restart_window(work: UnitOfWork, opening: Opening) -> None:
    """After a claim that stopped the opening was settled: the window for shares runs anew from now, as long as the policy's."""
    window = timedelta(minutes=officers.policy_document(officers.current_policy(work.session, opening.lot, opening.part))["window"])
    opening.shares_from = max(opening.shares_from, floor_second(work.now))
    opening.shares_until = opening.shares_from + window
    opening.version += 1


def may_decrypt(session: Session, opening: Opening, now: datetime) -> bool:
    """Step 4 has ended: all officers have posted, or t have and the window is over, or the window is over anyway."""
    posted = len(shares(session, opening))
    return posted == len(officers.seats(session, opening.lot)) or now > opening.shares_until


# --- steps 5 and 6: the outcome ---------------------------------------------------------------------------------------


def record_opened(work: UnitOfWork, opening: Opening, verdicts: list[BidVerdict]) -> None:
    """Write the outcome of every bid and the signed opening list, all at once (decryption.open_bids calls it after the long work).

    Refuses: NotAllowed, WrongStep, Conflict when the list was written meanwhile.
    """
    work.require(Act.OPENING_HOST)
    work.lock(opening)
    if opening.opened is not None:
        raise Conflict("opening.opened")
    parties = bids.standing_facts(work.session, opening.lot, opening.part, bids.SealedBid.party_id)
    rows = [{
        "opening_id": opening.id, "lot_id": opening.lot_id, "party_id": parties[one.header_hash][0], "header_hash": one.header_hash,
        "verdict": one.verdict, "cause": one.cause, "announce": one.announce, "price_minor": one.price_minor,
        "form_faults": one.form_faults, "files": one.files, "seed": one.seed} for one in verdicts]
    if rows:
        work.session.execute(insert(OpenedBid), rows)
    document = {"v": 1, "at": _at(work), "set": opening.set_hash, "bids": [one.item for one in verdicts]}
    opening.opened = dict(sign_document("opened", document, work.office.keys.signing))
    opening.opened_at = work.now
    opening.confirm_until = work.now + CONFIRM
    fault("opening.recorded")
    OPENING_FLOW.take(work, opening, "decrypt", opened=sum(1 for one in verdicts if one.verdict == "opened"),
                      failed=[one.verdict for one in verdicts if one.verdict != "opened"])


def countersign(work: UnitOfWork, opening: Opening, envelope: Any) -> None:
    """An officer who came signs the opening list after its client repeated the re-derivation. ``envelope``: the list with the officer's
    signature added. Refuses: NotAllowed, WrongStep, Invalid ``opening.bad_signature``."""
    work.require(Act.OPENING_SIGN)
    work.lock(opening)
    if opening.opened is None or opening.state != "OPENED":
        raise WrongStep("opening.not_opened", state=opening.state)
    seat = officers.own_seat(work, opening.lot)
    try:
        if payload_of(envelope) != payload_of(opening.opened):
            raise CryptoError("CONTEXT_MISMATCH", "another opening list")
        mine = [s for s in envelope["signatures"] if s["keyid"] == seat.sign_kid]
        known = {s["keyid"] for s in opening.opened["signatures"]}
        merged = {**opening.opened, "signatures": [*opening.opened["signatures"], *([] if seat.sign_kid in known else mine)]}
        keys = [unb64u(s.sign_public, 32) for s in officers.seats(work.session, opening.lot)]
        open_opened(merged, work.office.keys.public, keys, len(merged["signatures"]) - 1)
        if not mine:
            raise CryptoError("SIG", "your signature is not there")
    except (CryptoError, KeyError, TypeError) as error:
        raise Invalid("opening.bad_signature", reason=getattr(error, "code", "SIG")) from error
    opening.opened = merged
    opening.version += 1
    work.record("opening.countersign", opening.log_of, j=seat.j)


def signatures_wanted(session: Session, opening: Opening) -> int:
    """How many officers must countersign: t, or all who came, if fewer."""
    t = officers.current_policy(session, opening.lot, opening.part).t
    return min(t, len(shares(session, opening))) or 1


def sign_minutes(work: UnitOfWork, opening: Opening, *, minutes: str) -> None:
    """Close the record: enough officers have countersigned, the confirmation window is over or everybody has confirmed, every objection
    is answered. ``minutes``: blob of the minutes paper. The opening list becomes a logged, public document.

    Refuses: NotAllowed, WrongStep, TooEarly (signatures missing, window running), Conflict ``opening.unanswered``.
    """
    work.require(Act.OPENING_SIGN)
    work.lock(opening)
    OPENING_FLOW.check(opening, "sign")
    assert opening.opened is not None and opening.confirm_until is not None
    came = len(opening.opened["signatures"]) - 1
    if came < signatures_wanted(work.session, opening):
        raise TooEarly("opening.signatures_missing", came=came, needed=signatures_wanted(work.session, opening))
    said = remarks(work.session, opening)
    waited_for = len(opened_bids(work.session, opening)) - len(opening.left_sealed)
    if work.now < opening.confirm_until and len({r.party_id for r in said}) < waited_for:
        raise TooEarly("opening.confirm_running", until=opening.confirm_until, now=work.now)
    if any(r.kind == "objection" and r.answered_at is None for r in said):
        raise Conflict("opening.unanswered")
    statement = keep_document(work, "opened", opening.opened, signed=True)
    entry = work.log("opened", statement=statement, tender=opening.lot.tender.ref, lot=opening.lot.no_text, envelope=opening.part)
    opening.opened_c, opening.minutes = entry.c, minutes
    OPENING_FLOW.take(work, opening, "sign", minutes=minutes)


def close(work: UnitOfWork, opening: Opening) -> None:
    """Publish the opening record and hand the lot on: to qualification review (GP) or to evaluation (works); a tender none of whose bids
    is left has failed. After the prices of two envelopes the evaluation, which waits for them, goes on.

    Refuses: NotAllowed, WrongStep.
    """
    work.require(Act.OPENING_HOST)
    lot = opening.lot
    work.lock(lot)
    OPENING_FLOW.take(work, opening, "close")
    body = {"opened": opening.opened_c or "", "envelope": opening.part, "bids": [
        {"bidder": o.party.name, "verdict": o.verdict, "announce": o.announce} for o in opened_bids(work.session, opening)]}
    fault("opening.closed")
    notices.post(work, lot, "opening_record", title=lot.title, body=body)
    if opening.part != officers.BID:
        return
    if (ground := none_left(work.session, opening)) is None:
        LOT_FLOW.take(work, lot, "review_qualification" if lot.regime == "GP" else "evaluate")
        return
    lot.failure, lot.failure_reason = ground
    LOT_FLOW.take(work, lot, "fail_opening", ground=lot.failure, rule=lot.failure_reason)
    notices.post(work, lot, "failure", title=lot.title, body={"ground": lot.failure, "rule": lot.failure_reason})


def none_left(session: Session, opening: Opening) -> tuple[str, str] | None:
    """(ground, rule) of a tender that fails with its opening, None where there is a bid to go on with. Works go on with one bid left of
    three received (B-07); where no bid could be opened there is nothing to judge, whoever's fault it was (X-09). A government procurement
    left with one or two is for the review of qualification (B-01). A lone envelope, which stays sealed, was no bid."""
    found = [bid for bid in opened_bids(session, opening) if bid.header_hash not in opening.left_sealed]
    ruled = rulings.of_opening(session, opening.id)
    causes = [ruled[bid.header_hash].cause if bid.header_hash in ruled else bid.cause for bid in found]
    if opening.lot.regime == "WORKS" and not works_may_continue(len(found), causes.count("bidder")):
        return "all_revoked", "B-07"
    return None if any(bid.verdict == "opened" for bid in found) else ("none_opened", "X-09")


def remark(work: UnitOfWork, opening: Opening, *, kind: str, text: str = "") -> OpeningRemark:
    """A bidder confirms its line or objects, within the window. Refuses: NotAllowed, NotFound (did not bid), WrongStep, TooLate,
    Conflict (said already), Invalid (objection without words)."""
    work.require(Act.OPENING_CONFIRM)
    if own_opened(work, opening) is None:
        raise NotFound("opening.not_yours")
    if opening.confirm_until is None or opening.state != "OPENED":
        raise WrongStep("opening.not_opened", state=opening.state)
    if work.now > opening.confirm_until:
        raise TooLate("opening.confirm_over", until=opening.confirm_until, now=work.now)
    if kind not in REMARKS or (kind == "objection" and not text.strip()):
        raise Invalid("form.required", field="text")
    if any(r.party_id == work.actor.party_id and r.kind == kind for r in remarks(work.session, opening)):
        raise Conflict("opening.said")
    row = OpeningRemark(opening_id=opening.id, party_id=work.actor.party_id, kind=kind, text=text.strip(), at=work.now)
    work.session.add(row)
    work.session.flush()
    work.record(f"opening.{kind}", opening.log_of)
    return row


def answer_remark(work: UnitOfWork, remark_row: OpeningRemark, opening: Opening, *, text: str) -> None:
    """The host answers an objection on the spot. Refuses: NotAllowed, Invalid."""
    work.require(Act.OPENING_HOST)
    if not text.strip():
        raise Invalid("form.required", field="text")
    remark_row.answer, remark_row.answered_at = text.strip(), work.now
    work.record("opening.answer", opening.log_of)


# --- looking ----------------------------------------------------------------------------------------------------------


def find(session: Session, lot: Lot, part: str = officers.BID) -> Opening | None:
    return session.scalar(select(Opening).where(Opening.lot_id == lot.id, Opening.part == part))


def current_part(session: Session, lot: Lot) -> str:
    """Whose ceremony the hall holds now: of two envelopes the price's once the technical result is fixed."""
    return officers.PRICE if lot.two_envelopes and technical.find(session, lot) is not None else officers.BID


def current(session: Session, lot: Lot) -> Opening | None:
    """The opening the hall holds now, None before its set is published."""
    return find(session, lot, current_part(session, lot))


def opening(session: Session, lot: Lot, part: str = officers.BID) -> Opening:
    """Refuses: NotFound ``opening.not_yet``."""
    found = find(session, lot, part)
    if found is None:
        raise NotFound("opening.not_yet", ref=lot.ref)
    return found


def headers(session: Session, row: Opening) -> dict[str, Header]:
    """The headers of the set, by header hash: handed out to officers only once the set is published; never of what stays sealed."""
    found = bids.standing_facts(session, row.lot, row.part, bids.SealedBid.header)
    return {name: parse_header(unb64u(text)) for name, (text,) in sorted(found.items()) if name not in row.left_sealed}


def to_open(session: Session, row: Opening) -> list[bids.SealedBid]:
    """The bids of the set that are to be opened."""
    return [b for b in bids.standing_bids(session, row.lot, row.part) if b.header_hash not in row.left_sealed]


def generations(session: Session, row: Opening) -> tuple[Generation, ...]:
    """The generations of officers of an opening, the newest last: each bid is opened by those it was sealed to (protocol §5.3)."""
    return officers.generations(session, row.lot, row.part)


def dead(session: Session, row: Opening) -> dict[str, Generation]:
    """header hash → its generation, of the bids whose officers were replaced to the point that nobody opens them (POLICY_DEAD)."""
    found = generations(session, row)
    return {} if len(found) == 1 else dead_bids(found, headers(session, row))


def shares(session: Session, row: Opening) -> list[Share]:
    return list(session.scalars(select(Share).where(Share.opening_id == row.id).order_by(Share.j)))


@dataclass(frozen=True)
class Posted:
    """What officers gave for one bid, by the number of the box: in a bid of earlier officers not the number they have now."""

    parts: dict[int, str]
    errors: dict[int, str]
    officers: dict[int, int]
    """Number of the box → number of the officer in the newest policy."""


def posted(session: Session, row: Opening) -> dict[str, Posted]:
    """header hash → what was given for it, for every bid that is to be opened."""
    line, found = generations(session, row), headers(session, row)
    answer = {name: Posted({}, {}, {}) for name in found}
    for share in shares(session, row):
        for name, number in boxes_of(line, found, share.j, row.left_sealed).items():
            one = answer[name]
            one.officers[number] = share.j
            if name in share.parts:
                one.parts[number] = share.parts[name]
            elif name in share.errors:
                one.errors[number] = share.errors[name]
    return answer


def opened_bids(session: Session, row: Opening) -> list[OpenedBid]:
    """Every bid's verdict, in the order of the set."""
    found = session.scalars(select(OpenedBid).where(OpenedBid.opening_id == row.id))
    return sorted(found, key=lambda bid: unb64u(bid.header_hash))


def opened_of_lot(session: Session, lot: Lot, part: str = officers.BID) -> list[OpenedBid]:
    """Bids that were opened (verdict ``opened``), in the order of the set; for reviewers after the opening. Refuses: NotFound."""
    return [bid for bid in opened_bids(session, opening(session, lot, part)) if bid.verdict == "opened"]


def own_opened(look: Look, row: Opening) -> OpenedBid | None:
    return look.session.scalar(select(OpenedBid).where(OpenedBid.opening_id == row.id, OpenedBid.party_id == look.actor.party_id))


def remarks(session: Session, row: Opening) -> list[OpeningRemark]:
    return list(session.scalars(select(OpeningRemark).where(OpeningRemark.opening_id == row.id).order_by(OpeningRemark.id)))


def seeds_for_officer(look: Look, row: Opening) -> dict[str, str]:
    """header_hash → seed of every joined bid, for an officer who came to repeat the re-derivation. Refuses: NotAllowed, WrongStep."""
    look.require(Act.OPENING_SIGN)
    officers.own_seat(look, row.lot)
    if row.opened is None:
        raise WrongStep("opening.not_opened", state=row.state)
    return {b.header_hash: b64u(b.seed) for b in opened_bids(look.session, row) if b.seed}


def parties_of_set(session: Session, row: Opening) -> set[int]:
    """The ids of those who bid, from the published set."""
    names = {item["header_hash"] for item in row.bids}
    found = bids.standing_facts(session, row.lot, row.part, bids.SealedBid.party_id)
    return {party for name, (party,) in found.items() if name in names}


def is_public(session: Session, lot: Lot) -> bool:
    """Whether the names of those who bid may be shown: from the published opening list on (promise S1)."""
    return find(session, lot) is not None


def refuse_reviewer(look: Look, lot: Lot) -> None:
    """Members of the panel do not attend the opening (O87 art. 40). Refuses: NotAllowed for experts."""
    if look.actor.role in ("expert", "chair") and lot.state == "OPENING":
        raise NotAllowed("opening.not_for_panel")


def _share_of(session: Session, row: Opening, j: int) -> Share | None:
    return session.scalar(select(Share).where(Share.opening_id == row.id, Share.j == j))


def _at(work: UnitOfWork) -> str:
    return write_moment(floor_second(work.now))

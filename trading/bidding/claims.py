"""Claims of omission: a bidder holds a signed receipt, and the entry is missing from the ticks, the list or the set (protocol §4, Claims).

Law of the noun: what the platform signed and then lost, it is answerable for, whatever became of it. A claim that counts stops the opening
of its envelope until the supervisory body has settled it; a receipt that counts no more (a platform key stolen later) stops nothing.
Whose claim it is stays unknown, to the supervisory body too, as long as the names of the bidders are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import b64u, loads, parse_time
from crypto.documents import check_document, open_document
from crypto.errors import CryptoError
from crypto.receipts import Receipt, claim_counts, verify_receipt
from crypto.signatures import document_hash, payload_of, verify_any
from trading.bidding import closing
from trading.bidding.closing import Closing
from trading.custody import officers
from trading.kernel import audit, log
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, envelope_text, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, TooEarly, TooLate, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import enrolments
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Party, own_party
from trading.tendering.tenders import Lot

ACCEPTED = {"bid-received": "submission", "bid-replaced": "submission", "bid-withdrawn": "withdrawal"}
CODES = ("LOG_OMISSION", "SET_OMISSION")
OUTCOMES = ("", "upheld", "rejected")


class Claim(Base):
    """``entry``: c of the entry that is missing, ``receipt`` the file the bidder holds; ``code``: what is missing where; ``c``: the logged
    claim. ``outcome`` is "" until the supervisory body has settled it with ``reasons``."""

    __tablename__ = "omission_claim"
    __table_args__ = (
        CheckConstraint(one_of("code", CODES), name="code"),
        CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        CheckConstraint("(outcome = '') = (settled_at IS NULL)", name="settled"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    part: Mapped[str] = mapped_column(String(128))
    entry: Mapped[str] = mapped_column(String(50), unique=True)
    receipt: Mapped[dict[str, Any]] = mapped_column(Json)
    document: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(20))
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    outcome: Mapped[str] = mapped_column(String(10), default="")
    reasons: Mapped[str] = mapped_column(Text, default="")
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")
    lot: Mapped[Lot] = relationship(lazy="joined")


def file(work: UnitOfWork, lot: Lot, *, claim: Any, receipt: Any) -> Claim:
    """File a signed ``omission-claim`` with the receipt it rests on, as saved from its page: ``{entry, proof?, statement}``. The same claim
    again gives the first.

    Refuses: NotAllowed, NotFound (no key enrolled), WrongStep ``claim.lot_state``, TooEarly ``claim.too_early`` (before the closing tick),
    TooLate ``claim.too_late``, Invalid ``claim.bad`` (the claim), ``claim.receipt_bad`` (the receipt), Conflict ``claim.unfounded`` (the
    entry stands where it belongs).
    """
    work.require(Act.CLAIM_FILE)
    work.lock(lot)
    party = own_party(work)
    if (
        lot.state not in ("BIDDING", "OPENING") and lot.failure != "few_bidders"
    ):  # a lost bid may be the third that was missing
        raise WrongStep("claim.lot_state", state=lot.state)
    found = _receipt(work, lot, party, receipt)
    part = str(found.entry["envelope"])
    document = _claim(work, lot, party, claim, b64u(found.c), part)
    row = closing.find(work.session, lot, part)
    if row is None or log.tick_of(work.session, row.deadline_c) is None:
        raise TooEarly("claim.too_early", deadline=lot.deadline)
    if (first := work.session.scalar(select(Claim).where(Claim.entry == document["entry"]))) is not None:
        return first
    policy = officers.current_policy(work.session, lot, part)
    if not claim_counts(
        closing=write_moment(row.tick_at),
        opens_at=write_moment(policy.opens_at),
        proof_at=found.proven.at if found.proven else "",
        filed_at=write_moment(floor_second(work.now)),
    ):
        raise TooLate("claim.too_late", until=closing.claims_end(row, policy.opens_at))
    code = omission(work.session, lot, row, document["entry"])
    if not code:
        raise Conflict("claim.unfounded", entry=document["entry"])
    statement = keep_document(work, "omission-claim", claim, signed=True)
    entry = work.log("omission-claim", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part)
    new = Claim(
        lot_id=lot.id,
        party_id=party.id,
        part=part,
        entry=document["entry"],
        receipt=dict(receipt),
        code=code,
        c=entry.c,
        document=envelope_text(claim),
        at=floor_second(work.now),
        outcome="",
        reasons="",
    )
    work.session.add(new)
    work.session.flush()
    work.record("claim.file", lot.log_of, code=code, entry=new.entry)
    return new


def _receipt(work: UnitOfWork, lot: Lot, party: Party, receipt: Any) -> Receipt:
    """The receipt, proved: signed by this platform for an accepted statement of this bidder on this lot, before the deadline."""
    try:
        if type(receipt) is not dict or "statement" not in receipt:
            raise CryptoError("JSON_PROFILE", "a receipt as its page saves it, with the statement it speaks of")
        bare = {name: receipt[name] for name in ("entry", "proof") if name in receipt}
        found = verify_receipt(bare, [work.office.keys.public], log.log_key(work.office.platform, work.office.keys))
        entry, kind = found.entry, ACCEPTED.get(found.entry["event"], "")
        if not kind or (entry["tender"], entry["lot"]) != (lot.tender.ref, lot.no_text):
            raise CryptoError("CONTEXT_MISMATCH", "a receipt for something else than a bid to this lot")
        check_document(kind, loads(payload_of(receipt["statement"])))
        document, _ = verify_any(receipt["statement"], kind, _keys_of(work.session, party))
        if document_hash(payload_of(receipt["statement"])) != entry["statement"] or document["bidder"] != party.code:
            raise CryptoError("CONTEXT_MISMATCH", "a receipt for another statement, or another bidder's")
        if lot.deadline is None or not parse_time(entry["at"]) < lot.deadline:
            raise CryptoError("LATE", "a receipt of after the deadline")
    except CryptoError as error:
        raise Invalid("claim.receipt_bad", reason=error.code, detail=error.detail) from error
    return found


def _claim(work: UnitOfWork, lot: Lot, party: Party, claim: Any, entry: str, part: str) -> dict[str, Any]:
    key = enrolments.standing_key(work.session, party.code, "bidder")
    try:
        given = open_document(claim, "omission-claim", enrolments.sign_bytes(key))
        wanted = {
            "v": 1,
            "platform": work.office.platform,
            "tender": lot.tender.ref,
            "lot": lot.no_text,
            "envelope": part,
            "bidder": party.code,
            "entry": entry,
            "at": given["at"],
        }
        if given != wanted or abs(parse_time(given["at"]) - work.now) > enrolments.SKEW:
            raise CryptoError("CONTEXT_MISMATCH", "a claim about another entry, or of another moment")
    except CryptoError as error:
        raise Invalid("claim.bad", reason=error.code, detail=error.detail) from error
    return given


def _keys_of(session: Session, party: Party) -> list[bytes]:
    rows = session.scalars(select(EnrolledKey).where(EnrolledKey.holder == party.code, EnrolledKey.role == "bidder"))
    return [enrolments.sign_bytes(key) for key in rows]


def omission(session: Session, lot: Lot, row: Closing, c: str) -> str:
    """What is missing: LOG_OMISSION (no tick up to the closing one, or not on the list), SET_OMISSION (current by the list, not in the
    published set), or "" where the entry stands where it belongs."""
    tick = log.tick_of(session, c)
    if c not in row.entries["entries"] or tick is None or tick.tick > row.tick:
        return "LOG_OMISSION"
    published = session.scalar(
        select(LogEntry).where(
            LogEntry.event == "opening-set",
            LogEntry.tender == lot.tender.ref,
            LogEntry.lot == lot.no_text,
            LogEntry.part == row.part,
        )
    )
    if published is None:
        return ""
    shown = {bid["entry"] for bid in loads(payload_of(audit.document(session, published.statement)))["bids"]}
    return "SET_OMISSION" if c not in shown and _is_current(session, row, c) else ""


def _is_current(session: Session, row: Closing, c: str) -> bool:
    """Whether the list itself leaves this bid standing: no other statement on it replaces or withdraws it."""
    listed = [audit.entry(session, one) for one in row.entries["entries"]]
    mine = next(entry for entry in listed if entry.c == c)
    if mine.event == "bid-withdrawn":
        return False
    gone = set()
    for entry in listed:
        if entry.event in ACCEPTED:
            document = loads(payload_of(audit.document(session, entry.statement)))
            gone.add(document["statement"] if entry.event == "bid-withdrawn" else document["replaces"])
    return mine.statement not in gone


# --- looking ----------------------------------------------------------------------------------------------------------


def of_lot(session: Session, lot: Lot, part: str = officers.BID) -> list[Claim]:
    """Every claim that counted, oldest first."""
    return list(session.scalars(select(Claim).where(Claim.lot_id == lot.id, Claim.part == part).order_by(Claim.id)))


def require_none_open(session: Session, lot: Lot, part: str) -> None:
    """Nothing is opened while a claim waits. Refuses: Conflict ``claim.open``."""
    query = select(Claim.code, Claim.at).where(Claim.lot_id == lot.id, Claim.part == part, Claim.outcome == "")
    waiting = session.execute(query.order_by(Claim.id).limit(1)).first()
    if waiting is not None:
        raise Conflict("claim.open", code=waiting.code, at=waiting.at)


def receipt_of(claim: Claim) -> dict[str, Any]:
    """The bare receipt a claim rests on, as the bundle shows it."""
    return {name: claim.receipt[name] for name in ("entry", "proof") if name in claim.receipt}

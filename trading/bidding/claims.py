"""Claims of omission: a bidder holds a signed receipt, and the entry is missing from the ticks, the list or the set (protocol §4, Claims).

Law of the noun: what the platform signed and then lost, it is answerable for, whatever became of it. A claim that counts stops the opening
of its envelope until the supervisory body has settled it; a receipt that counts no more (a platform key stolen later) stops nothing.
Whose claim it is stays unknown, to the supervisory body too, as long as the names of the bidders are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import b64u, loads, parse_time
from crypto.documents import check_document, open_document
from crypto.errors import CryptoError
from crypto.receipts import Receipt, claim_counts, verify_receipt
from crypto.signatures import document_hash, payload_of, verify_any
from trading.bidding import closing, signed_bids
from trading.bidding.closing import Closing
from trading.custody import officers, signed_policies
from trading.kernel import audit, log, signed
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, envelope_text, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, TooEarly, TooLate, WrongStep
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, signed_keys
from trading.parties.parties import Party, own_party
from trading.tendering import signed_terms
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
    entry stands where it belongs), ``signed.differs`` (lot, closing or claims).
    """
    work.require(Act.CLAIM_FILE)
    work.lock(lot)
    party = own_party(work)
    if (
        lot.state not in ("BIDDING", "OPENING") and lot.failure != "few_bidders"
    ):  # a lost bid may be the third that was missing
        signed.refuse_first(lot.ref, signed_terms.differences(work, lot))
        raise WrongStep("claim.lot_state", state=lot.state)
    found = _receipt(work, lot, party, receipt)
    part = str(found.entry["envelope"])
    document = _claim(work, lot, party, claim, b64u(found.c), part)
    signed.refuse_first(lot.ref, differences(work, lot, part))
    row = closing.find(work.session, lot, part)
    if row is not None:
        signed.refuse_first(lot.ref, signed_bids.of_closing(work, lot, part))
    if row is None or log.tick_of(work.session, row.deadline_c) is None:
        raise TooEarly("claim.too_early", deadline=lot.deadline)
    if (first := work.session.scalar(select(Claim).where(Claim.entry == document["entry"]))) is not None:
        return first
    opens_at = parse_time(signed_policies.chain(work, lot, part)[-1]["opens_at"])
    if not claim_counts(
        closing=write_moment(row.tick_at),
        opens_at=write_moment(opens_at),
        proof_at=found.proven.at if found.proven else "",
        filed_at=write_moment(floor_second(work.now)),
    ):
        raise TooLate("claim.too_late", until=closing.claims_end(row, opens_at))
    code = omission(work.session, lot, row, document["entry"])
    if not code or (code == "LOG_OMISSION" and _stands_anew(work, row, found)):
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
        document, _ = verify_any(
            receipt["statement"], kind, [key.sign for key in signed_keys.of_holder(work, party.code, "bidder")]
        )
        if document_hash(payload_of(receipt["statement"])) != entry["statement"] or document["bidder"] != party.code:
            raise CryptoError("CONTEXT_MISMATCH", "a receipt for another statement, or another bidder's")
        deadline = signed_policies.deadline(work, lot)
        if deadline is None or not parse_time(entry["at"]) < deadline:
            raise CryptoError("LATE", "a receipt of after the deadline")
    except CryptoError as error:
        raise Invalid("claim.receipt_bad", reason=error.code, detail=error.detail) from error
    return found


def _claim(work: UnitOfWork, lot: Lot, party: Party, claim: Any, entry: str, part: str) -> dict[str, Any]:
    key = signed_keys.required(work, party.code, "bidder")
    try:
        given = open_document(claim, "omission-claim", key.sign)
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


def _stands_anew(work: UnitOfWork, row: Closing, receipt: Receipt) -> bool:
    """Whether the very submission a receipt speaks of was handed in again and is listed under another entry: nothing is missing then."""
    asked = select(LogEntry.c).where(
        LogEntry.statement == receipt.entry["statement"],
        LogEntry.event.in_(ACCEPTED),
        LogEntry.c != b64u(receipt.c),
    )
    return bool(set(work.session.scalars(asked)) & set(row.entries["entries"]))


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
    return list(session.scalars(_OF_LOT, {"lot": lot.id, "part": part}))


_OF_LOT = select(Claim).where(Claim.lot_id == bindparam("lot"), Claim.part == bindparam("part")).order_by(Claim.id)


def require_none_open(view: View, lot: Lot, part: str) -> None:
    """Nothing is opened while a claim waits, by the log: a row that was taken away or settled by hand opens nothing.

    Refuses: Conflict ``claim.open``, ``signed.differs``, ``signed.altered``, ``signed.missing``."""
    rows = of_lot(view.session, lot, part)
    signed.refuse_first(lot.ref, _differing(view, lot, part, rows))
    waiting = next((one for one in rows if not one.outcome), None)
    if waiting is not None:
        raise Conflict("claim.open", code=waiting.code, at=waiting.at)


def differences(view: View, lot: Lot, part: str = officers.BID) -> Iterator[Difference]:
    """Where the claims of an envelope differ from the documents their bidders signed and the records of filing and settling them.

    Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    yield from _differing(view, lot, part, of_lot(view.session, lot, part))


def _differing(view: View, lot: Lot, part: str, rows: list[Claim]) -> Iterator[Difference]:
    found = signed.listed(view, "omission-claim", tender=lot.tender.ref, lot=lot.no_text, part=part)
    if not rows and not found:
        return
    filed: dict[str, dict[str, Any]] = {}
    settled: dict[str, tuple[str, dict[str, Any]]] = {}
    for entry, record in signed.records(view, ("claim.file", "claim.settle"), lot.log_of):
        facts = record["facts"]
        if record["act"] == "claim.file":
            filed[facts["entry"]] = facts
        else:
            settled[facts["entry"]] = (entry.c, facts)

    def differ(row: Claim, one: Proved) -> Iterator[Difference]:
        if one.document is None:
            raise signed.missing(lot.ref, "omission-claim", one.c)
        told = one.payload
        wanted = {"entry": told["entry"], "document": envelope_text(one.document), "at": parse_time(one.entry["at"])}
        wanted["code"] = filed[told["entry"]]["code"] if told["entry"] in filed else ""
        yield from signed.compare(row, wanted, one.c)
        if row.party.code != told["bidder"]:
            yield Difference("omission_claim", str(row.id), "party_id", one.c, row.party.code, told["bidder"])
        c, facts = settled.get(told["entry"], (one.c, {"outcome": "", "reasons": ""}))
        yield from signed.compare(row, {"outcome": facts["outcome"], "reasons": facts["reasons"]}, c)

    yield from signed.paired("omission_claim", rows, found, differ)


def receipt_of(claim: Claim) -> dict[str, Any]:
    """The bare receipt a claim rests on, as the bundle shows it."""
    return {name: claim.receipt[name] for name in ("entry", "proof") if name in claim.receipt}

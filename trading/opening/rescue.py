"""Bids that found no t good shares: told in the log, and rescued by their bidder's keeper file where the policy allows it (protocol §5.2).

Law of the noun: only TOO_FEW_SHARES and UNRESOLVED can be repaired. From the tick of ``bid-failed`` runs one window, as long as the
policy's: bidders may post the seed of their keeper file (where the policy says ``rescue``), the supervisory body its findings on bad
boxes. Nothing is shown before it is over; then all bids of the set together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import unb64u
from crypto.documents import open_document, sign_document
from crypto.errors import CryptoError
from crypto.opening import LEFT_SEALED
from crypto.verdicts import RESCUABLE, Verdict, check_rescue
from trading.bidding import bids, claims, signed_bids
from trading.custody import officers
from trading.kernel import log, signed
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.opening.ceremony import OPENING_FLOW, Opening
from trading.parties import signed_keys
from trading.parties.parties import Party, own_party


class BidFailure(Base):
    """A bid that could not be opened from the shares that came; ``c``: its ``bid-failed`` entry, from whose tick the window runs."""

    __tablename__ = "bid_failure"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    code: Mapped[str] = mapped_column(String(30))
    cause: Mapped[str] = mapped_column(String(20))
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


class Rescue(Base):
    """A seed that re-derives the header of a failed bid, posted by its bidder; ``c``: its ``rescue`` entry."""

    __tablename__ = "rescue"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


for _table in (BidFailure, Rescue):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pause:
    """The window for repair. ``since``: the tick of ``bid-failed``, None while it waits for it; ``until``: the last moment, None before."""

    rescue: bool
    since: datetime | None
    until: datetime | None

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and now > self.until


def failures(session: Session, row: Opening) -> list[BidFailure]:
    """The failed bids of an opening, in the order of the set."""
    found = session.scalars(select(BidFailure).where(BidFailure.opening_id == row.id))
    return sorted(found, key=lambda one: unb64u(one.header_hash))


def own_failure(session: Session, row: Opening, party_id: int | None) -> BidFailure | None:
    return session.scalar(select(BidFailure).where(BidFailure.opening_id == row.id, BidFailure.party_id == party_id))


def own_rescue(session: Session, row: Opening, party_id: int | None) -> Rescue | None:
    return session.scalar(select(Rescue).where(Rescue.opening_id == row.id, Rescue.party_id == party_id))


def seeds(session: Session, row: Opening) -> dict[str, bytes]:
    """header_hash → seed of the rescued bids. For the opening and the archive alone."""
    return {one.header_hash: one.seed for one in session.scalars(select(Rescue).where(Rescue.opening_id == row.id))}


def pause(session: Session, row: Opening) -> Pause | None:
    """The window for repair of an opening, None where no bid failed for want of shares."""
    found = failures(session, row)
    if not found:
        return None
    document = officers.policy_document(officers.current_policy(session, row.lot, row.part))
    sealed = [log.tick_of(session, one.c) for one in found]
    if any(tick is None for tick in sealed):
        return Pause(bool(document["rescue"]), None, None)
    since = max(tick.at for tick in sealed if tick is not None)
    return Pause(bool(document["rescue"]), since, since + timedelta(minutes=document["window"]))


def to_note(policy: dict[str, Any], verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts that open the window for repair: where the policy allows a rescue all that can be rescued, else just those an arbiter
    can settle."""
    codes = RESCUABLE if policy["rescue"] else {"UNRESOLVED"}
    return [one for one in verdicts if one.code in codes]


def note_failures(work: UnitOfWork, row: Opening, verdicts: Iterable[Verdict]) -> None:
    """Tell in the log which bids have not been opened and why: public, each with its code; the bidders concerned are told.

    Refuses: NotAllowed, WrongStep, Conflict ``opening.failures_noted``, ``claim.open``.
    """
    work.require(Act.OPENING_HOST)
    work.lock(row)
    OPENING_FLOW.check(row, "decrypt")
    claims.require_none_open(work, row.lot, row.part)
    if failures(work.session, row):
        raise Conflict("opening.failures_noted")
    by_hash = {bid.header_hash: bid for bid in bids.standing_bids(work.session, row.lot, row.part)}
    codes = []
    for one in verdicts:
        document = {
            "v": 1,
            "at": write_moment(floor_second(work.now)),
            "set": row.set_hash,
            "header_hash": one.header_hash,
            "code": one.code,
            "cause": one.cause,
        }
        statement = keep_document(
            work, "bid-failed", sign_document("bid-failed", document, work.office.keys.signing), signed=True
        )
        entry = work.log(
            "bid-failed",
            statement=statement,
            tender=row.lot.tender.ref,
            lot=row.lot.no_text,
            envelope=row.part,
            reason=one.code,
        )
        party_id = by_hash[one.header_hash].party_id
        work.session.add(
            BidFailure(
                opening_id=row.id,
                party_id=party_id,
                header_hash=one.header_hash,
                code=one.code,
                cause=one.cause,
                c=entry.c,
                at=entry.at,
            )
        )
        work.send(f"rescue/{entry.c}", to=f"party:{party_id}", template="opening.bid_failed", lot=row.lot.ref)
        codes.append(one.code)
    work.session.flush()
    row.version += 1
    work.record("opening.note_failures", row.log_of, codes=codes)


def post(work: UnitOfWork, row: Opening, envelope: Any) -> Rescue:
    """Take the seed of a bidder's keeper file, signed: accepted iff the header re-derives from it. The same seed again gives the first.

    Refuses: NotAllowed, NotFound ``rescue.not_yours``, WrongStep (opened already), Conflict ``rescue.not_allowed`` (the policy says no),
    TooEarly ``rescue.too_early`` (not in a tick yet), TooLate ``rescue.too_late``, Invalid ``rescue.bad`` (signature, set, bid),
    ``rescue.wrong_seed``, Conflict ``signed.differs`` where the rows say that no bid of this party failed and the log says one did.
    """
    work.require(Act.BID_RESCUE)
    work.lock(row)
    party = own_party(work)
    failed = own_failure(work.session, row, party.id)
    if failed is None:
        signed.refuse_first(row.lot.ref, _missing_failures(work, row))
        raise NotFound("rescue.not_yours")
    if row.opened is not None:
        raise WrongStep("opening.opened", state=row.state)
    running = pause(work.session, row)
    assert running is not None
    if not running.rescue:
        raise Conflict("rescue.not_allowed")
    if running.until is None:
        raise TooEarly("rescue.too_early")
    if running.is_over(work.now):
        raise TooLate("rescue.too_late", until=running.until, now=work.now)
    key = signed_keys.required(work, party.code, "bidder")
    try:
        given = open_document(envelope, "rescue", key.sign)
        if (given["set"], given["header_hash"]) != (row.set_hash, failed.header_hash):
            raise CryptoError("CONTEXT_MISMATCH", "of another set or bid")
    except CryptoError as error:
        raise Invalid("rescue.bad", reason=error.code, detail=error.detail) from error
    if (first := own_rescue(work.session, row, party.id)) is not None:
        return first
    seed = unb64u(given["seed"], 32)
    try:
        check_rescue(failed.code, ceremony.headers(work.session, row)[failed.header_hash], seed)
    except CryptoError as error:
        raise Invalid("rescue.wrong_seed", reason=error.code) from error
    statement = keep_document(work, "rescue", envelope, signed=True)
    entry = work.log("rescue", statement=statement, tender=row.lot.tender.ref, lot=row.lot.no_text, envelope=row.part)
    new = Rescue(
        opening_id=row.id, party_id=party.id, header_hash=failed.header_hash, seed=seed, c=entry.c, at=entry.at
    )
    work.session.add(new)
    work.session.flush()
    row.version += 1
    work.record("opening.rescue", row.log_of, header_hash=failed.header_hash)
    return new


def _missing_failures(view: View, row: Opening) -> Iterator[Difference]:
    """Failed bids of the log that no row, or the row of another party, tells of."""
    rows = {one.c: one for one in failures(view.session, row)}
    lot = row.lot
    told = [
        one
        for one in signed.listed(view, "bid-failed", tender=lot.tender.ref, lot=lot.no_text, part=row.part)
        if one.entry["reason"] != LEFT_SEALED and one.document is not None
    ]
    bidders = signed_bids.accepted(view, lot, row.part)[1] if told else {}
    for one in told:
        held, bid = rows.get(one.c), bidders.get(one.payload["header_hash"])
        if held is None:
            yield Difference("bid_failure", one.c, "c", one.c, "", one.c)
        elif bid is not None and held.party.code != bid.bidder:
            yield Difference("bid_failure", str(held.id), "party_id", one.c, held.party.code, bid.bidder)

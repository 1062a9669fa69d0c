"""Co-opening: the bidder's own part, posted between the set and the officers' shares (protocol §5 step 3).

Law of the noun: where the policy says ``co_opening`` nothing opens without the bidder; its part is taken from the published set until the
officers' shares begin, so nobody decides after seeing a price; it is checked against the header's commitment at once. A part that is
missing then counts as revocation by the bidder, or as the platform's fault where the log itself shows that the platform stood still.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import unb64u
from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.headers import check_share, parse_header
from trading.bidding import bids, signed_bids
from trading.bidding.bids import SealedBid
from trading.custody import signed_policies
from trading.kernel import signed
from trading.kernel.access import Act
from trading.kernel.audit import envelope_text, keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Conflict, Invalid, NotFound, TooLate, WrongStep
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, signed_opening
from trading.opening.ceremony import OPENING_FLOW, Opening
from trading.opening.files import BIDDER_PART
from trading.opening.rules import stood_still
from trading.parties import signed_keys
from trading.parties.parties import Party, own_party


class BidderPart(Base):
    """A bidder's own part (base64url), good for the header of its bid; ``c``: its ``bidder-part`` entry, hidden until the opening."""

    __tablename__ = "bidder_part"
    __table_args__ = (UniqueConstraint("opening_id", "header_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    part: Mapped[str] = mapped_column(String(50))
    document: Mapped[str] = mapped_column(Text)
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


append_only(BidderPart.__table__)  # type: ignore[arg-type]


# --- looking ----------------------------------------------------------------------------------------------------------


def is_asked(view: View, row: Opening) -> bool:
    """Whether the policy of this opening, as its officers signed it, asks for bidders' parts."""
    return bool(signed_policies.chain(view, row.lot, row.part)[-1]["co_opening"])


def parts(session: Session, row: Opening) -> dict[str, bytes]:
    """header_hash → the bidder's part. For the opening alone."""
    found = session.scalars(select(BidderPart).where(BidderPart.opening_id == row.id))
    return {one.header_hash: unb64u(one.part, 32) for one in found}


def own(session: Session, row: Opening, party_id: int | None) -> BidderPart | None:
    return session.scalar(select(BidderPart).where(BidderPart.opening_id == row.id, BidderPart.party_id == party_id))


def own_bid(session: Session, row: Opening, party_id: int | None) -> SealedBid | None:
    """The bid of the set that a party may post a part for; none where it stays sealed, or nobody can open it any more."""
    found = next(
        (
            bid
            for bid in bids.standing_bids(session, row.lot, row.part)
            if bid.party_id == party_id and bid.header_hash not in row.left_sealed
        ),
        None,
    )
    return None if found is None or found.header_hash in ceremony.dead(session, row) else found


def outage(session: Session, row: Opening) -> bool:
    """Whether the log shows that the platform stood still while parts were taken: two ticks more than ``rules.OUTAGE`` apart."""
    begins = floor_second(row.listed_at)
    ticks = select(LogTick.at).where(LogTick.at > begins, LogTick.at < row.shares_from).order_by(LogTick.tick)
    return stood_still(list(session.scalars(ticks)), begins, row.shares_from)


def package(view: View, row: Opening) -> dict[str, Any]:
    """What a bidder's client makes its part from. Refuses: NotAllowed, WrongStep ``part.not_asked``, NotFound ``part.no_bid``."""
    view.require(Act.BID_LOOK)
    bid = _bid(view, row)
    return {
        "type": BIDDER_PART,
        "v": 1,
        "platform": view.office.platform,
        "tender": row.lot.tender.ref,
        "lot": row.lot.no_text,
        "envelope": row.part,
        "set": row.set_hash,
        "opening_set": row.opening_set,
        "header_hash": bid.header_hash,
        "header": bid.header,
        "bidder": bid.party.code,
        "until": write_moment(floor_second(row.shares_from)),
    }


def _bid(view: View, row: Opening) -> SealedBid:
    if not is_asked(view, row):
        raise WrongStep("part.not_asked", ref=row.lot.ref)
    found = own_bid(view.session, row, view.actor.party_id)
    if found is None:
        signed.refuse_first(
            row.lot.ref, signed_bids.differences(view, row.lot, row.part)
        )  # nobody is turned away by a row
        raise NotFound("part.no_bid", ref=row.lot.ref)
    return found


# --- the act ----------------------------------------------------------------------------------------------------------


def accept(work: UnitOfWork, row: Opening, envelope: Any) -> BidderPart:
    """Take a bidder's own part, signed by its enrolled key, good for its bid of the set. The same part again is the first answer again.

    Refuses: NotAllowed, WrongStep ``part.not_asked``, NotFound ``part.no_bid``, TooLate ``part.too_late`` once shares may be released,
    Conflict ``part.posted``, ``signed.differs`` (bids or windows), Invalid ``part.bad`` (signature, another set or bid, ``SHARE_COMMIT``).
    """
    work.require(Act.BID_SUBMIT)
    work.lock(row)
    OPENING_FLOW.check(row, "decrypt")
    bid, party = _bid(work, row), own_party(work)
    signed.refuse_first(row.lot.ref, signed_opening.of_windows(work, row))
    if work.now >= row.shares_from:
        raise TooLate("part.too_late", now=work.now, until=row.shares_from)
    key = signed_keys.required(work, party.code, "bidder")
    try:
        document = open_document(envelope, "bidder-part", key.sign)
        if document["set"] != row.set_hash or document["header_hash"] != bid.header_hash:
            raise CryptoError("CONTEXT_MISMATCH", "a part of another set or bid")
        check_share(parse_header(unb64u(bid.header)), 0, unb64u(document["part"], 32))
    except CryptoError as error:
        raise Invalid("part.bad", reason=error.code, detail=error.detail) from error
    if (first := own(work.session, row, party.id)) is not None:
        if first.part == document["part"]:
            return first
        raise Conflict("part.posted", at=first.at)
    statement = keep_document(work, "bidder-part", envelope, signed=True)
    entry = work.log(
        "bidder-part", statement=statement, tender=row.lot.tender.ref, lot=row.lot.no_text, envelope=row.part
    )
    new = BidderPart(
        opening_id=row.id,
        party_id=party.id,
        header_hash=bid.header_hash,
        part=document["part"],
        document=envelope_text(envelope),
        c=entry.c,
        at=work.now,
    )
    work.session.add(new)
    work.session.flush()
    work.record("opening.part", row.log_of)
    return new

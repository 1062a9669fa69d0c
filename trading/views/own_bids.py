"""What a bidder reads of its own bid on a lot: its envelopes, and uploads that became no bid. Nothing here is anybody else's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crypto import sealed_bid
from crypto.canonical import b64u
from crypto.errors import CryptoError
from trading.bidding.bids import BidReceipt, SealedBid, StandingBid
from trading.bidding.participants import Participant
from trading.bidding.uploads import Upload
from trading.kernel.work import View
from trading.parties import enrolments, parties
from trading.tendering.tenders import Lot

MOST_UPLOADS = 8


@dataclass(frozen=True)
class UploadCard:
    """An upload of ours that did not become a bid. ``size``: bytes that have arrived; ``header_hash``: of its header once that is there:
    by it the page knows the same sealed file again, on whatever computer it is chosen."""

    token: str
    size: int
    length: int
    whole: bool
    refused: str
    made_at: datetime
    header_hash: str


@dataclass(frozen=True)
class StandingReceipt:
    """The receipt of the bid that stands. ``c``: the hash it is found by."""

    c: str
    at: datetime


@dataclass(frozen=True)
class EnvelopeCard:
    """One envelope of our bid. ``bid``: the receipt of what stands in it; ``sealed``: a sealed file of it lies whole at the platform;
    ``uploads``: those of this envelope that no bid was made of."""

    part: str
    bid: StandingReceipt | None
    statement: str
    sealed: bool
    uploads: tuple[UploadCard, ...]


def own_participations(view: View) -> list[Participant]:
    """Every lot our party takes part in, also those it left."""
    return list(view.session.scalars(select(Participant).where(Participant.party_id == view.actor.party_id)))


def envelope_card(view: View, taking: Participant, part: str) -> EnvelopeCard:
    """What stands in an envelope, with its receipt, and what is on its way there."""
    standing = view.session.execute(
        select(SealedBid.statement, BidReceipt.c, BidReceipt.at)
        .join(StandingBid, StandingBid.bid_id == SealedBid.id)
        .outerjoin(BidReceipt, BidReceipt.c == SealedBid.c)
        .where(StandingBid.participant_id == taking.id, StandingBid.part == part)
    ).first()
    receipt = StandingReceipt(standing.c, standing.at) if standing is not None and standing.c is not None else None
    uploads = upload_cards(view, taking.lot, part)
    whole = any(upload.whole for upload in uploads)
    statement = standing.statement if standing is not None else ""
    return EnvelopeCard(part, receipt, statement, whole or standing is not None, uploads)


def is_keyed(view: View) -> bool:
    """Whether our party has enrolled a key to sign bids with."""
    return enrolments.find_key(view.session, parties.own_party(view).code, "bidder") is not None


def upload_cards(view: View, lot: Lot, part: str) -> tuple[UploadCard, ...]:
    """Uploads on their way, refused or whole, that no bid was made of; newest first."""
    used = select(SealedBid.blob).where(SealedBid.lot_id == lot.id, SealedBid.party_id == view.actor.party_id)
    rows = (
        select(Upload)
        .where(
            Upload.lot_id == lot.id,
            Upload.party_id == view.actor.party_id,
            Upload.part == part,
            Upload.blob.is_(None) | Upload.blob.not_in(used),
        )
        .order_by(Upload.made_at.desc(), Upload.id.desc())
        .limit(MOST_UPLOADS)
    )
    return tuple(
        UploadCard(
            row.token,
            _size(view, row),
            row.length,
            row.finished_at is not None,
            row.refused or "",
            row.made_at,
            _header_hash(view, row),
        )
        for row in view.session.scalars(rows)
    )


def _header_hash(view: View, row: Upload) -> str:
    """Of the header that has arrived, "" while it has not."""
    if row.header_hash or row.refused or not view.office.spool.path(row.token).exists():
        return row.header_hash or ""
    with view.office.spool.open(row.token) as source:
        try:
            return b64u(sealed_bid.read_header(source).header_hash)
        except CryptoError:
            return ""


def _size(view: View, row: Upload) -> int:
    if row.finished_at is not None:
        return row.length
    path = view.office.spool.path(row.token)
    return path.stat().st_size if path.exists() else 0

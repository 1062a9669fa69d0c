"""Who took its bid back and handed in none anew (rules D-20, T-30, T-35)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from trading.bidding.bids import BidReceipt, SealedBid, StandingBid
from trading.tendering.tenders import Lot


def taken_back(session: Session, lot: Lot) -> dict[int, datetime]:
    """party → when it last withdrew a bid, for those of whom none stands. For when the names are public, or the lot is over."""
    stands = select(SealedBid.party_id).join(StandingBid, StandingBid.bid_id == SealedBid.id)
    query = (
        select(BidReceipt.party_id, func.max(BidReceipt.at))
        .where(
            BidReceipt.lot_id == lot.id,
            BidReceipt.kind == "withdrawn",
            BidReceipt.party_id.not_in(stands.where(StandingBid.lot_id == lot.id)),
        )
        .group_by(BidReceipt.party_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}

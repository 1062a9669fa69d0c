"""The bidder's desk `/bidder` (desks §5): lots, sealing, receipts, opening, outcome, deposits. Its pages stand in the modules below."""

from __future__ import annotations

from web.desks import (
    bidder_after,
    bidder_consortia,
    bidder_deposit,
    bidder_home,
    bidder_lots,
    bidder_people,
    bidder_receipts,
    bidder_seal,
    bidder_trouble,
)
from web.desks.bidder_room import bidder

desk = bidder
PARTS = (
    bidder_home, bidder_lots, bidder_deposit, bidder_seal, bidder_receipts, bidder_after, bidder_trouble, bidder_consortia, bidder_people,
)

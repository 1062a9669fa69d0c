"""The bidder's desk `/bidder` (desks §5): lots, sealing, receipts, opening, outcome, deposits. Its pages stand in the modules below."""

from __future__ import annotations

from web.desks.bidder import after, consortia, deposit, home, lots, people, receipts, seal, trouble
from web.desks.bidder.room import bidder

desk = bidder
PARTS = (
    home,
    lots,
    deposit,
    seal,
    receipts,
    after,
    trouble,
    consortia,
    people,
)

"""Whether a submission or withdrawal came in time: by the deadline everybody signed and the clock, both clocks where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crypto.canonical import parse_time
from crypto.errors import CryptoError
from trading.bidding import closing
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotReady
from trading.kernel.work import UnitOfWork
from trading.tendering import signed_terms
from trading.tendering.tenders import Lot


def check(
    work: UnitOfWork, lot: Lot, chain: Sequence[dict[str, Any]], part: str, *, closed: bool, tried: bool = True
) -> None:
    """``tried``: the officers a bid is sealed to have all shown that their keys open. The law reads the clock and the deadline everybody
    signed; but once the closing list is written the intake stays closed, whatever a clock says (promise R7). A row that says no alone is
    asked for what is signed: nobody is turned away by a column."""
    at, deadline = work.span, parse_time(chain[-1]["deadline"]) if chain else lot.deadline
    issued = lot.issue_at is not None and at.last >= lot.issue_at
    by_row = issued and lot.state not in ("TERMINATED", "FAILED")
    if deadline is None or not (by_row or signed_terms.takes_bids(work, lot.id)):
        raise CryptoError("UNAVAILABLE", "the lot takes no bids")
    if not tried:
        raise CryptoError("UNAVAILABLE", "new officers are still trying their keys")
    if floor_second(at.first) >= deadline:
        raise CryptoError("LATE", "at or after the deadline")
    early = by_row and lot.issue_at is not None and at.first < lot.issue_at
    if early or floor_second(at.last) >= deadline:
        raise work.office.clock.doubt() or NotReady(
            "clock.was_apart", first=floor_second(at.first), last=floor_second(at.last)
        )
    if closed and closing.is_logged(work, lot, part):
        raise CryptoError("UNAVAILABLE", "the intake is closed")

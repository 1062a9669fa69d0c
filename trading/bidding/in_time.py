"""Whether a submission or withdrawal came in time: the law reads the clock, and both of them where they disagree."""

from __future__ import annotations

from crypto.errors import CryptoError
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotReady
from trading.kernel.work import UnitOfWork
from trading.tendering.tenders import Lot


def check(work: UnitOfWork, lot: Lot, *, closed: bool, tried: bool = True) -> None:
    """``tried``: the officers a bid is sealed to have all shown that their keys open. The law reads the clock; but once the closing list is
    written the intake stays closed, whatever a clock says (promise R7)."""
    at = work.span
    if lot.deadline is None or lot.issue_at is None or at.last < lot.issue_at or lot.state in ("TERMINATED", "FAILED"):
        raise CryptoError("UNAVAILABLE", "the lot takes no bids")
    if not tried:
        raise CryptoError("UNAVAILABLE", "new officers are still trying their keys")
    if floor_second(at.first) >= lot.deadline:
        raise CryptoError("LATE", "at or after the deadline")
    if at.first < lot.issue_at or floor_second(at.last) >= lot.deadline:
        raise work.office.clock.doubt() or NotReady(
            "clock.was_apart", first=floor_second(at.first), last=floor_second(at.last)
        )
    if closed:
        raise CryptoError("UNAVAILABLE", "the intake is closed")

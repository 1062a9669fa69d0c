"""Counts of requests and turns of the clock, of all workers of a server together, for /metrics (docs/operate/watching.md).

They lie in memory that the server shares with its workers since before they were forked: each adds in a place of its own, whoever is asked
adds the places up. What may be counted at all is decided elsewhere (web/http/seen.py).
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator

DESKS = ("public", "agency", "centre", "hall", "expert", "cashier", "supervisor", "admin")
STATUSES = ("2xx", "3xx", "4xx", "5xx")
BOUNDS_MS = (25, 50, 100, 250, 500, 1000, 2500, 5000)
"""Upper bounds of the classes of time; slower ones have no bound."""
_EACH = len(STATUSES) + len(BOUNDS_MS) + 2  # … the unbounded class, and microseconds in all
_TURN = _EACH * len(DESKS)
_CELLS = _TURN + 1


class Tally:
    """``slots``: how many processes may add at once."""

    def __init__(self, slots: int = 1) -> None:
        self._lock = threading.Lock()
        self.share(slots)

    def share(self, slots: int) -> None:
        """Begin anew with room for so many; before any of them is forked."""
        self._slots, self._own = slots, 0
        self._cells = memoryview(mmap.mmap(-1, slots * _CELLS * 8)).cast("q")

    def free_slot(self, taken: Iterator[int]) -> int:
        """A place nobody of those who live adds in; what a dead one has counted stays counted."""
        held = set(taken)
        return next((one for one in range(self._slots) if one not in held), self._slots - 1)

    def take(self, slot: int) -> None:
        """From now on this process adds there."""
        self._own = slot

    def count(self, desk: str, status: int, us: int) -> None:
        """A request of a desk was answered after so many microseconds."""
        base = self._own * _CELLS + DESKS.index(desk) * _EACH
        bound = next((at for at, most in enumerate(BOUNDS_MS) if us <= most * 1000), len(BOUNDS_MS))
        with self._lock:
            self._cells[base + min(max(status // 100 - 2, 0), len(STATUSES) - 1)] += 1
            self._cells[base + len(STATUSES) + bound] += 1
            self._cells[base + _EACH - 1] += us

    def turned(self, seconds: int) -> None:
        """The clock has turned in this process, at so many seconds since 1970."""
        self._cells[self._own * _CELLS + _TURN] = seconds

    def last_turn(self) -> int:
        """When it turned last in any of them; 0 for never."""
        return max(self._cells[slot * _CELLS + _TURN] for slot in range(self._slots))

    def of(self, desk: str) -> tuple[dict[str, int], list[int], int]:
        """(requests by status, requests by class of time, microseconds in all)."""
        first = DESKS.index(desk) * _EACH
        sums = [sum(self._cells[slot * _CELLS + first + at] for slot in range(self._slots)) for at in range(_EACH)]
        return dict(zip(STATUSES, sums, strict=False)), sums[len(STATUSES) : -1], sums[-1]


TALLY = Tally()
"""That of this server."""

"""The clock of a rehearsal: the machine's own, and ahead of it by what people have moved it.

How far is kept in a file of the data folder, so that all processes of the rehearsal follow at once; what decides is the log, in which every
move is a signed record (rehearsal.py), and each start brings the file in line with it. It never goes back.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from trading.kernel.clock import Span
from trading.kernel.errors import NotReady
from trading.kernel.memory import write_whole
from trading.kernel.system_clock import Kept, SystemClock

AHEAD_FILE = "rehearsal.clock"


class MovedClock(SystemClock):
    """``path``: where all processes read how far the clock is ahead."""

    def __init__(self, path: Path, kept: Kept | None = None) -> None:
        self.path = path
        self._seen: tuple[int, int] = (0, 0)
        self._ahead = timedelta(0)
        super().__init__(kept)

    def ahead(self) -> timedelta:
        """How far this clock is before the machine's; nothing before it was moved. Refuses: NotReady ``rehearsal.clock_file``."""
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return self._ahead
        if (facts.st_ino, facts.st_mtime_ns) != self._seen:
            try:
                seconds = json.loads(self.path.read_text(encoding="ascii"))["ahead_seconds"]
                found = timedelta(seconds=seconds)
            except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
                raise NotReady("rehearsal.clock_file", path=str(self.path)) from error
            self._ahead, self._seen = max(self._ahead, found), (facts.st_ino, facts.st_mtime_ns)
        return self._ahead

    def set_ahead(self, ahead: timedelta) -> None:
        """From now on for all processes, on the disk before it is read. Whole seconds."""
        write_whole(self.path, json.dumps({"v": 1, "ahead_seconds": int(ahead.total_seconds())}).encode("ascii"))

    def span(self) -> Span:
        here, ahead = super().span(), self.ahead()
        return Span(here.moment + ahead, here.first + ahead, here.last + ahead)

    def tend(self, newest: datetime | None) -> None:
        """The newest tick was sealed by this clock; the machine's was behind it by as much as this one is ahead."""
        super().tend(None if newest is None else newest - self.ahead())

"""The machine's clock as the platform goes by it: the wall clock, held against the clock since boot (promise R7).

Somebody, or a broken time service, may set the wall clock twelve minutes on for four seconds; a lot closed by that stays closed. Nobody
can set the clock since boot. So the first process after a boot notes how far the two are apart (the *anchor*, in a file all processes
share), and a wall clock that is more than a second from there is *in doubt*: the moment is then reckoned from the anchor, and nothing is
latched, closed, opened or sealed until both agree again. What people do meanwhile is judged by both: a bid that is in time by either
is taken, one that is late by either is refused as late, and one between them waits, or gets a signed proof that it is our fault.

The anchor itself may be wrong: a machine that boots with a bad hour, which NTP then mends. An anchor before the newest tick of the log
is known to be, and is given up once the wall clock has passed that tick; any other is accepted anew by two persons
(`bidhall clock accept`). Corrections of less than a second, which NTP makes all the time, move the anchor no faster than a clock is slewed,
so that no row of small steps becomes a large one.

Both may be wrong together: a clock that was wrong at boot, or that its own time service makes run fast. Where clocks outside are named
(outside_time.py) and most of them say so, that is a doubt too; the moment stays the one reckoned here, for nobody outside sets it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trading.kernel import clock, outside_time
from trading.kernel.clock import Machine, Span, floor_second, moment_of
from trading.kernel.errors import NotReady

MOST_APART_NS = 1_000_000_000
"""Nanoseconds the wall clock may be from the anchor."""
SLEW_PPM = 500
"""Parts in a million by which the anchor follows the wall clock: as fast as a kernel slews one."""
SLEW_EVERY_NS, SLEW_MOST_NS = 10_000_000_000, 60_000_000_000
"""After so long it is moved, and by no more than what so long allows: a wall clock that was wrong for hours has earned nothing."""
LOOK_EVERY_NS = 1_000_000_000
"""How often a process looks whether another has moved the anchor."""
ANCHOR_FILE = "clock.anchor"


@dataclass(frozen=True)
class Anchor:
    """``offset``: nanoseconds from the clock since this ``boot`` to the wall clock; ``steady``: when it was last moved."""

    boot: str
    offset: int
    steady: int


class Kept:
    """The anchor of all processes of a data folder; without a file, of this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._mine: Anchor | None = None
        self._looked, self._seen = 0, (0, 0)

    def get(self, boot: str, wall: int, steady: int) -> Anchor:
        """The anchor of this boot; made now where there is none."""
        if self._mine is None or abs(steady - self._looked) >= LOOK_EVERY_NS:
            self._looked = steady
            found = self._read() if boot else None
            if found is not None and found.boot == boot:
                self._mine = found
            elif self._mine is None:
                self.put(Anchor(boot, wall - steady, steady))
        assert self._mine is not None
        return self._mine

    def put(self, anchor: Anchor) -> None:
        """From now on for all. A folder that cannot be written leaves each process its own."""
        self._mine = anchor
        if self.path is None or not anchor.boot:  # where boots have no name, one cannot be told from another
            return
        value = {"v": 1, "boot": anchor.boot, "offset_ns": anchor.offset, "steady_ns": anchor.steady}
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as out:
                    json.dump(value, out)
                os.replace(name, self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _read(self) -> Anchor | None:
        if self.path is None:
            return None
        try:
            facts = self.path.stat()
            if self._mine is not None and (facts.st_ino, facts.st_mtime_ns) == self._seen:
                return self._mine
            value = json.loads(self.path.read_text(encoding="ascii"))
            anchor = Anchor(str(value["boot"]), int(value["offset_ns"]), int(value["steady_ns"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        self._seen = (facts.st_ino, facts.st_mtime_ns)
        return anchor


class SystemClock:
    """The office's clock in service. Never goes backwards within a process, never lies before the log's newest tick."""

    def __init__(
        self, kept: Kept | None = None, machine: Machine | None = None, outside: outside_time.Outside | None = None
    ) -> None:
        self._kept, self.machine = kept or Kept(), machine or Machine()
        self.outside = outside or outside_time.Outside()
        self.boot = self.machine.boot()
        self._doubted = -1
        self._newest: datetime | None = None
        self._last = moment_of(0)
        self._read()  # the anchor is noted now

    def now(self) -> datetime:
        return self.span().moment

    def span(self) -> Span:
        wall, steady, apart = self._read()
        by_wall = moment_of(wall)
        moment = by_wall if abs(apart) <= MOST_APART_NS else moment_of(wall - apart)
        others = [] if abs(apart) <= MOST_APART_NS else [by_wall]
        if (told := self._judged(wall, steady, apart)) is not None and told.apart:
            others.append(moment_of(wall - (apart if others else 0) - told.apart))
        if self._newest is not None and moment < self._newest:
            others.append(moment)
            moment = self._newest
        if others:
            self._doubted = steady
        self._last = max(self._last, moment)
        return Span.over(self._last, *others)

    def doubt(self) -> NotReady | None:
        wall, steady, apart = self._read()
        if abs(apart) > MOST_APART_NS:
            self._doubted = steady
            reckoned = moment_of(wall - apart)
            return NotReady(
                "clock.apart",
                wall=_whole(wall),
                reckoned=floor_second(reckoned),
                seconds=(abs(apart) + 5 * 10**8) // 10**9,
            )
        if self._newest is not None and moment_of(wall) < self._newest:
            self._doubted = steady
            return NotReady("clock.before_log", wall=_whole(wall), newest=self._newest)
        if (told := self._judged(wall, steady, apart)) is not None and told.apart:
            self._doubted = steady
            return NotReady(
                "clock.outside",
                wall=_whole(wall),
                outside=_whole(wall - told.apart),
                seconds=(abs(told.apart) + 5 * 10**8) // 10**9,
                far=told.far,
                of=told.of,
            )
        return None

    def by_outside(self, asked: outside_time.Round | None = None) -> outside_time.Verdict | None:
        """What the clocks that were named outside say of the time we go by (``asked``: in a round of just now); None where they have not
        been asked of late."""
        return self._judged(*self._read(), asked)

    def _judged(
        self, wall: int, steady: int, apart: int, asked: outside_time.Round | None = None
    ) -> outside_time.Verdict | None:
        found = asked or self.outside.get(self.boot, steady)
        reckoned = wall if abs(apart) <= MOST_APART_NS else wall - apart
        return None if found is None else found.judge(reckoned - steady)

    def certain_since(self, steady: int) -> bool:
        return self.doubt() is None and self._doubted < steady

    def tend(self, newest: datetime | None) -> None:
        """Once a second, by whoever turns the clock: nothing lies before the newest tick, and the anchor follows small corrections."""
        if newest is not None:
            self._newest = max(newest, self._newest or newest)
        wall, steady, apart = self._read()
        anchor = self._kept.get(self.boot, wall, steady)
        if abs(apart) > MOST_APART_NS:
            if self._newest is not None and moment_of(wall - apart + 2 * MOST_APART_NS) < self._newest <= moment_of(
                wall
            ):
                self._kept.put(Anchor(self.boot, wall - steady, steady))  # it was wrong, as the log shows
            return
        since = steady - anchor.steady
        if apart and since >= SLEW_EVERY_NS:
            most = min(since, SLEW_MOST_NS) * SLEW_PPM // 1_000_000
            self._kept.put(Anchor(self.boot, anchor.offset + max(-most, min(most, apart)), steady))

    def accept(self) -> timedelta:
        """Anchor to the wall clock as it is now; returns by how much that moves what was reckoned with."""
        wall, steady, apart = self._read()
        self._kept.put(Anchor(self.boot, wall - steady, steady))
        return timedelta(microseconds=apart // 1000)

    def _read(self) -> tuple[int, int, int]:
        """(wall, steady, how far the wall clock is from where the anchor has it), in nanoseconds."""
        wall, steady = self.machine.read()
        return wall, steady, wall - steady - self._kept.get(self.boot, wall, steady).offset


def _whole(wall: int) -> datetime:
    return floor_second(moment_of(wall))


def of_folder(data: Path, sources: tuple[str, ...] = ()) -> SystemClock:
    """The clock of a platform, its anchor and what clocks outside say of it in the data folder."""
    outside = outside_time.Outside(data / outside_time.OUTSIDE_FILE, sources)
    return SystemClock(Kept(data / ANCHOR_FILE), clock.Machine(), outside)

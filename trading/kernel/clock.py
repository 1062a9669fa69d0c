"""The only place that reads a clock.

``work.now`` is read once per unit of work from the office's clock and is an aware UTC datetime. Rehearsals and tests hand in a
clock they move themselves; no code anywhere else asks the machine for the time.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from trading.kernel import machine
from trading.kernel.errors import NotReady


class Span(NamedTuple):
    """When something happened: ``moment`` by the office's clock, certainly not before ``first`` nor after ``last``. All three are the same
    while the machine's clocks agree."""

    moment: datetime
    first: datetime
    last: datetime

    @classmethod
    def at(cls, moment: datetime) -> Span:
        return cls(moment, moment, moment)

    @classmethod
    def over(cls, moment: datetime, *others: datetime) -> Span:
        said = (moment, *others)
        return cls(moment, min(said), max(said))


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    def span(self) -> Span:
        """The present moment, and between which moments it lies by whatever clock there is."""
        ...

    def doubt(self) -> NotReady | None:
        """Why nothing may be latched just now (closed, opened, sealed into the log); None while the clock is certain."""
        ...

    def certain_since(self, steady: int) -> bool:
        """Whether no doubt was seen since a moment of ``steady_ns``."""
        ...

    def tend(self, newest: datetime | None) -> None:
        """Called by the turning clock, with the log's newest tick: no moment lies before it."""
        ...


class _Certain:
    """What a clock that is moved by hand says: it is never in doubt."""

    def now(self) -> datetime:
        raise NotImplementedError

    def span(self) -> Span:
        return Span.at(self.now())

    def doubt(self) -> NotReady | None:
        return None

    def certain_since(self, _steady: int) -> bool:
        return True

    def tend(self, _newest: datetime | None) -> None:
        return None


class SetClock(_Certain):
    """A clock that stands until it is moved: for rehearsals and tests."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        return self._moment

    def set(self, moment: datetime) -> None:
        self._moment = moment.astimezone(UTC)

    def advance(self, **by: float) -> None:
        self._moment += timedelta(**by)


def machine_seconds() -> int:
    """Unix seconds of the machine's own clock, whatever clock the platform goes by: for what two processes agree on between them."""
    return int(time.time())


class FileClock(_Certain):
    """A rehearsal clock held in a file: another process moves it by writing a moment there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        try:
            return parse_moment(self.path.read_text(encoding="ascii").strip())
        except OSError as error:
            raise NotReady("clock.file_missing", path=str(self.path)) from error

    def set(self, moment: datetime) -> None:
        """Two may move it at once: each writes a file of its own first."""
        temporary = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        temporary.write_text(write_moment(moment, exact=True), encoding="ascii")
        temporary.replace(self.path)


class RunningClock(_Certain):
    """Runs on from a given moment at the pace of the machine's monotonic clock."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._zero = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._zero)


class Machine:
    """The machine's two clocks: the wall clock, which people and NTP set, and the one since boot, which nobody can and which goes on while
    the machine sleeps."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def steady_ns(self) -> int:
        return steady_ns()

    def boot(self) -> str:
        """A name for the time since this boot, within which one reading of ``steady_ns`` can be compared with another; "" where the
        system has none."""
        return " ".join(filter(None, (machine.boot(), machine.time_space())))

    def read(self) -> tuple[int, int]:
        """(wall, steady), taken at one moment: a process that was stopped between the two would see a jump where there was none."""
        for _ in range(20):
            before = self.steady_ns()
            wall = self.wall_ns()
            after = self.steady_ns()
            if after - before <= TOGETHER_NS:
                break
        return wall, after


TOGETHER_NS = 20_000_000
"""Nanoseconds between which two readings count as one."""


def steady_ns() -> int:
    """Nanoseconds of the clock that no correction of the hour moves; on Linux it counts the time the machine was suspended, too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


def moment_of(wall: int) -> datetime:
    """Nanoseconds since 1970 as a moment, whole microseconds."""
    return EPOCH + timedelta(microseconds=wall // 1000)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_moment(stamp: int) -> datetime | None:
    """A stamp of some wall clock as a moment; None for what is none."""
    try:
        return moment_of(stamp) if stamp > 0 else None
    except OverflowError:
        return None


def since_wall(stamp: int) -> int:
    """Nanoseconds since the machine's wall clock showed ``stamp`` (nanoseconds since 1970), never negative: for stamps that a kernel or a
    proxy took."""
    return max(0, time.time_ns() - stamp)


def steady_of(stamp: int) -> int:
    """A stamp of the wall clock in nanoseconds, 0 for none, as a moment of ``steady_ns``, which no correction of the hour moves."""
    return steady_ns() - (since_wall(stamp) if stamp else 0)


def since_steady(moment: int) -> int:
    """Nanoseconds since a moment of ``steady_ns``, never negative."""
    return max(0, steady_ns() - moment)


def rehearsal_clock(setting: str) -> Clock:
    """The clock named by BIDHALL_TEST_CLOCK: a moment to run on from, or a file that holds one."""
    if Path(setting).is_file():
        return FileClock(Path(setting))
    return RunningClock(parse_moment(setting))


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment with offset or ``Z`` → aware UTC. Refuses: NotReady ``clock.bad_moment``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotReady("clock.bad_moment", text=text) from error
    if moment.tzinfo is None:
        raise NotReady("clock.bad_moment", text=text)
    return moment.astimezone(UTC)


def floor_second(moment: datetime) -> datetime:
    """The whole second a moment lies in (protocol §4: the exact second is late)."""
    return moment.astimezone(UTC).replace(microsecond=0)


def floor_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def write_moment(moment: datetime, *, exact: bool = False) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ`` (protocol §1); with ``exact`` the microseconds are kept."""
    moment = moment.astimezone(UTC)
    if exact and moment.microsecond:
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

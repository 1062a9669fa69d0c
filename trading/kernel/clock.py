"""The only place that reads a clock.

``work.now`` is read once per unit of work from the office's clock and is an aware UTC datetime. Rehearsals and tests hand in a
clock they move themselves; no code anywhere else asks the machine for the time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from trading.kernel.errors import NotReady


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock, never going backwards within a process (promise R7)."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)

    def now(self) -> datetime:
        self._last = max(self._last, datetime.now(UTC))
        return self._last


class SetClock:
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


class FileClock:
    """A rehearsal clock held in a file: another process moves it by writing a moment there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        try:
            return parse_moment(self.path.read_text(encoding="ascii").strip())
        except OSError as error:
            raise NotReady("clock.file_missing", path=str(self.path)) from error

    def set(self, moment: datetime) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(write_moment(moment, exact=True), encoding="ascii")
        temporary.replace(self.path)


class RunningClock:
    """Runs on from a given moment at the pace of the machine's monotonic clock."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._zero = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._zero)


def since_wall(stamp: int) -> int:
    """Nanoseconds since the machine's wall clock showed ``stamp`` (nanoseconds since 1970), never negative: for stamps that a kernel or a
    proxy took."""
    return max(0, time.time_ns() - stamp)


def monotonic_of(stamp: int) -> int:
    """A stamp of the wall clock in nanoseconds, 0 for none, as a moment of the monotonic clock, which no correction of the hour moves."""
    return time.monotonic_ns() - (since_wall(stamp) if stamp else 0)


def since_monotonic(moment: int) -> int:
    """Nanoseconds since a moment of the monotonic clock, never negative."""
    return max(0, time.monotonic_ns() - moment)


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

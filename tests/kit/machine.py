"""A machine whose clocks a test moves: the wall clock by jumps, both by time that passes; and what time it truly is."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.kernel.clock import EPOCH, Machine, moment_of

SECOND = 10**9


class SetMachine(Machine):
    """``counts_sleep`` False: a system whose clock since boot stands still while the machine is suspended."""

    def __init__(self, moment: datetime, *, counts_sleep: bool = True) -> None:
        self.true = self.wall = (moment - EPOCH) // timedelta(microseconds=1) * 1000
        self.steady, self.boots, self.counts_sleep, self.frozen = 5_000 * SECOND, 1, counts_sleep, False

    def wall_ns(self) -> int:
        return self.wall

    def steady_ns(self) -> int:
        return self.steady

    def boot(self) -> str:
        return f"boot {self.boots}"

    @property
    def truth(self) -> datetime:
        return moment_of(self.true)

    def passes(self, seconds: float) -> None:
        ns = int(seconds * SECOND)
        self.true, self.steady = self.true + ns, self.steady + ns
        if not self.frozen:
            self.wall += ns

    def until(self, moment: datetime) -> None:
        self.passes((moment - self.truth) / timedelta(seconds=1))

    def jumps(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall += int(seconds * SECOND)

    def is_set_right(self, off: float = 0) -> None:
        """The wall clock shows the true time again, but for so many seconds."""
        self.wall, self.frozen = self.true + int(off * SECOND), False

    def sleeps(self, seconds: float) -> None:
        """Suspended, as a laptop is: the wall clock is right when it wakes."""
        ns = int(seconds * SECOND)
        self.true += ns
        self.wall += 0 if self.frozen else ns
        self.steady += ns if self.counts_sleep else 0

    def is_paused(self, seconds: float) -> None:
        """Held by what it runs on: neither clock has noticed."""
        self.true += int(seconds * SECOND)

    def restarts(self, seconds: float = 60) -> None:
        self.true, self.wall = self.true + int(seconds * SECOND), self.wall + int(seconds * SECOND)
        self.boots, self.steady = self.boots + 1, 3 * SECOND

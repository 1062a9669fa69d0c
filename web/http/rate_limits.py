"""How often a door may be knocked at: counts in the database, so that several processes share one limit and a restart forgets none.

The counting runs in transactions of its own: a refused sign-in is counted although its unit of work is rolled back.

Where a secret is asked for, only wrong tries count, and each makes the next one wait longer (``Guessing``). A try is counted as wrong
before the slow check of the password and forgotten when it was right: many tries at once are no way round the wait.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from trading.kernel.clock import Clock
from trading.kernel.errors import TooEarly
from trading.kernel.rates import RateCount, milliseconds

FORGOTTEN_BY_NAME = parse("4/hour")
FORGOTTEN_BY_ADDRESS = parse("30/hour")
REGISTER_BY_ADDRESS = parse("20/hour")
MAIL_CHECKS = parse("6/hour")
TEST_LETTERS = parse("10/hour")
KEPT_BY_ADDRESS = parse("60/15minutes")


@dataclass(frozen=True)
class Guessing:
    """A place where a secret can be guessed: so many wrong tries cost no wait, then it doubles from two seconds up to ``most``. They are
    forgotten once none was made for as long as ``remembered``."""

    name: str
    free: int
    most: timedelta
    remembered: timedelta

    def wait(self, wrong: int) -> timedelta:
        """The wait after so many wrong tries, counted from the last."""
        over = wrong - self.free
        return timedelta(0) if over < 0 else min(timedelta(seconds=2 << min(over, 30)), self.most)


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OF_ACCOUNT = Guessing("account", 5, timedelta(minutes=15), DAY)
"""Wherever the tries come from, but for devices known to the account."""
OF_DEVICE = Guessing("device", 5, timedelta(minutes=1), DAY)
"""A known device with its account: counted apart, so that no stranger's tries ever make the owner wait."""
OF_NETWORK = Guessing("network", 20, timedelta(minutes=1), HOUR)
"""Whichever accounts are tried. Right sign-ins do not count: an office behind one address is never shut out by them."""
OF_SIGN_IN = Guessing("sign-in", 5, timedelta(minutes=15), DAY)
"""Somebody signed in who is asked for the password again: the finder of an open browser does not shut out the owner elsewhere."""
OF_LINK = Guessing("link", 5, timedelta(minutes=15), DAY)
"""The code of the second factor, beside a link for a forgotten password."""


class SqlStorage(Storage):
    """A storage for ``limits`` on SQLite and PostgreSQL: one statement a hit, exact under concurrency."""

    STORAGE_SCHEME = ["bidhall-sql"]

    def __init__(self, engine: Any, clock: Clock) -> None:
        super().__init__("bidhall-sql://", wrap_exceptions=False)
        self.engine, self.clock = engine, clock

    @property
    def base_exceptions(self) -> Any:
        return SQLAlchemyError

    def insert(self) -> Any:
        """An insert that may say what to do where the key is there."""
        return (postgresql if self.engine.dialect.name == "postgresql" else sqlite).insert(RateCount)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = milliseconds(self.clock.now())
        over = RateCount.expires < now
        statement = (
            self.insert()
            .values(key=key[:300], n=amount, expires=now + expiry * 1000)
            .on_conflict_do_update(
                index_elements=[RateCount.key],
                set_={
                    "n": case((over, amount), else_=RateCount.n + amount),
                    "expires": case((over, now + expiry * 1000), else_=RateCount.expires),
                },
            )
            .returning(RateCount.n)
        )
        with self.engine.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def get(self, key: str) -> int:
        with self._read() as connection:
            found = connection.scalar(
                select(RateCount.n).where(
                    RateCount.key == key[:300], RateCount.expires >= milliseconds(self.clock.now())
                )
            )
        return int(found or 0)

    def get_expiry(self, key: str) -> float:
        with self._read() as connection:
            found = connection.scalar(select(RateCount.expires).where(RateCount.key == key[:300]))
        return found / 1000 if found is not None else self.clock.now().timestamp()

    def clear(self, key: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(RateCount).where(RateCount.key == key[:300]))

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with self.engine.begin() as connection:
            return int(connection.execute(delete(RateCount)).rowcount)

    def _read(self) -> Any:
        return self.engine.connect().execution_options(bidhall_readonly=True)


class RateLimits:
    """The limits of this platform."""

    def __init__(self, engine: Any, clock: Clock, secret: str = "") -> None:
        self.storage = SqlStorage(engine, clock)
        self.limiter = FixedWindowRateLimiter(self.storage)
        self.secret = secret

    def hit(self, limit: RateLimitItem, *who: str, code: str = "rate.wait") -> None:
        """Counts one knock. Refuses: TooEarly with the moment from which it may be tried again."""
        if not self.limiter.hit(limit, *who):
            until = datetime.fromtimestamp(self.storage.get_expiry(limit.key_for(*who)), UTC).replace(microsecond=0)
            raise TooEarly(code, until=until)

    # --- guessing -----------------------------------------------------------------------------------------------------

    def try_once(self, door: Guessing, *who: str) -> None:
        """Begin a try; it counts as wrong until ``was_right``. Refuses: TooEarly ``signin.wait`` while the wait runs, uncounted."""
        if not self._count(door, who, waited=True):
            self.look(door, *who)
            # The wait ended between the two statements: whoever tries again gets in.
            raise TooEarly("signin.wait", until=self.storage.clock.now())

    def look(self, door: Guessing, *who: str) -> None:
        """Refuses: TooEarly ``signin.wait`` while the wait after the last wrong try runs."""
        storage = self.storage
        now, kept = milliseconds(storage.clock.now()), _in_ms(door.remembered)
        with storage._read() as connection:
            found = connection.execute(
                select(RateCount.n, RateCount.expires).where(
                    RateCount.key == self._key(door, who), RateCount.expires >= now
                )
            ).one_or_none()
        until = 0 if found is None else found.expires - kept + _in_ms(door.wait(found.n))
        if until > now:
            raise TooEarly("signin.wait", until=datetime.fromtimestamp(-(-until // 1000), UTC))

    def was_wrong(self, door: Guessing, *who: str) -> None:
        """Count a wrong try that no ``try_once`` has counted."""
        self._count(door, who, waited=False)

    def was_right(self, door: Guessing, *who: str) -> None:
        """A right try forgets the wrong ones before it."""
        self.storage.clear(self._key(door, who))

    def _count(self, door: Guessing, who: tuple[str, ...], *, waited: bool) -> bool:
        """One wrong try more; whether it was counted. ``waited``: only where no wait runs, in the same statement."""
        storage = self.storage
        now, kept = milliseconds(storage.clock.now()), _in_ms(door.remembered)
        over = RateCount.expires < now
        statement = (
            storage.insert()
            .values(key=self._key(door, who), n=1, expires=now + kept)
            .on_conflict_do_update(
                index_elements=[RateCount.key],
                set_={"n": case((over, 1), else_=RateCount.n + 1), "expires": now + kept},
                where=or_(over, RateCount.expires - kept + _wait_in_sql(door) <= now) if waited else None,
            )
            .returning(RateCount.n)
        )
        with storage.engine.begin() as connection:
            return connection.execute(statement).scalar() is not None

    def _key(self, door: Guessing, who: tuple[str, ...]) -> str:
        """Keyed and hashed: people type passwords where a name belongs, and the database must not hold what they typed."""
        return f"wrong/{door.name}/" + hmac.new(self.secret.encode(), "\0".join(who).encode(), "sha256").hexdigest()


def _in_ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _wait_in_sql(door: Guessing) -> Any:
    """``Guessing.wait`` of the row's own count, in milliseconds."""
    steps, wrong = [], door.free
    while door.wait(wrong) < door.most:
        steps.append((RateCount.n == wrong, _in_ms(door.wait(wrong))))
        wrong += 1
    return case((RateCount.n < door.free, 0), *steps, else_=_in_ms(door.most))

"""How often a door may be knocked at: counts in the database, so that several processes share one limit.

The counting runs in transactions of its own: a refused sign-in is counted although its unit of work is rolled back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from trading.kernel.clock import Clock
from trading.kernel.errors import TooEarly
from trading.kernel.rates import RateCount

SIGN_IN_BY_ACCOUNT = parse("10/15minutes")
SIGN_IN_BY_ADDRESS = parse("60/15minutes")
FORGOTTEN_BY_NAME = parse("4/hour")
FORGOTTEN_BY_ADDRESS = parse("30/hour")
REGISTER_BY_ADDRESS = parse("20/hour")
FRESH_BY_ACCOUNT = parse("10/15minutes")
KEPT_BY_ADDRESS = parse("60/15minutes")


def _milliseconds(clock: Clock) -> int:
    return (clock.now() - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


class SqlStorage(Storage):
    """A storage for ``limits`` on SQLite and PostgreSQL: one statement a hit, exact under concurrency."""

    STORAGE_SCHEME = ["bidhall-sql"]

    def __init__(self, engine: Any, clock: Clock) -> None:
        super().__init__("bidhall-sql://", wrap_exceptions=False)
        self.engine, self.clock = engine, clock

    @property
    def base_exceptions(self) -> Any:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = _milliseconds(self.clock)
        insert = (postgresql if self.engine.dialect.name == "postgresql" else sqlite).insert(RateCount)
        over = RateCount.expires < now
        statement = (
            insert.values(key=key[:300], n=amount, expires=now + expiry * 1000)
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
                select(RateCount.n).where(RateCount.key == key[:300], RateCount.expires >= _milliseconds(self.clock))
            )
        return int(found or 0)

    def get_expiry(self, key: str) -> float:
        with self._read() as connection:
            found = connection.scalar(select(RateCount.expires).where(RateCount.key == key[:300]))
        return found / 1000 if found is not None else self.clock.now().timestamp()

    def clear(self, key: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(RateCount).where(RateCount.key == key[:300]))

    def sweep(self) -> int:
        """Drop counts whose window is over; the clock calls it."""
        with self.engine.begin() as connection:
            return int(
                connection.execute(delete(RateCount).where(RateCount.expires < _milliseconds(self.clock))).rowcount
            )

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with self.engine.begin() as connection:
            return int(connection.execute(delete(RateCount)).rowcount)

    def _read(self) -> Any:
        return self.engine.connect().execution_options(bidhall_readonly=True)


class RateLimits:
    """The limits of this platform."""

    def __init__(self, engine: Any, clock: Clock) -> None:
        self.storage = SqlStorage(engine, clock)
        self.limiter = FixedWindowRateLimiter(self.storage)

    def hit(self, limit: RateLimitItem, *who: str, code: str = "rate.wait") -> None:
        """Counts one knock. Refuses: TooEarly with the moment from which it may be tried again."""
        if not self.limiter.hit(limit, *who):
            until = datetime.fromtimestamp(self.storage.get_expiry(limit.key_for(*who)), UTC).replace(microsecond=0)
            raise TooEarly(code, until=until)

    def forget(self, limit: RateLimitItem, *who: str) -> None:
        """A sign-in that succeeded clears the count of its account."""
        self.limiter.clear(limit, *who)

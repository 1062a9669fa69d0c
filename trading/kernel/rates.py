"""Counts of knocks at a door (sign-in, confirming). Only the table: migrations make it; what is counted web/http/rate_limits.py decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Integer, String, delete
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base
from trading.kernel.work import UnitOfWork


class RateCount(Base):
    """How often ``key`` was hit in its present window. ``expires`` is milliseconds since 1970."""

    __tablename__ = "rate_count"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    expires: Mapped[int] = mapped_column(BigInteger)


def milliseconds(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def sweep(work: UnitOfWork) -> None:
    """The clock's part: drop counts whose window is over."""
    work.require(Act.CLOCK)
    work.session.execute(delete(RateCount).where(RateCount.expires < milliseconds(work.now)))

"""Counts of knocks at a door (sign-in, confirming). Only the table: migrations make it; what is counted web/http/rate_limits.py decides."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.db import Base


class RateCount(Base):
    """How often ``key`` was hit in its present window. ``expires`` is milliseconds since 1970."""

    __tablename__ = "rate_count"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    expires: Mapped[int] = mapped_column(BigInteger)

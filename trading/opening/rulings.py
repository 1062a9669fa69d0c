"""Rulings of the host on bids whose failure is nobody's proven fault (rulebook §5.2, point 6): kept here, given in findings.py.

Law of the noun: as long as the cause is unknown nothing follows from it; a ruling names a cause with reasons, once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.db import Base, Moment, append_only, one_of

CAUSES = ("bidder", "platform", "tenderee")
LEAST_REASONS = 10
"""Characters: a ruling without reasons is none."""


class Ruling(Base):
    """``cause`` of the failed bid ``header_hash``, decided by the host with ``reasons``."""

    __tablename__ = "ruling"
    __table_args__ = (
        UniqueConstraint("opening_id", "header_hash"),
        CheckConstraint(one_of("cause", CAUSES), name="cause"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    header_hash: Mapped[str] = mapped_column(String(50))
    cause: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(Moment)


append_only(Ruling.__table__)  # type: ignore[arg-type]


def of_opening(session: Session, opening_id: int) -> dict[str, Ruling]:
    """header_hash → ruling."""
    return {row.header_hash: row for row in session.scalars(select(Ruling).where(Ruling.opening_id == opening_id))}

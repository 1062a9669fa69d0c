"""Reviews of bids: qualification by the purchaser or agency, conformity by the panel (rules B-01, P-43, C-04, C-06, E-21, E-24, E-25).

Law of the noun: what the platform computes is a prompt, never a verdict; people find, with reasons and the clause, the panel by simple
majority; every opened bid gets its finding before anybody scores, and no finding changes once scoring has begun.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trading.kernel.db import Base, Moment, one_of
from trading.opening import OpenedBid

STAGES = ("qualification", "conformity")


class Finding(Base):
    """What was found of one bid in one stage. ``votes_for``, ``votes_against``: of the panel (conformity); both 0 in qualification."""

    __tablename__ = "finding"
    __table_args__ = (UniqueConstraint("bid_id", "stage"), CheckConstraint(one_of("stage", STAGES), name="stage"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    bid_id: Mapped[int] = mapped_column(ForeignKey("opened_bid.id"), index=True)
    stage: Mapped[str] = mapped_column(String(20))
    ok: Mapped[bool]
    clause: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    votes_for: Mapped[int] = mapped_column(default=0)
    votes_against: Mapped[int] = mapped_column(default=0)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    bid: Mapped[OpenedBid] = relationship(lazy="joined")

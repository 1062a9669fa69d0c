"""Participants: which parties take part in a lot, and whether their deposit has arrived.

Law of the noun: names and number of participants, and who has paid, are secret until the opening list is published (rulebook §9.1, rule
D-12): nothing here may be counted or listed for anybody on a sealed lot. Taking part is no sign-up and blocks nobody (rule A-03).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trading.kernel.db import Base, Moment
from trading.parties import Party
from trading.tenders import Lot


class Participant(Base):
    """``ref`` is random, so it tells nobody how many came before. ``secured_minor``: money or guarantee that had arrived, in fen."""

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("lot_id", "party_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    joined_at: Mapped[datetime] = mapped_column(Moment)
    secured_at: Mapped[datetime | None] = mapped_column(Moment)
    secured_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of

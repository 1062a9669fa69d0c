"""Enquiries (询问): a question about the tender documents, answered to everybody at once.

Law of the noun: who asked is never shown to anybody, the agency included, for it would name a bidder (rulebook §9.1); an answer is
published to all as a clarification; one that affects bids comes 15 days before the deadline or the deadline moves (rule T-05).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.db import Base, Moment


class Enquiry(Base):
    """``asker_party_id`` is for the asker's own list and the law's sake only; no card carries it. ``due_at``: rule T-20."""

    __tablename__ = "enquiry"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    asker_party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    published: Mapped[bool] = mapped_column(default=False)
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notice.id"))

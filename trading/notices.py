"""Notices: what the platform tells everybody, in versions that are never changed or deleted (rulebook §9.2, §9.3).

Law of the noun: a correction is a new notice; each published notice leaves its hash in the log, so a text shown later can be proved to be
the one that was published.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.db import Base, Json, Moment, append_only, one_of

KINDS = ("tender", "correction", "clarification", "failure", "termination", "opening_record", "candidates", "result", "award", "contract")


class Notice(Base):
    """``body``: facts as canonical JSON values (no floats, no nulls); ``text``: the words; ``until``: end of the notice period, if any;
    ``version``: the how-manieth notice of its kind on this lot; ``document_hash``: name of the kept document."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("lot_id", "kind", "version"), CheckConstraint(one_of("kind", KINDS), name="kind"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20), index=True)
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    text: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(Moment, index=True)
    until: Mapped[datetime | None] = mapped_column(Moment)
    version: Mapped[int]
    document_hash: Mapped[str] = mapped_column(String(50))


append_only(Notice.__table__)  # type: ignore[arg-type]

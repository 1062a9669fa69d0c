"""Tender documents: the files bidders work from.

Law of the noun: a file is what its name says or it is refused; nothing is overwritten, a new file under the same name is a new version;
after publication a change is an amendment with a correction notice, early enough before the deadline (rule T-05). Nobody can see who
took a document (rulebook §9.1).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.db import Base, Moment, one_of

KINDS = ("tender_document", "drawing", "bill_of_quantities", "contract_form", "amendment", "other")


class TenderDocument(Base):
    """One version of one file. ``blob`` is its content name (hex SHA-256), ``size`` in bytes."""

    __tablename__ = "tender_document"
    __table_args__ = (UniqueConstraint("lot_id", "name", "version"), CheckConstraint(one_of("kind", KINDS), name="kind"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    name: Mapped[str] = mapped_column(String(255))
    blob: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(default=1)
    media: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(Moment)
    published: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime | None] = mapped_column(Moment)

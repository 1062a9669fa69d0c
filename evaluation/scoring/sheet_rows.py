"""The tables of score sheets: commitments, lists, revealed sheets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from evaluation.panels.panels import Seat
from trading.kernel.db import Base, Json, Moment, append_only


class SheetCommit(Base):
    """A member's commitment; the newest of a seat and round counts. ``statement``: hash of the signed ``sheet-commit``, ``c`` its entry."""

    __tablename__ = "sheet_commit"

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"), index=True)
    round: Mapped[int]
    commit: Mapped[str] = mapped_column(String(50))
    statement: Mapped[str] = mapped_column(String(50), unique=True)
    c: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
    seat: Mapped[Seat] = relationship(lazy="joined")


class SheetList(Base):
    """The commit list of a round: ``listing`` with the signatures so far, ``c`` once every member has signed and it is logged."""

    __tablename__ = "sheet_list"
    __table_args__ = (UniqueConstraint("panel_id", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    round: Mapped[int]
    version: Mapped[int] = mapped_column(default=0)
    listing: Mapped[dict[str, Any]] = mapped_column(Json)
    commits: Mapped[list[int]] = mapped_column(Json)
    statement: Mapped[str | None] = mapped_column(String(50))
    c: Mapped[str | None] = mapped_column(String(50))
    made_at: Mapped[datetime] = mapped_column(Moment)


class Sheet(Base):
    """A revealed sheet: ``statement`` names the signed document, ``salt`` (base64url) opens the commitment."""

    __tablename__ = "sheet"
    __table_args__ = (UniqueConstraint("seat_id", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"), index=True)
    round: Mapped[int]
    statement: Mapped[str] = mapped_column(String(50))
    salt: Mapped[str] = mapped_column(String(50))
    c: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(Moment)
    seat: Mapped[Seat] = relationship(lazy="joined")


for _table in (SheetCommit, Sheet):
    append_only(_table.__table__)  # type: ignore[arg-type]

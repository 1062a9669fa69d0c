"""The evaluation report: drawn up from stored inputs, signed by every member or refused with reasons (rules P-43, E-32)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from evaluation.panels import Panel, Seat
from trading.kernel.db import Base, Json, Moment, append_only


class Report(Base):
    """``facts``: every number with its arithmetic line, JSON; ``blob``: the same as canonical bytes; ``hash`` names them in signatures.
    ``void``: a recheck came after it."""

    __tablename__ = "evaluation_report"
    __table_args__ = (
        Index("ix_evaluation_report_standing", "panel_id", unique=True, sqlite_where=text("NOT void"), postgresql_where=text("NOT void")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    round: Mapped[int]
    version: Mapped[int] = mapped_column(default=0)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    blob: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(50), unique=True)
    void: Mapped[bool] = mapped_column(default=False)
    drawn_up_at: Mapped[datetime] = mapped_column(Moment)
    panel: Mapped[Panel] = relationship(lazy="joined")
    signatures: Mapped[list[ReportSignature]] = relationship(order_by="ReportSignature.id", lazy="selectin")


class ReportSignature(Base):
    """A member's word on the report: the signed document; ``dissent`` holds its reasons where the member does not agree."""

    __tablename__ = "report_signature"
    __table_args__ = (UniqueConstraint("report_id", "seat_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("evaluation_report.id"), index=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"))
    statement: Mapped[str] = mapped_column(String(50))
    dissent: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
    seat: Mapped[Seat] = relationship(lazy="joined")


append_only(ReportSignature.__table__)  # type: ignore[arg-type]

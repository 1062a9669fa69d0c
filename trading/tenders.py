"""Tenders and lots: what is bought, by which rules, until when, and in which state of the procedure.

Law of the noun: a lot is published once, with the rulebook of that day (a snapshot that never changes), a scheme of criteria and an
opening policy that every officer has signed; from then on only the steps of LOT_FLOW change it. The deadline is a moment, not a
state: acts compare it with ``work.now`` themselves (rules T-03, N-08; states of rulebook §1.5).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment
from trading.kernel.errors import NotFound
from trading.kernel.flow import Flow, Step, state_check
from trading.projects import Project

LOT_FLOW = Flow(
    "lot",
    "ACCEPTED",
    Step("publish", "ACCEPTED", "NOTICE", Act.LOT_PUBLISH),
    Step("issue", "NOTICE", "BIDDING", Act.CLOCK),
    Step("close", "BIDDING", "OPENING", Act.CLOCK),
    Step("fail_few", "OPENING", "FAILED", Act.CLOCK),
    Step("review_qualification", "OPENING", "QUAL_REVIEW", Act.OPENING_HOST),
    Step("fail_review", "QUAL_REVIEW", "FAILED", Act.QUALIFICATION_REVIEW),
    Step("qualify", "QUAL_REVIEW", "EVALUATION", Act.QUALIFICATION_REVIEW),
    Step("evaluate", "OPENING", "EVALUATION", Act.OPENING_HOST),
    Step("fail_evaluation", "EVALUATION", "FAILED", Act.REPORT_CONCLUDE),
    Step("report", "EVALUATION", "REPORT", Act.REPORT_CONCLUDE),
    Step("publicise", "REPORT", "CANDIDATES", Act.NOTICE_PUBLISH),
    Step("decide", ("REPORT", "CANDIDATES"), "AWARD", Act.AWARD_DECIDE),
    Step("announce", "AWARD", "RESULT", Act.NOTICE_PUBLISH),
    Step("contract", "RESULT", "CONTRACT", Act.CONTRACT_RECORD),
    Step("file", "CONTRACT", "FILING", Act.CONTRACT_RECORD),
    Step("settle", "FILING", "CLOSING", Act.CLOCK),
    Step("archive", ("CLOSING", "FAILED", "TERMINATED"), "ARCHIVED", Act.ARCHIVE_SEAL),
    Step("terminate", ("ACCEPTED", "NOTICE", "BIDDING", "OPENING", "QUAL_REVIEW", "EVALUATION", "REPORT", "CANDIDATES", "AWARD"),
         "TERMINATED", Act.TENDER_TERMINATE),
)

SECRET_STATES = frozenset({"ACCEPTED", "NOTICE", "BIDDING"})
"""States in which nobody may learn how many bid or who (promise S1). OPENING too, until the opening list is published."""


class Tender(Base):
    """One procurement as it is put to the market; ``ref`` stands in every signed document and in addresses."""

    __tablename__ = "tender"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(Moment)
    project: Mapped[Project] = relationship(lazy="joined")
    lots: Mapped[list[Lot]] = relationship(back_populates="tender", order_by="Lot.no")


class Lot(Base):
    """One lot (标段/采购包). Money in minor units (fen) of ``currency``.

    ``rules``: rulebook snapshot, set at publication. ``scheme``: criteria as validated by evaluation.schemes. ``form``: the structured
    bid form, ``[{key, label, label_en, type, required}]``. ``coefficients``: the values a works coefficient is drawn from.
    ``timetable``: planned moments as ISO text before publication. ``failure``: ground code once FAILED.
    """

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("tender_id", "no"),
        CheckConstraint(state_check(LOT_FLOW), name="state"),
        CheckConstraint("ceiling_minor <= budget_minor", name="ceiling_within_budget"),
        CheckConstraint("(state = 'ACCEPTED') OR (state = 'TERMINATED') OR (published_at IS NOT NULL AND rules IS NOT NULL)", name="published"),
        CheckConstraint("opens_at IS NULL OR deadline IS NULL OR opens_at >= deadline", name="opens_after_deadline"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tender_id: Mapped[int] = mapped_column(ForeignKey("tender.id"), index=True)
    no: Mapped[int]
    ref: Mapped[str] = mapped_column(String(60), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default=LOT_FLOW.start, index=True)
    version: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=1)
    predecessor_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    currency: Mapped[str] = mapped_column(String(3), default="CNY")
    budget_minor: Mapped[int] = mapped_column(BigInteger)
    ceiling_minor: Mapped[int] = mapped_column(BigInteger)
    deposit_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    need: Mapped[str] = mapped_column(Text, default="")
    qualification: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    place: Mapped[str] = mapped_column(String(200), default="")
    form: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    scheme: Mapped[dict[str, Any] | None] = mapped_column(Json)
    coefficients: Mapped[list[str]] = mapped_column(Json)
    rules: Mapped[dict[str, Any] | None] = mapped_column(Json)
    issue_at: Mapped[datetime | None] = mapped_column(Moment)
    clarify_until: Mapped[datetime | None] = mapped_column(Moment)
    deadline: Mapped[datetime | None] = mapped_column(Moment, index=True)
    opens_at: Mapped[datetime | None] = mapped_column(Moment)
    window_minutes: Mapped[int] = mapped_column(default=30)
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    failure: Mapped[str | None] = mapped_column(String(40))
    failure_reason: Mapped[str] = mapped_column(Text, default="")
    tender: Mapped[Tender] = relationship(back_populates="lots", lazy="joined")

    @property
    def log_of(self) -> str:
        """The lot in log records: ``TENDER/no`` (addresses use ``ref``, ``TENDER-no``)."""
        return f"{self.tender.ref}/{self.no}"

    @property
    def no_text(self) -> str:
        """The lot's name in signed documents."""
        return str(self.no)

    @property
    def regime(self) -> str:
        return self.tender.project.regime

    @property
    def project(self) -> Project:
        return self.tender.project


def lot(session: Session, ref: str) -> Lot:
    """The lot of a reference ``TENDER-no``. Refuses: NotFound."""
    found = session.scalar(select(Lot).where(Lot.ref == ref))
    if found is None:
        raise NotFound("lot.unknown", ref=ref)
    return found


def tender(session: Session, ref: str) -> Tender:
    """Refuses: NotFound."""
    found = session.scalar(select(Tender).where(Tender.ref == ref))
    if found is None:
        raise NotFound("tender.unknown", ref=ref)
    return found

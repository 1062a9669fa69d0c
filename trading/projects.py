"""Projects: what a purchaser wants to buy, filed once for registration (受理) with the centre.

Law of the noun: acceptance looks at completeness only and is registration, never approval (rules A-01 to A-04). The centre has two
answers, accept, or return once with the full list of gaps (rule A-05); there is no step that refuses a project.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.flow import Flow, Step, state_check
from trading.parties import Party

PROJECT_FLOW = Flow(
    "project",
    "DRAFT",
    Step("file", ("DRAFT", "RETURNED"), "FILED", Act.PROJECT_FILE),
    Step("return", "FILED", "RETURNED", Act.PROJECT_ACCEPT),
    Step("accept", "FILED", "ACCEPTED", Act.PROJECT_ACCEPT),
)

REGIMES = ("GP", "WORKS")
CATEGORIES = ("GOODS", "SERVICES", "WORKS")
KINDS = ("", "CONSTRUCTION", "WORK_GOODS", "WORK_SERVICES")
METHODS = {"GP": "M1", "WORKS": "M7"}
"""The method of each regime in this release: open tender (rulebook §1.6)."""


class Project(Base):
    """A filed need. ``code`` is the unified transaction code, given at acceptance. Money in minor units (fen) of ``currency``.

    ``gaps`` is the list last returned to the filer, ``[{field, code, rule}]``; ``returns`` counts the returns for the service report.
    """

    __tablename__ = "project"
    __table_args__ = (
        CheckConstraint(state_check(PROJECT_FLOW), name="state"),
        CheckConstraint(one_of("regime", REGIMES), name="regime"),
        CheckConstraint(one_of("category", CATEGORIES), name="category"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("(state = 'ACCEPTED') = (accepted_at IS NOT NULL AND code IS NOT NULL)", name="accepted"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    code: Mapped[str | None] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    regime: Mapped[str] = mapped_column(String(10))
    category: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(20), default="")
    method: Mapped[str] = mapped_column(String(10))
    purchaser_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    region: Mapped[str] = mapped_column(String(40), default="")
    budget_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3), default="CNY")
    funds: Mapped[str] = mapped_column(Text, default="")
    approval_no: Mapped[str] = mapped_column(String(120), default="")
    intent_at: Mapped[date | None] = mapped_column(Date)
    agency_agreement: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(20), default=PROJECT_FLOW.start, index=True)
    version: Mapped[int] = mapped_column(default=0)
    returns: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime] = mapped_column(Moment)
    first_filed_at: Mapped[datetime | None] = mapped_column(Moment)
    filed_at: Mapped[datetime | None] = mapped_column(Moment)
    returned_at: Mapped[datetime | None] = mapped_column(Moment)
    accepted_at: Mapped[datetime | None] = mapped_column(Moment)
    gaps: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    purchaser: Mapped[Party] = relationship(foreign_keys=[purchaser_id], lazy="joined")
    agency: Mapped[Party | None] = relationship(foreign_keys=[agency_id], lazy="joined")

    @property
    def log_of(self) -> str:
        return self.ref

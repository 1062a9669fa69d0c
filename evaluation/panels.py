"""Panels: asked for, drawn, answered, matched against the bidders, seated, and led (rules P-01 to P-06, P-12 to P-15, P-20 to P-22, P-40).

Law of the noun: experts come from the public draw alone and in its order, substitutes too; nobody at the centre sees a name before the
panel sits; who must avoid a bidder leaves, and what a replaced member gave is void and redone by the successor.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from evaluation.experts import Expert
from trading.draws import Draw
from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.flow import Flow, Step, state_check
from trading.parties import Account
from trading.tenders import Lot

PANEL_FLOW = Flow(
    "panel",
    "FORMING",
    Step("call", "FORMING", "CALLED", Act.PANEL_DRAW),
    Step("convene", "CALLED", "SEATED", Act.PANEL_CONVENE),
    Step("reopen", "SEATED", "CALLED", Act.SEAT_ANSWER),
    Step("remove", "SEATED", "CALLED", Act.PANEL_CONVENE),
    Step("list", "SEATED", "LISTED", Act.SHEET_COMMIT),
    Step("reveal", "LISTED", "REVEALED", Act.SHEET_REVEAL),
    Step("recheck", ("LISTED", "REVEALED"), "SEATED", Act.REPORT_CONCLUDE),
    Step("conclude", ("SEATED", "REVEALED"), "CONCLUDED", Act.REPORT_CONCLUDE),
)
SEAT_STATES = ("called", "accepted", "declined", "silent", "recused", "avoided", "seated")
IN_PLAY = ("called", "accepted", "seated")
SEAT_KINDS = ("expert", "purchaser")


class Panel(Base):
    """``members``: seats in all, ``experts`` of them drawn. ``avoid``: ``[{code, name}]`` of units named in the request. ``round``: how
    many times the members have scored. ``blind_salt``: orders the blind names, so that they say nothing of the order of bids."""

    __tablename__ = "panel"
    __table_args__ = (CheckConstraint(state_check(PANEL_FLOW), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    state: Mapped[str] = mapped_column(String(20), default=PANEL_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    members: Mapped[int]
    experts: Mapped[int]
    specialties: Mapped[list[str]] = mapped_column(Json)
    region: Mapped[str] = mapped_column(String(40), default="")
    avoid: Mapped[list[dict[str, str]]] = mapped_column(Json)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    place: Mapped[str] = mapped_column(String(200), default="")
    requested_at: Mapped[datetime] = mapped_column(Moment)
    draw_id: Mapped[int] = mapped_column(ForeignKey("draw.id"))
    seated_at: Mapped[datetime | None] = mapped_column(Moment)
    round: Mapped[int] = mapped_column(default=1)
    recheck: Mapped[str] = mapped_column(Text, default="")
    blind_salt: Mapped[bytes] = mapped_column(LargeBinary)
    lot: Mapped[Lot] = relationship(lazy="joined")
    draw: Mapped[Draw] = relationship(lazy="joined")
    seats: Mapped[list[Seat]] = relationship(order_by="Seat.id", lazy="selectin")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


class Seat(Base):
    """Place ``no`` of a panel as one person held it. ``position``: the place in the drawn order (an expert's only). ``declared_at``: when
    the person declared to be free of conflicts. A place that was given up has a further row for the successor."""

    __tablename__ = "seat"
    __table_args__ = (
        UniqueConstraint("panel_id", "account_id"),
        CheckConstraint(one_of("kind", SEAT_KINDS), name="kind"),
        CheckConstraint(one_of("state", SEAT_STATES), name="state"),
        Index("ix_seat_in_play", "panel_id", "no", unique=True, sqlite_where=text(one_of("state", IN_PLAY)),
              postgresql_where=text(one_of("state", IN_PLAY))),
        Index("ix_seat_chair", "panel_id", unique=True, sqlite_where=text("is_chair"), postgresql_where=text("is_chair")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    no: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    expert_id: Mapped[int | None] = mapped_column(ForeignKey("expert.id"))
    kind: Mapped[str] = mapped_column(String(20))
    position: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(20), default="called")
    is_chair: Mapped[bool] = mapped_column(default=False)
    vote_no: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    called_at: Mapped[datetime] = mapped_column(Moment)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    declared_at: Mapped[datetime | None] = mapped_column(Moment)
    left_at: Mapped[datetime | None] = mapped_column(Moment)
    account: Mapped[Account] = relationship(lazy="joined")
    expert: Mapped[Expert | None] = relationship(lazy="joined")

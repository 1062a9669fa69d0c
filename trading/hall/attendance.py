"""Who came to an opening: bidders and those who run or watch it sign in, in a window before the hour (rulebook §5.2 step 1; rule X-07).

Law of the noun: of bidders nothing is shown, counted or told to anybody, the host included, before the set is published; afterwards the
sheet shows those who bid, and nobody else. Coming is no duty: whoever stays away loses nothing but the word on the spot (rule X-07).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.bidding import participants
from trading.custody import officers
from trading.kernel.access import Act, Role
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment, append_only, one_of
from trading.kernel.errors import TooEarly, WrongStep
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.parties.parties import Account, Party
from trading.tendering.projects import require_tie
from trading.tendering.tenders import Lot

BEFORE_HOUR = timedelta(minutes=60)
"""How long before the deadline the sheet opens."""
CHAIRS = {
    Role.BIDDER_OPERATOR: "bidder",
    Role.BIDDER_SIGNER: "bidder",
    Role.HOST: "host",
    Role.OFFICER: "officer",
    Role.PURCHASER: "tenderee",
    Role.SUPERVISOR: "supervisor",
}
KINDS = ("bidder", "host", "officer", "tenderee", "agency", "supervisor")


class Attendance(Base):
    """One person on the sheet of one lot. ``kind``: in which chair they came; ``at``: to the second."""

    __tablename__ = "hall_attendance"
    __table_args__ = (UniqueConstraint("lot_id", "account_id"), CheckConstraint(one_of("kind", KINDS), name="kind"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Moment)
    account: Mapped[Account] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")


append_only(Attendance.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Line:
    """A line of the sheet. ``late``: signed in after the deadline, which changes nothing but is said."""

    kind: str
    party_id: int
    account_id: int
    party: str
    name: str
    at: datetime
    late: bool


@dataclass(frozen=True)
class Window:
    """When the sheet of a lot lies open. ``state``: ``none`` (no hour yet), ``early``, ``open``, ``over``."""

    state: str
    begins: datetime | None


def window(session: Session, lot: Lot, now: datetime) -> Window:
    """From an hour before the deadline until the minutes are signed or the lot has failed."""
    if lot.deadline is None or lot.published_at is None:
        return Window("none", None)
    begins = lot.deadline - BEFORE_HOUR
    if lot.state not in ("NOTICE", "BIDDING", "OPENING"):
        return Window("over", begins)
    row = ceremony.find(session, lot)
    if row is not None and row.state not in ("LISTED", "OPENED"):
        return Window("over", begins)
    return Window("early" if now < begins else "open", begins)


def sign_in(work: UnitOfWork, lot: Lot) -> Attendance:
    """Sign in to an opening; doing it again changes nothing. It takes no lock: the row is the person's own and nothing hangs on it.

    Refuses: NotAllowed (a role with no chair here, another lot's officer or purchaser), NotFound ``participant.none`` (a bidder that takes
    no part), TooEarly ``attendance.too_early``, WrongStep ``attendance.over``.
    """
    work.require(Act.HALL_ATTEND)
    kind = CHAIRS[work.actor.role]
    if kind == "bidder":
        participants.own(work, lot)
    elif kind == "officer":
        officers.own_seat(work, lot)
    elif kind in ("tenderee", "agency"):
        require_tie(work, lot.project)
    at = window(work.session, lot, work.now)
    if at.state == "early":
        raise TooEarly("attendance.too_early", begins=at.begins, now=work.now)
    if at.state != "open":
        raise WrongStep("attendance.over", ref=lot.ref)
    found = own(work, lot)
    if found is not None:
        return found
    new = Attendance(
        lot_id=lot.id,
        account_id=work.actor.account_id,
        party_id=work.actor.party_id,
        kind=kind,
        at=floor_second(work.now),
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("hall.attend", lot.log_of, chair=kind)
    return new


def own(view: View, lot: Lot) -> Attendance | None:
    """The caller's own line."""
    return view.session.scalar(
        select(Attendance).where(Attendance.lot_id == lot.id, Attendance.account_id == view.actor.account_id)
    )


def officials(session: Session, lot: Lot) -> list[Line]:
    """Those who run or watch the opening and have come: shown from their sign-in on, since who they are is no secret."""
    return [line for line in _lines(session, lot) if line.kind != "bidder"]


def bidders(session: Session, lot: Lot) -> list[Line]:
    """Bidders on the sheet, once the set is published: those of the set alone; before that an empty list, whatever lies there."""
    row = ceremony.find(session, lot)
    if row is None:
        return []
    listed = ceremony.parties_of_set(session, row)
    return [line for line in _lines(session, lot) if line.kind == "bidder" and line.party_id in listed]


def _lines(session: Session, lot: Lot) -> list[Line]:
    rows = session.scalars(select(Attendance).where(Attendance.lot_id == lot.id).order_by(Attendance.at, Attendance.id))
    return [
        Line(
            r.kind,
            r.party_id,
            r.account_id,
            r.party.name,
            r.account.name,
            r.at,
            lot.deadline is not None and r.at > lot.deadline,
        )
        for r in rows
    ]

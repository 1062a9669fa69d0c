"""Reading out (唱标): which line of the opening list the host reads now, so that room, projector and every screen stand on the same line
(rulebook §5.2 step 7; rule X-08).

Law of the noun: the list is complete and signed before its first line is read; reading changes nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Invalid, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening.ceremony import Opening


class Reading(Base):
    """The host turned to line ``place`` (from 1) of the list."""

    __tablename__ = "reading"

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    place: Mapped[int]
    at: Mapped[datetime] = mapped_column(Moment)


append_only(Reading.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Position:
    """``place``: the line being read, 0 before the first and one past the last when the reading has ended; ``moments``: place → when it
    was first read; ``turns``: how often was turned; ``ended_at``: when it was first turned past the last line."""

    place: int
    moments: dict[int, datetime]
    turns: int
    ended_at: datetime | None = None


def read_out(work: UnitOfWork, row: Opening, place: int) -> None:
    """Turn to a line of the opening list, or past its last one, which ends the reading; the same line again changes nothing.

    Refuses: NotAllowed, WrongStep (not decrypted yet, or the minutes are signed), Invalid ``reading.place``.
    """
    work.require(Act.OPENING_HOST)
    work.lock(row)
    if row.opened is None or row.state != "OPENED":
        raise WrongStep("opening.not_opened", state=row.state)
    if not 1 <= place <= len(row.bids) + 1:
        raise Invalid("reading.place", where="place", place=place, last=len(row.bids))
    if position(work.session, row).place == place:
        return
    work.session.add(Reading(opening_id=row.id, place=place, at=floor_second(work.now)))
    work.session.flush()
    work.record("opening.read", row.log_of, place=place)


def position(session: Session, row: Opening) -> Position:
    rows = list(session.scalars(select(Reading).where(Reading.opening_id == row.id).order_by(Reading.id)))
    first: dict[int, datetime] = {}
    for one in rows:
        first.setdefault(one.place, one.at)
    ended = first.pop(len(row.bids) + 1, None)
    return Position(rows[-1].place if rows else 0, first, len(rows), ended)

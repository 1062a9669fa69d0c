"""How far the decryption of an opening has come, for those who wait for it (protocol §5 step 5).

Law of the noun: it counts bids, of which everybody knows the number once the set is published, and tells nothing of what was found in them;
nothing rests on it. Whether a run still lives is not written here: a process that died cannot tell (``web.workers.opening_run.is_held``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment
from trading.kernel.work import UnitOfWork
from trading.opening.ceremony import Opening, dead


class OpeningRun(Base):
    """The last decryption of an opening: ``done`` of ``total`` bids. ``ended_at``: over, or refused."""

    __tablename__ = "opening_run"

    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), primary_key=True)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


def begin(work: UnitOfWork, opening: Opening) -> None:
    """A run begins, by whoever holds its lock. Refuses: NotAllowed."""
    work.require(Act.OPENING_HOST)
    row = work.session.get(OpeningRun, opening.id) or OpeningRun(opening_id=opening.id)
    row.total, row.done = len(opening.bids) - len(opening.left_sealed) - len(dead(work.session, opening)), 0
    row.ended_at = None
    work.session.add(row)


def beat(work: UnitOfWork, opening_id: int, done: int, *, ended: bool = False) -> None:
    """Note how far the run has come. Refuses: NotAllowed."""
    work.require(Act.OPENING_HOST)
    row = work.session.get_one(OpeningRun, opening_id)
    if row.ended_at is None:  # a late beat does not wake a run that is over
        row.done, row.ended_at = done, work.now if ended else None


def find(session: Session, opening: Opening) -> OpeningRun | None:
    return session.get(OpeningRun, opening.id)

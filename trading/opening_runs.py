"""How far the decryption of an opening has come, for those who wait for it (protocol §5 step 5).

Law of the noun: it counts bids, of which everybody knows the number once the set is published, and tells nothing of what was found in them;
nothing rests on it. Decryption needs no leave from here: a run that died is simply begun again.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment
from trading.kernel.work import UnitOfWork
from trading.opening import Opening

STALE = timedelta(seconds=15)
"""Without a beat for so long a run counts as dead; a living one beats every second."""


class OpeningRun(Base):
    """The last decryption of an opening: ``done`` of ``total`` bids. ``run``: whose beats count; ``ended_at``: over, or refused."""

    __tablename__ = "opening_run"

    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), primary_key=True)
    run: Mapped[str] = mapped_column(String(32))
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    begun_at: Mapped[datetime] = mapped_column(Moment)
    beat_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


def begin(work: UnitOfWork, opening: Opening) -> str | None:
    """Take the run of an opening: its word, or None where another is alive. Refuses: NotAllowed."""
    work.require(Act.OPENING_HOST)
    work.lock(opening)
    row = work.session.get(OpeningRun, opening.id)
    if row is not None and is_alive(row, work.now):
        return None
    word, total = secrets.token_hex(16), len(opening.bids) - len(opening.left_sealed)
    if row is None:
        row = OpeningRun(opening_id=opening.id)
        work.session.add(row)
    row.run, row.total, row.done, row.begun_at, row.beat_at, row.ended_at = word, total, 0, work.now, work.now, None
    work.session.flush()
    return word


def beat(work: UnitOfWork, word: str, done: int, *, ended: bool = False) -> None:
    """Note how far the run ``word`` has come; a run that was taken over notes nothing. Refuses: NotAllowed."""
    work.require(Act.OPENING_HOST)
    work.session.execute(update(OpeningRun).where(OpeningRun.run == word).values(
        done=done, beat_at=work.now, ended_at=work.now if ended else None))


def find(session: Session, opening: Opening) -> OpeningRun | None:
    return session.get(OpeningRun, opening.id)


def is_alive(row: OpeningRun, now: datetime) -> bool:
    return row.ended_at is None and now - row.beat_at < STALE

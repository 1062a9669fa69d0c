"""The papers of an opening: sign-in sheet, opening form, record; each stored once when the minutes are signed, and stamped with the time
of a trusted third party where one is configured (rules X-10, X-14; TReg art. 36).

Law of the noun: a paper is bytes fixed with the signature of the minutes; a time stamp is added beside them and changes none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, NotFound
from trading.kernel.work import UnitOfWork
from trading.opening import opening_list
from trading.opening.ceremony import Opening

KINDS = ("sheet", "form", "record")


class OpeningPaper(Base):
    """``blob``: the paper, named by its SHA-256; ``stamp``: blob of the RFC 3161 answer over it, ``stamped_at`` the time it names."""

    __tablename__ = "opening_paper"
    __table_args__ = (UniqueConstraint("opening_id", "kind"), CheckConstraint(one_of("kind", KINDS), name="kind"))

    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("opening.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    blob: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(Moment)
    stamp: Mapped[str | None] = mapped_column(String(64))
    stamped_at: Mapped[datetime | None] = mapped_column(Moment)


def sign(work: UnitOfWork, row: Opening, blobs: Mapping[str, str]) -> None:
    """Sign the minutes and keep the papers with them. ``blobs``: kind → blob, all of KINDS. Refuses as
    ``opening_list.sign_minutes``."""
    opening_list.sign_minutes(work, row, minutes=blobs["record"])
    for kind in KINDS:
        work.session.add(OpeningPaper(opening_id=row.id, kind=kind, blob=blobs[kind], made_at=floor_second(work.now)))
    work.session.flush()


def stamp(work: UnitOfWork, row: Opening, kind: str, *, stamp: str, at: datetime) -> None:
    """Keep the time stamp of a paper; whoever calls has verified it against the paper. ``at``: the time it names.

    Refuses: NotAllowed, NotFound ``paper.none``, Conflict ``paper.stamped``.
    """
    work.require(Act.OPENING_HOST)
    work.lock(row)
    paper = find(work.session, row, kind)
    if paper.stamp is not None:
        raise Conflict("paper.stamped", at=paper.stamped_at)
    paper.stamp, paper.stamped_at = stamp, floor_second(at)
    row.version += 1
    work.session.flush()
    work.record("opening.stamp", row.log_of, kind=kind, paper=paper.blob, at=at)


def find(session: Session, row: Opening, kind: str) -> OpeningPaper:
    """Refuses: NotFound ``paper.none``."""
    found = session.scalar(select(OpeningPaper).where(OpeningPaper.opening_id == row.id, OpeningPaper.kind == kind))
    if found is None:
        raise NotFound("paper.none")
    return found


def of_opening(session: Session, row: Opening) -> list[OpeningPaper]:
    """In the order of KINDS; empty before the minutes are signed."""
    found = {one.kind: one for one in session.scalars(select(OpeningPaper).where(OpeningPaper.opening_id == row.id))}
    return [found[kind] for kind in KINDS if kind in found]

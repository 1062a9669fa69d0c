"""Papers attached to a filing, to an objection or to its answer: strangers' files for whoever reads them.

Law of the noun: a file is what its name says or it is refused; it is handed out only once a scanner passed it, or where the platform has
none, and then it says so. What was attached is fixed with the act it belongs to: its digests stand in the record of that act. Whether
somebody may see one follows from the tie to the project or objection and is decided there.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.files.file_types import media_of
from trading.kernel.blobs import Blob
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound, WrongStep
from trading.kernel.work import UnitOfWork

ROLES = ("filing", "objection", "answer")
WAITING, CLEAN, INFECTED, UNSCANNED, REFUSED = "waiting", "clean", "infected", "unscanned", "refused"
STATES = (WAITING, CLEAN, INFECTED, UNSCANNED, REFUSED)
MAX_SIZE = 20 * 2**20
"""Bytes of one attachment."""
MOST = 10
"""Attachments of one filing, objection or answer."""


class Attachment(Base):
    """One file. ``blob`` is its content name (hex SHA-256), ``log_of`` what its records are of, ``party_id`` who attached it; ``state``,
    ``finding`` and ``scanner`` as the scanner said, ``taken_at`` since when a process looks at it."""

    __tablename__ = "attachment"
    __table_args__ = (
        CheckConstraint(one_of("role", ROLES), name="role"),
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint("(project_id IS NULL) <> (objection_id IS NULL)", name="of_one"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"), index=True)
    objection_id: Mapped[int | None] = mapped_column(ForeignKey("objection.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    log_of: Mapped[str] = mapped_column(String(80))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    name: Mapped[str] = mapped_column(String(255))
    blob: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    media: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(20), default=WAITING, index=True)
    finding: Mapped[str] = mapped_column(String(200), default="")
    scanner: Mapped[str] = mapped_column(String(200), default="")
    taken_at: Mapped[datetime | None] = mapped_column(Moment)
    scanned_at: Mapped[datetime | None] = mapped_column(Moment)


def of_project(session: Session, project_id: int) -> list[Attachment]:
    """What is attached to a filing, oldest first."""
    rows = select(Attachment).where(Attachment.project_id == project_id, Attachment.withdrawn_at.is_(None))
    return list(session.scalars(rows.order_by(Attachment.id)))


def of_objection(session: Session, objection_id: int, role: str | None = None) -> list[Attachment]:
    """What is attached to an objection and to its answer, oldest first; of one of the two if named."""
    rows = select(Attachment).where(Attachment.objection_id == objection_id, Attachment.withdrawn_at.is_(None))
    return list(session.scalars((rows.where(Attachment.role == role) if role else rows).order_by(Attachment.id)))


def put(
    work: UnitOfWork,
    *,
    name: str,
    blob: Blob,
    role: str,
    log_of: str,
    project_id: int | None = None,
    objection_id: int | None = None,
) -> Attachment:
    """Keep a stored file; whoever calls has taken the locks of the act it belongs to.

    Refuses: Invalid (see ``file_types.media_of``), Conflict ``attachment.too_many``, ``attachment.twice``.
    """
    media = media_of(work, name, blob, most=MAX_SIZE)
    there = of_project(work.session, project_id) if project_id else of_objection(work.session, objection_id or 0, role)
    if len(there) >= MOST:
        raise Conflict("attachment.too_many", most=MOST)
    if any(row.blob == blob.name for row in there):
        raise Conflict("attachment.twice", name=name[:80])
    new = Attachment(
        project_id=project_id,
        objection_id=objection_id,
        role=role,
        log_of=log_of,
        party_id=work.actor.party_id,
        name=name,
        blob=blob.name,
        size=blob.size,
        media=media,
        added_at=work.now,
        withdrawn_at=None,
        state=WAITING,
        finding="",
        scanner="",
        taken_at=None,
        scanned_at=None,
    )
    work.session.add(new)
    work.session.flush()
    work.record("attachment.add", log_of, sha256=new.blob, role=role)
    return new


def withdraw(work: UnitOfWork, row: Attachment) -> None:
    """Take a file out again; whoever calls has taken the locks."""
    row.withdrawn_at = work.now
    work.record("attachment.remove", row.log_of, sha256=row.blob, role=row.role)


def standing(row: Attachment, *, scanned: bool) -> str:
    """Where a file stands. ``scanned``: the platform has a scanner now, so what none has looked at waits for it."""
    return (WAITING if scanned else UNSCANNED) if row.state in (WAITING, UNSCANNED) else row.state


def release(rows: list[Attachment], number: int, *, scanned: bool) -> Attachment:
    """One of ``rows``, which the caller may see, out of quarantine. Refuses: NotFound, WrongStep ``file.waiting``, ``file.infected``,
    ``file.refused``."""
    row = next((one for one in rows if one.id == number), None)
    if row is None:
        raise NotFound("document.unknown", id=number)
    state = standing(row, scanned=scanned)
    if state not in (CLEAN, UNSCANNED):
        raise WrongStep(f"file.{state}", finding=row.finding or "–", scanner=row.scanner or "–")
    return row


def check_some(files: list[tuple[str, Blob]]) -> None:
    """Refuses: Invalid ``attachment.too_many``."""
    if len(files) > MOST:
        raise Invalid("attachment.too_many", most=MOST)

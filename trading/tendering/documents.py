"""Tender documents: the files bidders work from.

Law of the noun: a file is what its name says or it is refused; nothing is overwritten, a new file under the same name is a new version;
after publication a change is an amendment with a correction notice, early enough before the deadline (rule T-05). Nobody can see who
took a document (rulebook §9.1).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.files.file_types import media_of
from trading.kernel.blobs import Blob
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.tendering import invitations
from trading.tendering.projects import is_of, require_tie
from trading.tendering.tenders import Lot, require_draft

KINDS = ("tender_document", "drawing", "bill_of_quantities", "contract_form", "amendment", "other")


class TenderDocument(Base):
    """One version of one file. ``blob`` is its content name (hex SHA-256), ``size`` in bytes."""

    __tablename__ = "tender_document"
    __table_args__ = (
        UniqueConstraint("lot_id", "name", "version"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    name: Mapped[str] = mapped_column(String(255))
    blob: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(default=1)
    media: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)  # taken out before publication
    published: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime | None] = mapped_column(Moment)


# --- small rules ------------------------------------------------------------------------------------------------------------------


def standing(session: Session, lot: Lot) -> list[TenderDocument]:
    """The newest version of every file, by name."""
    newest: dict[str, TenderDocument] = {}
    rows = select(TenderDocument).where(TenderDocument.lot_id == lot.id, TenderDocument.withdrawn_at.is_(None))
    for row in session.scalars(rows.order_by(TenderDocument.version)):
        newest[row.name] = row
    return [newest[name] for name in sorted(newest)]


def may_take(view: View, lot: Lot) -> bool:
    """Purchaser and agency always; everybody once documents are issued (rule A-02: none is held back; nobody is asked who they are); of an
    invited tender those who are invited."""
    if is_of(lot.project, view.actor.party_id):
        return True
    issued = lot.published_at is not None and lot.issue_at is not None and view.now >= lot.issue_at
    return issued and invitations.may_read(view, lot)


def document(view: View, lot: Lot, document_id: int) -> TenderDocument:
    """A file to hand out. Whoever takes it leaves no trace that could be counted (rulebook §9.1). Refuses: NotFound."""
    found = view.session.get(TenderDocument, document_id)
    if found is None or found.lot_id != lot.id or not may_take(view, lot):
        raise NotFound("document.unknown", id=document_id)
    if not found.published and not is_of(lot.project, view.actor.party_id):
        raise NotFound("document.unknown", id=document_id)
    return found


# --- acts -------------------------------------------------------------------------------------------------------------------------


def add(work: UnitOfWork, lot: Lot, *, name: str, blob: Blob, kind: str = "tender_document") -> TenderDocument:
    """Add a file, already stored as ``blob``, to a lot in preparation; the same name again is a new version.

    Refuses: NotAllowed, WrongStep, Invalid (see ``file_types.media_of``; ``document.kind``).
    """
    require_draft(work, lot)
    return put(work, lot, name=name, blob=blob, kind=kind)


def put(work: UnitOfWork, lot: Lot, *, name: str, blob: Blob, kind: str) -> TenderDocument:
    """The part of adding that amendments share: the caller has taken the locks."""
    if kind not in KINDS:
        raise Invalid("document.kind", kinds=list(KINDS))
    media = media_of(work, name, blob)
    last = select(func.max(TenderDocument.version)).where(TenderDocument.lot_id == lot.id, TenderDocument.name == name)
    new = TenderDocument(
        lot_id=lot.id,
        kind=kind,
        name=name,
        blob=blob.name,
        sha256=blob.name,
        size=blob.size,
        media=media,
        version=(work.session.scalar(last) or 0) + 1,
        added_at=work.now,
        withdrawn_at=None,
        published=False,
        published_at=None,
    )
    work.session.add(new)
    work.session.flush()
    work.record("document.add", lot.log_of, file=new.name, version=new.version, sha256=new.sha256)
    return new


def take_over(work: UnitOfWork, lot: Lot, source: Lot) -> list[TenderDocument]:
    """The standing files of another own lot for a lot in preparation; a name that stands here already is left alone.

    Refuses: NotAllowed (either lot somebody else's), WrongStep.
    """
    require_draft(work, lot)
    require_tie(work, source.project)
    here = {row.name for row in standing(work.session, lot)}
    found = [row for row in standing(work.session, source) if row.name not in here and row.kind != "amendment"]
    return [put(work, lot, name=row.name, blob=Blob(row.blob, row.size), kind=row.kind) for row in found]


def remove(work: UnitOfWork, lot: Lot, document: TenderDocument) -> None:
    """Take a file out before publication; its versions stay on record. Refuses: NotAllowed, WrongStep, NotFound."""
    require_draft(work, lot)
    if document.lot_id != lot.id:
        raise NotFound("document.unknown", id=document.id)
    rows = select(TenderDocument).where(TenderDocument.lot_id == lot.id, TenderDocument.name == document.name)
    for row in work.session.scalars(rows):
        row.withdrawn_at = row.withdrawn_at or work.now
    work.record("document.remove", lot.log_of, file=document.name)


def publish_all(work: UnitOfWork, lot: Lot) -> list[TenderDocument]:
    """Mark every standing file as published: a part of publication and of amendments. Returns all standing files."""
    found = standing(work.session, lot)
    for row in found:
        if not row.published:
            row.published, row.published_at = True, work.now
    work.session.flush()
    return found

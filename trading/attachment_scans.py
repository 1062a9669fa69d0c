"""The scanner looks at attachments as it looks at files of opened bids: the bytes outside any transaction, each outcome in a unit."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from trading import attachments
from trading.attachments import Attachment
from trading.kernel.access import CLOCK, Act
from trading.kernel.errors import NotFound
from trading.kernel.work import Office, UnitOfWork
from trading.opened_files import AGAIN, LEASE, MOST, NO_BYTES, Finding, Scanner, ScannerDown


def scan(office: Office, scanner: Scanner | None) -> list[str]:
    """Look at what waits. Without a scanner files are noted as unscanned. Returns what was found, as ``state OF``; twice is harmless.

    Raises: ScannerDown once nothing more can be asked of it; what was found before stands.
    """
    if scanner is None:
        with office.work(CLOCK) as work:
            return _note_unscanned(work)
    version, found = "", []
    for _ in range(MOST):
        row = _take(office)
        if row is None:
            break
        try:
            version = version or scanner.version()
            with office.blobs.open(row.blob) as source:
                finding = scanner.scan(source)
        except NotFound:
            finding = Finding(attachments.REFUSED, NO_BYTES)
        except ScannerDown:
            with office.work(CLOCK) as work:
                work.session.execute(update(Attachment).where(Attachment.id == row.id).values(taken_at=None))
            raise
        with office.work(CLOCK) as work:
            note(work, row.id, finding, scanner=version)
        found.append(f"{finding.state} {row.log_of}")
    return found


def note(work: UnitOfWork, number: int, finding: Finding, *, scanner: str) -> None:
    """Write down what a scanner found of an attachment; what is known already stays. Refuses: NotAllowed, NotFound."""
    work.require(Act.CLOCK)
    row = work.session.get(Attachment, number)
    if row is None:
        raise NotFound("file.unknown")
    work.lock(row)
    if row.state in (attachments.CLEAN, attachments.INFECTED):
        return  # another process was as quick
    said = row.state != finding.state or row.finding != finding.what[:200]
    row.state, row.finding, row.scanner = finding.state, finding.what[:200], scanner[:200]
    row.scanned_at, row.taken_at = work.now, None
    if said:
        work.record("file.scan", row.log_of, state=row.state, finding=row.finding, scanner=row.scanner, file=row.blob)


def _note_unscanned(work: UnitOfWork) -> list[str]:
    rows = list(work.session.scalars(select(Attachment).where(Attachment.state == attachments.WAITING).order_by(Attachment.id)))
    for row in rows:
        row.state, row.scanned_at = attachments.UNSCANNED, work.now
        work.record("file.unscanned", row.log_of, files=[row.blob])
    return [f"{attachments.UNSCANNED} {row.log_of}" for row in rows]


def _take(office: Office) -> Attachment | None:
    """The next file to look at, taken by this process for a while."""
    with office.work(CLOCK) as work:
        free = or_(Attachment.taken_at.is_(None), Attachment.taken_at < work.now - LEASE)
        again = (Attachment.state == attachments.REFUSED) & (Attachment.scanned_at < work.now - AGAIN)
        wanted = or_(Attachment.state.in_((attachments.WAITING, attachments.UNSCANNED)), again)
        query = select(Attachment).where(free, wanted).order_by(Attachment.id).limit(1)
        row: Attachment | None = work.session.scalar(query.with_for_update(skip_locked=True))
        if row is not None:
            row.taken_at = work.now
        return row

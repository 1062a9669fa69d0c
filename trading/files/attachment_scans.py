"""The scanner looks at attachments as it looks at files of opened bids: the bytes outside any transaction, each outcome in a unit."""

from __future__ import annotations

from sqlalchemy import select

from trading.files import attachments
from trading.files.attachments import Attachment
from trading.files.scanning import Finding, Scanner, scanned, written_down
from trading.kernel.access import CLOCK
from trading.kernel.work import Office, UnitOfWork


def scan(office: Office, scanner: Scanner | None) -> list[str]:
    """Look at what waits. Without a scanner files are noted as unscanned. Returns what was found, as ``state OF``; twice is harmless.

    Raises: ScannerDown once nothing more can be asked of it; what was found before stands.
    """
    if scanner is None:
        with office.work(CLOCK) as work:
            return _note_unscanned(work)
    return [f"{finding.state} {row.log_of}" for row, finding in scanned(office, Attachment, scanner, note)]


def note(work: UnitOfWork, number: int, finding: Finding, *, scanner: str) -> None:
    """Write down what a scanner found of an attachment; what is known already stays. Refuses: NotAllowed, NotFound."""
    row, is_news = written_down(work, Attachment, number, finding, scanner)
    if is_news:
        work.record("file.scan", row.log_of, state=row.state, finding=row.finding, scanner=row.scanner, file=row.blob)


def _note_unscanned(work: UnitOfWork) -> list[str]:
    rows = list(
        work.session.scalars(select(Attachment).where(Attachment.state == attachments.WAITING).order_by(Attachment.id))
    )
    for row in rows:
        row.state, row.scanned_at = attachments.UNSCANNED, work.now
        work.record("file.unscanned", row.log_of, files=[row.blob])
    return [f"{attachments.UNSCANNED} {row.log_of}" for row in rows]

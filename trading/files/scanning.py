"""Strangers' files wait in quarantine until a scanner has looked at them (promise U2; OWASP ASVS 5.4.3): what a scanner is, what it may
say, and looking at rows one by one. Which files wait stands with their own tables.

A table that is scanned has the columns ``id``, ``blob``, ``state``, ``finding``, ``scanner``, ``taken_at`` and ``scanned_at``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Protocol

from sqlalchemy import or_, select, update

from trading.kernel.access import CLOCK, Act
from trading.kernel.errors import NotFound
from trading.kernel.work import Office, UnitOfWork

WAITING, CLEAN, INFECTED, UNSCANNED, REFUSED = "waiting", "clean", "infected", "unscanned", "refused"
STATES = (WAITING, CLEAN, INFECTED, UNSCANNED, REFUSED)
HANDED_OUT = (CLEAN, UNSCANNED)
LEASE = timedelta(minutes=5)
"""How long one process has a file to itself; a process that died gives it back so."""
AGAIN = timedelta(hours=1)
"""After this a file the scanner would not look at (too large for its limits, say) is offered to it again."""
NO_BYTES = "bytes missing"
MOST = 50


class ScannerDown(Exception):
    """The scanner cannot be reached or stopped in the middle: the file goes on waiting."""


@dataclass(frozen=True)
class Finding:
    """What a scanner says of some bytes. ``state``: clean, infected or refused; ``what``: its own name for what it found, or why it
    would not look."""

    state: str
    what: str = ""


class Scanner(Protocol):
    """What looks at bytes; ``web.clamd`` is the one the product has."""

    def version(self) -> str:
        """The scanner and its signatures, in a line. Raises: ScannerDown."""

    def scan(self, source: BinaryIO) -> Finding:
        """Look at all of a stream. Raises: ScannerDown."""


@dataclass(frozen=True)
class Quarantine:
    """Where a file stands, for pages."""

    state: str
    finding: str = ""
    scanner: str = ""
    at: datetime | None = None

    @property
    def handed_out(self) -> bool:
        return self.state in HANDED_OUT


def scanned(
    office: Office, table: Any, scanner: Scanner, write: Callable[..., None], *, version: str = ""
) -> Iterator[tuple[Any, Finding]]:
    """Look at rows of ``table`` (columns of quarantine as ``OpenedFile`` has them) one by one, ``MOST`` in all: the bytes outside any
    transaction, each outcome by ``write`` in a unit of its own. ``version`` of the scanner where it is known already.

    Raises: ScannerDown once nothing more can be asked of it; the row it was asked about goes on waiting.
    """
    for _ in range(MOST):
        row = _take(office, table)
        if row is None:
            return
        try:
            version = version or scanner.version()
            with office.blobs.open(row.blob) as source:
                finding = scanner.scan(source)
        except NotFound:
            finding = Finding(REFUSED, NO_BYTES)
        except ScannerDown:
            with office.work(CLOCK) as work:
                work.session.execute(update(table).where(table.id == row.id).values(taken_at=None))
            raise
        with office.work(CLOCK) as work:
            write(work, row.id, finding, scanner=version)
        yield row, finding


def written_down(work: UnitOfWork, table: Any, number: int, finding: Finding, scanner: str) -> tuple[Any, bool]:
    """A finding in its row of ``table``, and whether it is news: what is known already stays, the same no every hour is told once.
    Refuses: NotAllowed, NotFound."""
    work.require(Act.CLOCK)
    row = work.session.get(table, number)
    if row is None:
        raise NotFound("file.unknown")
    work.lock(row)
    if row.state in (CLEAN, INFECTED):
        return row, False  # another process was as quick
    is_news = row.state != finding.state or row.finding != finding.what[:200]
    row.state, row.finding, row.scanner = finding.state, finding.what[:200], scanner[:200]
    row.scanned_at, row.taken_at = work.now, None
    return row, is_news


def _take(office: Office, table: Any) -> Any:
    """The next row to look at, taken by this process for a while; None where nothing waits."""
    with office.work(CLOCK) as work:
        row = work.session.scalar(waiting(table, work.now).limit(1).with_for_update(of=table, skip_locked=True))
        if row is not None:
            row.taken_at = work.now
        return row


def waiting(table: Any, now: datetime) -> Any:
    free = or_(table.taken_at.is_(None), table.taken_at < now - LEASE)
    again = (table.state == REFUSED) & (table.scanned_at < now - AGAIN)
    return select(table).where(free, or_(table.state.in_((WAITING, UNSCANNED)), again)).order_by(table.id)

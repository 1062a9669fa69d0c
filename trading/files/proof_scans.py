"""Papers handed in as a proof beside a form, one in a row: the scanner looks at them as at attachments, and they are handed out like those.

A table that uses this has the columns ``id``, ``proof`` (content name), ``scan``, ``finding`` and a property ``log_of``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from trading.files.scanning import CLEAN, INFECTED, REFUSED, UNSCANNED, WAITING, Scanner
from trading.kernel.access import CLOCK
from trading.kernel.errors import WrongStep
from trading.kernel.work import Office

AT_ONCE = 20


def standing(row: Any, *, scanned: bool) -> str:
    """Where a scanner is there, what none has looked at waits for it; where none is, it is handed out and the page says so."""
    return (WAITING if scanned else UNSCANNED) if row.scan in (WAITING, UNSCANNED) else str(row.scan)


def release(row: Any, *, scanned: bool) -> str:
    """Whether the proof may be handed out; its kind. Refuses: WrongStep ``file.waiting`` and others."""
    state = standing(row, scanned=scanned)
    if state not in (CLEAN, UNSCANNED):
        raise WrongStep(f"file.{state}", finding=row.finding or "–", scanner="–")
    return state


def scan(office: Office, scanner: Scanner | None, table: Any, *, act: str) -> int:
    """The clock's part: proofs that wait are looked at, outside any transaction, each outcome told as ``act``. Raises: ScannerDown."""
    if scanner is None:
        return 0
    with office.view(CLOCK) as view:
        rows = [
            tuple(row)
            for row in view.session.execute(select(table.id, table.proof).where(table.scan == WAITING).limit(AT_ONCE))
        ]
    for ident, blob in rows:
        with office.blobs.open(blob) as source:
            found = scanner.scan(source)
        with office.work(CLOCK) as work:
            row = work.session.get(table, ident)
            if row is not None and row.proof == blob and row.scan == WAITING:
                row.scan, row.finding = (
                    found.state if found.state in (CLEAN, INFECTED, REFUSED) else REFUSED,
                    found.what[:200],
                )
                work.record(act, row.log_of, state=row.scan, finding=row.finding)
    return len(rows)

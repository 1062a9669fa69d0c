"""Results of the years before the platform, taken in from a file of older records. They stand apart from what was played here: nothing of
them is in the log but that a file was taken in, with its hash; no page shows one without saying that it was imported.

Law of the noun: a file is taken in once and whole; its rows are never changed; amounts are whole fen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger, Date, ForeignKey, String, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import Conflict, Faults
from trading.kernel.work import UnitOfWork
from trading.reports import readers
from trading.reports.savings import Row
from trading.reports.source import Table

PLACES = 2
NAME_LIMIT = 200


class HistoryFile(Base):
    """A file of older results. ``source``: whose records they are, in words for readers."""

    __tablename__ = "history_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str] = mapped_column(String(200))
    taken_at: Mapped[datetime] = mapped_column(Moment)


class HistoryResult(Base):
    """One row of such a file; the fields of ``savings.Row``."""

    __tablename__ = "history_result"

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("history_file.id"), index=True)
    ref: Mapped[str] = mapped_column(String(200))
    project: Mapped[str | None] = mapped_column(String(400))
    status: Mapped[str] = mapped_column(String(20))
    price_form: Mapped[str] = mapped_column(String(20))
    result_on: Mapped[date | None] = mapped_column(Date)
    currency: Mapped[str | None] = mapped_column(String(3))
    budget_minor: Mapped[int | None] = mapped_column(BigInteger)
    award_minor: Mapped[int | None] = mapped_column(BigInteger)
    regime: Mapped[str | None] = mapped_column(String(40))
    category: Mapped[str | None] = mapped_column(String(40))
    method: Mapped[str | None] = mapped_column(String(40))
    purchaser: Mapped[str | None] = mapped_column(String(200))
    agency: Mapped[str | None] = mapped_column(String(200))
    region: Mapped[str | None] = mapped_column(String(200))


for _table in (HistoryFile, HistoryResult):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Source:
    """A file that was taken in, for whoever reads figures made of it."""

    name: str
    source: str
    sha256: str
    taken_at: datetime
    rows: int


def take_in(work: UnitOfWork, data: bytes, *, name: str, source: str) -> int:
    """Take a file of older results in (CSV, XLSX or OCDS, as ``bidhall savings`` reads it). Returns the number of its rows.

    Refuses: NotAllowed, Invalid ``savings.file`` with every fault, Conflict ``history.taken``.
    """
    work.require(Act.SYSTEM_ADMIN)
    table = readers.read(data)
    rows = _in_fen(table)
    digest = sha256(data).hexdigest()
    if work.session.scalar(select(HistoryFile.id).where(HistoryFile.sha256 == digest)) is not None:
        raise Conflict("history.taken", name=name)
    file = HistoryFile(name=name[:NAME_LIMIT], sha256=digest, source=source.strip()[:NAME_LIMIT], taken_at=work.now)
    work.session.add(file)
    work.session.flush()
    if rows:
        work.session.execute(insert(HistoryResult), [{"file_id": file.id, **_fields(row)} for row in rows])
    work.record("history.import", f"history/{file.id}", rows=len(rows), sha256=digest)
    return len(rows)


def _in_fen(table: Table) -> list[Row]:
    """The rows with amounts in fen. Refuses: Invalid ``history.finer`` for each amount with a part of a fen."""
    faults, found = Faults(), []
    for row in table.rows:
        amounts = {}
        for field in ("budget", "award"):
            amount = getattr(row, field)
            if amount is not None:
                scaled, rest = divmod(amount * 10**PLACES, 10**table.places)
                if rest:
                    faults.add(row.id, "history.finer", field=field)
                amounts[field] = scaled
        found.append(row._replace(**amounts))
    faults.refuse_if_any("savings.file")
    return found


def _fields(row: Row) -> dict[str, Any]:
    return {
        "ref": row.id[:200],
        "project": row.project,
        "status": row.status,
        "price_form": row.price_form,
        "result_on": row.date,
        "currency": row.currency,
        "budget_minor": row.budget,
        "award_minor": row.award,
        "regime": row.regime,
        "category": row.category,
        "method": row.method,
        "purchaser": row.purchaser,
        "agency": row.agency,
        "region": row.region,
    }


def sources(session: Session) -> list[Source]:
    """The files taken in, the newest first."""
    query = (
        select(HistoryFile, func.count(HistoryResult.id))
        .outerjoin(HistoryResult, HistoryResult.file_id == HistoryFile.id)
        .group_by(HistoryFile.id)
        .order_by(HistoryFile.id.desc())
    )
    return [Source(file.name, file.source, file.sha256, file.taken_at, rows) for file, rows in session.execute(query)]


def records(session: Session) -> Iterator[dict[str, Any]]:
    """Mappings with the fields of ``savings.Row``, amounts in fen, by day."""
    for one in session.scalars(select(HistoryResult).order_by(HistoryResult.result_on, HistoryResult.id)):
        yield {
            "id": one.ref,
            "budget": one.budget_minor,
            "award": one.award_minor,
            "status": one.status,
            "price_form": one.price_form,
            "date": one.result_on,
            "currency": one.currency,
            "project": one.project,
            "regime": one.regime,
            "category": one.category,
            "method": one.method,
            "purchaser": one.purchaser,
            "agency": one.agency,
            "region": one.region,
        }

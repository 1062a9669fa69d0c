"""The working-day calendar in force: the packaged years and those an officer has loaded since (rulebook §10.3).

Law of the noun: loading a year never moves a date that was published; it counts for periods that start afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.calendar import WorkingDayCalendar, packaged_calendar, read_year
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.work import UnitOfWork


class CalendarYear(Base):
    """A loaded yearly notice, as the text of its CSV."""

    __tablename__ = "calendar_year"

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(300))
    loaded_at: Mapped[datetime] = mapped_column(Moment)


append_only(CalendarYear.__table__)  # type: ignore[arg-type]


def current(session: Session) -> WorkingDayCalendar:
    """The calendar of this moment: later notices of a year take the place of earlier ones."""
    calendar = packaged_calendar()
    for text in session.scalars(select(CalendarYear.text).order_by(CalendarYear.id)):
        calendar = calendar.with_year(read_year(text), supersede=True)
    return calendar


@dataclass(frozen=True)
class LoadedYear:
    year: int
    source: str
    loaded_at: datetime


def loaded(session: Session, limit: int = 20) -> list[LoadedYear]:
    """The yearly notices loaded here, newest first."""
    rows = select(CalendarYear.year, CalendarYear.source, CalendarYear.loaded_at)
    rows = rows.order_by(CalendarYear.id.desc()).limit(limit)
    return [LoadedYear(year, source, at) for year, source, at in session.execute(rows)]


def load(work: UnitOfWork, text: str) -> CalendarYear:
    """Load a year's notice. Refuses: NotAllowed; Invalid with every fault of the file; Invalid ``calendar.year_gap``."""
    work.require(Act.CALENDAR_IMPORT)
    table = read_year(text)
    current(work.session).with_year(table, supersede=True)
    row = CalendarYear(year=table.year, text=text, source=table.source[:300], loaded_at=work.now)
    work.session.add(row)
    work.session.flush()
    work.record("calendar.load", f"calendar/{table.year}", year=table.year)
    return row

"""The working-day calendar: dated data with a version, and the counting rules of periods (rules N-01 to N-10,
rulebook §10).

Make-up days (调休) are working days; other Saturdays, Sundays and the listed days of rest are not. One year is one
CSV file: the yearly notice, or, before it is out, the statutory days alone, whose results are `provisional`. A year
without a file is unknown, and whatever would have to ask about it is refused. Closures by local order are a layer of
their own with their basis. Every counted `Term` carries the version it was counted with. What must not be put here:
which rule counts what (that is the rulebook).
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from trading.kernel import exact
from trading.kernel.errors import Fault, Faults, Invalid

BEIJING = dt.timezone(dt.timedelta(hours=8), "UTC+8")
"""The legal time of every day and hour in this trade."""

ANNOUNCED, PROVISIONAL = "announced", "provisional"
REST, WORK = "rest", "work"
_ONE = dt.timedelta(days=1)
_FIXED_FEASTS = ((1, 1), (5, 1), (10, 1), (10, 2), (10, 3))


@dataclass(frozen=True)
class YearTable:
    """The rest and make-up days of one year: `days` maps each listed day to (rest | work, feast)."""

    year: int
    status: str
    source: str
    days: Mapping[dt.date, tuple[str, str]]

    @property
    def announced(self) -> bool:
        return self.status == ANNOUNCED


@dataclass(frozen=True)
class Closure:
    """A day of rest by local order (flood, epidemic), with the order it rests on (rulebook §10.3)."""

    day: dt.date
    basis: str


@dataclass(frozen=True)
class DayKind:
    """Whether a day is a working day, and why: weekday, weekend, holiday, make_up or closure. `name` is the feast or
    the basis."""

    day: dt.date
    working: bool
    why: str
    name: str = ""


@dataclass(frozen=True)
class Term:
    """A counted period: from `anchor`, which never counts itself, to `day`.

    `day` is the last day of a period to act, the earliest day after a period to grant, or the latest day before a
    later instant; the rule that asked knows which. `rolled_from` is the day of rest it was moved from, `rolled_why`
    the reason. `provisional`: a year without its notice was asked.
    """

    anchor: dt.date
    length: int
    unit: str
    day: dt.date
    rolled_from: dt.date | None
    rolled_why: str
    provisional: bool
    calendar: str
    roll: bool = False
    before: bool = False

    @property
    def starts_at(self) -> dt.datetime:
        """00:00 Beijing time of `day`, in UTC: the earliest moment lawful under a period to grant."""
        return day_start(self.day)

    @property
    def ends_at(self) -> dt.datetime:
        """24:00 Beijing time of `day`, in UTC; the moment itself is late (rule N-03)."""
        return day_end(self.day)

    def facts(self) -> dict[str, Any]:
        """JSON-able, to be stored beside the moment and shown with it."""
        return {
            "anchor": self.anchor.isoformat(),
            "length": self.length,
            "unit": self.unit,
            "day": self.day.isoformat(),
            "rolled_from": self.rolled_from.isoformat() if self.rolled_from else None,
            "rolled_why": self.rolled_why,
            "provisional": self.provisional,
            "calendar": self.calendar,
            "roll": self.roll,
            "before": self.before,
        }


def local_day(moment: dt.datetime) -> dt.date:
    """The Beijing date of an aware moment."""
    if moment.tzinfo is None:
        raise ValueError("a moment must carry its zone")
    return moment.astimezone(BEIJING).date()


def day_start(day: dt.date) -> dt.datetime:
    """00:00 Beijing time of a day, in UTC."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=BEIJING).astimezone(dt.UTC)


def day_end(day: dt.date) -> dt.datetime:
    """24:00 Beijing time of a day, in UTC."""
    return day_start(day) + _ONE


class WorkingDayCalendar:
    """Counts working days and calendar days over the years it has tables for. Immutable: a change makes a new one."""

    def __init__(self, tables: Iterable[YearTable], closures: Iterable[Closure] = ()) -> None:
        self.tables: dict[int, YearTable] = {
            table.year: table for table in sorted(tables, key=lambda table: table.year)
        }
        self.closures: dict[dt.date, Closure] = {
            closure.day: closure for closure in sorted(closures, key=lambda one: one.day)
        }
        if not self.tables:
            raise ValueError("a calendar needs at least one year")

    @cached_property
    def version(self) -> str:
        """First and last year and a digest of all that decides a result: equal versions count alike."""
        digest = hashlib.sha256()
        for table in self.tables.values():
            digest.update(write_year(table).encode())
        for closure in self.closures.values():
            digest.update(f"closure,{closure.day},{closure.basis}\n".encode())
        return f"{min(self.tables)}-{max(self.tables)}.{digest.hexdigest()[:12]}"

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(self.tables)

    # --- one day ------------------------------------------------------------------------------------------------------

    def day_kind(self, day: dt.date) -> DayKind:
        """What kind of day this is. Refuses: Invalid calendar.year_unknown."""
        table = self._table(day)
        if closure := self.closures.get(day):
            return DayKind(day, False, "closure", closure.basis)
        if listed := table.days.get(day):
            kind, feast = listed
            return DayKind(day, kind == WORK, "make_up" if kind == WORK else "holiday", feast)
        return DayKind(day, False, "weekend") if day.weekday() >= 5 else DayKind(day, True, "weekday")

    def is_working_day(self, day: dt.date) -> bool:
        """Refuses: Invalid calendar.year_unknown."""
        return self.day_kind(day).working

    def is_provisional(self, day: dt.date) -> bool:
        """Whether the notice of this day's year is still to come. Refuses: Invalid calendar.year_unknown."""
        return not self._table(day).announced

    def _table(self, day: dt.date) -> YearTable:
        table = self.tables.get(day.year)
        if table is None:
            raise Invalid(
                "calendar.year_unknown", year=str(day.year), first=str(min(self.tables)), last=str(max(self.tables))
            )
        return table

    # --- counting -----------------------------------------------------------------------------------------------------

    def add_working_days(self, day: dt.date, n: int) -> dt.date:
        """WD(day, n): the n-th working day after `day`, which itself never counts (rule N-01)."""
        return self._walk(day, n, _ONE)

    def working_days_before(self, day: dt.date, n: int) -> dt.date:
        """The n-th working day before `day`, which itself never counts (rule N-09)."""
        return self._walk(day, n, -_ONE)

    def _walk(self, day: dt.date, n: int, step: dt.timedelta) -> dt.date:
        if n < 1:
            raise ValueError("a count of working days starts at 1")
        while n:
            day = _shifted(day, step.days)
            n -= self.is_working_day(day)
        return day

    def roll(self, day: dt.date) -> dt.date:
        """The day itself if it is a working day, else the next one (rule N-02)."""
        while not self.is_working_day(day):
            day = _shifted(day, 1)
        return day

    def days_rolled(self, day: dt.date, n: int) -> dt.date:
        """ROLL(day, n): `n` calendar days later; a day of rest moves to the next working day (rules N-01, N-02)."""
        return self.roll(_shifted(day, n))

    def working_days_in(self, after: dt.date, until: dt.date) -> int:
        """How many working days lie in (after, until]."""
        return sum(self.is_working_day(after + _ONE * step) for step in range(1, (until - after).days + 1))

    def term(self, anchor: dt.date, length: int, unit: str, *, roll: bool = False, before: bool = False) -> Term:
        """A period of `length` days (`D`), working days (`WD`) or years (`Y`) after the anchor, or `before` it.

        `roll`: a last day of rest moves to the next working day; meant for `D` and `Y`. Refuses: Invalid
        calendar.year_unknown, calendar.out_of_range.
        """
        rolled_from, why = None, ""
        if unit == "WD":
            day = self.working_days_before(anchor, length) if before else self.add_working_days(anchor, length)
            asked = True
        elif unit in ("D", "Y"):
            signed = -length if before else length
            day = _shifted(anchor, signed) if unit == "D" else _years_later(anchor, signed)
            if roll and not (kind := self.day_kind(day)).working:
                rolled_from, why = day, kind.name or kind.why
                day = self.roll(day)
            asked = roll
        else:
            raise ValueError(f"no such unit of days: {unit}")
        # Counting forward the result is the latest day asked; counting back it is the day next to the anchor.
        latest = max(day, _shifted(anchor, -1) if before else day)
        return Term(
            anchor,
            length,
            unit,
            day,
            rolled_from,
            why,
            asked and self.is_provisional(latest),
            self.version,
            roll,
            before,
        )

    def recount(self, term: Term) -> Term:
        """The same period with this calendar."""
        return self.term(term.anchor, term.length, term.unit, roll=term.roll, before=term.before)

    def moved(self, terms: Iterable[Term]) -> list[tuple[Term, Term]]:
        """Old and new, of those whose day differs with this calendar. A published date is never moved: it is
        corrected by notice."""
        return [(term, new) for term in terms if (new := self.recount(term)).day != term.day]

    # --- changing -----------------------------------------------------------------------------------------------------

    def with_year(self, table: YearTable, *, supersede: bool = False) -> WorkingDayCalendar:
        """With the table of one more year, or the notice in place of a provisional year.

        Refuses: Invalid calendar.year_announced for a year whose notice is loaded, unless `supersede` (a later notice
        changed it); calendar.year_gap for a year that does not adjoin.
        """
        known = self.tables.get(table.year)
        if known is not None and known.announced and not supersede and known != table:
            raise Invalid("calendar.year_announced", year=str(table.year), source=known.source)
        if known is None and not {table.year - 1, table.year + 1} & set(self.tables):
            raise Invalid(
                "calendar.year_gap", year=str(table.year), first=str(min(self.tables)), last=str(max(self.tables))
            )
        return WorkingDayCalendar(
            [*(one for one in self.tables.values() if one.year != table.year), table], self.closures.values()
        )

    def with_closures(self, closures: Iterable[Closure]) -> WorkingDayCalendar:
        """With days of rest by local order. Refuses: Invalid calendar.closure_without_basis."""
        added = list(closures)
        if bare := [one.day.isoformat() for one in added if not one.basis.strip()]:
            raise Invalid("calendar.closure_without_basis", days=bare)
        return WorkingDayCalendar(self.tables.values(), [*self.closures.values(), *added])


def _shifted(day: dt.date, days: int) -> dt.date:
    try:
        return day + dt.timedelta(days=days)
    except OverflowError as error:
        raise Invalid("calendar.out_of_range", day=day) from error


def _years_later(day: dt.date, years: int) -> dt.date:
    """The corresponding day; where there is none, the last day of that month (Civil Code art. 202)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        if not dt.MINYEAR <= day.year + years <= dt.MAXYEAR:
            raise Invalid("calendar.out_of_range", day=day) from None
        return day.replace(year=day.year + years, day=28)


# --- the file of a year -----------------------------------------------------------------------------------------------


def read_year(text: str) -> YearTable:
    """One year from CSV: lines `year`, `status` (announced | provisional) and `source`, then `date,day,feast` with
    day rest | work.

    Refuses: Invalid calendar.file with every fault: calendar.file_head, calendar.date_malformed,
    calendar.date_elsewhere (another year), calendar.date_twice, calendar.day_word, calendar.work_on_weekday,
    calendar.feast_missing (a fixed statutory day).
    """
    faults = Faults()
    lines = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if any(cell.strip() for cell in row)]
    head = {row[0].strip(): row[1].strip() for row in lines[:3] if len(row) > 1}
    year = (
        int(head["year"]) if len(head.get("year", "")) == 4 and head["year"].isascii() and head["year"].isdigit() else 0
    )
    right = {
        "year": year > 1949,
        "status": head.get("status") in (ANNOUNCED, PROVISIONAL),
        "source": bool(head.get("source")),
    }
    for name, is_right in right.items():
        if not is_right:
            faults.add(name, "calendar.file_head", found=head.get(name, ""))
    if [cell.strip() for cell in (lines[3] if len(lines) > 3 else [])][:3] != ["date", "day", "feast"]:
        faults.add("line 4", "calendar.file_head", found=",".join(lines[3]) if len(lines) > 3 else "")
    days: dict[dt.date, tuple[str, str]] = {}
    for position, row in enumerate(lines[4:], start=5):
        fault = _read_day(row, year, days)
        if fault:
            faults.add(f"line {position}", fault, found=",".join(row))
    if year and not faults.found:
        for month, day in _FIXED_FEASTS:
            if days.get(dt.date(year, month, day), ("", ""))[0] != REST:
                faults.found.append(Fault(f"{year}-{month:02d}-{day:02d}", "calendar.feast_missing"))
    faults.refuse_if_any("calendar.file")
    return YearTable(year, head["status"], head["source"], dict(sorted(days.items())))


def _read_day(row: list[str], year: int, days: dict[dt.date, tuple[str, str]]) -> str:
    """Adds one line to `days`, or gives the code of its fault."""
    cells = [cell.strip() for cell in row] + [""] * 3
    try:
        day = exact.day(cells[0], "")
    except exact.BadValue:
        return "calendar.date_malformed"
    if year and day.year != year:
        return "calendar.date_elsewhere"
    if day in days:
        return "calendar.date_twice"
    if cells[1] not in (REST, WORK):
        return "calendar.day_word"
    if cells[1] == WORK and day.weekday() < 5:
        return "calendar.work_on_weekday"
    days[day] = (cells[1], cells[2])
    return ""


def write_year(table: YearTable) -> str:
    """The file `read_year` reads, in one fixed form: the version is a digest of it."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerows(
        [["year", table.year, ""], ["status", table.status, ""], ["source", table.source, ""], ["date", "day", "feast"]]
    )
    rows.writerows([day.isoformat(), kind, feast] for day, (kind, feast) in sorted(table.days.items()))
    return out.getvalue()


@lru_cache(maxsize=1)
def packaged_calendar() -> WorkingDayCalendar:
    """The years that come with the product: announced 2018 to 2026, the statutory days of 2027 (rulebook §10.1,
    §10.2)."""
    folder = resources.files("trading").joinpath("rulebook", "calendar")
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".csv"))
    return WorkingDayCalendar(read_year(entry.read_text(encoding="utf-8")) for entry in files)


def calendar_with(years: Iterable[YearTable], closures: Iterable[Closure] = ()) -> WorkingDayCalendar:
    """The packaged calendar with the years and closures an officer has loaded, in the order they were loaded."""
    calendar = packaged_calendar()
    for table in years:
        calendar = calendar.with_year(table, supersede=True)
    return calendar.with_closures(closures)

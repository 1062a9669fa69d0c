"""The verdict on the platform's own availability before a deadline: pure, and blind to bids and bidders (promises, section C).

Probes submit to a test point every 10 s (``Sample``), from points on duty (``Duty``). A minute is bad if more than half of the probes due
in it failed, took too long or are missing; a minute in which no point was on duty is unmeasured, not bad. Enough bad minutes before the
deadline make a fault: the deadline moves (``extend``), or, while it lasts or after two extensions, a person must look (``suspend``).
The numbers are dated data (``rulebook/availability.toml``). All moments are aware UTC.

Laws (tests/laws/test_availability.py): the same samples give the same verdict; it never shortens; one more bad minute never gives less.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from trading.kernel.calendar import BEIJING, WorkingDayCalendar, local_day
from trading.kernel.clock import floor_minute

NONE, EXTEND, SUSPEND = "none", "extend", "suspend"
KINDS = (NONE, EXTEND, SUSPEND)
"""In the order of weight."""
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Terms:
    """The numbers of one time; see availability.toml for what each means."""

    valid_from: dt.date
    every_s: int
    slow_ms: int
    grace_s: int
    windows: tuple[tuple[int, int], ...]
    least: int
    factor: int
    ahead: int
    step: int
    hours: tuple[dt.time, dt.time]
    most: int
    follow: int

    @property
    def span(self) -> dt.timedelta:
        """How long before a deadline the platform watches itself for it."""
        return dt.timedelta(minutes=max(minutes for minutes, _ in self.windows))

    @property
    def each(self) -> int:
        """Probes of one point in a minute."""
        return 60 // self.every_s


@dataclass(frozen=True)
class Sample:
    """One probe: the point it came from, the slot it began in, how long it took, whether all of it went well."""

    point: str
    at: dt.datetime
    ms: int
    ok: bool


@dataclass(frozen=True)
class Duty:
    """A point and the time in which it had to probe; ``until`` None: it still has."""

    point: str
    since: dt.datetime
    until: dt.datetime | None = None

    def covers(self, minute: dt.datetime) -> bool:
        return self.since <= minute and (self.until is None or self.until >= minute + MINUTE)


@dataclass(frozen=True)
class Settled:
    """A fault that was dealt with: bad minutes before ``counted_until`` have had their consequence. ``extended``: the deadline moved."""

    counted_until: dt.datetime
    extended: bool


@dataclass(frozen=True)
class Verdict:
    """``kind`` none, extend or suspend; ``until``: the deadline the rule gives (None for none; for suspend what it would be by now);
    ``bad``: the minutes counted; ``ended``: end of the last one; ``windows``: (minutes, bad ones in them, how many make a fault)."""

    kind: str
    until: dt.datetime | None
    bad: tuple[dt.datetime, ...]
    ended: dt.datetime | None
    windows: tuple[tuple[int, int, int], ...]
    lasting: bool

    @property
    def bad_minutes(self) -> int:
        return len(self.bad)


# --- the numbers ------------------------------------------------------------------------------------------------------


def terms_on(day: dt.date) -> Terms:
    """The numbers in force on a day (the day of the lot's notice); before the first row, the first."""
    held = [row for row in _all_terms() if row.valid_from <= day]
    return held[-1] if held else _all_terms()[0]


@lru_cache(maxsize=1)
def _all_terms() -> tuple[Terms, ...]:
    text = resources.files("trading").joinpath("rulebook", "availability.toml").read_text(encoding="utf-8")
    rows = sorted((_terms(row) for row in tomllib.loads(text)["availability"]), key=lambda row: row.valid_from)
    return tuple(rows)


def _terms(row: dict[str, Any]) -> Terms:
    opens, closes = (dt.time.fromisoformat(text) for text in row["hours"])
    return Terms(
        **(row | {"windows": tuple((minutes, least) for minutes, least in row["windows"]), "hours": (opens, closes)})
    )


# --- minutes ----------------------------------------------------------------------------------------------------------


def slot_of(moment: dt.datetime, terms: Terms) -> dt.datetime:
    """The slot a probe belongs to: the moment floored to the pace."""
    moment = moment.astimezone(dt.UTC).replace(microsecond=0)
    return moment - dt.timedelta(seconds=moment.second % terms.every_s)


def judged_until(now: dt.datetime, terms: Terms) -> dt.datetime:
    """The end of the last minute that can be judged at ``now``."""
    return floor_minute(now - dt.timedelta(seconds=terms.grace_s))


def bad_minutes(
    samples: Iterable[Sample], duties: Collection[Duty], since: dt.datetime, until: dt.datetime, terms: Terms
) -> tuple[dt.datetime, ...]:
    """The bad minutes that begin in [since, until), in order. Whole minutes; ``until`` is no later than ``judged_until``."""
    good: dict[dt.datetime, set[tuple[str, dt.datetime]]] = {}
    for one in samples:
        if one.ok and one.ms <= terms.slow_ms:
            slot = slot_of(one.at, terms)
            good.setdefault(floor_minute(slot), set()).add((one.point, slot))
    found, minute = [], since
    while minute < until:
        on_duty = {duty.point for duty in duties if duty.covers(minute)}
        came = sum(1 for point, _ in good.get(minute, ()) if point in on_duty)
        if 2 * came < terms.each * len(on_duty):
            found.append(minute)
        minute += MINUTE
    return tuple(found)


def unmeasured(duties: Collection[Duty], since: dt.datetime, until: dt.datetime) -> int:
    """How many minutes of [since, until) no point was on duty for."""
    count, minute = 0, since
    while minute < until:
        count += not any(duty.covers(minute) for duty in duties)
        minute += MINUTE
    return count


# --- the verdict ------------------------------------------------------------------------------------------------------


def verdict(
    samples: Iterable[Sample],
    now: dt.datetime,
    deadline: dt.datetime,
    previous: Collection[Settled] = (),
    *,
    duties: Collection[Duty],
    terms: Terms,
    calendar: WorkingDayCalendar,
) -> Verdict:
    """What the platform's own failures before ``deadline`` (a whole minute) ask for at ``now``.

    ``samples``: those of the time watched, any order. ``previous``: what was settled on this lot before. Refuses: Invalid
    calendar.year_unknown when the new deadline would fall into a year without a calendar.
    """
    begins, ends = deadline - terms.span, judged_until(now, terms)
    return judge(
        bad_minutes(samples, duties, begins, ends, terms), now, deadline, previous, terms=terms, calendar=calendar
    )


def judge(
    bad: Iterable[dt.datetime],
    now: dt.datetime,
    deadline: dt.datetime,
    previous: Collection[Settled] = (),
    *,
    terms: Terms,
    calendar: WorkingDayCalendar,
) -> Verdict:
    """``verdict`` from the bad minutes themselves (their beginnings; those not yet judged at ``now`` are left out)."""
    ends = judged_until(now, terms)
    settled = max((one.counted_until for one in previous), default=None)
    begins = deadline - terms.span if settled is None else max(deadline - terms.span, settled)
    counted = tuple(sorted({minute for minute in bad if begins <= minute < ends}))
    before = [minute for minute in counted if minute < deadline]
    windows = tuple(
        (minutes, sum(1 for minute in before if minute >= deadline - minutes * MINUTE), least)
        for minutes, least in terms.windows
    )
    if not any(found >= least for _, found, least in windows):
        return Verdict(NONE, None, counted, counted[-1] + MINUTE if counted else None, windows, False)
    ended = counted[-1] + MINUTE
    lasting = ended == ends
    far = max(terms.least, terms.factor * len(counted)) * MINUTE
    wanted = max(max(deadline, ended) + far, now + terms.ahead * MINUTE)
    until = working_moment(wanted, terms, calendar)
    many = sum(1 for one in previous if one.extended) >= terms.most
    return Verdict(SUSPEND if lasting or many else EXTEND, until, counted, ended, windows, lasting)


def working_moment(moment: dt.datetime, terms: Terms, calendar: WorkingDayCalendar) -> dt.datetime:
    """The first moment not before ``moment`` that is a multiple of the step and lies in working time. Refuses: Invalid
    calendar.year_unknown."""
    up = floor_minute(moment)
    if up < moment:
        up += MINUTE
    local = up.astimezone(BEIJING)
    local += dt.timedelta(minutes=-local.minute % terms.step)
    opens, closes = terms.hours
    if calendar.is_working_day(local_day(local)):
        if local.time() < opens:
            return _at(local.date(), opens)
        if local.time() <= closes:
            return local.astimezone(dt.UTC)
    return _at(calendar.add_working_days(local.date(), 1), opens)


def _at(day: dt.date, hour: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, hour, BEIJING).astimezone(dt.UTC)

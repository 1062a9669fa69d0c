"""How the platform is: what the status page and the status process show. By published facts, the clock and the probes alone; nothing here
depends on who bids, or on whether anybody does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from trading.availability import deadline_faults, probes, verdict
from trading.availability.deadline_faults import DeadlineFault
from trading.kernel import log
from trading.kernel.calendar import local_day
from trading.kernel.clock import write_moment
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import View
from web import words
from web.workers.watch.process import FOLDER, KINDS, running

LATE_TICK = timedelta(seconds=150)
STALE_PROBE = timedelta(seconds=90)
SKEW_MS = 1000
RECENT = timedelta(days=30)


def gather(view: View, data: Path | None = None) -> dict[str, Any]:
    """Plain JSON values; moments as protocol texts, ``ok`` True, False or None (not measured)."""
    now = view.now
    tick = log.last_tick(view.session)
    view.office.clock.tend(None if tick is None else tick.at)
    doubt = view.office.clock.doubt()
    age = None if tick is None else max(int((now - tick.at).total_seconds()), 0)
    points, windows = _points(view, now), _windows(view, now)
    newest = [one["offset_ms"] for one in points if one["offset_ms"] is not None]
    offset = max(newest, key=abs, default=None)
    measured = [one["ok"] for one in points]
    return {
        "at": write_moment(now),
        "components": [
            {"name": "database", "ok": True},
            {"name": "clock", "ok": False if doubt is not None else None if offset is None else abs(offset) <= SKEW_MS},
            {"name": "scheduler", "ok": None if age is None else age <= LATE_TICK.total_seconds()},
            {
                "name": "bidding",
                "ok": None if not measured else 2 * sum(bool(one) for one in measured) >= len(measured),
            },
            *({"name": kind, "ok": _runs(data, kind)} for kind in KINDS if data is not None),
        ],
        "tick_at": None if tick is None else write_moment(tick.at),
        "scheduler_age_s": age,
        "clock_offset_ms": offset,
        "clock_doubt": None
        if doubt is None
        else {lang: words.words(doubt.code, doubt.facts, lang) for lang in words.LANGS},
        "points": points,
        "windows": windows,
        "faults": _faults(view, now),
    }


def _runs(data: Path, kind: str) -> bool | None:
    """Whether the process runs here; None where it never did, for it may run on another machine."""
    return True if running(data, kind) else False if (data / FOLDER / f"{kind}.lock").exists() else None


def _points(view: View, now: datetime) -> list[dict[str, Any]]:
    newest = probes.newest(view.session)
    found = []
    for point in probes.on_duty(view.session):
        last = newest.get(point.name)
        fresh = last is not None and now - last.at <= STALE_PROBE
        found.append(
            {
                "name": point.name,
                "since": write_moment(point.since),
                "at": None if last is None else write_moment(last.at),
                "ok": bool(fresh and last is not None and last.ok),
                "ms": None if last is None else last.ms,
                "offset_ms": None if last is None else last.offset_ms,
                "code": "" if last is None else last.code,
            }
        )
    return found


def _windows(view: View, now: datetime) -> list[dict[str, Any]]:
    """The availability before each deadline that is watched now."""
    found = []
    for lot in deadline_faults.watched(view.session, now):
        try:
            one = deadline_faults.assess(view.session, lot, now)
        except (Invalid, NotFound):
            continue
        found.append(
            {
                "lot": lot.ref,
                "title": lot.title,
                "deadline": write_moment(one.deadline),
                "bad": one.verdict.bad_minutes,
                "unmeasured": one.unmeasured,
                "measured": one.measured,
                "kind": one.verdict.kind,
                "windows": [
                    {"minutes": minutes, "bad": bad, "least": least} for minutes, bad, least in one.verdict.windows
                ],
            }
        )
    return found


def _faults(view: View, now: datetime) -> list[dict[str, Any]]:
    rows = view.session.scalars(
        select(DeadlineFault)
        .where(DeadlineFault.confirmed_at > now - RECENT, DeadlineFault.state != "REPLACED")
        .order_by(DeadlineFault.confirmed_at.desc(), DeadlineFault.id.desc())
        .limit(50)
    )
    return [
        {
            "lot": row.lot.ref,
            "title": row.lot.title,
            "state": row.state,
            "at": write_moment(row.confirmed_at),
            "before": write_moment(row.before),
            "until": write_moment(row.until) if row.drafted else None,
            "bad": row.bad_minutes,
        }
        for row in rows
    ]


def last_minutes(view: View, minutes: int = 60) -> list[bool | None]:
    """The last minutes judged, oldest first: True good, False bad, None not measured."""
    terms = verdict.terms_on(local_day(view.now))
    until = verdict.judged_until(view.now, terms)
    since = until - minutes * verdict.MINUTE
    duties = probes.duties(view.session, since)
    bad = set(verdict.bad_minutes(probes.samples(view.session, since, until), duties, since, until, terms))
    found: list[bool | None] = []
    for n in range(minutes):
        minute = since + n * verdict.MINUTE
        found.append(None if not any(duty.covers(minute) for duty in duties) else minute not in bad)
    return found

"""System administration: the working-day calendar, the clock's steps, the outbox, the state of the installation."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.db import shown_url
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.system_clock import SystemClock
from trading.kernel.work import UnitOfWork, View
from trading.opening import scrub
from trading.parties import mail_queue
from trading.parties.mail_queue import Backlog
from trading.rulebook import calendars
from trading.views import system_queries
from web import room, schema, wiring, words
from web.backups import state
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.gate import office, reading, render
from web.http.refusals import language
from web.settings import Settings
from web.words import formatting
from web.workers.watch import mirror_state

STILL = timedelta(minutes=2)
MOST_BYTES = 500_000


@admin.page("/health", needs=Act.SYSTEM_ADMIN)
def health() -> str:
    with reading() as view:
        last, mail = log.last_tick(view.session), mail_queue.backlog(view.session, view.now)
        steps = [(one.what, one.lot, one.since) for one in system_queries.overdue_steps(view)]
        return render(
            "admin/health.html",
            checks=_checks(view, last, steps, mail),
            steps=steps,
            last=last,
            facts=_facts(),
            coming=system_queries.coming_deadlines(view),
        )


def _checks(view: View, last: Any, steps: list[Any], mail: Backlog) -> list[tuple[str, str, str]]:
    """(level ok | warn | stop, what was found, what to do)."""
    found = []
    try:
        schema.check_ready(office().engine)
        found.append(("ok", _("Database reachable, no revision pending"), ""))
    except NotReady as refusal:
        found.append(
            ("stop", _("Database: %(code)s", code=refusal.code), _("run bidhall migrate, or start the database"))
        )
    if last is None:
        found.append(("warn", _("The log has no tick yet"), _("start the clock: bidhall serve, or bidhall tick")))
    elif (doubt := office().clock.doubt()) is not None:
        remedy = _("set the clock right; if it is right now: bidhall clock accept")
        if doubt.code == "clock.outside":
            remedy = _("set the clock right by NTP, or take wrong sources out of BIDHALL_TIME_SOURCES")
        found.append(("stop", _in_words(doubt), remedy))
    elif last.at > view.now + STILL:
        found.append(
            (
                "stop",
                _("The last tick lies in the future"),
                _("the clock went back: set it right before anything is accepted"),
            )
        )
    elif view.now - last.at > STILL:
        found.append(
            (
                "stop",
                _("No tick since %(at)s", at=_moment(last.at, view)),
                _("start the clock: bidhall serve, or bidhall tick"),
            )
        )
    else:
        found.append(("ok", _("The log ticks"), ""))
    found.append(
        (
            "stop",
            _("%(n)s steps of the clock are overdue", n=len(steps)),
            _("start the clock: bidhall serve, or bidhall tick"),
        )
        if steps
        else ("ok", _("No step of the clock is overdue"), "")
    )
    if mail.failed:
        found.append(
            (
                "warn",
                _("%(n)s letters of the last seven days could not be delivered", n=mail.failed),
                _("see the page Mail"),
            )
        )
    elif mail.retried:
        found.append(("warn", _("Letters wait for another try"), _("see the page Mail")))
    else:
        found.append(("ok", _("No letter is stuck"), ""))
    settings = current_app.extensions["bidhall"].settings
    folder = settings.data
    found += _time_sources()
    found += _mirror(folder, view)
    found += _backups(folder, view)
    found += _stored(view)
    found += _room(settings)
    if current_app.extensions["bidhall"].settings.test_clock:
        found.append(("warn", _("The clock is moved by hand"), _("never in production")))
    return found


def _room(settings: Settings) -> list[tuple[str, str, str]]:
    """Each disk, in steps of a half: what a large bid takes away is not to be read off."""
    names = {"data": _("Data folder"), "blobs": _("Stored files"), "second": _("Second disk")}
    found = []
    for disk in room.disks(settings):
        free, name = room.coarse(disk.free), names[disk.name]
        if not free:
            found.append(("stop", _("%(disk)s: less than 1 GB free", disk=name), _("make room: bids could be refused")))
            continue
        found.append(("ok", _("%(disk)s: at least %(n)s GB free", disk=name, n=free // room.GB), ""))
        if disk.fills_soon:
            what = _("%(disk)s: full within eight weeks at the pace of the last four", disk=name)
            found.append(("warn", what, _("make room, or move it to a larger disk")))
    return found


def _time_sources() -> list[tuple[str, str, str]]:
    """What clocks outside say, where some are named; that ours is wrong is told as its doubt."""
    clock = office().clock
    if not isinstance(clock, SystemClock) or not clock.outside.sources:
        return []
    told = clock.by_outside()
    if told is None:
        return [("warn", _("Clocks outside have not been asked of late"), _("start the clock: bidhall serve"))]
    counted = _("%(near)s of %(of)s clocks outside agree with ours", near=told.near, of=told.of)
    if told.apart or told.confirmed:
        return [] if told.apart else [("ok", counted, "")]
    return [
        (
            "warn",
            counted,
            _("let the machine reach them over UDP, port 123: bidhall doctor names those that are silent"),
        )
    ]


def _mirror(folder: Path, view: View) -> list[tuple[str, str, str]]:
    """Whether the supervisory body's mirror answers its ping; never what waits for it, or whether anything does."""
    if office().mirror is None:
        return []
    answers = mirror_state.answers(folder, view.now)
    if answers is None:
        return [
            ("warn", _("The mirror has not been asked of late"), _("start the clock: bidhall serve, or bidhall tick"))
        ]
    return (
        [("ok", _("The mirror answers"), "")]
        if answers
        else [
            (
                "stop",
                _("The mirror does not answer"),
                _("ask the supervisory body; what is due is sent once it answers"),
            )
        ]
    )


def _backups(folder: Path, view: View) -> list[tuple[str, str, str]]:
    """When the last backup was taken from this data folder, and when one was last looked through."""
    held = state.read(folder)
    if held.taken is None:
        if wiring.is_rehearsal(folder):
            return []
        return [("warn", _("No backup was ever taken from here"), _("each night: bidhall backup DIR"))]
    level = "warn" if held.is_old(view.now) else "ok"
    found = [
        (
            level,
            _("Last backup: %(at)s", at=_moment(held.taken, view)),
            "" if level == "ok" else _("each night: bidhall backup DIR"),
        )
    ]
    if held.is_unchecked(view.now):
        found.append(
            ("warn", _("No backup was looked through for a month"), _("once a month: bidhall backup DIR --check"))
        )
    return found


def _stored(view: View) -> list[tuple[str, str, str]]:
    """Whether stored files that were read again are well; never which, of which lot, or whether it is a bid."""
    held = scrub.passed(view)
    if held.unmended:
        return [
            (
                "stop",
                _("A stored file is damaged, and nobody has a copy"),
                _("bidhall doctor names it; bring it back from a backup"),
            )
        ]
    if held.whole_at is None:
        return []
    return [("ok", _("All stored files were read again by %(at)s", at=_moment(held.whole_at, view)), "")]


def _in_words(refusal: NotReady) -> str:
    return words.words(refusal.code, refusal.facts, language(), current_app.extensions["bidhall"].zone)


def _moment(moment: Any, view: View) -> str:
    return formatting.moment_short(moment, language(), current_app.extensions["bidhall"].zone, now=view.now)


def _facts() -> list[tuple[str, str]]:
    """The installation, no secret in it."""
    settings = current_app.extensions["bidhall"].settings
    database = shown_url(settings.database) if settings.database else office().engine.dialect.name
    return [
        (_("Platform name in signed documents"), settings.platform),
        (_("Database"), database),
        (_("Base address"), settings.base_url or "–"),
        (_("Time zone"), settings.zone),
        (_("Mail"), settings.mail.shown),
        (_("Data folder"), str(settings.data)),
    ]


# --- the calendar -----------------------------------------------------------------------------------------------------


@admin.page("/calendar", needs=Act.SYSTEM_ADMIN)
def calendar(form: Form | None = None) -> str:
    with reading() as view:
        current = calendars.current(view.session)
        years = [(year, current.is_provisional(date(year, 6, 1))) for year in current.years]
        return render(
            "admin/calendar.html",
            form=form or Form.blank(),
            years=years,
            version=current.version,
            loaded=calendars.loaded(view.session),
            this_year=local_day(view.now).year,
        )


@admin.act("/acts/calendar", needs=Act.CALENDAR_IMPORT, back=calendar)
def do_calendar(unit: UnitOfWork, form: Form) -> str:
    """Load a yearly notice. Field: ``calendar`` (a CSV file); every fault is named, a file with one is not loaded."""
    file = form.file("calendar")
    form.refuse_if_any()
    assert file is not None
    data = file.stream.read(MOST_BYTES + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("file.encoding", where="calendar") from error
    calendars.load(unit, text)
    return "/admin/calendar"

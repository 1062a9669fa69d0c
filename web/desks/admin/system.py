"""System administration: the working-day calendar, the clock's steps, the outbox, the state of the installation."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import func, make_url, select

from trading import timeline
from trading.kernel import log, outbox
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.outbox import Message
from trading.kernel.work import Look
from trading.rulebook import calendars
from trading.rulebook.calendars import CalendarYear
from trading.tendering.tenders import Lot
from web import schema
from web.desks.admin.room import admin
from web.http.forms import Form
from web.http.gate import go, look, office, render, work
from web.http.refusals import language
from web.words import show
from web.workers.watch import mirror_state

STILL = timedelta(minutes=2)
SLACK = timedelta(seconds=30)
"""A step is overdue when the clock has not taken it for so long."""
TRIES = outbox.MAX_TRIES
MOST_BYTES = 500_000


@dataclass(frozen=True)
class Letters:
    """``waiting``: is any message due now; ``failed``: given up after all tries. No queue length: it could tell what happens on a lot."""

    waiting: bool
    retried: bool
    failed: int


def overdue(now: Look) -> list[tuple[str, str, Any]]:
    """Steps of the clock that should have been taken: (what, lot, since)."""
    rows = [one for one in timeline.due(now.session, now.now) if now.now - one.since > SLACK]
    return [(one.what, now.session.get_one(Lot, one.lot_id).ref, one.since) for one in rows]


def letters(now: Look) -> Letters:
    due = outbox.due(now.session, now.now, limit=1)
    failed = select(func.count()).select_from(Message).where(Message.sent_at.is_(None), Message.tries >= outbox.MAX_TRIES)
    retried = select(Message.id).where(Message.sent_at.is_(None), Message.tries > 0, Message.tries < outbox.MAX_TRIES).limit(1)
    return Letters(bool(due), now.session.scalar(retried) is not None, int(now.session.scalar(failed) or 0))


@admin.page("/health", needs=Act.SYSTEM_ADMIN)
def health() -> str:
    with look() as now:
        last, steps, mail = log.last_tick(now.session), overdue(now), letters(now)
        return render("admin/health.html", checks=_checks(now, last, steps, mail), steps=steps, last=last, facts=_facts(),
                      coming=_coming(now))


def _checks(now: Look, last: Any, steps: list[Any], mail: Letters) -> list[tuple[str, str, str]]:
    """(level ok | warn | stop, what was found, what to do)."""
    found = []
    try:
        schema.check_ready(office().engine)
        found.append(("ok", _("Database reachable, no revision pending"), ""))
    except NotReady as refusal:
        found.append(("stop", _("Database: %(code)s", code=refusal.code), _("run bidhall migrate, or start the database")))
    if last is None:
        found.append(("warn", _("The log has no tick yet"), _("start the clock: bidhall serve, or bidhall tick")))
    elif last.at > now.now + STILL:
        found.append(("stop", _("The last tick lies in the future"), _("the clock went back: set it right before anything is accepted")))
    elif now.now - last.at > STILL:
        found.append(("stop", _("No tick since %(at)s", at=_moment(last.at, now)), _("start the clock: bidhall serve, or bidhall tick")))
    else:
        found.append(("ok", _("The log ticks"), ""))
    found.append(("stop", _("%(n)s steps of the clock are overdue", n=len(steps)), _("start the clock: bidhall serve, or bidhall tick"))
                 if steps else ("ok", _("No step of the clock is overdue"), ""))
    if mail.failed:
        found.append(("stop", _("%(n)s messages could not be sent", n=mail.failed), _("see the setting BIDHALL_MAIL")))
    elif mail.retried:
        found.append(("warn", _("Messages wait for another try"), _("see the setting BIDHALL_MAIL")))
    else:
        found.append(("ok", _("No message is stuck"), ""))
    folder = current_app.extensions["bidhall"].settings.data
    found += _mirror(folder, now)
    free = shutil.disk_usage(folder if folder.exists() else "/").free
    found.append(("ok" if free > 1_000_000_000 else "stop", _("%(size)s free on the disk", size=show.size(free, language())),
                  "" if free > 1_000_000_000 else _("make room: bids could be refused")))
    if current_app.extensions["bidhall"].settings.test_clock:
        found.append(("warn", _("The clock is moved by hand"), _("never in production")))
    return found


def _mirror(folder: Path, now: Look) -> list[tuple[str, str, str]]:
    """Whether the supervisory body's mirror answers its ping; never what waits for it, or whether anything does."""
    if office().mirror is None:
        return []
    answers = mirror_state.answers(folder, now.now)
    if answers is None:
        return [("warn", _("The mirror has not been asked of late"), _("start the clock: bidhall serve, or bidhall tick"))]
    return [("ok", _("The mirror answers"), "")] if answers else [
        ("stop", _("The mirror does not answer"), _("ask the supervisory body; what is due is sent once it answers"))]


def _moment(moment: Any, now: Look) -> str:
    return show.moment_short(moment, language(), current_app.extensions["bidhall"].zone, now=now.now)


def _facts() -> list[tuple[str, str]]:
    """The installation, no secret in it."""
    settings = current_app.extensions["bidhall"].settings
    database = make_url(settings.database).render_as_string(hide_password=True) if settings.database else office().engine.dialect.name
    mail = settings.mail.partition("://")[0] if "://" in settings.mail else settings.mail
    return [(_("Platform name in signed documents"), settings.platform), (_("Database"), database),
            (_("Base address"), settings.base_url or "–"), (_("Time zone"), settings.zone), (_("Mail"), mail or "–"),
            (_("Data folder"), str(settings.data))]


def _coming(now: Look) -> list[Lot]:
    """Lots whose deadline comes next: the platform must be well then."""
    rows = select(Lot).where(Lot.state.in_(("NOTICE", "BIDDING")), Lot.deadline >= now.now).order_by(Lot.deadline, Lot.id).limit(8)
    return list(now.session.scalars(rows))


# --- the calendar -----------------------------------------------------------------------------------------------------


@admin.page("/calendar", needs=Act.SYSTEM_ADMIN)
def calendar(form: Form | None = None) -> str:
    with look() as now:
        current = calendars.current(now.session)
        loaded = list(now.session.scalars(select(CalendarYear).order_by(CalendarYear.id.desc()).limit(20)))
        years = [(year, current.is_provisional(date(year, 6, 1))) for year in current.years]
        return render("admin/calendar.html", form=form or Form.blank(), years=years, version=current.version, loaded=loaded,
                      this_year=local_day(now.now).year)


@admin.page("/acts/calendar", needs=Act.CALENDAR_IMPORT, post=True, back=calendar)
def do_calendar() -> Any:
    """Load a yearly notice. Field: ``calendar`` (a CSV file); every fault is named, a file with one is not loaded."""
    form = Form.read()
    file = form.file("calendar")
    form.refuse_if_any()
    assert file is not None
    data = file.stream.read(MOST_BYTES + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("file.encoding", where="calendar") from error
    with work() as unit:
        unit.once(form.form_id, "/admin/calendar")
        calendars.load(unit, text)
    return go("/admin/calendar")

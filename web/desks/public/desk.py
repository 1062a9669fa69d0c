"""The public desk: what anybody sees without signing in. No number here tells how many bid."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Response, current_app, jsonify
from flask_babel import gettext as _

from trading.kernel.access import Role
from trading.kernel.calendar import day_start, local_day
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import View
from trading.reports import own, savings
from trading.rulebook import calendars
from trading.views import public_queries
from web.desks.public.lists import lots_csv, read_filters
from web.desks.public.words import lang, line_state, zone
from web.desks.public.words import page as show_page
from web.http.forms import Form
from web.http.gate import Desk, actor, office, reading, render, request
from web.http.layout import Link, Tick, address, page_of, sun_line
from web.http.page_rules import ANYONE, open_to
from web.words import helping
from web.words.formatting import tag
from web.words.regions import region_choices
from web.workers.watch import facts

desk = Desk("public")

HELP = ("bidding", "opening", "deposits", "objections", "verify", "accessibility", "keyboard")


@desk.page("/", needs=ANYONE)
def index() -> Any:
    """Open lots by deadline, and beside them today's openings, publicity and results, and what was saved."""
    form = Form.query()
    filters, chosen = read_filters(form, request.args, "/", phase="open")
    sort = request.args.get("sort", "deadline" if filters.phase == "open" else "-published")
    with reading() as view:
        page = page_of(public_queries.count_lots(view, filters), request.args, "/", csv=True)
        lines = public_queries.lots(view, filters, sort=sort, limit=page.size, skip=page.offset)
        if request.args.get("format") == "csv":
            return lots_csv(lines)
        since, until = today(view.now)
        values = {
            "day": sun_line(
                view.now,
                ticks_of(public_queries.moments_between(view, since, until)),
                lang=lang(),
                zone=zone(),
                working=is_working(view),
            ),
            "openings": public_queries.openings_between(view, since, until),
            "outcomes": newest_of_each(public_queries.notice_lines(view, kinds=public_queries.OUTCOMES, limit=24))[:8],
            "regions": region_choices(public_queries.regions(view)),
            "teaser": teaser(view),
        }
    return show_page(
        "public/index.html",
        form=form,
        page=page,
        lines=lines,
        chosen=chosen,
        filters=filters,
        sort=sort,
        state_of=lambda line: tag(line_state(line, view.now, lang())),
        feed=address("/feed.xml", {"words": filters.words, "regime": filters.regime}),
        **values,
    )


@desk.page("/openings", needs=ANYONE)
def openings() -> str:
    """Openings by day: those to come, or with ``past`` those that were; before its hour a lot shows where and when, nothing else."""
    past = "past" in request.args
    with reading() as view:
        start, _end = today(view.now)
        asked: dict[str, Any] = {"before": start} if past else {"since": start}
        pages = page_of(public_queries.count_openings(view, **asked), request.args, "/openings")
        lines = public_queries.openings(view, **asked, limit=pages.size, skip=pages.offset)
        told = public_queries.notice_numbers(
            view, [line.ref for line in lines], ("result", "candidates", "failure", "termination")
        )
        days = [
            (day, list(rows)) for day, rows in groupby(lines, key=lambda line: local_day(line.opens_at or view.now))
        ]
    tabs = [Link(_("Today and to come"), "/openings", here=not past), Link(_("Past"), "/openings?past=1", here=past)]
    return show_page(
        "public/openings.html",
        days=days,
        pages=pages,
        past=past,
        tabs=tabs,
        told=told,
        today=local_day(view.now),
        state_of=lambda line: tag(line_state(line, view.now, lang())),
    )


@desk.page("/time", needs=ANYONE)
def time() -> Response:
    """The server's moment, for a browser that measures how far its own clock is off."""
    now = office().clock.now()
    return jsonify(now=write_moment(now, exact=True), ms=int(now.timestamp()) * 1000 + now.microsecond // 1000)


@desk.page("/status", needs=ANYONE)
def status() -> str:
    """How the platform is: parts, probes, each deadline window, faults. The status process writes the same as static files."""
    settings = current_app.extensions["bidhall"].settings
    with reading() as view:
        told, minutes = facts.gather(view, settings.data), facts.last_minutes(view)
    return render(
        "public/status.html",
        told=told,
        minutes=minutes,
        at=parse_moment,
        beacon=settings.beacon_url,
        drop=settings.drop_url,
    )


@desk.page("/help", needs=ANYONE)
def help_() -> str:
    return render("public/help.html", topics=_topics(), desks=[helping.role_help(desk) for desk in helping.ORDER])


@desk.page("/help/components", needs=ANYONE)
def components() -> str:
    """Every part of a page on one page, for those who build them; only on a platform under rehearsal."""
    from web.desks.parts.specimens import specimens

    if not current_app.extensions["bidhall"].settings.test_clock:
        raise NotFound("page.not_found")
    return render("public/components.html", **specimens(office().clock.now(), lang(), zone()))


@desk.page("/help/<topic>", needs=ANYONE)
def help_topic(topic: str) -> str:
    if topic in helping.ORDER:
        who, told = actor().role, helping.role_help(topic)
        opens = {
            act.href for act in told.acts if who is Role.PUBLIC or open_to(act.href, who)
        }  # a stranger signs in first
        return render(
            "public/help_role.html", role=told, opens=opens, desks=[helping.role_help(desk) for desk in helping.ORDER]
        )
    if topic == helping.GLOSSARY:
        return render("public/glossary.html", terms=helping.terms().values())
    if topic not in HELP:
        raise NotFound("page.not_found")
    return render("public/help_topic.html", topic=topic, title={t: label for t, label, _text in _topics()}[topic])


def _topics() -> list[tuple[str, str, str]]:
    return [
        (
            "bidding",
            _("Take part and bid"),
            _("Deposit, opening form, sealing on your own computer, submitting, receipts."),
        ),
        ("opening", _("Follow an opening"), _("Who opens, when, what is read out, how to confirm or object.")),
        ("deposits", _("Deposits and refunds"), _("Sub-accounts, when money goes back and what interest it carries.")),
        ("objections", _("Ask, object, complain"), _("Who answers, by when, and what stops while they do.")),
        (
            "verify",
            _("Verify it yourself"),
            _("Receipts, the audit book, the bundle of a finished tender: all without trusting us."),
        ),
        (
            "accessibility",
            _("Accessibility"),
            _("How the pages work with a keyboard, a screen reader, large type and without scripts."),
        ),
        ("keyboard", _("Keyboard"), _("The few keys worth knowing.")),
    ]


def newest_of_each(lines: list[public_queries.NoticeLine]) -> list[public_queries.NoticeLine]:
    """The newest notice of each lot, newest first: how it stands, said once."""
    return list({line.lot: line for line in reversed(lines)}.values())[::-1]


def today(now: datetime) -> tuple[datetime, datetime]:
    """From 00:00 to 24:00 of the day in Beijing."""
    since = day_start(local_day(now))
    return since, since + timedelta(days=1)


def is_working(view: View) -> bool:
    try:
        return calendars.current(view.session).is_working_day(local_day(view.now))
    except Invalid:  # a year without a calendar: a weekday passes for a working day here, no period is counted
        return local_day(view.now).weekday() < 5


def ticks_of(moments: list[tuple[datetime, str]]) -> list[Tick]:
    """What of today stands on the sun line; several of a kind at one moment are one mark with their number."""
    names = {
        "opening": _("opening"),
        "deadline": _("bid deadline"),
        "clarify": _("questions close"),
        "publicity": _("objections close"),
    }
    found: list[Tick] = []
    for moment, kind in sorted(set(moments)):
        if kind == "deadline" and (moment, "opening") in moments:
            continue
        several = moments.count((moment, kind))
        found.append(
            Tick(moment, f"{names[kind]} {several}" if several > 1 else names[kind], kind in ("deadline", "publicity"))
        )
    return found


def teaser(view: View) -> savings.Savings | None:
    """This year's savings; nothing before the first result."""
    year = local_day(view.now).year
    rows = [row for row in savings.own_rows(own.records(view.session)) if row.date and row.date.year == year]
    return savings.reckon(rows) if rows else None

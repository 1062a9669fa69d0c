"""Rules and calendar: the law as dated rows with their sources, and the working days with the notice they rest on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from trading import calendars
from trading.kernel.calendar import Term, local_day
from trading.kernel.errors import Invalid
from trading.rulebook import REGIMES, change_days, differences, select
from web import words
from web.desks.public_words import lang, page
from web.forms import Form
from web.frame import Link, address
from web.gate import ANYONE, Desk, look, office, request

desk = Desk("law")
MOST_DAYS = 4000
_TOPICS = (("T-", "terms"), ("A-", "terms"), ("N-", "terms"), ("D-", "money"), ("C-", "money"), ("R-", "money"), ("B-", "numbers"),
           ("P-", "numbers"), ("E-", "scoring"), ("2.", "scoring"))


@desk.page("/rules", needs=ANYONE)
def rules() -> str:
    """The rows in force on a day, each with its number and source, and what changed on the last day of change before it."""
    form = Form.query()
    regime = form.choice("regime", REGIMES, needed=False) or "GP"
    on = form.day("on", needed=False) or local_day(office().clock.now())
    speech = lang()
    changes = [day for day in change_days(regime) if day <= on]
    try:
        book = select(regime, on)
    except Invalid as refusal:
        form.fault("on", refusal.code, **refusal.facts)
        return page("public/rules.html", form=form, regime=regime, on=on, book=None, topics=[], changes=[], tabs=_tabs(regime))
    latest = []
    for day in reversed(changes[1:]):
        try:
            latest.append((day, differences(select(regime, day - timedelta(days=1)), select(regime, day))))
        except Invalid:  # nothing was in force before
            break
        if len(latest) == 6:
            break
    groups: dict[str, list[Any]] = {}
    for rule in book.rules:
        groups.setdefault(next((topic for start, topic in _TOPICS if rule.id.startswith(start)), "other"), []).append(rule)
    return page("public/rules.html", form=form, regime=regime, on=on, book=book, topics=list(groups.items()), changes=latest,
                tabs=_tabs(regime), kind_of=lambda rule: words.state("limit", rule.kind, speech).text)


def _tabs(regime: str) -> list[Link]:
    return [Link(words.state("regime", one, lang()).text, address("/rules", request.args, regime=one), here=one == regime)
            for one in REGIMES]


@desk.page("/calendar", needs=ANYONE)
def calendar() -> str:
    """A year of working days, and a counter that shows how a period is counted."""
    form = Form.query()
    with look() as now:
        book = calendars.current(now.session)
        today = local_day(now.now)
    year = form.whole("year", needed=False)
    year = year if year in book.years else today.year if today.year in book.years else book.years[-1]
    months = [_month(book, year, month, today) for month in range(1, 13)]
    table = book.tables[year]
    listed: list[tuple[date, date, str, str]] = []
    for day, (kind, feast) in sorted(table.days.items()):
        if listed and listed[-1][1:] == (day - timedelta(days=1), kind, feast):
            listed[-1] = (listed[-1][0], day, kind, feast)
        else:
            listed.append((day, day, kind, feast))
    term = _counted(form, book)
    return page("public/calendar.html", form=form, book=book, year=year, months=months, table=table, listed=listed, term=term, today=today,
                closures=[one for one in book.closures.values() if one.day.year == year],
                tabs=[Link(str(one), address("/calendar", {}, year=one), here=one == year) for one in book.years])


def _counted(form: Form, book: Any) -> Term | None:
    """The period asked for below the calendar; faults beside its fields."""
    if "length" not in request.args:
        return None
    start, length = form.day("start"), form.whole("length", least=1, most=MOST_DAYS)
    unit = form.choice("unit", ("D", "WD"))
    if start is None or length is None or not unit:
        return None
    try:
        counted: Term = book.term(start, length, unit, roll=bool(request.args.get("roll")))
        return counted
    except Invalid as refusal:
        form.fault("start", refusal.code, **refusal.facts)
        return None


def _month(book: Any, year: int, month: int, today: date) -> dict[str, Any]:
    first = date(year, month, 1)
    last = (date(year + (month == 12), month % 12 + 1, 1)) - timedelta(days=1)
    days = []
    for number in range(1, last.day + 1):
        day = date(year, month, number)
        kind = book.day_kind(day)
        days.append({"n": number, "working": kind.working, "why": kind.why, "name": kind.name, "today": day == today})
    cells: list[dict[str, Any] | None] = [None] * first.weekday() + days
    return {"first": first, "weeks": [cells[at:at + 7] for at in range(0, len(cells), 7)],
            "working": sum(1 for day in days if day["working"])}

"""Rules and calendar: the law as dated rows with their sources, and the working days with the notice they rest on."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from flask import Response

from trading.kernel.calendar import Term, local_day
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import View
from trading.rulebook import REGIMES, calendars, select
from trading.tendering import notices
from trading.tendering.planning import book_of
from trading.tendering.tenders import Lot
from trading.views import lot_cards, lot_rules, public_queries
from web import words
from web.desks.public import rule_cards
from web.desks.public.words import attachment, lang, page
from web.http.forms import Form
from web.http.gate import Desk, office, reading, request
from web.http.layout import Link, address
from web.http.page_rules import ANYONE

desk = Desk("law")
MOST_DAYS, MOST_LOTS = 4000, 50


@desk.page("/rules", needs=ANYONE)
def rules() -> str:
    """The rules in force on a day, by chapter: each in a plain sentence with its source, what changed in it, and for a chosen lot the sum
    and whether it is kept. ``q`` searches, ``only`` narrows to what applies or changed, ``rule`` opens one."""
    form = Form.query()
    speech = lang()
    asked = form.text("q", needed=False, limit=60)
    ref = form.text("lot", needed=False, limit=60)
    only = form.choice("only", ("applies", "changed"), needed=False)
    with reading() as view:
        lot = _lot_named(view, ref, form)
        regime = lot.regime if lot else form.choice("regime", REGIMES, needed=False) or REGIMES[0]
        on = form.day("on", needed=False) or local_day(view.now)
        told = public_queries.outcome(view, lot) if lot else None
        first = next(iter(notices.of_lot(view.session, lot, "tender")), None) if lot else None
        reckoned = lot_rules.sums(view, lot, told, first) if lot and told else {}
        chosen = lot_cards.card_of(view, lot) if lot else None
        book = book_of(lot, view.now) if lot else None
        offered = public_queries.lots(view, public_queries.Filters(regime=regime), sort="-published", limit=MOST_LOTS)
    try:
        book = book or select(regime, on)
    except Invalid as refusal:
        form.fault("on", refusal.code, **refusal.facts)
    changes = rule_cards.changes(regime, book.on if book else on)
    cards = rule_cards.cards(book, reckoned, changes, asked, speech) if book else []
    found = [
        one
        for one in cards
        if one.hit
        and not (only == "applies" and one.sum and not one.sum.applies)
        and not (only == "changed" and not one.deltas)
    ]
    opened = request.args.get("rule", "")
    chapters = rule_cards.chapters(found, opened=opened, all_open=bool(asked or only))
    values = {
        "changed": sum(1 for one in cards if one.deltas and one.hit),
        "applying": sum(1 for one in cards if one.hit and one.applies),
    }
    return page(
        "public/rules.html",
        form=form,
        regime=regime,
        on=on,
        book=book,
        chapters=chapters,
        changes=changes,
        asked=asked,
        only=only,
        lot=chosen,
        offered=offered,
        opened=opened,
        found=len(found),
        tabs=_tabs(regime),
        to=lambda **change: address("/rules", request.args, **change),
        marked=lambda text: rule_cards.marked(text, asked),
        dates=[one for one in cards if one.sum and one.sum.bound and one.sum.side][:12],
        **values,
    )


@desk.page("/rules.json", needs=ANYONE)
def rules_json() -> Response:
    """The rulebook in force on a day, as it would be kept with a lot published then."""
    form = Form.query()
    regime = form.choice("regime", REGIMES, needed=False) or REGIMES[0]
    on = form.day("on", needed=False) or local_day(office().clock.now())
    form.refuse_if_any()
    return attachment(
        json.dumps(select(regime, on).snapshot(), ensure_ascii=False, indent=1).encode() + b"\n",
        f"rules-{regime}-{on.isoformat()}.json",
        "application/json",
    )


def _lot_named(view: View, ref: str, form: Form) -> Lot | None:
    """The published lot of the address; one that is unknown is named beside its field."""
    if not ref:
        return None
    try:
        return public_queries.published_lot(view, ref)
    except NotFound as refusal:
        form.fault("lot", refusal.code, **refusal.facts)
        return None


def _tabs(regime: str) -> list[Link]:
    kept = {"q": request.args.get("q", "")}
    return [
        Link(words.state("regime", one, lang()).text, address("/rules", kept, regime=one), here=one == regime)
        for one in REGIMES
    ]


@desk.page("/calendar", needs=ANYONE)
def calendar() -> str:
    """A year of working days, and a counter that shows how a period is counted."""
    form = Form.query()
    with reading() as view:
        book = calendars.current(view.session)
        today = local_day(view.now)
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
    return page(
        "public/calendar.html",
        form=form,
        book=book,
        year=year,
        months=months,
        table=table,
        listed=listed,
        term=term,
        today=today,
        closures=[one for one in book.closures.values() if one.day.year == year],
        tabs=[Link(str(one), address("/calendar", {}, year=one), here=one == year) for one in book.years],
    )


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
    return {
        "first": first,
        "weeks": [cells[at : at + 7] for at in range(0, len(cells), 7)],
        "working": sum(1 for day in days if day["working"]),
    }

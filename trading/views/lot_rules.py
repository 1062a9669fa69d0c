"""What each rule of a lot's own rulebook comes to for this lot: the day or amount it leads to, what is planned or was done, whether that
is lawful. From public moments only; nothing here tells who or how many have bid (promise S1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from trading.kernel.calendar import local_day
from trading.kernel.errors import Invalid
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.rulebook import Rule, calendars
from trading.rulebook.timetable import check_timetable, window
from trading.tendering.notices import Notice
from trading.tendering.planning import book_of, rule_category, timetable
from trading.tendering.tenders import Lot
from trading.views.public_queries import Outcome

KEPT, BROKEN, WARNED, RUNNING, AHEAD = "kept", "broken", "warned", "running", "ahead"
Moment = dt.date | dt.datetime


@dataclass(frozen=True)
class Sum:
    """``anchor`` and ``act``: the moments the rule speaks of, as far as they are public; ``bound``: the first lawful day (``earliest``) or
    the last (``latest``); ``limit`` and ``found``: amounts of a rule about money. ``verdict`` is one of the words above."""

    applies: bool
    verdict: str = ""
    anchor: Moment | None = None
    act: Moment | None = None
    side: str = ""
    bound: dt.date | None = None
    facts: dict[str, Any] | None = None
    limit: Money | None = None
    base: Money | None = None
    found: Money | None = None


def sums(view: View, lot: Lot, told: Outcome, first: Notice | None) -> dict[str, Sum]:
    """Rule id → what it comes to, for every rule of the lot's book."""
    book, method, category = book_of(lot, view.now), lot.project.method, rule_category(lot.project)
    moments, amounts = (
        moments_of(view, lot, told, first),
        {"budget": lot.budget, "price_ceiling": lot.ceiling, "bid_deposit": lot.deposit},
    )
    found = {}
    for rule in book.rules:
        if not rule.applies(method, category):
            found[rule.id] = Sum(False)
        elif rule.unit == "rate" and rule.anchor in amounts and rule.act in amounts:
            found[rule.id] = _amount(rule, amounts)
        else:
            found[rule.id] = _day(view, lot, rule, moments)
    return found


def moments_of(view: View, lot: Lot, told: Outcome, first: Notice | None) -> dict[str, Moment]:
    """The public moments of a lot by the names of the rulebook."""
    every: dict[str, Moment | None] = dict(timetable(lot, view.now))
    every |= {
        "notice_published": lot.published_at,
        "notice_period_ends": _day_of(first.until if first else None),
        "candidates_published": told.candidates.published_at if told.candidates else None,
        "publicity_ends": _day_of(told.candidates.until if told.candidates else None),
        "result_published": told.result.published_at if told.result else None,
        "result_period_ends": _day_of(told.result.until if told.result else None),
        "contract_signed": told.signed_at,
        "award_notice_sent": told.result.published_at if told.result else None,
        "contract_published": told.contract.published_at if told.contract else None,
    }
    return {name: moment for name, moment in every.items() if moment is not None}


def _day_of(until: dt.datetime | None) -> dt.date | None:
    """The last day of a period that ends at 24:00."""
    return None if until is None else local_day(until - dt.timedelta(seconds=1))


def _amount(rule: Rule, amounts: Mapping[str, Money]) -> Sum:
    base, held = amounts[rule.anchor], amounts[rule.act]
    limit = Money(int(Fraction(base.minor) * rule.number), base.currency)
    lawful = {"MAX": held <= limit, "MIN": held >= limit}.get(rule.kind, True)
    return Sum(True, KEPT if lawful else BROKEN, limit=limit, base=base, found=held)


def _day(view: View, lot: Lot, rule: Rule, moments: Mapping[str, Moment]) -> Sum:
    method, category = lot.project.method, rule_category(lot.project)
    book, calendar = book_of(lot, view.now), calendars.current(view.session)
    anchor, act = moments.get(rule.anchor), moments.get(rule.act)
    if rule.kind == "WORKDAY" and act is not None:
        rest = check_timetable(book, calendar, {rule.act: act}, method=method, category=category)
        return Sum(True, WARNED if any(one.rule == rule.id for one in rest) else KEPT, act=act)
    if anchor is None or rule.unit not in ("D", "WD", "h", "Y", "prompt", "moment"):
        return Sum(True)
    try:
        bounds = window(book, calendar, rule.act, {rule.anchor: anchor}, method=method, category=category).bounds
    except Invalid:  # a year without a calendar, or a day where an hour is asked: nothing to reckon yet
        return Sum(True, anchor=anchor, act=act)
    bound = next((one for one in bounds if one.rule.id == rule.id), None)
    verdict = AHEAD
    if act is not None:
        findings = [
            one
            for one in check_timetable(
                book, calendar, {rule.anchor: anchor, rule.act: act}, method=method, category=category
            )
            if one.rule == rule.id
        ]
        worst = {one.severity for one in findings}
        verdict = BROKEN if "breach" in worst else WARNED if worst else KEPT
    elif bound is not None and bound.side == "latest":
        verdict = RUNNING if view.now < bound.at else AHEAD
    if bound is None:
        return Sum(True, verdict if act is not None else "", anchor=anchor, act=act)
    facts = bound.term.facts() if bound.term else None
    return Sum(True, verdict, anchor=anchor, act=act, side=bound.side, bound=bound.day, facts=facts)

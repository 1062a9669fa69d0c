"""Is this plan of dates lawful? Every breach at once, each with its rule, the earliest or latest lawful moment, and
the reason.

A timetable maps the names of moments (`issue_starts`, `bid_deadline`, `clarification_issued`, …) to Beijing days or
aware moments. Which moment is limited by which other is data: a rule with both its `anchor` and its `act` in the
timetable is applied, whatever it speaks of. Days are compared as days (rule N-08), hours as moments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from trading.kernel.calendar import BEIJING, Term, WorkingDayCalendar, day_start, local_day
from trading.kernel.errors import Fault, Invalid
from trading.rulebook.book import REGIMES, Rule, Rulebook, all_rules

BREACH, WARNING = "breach", "warning"
Moment = dt.date | dt.datetime
_ONE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Bound:
    """What one rule says of one moment: not before `day` (`side` "earliest") or not after it ("latest").

    `at` is the moment in UTC: the first lawful one of an earliest bound; of a latest bound the first that is late.
    """

    rule: Rule
    side: str
    day: dt.date
    at: dt.datetime
    term: Term | None


@dataclass(frozen=True)
class Finding:
    """One breach or warning. `field` is the moment to change; `facts` fill the words of `code` and are JSON-able."""

    rule: str
    severity: str
    code: str
    field: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Window:
    """From when and until when a moment may lie; None where no rule of the timetable binds it. `bounds` are all that
    were asked."""

    earliest: Bound | None
    latest: Bound | None
    bounds: tuple[Bound, ...]

    @property
    def possible(self) -> bool:
        return self.earliest is None or self.latest is None or self.earliest.at < self.latest.at


def check_timetable(
    book: Rulebook,
    calendar: WorkingDayCalendar,
    timetable: Mapping[str, Moment | None],
    *,
    method: str,
    category: str | None = None,
) -> list[Finding]:
    """All breaches and warnings of a plan, in the order of the rules; an empty list for a plan without either.

    Codes: timetable.too_early, timetable.too_late, timetable.not_together, timetable.hour_missing (a rule in hours, a
    day without one), calendar.year_unknown (breaches); timetable.exactly_minimum, timetable.rest_day,
    timetable.provisional (warnings). A moment no rule knows by name is a defect of the caller: ValueError.
    """
    planned = {name: moment for name, moment in timetable.items() if moment is not None}
    if unknown := sorted(planned.keys() - known_moments()):
        raise ValueError(f"no rule knows these moments: {', '.join(unknown)}")
    findings: list[Finding] = []
    for rule in book.rules:
        if (
            rule.act in planned
            and rule.applies(method, category)
            and (rule.anchor in planned or rule.kind == "WORKDAY")
        ):
            try:
                findings += _judge(rule, calendar, planned)
            except Invalid as refusal:
                facts = {name: str(fact) for name, fact in refusal.facts.items()}
                findings.append(Finding(rule.id, BREACH, refusal.code, rule.act, _words(rule) | facts))
    return findings


def breaches(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == BREACH]


def refuse_breaches(findings: Iterable[Finding]) -> None:
    """Refuses: Invalid timetable.breaches, one fault for each breach."""
    found = breaches(findings)
    if found:
        faults = [Fault(one.field, one.code, {"rule": one.rule} | one.facts) for one in found]
        raise Invalid("timetable.breaches", faults=faults, count=len(faults))


def window(
    book: Rulebook,
    calendar: WorkingDayCalendar,
    act: str,
    timetable: Mapping[str, Moment | None],
    *,
    method: str,
    category: str | None = None,
) -> Window:
    """Where the moment `act` may lie, given the others: what a form offers before anyone picks a date.

    A clarification already planned pushes the earliest deadline (T-05 read backwards). Refuses: Invalid
    calendar.year_unknown, timetable.hour_missing.
    """
    planned = {name: moment for name, moment in timetable.items() if moment is not None and name != act}
    bounds: list[Bound] = []
    for rule in book.rules:
        if not rule.applies(method, category) or rule.kind not in ("MIN", "MAX", "BEFORE", "NOT_EARLIER"):
            continue
        if rule.act == act and rule.anchor in planned:
            bound = _bound(rule, planned[rule.anchor], calendar)
            bounds += [bound] if bound else []
        elif rule.anchor == act and rule.act in planned and rule.kind == "BEFORE":
            bounds.append(_pushed(rule, planned[rule.act], calendar))
    earliest = max((one for one in bounds if one.side == "earliest"), key=lambda one: one.at, default=None)
    latest = min((one for one in bounds if one.side == "latest"), key=lambda one: one.at, default=None)
    return Window(earliest, latest, tuple(bounds))


@lru_cache(maxsize=1)
def known_moments() -> frozenset[str]:
    """The names a timetable may use: every moment some rule of either regime counts from or limits."""
    timed = ("D", "WD", "h", "Y", "prompt", "moment")
    rows = [rule for regime in REGIMES for rule in all_rules(regime) if rule.unit in timed]
    return frozenset(name for rule in rows for name in (rule.anchor, rule.act) if name)


# --- one rule ---------------------------------------------------------------------------------------------------------


def _day(moment: Moment) -> dt.date:
    return local_day(moment) if isinstance(moment, dt.datetime) else moment


def _shown(moment: Moment) -> str:
    return moment.astimezone(BEIJING).isoformat() if isinstance(moment, dt.datetime) else moment.isoformat()


def _words(rule: Rule) -> dict[str, Any]:
    """What every finding says of its rule."""
    return {
        "rule": rule.id,
        "what_en": rule.en,
        "what_zh": rule.zh,
        "length": rule.value,
        "unit": rule.unit,
        "source": rule.source,
        "anchor": rule.anchor,
    }


def _bound(rule: Rule, anchor: Moment, calendar: WorkingDayCalendar) -> Bound | None:
    """What the rule makes of its anchor; None where the law says promptly. Refuses: Invalid timetable.hour_missing."""
    side = "earliest" if rule.kind in ("MIN", "NOT_EARLIER") else "latest"
    if rule.unit == "h":
        if not isinstance(anchor, dt.datetime):
            raise Invalid("timetable.hour_missing", moment=rule.anchor)
        at = anchor.astimezone(dt.UTC) + dt.timedelta(hours=rule.whole) * (
            -1 if rule.kind in ("BEFORE", "NOT_EARLIER") else 1
        )
        return Bound(rule, side, local_day(at), at, None)
    term = rule.term(_day(anchor), calendar)
    if term is None:
        return None
    return Bound(rule, side, term.day, term.starts_at if side == "earliest" else term.ends_at, term)


def _pushed(rule: Rule, act: Moment, calendar: WorkingDayCalendar) -> Bound:
    """The earliest anchor that leaves `act` in time under a BEFORE rule."""
    if rule.unit == "h":
        if not isinstance(act, dt.datetime):
            raise Invalid("timetable.hour_missing", moment=rule.act)
        at = act.astimezone(dt.UTC) + dt.timedelta(hours=rule.whole)
        return Bound(rule, "earliest", local_day(at), at, None)
    if rule.unit == "WD":  # the n-th working day from the act on, itself included, must lie wholly before the anchor
        day = calendar.add_working_days(_day(act) - _ONE, rule.length) + _ONE
    else:
        day = calendar.term(_day(act), rule.length, rule.unit).day
    return Bound(rule, "earliest", day, day_start(day), None)


def _judge(rule: Rule, calendar: WorkingDayCalendar, planned: Mapping[str, Moment]) -> list[Finding]:
    act = planned[rule.act]
    words = _words(rule) | {"planned": _shown(act)}
    if rule.kind == "WORKDAY":
        kind = calendar.day_kind(_day(act))
        if kind.working:
            return []
        facts = {"why": kind.name or kind.why, "next_working_day": calendar.roll(kind.day).isoformat()}
        return [Finding(rule.id, WARNING, "timetable.rest_day", rule.act, words | facts)]
    anchor = planned[rule.anchor]
    words["anchor_at"] = _shown(anchor)
    if rule.kind == "SAME":
        return [] if _together(act, anchor) else [Finding(rule.id, BREACH, "timetable.not_together", rule.act, words)]
    bound = _bound(rule, anchor, calendar)
    if bound is None:
        return []
    return _compared(rule, act, bound, words, calendar)


def _compared(
    rule: Rule, act: Moment, bound: Bound, words: dict[str, Any], calendar: WorkingDayCalendar
) -> list[Finding]:
    words |= {bound.side: bound.day.isoformat(), f"{bound.side}_at": bound.at.isoformat()}
    if bound.term is not None:
        words |= {
            "calendar": bound.term.calendar,
            "rolled_from": bound.term.rolled_from and bound.term.rolled_from.isoformat(),
            "rolled_why": bound.term.rolled_why,
        }
    if rule.unit == "h":
        if not isinstance(act, dt.datetime):
            raise Invalid("timetable.hour_missing", moment=rule.act)
        early, late, exactly = act < bound.at, act > bound.at, act == bound.at
    else:
        early, late, exactly = _day(act) < bound.day, _day(act) > bound.day, _day(act) == bound.day
    findings = []
    if bound.side == "earliest" and early:
        findings.append(Finding(rule.id, BREACH, "timetable.too_early", rule.act, words))
    elif bound.side == "latest" and late:
        if rule.kind == "BEFORE":
            words["anchor_not_before"] = _pushed(rule, act, calendar).day.isoformat()
        findings.append(Finding(rule.id, BREACH, "timetable.too_late", rule.act, words))
    elif rule.warn_at_exact and exactly:
        full = {"full_days": rule.length - 1, "strict_day": (bound.day + _ONE).isoformat()}
        findings.append(Finding(rule.id, WARNING, "timetable.exactly_minimum", rule.act, words | full))
    if bound.term is not None and bound.term.provisional:
        findings.append(Finding(rule.id, WARNING, "timetable.provisional", rule.act, words))
    return findings


def _together(one: Moment, other: Moment) -> bool:
    """The same moment; where one is only a day, the same day."""
    if isinstance(one, dt.datetime) and isinstance(other, dt.datetime):
        return one == other
    return _day(one) == _day(other)

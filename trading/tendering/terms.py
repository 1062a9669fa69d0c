"""Periods of a lot: a rule of its rulebook snapshot, counted once with today's calendar, stored as a moment with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from trading.kernel.calendar import WorkingDayCalendar, local_day
from trading.kernel.errors import WrongStep
from trading.rulebook import Rulebook, calendars
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class Period:
    """``ends_at``: 24:00 of the last day (that instant is late); ``starts_at``: 00:00 of that day (the first lawful moment of a period
    to grant); ``reason``: rule, anchor, roll and calendar, JSON-able."""

    rule: str
    starts_at: datetime
    ends_at: datetime
    reason: dict[str, Any]


def book(lot: Lot) -> Rulebook:
    """The rulebook the lot was published under. Refuses: WrongStep before publication."""
    if lot.rules is None:
        raise WrongStep("lot.not_published", ref=lot.ref)
    return Rulebook.from_snapshot(lot.rules)


def period(
    session: Session, lot: Lot, rule: str, anchor: datetime, calendar: WorkingDayCalendar | None = None
) -> Period:
    """The period rule ``rule`` gives from the Beijing day of ``anchor``; ``calendar``: where it is read already.

    Refuses: NotFound (no such rule), Invalid (year unknown).
    """
    rule = str(rule)
    term = book(lot).term(rule, local_day(anchor), calendar or calendars.current(session))
    if term is None:
        return Period(rule, anchor, anchor, {"rule": rule, "promptly": True})
    return Period(rule, term.starts_at, term.ends_at, {"rule": rule, **term.facts()})


def period_after(session: Session, lot: Lot, rule: str, ended: datetime) -> Period:
    """The period rule ``rule`` gives from the end of another one. ``ended``: 24:00 of the last day of that one, the instant at which the
    next day begins; what follows is counted from the last day itself (GPReg art. 53).

    Refuses: as ``period``.
    """
    return period(session, lot, rule, ended - timedelta(microseconds=1))

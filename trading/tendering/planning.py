"""What the law says of a lot's plan: its rulebook, its timetable, the cap of its deposit, and whether a later act still comes in time.

Law of the noun: before publication the rules of the day, afterwards those the lot was published under; a correction that affects bids comes
early enough or the deadline moves first (rule T-05); a deadline moves only later.
"""

from __future__ import annotations

import datetime as dt
from datetime import datetime

from sqlalchemy.orm import Session

from trading import rulebook
from trading.kernel.access import Act
from trading.kernel.calendar import WorkingDayCalendar, day_start, local_day
from trading.kernel.clock import floor_minute
from trading.kernel.errors import Faults, TooLate, WrongStep
from trading.kernel.exact import Rounding
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork
from trading.procedures import procedure_of
from trading.rulebook import Finding, Rulebook, calendars
from trading.tendering.projects import Project, require_tie
from trading.tendering.tenders import Lot

_RULE_CATEGORY = {"CONSTRUCTION": "works_construction", "WORK_GOODS": "works_goods", "WORK_SERVICES": "survey_design"}


def rule_category(project: Project) -> str:
    """The project's category in the words of the rulebook's rows."""
    return _RULE_CATEGORY.get(project.kind, project.category)


def book_of(lot: Lot, now: datetime) -> Rulebook:
    """The lot's own rulebook: its snapshot once published, before that the rules of the day."""
    return Rulebook.from_snapshot(lot.rules) if lot.rules else rulebook.select(lot.regime, local_day(now))


def book_in_force(project: Project, now: datetime) -> Rulebook:
    """The rules of the day for a project that has no lot yet."""
    return rulebook.select(project.regime, local_day(now))


def timetable(lot: Lot, now: datetime, until: datetime | None = None) -> dict[str, dt.date | datetime | None]:
    """The lot's planned moments by the names of the rulebook."""
    issue = lot.issue_at if lot.issue_at is not None and (lot.published_at is not None or lot.issue_at > now) else now
    return {
        "intention_published": lot.project.intent_at if procedure_of(lot).intention is not None else None,
        "notice_published": lot.published_at or now,
        "notice_period_ends": until,
        "issue_starts": issue,
        "issue_ends": lot.deadline,
        "bid_deadline": lot.deadline,
        "opening": lot.opens_at,
    }


def plan_findings(session: Session, lot: Lot, now: datetime) -> list[Finding]:
    """Breaches and warnings of the planned dates, were the lot published now: for the page that plans them and for publication."""
    book, calendar = book_of(lot, now), calendars.current(session)
    return rulebook.check_timetable(
        book, calendar, timetable(lot, now), method=lot.project.method, category=rule_category(lot.project)
    )


def deposit_cap(project: Project, budget: Money, book: Rulebook) -> tuple[Money, str]:
    """(the highest lawful bid deposit, rule id): the share of the budget, cut to the fen, or the absolute cap (rules D-01, D-02)."""
    caps: list[tuple[Money, str]] = []
    for rule in book.about("bid_deposit", method=project.method, category=rule_category(project), kind="MAX"):
        if rule.unit == "rate":
            caps.append((budget.portion(rule.number, Rounding.DOWN), rule.id))
        elif rule.unit == "yuan" and budget.currency == "CNY":
            caps.append((Money.rounded(rule.number), rule.id))
    return min(caps, key=lambda cap: cap[0].minor) if caps else (budget, "D-01")


def check_deposit(faults: Faults, where: str, project: Project, budget: Money, deposit: Money, book: Rulebook) -> None:
    """Note a bid deposit above what the law allows (rules D-01, D-02) under ``where`` + ``deposit``."""
    cap, rule = deposit_cap(project, budget, book)
    if deposit > cap:
        faults.add(where + "deposit", "lot.deposit_over_cap", deposit=deposit.text(), cap=cap.text(), rule=rule)


def notice_until(lot: Lot, now: datetime, book: Rulebook, calendar: WorkingDayCalendar) -> datetime | None:
    """End of the notice period (rule T-01), None where the regime has none."""
    rules = book.about(
        "notice_period_ends", method=lot.project.method, category=rule_category(lot.project), anchor="notice_published"
    )
    terms = [term for rule in rules if (term := rule.term(local_day(now), calendar))]
    return max((term.ends_at for term in terms), default=None)


def check_early_enough(session: Session, lot: Lot, now: datetime) -> None:
    """A clarification or amendment that affects bids, issued now. Refuses: TooLate ``lot.clarification_late`` with the latest day it could
    have come, and ``extend_to``: the earliest deadline that would make it lawful (rule T-05)."""
    method, category = lot.project.method, rule_category(lot.project)
    book, calendar = book_of(lot, now), calendars.current(session)
    plan = {"bid_deadline": lot.deadline, "clarification_issued": now}
    found = [
        one
        for one in rulebook.breaches(rulebook.check_timetable(book, calendar, plan, method=method, category=category))
        if one.field == "clarification_issued"
    ]
    if found:
        offered = rulebook.window(
            book, calendar, "bid_deadline", {"clarification_issued": now}, method=method, category=category
        ).earliest
        assert lot.deadline is not None and offered is not None
        same_hour = offered.at + (lot.deadline - day_start(local_day(lot.deadline)))
        raise TooLate(
            "lot.clarification_late",
            rule=found[0].rule,
            latest=found[0].facts.get("latest"),
            deadline=lot.deadline,
            now=now,
            extend_to=same_hour,
        )


def require_open(work: UnitOfWork, lot: Lot, act: Act) -> None:
    """The locks of changing a published lot: act, tie, before the deadline. Refuses: NotAllowed, WrongStep, TooLate."""
    work.require(act)
    require_tie(work, lot.project)
    lock_open(work, lot)


def lock_open(work: UnitOfWork, lot: Lot) -> None:
    """The lot, locked, while it is open and its deadline has not come. Refuses: WrongStep, TooLate."""
    work.lock(lot)
    if lot.state not in ("NOTICE", "BIDDING"):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    if lot.deadline is None or work.now >= lot.deadline:
        raise TooLate("lot.deadline_past", deadline=lot.deadline, now=work.now)


def check_new_dates(work: UnitOfWork, lot: Lot, *, deadline: datetime, opens_at: datetime, reason: str = "-") -> None:
    """Whether the deadline may move to these moments. Refuses: Invalid (every field, ``form.required`` without a reason; rules of the book,
    each with its id)."""
    faults = Faults()
    if not reason.strip():
        faults.add("reason", "form.required")
    for where, moment in (("deadline", deadline), ("opens_at", opens_at)):
        if floor_minute(moment) != moment:
            faults.add(where, "lot.whole_minute", moment=moment)
    if lot.deadline is not None and deadline <= lot.deadline:
        faults.add("deadline", "lot.not_later", deadline=deadline, now=lot.deadline)
    if opens_at < deadline:
        faults.add("opens_at", "lot.opens_before_deadline", opens_at=opens_at, deadline=deadline)
    faults.refuse_if_any()
    plan = timetable(lot, work.now) | {"bid_deadline": deadline, "issue_ends": deadline, "opening": opens_at}
    found = rulebook.check_timetable(
        book_of(lot, work.now),
        calendars.current(work.session),
        plan,
        method=lot.project.method,
        category=rule_category(lot.project),
    )
    rulebook.refuse_breaches(found)

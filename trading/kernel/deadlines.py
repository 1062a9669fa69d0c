"""Time limits as the recompute command asks them: bare counting, without a lot or a clock.

The chains restate the lengths of the time-limit register (rules T-13 to T-34) so that a vector means the same for
ever; a live lot counts with its own snapshot of the rulebook instead, and a test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from trading.kernel import exact
from trading.kernel.calendar import WorkingDayCalendar, packaged_calendar
from trading.kernel.errors import Invalid
from trading.kernel.exact import BadValue, count, day, take, word

Params = Mapping[str, Any]


def _asked(count_days: Callable[[], dt.date], where: str) -> dt.date:
    """The answer of the calendar; what it does not know is an error of the vector."""
    try:
        return count_days()
    except Invalid as refusal:
        raise BadValue(refusal.code.replace(".", "_"), where, str(refusal)) from refusal


def _working_days(anchor: dt.date, n: int, where: str) -> dt.date:
    return _asked(lambda: packaged_calendar().add_working_days(anchor, n), where)


def _rolled(anchor: dt.date, n: int, where: str) -> dt.date:
    return _asked(lambda: packaged_calendar().days_rolled(anchor, n), where)


def _plain(anchor: dt.date, n: int, where: str) -> dt.date:
    return _asked(lambda: packaged_calendar().term(anchor, abs(n), "D", before=n < 0).day, where)


def _counted(inputs: Params, counting: Callable[[dt.date, int, str], dt.date]) -> list[dt.date]:
    results = []
    for place, case in enumerate(exact.cases(inputs)):
        where = f"cases[{place}]"
        results.append(counting(take(case, "anchor", day, where), take(case, "n", count(1), where), where))
    return results


def _answer(days: list[dt.date], calendar: WorkingDayCalendar | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"dates": [one.isoformat() for one in days]}
    if calendar is not None:
        answer["provisional"] = [calendar.is_provisional(one) for one in days]
    return answer


def workdays(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.workdays: the n-th working day after each anchor."""
    return _answer(_counted(inputs, _working_days), packaged_calendar())


def days_roll(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.days_roll: n calendar days after each anchor, a day of rest moving to the next working day."""
    return _answer(_counted(inputs, _rolled), packaged_calendar())


def days(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.days (rule N-08): n days after each anchor, without moving; `strict` one day more, for n full days
    between."""
    extra = 1 if take(params, "mode", word("literal", "strict"), default="literal") == "strict" else 0
    return _answer(_counted(inputs, lambda anchor, n, where: _plain(anchor, n + extra, where)))


def days_before(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.days_before (rule N-09): n days before each anchor, without moving."""
    return _answer(_counted(inputs, lambda anchor, n, where: _plain(anchor, -n, where)))


def prequalification(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.prequalification (rules T-07, T-07b): the earliest day on which applications may close."""
    earliest = []
    for place, case in enumerate(exact.cases(inputs)):
        where = f"cases[{place}]"
        if take(case, "regime", word("works", "gp"), where) == "works":
            earliest.append(_plain(take(case, "sale_end", day, where), 5, where))
        else:
            earliest.append(_working_days(take(case, "notice_date", day, where), 5, where))
    return {"earliest_submission": [one.isoformat() for one in earliest]}


def chain(params: Params, inputs: Params) -> dict[str, Any]:
    """deadline.chain: the limits that follow a result, in government procurement or in works."""
    regime = take(inputs, "regime", word("gp", "works"))
    found = {"gp": _gp_chain, "works": _works_chain}[regime](inputs)
    return {name: None if one is None else one.isoformat() for name, one in found.items()}


def _after(
    anchor: dt.date | None, n: int, counting: Callable[[dt.date, int, str], dt.date], name: str
) -> dt.date | None:
    return None if anchor is None else counting(anchor, n, name)


def _gp_chain(inputs: Params) -> dict[str, dt.date | None]:
    published = take(inputs, "result_notice_date", day)
    period = take(inputs, "notice_period_working_days", count(1), default=1)
    filed = take(inputs, "challenge_filed", day, default=None)
    replied = take(inputs, "reply_date", day, default=None)
    ends = _working_days(published, period, "notice_period_ends")
    reply_until = _after(filed, 7, _working_days, "reply_until")
    return {
        "notice_period_ends": ends,
        "challenge_until": _working_days(ends, 7, "challenge_until"),
        "reply_until": reply_until,
        "complaint_until_from_reply_term": _after(reply_until, 15, _working_days, "complaint_until_from_reply_term"),
        "complaint_until_from_reply": _after(replied, 15, _working_days, "complaint_until_from_reply"),
    }


_WORKS_CHAIN = (
    ("publish_candidates_by", "evaluation_report_received", 3),
    ("candidate_notice_ends", "candidate_notice_published", 3),
    ("objection_reply_by", "objection_filed", 3),
    ("contract_by", "award_notice_sent", 30),
    ("written_report_by", "winner_decided", 15),
    ("deposit_refund_by", "contract_signed", 5),
)
"""Output, the date it runs from, and its length in days with the roll."""


def _works_chain(inputs: Params) -> dict[str, dt.date | None]:
    take(inputs, "evaluation_report_received", day)
    return {name: _after(take(inputs, anchor, day, default=None), n, _rolled, name) for name, anchor, n in _WORKS_CHAIN}


METHODS: dict[str, exact.Answer] = {
    "deadline.workdays": workdays,
    "deadline.days_roll": days_roll,
    "deadline.days": days,
    "deadline.days_before": days_before,
    "deadline.prequalification": prequalification,
    "deadline.chain": chain,
}

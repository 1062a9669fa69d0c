"""What a refund comes to, sum by sum: principal, interest for the time it was held, what a late refund costs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from deposits.refunds import interest, rules
from deposits.refunds.refunds import Refund
from deposits.refunds.rules import Segment
from trading.kernel.calendar import local_day
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.tendering import terms


@dataclass(frozen=True)
class Reckoning:
    """``segments``: the time it was held, cut at each change of rate, where it earns interest (``earns``). ``has_fee``: the rulebook of the
    lot names a fee for a late refund; ``overdue``: days late."""

    principal: Money
    converted: Money
    earns: bool
    earned: Money
    segments: tuple[Segment, ...]
    fee: Money
    has_fee: bool
    overdue: int


def reckoning(view: View, row: Refund) -> Reckoning | None:
    """For the value day of its batch, else for today; None for money of nobody known. What was prepared or sent stands as it was."""
    if row.demand is None:
        return None
    day = row.batch.value_on if row.batch is not None else local_day(view.now)
    principal, book, since = Money(row.principal_minor), terms.book(row.demand.lot), local_day(row.receipt.at)
    earned, fee = Money(row.interest_minor), Money(row.fee_minor)
    if row.batch is None and row.bank_key is None:
        fee = interest.late_fee(book, principal, row.due_on, day)
        earned = interest.earned(book, principal, since, day) if row.with_interest else Money(0)
    return Reckoning(
        principal,
        Money(row.converted_minor),
        row.with_interest,
        earned,
        _segments(since, day) if row.with_interest else (),
        fee,
        book.find("D-52") is not None,
        rules.overdue_days(row.due_on, day),
    )


def _segments(since: dt.date, day: dt.date) -> tuple[Segment, ...]:
    return tuple(rules.segments(since, day, interest.rates(interest.DEMAND)))

"""Rates of interest as dated data, and what a deposit earns by them (rules D-50 to D-53): pure.

The rates stand in rates.toml with their source; an agreement of the centre with its own bank is a change to that file.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from fractions import Fraction
from functools import lru_cache
from importlib import resources

from deposits.refunds import rules
from trading.kernel.exact import exact
from trading.kernel.money import Money
from trading.rulebook import Rulebook

DEMAND, LOAN = "demand", "loan"


@lru_cache(maxsize=4)
def rates(kind: str) -> dict[dt.date, Fraction]:
    """First day in force → annual rate. ``kind``: ``demand`` (活期存款), ``loan`` (贷款基准利率, up to one year)."""
    table = tomllib.loads(resources.files("deposits").joinpath("rates.toml").read_text(encoding="utf-8"))[kind]
    return {row["since"]: exact(row["annual"]) for row in table}


def rate_on(kind: str, day: dt.date) -> Fraction:
    """The rate in force on a day; before the first known one, the first known."""
    known = rates(kind)
    return known[max((since for since in known if since <= day), default=min(known))]


def earned(book: Rulebook, principal: Money, since: dt.date, until: dt.date) -> Money:
    """Bank interest on demand deposit from value date to refund date, cut at each change of rate, rounded once (D-53).

    Refuses: Invalid interest.dates_reversed, interest.rate_missing (before the first known rate).
    """
    return rules.interest(principal, rules.segments(since, until, rates(DEMAND)), book.rule("D-53").whole)


def late_fee(book: Rulebook, principal: Money, due: dt.date, paid: dt.date) -> Money:
    """What a late refund costs where the law names a fee (D-52, GP); nothing elsewhere, and nothing in time."""
    late = rules.overdue_days(due, paid)
    if not late or book.find("D-52") is None:
        return Money.zero(principal.currency)
    return rules.late_fee(book, principal, rate_on(LOAN, due), late, book.rule("D-53").whole)

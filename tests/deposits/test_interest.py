"""What money in hand earns and what a late refund costs, by the dated rates: worked by hand, and at each edge of a rate."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from fractions import Fraction

import pytest

from deposits.refunds import interest
from deposits.refunds.interest import DEMAND, LOAN, rate_on
from trading.kernel.errors import Invalid
from trading.kernel.money import Money
from trading.rulebook import Rulebook, select

DAY = dt.date.fromisoformat
GP, WORKS = select("GP", DAY("2026-03-02")), select("WORKS", DAY("2026-03-02"))
MILLION = Money.exactly("1000000")


@pytest.mark.parametrize(
    ("kind", "day", "rate"),
    [
        (DEMAND, "2015-10-23", "0.0030"),  # before the first known rate: that
        (DEMAND, "2015-10-24", "0.0030"),
        (DEMAND, "2022-09-14", "0.0030"),
        (DEMAND, "2022-09-15", "0.0025"),
        (DEMAND, "2025-05-19", "0.0010"),
        (DEMAND, "2025-05-20", "0.0005"),
        (DEMAND, "2030-01-01", "0.0005"),
        (LOAN, "2000-01-01", "0.0435"),
        (LOAN, "2026-01-01", "0.0435"),
    ],
)
def test_the_rate_of_a_day(kind: str, day: str, rate: str) -> None:
    assert rate_on(kind, DAY(day)) == Fraction(rate)


def test_each_rate_stands_from_its_first_day() -> None:
    assert list(interest.rates(DEMAND)) == sorted(interest.rates(DEMAND)) and len(interest.rates(DEMAND)) == 6
    assert interest.rates(LOAN) == {DAY("2015-10-24"): Fraction(435, 10_000)}


def test_interest_is_cut_where_the_rate_changes_and_rounded_once() -> None:
    # 14 days at 0.10 %, 30 at 0.05 %, of 360: 38.888… + 41.666… = 80.555…
    assert interest.earned(GP, MILLION, DAY("2025-05-06"), DAY("2025-06-19")) == Money.exactly("80.56")
    assert interest.earned(WORKS, MILLION, DAY("2025-05-06"), DAY("2025-06-19")) == Money.exactly("80.56")
    assert interest.earned(GP, MILLION, DAY("2025-06-19"), DAY("2025-06-19")) == Money(0)
    with pytest.raises(Invalid, match="dates_reversed"):
        interest.earned(GP, MILLION, DAY("2025-06-19"), DAY("2025-06-18"))
    with pytest.raises(Invalid, match="rate_missing"):
        interest.earned(GP, MILLION, DAY("2015-10-23"), DAY("2025-06-18"))


def test_a_late_refund_costs_in_government_procurement_alone() -> None:
    # 4.35 % and a fifth more, 10 days of 360: 1450.00
    due = DAY("2026-06-05")
    assert interest.late_fee(GP, MILLION, due, DAY("2026-06-15")) == Money.exactly("1450.00")
    assert interest.late_fee(GP, MILLION, due, DAY("2026-06-06")) == Money.exactly("145.00")
    assert interest.late_fee(GP, MILLION, due, due) == Money(0)
    assert interest.late_fee(WORKS, MILLION, due, DAY("2026-06-15")) == Money(0)
    dollars = Money.exactly("1000000", "USD")
    assert interest.late_fee(WORKS, dollars, due, DAY("2026-06-15")) == Money.zero("USD")
    assert interest.late_fee(GP, dollars, due, DAY("2026-06-15")) == Money.exactly("1450.00", "USD")


def test_a_year_has_as_many_days_as_the_rulebook_says() -> None:
    book = Rulebook("GP", GP.on, [replace(rule, value="365") if rule.id == "D-53" else rule for rule in GP.rules])
    # 80.555… × 360 ÷ 365 and 1450 × 360 ÷ 365
    assert interest.earned(book, MILLION, DAY("2025-05-06"), DAY("2025-06-19")) == Money.exactly("79.45")
    assert interest.late_fee(book, MILLION, DAY("2026-06-05"), DAY("2026-06-15")) == Money.exactly("1430.14")

"""The counting rules ST-01 to ST-11: worked examples of the rulebook, cases at their edges, and laws."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.errors import Invalid
from trading.reports.savings import Row, Savings, distribution, own_rows, rate_pct, reckon


def row(ident: str, budget: int | None, award: int | None, **more: object) -> Row:
    return Row(ident, budget, award, **more)  # type: ignore[arg-type]


def rate(report: Savings) -> str | None:
    return rate_pct(report.budget, report.award)


def test_rate_of_sums_and_never_the_mean_of_rates() -> None:
    """Rulebook §6.3, SV-03."""
    report = reckon(
        [row("P1", 100_000_000, 90_000_000), row("P2", 5_000_000, 2_500_000), row("P3", 300_000_000, 294_000_000)]
    )
    assert (report.budget, report.award, rate(report)) == (405_000_000, 386_500_000, "4.57")


@pytest.mark.parametrize(
    ("budget", "award", "expected"),
    [
        (22795745, 20546049, "9.87"),
        (9715616, 8129842, "16.32"),
        (713674, 684602, "4.07"),
        (1189, 1011, "14.97"),
        (2065752, 1839101, "10.97"),
        (3018, 2946, "2.39"),
        (301770000000, 294648000000, "2.36"),
        (20000, 20001, "-0.01"),
        (40000, 39999, "0.00"),
        (0, 5, None),
    ],
)
def test_published_figures_recomputed(budget: int, award: int, expected: str | None) -> None:
    """Rulebook §6.3 SV-04, §6.4; halves go away from zero on both sides."""
    assert rate_pct(budget, award) == expected


def six_rows() -> list[Row]:
    """Rulebook §6.3, SV-05."""
    return [
        row("K1", 1_000_000, 950_000),
        row("K2", 500_000, None, status="failed"),
        row("K3", 800_000, 800_000),
        row("K4", 600_000, None, price_form="unit_price", discount_pct=Decimal(12)),
        row("K5", 2_000_000, 2_000_000, price_form="framework_ceiling"),
        row("K6", 900_000, 930_000),
    ]


def test_what_enters_the_rate() -> None:
    report = reckon(six_rows(), places=0)
    assert (report.transactions, report.in_rate, report.budget, report.award) == (5, 3, 2_700_000, 2_680_000)
    assert rate(report) == "0.74"
    assert rate_pct(*report.without_negative) == "2.78"
    assert rate_pct(*report.only_positive) == "5.00"
    assert report.negative_rows == ("K6",)
    assert report.excluded == (("K2", "failed"), ("K4", "price_form"), ("K5", "price_form"))
    assert (report.failed, report.terminated, report.mean_discount_pct) == (1, 0, "12.00")


def test_zero_and_missing_values_are_counted_and_listed() -> None:
    """Rule ST-06; an open procedure is no transaction."""
    report = reckon(
        [row("a", 0, 5), row("b", None, 5), row("c", 5, 0), row("d", 5, None), row("e", 5, None, status="pending")]
    )
    assert report.excluded == (
        ("a", "no_budget"),
        ("b", "no_budget"),
        ("c", "no_award"),
        ("d", "no_award"),
        ("e", "no_award"),
    )
    assert (report.transactions, report.in_rate, rate(report)) == (4, 0, None)


def test_a_corrected_result_replaces_the_earlier_one_wherever_it_stands() -> None:
    """Rule ST-09."""
    first, second = row("s", 100, 90, date=date(2018, 3, 1)), row("s", 100, 80, date=date(2018, 4, 1))
    for rows in ([first, second], [second, first]):
        report = reckon(rows)
        assert (report.transactions, report.award, report.excluded) == (1, 80, (("s", "superseded"),))
    assert reckon([row("s", 100, 90), row("s", 100, 70)]).award == 70  # no days: the later line
    march = reckon([first, second], until=date(2018, 3, 31))
    assert (march.transactions, march.excluded) == (0, (("s", "superseded"),))


def test_a_failed_round_stays_counted_beside_its_later_award() -> None:
    """Rules ST-03, SV-07: a later award counts once."""
    report = reckon(
        [row("s", 100, None, status="failed", date=date(2018, 1, 1)), row("s", 100, 90, date=date(2018, 5, 1))]
    )
    assert (report.transactions, report.failed, report.budget, report.excluded) == (1, 1, 100, (("s", "failed"),))
    undone = reckon(
        [row("s", 100, 90, date=date(2018, 1, 1)), row("s", 100, None, status="failed", date=date(2018, 5, 1))]
    )
    assert (undone.transactions, undone.failed, undone.excluded) == (0, 1, (("s", "superseded"), ("s", "failed")))


def test_far_awards_stay_in_and_are_named() -> None:
    """More than ten times, or less than a tenth; the edges themselves are not far."""
    report = reckon([row("ten", 10, 100), row("over", 10, 101), row("tenth", 100, 10), row("under", 100, 9)])
    assert [one.id for one in report.exceptions] == ["over", "under"]
    assert (report.in_rate, report.budget, report.award) == (4, 220, 220)


def test_one_currency_is_reckoned_and_the_others_are_named() -> None:
    rows = [row("a", 10, 9, currency="USD"), row("b", 10, 8), row("c", 10, 8), row("d", 10, 8, currency=None)]
    report = reckon(rows)
    assert (report.currency, report.in_rate, report.transactions) == ("CNY", 2, 4)
    assert report.excluded == (("a", "other_currency"), ("d", "other_currency"))
    assert (reckon(rows, currency="USD").budget, reckon([rows[0]]).currency, reckon([]).currency) == (10, "USD", "CNY")


def test_period_is_by_the_day_of_the_result_both_ends_included() -> None:
    """Rule ST-02. A row without a day belongs to no period, and says so."""
    rows = [row(str(day), 10, 9, date=date(2018, 1, day)) for day in range(1, 6)] + [row("x", 10, 9)]
    report = reckon(rows, since=date(2018, 1, 2), until=date(2018, 1, 4))
    assert (report.in_rate, report.excluded) == (3, (("x", "no_date"),))
    assert reckon(rows).in_rate == 6


def test_groups_cross_the_dimensions_in_a_fixed_order() -> None:
    rows = [
        row("a", 10, 9, regime="WORKS", date=date(2018, 2, 1)),
        row("b", 10, 8, regime="GP", date=date(2018, 2, 3)),
        row("c", 10, 7, regime="GP", date=date(2017, 12, 3)),
        row("d", 10, None, regime="GP", price_form="fee_rate"),
        row("e", 10, None, status="failed", regime="LOST"),
    ]
    groups = reckon(rows, by=["regime", "month"]).groups
    assert [(group.by, group.transactions, group.budget, group.award) for group in groups] == [
        (("GP", "2017-12"), 1, 10, 7),
        (("GP", "2018-02"), 1, 10, 8),
        (("GP", None), 1, 0, 0),
        (("WORKS", "2018-02"), 1, 10, 9),
    ]
    assert [group.by for group in reckon(rows, by=["year"]).groups] == [("2017",), ("2018",), (None,)]
    with pytest.raises(Invalid, match=r"savings.unknown_dimension"):
        reckon(rows, by=["colour"])


def test_projects_are_counted_beside_lots() -> None:
    """Rule ST-01."""
    report = reckon(
        [
            row("1", 9, 8, project="P"),
            row("2", 9, 8, project="P"),
            row("3", 9, 8),
            row("4", 9, None, status="failed", project="Q"),
        ]
    )
    assert (report.transactions, report.projects) == (3, 2)


def test_own_records_are_rows() -> None:
    [one] = own_rows([{"id": "L", "budget": 5, "award": 4, "regime": "GP", "unknown": 1}])
    assert (one.id, one.budget, one.award, one.regime, one.status, one.currency) == ("L", 5, 4, "GP", "awarded", "CNY")


amounts = st.none() | st.integers(0, 10**16)
some_rows = st.lists(
    st.builds(
        Row,
        id=st.uuids().map(str),
        budget=amounts,
        award=amounts,
        status=st.sampled_from(["awarded", "awarded", "failed", "terminated", "pending"]),
        price_form=st.sampled_from(["total", "total", "unit_price"]),
        regime=st.sampled_from(["GP", "WORKS", None]),
        currency=st.sampled_from(["CNY", "CNY", "USD"]),
        discount_pct=st.none() | st.decimals(0, 100, places=2),
        date=st.none() | st.dates(date(2018, 1, 1), date(2019, 12, 31)),
    ),
    max_size=30,
)


@given(some_rows, st.randoms())
def test_law_order_of_rows_does_not_matter(rows: list[Row], random: object) -> None:
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = (
        reckon(rows, by=["regime", "year"], currency="CNY"),
        reckon(mixed, by=["regime", "year"], currency="CNY"),
    )
    assert (one.budget, one.award, one.groups, one.transactions, one.failed) == (
        other.budget,
        other.award,
        other.groups,
        other.transactions,
        other.failed,
    )
    assert sorted(one.excluded) == sorted(other.excluded)


@given(some_rows, st.sampled_from([("regime",), ("month",), ("regime", "year", "price_form")]))
def test_law_groups_add_up_and_no_row_is_lost(rows: list[Row], by: tuple[str, ...]) -> None:
    report = reckon(rows, by=by)
    assert sum(group.budget for group in report.groups) == report.budget
    assert sum(group.award for group in report.groups) == report.award
    assert sum(group.transactions for group in report.groups) == report.transactions
    assert report.in_rate + len(report.excluded) == len(rows)
    assert len(report.negative_rows) == sum(
        1
        for one in rows
        if one.id in set(report.negative_rows)
        and one.award is not None
        and one.budget is not None
        and one.award > one.budget
    )
    kept, whole = rate_pct(*report.without_negative), rate(report)
    if kept is not None and whole is not None:
        assert Decimal(kept) >= Decimal(whole)


@given(st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**12)), min_size=1, max_size=40))
def test_law_distribution_agrees_with_fractions(pairs: list[tuple[int, int]]) -> None:
    spread = distribution(pairs)
    rates = [Fraction((budget - award) * 100, budget) for budget, award in pairs]
    assert spread is not None
    assert abs(Fraction(spread.median_pct) - Fraction(median(rates))) <= Fraction(1, 200)
    assert abs(Fraction(spread.mean_of_rates_pct) - sum(rates, Fraction()) / len(rates)) <= Fraction(1, 200) + Fraction(
        1, 10**9
    )
    for low, high, lots in spread.bins:
        assert lots == sum((low is None or one >= low) and (high is None or one < high) for one in rates)
    assert distribution([]) is None

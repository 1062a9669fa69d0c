"""Deposit rules: the worked vectors, the edges of caps and dates, and that vectors and live rules calculate alike."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deposits.refunds import rules
from deposits.refunds.rules import METHODS, Segment
from tests.trading.vectors import agree, vectors
from trading.kernel.calendar import packaged_calendar
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.exact import BadValue
from trading.kernel.money import Money
from trading.rulebook import Rulebook, select

DAY = dt.date.fromisoformat
GP, WORKS = select("GP", DAY("2026-03-02")), select("WORKS", DAY("2026-03-02"))
CALENDAR = packaged_calendar()
prices = st.integers(1, 10**13)
amounts = st.integers(0, 10**13)
rates = st.integers(0, 9999).map(lambda n: Fraction(n, 100_000))
moments = st.dates(DAY("2018-01-01"), DAY("2027-06-30"))


def ask(method: str, inputs: dict[str, Any], **params: Any) -> dict[str, Any]:
    return METHODS["deposit." + method](params, inputs)


@pytest.mark.parametrize("vector", vectors("deposit"))
def test_vectors(vector: dict[str, Any]) -> None:
    assert agree(METHODS[vector["method"]](vector.get("params") or {}, vector["inputs"]), vector["expected"])


# --- caps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "base", "cap"),
    [
        ("works_construction", "40000000", "800000.00"),
        ("works_construction", "39999999.99", "799999.99"),
        ("works_goods", "40000000.01", "800000.00"),
        ("survey_design", "5000000", "100000.00"),
        ("survey_design", "4999999.99", "99999.99"),
        (None, "50000000", "1000000.00"),
    ],
)
def test_the_absolute_cap_sets_in_exactly(category: str | None, base: str, cap: str) -> None:
    assert rules.bid_deposit_cap(WORKS, Money.exactly(base), category).text() == cap


def test_government_procurement_has_no_absolute_cap() -> None:
    assert rules.bid_deposit_cap(GP, Money.exactly("1000000000")).text() == "20000000.00"


def test_a_deposit_above_the_cap_is_refused_and_one_at_the_cap_is_not() -> None:
    base = Money.exactly("333333.33")
    rules.refuse_above_cap(GP, Money.exactly("6666.66"), base)
    with pytest.raises(Invalid) as refusal:
        rules.refuse_above_cap(GP, Money.exactly("6666.67"), base)
    assert refusal.value.code == "deposit.above_cap" and refusal.value.facts["cap"] == Money(666666)


@given(prices)
def test_caps_are_cut_and_never_above_the_share(minor: int) -> None:
    base = Money(minor)
    cap = rules.bid_deposit_cap(GP, base)
    assert cap.fraction <= base.fraction / 50 < cap.fraction + Fraction(1, 100)
    assert ask("bid_cap", {"cases": [{"regime": "gp", "base": base.text()}]}) == {"caps": [cap.text()]}
    for category in ("works_construction", "works_goods", "survey_design"):
        answer = ask("bid_cap", {"cases": [{"regime": category, "base": base.text()}]})["caps"][0]
        assert answer == rules.bid_deposit_cap(WORKS, base, category).text()
    assert (
        ask("performance_cap", {"contract_price": base.text()})["cap"] == rules.performance_deposit_cap(GP, base).text()
    )


def test_caps_of_amounts_finer_than_a_fen_are_cut_once() -> None:
    assert ask("bid_cap", {"cases": [{"regime": "gp", "base": "0.4999"}]}) == {"caps": ["0.00"]}
    assert ask("performance_cap", {"contract_price": "0.0999"}) == {"cap": "0.00"}
    assert ask("bid_cap", {"cases": []}) == {"caps": []}


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"regime": "works", "base": "1"},
        {"regime": "gp"},
        {"regime": "gp", "base": "0"},
        {"regime": "gp", "base": "-1"},
        {"regime": "gp", "base": 1.5},
        {"regime": "gp", "base": "1,000"},
        {"regime": "gp", "base": True},
    ],
)
def test_a_bad_cap_case_is_an_error(case: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        ask("bid_cap", {"cases": [case]})


# --- when money goes back ---------------------------------------------------------------------------------------------


def test_a_live_refund_names_rule_and_reason() -> None:
    due = rules.refund_due(WORKS, "contract_signed_all", DAY("2026-05-29"), CALENDAR)
    assert (due.rule.id, due.rule.also, due.day, due.interest) == ("T-34", "D-22", DAY("2026-06-03"), True)
    due = rules.refund_due(GP, "award_notice_sent_losers", DAY("2026-04-29"), CALENDAR)
    assert (due.rule.id, due.day, due.interest) == ("T-31", DAY("2026-05-09"), False)
    assert rules.refund_due(WORKS, "tender_terminated", DAY("2026-05-29"), CALENDAR).day is None
    assert rules.refund_due(GP, "tender_failed", DAY("2026-09-29"), CALENDAR).day == DAY("2026-10-12")
    withdrawn = rules.refund_due(WORKS, "withdrawn_before_deadline", DAY("2026-02-12"), CALENDAR)
    assert withdrawn.term and withdrawn.term.rolled_from == DAY("2026-02-17")
    with pytest.raises(Invalid, match=r"deposit\.event_unknown"):
        rules.refund_due(WORKS, "award_notice_sent_losers", DAY("2026-04-29"), CALENDAR)


@pytest.mark.parametrize(
    "case",
    [
        {"regime": "works", "event": "contract_signed_winner", "date": "2026-05-29"},
        {"regime": "gp", "event": "contract_signed_all", "date": "2026-05-29"},
        {"regime": "gp", "event": "tender_failed", "date": "2026-05-29"},
        {"regime": "gp", "event": "left_before_final_quote", "date": "2026-05-29"},
        {"regime": "GP", "event": "tender_terminated", "date": "2026-05-29"},
        {"regime": "gp", "event": "tender_terminated"},
        {"regime": "works", "event": "tender_terminated"},
        {"regime": "gp", "event": "tender_terminated", "date": "2027-12-30"},
        {"regime": "gp", "event": "tender_terminated", "date": "2016-05-29"},
        {"regime": "gp", "date": "2026-05-29"},
    ],
)
def test_a_pair_that_is_not_listed_is_an_error(case: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        ask("refund_due", {"cases": [case]})


def test_promptly_asks_no_calendar() -> None:
    assert ask("refund_due", {"cases": [{"regime": "works", "event": "tender_terminated", "date": "1999-05-29"}]}) == {
        "due": [None]
    }


@given(moments)
def test_every_listed_refund_is_due_on_a_working_day_after_the_event(day: dt.date) -> None:
    for book, events in (
        (GP, ("withdrawn_before_deadline", "award_notice_sent_losers", "contract_signed_winner", "tender_terminated")),
        (WORKS, ("withdrawn_before_deadline", "contract_signed_all")),
    ):
        for event in events:
            due = rules.refund_due(book, event, day, CALENDAR)
            assert due.day and due.day > day + dt.timedelta(days=4) and CALENDAR.is_working_day(due.day)
            assert ask(
                "refund_due", {"cases": [{"regime": book.regime.lower(), "event": event, "date": day.isoformat()}]}
            ) == {"due": [due.day.isoformat()]}


def test_days_overdue_begin_after_the_last_day() -> None:
    assert [
        rules.overdue_days(DAY("2026-06-05"), DAY(paid))
        for paid in ("2026-06-01", "2026-06-05", "2026-06-06", "2026-06-15")
    ] == [0, 0, 1, 10]


# --- interest ---------------------------------------------------------------------------------------------------------


def test_the_time_is_cut_at_each_change_of_rate() -> None:
    cut = rules.segments(
        DAY("2025-05-06"), DAY("2025-06-19"), {DAY("2022-01-01"): "0.0010", DAY("2025-05-20"): "0.0005"}
    )
    assert [(one.since, one.until, one.days, one.annual_rate) for one in cut] == [
        (DAY("2025-05-06"), DAY("2025-05-20"), 14, Fraction(1, 1000)),
        (DAY("2025-05-20"), DAY("2025-06-19"), 30, Fraction(5, 10000)),
    ]
    assert rules.interest(Money.exactly("200000"), cut).text() == "16.11"
    with pytest.raises(Invalid, match=r"interest\.rate_missing"):
        rules.segments(DAY("2021-12-31"), DAY("2025-06-19"), {DAY("2022-01-01"): "0.0010"})
    with pytest.raises(Invalid, match=r"interest\.dates_reversed"):
        rules.segments(DAY("2025-06-20"), DAY("2025-06-19"), {DAY("2022-01-01"): "0.0010"})


def test_segments_must_adjoin() -> None:
    gap = [
        Segment(DAY("2025-05-06"), DAY("2025-05-20"), Fraction(1, 1000)),
        Segment(DAY("2025-05-21"), DAY("2025-06-19"), Fraction(1, 1000)),
    ]
    with pytest.raises(Invalid, match=r"interest\.gap"):
        rules.interest(Money(1), gap)
    with pytest.raises(Invalid, match=r"interest\.dates_reversed"):
        rules.interest(Money(1), [Segment(DAY("2025-05-06"), DAY("2025-05-05"), Fraction(1, 1000))])


@given(amounts, moments, st.integers(0, 500), st.dictionaries(moments, rates, max_size=4), rates)
def test_cutting_at_an_unchanged_rate_changes_nothing_and_vectors_agree(
    minor: int, since: dt.date, days: int, later: dict[dt.date, Fraction], first: Fraction
) -> None:
    until = since + dt.timedelta(days=days)
    principal = Money(minor)
    table = {DAY("2018-01-01"): first} | later
    cut = rules.segments(since, until, table)
    assert sum(one.days for one in cut) == days and (cut[0].since, cut[-1].until) == (since, until)
    same = rules.segments(since, until, dict.fromkeys(table, first))
    assert rules.interest(principal, same) == rules.interest(principal, [Segment(since, until, first)])
    written = [
        {"from": one.since.isoformat(), "to": one.until.isoformat(), "annual_rate": f"{float(one.annual_rate):.5f}"}
        for one in cut
    ]
    answer = ask("demand_interest_segments", {"principal": principal.text(), "segments": written})
    assert answer == {"days": [one.days for one in cut], "interest": rules.interest(principal, cut).text()}


@given(amounts, moments, st.integers(0, 500))
def test_interest_does_not_fall_with_money_or_time(minor: int, since: dt.date, days: int) -> None:
    rate = Fraction(5, 10000)
    now = rules.interest(Money(minor), [Segment(since, since + dt.timedelta(days=days), rate)])
    more = rules.interest(Money(minor + 100), [Segment(since, since + dt.timedelta(days=days + 1), rate)])
    assert more >= now >= Money(0)
    by_365 = rules.interest(Money(minor), [Segment(since, since + dt.timedelta(days=days), rate)], 365)
    assert by_365 <= now


def test_interest_edges() -> None:
    inputs = {
        "principal": "800000.00",
        "annual_rate": "0.0005",
        "value_date": "2026-01-12",
        "refund_date": "2026-01-12",
    }
    assert ask("demand_interest", inputs) == {"days": 0, "interest": "0.00"}
    assert ask("demand_interest", inputs | {"refund_date": "2026-02-26"}, basis="365")["interest"] == "49.32"
    assert (
        ask(
            "demand_interest",
            {"principal": "1", "annual_rate": "0.36", "value_date": "2026-01-01", "refund_date": "2026-01-06"},
        )["interest"]
        == "0.01"
    )


@pytest.mark.parametrize(
    ("change", "params"),
    [
        ({"refund_date": "2026-01-11"}, {}),
        ({"annual_rate": "1"}, {}),
        ({"annual_rate": "-0.1"}, {}),
        ({"principal": "-1"}, {}),
        ({"principal": None}, {}),
        ({}, {"basis": "366"}),
        ({}, {"basis": 360}),
        ({"value_date": "2026-01-32"}, {}),
    ],
)
def test_bad_interest_inputs_are_errors(change: dict[str, Any], params: dict[str, Any]) -> None:
    inputs = {
        "principal": "1",
        "annual_rate": "0.0005",
        "value_date": "2026-01-12",
        "refund_date": "2026-01-13",
    } | change
    with pytest.raises(BadValue):
        ask("demand_interest", inputs, **params)


@pytest.mark.parametrize(
    "segments",
    [
        [],
        None,
        [{"from": "2026-01-02", "to": "2026-01-01", "annual_rate": "0"}],
        [{"from": "2026-01-02", "to": "2026-01-03"}],
        [
            {"from": "2026-01-02", "to": "2026-01-03", "annual_rate": "0"},
            {"from": "2026-01-04", "to": "2026-01-05", "annual_rate": "0"},
        ],
        [
            {"from": "2026-01-02", "to": "2026-01-03", "annual_rate": "0"},
            {"from": "2026-01-02", "to": "2026-01-05", "annual_rate": "0"},
        ],
    ],
)
def test_bad_segments_are_errors(segments: Any) -> None:
    with pytest.raises(BadValue):
        ask("demand_interest_segments", {"principal": "1", "segments": segments})


def test_the_late_fee_is_one_of_government_procurement() -> None:
    assert rules.late_fee(GP, Money.exactly("200000"), "0.0435", 10).text() == "290.00"
    with pytest.raises(NotFound):
        rules.late_fee(WORKS, Money.exactly("200000"), "0.0435", 10)
    assert ask("late_fee", {"principal": "200000", "base_loan_rate": "0.04351", "overdue_days": 0}) == {
        "effective_rate": "0.052212",
        "fee": "0.00",
    }
    for bad in ({"overdue_days": -1}, {"overdue_days": "1"}, {"base_loan_rate": "1"}):
        with pytest.raises(BadValue):
            ask("late_fee", {"principal": "1", "base_loan_rate": "0.04", "overdue_days": 1} | bad)


# --- conversion, reconciliation ---------------------------------------------------------------------------------------


@given(amounts, prices, st.integers(0, 1000).map(lambda n: Fraction(n, 10_000)))
def test_a_conversion_loses_no_fen(deposit: int, contract: int, share: Fraction) -> None:
    found = rules.convert(GP, Money(deposit), Money(contract), share)
    assert Money(deposit) + found.top_up == found.performance_required + found.refund
    assert found.top_up.is_zero or found.refund.is_zero
    answer = ask(
        "convert",
        {
            "bid_deposit": Money(deposit).text(),
            "contract_price": Money(contract).text(),
            "performance_rate": f"{float(share):.4f}",
        },
    )
    assert answer == {
        "performance_required": found.performance_required.text(),
        "top_up": found.top_up.text(),
        "refund": found.refund.text(),
    }


def test_a_performance_deposit_above_the_cap_is_refused() -> None:
    assert rules.convert(GP, Money(0), Money(10000), "0.10").top_up == Money(1000)
    with pytest.raises(Invalid, match=r"deposit\.performance_above_cap"):
        rules.convert(GP, Money(0), Money(10000), "0.1001")
    for bad in ("0.1000001", "-0.01", "10%"):
        with pytest.raises(BadValue):
            ask("convert", {"bid_deposit": "1", "contract_price": "1", "performance_rate": bad})


def test_reconciliation_balances_only_at_exactly_nothing() -> None:
    inputs = {
        "opening": "-1.00",
        "entries": [{"t": "in", "amt": "2.00"}, {"t": "refund", "amt": "1.00"}],
        "bank_balance": "0.00",
    }
    assert ask("reconciliation", inputs) == {"ledger_balance": "0.00", "difference": "0.00", "balanced": True}
    assert ask("reconciliation", inputs | {"bank_balance": "0.001"}) == {
        "ledger_balance": "0.00",
        "difference": "0.00",
        "balanced": False,
    }
    assert ask("reconciliation", {"opening": "5", "entries": [], "bank_balance": "3"})["difference"] == "-2.00"
    for bad in ({"t": "out", "amt": "1"}, {"t": "in", "amt": "-1"}, {"t": "in"}, {"amt": "1"}):
        with pytest.raises(BadValue):
            ask("reconciliation", inputs | {"entries": [bad]})


# --- what is refused, by its code, facts and place --------------------------------------------------------------------


def facts_of(refused: Any) -> tuple[str, dict[str, Any]]:
    with pytest.raises(Invalid) as refusal:
        refused()
    return refusal.value.code, dict(refusal.value.facts)


def place_of(method: str, inputs: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(BadValue) as fault:
        ask(method, inputs)
    return fault.value.code, fault.value.where


def test_the_cap_of_a_category_is_refused_by_what_it_is() -> None:
    base, asked = Money.exactly("100000000"), Money.exactly("800000.01")
    rules.refuse_above_cap(WORKS, asked, base)
    refused = facts_of(lambda: rules.refuse_above_cap(WORKS, asked, base, "works_construction"))
    cap = Money.exactly("800000")
    assert refused == ("deposit.above_cap", {"amount": asked, "cap": cap, "base": base, "rule": "D-01"})


def test_an_amount_in_dollars_stays_in_dollars() -> None:
    base = Money.exactly("100000000", "USD")
    assert rules.bid_deposit_cap(WORKS, base, "works_construction") == Money.exactly("800000", "USD")
    assert rules.bid_deposit_cap(WORKS, base) == Money.exactly("2000000", "USD")
    held = [Segment(DAY("2025-05-06"), DAY("2026-05-01"), Fraction(1, 1000))]
    assert rules.interest(base, held) == Money.exactly("100000", "USD")
    assert rules.interest(base, []) == Money.zero("USD")
    assert rules.late_fee(GP, base, "0.0435", 10) == Money.exactly("145000", "USD")
    assert rules.convert(GP, base, base, "0.1").refund == Money.exactly("90000000", "USD")


def test_only_the_upper_limits_of_a_rulebook_are_caps_and_last_days() -> None:
    """A rulebook that says besides what is the least."""
    least = [
        replace(rule, id=f"{rule.id}-least", kind="MIN", value="0.0001" if rule.unit == "rate" else "1")
        for rule in GP.rules
        if rule.id in ("D-01", "T-31")
    ]
    assert len(least) == 2
    book = Rulebook("GP", GP.on, [*least, *GP.rules])
    base = Money.exactly("1000000")
    assert rules.bid_deposit_cap(book, base) == rules.bid_deposit_cap(GP, base)
    due = rules.refund_due(book, "award_notice_sent_losers", DAY("2026-04-29"), CALENDAR)
    assert (due.rule.id, due.day) == ("T-31", DAY("2026-05-09"))


def test_refusals_name_their_days() -> None:
    day, before = DAY("2025-05-06"), DAY("2025-05-05")
    known = {DAY("2022-01-01"): "0.0010"}
    reversed_days = ("interest.dates_reversed", {"since": day, "until": before})
    assert facts_of(lambda: rules.segments(day, before, known)) == reversed_days
    assert facts_of(lambda: rules.interest(Money(1), [Segment(day, before, Fraction(1))])) == reversed_days
    missing = ("interest.rate_missing", {"day": DAY("2021-12-31")})
    assert facts_of(lambda: rules.segments(DAY("2021-12-31"), day, known)) == missing
    assert facts_of(lambda: rules.segments(day, day, {})) == ("interest.rate_missing", {"day": day})
    gap = [Segment(before, before, Fraction(1)), Segment(day, day, Fraction(1))]
    assert facts_of(lambda: rules.interest(Money(1), gap)) == ("interest.gap", {"until": before, "since": day})
    unknown = facts_of(lambda: rules.refund_due(GP, "holiday", day, CALENDAR))
    assert unknown == ("deposit.event_unknown", {"event": "holiday", "regime": "GP"})
    above = facts_of(lambda: rules.convert(GP, Money(0), Money(10000), "0.125"))
    assert above == ("deposit.performance_above_cap", {"rate": "12.50", "cap": "10.00"})


def test_a_rate_that_begins_on_the_first_or_the_last_day_cuts_nothing() -> None:
    first, last = DAY("2025-05-06"), DAY("2025-05-20")
    cut = rules.segments(first, last, {first: "0.0010", last: "0.0005"})
    assert cut == [Segment(first, last, Fraction(1, 1000))]


SEGMENT = {"from": "2026-01-02", "to": "2026-01-03", "annual_rate": "0"}
DATES = {"principal": "1", "annual_rate": "0.1", "value_date": "2026-01-02", "refund_date": "2026-01-01"}


@pytest.mark.parametrize(
    ("method", "inputs", "code", "where"),
    [
        ("bid_cap", {"cases": [{"base": "1"}]}, "missing", "cases[0].regime"),
        ("bid_cap", {"cases": [{"regime": "gp"}]}, "missing", "cases[0].base"),
        ("demand_interest", DATES, "dates_reversed", "refund_date"),
        *(
            ("demand_interest_segments", {"principal": "1", "segments": [{**SEGMENT, name: None}]}, "missing", f"segments[0].{name}")
            for name in SEGMENT
        ),
        (
            "demand_interest_segments",
            {"principal": "1", "segments": [{**SEGMENT, "to": "2026-01-01"}]},
            "dates_reversed",
            "segments[0]",
        ),
        (
            "demand_interest_segments",
            {"principal": "1", "segments": [SEGMENT, SEGMENT]},
            "segment_gap",
            "segments[1].from",
        ),
        ("reconciliation", {"opening": "0", "bank_balance": "0", "entries": [{"amt": "1"}]}, "missing", "entries[0].t"),
        ("reconciliation", {"opening": "0", "bank_balance": "0", "entries": [{"t": "in"}]}, "missing", "entries[0].amt"),
        ("refund_due", {"cases": [{}]}, "missing", "cases[0].regime"),
        ("refund_due", {"cases": [{"regime": "gp"}]}, "missing", "cases[0].event"),
        ("refund_due", {"cases": [{"regime": "gp", "event": "tender_terminated"}]}, "missing", "cases[0].date"),
        (
            "refund_due",
            {"cases": [{"regime": "gp", "event": "tender_terminated", "date": "2027-12-30"}]},
            "calendar_year_unknown",
            "cases[0]",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_vector_is_named_with_its_place(
    method: str, inputs: dict[str, Any], code: str, where: str
) -> None:
    assert place_of(method, inputs) == (code, where)

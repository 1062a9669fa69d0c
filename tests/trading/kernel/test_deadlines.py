"""Time limits as the recompute command answers them: the worked vectors, the edges of the calendar, and malformed
input."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.vectors import agree, vectors
from trading.kernel.calendar import packaged_calendar
from trading.kernel.deadlines import METHODS
from trading.kernel.exact import BadValue


def ask(method: str, inputs: dict[str, Any], **params: Any) -> dict[str, Any]:
    return METHODS["deadline." + method](params, inputs)


def one(method: str, anchor: str, n: object, **params: Any) -> Any:
    return ask(method, {"cases": [{"anchor": anchor, "n": n}]}, **params)["dates"][0]


@pytest.mark.parametrize("vector", vectors("deadline"))
def test_vectors(vector: dict[str, Any]) -> None:
    assert agree(METHODS[vector["method"]](vector.get("params") or {}, vector["inputs"]), vector["expected"])


def test_the_known_years_end_where_they_end() -> None:
    assert one("workdays", "2017-12-31", 1) == "2018-01-02"
    assert one("days_roll", "1999-12-31", 6577) == "2018-01-02"  # only the day reached is asked for
    assert one("workdays", "2027-12-30", 1) == "2027-12-31"
    for method, anchor, n in (
        ("workdays", "2017-12-30", 1),
        ("workdays", "2027-12-31", 1),
        ("days_roll", "2027-12-31", 1),
        ("days_roll", "2017-12-29", 1),
        ("workdays", "2026-01-01", 10**30),
        ("days_roll", "2026-01-01", 10**30),
        ("days", "2026-01-01", 10**30),
        ("days", "9999-12-31", 1),
        ("days_before", "0001-01-01", 1),
    ):
        with pytest.raises(BadValue):
            one(method, anchor, n)


def test_plain_days_know_no_calendar() -> None:
    assert one("days", "1950-01-31", 20) == "1950-02-20" and one("days_before", "2100-03-01", 1) == "2100-02-28"
    assert (
        one("days", "2026-01-10", 20, mode="strict") == "2026-01-31"
        and one("days", "2026-01-10", 20, mode=None) == "2026-01-30"
    )
    assert one("days", "0998-12-31", 1) == "0999-01-01"


def test_dates_after_2026_are_provisional() -> None:
    cases = {
        "cases": [{"anchor": "2026-12-30", "n": 1}, {"anchor": "2026-12-31", "n": 1}, {"anchor": "2027-05-01", "n": 3}]
    }
    assert ask("workdays", cases)["provisional"] == [False, True, True]
    assert ask("days_roll", cases) == {
        "dates": ["2026-12-31", "2027-01-04", "2027-05-04"],
        "provisional": [False, True, True],
    }


def test_no_cases_give_empty_answers() -> None:
    assert ask("workdays", {"cases": []}) == {"dates": [], "provisional": []}
    assert ask("days", {"cases": []}) == {"dates": []}
    assert ask("prequalification", {"cases": []}) == {"earliest_submission": []}


@pytest.mark.parametrize("method", ["workdays", "days_roll", "days", "days_before"])
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"anchor": "2026-01-01"},
        {"n": 1},
        {"anchor": None, "n": 1},
        {"anchor": "2026-02-30", "n": 1},
        {"anchor": "2026-1-1", "n": 1},
        {"anchor": "20260101", "n": 1},
        {"anchor": "2026-01-01T00:00:00", "n": 1},
        {"anchor": "2026-01-01", "n": 0},
        {"anchor": "2026-01-01", "n": -1},
        {"anchor": "2026-01-01", "n": "1"},
        {"anchor": "2026-01-01", "n": True},
        {"anchor": "2026-01-01", "n": 1.0},
        "2026-01-01",
        None,
    ],
)
def test_a_bad_case_spoils_the_vector(method: str, case: object) -> None:
    with pytest.raises(BadValue):
        ask(method, {"cases": [{"anchor": "2026-01-05", "n": 1}, case]})


def test_words_are_the_listed_ones() -> None:
    bad: list[dict[str, Any]] = [
        {"cases": [{"regime": "GP", "notice_date": "2026-03-02"}]},
        {"cases": [{"regime": "works", "notice_date": "2026-03-02"}]},
        {"cases": [{"regime": "gp", "sale_end": "2026-03-02"}]},
        {},
        {"cases": None},
        {"cases": {}},
    ]
    for inputs in bad:
        with pytest.raises(BadValue):
            ask("prequalification", inputs)
    with pytest.raises(BadValue):
        one("days", "2026-01-10", 20, mode="loose")


def test_absent_dates_of_a_chain_give_null() -> None:
    gp = ask("chain", {"regime": "gp", "result_notice_date": "2026-04-30", "challenge_filed": None})
    assert gp == {
        "notice_period_ends": "2026-05-06",
        "challenge_until": "2026-05-14",
        "reply_until": None,
        "complaint_until_from_reply_term": None,
        "complaint_until_from_reply": None,
    }
    works = ask("chain", {"regime": "works", "evaluation_report_received": "2026-09-23"})
    assert works.pop("publish_candidates_by") == "2026-09-28" and set(works.values()) == {None} and len(works) == 5


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"regime": "gp"},
        {"regime": "works"},
        {"regime": "land", "result_notice_date": "2026-04-30"},
        {"regime": "gp", "result_notice_date": "2026-04-30", "notice_period_working_days": 0},
        {"regime": "gp", "result_notice_date": "2026-04-30", "notice_period_working_days": "1"},
        {"regime": "gp", "result_notice_date": "2026-04-30", "reply_date": "2026-13-01"},
        {"regime": "gp", "result_notice_date": "2027-12-22"},
        {"regime": "works", "candidate_notice_published": "2026-09-28"},
    ],
)
def test_a_bad_chain_is_an_error(inputs: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        ask("chain", inputs)


AT_THE_END = {"regime": "gp", "result_notice_date": "2027-11-01"}
GOOD = {"anchor": "2026-01-05", "n": 1}


@pytest.mark.parametrize(
    ("method", "inputs", "code", "where"),
    [
        ("workdays", {"cases": [GOOD, {"anchor": "x", "n": 1}]}, "bad_date", "cases[1].anchor"),
        ("workdays", {"cases": [GOOD, {**GOOD, "n": 0}]}, "too_small", "cases[1].n"),
        ("workdays", {"cases": [{"anchor": "2027-12-31", "n": 1}]}, "calendar_year_unknown", "cases[0]"),
        ("days", {"cases": [{"anchor": "9999-12-31", "n": 1}]}, "calendar_out_of_range", "cases[0]"),
        ("prequalification", {"cases": [{"regime": "land"}]}, "unknown_word", "cases[0].regime"),
        ("prequalification", {"cases": [{"regime": "works"}]}, "missing", "cases[0].sale_end"),
        ("prequalification", {"cases": [{"regime": "gp"}]}, "missing", "cases[0].notice_date"),
        ("chain", {**AT_THE_END, "result_notice_date": "2027-12-31"}, "calendar_year_unknown", "notice_period_ends"),
        ("chain", {**AT_THE_END, "result_notice_date": "2027-12-23"}, "calendar_year_unknown", "challenge_until"),
        ("chain", {**AT_THE_END, "challenge_filed": "2027-12-30"}, "calendar_year_unknown", "reply_until"),
        (
            "chain",
            {**AT_THE_END, "challenge_filed": "2027-12-15"},
            "calendar_year_unknown",
            "complaint_until_from_reply_term",
        ),
        (
            "chain",
            {**AT_THE_END, "reply_date": "2027-12-20"},
            "calendar_year_unknown",
            "complaint_until_from_reply",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(method: str, inputs: dict[str, Any], code: str, where: str) -> None:
    with pytest.raises(BadValue) as fault:
        ask(method, inputs)
    assert (fault.value.code, fault.value.where) == (code, where)


def test_the_limits_of_works_by_days_that_do_not_roll() -> None:
    dates = {
        "evaluation_report_received": "2026-03-02",
        "candidate_notice_published": "2026-03-09",
        "objection_filed": "2026-03-10",
        "award_notice_sent": "2026-03-02",
        "winner_decided": "2026-03-02",
        "contract_signed": "2026-03-05",
    }
    assert ask("chain", {"regime": "works", **dates}) == {
        "publish_candidates_by": "2026-03-05",
        "candidate_notice_ends": "2026-03-12",
        "objection_reply_by": "2026-03-13",
        "contract_by": "2026-04-01",
        "written_report_by": "2026-03-17",
        "deposit_refund_by": "2026-03-10",
    }


@given(st.dates(dt.date(2018, 1, 1), dt.date(2026, 6, 30)), st.integers(1, 40))
def test_methods_and_calendar_agree(anchor: dt.date, n: int) -> None:
    calendar = packaged_calendar()
    assert one("workdays", anchor.isoformat(), n) == calendar.add_working_days(anchor, n).isoformat()
    assert one("days_roll", anchor.isoformat(), n) == calendar.roll(anchor + dt.timedelta(days=n)).isoformat()
    there = one("days", anchor.isoformat(), n)
    assert one("days_before", there, n) == anchor.isoformat()

"""The law as data: complete, dated, the same for ever in a lot's snapshot, and the judge of timetables."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel import deadlines
from trading.kernel.calendar import BEIJING, packaged_calendar
from trading.kernel.errors import Invalid, NotFound
from trading.rulebook import (
    GP,
    REGIMES,
    WORKS,
    Rulebook,
    all_rules,
    breaches,
    change_days,
    check_timetable,
    differences,
    read_rules,
    refuse_breaches,
    select,
    window,
)

DAY = dt.date.fromisoformat
CALENDAR = packaged_calendar()
NOW = DAY("2026-03-02")
BOOKS = {regime: select(regime, NOW) for regime in REGIMES}
days = st.dates(DAY("2018-06-01"), DAY("2026-12-31"))

# The time-limit register, restated here by hand: rule, regime, value, unit, kind.
REGISTER = """
T-01 GP 5 WD MIN;T-01b GP 3 WD MIN;T-02 GP 5 WD MIN;T-02b WORKS 5 D MIN;T-03 GP 20 D MIN;T-03 WORKS 20 D MIN
T-04a GP 3 WD MIN;T-04b GP 10 D MIN;T-04b.issue GP 5 WD MIN;T-04c GP 3 WD MIN;T-05 GP 15 D BEFORE
T-05 WORKS 15 D BEFORE;T-05b GP 5 D BEFORE;T-05c GP 3 WD BEFORE;T-05d GP 3 D BEFORE;T-05d WORKS 3 D BEFORE
T-06 WORKS 5 D MIN;T-07 WORKS 5 D MIN;T-07b GP 5 WD MIN;T-08 GP 5 WD MIN;T-10 GP 2 WD MAX;T-11 GP 5 WD MAX
T-12 GP 2 WD MAX;T-13 GP 1 WD MIN;T-14 GP 30 D MAX;T-14 WORKS 30 D MAX;T-15 GP 2 WD MAX;T-16 GP 7 WD MAX
T-17 WORKS 3 D MAX;T-17.publicity WORKS 3 D MIN;T-18 WORKS 15 D MAX;T-19 WORKS 12 h MAX
T-19.checked WORKS 1 WD MAX;T-19.check WORKS 3 WD MAX;T-19b GP 1 WD MAX;T-20 GP 3 WD MAX;T-21 GP 7 WD MAX
T-22 GP 7 WD MAX;T-23 GP 15 WD MAX;T-23b GP 5 WD MAX;T-23b.serve GP 8 WD MAX;T-23b.decide GP 30 WD MAX
T-23b.suspend GP 30 D MAX;T-24 WORKS 10 D BEFORE;T-24.prequalification WORKS 2 D BEFORE;T-26 WORKS 3 D MAX
T-27 WORKS 10 D MAX;T-27b WORKS 3 WD MAX;T-27b.decide WORKS 30 WD MAX;T-30 GP 5 WD MAX;T-31 GP 5 WD MAX
T-32 GP 5 WD MAX;T-33 GP 5 WD MAX;T-34 WORKS 5 D MAX;T-35 WORKS 5 D MAX;T-37 WORKS 30 D MAX;T-40 GP 15 Y MIN
T-41 WORKS 10 Y MIN;A-06 GP 30 D MIN;B-01 GP 3 count MIN;B-04 GP 3 count MIN;B-07 WORKS 3 count MIN
B-13 WORKS 3 count MIN;D-01 GP 0.02 rate MAX;D-01 WORKS 0.02 rate MAX
D-02.works_construction WORKS 800000 yuan MAX;D-02.works_goods WORKS 800000 yuan MAX
D-02.survey_design WORKS 100000 yuan MAX;D-03 GP 0.10 rate MAX;D-03 WORKS 0.10 rate MAX;P-01 WORKS 5 count MIN
P-02 GP 5 count MIN;P-02.large GP 7 count MIN;P-03 GP 3 count MIN;P-03.large GP 5 count MIN;P-04 GP 3 count MIN
P-02.experts GP 2/3 rate MIN;P-10 GP 2 WD NOT_EARLIER
"""


@pytest.mark.parametrize("line", [one for line in REGISTER.split("\n") for one in line.split(";") if one])
def test_the_register_is_in_the_data(line: str) -> None:
    id, regime, value, unit, kind = line.split()
    rule = BOOKS[regime].rule(id)
    assert (rule.value, rule.unit, rule.kind) == (value, unit, kind)


def test_promptly_has_no_number_and_no_day() -> None:
    rule = BOOKS[WORKS].rule("T-36")
    assert rule.value is None and BOOKS[WORKS].term("T-36", NOW, CALENDAR) is None and rule.interest
    with pytest.raises(ValueError, match="no number"):
        _ = rule.number


def test_price_weights_by_method_and_category() -> None:
    def limits(method: str, category: str) -> dict[str, str | None]:
        return {rule.kind: rule.value for rule in BOOKS[GP].about("price_weight", method=method, category=category)}

    assert limits("M1", "GOODS") == {"MIN": "30"} and limits("M2", "SERVICES") == {"MIN": "10"}
    assert limits("M4", "GOODS") == {"MIN": "30", "MAX": "60"} and limits("M4", "SERVICES") == {
        "MIN": "10",
        "MAX": "30",
    }
    assert limits("M3", "GOODS") == {} == limits("M1", "WORKS")


@pytest.mark.parametrize(
    ("on", "small", "consortium", "works", "domestic"),
    [
        ("2011-12-31", None, None, None, None),
        ("2012-01-01", ("0.06", "0.10"), ("0.02", "0.03"), None, None),
        ("2020-12-31", ("0.06", "0.10"), ("0.02", "0.03"), None, None),
        ("2021-01-01", ("0.06", "0.10"), ("0.02", "0.03"), ("0.03", "0.05"), None),
        ("2022-06-30", ("0.06", "0.10"), ("0.02", "0.03"), ("0.03", "0.05"), None),
        ("2022-07-01", ("0.10", "0.20"), ("0.04", "0.06"), ("0.03", "0.05"), None),
        ("2025-12-31", ("0.10", "0.20"), ("0.04", "0.06"), ("0.03", "0.05"), None),
        ("2026-01-01", ("0.10", "0.20"), ("0.04", "0.06"), ("0.03", "0.05"), "0.20"),
    ],
)
def test_the_day_of_the_first_notice_selects_the_rule(
    on: str, small: Any, consortium: Any, works: Any, domestic: Any
) -> None:
    book = select(GP, DAY(on))

    def between(act: str) -> Any:
        found = {rule.kind: rule.value for rule in book.about(act)}
        return (found["MIN"], found["MAX"]) if found else None

    assert (between("deduction_small"), between("deduction_consortium"), between("deduction_small_works")) == (
        small,
        consortium,
        works,
    )
    assert (book.find("E-06c") and book.rule("E-06c").value) == domestic


def test_a_rule_is_not_in_force_before_its_day() -> None:
    assert (
        select(GP, DAY("2026-01-31")).find("2.9.mean") is None
        and select(GP, DAY("2026-02-01")).rule("2.9.mean").value == "0.50"
    )
    with pytest.raises(NotFound, match=r"rulebook\.rule_unknown"):
        select(GP, DAY("2025-12-31")).rule("E-06c")
    with pytest.raises(Invalid, match=r"rulebook\.no_law"):
        select(WORKS, DAY("1999-12-31"))
    with pytest.raises(ValueError, match="regime"):
        select("gp", NOW)


def test_differences_tell_what_came_and_what_changed() -> None:
    pairs = differences(select(GP, DAY("2022-06-30")), select(GP, DAY("2022-07-01")))
    assert [(old and old.value, new and new.value) for old, new in pairs] == [
        ("0.03", "0.06"),
        ("0.02", "0.04"),
        ("0.10", "0.20"),
        ("0.06", "0.10"),
    ]
    assert differences(BOOKS[GP], BOOKS[GP]) == []
    new = differences(select(GP, DAY("2025-12-31")), select(GP, DAY("2026-01-01")))
    assert [(old, new.id) for old, new in new if new] == [(None, "E-06c")]
    assert change_days(GP) == sorted(set(change_days(GP))) and DAY("2022-07-01") in change_days(GP)


@pytest.mark.parametrize("regime", REGIMES)
def test_every_row_names_its_source_in_both_languages(regime: str) -> None:
    for rule in all_rules(regime):
        assert rule.en.isascii() and not rule.zh.isascii() and rule.source and rule.mark in "VKL"
        assert rule.unit != "D" or rule.kind in ("MIN", "MAX", "BEFORE")
        assert rule.act != rule.anchor
    assert len({rule.id for rule in BOOKS[regime].rules}) == len(BOOKS[regime].rules)


@given(st.sampled_from(REGIMES), days)
def test_a_snapshot_reads_back_and_judges_alike(regime: str, on: dt.date) -> None:
    book = select(regime, on)
    snapshot = json.loads(json.dumps(book.snapshot()))
    again = Rulebook.from_snapshot(snapshot)
    assert (again.regime, again.on, again.rules, again.version) == (book.regime, book.on, book.rules, book.version)
    assert again.snapshot() == book.snapshot()


def test_an_altered_snapshot_is_refused() -> None:
    good = BOOKS[GP].snapshot()
    for change in (
        ("rules", 5, "value", "1"),
        ("rules", 5, "roll", True),
        ("on", None, None, "2026-03-03"),
        ("regime", None, None, "WORKS"),
    ):
        bad = copy.deepcopy(good)
        if change[1] is None:
            bad[change[0]] = change[3]
        else:
            bad[change[0]][change[1]][change[2]] = change[3]
        with pytest.raises(Invalid, match=r"rulebook\.snapshot_altered"):
            Rulebook.from_snapshot(bad)
    with pytest.raises(Invalid, match=r"rulebook\.snapshot_altered"):
        Rulebook.from_snapshot(good | {"rules": good["rules"][1:]})
    with pytest.raises(Invalid, match=r"rulebook\.snapshot_format"):
        Rulebook.from_snapshot(good | {"format": 2})


def test_a_local_parameter_replaces_only_a_local_parameter() -> None:
    local = read_rules(
        _row(
            id="R-07",
            act="open_tender_threshold",
            value=4000000,
            unit="yuan",
            kind="VALUE",
            mark="L",
            valid_from="2019-01-01",
        )
    )
    assert select(GP, NOW, local=local).rule("R-07").whole == 4000000 and BOOKS[GP].rule("R-07").whole == 2000000
    assert select(GP, DAY("2018-12-31"), local=local).rule("R-07").whole == 2000000
    assert select(GP, NOW, local=local).version != BOOKS[GP].version
    for bad in (
        {
            "id": "T-03",
            "act": "bid_deadline",
            "anchor": "issue_starts",
            "value": 5,
            "unit": "D",
            "kind": "MIN",
            "mark": "L",
        },
        {"id": "R-07", "act": "open_tender_threshold", "value": 1, "unit": "yuan", "kind": "VALUE", "mark": "V"},
    ):
        with pytest.raises(Invalid, match=r"rulebook\.not_local"):
            select(GP, NOW, local=read_rules(_row(**bad, valid_from="2019-01-01")))


def _row(**held: Any) -> str:
    held = {"en": "x", "zh": "某", "source": "s"} | held
    lines = [
        f"{name} = {value if name in ('valid_from', 'valid_to') else json.dumps(value)}" for name, value in held.items()
    ]
    return "[[rule]]\n" + "\n".join(lines) + "\n"


def test_all_faulty_rows_of_a_file_are_named() -> None:
    good = {"act": "a", "value": 1, "unit": "D", "kind": "MIN", "mark": "V", "valid_from": "2020-01-01"}
    text = (
        _row(id="A", **good)
        + _row(id="B", **good | {"unit": "weeks"})
        + _row(id="C", **good | {"value": "x"})
        + _row(id="A", **good)
        + _row(id="D", **good | {"valid_to": "2020-01-01"})
        + _row(id="E", **good, colour="red")
        + _row(id="F", **good | {"value": "1/0"})
        + _row(id="G", **good | {"value": "1.5"})
        + _row(id="H", **good | {"kind": "SAME"})
    )
    with pytest.raises(Invalid) as refusal:
        read_rules(text)
    assert [(fault.where, fault.code.split(".")[1]) for fault in refusal.value.faults] == [
        (id, "row_malformed") for id in "BCDEFGH"
    ] + [("A", "row_overlap")]
    with pytest.raises(Invalid, match=r"rulebook\.file"):
        read_rules("[[rule")
    follow = read_rules(
        _row(id="A", **good | {"valid_to": "2021-01-01"})
        + _row(id="A", **good | {"valid_from": "2021-01-01", "value": 2})
    )
    assert [rule.value for rule in follow] == ["1", "2"]


# --- the register and the bare time limits agree ----------------------------------------------------------------------


@given(days.filter(lambda day: day < DAY("2026-06-01")))
def test_the_chains_of_the_vectors_are_the_register(day: dt.date) -> None:
    def rule(regime: str, id: str, anchor: dt.date) -> str:
        term = BOOKS[regime].term(id, anchor, CALENDAR)
        assert term is not None
        return term.day.isoformat()

    text = day.isoformat()
    works = deadlines.METHODS["deadline.chain"](
        {},
        {"regime": "works"}
        | dict.fromkeys(
            (
                "evaluation_report_received",
                "candidate_notice_published",
                "objection_filed",
                "award_notice_sent",
                "winner_decided",
                "contract_signed",
            ),
            text,
        ),
    )
    assert works == {
        "publish_candidates_by": rule(WORKS, "T-17", day),
        "candidate_notice_ends": rule(WORKS, "T-17.publicity", day),
        "objection_reply_by": rule(WORKS, "T-26", day),
        "contract_by": rule(WORKS, "T-14", day),
        "written_report_by": rule(WORKS, "T-18", day),
        "deposit_refund_by": rule(WORKS, "T-34", day),
    }
    gp = deadlines.METHODS["deadline.chain"](
        {}, {"regime": "gp", "result_notice_date": text, "challenge_filed": text, "reply_date": text}
    )
    assert gp["notice_period_ends"] == rule(GP, "T-13", day) and gp["reply_until"] == rule(GP, "T-22", day)
    assert gp["challenge_until"] == rule(GP, "T-21", DAY(gp["notice_period_ends"]))
    assert gp["complaint_until_from_reply_term"] == rule(GP, "T-23", DAY(gp["reply_until"]))
    assert gp["complaint_until_from_reply"] == rule(GP, "T-23", day)
    early = deadlines.METHODS["deadline.prequalification"](
        {}, {"cases": [{"regime": "works", "sale_end": text}, {"regime": "gp", "notice_date": text}]}
    )
    assert early["earliest_submission"] == [rule(WORKS, "T-07", day), rule(GP, "T-07b", day)]


# --- timetables -------------------------------------------------------------------------------------------------------


def beijing(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def judged(regime: str, method: str, **timetable: Any) -> list[tuple[str, str, str]]:
    plan = {name: DAY(day) if isinstance(day, str) else day for name, day in timetable.items()}
    return [
        (one.rule, one.code.removeprefix("timetable."), one.field)
        for one in check_timetable(BOOKS[regime], CALENDAR, plan, method=method)
    ]


def test_a_lawful_plan_has_no_findings() -> None:
    assert (
        judged(
            GP,
            "M1",
            intention_published="2026-01-05",
            notice_published="2026-03-02",
            notice_period_ends="2026-03-09",
            issue_starts="2026-03-02",
            issue_ends="2026-03-09",
            clarification_issued="2026-03-10",
            bid_deadline=beijing("2026-03-27T09:30"),
            opening=beijing("2026-03-27T09:30"),
        )
        == []
    )


def test_every_breach_is_named_at_once() -> None:
    assert judged(
        GP,
        "M1",
        intention_published="2026-02-16",
        notice_published="2026-03-02",
        notice_period_ends="2026-03-08",
        issue_starts="2026-03-02",
        issue_ends="2026-03-06",
        clarification_issued="2026-03-08",
        bid_deadline=beijing("2026-03-21T23:59"),
        opening=beijing("2026-03-22T00:00"),
    ) == [
        ("A-06", "too_early", "notice_published"),
        ("T-01", "too_early", "notice_period_ends"),
        ("T-02", "too_early", "issue_ends"),
        ("T-03", "too_early", "bid_deadline"),
        ("T-05", "too_late", "clarification_issued"),
        ("M1.7", "not_together", "opening"),
        ("N-08.rest", "rest_day", "bid_deadline"),
    ]


def test_twenty_days_are_counted_as_days_and_exactly_twenty_is_a_warning() -> None:
    assert judged(GP, "M1", issue_starts="2026-01-10", bid_deadline=beijing("2026-01-29T23:59:59")) == [
        ("T-03", "too_early", "bid_deadline")
    ]
    assert judged(WORKS, "M7", issue_starts=beijing("2026-01-10T23:00"), bid_deadline=beijing("2026-01-30T00:00")) == [
        ("T-03", "exactly_minimum", "bid_deadline")
    ]
    assert judged(WORKS, "M7", issue_starts="2026-01-10", bid_deadline="2026-01-31") == [
        ("N-08.rest", "rest_day", "bid_deadline")
    ]
    assert judged(WORKS, "M7", issue_starts="2026-01-12", bid_deadline="2026-02-02") == []
    finding = check_timetable(
        BOOKS[GP], CALENDAR, {"issue_starts": DAY("2026-01-10"), "bid_deadline": DAY("2026-01-30")}, method="M1"
    )[0]
    assert (
        finding.severity == "warning"
        and finding.facts["full_days"] == 19
        and finding.facts["strict_day"] == "2026-01-31"
    )
    assert breaches([finding]) == []
    refuse_breaches([finding])


def test_strict_counting_is_a_choice_of_the_data() -> None:
    snapshot = BOOKS[GP].snapshot()
    row = next(rule for rule in snapshot["rules"] if rule["id"] == "T-03")
    row["counting"] = "strict"
    strict = Rulebook(GP, NOW, read_rules("".join(_row(**rule) for rule in snapshot["rules"])))
    found = check_timetable(
        strict, CALENDAR, {"issue_starts": DAY("2026-01-10"), "bid_deadline": DAY("2026-01-30")}, method="M1"
    )
    assert [(one.code, one.facts["earliest"]) for one in found] == [("timetable.too_early", "2026-01-31")]


def test_a_finding_says_rule_moment_and_reason() -> None:
    [finding] = check_timetable(
        BOOKS[WORKS],
        CALENDAR,
        {"candidates_published": DAY("2026-09-28"), "publicity_ends": DAY("2026-10-01")},
        method="M7",
    )
    assert (finding.rule, finding.severity, finding.code) == ("T-17.publicity", "breach", "timetable.too_early")
    facts = finding.facts
    assert (facts["earliest"], facts["earliest_at"], facts["rolled_from"], facts["rolled_why"]) == (
        "2026-10-08",
        "2026-10-07T16:00:00+00:00",
        "2026-10-01",
        "国庆节",
    )
    assert (
        facts["what_zh"] == "中标候选人公示期"
        and facts["source"] == "TReg art. 54"
        and facts["calendar"] == CALENDAR.version
    )
    json.dumps(facts)


def test_a_late_clarification_says_how_far_the_deadline_must_go() -> None:
    [finding] = check_timetable(
        BOOKS[GP], CALENDAR, {"clarification_issued": DAY("2026-01-20"), "bid_deadline": DAY("2026-01-30")}, method="M1"
    )
    assert (finding.code, finding.facts["latest"], finding.facts["anchor_not_before"]) == (
        "timetable.too_late",
        "2026-01-15",
        "2026-02-04",
    )
    [finding] = check_timetable(
        BOOKS[GP], CALENDAR, {"clarification_issued": DAY("2026-03-05"), "bid_deadline": DAY("2026-03-09")}, method="M3"
    )
    assert (finding.rule, finding.facts["latest"], finding.facts["anchor_not_before"]) == (
        "T-05c",
        "2026-03-04",
        "2026-03-10",
    )


def test_each_method_has_its_own_limits() -> None:
    plan = {"issue_starts": "2026-06-18", "bid_deadline": "2026-06-29"}
    assert (
        judged(GP, "M4", **plan) == []
        and judged(GP, "M3", **plan) == []
        and judged(GP, "M1", **plan) == [("T-03", "too_early", "bid_deadline")]
    )
    assert judged(GP, "M4", issue_starts="2026-06-18", bid_deadline="2026-06-27") == [
        ("T-04b", "too_early", "bid_deadline"),
        ("N-08.rest", "rest_day", "bid_deadline"),
    ]
    assert judged(
        WORKS,
        "M8",
        prequalification_sale_starts="2026-03-02",
        prequalification_sale_ends="2026-03-06",
        application_deadline="2026-03-10",
        objection_to_prequalification="2026-03-09",
        prequalification_clarification_issued="2026-03-08",
    ) == [
        ("T-05d", "too_late", "prequalification_clarification_issued"),
        ("T-06", "too_early", "prequalification_sale_ends"),
        ("T-07", "too_early", "application_deadline"),
        ("T-24.prequalification", "too_late", "objection_to_prequalification"),
    ]


def test_duties_after_the_review_are_judged_too() -> None:
    assert judged(
        GP,
        "M1",
        review_ended="2026-03-27",
        report_received="2026-04-01",
        award_decided="2026-04-09",
        result_published="2026-04-14",
        award_notice_sent="2026-04-13",
        contract_signed="2026-05-14",
        contract_published="2026-05-18",
        contract_filed="2026-05-26",
    ) == [
        ("T-10", "too_late", "report_received"),
        ("T-12", "too_late", "result_published"),
        ("T-14", "too_late", "contract_signed"),
        ("T-16", "too_late", "contract_filed"),
    ]
    assert judged(WORKS, "M7", publicity_ends="2026-03-10", objection_to_result="2026-03-11") == [
        ("T-25", "too_late", "objection_to_result")
    ]
    assert judged(WORKS, "M7", publicity_ends="2026-03-10", objection_to_result="2026-03-10") == []
    assert judged(GP, "M1", review_starts="2026-03-10", experts_drawn="2026-03-05") == [
        ("P-10", "too_early", "experts_drawn")
    ]
    assert judged(GP, "M1", review_starts="2026-03-10", experts_drawn="2026-03-06") == []


def test_hours_run_from_the_instant() -> None:
    received = beijing("2026-03-06T18:00")
    assert judged(WORKS, "M7", medium_received=received, medium_published=beijing("2026-03-07T06:00")) == []
    assert judged(WORKS, "M7", medium_received=received, medium_published=beijing("2026-03-07T06:01")) == [
        ("T-19", "too_late", "medium_published")
    ]
    assert judged(WORKS, "M7", medium_received=received, medium_published="2026-03-07") == [
        ("T-19", "hour_missing", "medium_published")
    ]


def test_unknown_years_and_provisional_days_are_said() -> None:
    assert judged(GP, "M1", issue_starts="2027-12-30", issue_ends="2028-01-10", bid_deadline="2028-02-01") == [
        ("T-02", "calendar.year_unknown", "issue_ends"),
        ("N-08.rest", "calendar.year_unknown", "bid_deadline"),
    ]
    assert judged(GP, "M1", issue_starts="2027-03-01", issue_ends="2027-03-10") == [
        ("T-02", "provisional", "issue_ends")
    ]


def test_a_moment_no_rule_knows_is_a_defect_and_an_absent_one_is_not() -> None:
    with pytest.raises(ValueError, match=r"bid_deadlin\b"):
        judged(GP, "M1", issue_starts="2026-03-02", bid_deadlin="2026-03-03")
    assert judged(GP, "M1", issue_starts="2026-03-02", bid_deadline=None) == []


def test_breaches_refuse_with_one_fault_each() -> None:
    plan = {"issue_starts": DAY("2026-03-02"), "issue_ends": DAY("2026-03-03"), "bid_deadline": DAY("2026-03-05")}
    with pytest.raises(Invalid) as refusal:
        refuse_breaches(check_timetable(BOOKS[WORKS], CALENDAR, plan, method="M7"))
    assert [(fault.where, fault.code, fault.facts["rule"]) for fault in refusal.value.faults] == [
        ("issue_ends", "timetable.too_early", "T-02b"),
        ("bid_deadline", "timetable.too_early", "T-03"),
    ]


@given(days, st.sampled_from([(GP, "M1"), (GP, "M3"), (GP, "M4"), (WORKS, "M7")]), st.integers(0, 30))
def test_the_window_is_exactly_what_the_check_allows(start: dt.date, which: tuple[str, str], later: int) -> None:
    regime, method = which
    plan = {"issue_starts": start, "clarification_issued": start + dt.timedelta(days=later)}
    found = window(BOOKS[regime], CALENDAR, "bid_deadline", plan, method=method)
    assert found.earliest is not None and found.latest is None and found.possible
    for step, lawful in ((-1, False), (0, True), (1, True)):
        deadline = found.earliest.day + dt.timedelta(days=step)
        findings = check_timetable(BOOKS[regime], CALENDAR, plan | {"bid_deadline": deadline}, method=method)
        assert (breaches(findings) == []) == lawful


def test_a_window_can_be_empty_and_says_which_rules_close_it() -> None:
    found = window(BOOKS[WORKS], CALENDAR, "candidates_published", {"report_received": DAY("2026-09-23")}, method="M7")
    assert (
        found.earliest is None
        and found.latest is not None
        and found.latest.day == DAY("2026-09-28")
        and found.latest.rule.id == "T-17"
    )
    assert found.latest.at == dt.datetime(2026, 9, 28, 16, tzinfo=dt.UTC)

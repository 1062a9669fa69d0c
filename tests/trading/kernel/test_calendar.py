"""The working-day calendar against an outside package, the worked dates of the rulebook, and its laws."""

from __future__ import annotations

import datetime as dt
import re

import chinese_calendar  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.calendar import (
    ANNOUNCED,
    BEIJING,
    Closure,
    DayKind,
    Term,
    WorkingDayCalendar,
    YearTable,
    calendar_with,
    day_end,
    day_start,
    local_day,
    packaged_calendar,
    read_year,
    write_year,
)
from trading.kernel.errors import Invalid

CALENDAR = packaged_calendar()
DAY = dt.date.fromisoformat
days = st.dates(DAY("2018-01-01"), DAY("2026-06-30"))
counts = st.integers(1, 60)


def every_day(year: int) -> list[dt.date]:
    return [
        dt.date(year, 1, 1) + dt.timedelta(days=n) for n in range((dt.date(year + 1, 1, 1) - dt.date(year, 1, 1)).days)
    ]


@pytest.mark.parametrize("year", range(2018, 2027))
def test_every_announced_day_agrees_with_an_outside_calendar(year: int) -> None:
    assert [day for day in every_day(year) if CALENDAR.is_working_day(day) != chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize(
    ("year", "working"),
    [
        (2018, 250),
        (2019, 250),
        (2020, 249),
        (2021, 250),
        (2022, 249),
        (2023, 249),
        (2024, 251),
        (2025, 248),
        (2026, 248),
    ],
)
def test_the_number_of_working_days_of_a_year(year: int, working: int) -> None:
    assert sum(map(CALENDAR.is_working_day, every_day(year))) == working


def test_2027_holds_the_statutory_days_and_is_provisional() -> None:
    rest = [day.isoformat()[5:] for day in every_day(2027) if day.weekday() < 5 and not CALENDAR.is_working_day(day)]
    assert rest == ["01-01", "02-05", "02-08", "04-05", "06-09", "09-15", "10-01"]
    assert CALENDAR.is_provisional(DAY("2027-01-01")) and not CALENDAR.is_provisional(DAY("2026-12-31"))
    assert (
        CALENDAR.term(DAY("2026-12-28"), 5, "WD").provisional
        and not CALENDAR.term(DAY("2026-12-28"), 3, "WD").provisional
    )


@pytest.mark.parametrize(
    ("anchor", "n", "unit", "result"),
    [
        ("2018-02-09", 5, "WD", "2018-02-22"),
        ("2018-09-28", 3, "WD", "2018-10-08"),
        ("2020-01-22", 5, "WD", "2020-02-06"),
        ("2026-02-12", 5, "WD", "2026-02-26"),
        ("2026-09-30", 5, "WD", "2026-10-13"),
        ("2026-01-08", 3, "D", "2026-01-12"),
        ("2026-09-29", 3, "D", "2026-10-08"),
    ],
)
def test_the_worked_dates_of_the_rulebook(anchor: str, n: int, unit: str, result: str) -> None:
    assert CALENDAR.term(DAY(anchor), n, unit, roll=unit == "D").day == DAY(result)


def test_a_term_says_why_it_moved_and_with_which_calendar() -> None:
    rolled = CALENDAR.term(DAY("2026-09-29"), 3, "D", roll=True)
    assert (rolled.rolled_from, rolled.rolled_why, rolled.calendar) == (DAY("2026-10-02"), "国庆节", CALENDAR.version)
    assert CALENDAR.term(DAY("2026-01-08"), 3, "D", roll=True).rolled_why == "weekend"
    plain = CALENDAR.term(DAY("2026-01-08"), 3, "D")
    assert (plain.day, plain.rolled_from, plain.provisional) == (DAY("2026-01-11"), None, False)
    assert rolled.facts() == {
        "anchor": "2026-09-29",
        "length": 3,
        "unit": "D",
        "day": "2026-10-08",
        "rolled_from": "2026-10-02",
        "rolled_why": "国庆节",
        "provisional": False,
        "calendar": CALENDAR.version,
        "roll": True,
        "before": False,
    }
    assert plain.facts() == {**rolled.facts(), "anchor": "2026-01-08", "day": "2026-01-11", "rolled_from": None,
                             "rolled_why": "", "roll": False}  # fmt: skip
    bare = Term(plain.anchor, 3, "D", plain.day, None, "", False, CALENDAR.version)
    assert (bare.roll, bare.before) == (False, False)


def test_a_term_that_is_counted_again_is_counted_the_same_way() -> None:
    counted = [
        CALENDAR.term(DAY("2026-09-29"), 3, "D", roll=True),
        CALENDAR.term(DAY("2026-09-29"), 3, "D"),
        CALENDAR.term(DAY("2026-10-12"), 3, "WD", before=True),
        CALENDAR.term(DAY("2026-10-12"), 3, "D", before=True),
        CALENDAR.term(DAY("2026-10-12"), 3, "D", roll=True, before=True),
        CALENDAR.term(DAY("2026-10-12"), 1, "Y", before=True),
    ]
    assert [CALENDAR.recount(term) for term in counted] == counted and CALENDAR.moved(counted) == []
    assert [term.day.isoformat() for term in counted] == [
        "2026-10-08", "2026-10-02", "2026-10-08", "2026-10-09", "2026-10-09", "2025-10-12",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no such unit of days: W"):
        CALENDAR.term(DAY("2026-01-01"), 1, "W")


@pytest.mark.parametrize("n", [0, -1])
def test_working_days_are_counted_from_one(n: int) -> None:
    with pytest.raises(ValueError, match="starts at 1"):
        CALENDAR.add_working_days(DAY("2026-01-05"), n)


def test_a_result_is_provisional_where_a_year_without_its_notice_was_asked() -> None:
    def provisional(anchor: str, length: int, unit: str, **how: bool) -> bool:
        return CALENDAR.term(DAY(anchor), length, unit, **how).provisional

    assert not provisional("2026-12-28", 9, "D") and provisional("2026-12-28", 9, "D", roll=True)
    assert provisional("2027-01-04", 3, "WD", before=True)  # it asks about the days between, and the last was of 2027
    assert not provisional("2027-01-01", 3, "WD", before=True)
    assert provisional("2027-01-03", 3, "WD", before=True) and not provisional("2026-12-31", 3, "WD", before=True)
    assert provisional("2027-01-02", 3, "WD", before=True)  # the first of January was asked
    assert not provisional("2027-01-04", 6, "D", before=True)
    assert not provisional("0001-01-01", 1, "D")


@pytest.mark.parametrize(
    ("day", "working", "why", "name"),
    [
        ("2026-03-02", True, "weekday", ""),
        ("2026-03-07", False, "weekend", ""),
        ("2026-03-06", True, "weekday", ""),
        ("2026-10-01", False, "holiday", "国庆节"),
        ("2026-10-10", True, "make_up", "国庆节"),
        ("2026-07-20", False, "closure", "防汛 3 号令"),
    ],
)
def test_a_day_says_what_it_is_and_why(day: str, working: bool, why: str, name: str) -> None:
    closed = CALENDAR.with_closures([Closure(DAY("2026-07-20"), "防汛 3 号令")])
    assert closed.day_kind(DAY(day)) == DayKind(DAY(day), working, why, name)


def test_a_period_ends_at_midnight_beijing_time() -> None:
    term = CALENDAR.term(DAY("2026-03-02"), 5, "WD")
    assert term.ends_at == dt.datetime(2026, 3, 9, 16, tzinfo=dt.UTC) and term.starts_at == dt.datetime(
        2026, 3, 8, 16, tzinfo=dt.UTC
    )
    assert local_day(term.ends_at) == DAY("2026-03-10") and local_day(
        term.ends_at - dt.timedelta(microseconds=1)
    ) == DAY("2026-03-09")
    assert day_end(DAY("2026-03-09")) == day_start(DAY("2026-03-10")) and BEIJING.tzname(None) == "UTC+8"
    with pytest.raises(ValueError, match="zone"):
        local_day(dt.datetime(2026, 3, 9))


def test_years_end_on_the_corresponding_day() -> None:
    assert CALENDAR.term(DAY("2026-03-02"), 15, "Y").day == DAY("2041-03-02")
    assert CALENDAR.term(DAY("2024-02-29"), 15, "Y").day == DAY("2039-02-28")
    assert CALENDAR.term(DAY("2024-02-29"), 3001, "Y").day == DAY("5025-02-28")
    assert CALENDAR.term(DAY("9996-02-29"), 3, "Y").day == DAY("9999-02-28")
    assert CALENDAR.term(DAY("0004-02-29"), 3, "Y", before=True).day == DAY("0001-02-28")
    for unit, length in (("Y", 8000), ("D", 10**12)):
        with pytest.raises(Invalid) as refusal:
            CALENDAR.term(DAY("2024-02-29"), length, unit)
        assert refusal.value.code == "calendar.out_of_range" and refusal.value.facts == {"day": DAY("2024-02-29")}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: CALENDAR.is_working_day(DAY("2017-12-31")),
        lambda: CALENDAR.is_working_day(DAY("2028-01-01")),
        lambda: CALENDAR.add_working_days(DAY("2017-12-30"), 1),
        lambda: CALENDAR.add_working_days(DAY("2027-12-31"), 1),
        lambda: CALENDAR.days_rolled(DAY("2027-12-30"), 2),
        lambda: CALENDAR.working_days_before(DAY("2018-01-02"), 1),
        lambda: CALENDAR.add_working_days(DAY("2026-01-01"), 10**9),
        lambda: CALENDAR.is_provisional(DAY("2028-01-01")),
    ],
)
def test_a_year_without_data_is_refused(ask: object) -> None:
    with pytest.raises(Invalid) as refusal:
        ask()  # type: ignore[operator]
    assert refusal.value.code == "calendar.year_unknown" and refusal.value.facts["first"] == "2018"
    assert refusal.value.facts["last"] == "2027" and refusal.value.facts["year"] in ("2017", "2028")


def test_plain_days_never_ask_the_calendar() -> None:
    assert CALENDAR.term(DAY("2031-05-04"), 20, "D").day == DAY("2031-05-24")
    assert CALENDAR.add_working_days(DAY("2017-12-31"), 1) == DAY("2018-01-02")
    with pytest.raises(Invalid, match=r"calendar\.out_of_range"):
        CALENDAR.term(DAY("2026-01-01"), 10**12, "D")


@given(days, counts)
def test_the_nth_working_day_has_exactly_n_working_days_behind_it(day: dt.date, n: int) -> None:
    result = CALENDAR.add_working_days(day, n)
    assert CALENDAR.is_working_day(result) and CALENDAR.working_days_in(day, result) == n
    assert (
        sum(chinese_calendar.is_workday(day + dt.timedelta(days=step)) for step in range(1, (result - day).days + 1))
        == n
    )


@given(days, counts, counts)
def test_counting_on_and_counting_back(day: dt.date, a: int, b: int) -> None:
    there = CALENDAR.add_working_days(day, a)
    assert CALENDAR.add_working_days(there, b) == CALENDAR.add_working_days(day, a + b)
    if CALENDAR.is_working_day(day):
        assert CALENDAR.working_days_before(there, a) == day
    assert CALENDAR.add_working_days(day, a) <= CALENDAR.add_working_days(day + dt.timedelta(days=1), a)


@given(days, counts)
def test_rolling_lands_on_the_first_working_day_and_stays_there(day: dt.date, n: int) -> None:
    rolled = CALENDAR.days_rolled(day, n)
    assert CALENDAR.is_working_day(rolled) and CALENDAR.roll(rolled) == rolled and rolled >= day + dt.timedelta(days=n)
    assert not any(CALENDAR.is_working_day(day + dt.timedelta(days=step)) for step in range(n, (rolled - day).days))


def test_a_local_closure_is_a_day_of_rest_with_its_basis() -> None:
    closed = CALENDAR.with_closures([Closure(DAY("2026-07-20"), "防汛指挥部 2026 年 3 号令")])
    assert closed.day_kind(DAY("2026-07-20")).name.startswith("防汛") and CALENDAR.is_working_day(DAY("2026-07-20"))
    assert closed.version != CALENDAR.version
    old = [CALENDAR.term(DAY("2026-07-17"), 1, "WD"), CALENDAR.term(DAY("2026-07-22"), 1, "WD")]
    assert [(a.day, b.day) for a, b in closed.moved(old)] == [(DAY("2026-07-20"), DAY("2026-07-21"))]
    with pytest.raises(Invalid, match=r"calendar\.closure_without_basis$|closure_without_basis \(") as refusal:
        CALENDAR.with_closures([Closure(DAY("2026-07-20"), " "), Closure(DAY("2026-07-21"), "x")])
    assert refusal.value.code == "calendar.closure_without_basis" and refusal.value.facts == {"days": ["2026-07-20"]}
    two = [Closure(DAY("2026-07-21"), "b"), Closure(DAY("2026-07-20"), "a")]
    assert list(CALENDAR.with_closures(two).closures) == [DAY("2026-07-20"), DAY("2026-07-21")]
    assert CALENDAR.with_closures(two).version == CALENDAR.with_closures(two[:1]).with_closures(two[1:]).version
    assert CALENDAR.with_closures(two).years == CALENDAR.years == tuple(range(2018, 2028))


def test_the_notice_replaces_a_provisional_year_and_nothing_else_does() -> None:
    text = (
        write_year(CALENDAR.tables[2027])
        .replace("provisional", "announced")
        .replace("2027-02-08,rest,春节", "2027-02-08,rest,春节\n2027-02-09,rest,春节\n2027-02-20,work,春节")
    )
    notice = read_year(text)
    loaded = CALENDAR.with_year(notice)
    assert (
        loaded.is_working_day(DAY("2027-02-20"))
        and not loaded.is_provisional(DAY("2027-02-20"))
        and loaded.version != CALENDAR.version
    )
    counted = CALENDAR.term(DAY("2027-02-04"), 1, "WD")
    assert [(a.day, b.day) for a, b in loaded.moved([counted])] == [(DAY("2027-02-09"), DAY("2027-02-10"))]
    with pytest.raises(Invalid) as refusal:
        loaded.with_year(CALENDAR.tables[2027])
    assert refusal.value.code == "calendar.year_announced"
    assert refusal.value.facts == {"year": "2027", "source": notice.source}
    assert loaded.with_year(notice).version == loaded.version
    assert loaded.with_year(CALENDAR.tables[2027], supersede=True).version == CALENDAR.version
    for year in (2016, 2029, 2030):
        with pytest.raises(Invalid) as refusal:
            CALENDAR.with_year(YearTable(year, ANNOUNCED, "x", {}))
        assert refusal.value.code == "calendar.year_gap"
        assert refusal.value.facts == {"year": str(year), "first": "2018", "last": "2027"}
    for year in (2017, 2028):
        assert year in CALENDAR.with_year(YearTable(year, ANNOUNCED, "x", {})).years
    closed = CALENDAR.with_closures([Closure(DAY("2026-07-20"), "x")])
    assert closed.with_year(notice).closures == closed.closures
    assert calendar_with([notice], closed.closures.values()).version == closed.with_year(notice).version
    assert calendar_with([notice, CALENDAR.tables[2027]]).version == calendar_with([]).version == CALENDAR.version


def test_a_calendar_without_a_year_is_none() -> None:
    with pytest.raises(ValueError, match="at least one year"):
        WorkingDayCalendar([])


@pytest.mark.parametrize("year", range(2018, 2028))
def test_a_year_file_reads_back_as_it_was_written(year: int) -> None:
    table = CALENDAR.tables[year]
    assert read_year(write_year(table)) == table == read_year("\ufeff" + write_year(table).replace("\n", "\r\n"))


def test_the_version_depends_on_the_data_and_not_on_the_order() -> None:
    tables = list(CALENDAR.tables.values())
    assert WorkingDayCalendar(reversed(tables)).version == CALENDAR.version
    assert WorkingDayCalendar(tables[:-1]).version != CALENDAR.version
    assert re.fullmatch(r"2018-2027\.[0-9a-f]{12}", CALENDAR.version)


def test_all_faults_of_a_year_file_are_named_at_once() -> None:
    listed = ["2028-02-30,rest,x", "2027-01-01,rest,x", "2028-01-01,rest,x", "2028-01-01,rest,y", "2028-01-03,work,x"]
    listed += ["2028-01-04,holiday,x"]
    bad = "\n".join(["year,2028,", "status,perhaps,", "source,,", "date,day,feast", *listed, ""])
    with pytest.raises(Invalid) as refusal:
        read_year(bad)
    assert refusal.value.code == "calendar.file"
    assert [(fault.where, fault.code, fault.facts["found"]) for fault in refusal.value.faults] == [
        ("status", "calendar.file_head", "perhaps"),
        ("source", "calendar.file_head", ""),
        ("line 5", "calendar.date_malformed", "2028-02-30,rest,x"),
        ("line 6", "calendar.date_elsewhere", "2027-01-01,rest,x"),
        ("line 8", "calendar.date_twice", "2028-01-01,rest,y"),
        ("line 9", "calendar.work_on_weekday", "2028-01-03,work,x"),
        ("line 10", "calendar.day_word", "2028-01-04,holiday,x"),
    ]


HEAD = ["year,2028,", "status,announced,", "source,x,"]


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([], [("year", ""), ("status", ""), ("source", ""), ("line 4", "")]),
        (HEAD, [("line 4", "")]),
        ([*HEAD, "date,day,name"], [("line 4", "date,day,name")]),
        (["year,1949,", *HEAD[1:], "date,day,feast"], [("year", "1949")]),
        (["year,28,", *HEAD[1:], "date,day,feast", "2028-01-01,rest,x"], [("year", "28")]),
        (["year", "status", "x"], [("year", ""), ("status", ""), ("source", ""), ("line 4", "")]),
        (
            [HEAD[0], "x,y,", HEAD[2], "status,announced,"],
            [("status", ""), ("line 4", "status,announced,")],
        ),
    ],
)
def test_a_head_that_is_none_is_shown(lines: list[str], faults: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid) as refusal:
        read_year("\n".join(lines))
    told = [(fault.where, fault.code, fault.facts["found"]) for fault in refusal.value.faults]
    assert told == [(where, "calendar.file_head", found) for where, found in faults]


def test_cells_beyond_and_cells_left_out_are_taken_as_they_are_meant() -> None:
    bare = ["year,2028", "status,announced", "source,x", "date,day,feast"]
    feasts = [f"2028-{day},rest" for day in ("01-01", "05-01", "10-01", "10-02", "10-03")]
    assert read_year("\n".join([*bare, *feasts])).year == 2028
    assert set(read_year("\n".join([*HEAD, "date,day,feast,remark", *feasts])).days.values()) == {("rest", "")}
    assert read_year(
        "\n".join(["year,1950,", *HEAD[1:], "date,day,feast", *(x.replace("2028", "1950") for x in feasts)])
    )


def test_a_year_is_written_in_one_form() -> None:
    text = write_year(CALENDAR.tables[2026])
    assert text.split("\n")[:5] == [
        "year,2026,",
        "status,announced,",
        f"source,{CALENDAR.tables[2026].source},",
        "date,day,feast",
        "2026-01-01,rest,元旦",
    ]
    assert "\r" not in text and text.endswith("\n")


def test_a_calendar_of_one_year_takes_its_notice() -> None:
    only = CALENDAR.tables[2027]
    alone = WorkingDayCalendar([only])
    assert alone.with_year(YearTable(2027, ANNOUNCED, "x", only.days)).years == (2027,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "year,2028\n",
        "date,day,feast\n2028-01-01,rest,x",
        "year,28,\nstatus,announced,\nsource,x,\ndate,day,feast\n",
    ],
)
def test_a_file_that_is_no_year_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"calendar\.file"):
        read_year(text)


def test_a_notice_that_forgets_a_fixed_feast_is_refused() -> None:
    text = "\n".join(
        line for line in write_year(CALENDAR.tables[2026]).splitlines() if not line.startswith("2026-10-0")
    )
    with pytest.raises(Invalid) as refusal:
        read_year(text)
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [
        (f"2026-10-0{day}", "calendar.feast_missing") for day in (1, 2, 3)
    ]

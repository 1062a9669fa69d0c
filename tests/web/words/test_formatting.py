"""How values look: exact money, named zones, lengths that are never rounded up, digests one can compare."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.money import Money
from web.desks.parts import charts
from web.http import layout
from web.words import formatting

T = datetime(2026, 3, 18, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "zh", "en"),
    [
        (818000000, "8,180,000.00 元", "8,180,000.00 yuan"),
        (1, "0.01 元", "0.01 yuan"),
        (-50, "−0.50 元", "−0.50 yuan"),
        (
            9007199254740993,
            "90,071,992,547,409.93 元",
            "90,071,992,547,409.93 yuan",
        ),  # 2**53 + 1: a float would lose it
    ],
)
def test_money_is_exact_in_both_languages(minor: int, zh: str, en: str) -> None:
    assert formatting.money(Money(minor), "zh") == zh
    assert formatting.money(Money(minor), "en") == en


@given(st.integers(-(10**16), 10**16))
def test_money_reads_back_to_the_fen(minor: int) -> None:
    shown = formatting.figure(Money(minor)).replace("−", "-").replace(",", "")
    assert Decimal(shown) * 100 == minor


def test_a_float_is_never_money() -> None:
    with pytest.raises((TypeError, AttributeError)):
        formatting.money(0.1, "zh")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minor", "lang", "figure", "unit"),
    [
        (2_859_116_900_00, "zh", "28.59", "亿元"),
        (99_999_99, "zh", "10.00", "万元"),
        (9_999_00, "zh", "9,999.00", "元"),
        (-1_500_000_00, "zh", "−150.00", "万元"),
        (2_859_116_900_00, "en", "2.86", "bn yuan"),
        (1_234_567_00, "en", "1.23", "m yuan"),
    ],
)
def test_a_figure_for_a_glance_names_its_unit(minor: int, lang: str, figure: str, unit: str) -> None:
    assert formatting.big(Money(minor), lang) == (figure, unit)


def test_moments_are_in_the_centres_zone_and_say_so() -> None:
    assert formatting.moment(T, "zh") == "2026-03-18 09:30:00 北京时间（UTC+8）"
    assert formatting.moment(T, "en") == "2026-03-18 09:30:00 Beijing time (UTC+8)"
    assert formatting.moment(datetime(2026, 3, 17, 16, 0, tzinfo=UTC), "zh").startswith("2026-03-18 00:00:00")
    assert formatting.moment(T, "en", ZoneInfo("Asia/Kolkata")) == "2026-03-18 07:00:00 Kolkata time (UTC+5:30)"


def test_a_short_moment_drops_what_the_desk_knows() -> None:
    assert formatting.moment_short(T, "zh", now=T) == "今日 09:30"
    assert formatting.moment_short(T + timedelta(days=2, seconds=5), "zh", now=T) == "3 月 20 日 09:30:05"
    assert formatting.moment_short(T, "zh", now=T + timedelta(days=400)) == "2026-03-18 09:30"
    # the day turns at midnight in Beijing, not in UTC
    assert formatting.moment_short(datetime(2026, 3, 18, 16, 30, tzinfo=UTC), "en", now=T) == "19 Mar 00:30"


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0 秒", "0 s"),
        (59, "59 秒", "59 s"),
        (60, "1 分", "1 min"),
        (3599, "59 分 59 秒", "59 min 59 s"),
        (4740, "1 小时 19 分", "1 h 19 min"),
        (2 * 86400, "2 天", "2 d"),
        (2 * 86400 + 3 * 3600 + 3599, "2 天 3 小时", "2 d 3 h"),
    ],
)
def test_lengths_are_cut_and_never_rounded_up(seconds: int, zh: str, en: str) -> None:
    assert formatting.length(timedelta(seconds=seconds), "zh") == zh
    assert formatting.length(timedelta(seconds=seconds), "en") == en


def test_the_exact_second_is_late() -> None:
    assert formatting.left(T, T - timedelta(seconds=1), "zh") == "还有 1 秒"
    assert formatting.left(T, T, "zh") == "逾期 0 秒"


def test_digests_are_grouped_and_a_cut_one_says_so() -> None:
    digest = "sha256:" + "a81f30c29e47d6b5" + "0" * 44 + "51c0"
    assert formatting.digest(digest, 4) == "a81f 30c2 9e47 d6b5 … 51c0"
    assert formatting.digest(digest).replace(" ", "") == digest.removeprefix("sha256:")
    assert formatting.digest(bytes([0xA8, 0x1F])) == "a81f"


def test_facts_take_their_full_forms_and_sets_their_order() -> None:
    assert formatting.fact(T, "en") == "2026-03-18 09:30:00 Beijing time (UTC+8)"
    assert formatting.fact(date(2026, 3, 18), "zh") == "2026-03-18"
    assert formatting.fact(Money(17_200_000), "zh") == "172,000.00 元"
    assert formatting.fact(frozenset({"b", "a"}), "zh") == "a、b"
    assert formatting.fact(True, "en") == "yes"
    assert formatting.fact(None) == "–"


def test_percent_rounds_half_up_exactly() -> None:
    assert formatting.percent(Fraction(5625, 1000)) == "5.63%"
    assert formatting.percent(Fraction(-1, 3)) == "−0.33%"


def test_a_tag_escapes_what_it_shows() -> None:
    assert "<script>" not in formatting.tag(formatting.Label("<script>", "stop"))


def test_the_sun_line_places_today_only() -> None:
    day = layout.sun_line(
        T,
        [layout.Tick(T + timedelta(hours=3), "截止"), layout.Tick(T + timedelta(days=1), "明日")],
        lang="zh",
        zone=formatting.ZONE,
    )
    assert [t.text for t in day.ticks] == ["12:30 截止"]
    assert (day.now_at, day.ticks[0].at) == ("15.00", "45.00")
    assert "明日" not in day.spoken


@given(st.lists(st.integers(-60, 660), max_size=9, unique=True), st.integers(0, 600))
def test_labels_of_a_crowded_sun_line_stand_beside_their_own_marks(minutes: list[int], now: int) -> None:
    """Labels were centred over their marks and, when crowded, stood over those of others."""
    eight = T.replace(hour=0, minute=0)  # 08:00 in Beijing
    ticks = [layout.Tick(eight + timedelta(minutes=m), "开标", m % 3 == 0) for m in minutes]
    day = layout.sun_line(eight + timedelta(minutes=now), ticks, lang="zh", zone=formatting.ZONE)
    shown = sorted(m for m in minutes if 0 <= m <= 600)
    assert [one.at for one in day.ticks] == [f"{m * 10_000 // 600 // 100}.{m * 10_000 // 600 % 100:02}" for m in shown]
    assert all(one.anchor in ("start", "end") and one.name.endswith("开标") for one in day.ticks)
    following = next((n for n, m in enumerate(shown) if m >= now), None)
    assert following is None or (day.ticks[following].first and day.ticks[following].text)
    wide = Fraction(85 * 12, 100)
    spans = [
        (
            one.lane,
            Fraction(one.at) - (wide if one.anchor == "end" else 0),
            Fraction(one.at) + (wide if one.anchor == "start" else 0),
        )
        for one in day.ticks
        if one.text
    ]
    for n, (lane, low, high) in enumerate(spans):
        assert low >= 0 and high <= 100
        assert not any(lane == other and low < b and a < high for other, a, b in spans[n + 1 :])
    assert day.lanes == max((one.lane + 1 for one in day.ticks if one.text), default=1)


def test_two_openings_close_to_each_other_are_both_named() -> None:
    day = layout.sun_line(
        T, [layout.Tick(T + timedelta(minutes=m), "开标") for m in (112, 147)], lang="zh", zone=formatting.ZONE
    )
    assert [(one.text, one.anchor, one.lane) for one in day.ticks] == [
        ("11:22 开标", "end", 0),
        ("11:57 开标", "start", 0),
    ]


@given(st.integers(0, 5000), st.text(max_size=12), st.text(max_size=12))
def test_any_page_asked_for_is_a_page_there_is(total: int, page: str, rows: str) -> None:
    found = layout.page_of(total, {"page": page, "rows": rows}, "/lots")
    assert found.size in layout.SIZES
    assert 0 <= found.first <= found.last <= total
    assert total == 0 or (found.last - found.first < found.size and found.offset == found.first - 1)


def test_pages_keep_the_filters() -> None:
    found = layout.page_of(100, {"page": "2", "word": "供水", "rows": "20"}, "/lots")
    assert found.after == "/lots?page=3&word=%E4%BE%9B%E6%B0%B4&rows=20"


def test_duties_stand_by_deadline_and_the_undated_last() -> None:
    duties = [
        layout.Duty("c"),
        layout.Duty("b", until=T + timedelta(days=3)),
        layout.Duty("a", until=T - timedelta(hours=1)),
    ]
    assert [(d.text, d.urgency) for d in layout.sorted_duties(duties, T)] == [("a", "late"), ("b", ""), ("c", "")]


@given(st.lists(st.integers(-1000, 100_000), min_size=1, max_size=14))
def test_bars_are_in_proportion_and_stand_on_zero(values: list[int]) -> None:
    chart = charts.columns("x", [str(i) for i in range(len(values))], [charts.Series("s", values)])
    assert len(chart.bars) == len(values)
    base = Fraction(chart.base)
    for value, bar in zip(values, chart.bars, strict=True):
        assert bar["height"] >= 0
        edge = bar["y"] + bar["height"] if value >= 0 else bar["y"]
        assert abs(edge - base) <= 1
        assert bar["tone"] == ("neg" if value < 0 else "award")
    tallest = max(range(len(values)), key=lambda i: values[i])
    assert chart.bars[tallest]["y"] == min(b["y"] for b in chart.bars)


def test_a_chart_carries_its_table() -> None:
    chart = charts.columns("x", ["1", "2"], [charts.Series("预算", [Fraction(1, 2), None])], head="月")
    assert chart.table == [["月", "预算"], ["1", "0.50"], ["2", "–"]]

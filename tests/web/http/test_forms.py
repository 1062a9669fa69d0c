"""Reading forms: every fault at once, nothing typed is lost, nothing strange comes through."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.errors import Conflict, Fault, Invalid
from trading.kernel.money import Money
from web.http.forms import Form, new_form_id


def form(**typed: object) -> Form:
    return Form.read({"form_id": new_form_id(), **typed})


def codes(read: Form) -> list[tuple[str, str]]:
    return [(f.where, f.code) for f in read.faults.found]


def test_all_faults_are_named_at_once() -> None:
    read = form(price="8O0", until="soon", name="", score="1e3", day="2026-02-30", media="x")
    read.money("price")
    read.moment("until")
    read.text("name")
    read.number("score")
    read.day("day")
    read.choices("media", ["a", "b"])
    read.ticked("sure", needed=True)
    with pytest.raises(Invalid) as refused:
        read.refuse_if_any()
    assert refused.value.code == "form.faults"
    assert [(f.where, f.code) for f in refused.value.faults] == [
        ("price", "money.letters"),
        ("until", "form.bad_moment"),
        ("name", "form.required"),
        ("score", "form.bad_number"),
        ("day", "form.bad_day"),
        ("media", "form.bad_choice"),
        ("sure", "form.not_ticked"),
    ]
    assert read.shown("price") == "8O0"


def test_good_values_come_out_exact() -> None:
    read = form(
        price="８，180，000.00 元", until="2026-03-18 09:30", day="2026-03-18", score="12.345", n="-3", media=["b", "a"]
    )
    assert read.money("price") == Money(818_000_000)
    assert read.moment("until") == datetime(2026, 3, 18, 1, 30, tzinfo=UTC)
    assert read.day("day") == date(2026, 3, 18)
    assert read.number("score") == Fraction(12345, 1000)
    assert read.whole("n") == -3
    assert read.choices("media", ["a", "b", "c"]) == ["a", "b"]
    read.refuse_if_any()


def test_limits_are_included() -> None:
    read = form(a="10", b="11", c="0.01")
    assert read.whole("a", most=10) == 10
    assert read.whole("b", most=10) is None
    assert read.money("c", least=Money(2)) is None
    assert codes(read) == [("b", "form.too_large"), ("c", "form.too_small")]


def test_what_is_not_needed_may_be_empty() -> None:
    read = form()
    assert (read.text("a", needed=False), read.money("b", needed=False), read.day("c", needed=False)) == (
        "",
        None,
        None,
    )
    read.refuse_if_any()


@pytest.mark.parametrize("text", ["a\x00b", "a\u202egnp.exe", "\ud800", "a\nb", "\u2066x"])
def test_text_that_deceives_the_eye_is_refused(text: str) -> None:
    read = form(name=text)
    assert read.text("name") == ""
    assert codes(read) == [("name", "form.bad_text")]


def test_lines_are_taken_where_they_are_wanted() -> None:
    assert form(x=" a\r\nb ").text("x", lines=True) == "a\nb"


def test_text_is_counted_after_normalising() -> None:
    assert form(x="e\u0301" * 5).text("x", limit=5) == "é" * 5
    read = form(x="字" * 6)
    read.text("x", limit=5)
    assert codes(read) == [("x", "form.too_long")]


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"form_id": "short"},
        {"form_id": "x" * 22, "version": "-1"},
        {"form_id": "x" * 22, "version": "1e9"},
        {"form_id": "<" * 22},
    ],
)
def test_a_form_without_its_marks_is_refused(marks: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="form.no_id"):
        Form.read(marks)


def test_form_ids_are_random() -> None:
    assert len({new_form_id() for _ in range(1000)}) == 1000


@given(st.text(max_size=60))
def test_no_text_ever_breaks_a_reader(text: str) -> None:
    read = form(x=text)
    for reader in (read.money, read.number, read.whole, read.day, read.moment, read.text):
        reader("x")
    assert read.shown("x") == text


def test_an_act_that_refuses_leaves_its_faults_in_the_form() -> None:
    read = form(price="1")
    read.fault("price", "form.too_small", least=2)
    read.learn(
        Invalid("form.faults", faults=[Fault("price", "form.too_small", {"least": 2}), Fault("name", "form.required")])
    )
    read.learn(Conflict("form.stale", seen=1, now=2))
    assert codes(read) == [("price", "form.too_small"), ("name", "form.required"), ("", "form.stale")]
    assert read.fault_of("name").code == "form.required"


def test_first_values_show_until_something_is_typed() -> None:
    blank = Form.blank(
        {"price": Money(818_000_000), "until": datetime(2026, 3, 18, 1, 30, tzinfo=UTC), "media": ["a"]}, version=3
    )
    assert (blank.shown("price"), blank.shown("until"), blank.shown("none")) == ("8180000.00", "2026-03-18 09:30", "")
    assert blank.holds("media", "a") and not blank.holds("media", "b")
    assert form(media="").shown("media") == ""


def test_one_form_for_each_of_several_things() -> None:
    """What was typed and what was at fault belongs to the one that was sent; the others are blank and have ids of their own."""
    sent = form(remark="7", text="短")
    sent.fault("text", "form.required")
    mine, other = sent.of(remark=7), sent.of(remark=8)
    assert mine is sent and mine.suffix == "" and mine.shown("text") == "短"
    assert (
        other.shown("text") == ""
        and other.fault_of("text") is None
        and other.form_id != sent.form_id
        and other.suffix == "-8"
    )
    assert {Form.blank().of(remark=n).suffix for n in (7, 8)} == {"-7", "-8"}


@pytest.mark.parametrize(
    ("typed", "picked"),
    [
        ("2026-03-18 09:30", "2026-03-18T09:30"),
        ("2026-03-18T09:30", "2026-03-18T09:30"),
        ("", ""),
        ("  ", ""),
        ("3月18日上午", None),
        ("2026-13-40 09:30", None),
        ("2026-03-18", None),
    ],
)
def test_a_picker_shows_a_moment_and_leaves_what_is_none_to_a_field_of_text(typed: str, picked: str | None) -> None:
    assert form(until=typed).picked("until") == picked
    assert Form.blank({"until": datetime(2026, 3, 18, 1, 30, tzinfo=UTC)}).picked("until") == "2026-03-18T09:30"


@pytest.mark.parametrize(
    ("typed", "picked"), [("2026-03-18", "2026-03-18"), ("", ""), ("2026-02-30", None), ("昨天", None)]
)
def test_a_picker_of_days(typed: str, picked: str | None) -> None:
    assert form(day=typed).picked("day", day=True) == picked

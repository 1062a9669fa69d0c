"""Exact numbers against the standard library's decimals, and the laws of rounding."""

from __future__ import annotations

import datetime as dt
import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel import exact
from trading.kernel.exact import BadValue, Rounding

fractions = st.fractions(max_denominator=10**6)
places = st.integers(0, 12)
modes = st.sampled_from(Rounding)
plain = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True)
DECIMAL_MODES = {
    Rounding.HALF_UP: decimal.ROUND_HALF_UP,
    Rounding.HALF_EVEN: decimal.ROUND_HALF_EVEN,
    Rounding.DOWN: decimal.ROUND_DOWN,
}


@given(plain, places, modes)
def test_rounds_as_the_decimals_of_the_standard_library(text: str, places: int, mode: Rounding) -> None:
    with decimal.localcontext(prec=100):
        expected = Decimal(text).quantize(Decimal(1).scaleb(-places), rounding=DECIMAL_MODES[mode])
    found = exact.written(exact.number(text, ""), places, mode)
    assert Decimal(found) == expected
    assert len(found.partition(".")[2]) == places


@given(fractions, places, modes)
def test_rounding_again_changes_nothing_and_stays_within_one_unit(value: Fraction, places: int, mode: Rounding) -> None:
    once = exact.rounded(value, places, mode)
    assert exact.rounded(once, places, mode) == once
    assert abs(once - value) < Fraction(1, 10**places)
    if mode is Rounding.DOWN:
        assert abs(once) <= abs(value)
    else:
        assert abs(once - value) <= Fraction(1, 2 * 10**places)


@given(fractions, places, modes)
def test_signs_are_treated_alike(value: Fraction, places: int, mode: Rounding) -> None:
    assert exact.rounded(-value, places, mode) == -exact.rounded(value, places, mode)


@given(plain)
def test_written_exactly_is_read_back(text: str) -> None:
    value = exact.number(text, "")
    assert exact.number(exact.written_exactly(value), "") == value == Fraction(text)


@pytest.mark.parametrize(
    ("value", "places", "mode", "written"),
    [
        ("2.5", 0, Rounding.HALF_UP, "3"),
        ("2.5", 0, Rounding.HALF_EVEN, "2"),
        ("3.5", 0, Rounding.HALF_EVEN, "4"),
        ("2.5", 0, Rounding.DOWN, "2"),
        ("-2.5", 0, Rounding.HALF_UP, "-3"),
        ("-2.9", 0, Rounding.DOWN, "-2"),
        ("-0.004", 2, Rounding.HALF_UP, "0.00"),
        ("0.005", 2, Rounding.HALF_UP, "0.01"),
        ("1.005", 2, Rounding.HALF_UP, "1.01"),
    ],
)
def test_halves(value: str, places: int, mode: Rounding, written: str) -> None:
    assert exact.written(exact.exact(value), places, mode) == written


def test_a_third_is_a_third() -> None:
    assert exact.mean([Fraction(0), Fraction(0), Fraction(1)]) * 3 == 1
    with pytest.raises(ValueError, match="no finite decimal form"):
        exact.written_exactly(Fraction(1, 3))


@pytest.mark.parametrize("value", [1.5, True, None, b"1", [1]])
def test_a_float_is_a_defect_of_the_caller(value: object) -> None:
    with pytest.raises(TypeError):
        exact.exact(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [1.5, True, None, "1e3", "+5", ".5", "5.", " 5", "5\n", "", "-", "１", "1,000", "NaN", [], {}]
)
def test_what_no_number_is(value: object) -> None:
    with pytest.raises(BadValue) as refused:
        exact.number(value, "quotes.A")
    assert (refused.value.code, refused.value.where) == ("bad_number", "quotes.A")


@pytest.mark.parametrize(
    "value",
    [
        "2026-2-3",
        "20260203",
        "2026-02-29",
        "0000-01-01",
        "2026-W01-1",
        "2026-02-03T00:00",
        "２026-01-01",
        20260203,
        None,
    ],
)
def test_what_no_day_is(value: object) -> None:
    with pytest.raises(BadValue, match="bad_date at on"):
        exact.day(value, "on")


def test_null_is_absent_in_a_field_and_an_error_in_a_map() -> None:
    assert exact.take({"a": None}, "a", exact.price, default=7) == 7
    with pytest.raises(BadValue, match=r"missing at x\.a"):
        exact.take({"a": None}, "a", exact.price, "x")
    with pytest.raises(BadValue, match=r"bad_number at x\.a"):
        exact.map_of(exact.price)({"a": None}, "x")


def test_limits() -> None:
    assert exact.rate("0", "") == 0
    assert exact.amount(0, "") == 0
    for read, value in ((exact.rate, "1"), (exact.rate, "-0.1"), (exact.price, "0"), (exact.amount, "-0.01")):
        with pytest.raises(BadValue, match="too_"):
            read(value, "")


@given(st.integers(), st.integers(0, 5))
def test_counts_are_whole_json_numbers(value: int, least: int) -> None:
    read = exact.count(least)
    if value >= least:
        assert read(value, "") == value
    else:
        with pytest.raises(BadValue, match="too_small"):
            read(value, "")
    with pytest.raises(BadValue, match="bad_count"):
        read(str(value), "")


def refused(read: exact.Reader[object], value: object) -> tuple[str, str]:
    with pytest.raises(BadValue) as fault:
        read(value, "at")
    return fault.value.code, fault.value.where


@pytest.mark.parametrize(("read", "inside", "under", "over"), [
    (exact.between("0.5", 2), ("0.5", 1, 2), ("0.49", 0), ("2.01", 3)),
    (exact.between(0, above=1, below=3), ("1.01", "2.99"), (1, 0), (3, "3.01")),
    (exact.between(high="7.5"), (-100, 0, "7.5"), (), ("7.51",)),
    (exact.price, ("0.01", 10**30), (0, "-0.01"), ()),
    (exact.amount, (0, "0.01", 10**30), ("-0.01",), ()),
    (exact.rate, (0, "0.99"), ("-0.01",), (1, "1.01")),
])  # fmt: skip
def test_a_number_stays_within_its_limits(
    read: exact.Reader[Fraction], inside: tuple[object, ...], under: tuple[object, ...], over: tuple[object, ...]
) -> None:
    for value in inside:
        assert read(value, "at") == Fraction(str(value))
    assert [refused(read, value) for value in under] == [("too_small", "at")] * len(under)
    assert [refused(read, value) for value in over] == [("too_large", "at")] * len(over)


@pytest.mark.parametrize(("read", "value", "code"), [
    (exact.count(1), True, "bad_count"),
    (exact.count(1), 0, "too_small"),
    (exact.decimals, -1, "too_small"),
    (exact.decimals, 10_001, "too_large"),
    (exact.decimals, "2", "bad_count"),
    (exact.boolean, 0, "bad_boolean"),
    (exact.boolean, "true", "bad_boolean"),
    (exact.text, 1, "bad_text"),
    (exact.word("one", "two"), "three", "unknown_word"),
    (exact.word("one", "two"), 1, "unknown_word"),
    (exact.word("one", "two"), ["one"], "unknown_word"),
    (exact.record, [], "bad_object"),
    (exact.list_of(exact.text), {}, "bad_list"),
    (exact.list_of(exact.text, at_least=2), ["one"], "too_short"),
    (exact.map_of(exact.text), [], "bad_object"),
    (exact.map_of(exact.text), {}, "empty"),
])  # fmt: skip
def test_what_is_refused_has_its_code_and_its_place(read: exact.Reader[object], value: object, code: str) -> None:
    assert refused(read, value) == (code, "at")


@pytest.mark.parametrize(("read", "value"), [
    (exact.count(1), 1),
    (exact.decimals, 0),
    (exact.decimals, 10_000),
    (exact.boolean, False),
    (exact.text, ""),
    (exact.word("one", "two"), "two"),
    (exact.record, {"a": None}),
    (exact.list_of(exact.text), []),
    (exact.list_of(exact.text, at_least=2), ["one", "two"]),
    (exact.map_of(exact.text), {"a": "b"}),
    (exact.map_of(exact.text, may_be_empty=True), {}),
])  # fmt: skip
def test_what_is_read_is_given_back(read: exact.Reader[object], value: object) -> None:
    assert read(value, "at") == value


def test_a_day_that_exists() -> None:
    assert exact.day("2028-02-29", "") == dt.date(2028, 2, 29)
    assert exact.day("0001-12-31", "") == dt.date(1, 12, 31)


def test_places_inside_lists_and_maps() -> None:
    with pytest.raises(BadValue, match=r"^bad_text at x\[1\]: a string$"):
        exact.list_of(exact.text)(["a", 1], "x")
    with pytest.raises(BadValue, match=r"^bad_text at x\.b: a string$"):
        exact.map_of(exact.text)({"a": "", "b": 1}, "x")
    assert str(BadValue("code")) == "code"


def test_a_field_is_read_at_its_place() -> None:
    assert exact.take({"a": "1.5"}, "a", exact.number) == Fraction(3, 2)
    with pytest.raises(BadValue, match=r"^bad_number at a:"):
        exact.take({"a": ""}, "a", exact.number)
    with pytest.raises(BadValue, match=r"^missing at a:"):
        exact.take({}, "a", exact.number)
    assert exact.take({}, "a", exact.number, default=None) is None


def test_cases_and_the_params_of_rounding() -> None:
    assert exact.cases({"cases": [{"n": 1}, {}]}) == [{"n": 1}, {}]
    with pytest.raises(BadValue, match=r"^bad_object at cases\[1\]:"):
        exact.cases({"cases": [{}, 1]})
    with pytest.raises(BadValue, match="^missing at cases:"):
        exact.cases({})
    assert exact.rounding_params({}) == (2, Rounding.HALF_UP)
    assert exact.rounding_params({}, 4) == (4, Rounding.HALF_UP)
    assert exact.rounding_params({"places": 0, "rounding": "DOWN"}) == (0, Rounding.DOWN)
    assert [exact.rounding_mode({"rounding": mode}) for mode in ("HALF_UP", "HALF_EVEN", "DOWN")] == list(Rounding)
    with pytest.raises(BadValue, match="^unknown_word at rounding:"):
        exact.rounding_mode({"rounding": "UP"})
    with pytest.raises(BadValue, match="^too_small at places:"):
        exact.rounding_params({"places": -1})


@pytest.mark.parametrize(("value", "at_least", "expected"), [
    (Fraction(5), 2, "5.00"),
    (Fraction(5), 0, "5"),
    (Fraction(1, 8), 2, "0.125"),
    (Fraction(3, 125), 0, "0.024"),
    (Fraction(-7, 40), 1, "-0.175"),
    (Fraction(1, 2), 3, "0.500"),
    (Fraction(3, 10**40), 2, "0." + "0" * 39 + "3"),  # further than a float divides exactly
    (Fraction(1, 5**30), 0, f"0.{2**30:030d}"),
    (Fraction(1, 2**60), 0, f"0.{5**60:060d}"),
])  # fmt: skip
def test_all_decimals_and_no_more(value: Fraction, at_least: int, expected: str) -> None:
    assert exact.written_exactly(value, at_least) == expected
    if at_least == 2:
        assert exact.written_exactly(value) == expected


def test_a_string_that_is_no_number_has_no_place_of_its_own() -> None:
    with pytest.raises(BadValue) as fault:
        exact.exact("1e3")
    assert (fault.value.code, fault.value.where) == ("bad_number", "")


def test_two_places_and_halves_away_from_zero_unless_something_else_is_said() -> None:
    assert exact.written(Fraction(5, 1000)) == "0.01"
    assert exact.rounded(Fraction(-5, 1000)) == Fraction(-1, 100)
    assert exact.written(-1) == "-1.00"
    assert exact.exact(Decimal("0.1")) == Fraction(1, 10)
    assert exact.exact(Fraction(1, 3)) == Fraction(1, 3)


def test_more_digits_than_an_integer_may_be_written_with() -> None:
    for digits in (4000, 4001, 4301, 5000):
        written = "7" * digits
        assert exact.written(exact.number(written, ""), 0) == written
        assert exact.written(exact.number(f"-{written}.25", ""), 2) == f"-{written}.25"


def test_the_mean_of_parts_of_different_sizes() -> None:
    assert exact.mean([Fraction(1, 2), Fraction(1, 3), Fraction(5, 4), Fraction(-1)]) == Fraction(13, 48)

"""Exact numbers against the standard library's decimals, and the laws of rounding."""

from __future__ import annotations

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

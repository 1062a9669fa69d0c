"""Price points of government procurement by their vectors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from evaluation.methods.price_scores import METHODS, comprehensive_score, low_price_first
from tests.evaluation.methods.vectors import hold, refused, vectors_of
from trading.kernel.exact import BadValue


@vectors_of(
    "gp.low_price_first",
    "gp.low_price_first_sme",
    "gp.low_price_first_domestic",
    "gp.consultation_price_score",
    "gp.comprehensive_score",
)
def test_vectors(vector: dict[str, Any]) -> None:
    hold(METHODS, vector)


HOW = {"rounding": "DOWN", "places": 3, "factor_places": 1}
"""None of them is what is taken where nothing is said."""
ASKED: dict[str, Any] = {"quotes": {"A": "300", "B": "700"}, "deduction_rates": {"B": "0.1"}, "weight_points": "30"}
FOUND = {"benchmark": "300.00", "factors": {"A": "100.0", "B": "47.6"}, "price_scores": {"A": "30.000", "B": "14.285"}}
"""300 ÷ 630 is 0.476190…, of 30 points 14.2857…, both cut."""


def test_each_way_of_rounding_is_used_and_written() -> None:
    plain = METHODS["gp.low_price_first"](HOW, {**ASKED, "quotes": {"A": "300", "B": "630"}})
    sme = METHODS["gp.low_price_first_sme"](HOW, ASKED)
    domestic = METHODS["gp.low_price_first_domestic"](HOW, {**ASKED, "tender_date": "2026-03-02"})
    assert all({name: answer[name] for name in FOUND} == FOUND for answer in (plain, sme, domestic))
    first = METHODS["gp.low_price_first_sme"]({**HOW, "round_place": "factor_then_weight"}, ASKED)
    assert first["price_scores"] == {"A": "30.000", "B": "14.280"}
    bare = METHODS["gp.low_price_first_sme"]({}, ASKED)
    assert (bare["factors"]["B"], bare["price_scores"]["B"]) == ("47.62", "14.29")


def test_the_comprehensive_score_rounds_each_part_as_it_is_told() -> None:
    parts = {"subjective": {"A": ["1", "1", "0"], "B": ["2", "2", "1"]}, "objective": {"A": "5", "B": "4"}}
    asked = {**ASKED, **parts, "price_weight_points": "30.1"}
    how = {**HOW, "avg_places": 1, "round_place": "factor_then_weight"}
    found = METHODS["gp.comprehensive_score"](how, asked)
    assert found["subjective_avg"] == {"A": "0.6", "B": "1.6"}
    assert found["price_scores"] == {"A": "30.100", "B": "14.327"}  # 47.6 × 30.1 ÷ 100 is 14.3276, cut
    assert found["totals"] == {"A": "35.70", "B": "19.927"}
    bare = METHODS["gp.comprehensive_score"]({}, asked)
    assert (bare["subjective_avg"]["A"], bare["price_scores"]["B"]) == ("0.67", "14.33")


def test_hundredths_are_meant_where_no_places_are_named() -> None:
    quotes = {"A": Fraction(3), "B": Fraction(7)}
    alone = low_price_first(quotes, Fraction(30))
    assert (alone.factors["B"], alone.points["B"]) == (Fraction("42.86"), Fraction("12.86"))
    third = [Fraction(1), Fraction(0), Fraction(0)]
    whole = comprehensive_score(quotes, Fraction(30), dict.fromkeys("AB", third), dict.fromkeys("AB", Fraction(0)))
    assert (whole.price.factors, whole.price.points) == (alone.factors, alone.points)
    assert whole.subjective == dict.fromkeys("AB", Fraction("0.33"))


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(2)])
def test_a_deduction_leaves_something_of_the_price(rate: Fraction) -> None:
    with pytest.raises(BadValue) as fault:
        low_price_first({"A": Fraction(3), "B": Fraction(7)}, Fraction(30), deduction_rates={"A": rate})
    assert (fault.value.code, fault.value.where) == ("too_small", "quotes")


@pytest.mark.parametrize(
    ("subjective", "objective", "code", "where"),
    [
        ({"A": [Fraction(1)]}, {"A": Fraction(1), "B": Fraction(1)}, "missing", "subjective.B"),
        ({"A": [Fraction(1)], "B": []}, {"A": Fraction(1), "B": Fraction(1)}, "missing", "subjective.B"),
        ({"A": [Fraction(1)], "B": [Fraction(1)]}, {"A": Fraction(1)}, "missing", "objective.B"),
        (
            {"A": [Fraction(1)], "B": [Fraction(1)] * 2},
            {"A": Fraction(1), "B": Fraction(1)},
            "unequal_lists",
            "subjective",
        ),
    ],
)
def test_every_valid_bidder_has_points_of_every_member(
    subjective: dict[str, list[Fraction]], objective: dict[str, Fraction], code: str, where: str
) -> None:
    with pytest.raises(BadValue) as fault:
        comprehensive_score({"A": Fraction(3), "B": Fraction(7)}, Fraction(30), subjective, objective)
    assert (fault.value.code, fault.value.where) == (code, where)


def test_what_is_missing_is_named_with_its_place() -> None:
    asked = {**ASKED, "price_weight_points": "30", "subjective": {"A": ["1"]}, "objective": {"A": "1"}}
    method = "gp.comprehensive_score"
    assert refused(METHODS, method, asked) == ("missing", "subjective.B")
    assert refused(METHODS, method, {**asked, "subjective": {"A": ["1"], "B": ["1"]}}) == ("missing", "objective.B")
    assert refused(METHODS, method, asked, drop_extremes=True) == ("dropping_forbidden", "drop_extremes")
    for named in ("gp.low_price_first", "gp.low_price_first_sme", "gp.low_price_first_domestic"):
        assert refused(METHODS, named, {**ASKED, "invalid": ["Z"]}) == ("unknown_id", "invalid.Z")
        assert refused(METHODS, named, ASKED, round_place="first") == ("unknown_word", "round_place")
        assert refused(METHODS, named, ASKED, factor_places=-1)[1] == "factor_places"

"""Points of experts by their vectors."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from evaluation.methods.expert_scores import METHODS, is_consistent, outliers, trimmed, trimmed_mean_of_nine
from tests.evaluation.methods.vectors import hold, refused, vectors_of
from trading.kernel.exact import BadValue


@vectors_of(
    "expert.mean",
    "expert.trimmed_mean",
    "expert.trimmed_mean_9",
    "expert.objective_consistency",
    "expert.range_check",
    "expert.sum_check",
    "expert.outlier_flag",
    "expert.outlier_replace_chongqing",
)
def test_vectors(vector: dict[str, Any]) -> None:
    hold(METHODS, vector)


def test_seven_members_are_trimmed_and_six_are_not() -> None:
    seven = [Fraction(n) for n in (3, 1, 2, 7, 5, 6, 4)]
    assert trimmed(seven) == ([Fraction(n) for n in (2, 3, 4, 5, 6)], [Fraction(1), Fraction(7)])
    assert trimmed(seven[:6]) == ([Fraction(n) for n in (1, 2, 3, 5, 6, 7)], [])
    asked = METHODS["expert.trimmed_mean"]
    assert asked({}, {"scores": ["3", "1", "2", "7", "5", "6", "4.01"]}) == {
        "dropped": ["1.00", "7.00"],
        "mean": "4.002",
    }
    assert asked({}, {"scores": ["3", "1", "2", "7", "5", "6"]})["dropped"] == []
    assert asked({"places": 1, "rounding": "DOWN"}, {"scores": ["1", "1", "0.99"]})["mean"] == "0.9"


NINE: dict[str, list[Fraction]] = {f"m{n}": [Fraction(50 + n), Fraction(60 + n)] for n in range(9)}
WIDE = {**NINE, "m0": [Fraction(10), Fraction(90)]}


def test_nine_members_lose_the_widest_or_draw_between_the_two_that_are() -> None:
    found = trimmed_mean_of_nine(WIDE)
    assert (found.dropped_member, found.draw_required) == ("m0", []) and found.spread["m0"] == 80
    assert found.means == [Fraction(109, 2), Fraction(129, 2)]
    two = trimmed_mean_of_nine({**WIDE, "m1": [Fraction(10), Fraction(90)]})
    assert (two.dropped_member, two.draw_required, two.means) == (None, ["m0", "m1"], None)


@pytest.mark.parametrize(
    ("scores", "code", "where"),
    [
        (dict(list(NINE.items())[:8]), "nine_members", "scores_by_expert"),
        ({**NINE, "m0": [Fraction(1)]}, "unequal_lists", "scores_by_expert"),
        ({name: scores[:1] for name, scores in NINE.items()}, "two_bidders", "bidder_order"),
    ],
)
def test_what_is_no_panel_of_nine(scores: dict[str, list[Fraction]], code: str, where: str) -> None:
    with pytest.raises(BadValue) as fault:
        trimmed_mean_of_nine(scores)
    assert (fault.value.code, fault.value.where) == (code, where)


def test_nine_members_as_they_are_asked() -> None:
    method = "expert.trimmed_mean_9"
    given = {name: ["10", "90.01"] if name == "m0" else [str(50 + n), str(60 + n)] for n, name in enumerate(NINE)}
    given["m4"] = ["54.01", "64.01"]  # the means are 54.501666… and 64.501666…
    asked = {"bidder_order": ["A", "B"], "scores_by_expert": given}
    assert METHODS[method]({}, asked)["means"] == {"A": "54.502", "B": "64.502"}
    assert METHODS[method]({"places": 4, "rounding": "DOWN"}, asked)["means"] == {"A": "54.5016", "B": "64.5016"}
    assert refused(METHODS, method, {**asked, "bidder_order": ["A", "A"]}) == ("named_twice", "bidder_order")
    three = {**asked, "bidder_order": ["A", "B", "C"]}
    assert refused(METHODS, method, three) == ("unequal_lists", "scores_by_expert")
    assert refused(METHODS, method, {**asked, "bidder_order": ["A"]}) == ("too_short", "bidder_order")


def test_one_member_agrees_with_itself() -> None:
    assert is_consistent({"m1": Fraction(1)}) and is_consistent({})
    assert not is_consistent({"m1": Fraction(1), "m2": Fraction(2), "m3": Fraction(2)})


@pytest.mark.parametrize(("score", "flagged"), [("129.9", []), ("130", []), ("130.5", ["A"])])
def test_a_deviation_of_more_than_three_tenths_is_flagged(score: str, flagged: list[str]) -> None:
    given = {"A": Fraction(score), "B": Fraction(100), "C": Fraction(100)}
    assert outliers(given).flagged == flagged
    asked = {"scores": {"A": score, "B": "100", "C": "100"}}
    assert METHODS["expert.outlier_flag"]({}, asked)["flagged"] == flagged
    assert METHODS["expert.outlier_flag"]({"threshold": "0.29"}, asked)["flagged"] == ["A"]
    assert METHODS["expert.outlier_flag"]({"comparison": "greater_or_equal"}, asked)["flagged"] == (
        ["A"] if score != "129.9" else []
    )


def test_means_of_the_others_are_shown_with_four_places() -> None:
    found = METHODS["expert.outlier_flag"]({}, {"scores": {"A": "1", "B": "1", "C": "0", "D": "1"}})
    assert found["others_mean"] == {"A": "0.6667", "B": "0.6667", "C": "1.0000", "D": "0.6667"}


def test_one_score_has_a_mean_and_none_has_not() -> None:
    assert METHODS["expert.mean"]({}, {"scores": ["5"]}) == {"mean": "5.00"}
    assert METHODS["expert.mean"]({"places": 1, "rounding": "DOWN"}, {"scores": ["0.19"]}) == {"mean": "0.1"}
    for method, key in (("mean", "scores"), ("trimmed_mean", "scores"), ("sum_check", "items")):
        assert refused(METHODS, f"expert.{method}", {key: [], "stated_total": "0"}) == ("too_short", key)
    assert refused(METHODS, "expert.outlier_flag", {"scores": {"A": "1"}}) == ("too_short", "scores")


def test_a_replacement_asks_what_it_needs() -> None:
    asked = {"scores": {"A": "1", "B": "4", "C": "4.5"}, "abnormal_member": "A", "votes_abnormal": 0, "members": 3}
    method = "expert.outlier_replace_chongqing"
    assert METHODS[method]({}, asked) == {"applies": False, "replacement": None, "item_mean_after": "3.17"}
    assert METHODS[method]({}, {**asked, "votes_abnormal": 2})["replacement"] == "4.25"
    assert METHODS[method]({}, {**asked, "votes_abnormal": 3})["item_mean_after"] == "4.25"
    for change, code, where in (
        ({"votes_abnormal": 4}, "too_large", "votes_abnormal"),
        ({"members": 4}, "wrong_number", "members"),
        ({"abnormal_member": "Z"}, "unknown_id", "abnormal_member"),
        ({"scores": {"A": "1"}}, "too_short", "scores"),
    ):
        assert refused(METHODS, method, {**asked, **change}) == (code, where)
    two = {"scores": {"A": "1", "B": "4"}, "abnormal_member": "A", "votes_abnormal": 1, "members": 2}
    assert METHODS[method]({}, two)["applies"] is False
    assert METHODS[method]({}, {**two, "votes_abnormal": 2}) == {
        "applies": True,
        "replacement": "4.00",
        "item_mean_after": "4.00",
    }

"""The outcome: the worked example, the order that never matters, tie rules, and the arithmetic lines taken at their word."""

from __future__ import annotations

import copy
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.canonical import dumps
from evaluation.methods.inputs import BidIn, Inputs
from evaluation.methods.points import objective_mismatches, ranked
from evaluation.methods.price_scores import comprehensive_score
from evaluation.scoring import outcome, schemes
from tests.kit.schemes import SCHEMES
from trading.kernel.exact import BadValue, written_exactly

# The comprehensive example of the rulebook (GP-CS-01): five experts, subjective 40, objective 20, price 40.
QUOTES = {"A": 980_000, "B": 1_000_000, "C": 1_060_000}
SUBJECTIVE = {"A": [25, 26, 24, 27, 25], "B": [28, 27, 29, 26, 28], "C": [22, 23, 21, 24, 22]}
OBJECTIVE = {"A": 20, "B": 18, "C": 20}
GP = schemes.read(
    {
        **copy.deepcopy(SCHEMES["GP"]),
        "criteria": [
            {"id": "price", "title": "报价", "kind": "price", "max": "40"},
            {"id": "plan", "title": "方案", "kind": "subjective", "max": "40"},
            {"id": "record", "title": "业绩", "kind": "objective", "max": "20"},
        ],
    }
)
WORKS = schemes.read(SCHEMES["WORKS"])


def example(**changes: Any) -> Inputs:
    scores = {
        no + 1: {b: {"plan": Fraction(SUBJECTIVE[b][no]), "record": Fraction(OBJECTIVE[b])} for b in QUOTES}
        for no in range(5)
    }
    bids = [BidIn(code, f"firm {code}", Fraction(quote)) for code, quote in QUOTES.items()]
    held: dict[str, Any] = {"scheme": GP, "bids": bids, "scores": scores}
    return Inputs(**(held | changes))


def test_the_worked_example() -> None:
    found = outcome.outcome(example())
    ranks = [(one["bidder"], one["total"], one["rank"]) for one in found["bids"]]
    assert ranks == [("A", "85.40", 1), ("B", "84.80", 2), ("C", "79.38", 3)]
    assert [part["points"] for part in found["bids"][1]["criteria"]] == ["39.20", "27.60", "18.00"]
    assert found["bids"][1]["criteria"][0]["line"] == "980000.00 ÷ 1000000.00 × 40 = 39.20"
    assert found["bids"][0]["total_line"] == "40.00 + 25.40 + 20.00 = 85.40"


def test_it_agrees_with_the_method_of_the_vectors() -> None:
    told = comprehensive_score(
        {code: Fraction(quote) for code, quote in QUOTES.items()},
        Fraction(40),
        {code: [Fraction(one) for one in given] for code, given in SUBJECTIVE.items()},
        {c: Fraction(v) for c, v in OBJECTIVE.items()},
    )
    assert {one["bidder"]: one["total"] for one in outcome.outcome(example())["bids"]} == {
        code: written_exactly(total) for code, total in told.totals.items()
    }


def test_a_rejected_bid_sets_no_benchmark_and_is_told_with_its_ground() -> None:
    finding = {"stage": "conformity", "clause": "三、2", "reason": "低于成本", "votes_for": 1, "votes_against": 4}
    bids = [*example().bids, BidIn("D", "firm D", Fraction(1), False, finding)]
    found = outcome.outcome(example(bids=bids))
    assert found["price"]["benchmark"] == "980000.00" and [one["bidder"] for one in found["bids"]] == ["A", "B", "C"]
    assert found["rejected"] == [{"bidder": "D", "name": "firm D", "quote": "1.00", **finding}]


def test_the_deduction_for_small_firms_moves_the_benchmark() -> None:
    bids = [
        BidIn("A", "a", Fraction(980_000)),
        BidIn("B", "b", Fraction(1_000_000), small=True),
        BidIn("C", "c", Fraction(1_060_000)),
    ]
    found = {one["bidder"]: one for one in outcome.outcome(example(bids=bids))["bids"]}
    assert found["B"]["criteria"][0]["line"] == "1000000.00 × (1 − 0.1) = 900000.00; 900000.00 ÷ 900000.00 × 40 = 40.00"
    assert (
        found["A"]["criteria"][0]["points"] == "36.73" and found["B"]["quote"] == "1000000.00"
    )  # the contract is at the raw quote


def test_objective_points_must_be_equal() -> None:
    inputs = example()
    inputs.scores[3]["B"]["record"] = Fraction(17)  # type: ignore[index]
    assert objective_mismatches(inputs)[0]["criterion"] == "record"
    with pytest.raises(BadValue, match="objective_differs"):
        outcome.outcome(inputs)


def test_outliers_are_prompts() -> None:
    inputs = example()
    inputs.scores[4]["A"]["plan"] = Fraction(12)  # type: ignore[index]
    flags = outcome.outlier_flags(inputs)
    assert [(one["bidder"], one["criterion"], one["seat"]) for one in flags] == [("A", "plan", 4)]
    assert flags[0]["others"] == "25.00" and flags[0]["percent"] == "52.00"
    outcome.outcome(inputs)


def test_equal_scores_go_by_the_lower_quote_and_then_stay_tied() -> None:
    same = {no: {code: {"plan": Fraction(30), "record": Fraction(20)} for code in "AB"} for no in (1, 2, 3)}
    tied = example(bids=[BidIn("A", "a", Fraction(100)), BidIn("B", "b", Fraction(100))], scores=same)
    found = outcome.outcome(tied)
    assert [one["rank"] for one in found["bids"]] == [1, 1] and found["ties"] == [["A", "B"]]
    broken = outcome.outcome(example(bids=tied.bids, scores=same, tie_break=("B", "A")))
    assert [(one["bidder"], one["rank"]) for one in broken["bids"]] == [("B", 1), ("A", 2)] and broken["ties"] == []
    assert ranked({"A": Fraction(80), "B": Fraction(80)}, {"A": Fraction(2), "B": Fraction(1)}).order == [
        ["B"],
        ["A"],
    ]
    # A tie break moves nobody past a better total.
    assert (
        ranked({"A": Fraction(81), "B": Fraction(80)}, {"A": Fraction(2), "B": Fraction(1)}, ("B", "A")).winner == "A"
    )


def test_works_points_follow_the_drawn_coefficient() -> None:
    quotes = {"A": 9_800_000, "B": 9_600_000, "C": 9_400_000, "D": 9_900_000}  # WK-MEAN-01, with K = 1
    bids = [BidIn(code, code, Fraction(quote)) for code, quote in quotes.items()]
    scores = {1: {code: {"design": Fraction(20), "team": Fraction(10)} for code in quotes}}
    found = outcome.outcome(Inputs(WORKS, bids, scores, coefficient="1"))
    points = {one["bidder"]: one["criteria"][0]["points"] for one in found["bids"]}
    assert (
        points == {"A": "58.71", "B": "59.61", "C": "58.58", "D": "57.67"}
        and found["price"]["benchmark"] == "9675000.00"
    )
    lower = outcome.outcome(Inputs(WORKS, bids, scores, coefficient="0.95"))
    assert lower["price"]["line"].endswith("9675000.00 × 0.95 = 9191250.00")
    with pytest.raises(BadValue):
        outcome.outcome(Inputs(WORKS, bids, scores, coefficient=""))


def test_works_may_drop_the_highest_and_lowest_member() -> None:
    scheme = schemes.read({**SCHEMES["WORKS"], "trim_from": 7})
    given_points = ["18", "19", "17.5", "20", "15", "18.5", "19"]  # EX-TRIM-01
    scores = {
        no: {"A": {"design": Fraction(points), "team": Fraction(10)}} for no, points in enumerate(given_points, start=1)
    }
    found = outcome.outcome(Inputs(scheme, [BidIn("A", "a", Fraction(100))], scores, coefficient="1"))
    row = found["bids"][0]["criteria"][1]
    assert row["points"] == "18.40" and row["dropped"] == ["15.00", "20.00"]


points = st.integers(0, 4000).map(lambda cents: Fraction(cents, 100))


@st.composite
def evaluations(draw: st.DrawFn) -> Inputs:
    codes = draw(st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=5, unique=True))
    bids = [BidIn(code, code, Fraction(draw(st.integers(1, 10**9)), 100), draw(st.booleans())) for code in codes]
    seats = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True))
    objective = {code: Fraction(draw(st.integers(0, 20))) for code in codes}
    scores = {no: {code: {"plan": draw(points), "record": objective[code]} for code in codes} for no in seats}
    return Inputs(GP, bids, scores)


@given(evaluations(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_bids_and_members_never_matters(inputs: Inputs, random: Any) -> None:
    bids, seats = list(inputs.bids), list(inputs.scores)
    random.shuffle(bids)
    random.shuffle(seats)
    turned = Inputs(GP, bids, {no: dict(reversed(list(inputs.scores[no].items()))) for no in seats})
    assert dumps(outcome.outcome(turned)) == dumps(outcome.outcome(inputs))


@given(evaluations())
@settings(max_examples=60)
def test_what_people_see_adds_up(inputs: Inputs) -> None:
    """Totals are sums of the parts as shown; each mean is its line; ranks follow totals, then quotes."""
    found = outcome.outcome(inputs)["bids"]
    for one in found:
        assert sum(Fraction(part["points"]) for part in one["criteria"]) == Fraction(one["total"])
        line = one["criteria"][1]["line"]
        shown = [Fraction(text) for text in re.findall(r"[\d.]+", line.split(")")[0])]
        assert abs(sum(shown, Fraction(0)) / len(shown) - Fraction(line.rsplit("= ", 1)[1])) <= Fraction(5, 1000)
    for better, worse in pairwise(found):
        keys = [(-Fraction(one["total"]), Fraction(one["quote"])) for one in (better, worse)]
        assert keys[0] <= keys[1]
        assert better["rank"] <= worse["rank"]

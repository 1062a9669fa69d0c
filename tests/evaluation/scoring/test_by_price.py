"""Methods that rank by a price: worked examples, ties, the order that never matters, lines at their word, what a scheme may say."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.canonical import dumps
from evaluation.methods.inputs import BidIn, Inputs
from evaluation.scoring import outcome, schemes
from tests.evaluation.scoring.test_schemes import faults
from tests.kit.schemes import SCHEMES
from trading.kernel.exact import BadValue, number

VECTORS = {
    one["id"]: one
    for one in json.loads((Path(__file__).parents[2] / "vectors/formula_vectors.json").read_text("utf-8"))["vectors"]
}
GP, WORKS = schemes.read(SCHEMES["GP_LOWEST"]), schemes.read(SCHEMES["WK_LOWEST"])


def ranked(inputs: Inputs) -> dict[str, dict[str, Any]]:
    return {one["bidder"]: one for one in outcome.outcome(inputs)["bids"]}


def test_the_lowest_evaluated_price_is_that_of_the_vector() -> None:
    told = VECTORS["GP-LEP-01"]
    small = told["inputs"]["deduction_rates"]
    bids = [BidIn(code, code, number(text, code), code in small) for code, text in told["inputs"]["quotes"].items()]
    found = ranked(Inputs(GP, bids, {}))
    assert {code: one["total"] for code, one in found.items()} == told["expected"]["evaluated_prices"]
    assert {code: one["rank"] for code, one in found.items()} == told["expected"]["ranks"]
    assert found["C"]["total_line"] == "310000.00 × (1 − 0.1) = 279000.00" and found["A"]["total_line"] == "300000.00"
    assert found["C"]["quote"] == told["expected"]["award_price"]


def test_the_lowest_reviewed_price_is_that_of_the_vector() -> None:
    told = VECTORS["WK-LRP-01"]
    bids = [
        BidIn(
            code, code, *(number(row["quote"], code),), False, {}, number(row["arith"], code), number(row["adj"], code)
        )
        for code, row in told["inputs"]["bids"].items()
    ]
    found = ranked(Inputs(WORKS, bids, {}))
    assert {code: one["total"] for code, one in found.items()} == told["expected"]["reviewed_prices"]
    assert {code: one["rank"] for code, one in found.items()} == told["expected"]["ranks"]
    assert found["A"]["corrected"] == told["expected"]["award_price"]
    assert found["A"]["total_line"] == "10000000.00 − 20000.00 = 9980000.00; 9980000.00 + 50000.00 = 10030000.00"
    assert found["B"]["total_line"] == "9900000.00 + 180000.00 = 10080000.00"


def test_nothing_is_scored_and_the_facts_say_so() -> None:
    found = outcome.outcome(Inputs(GP, [BidIn("A", "a", Fraction(100)), BidIn("B", "b", Fraction(90))], {}))
    assert found["ranked_by"] == "price" and [one["criteria"] for one in found["bids"]] == [[], []]
    assert found["price"] == {"formula": "lowest_evaluated_price", "small_firm": "0.1", "lowest": "90.00"}
    assert GP.scored == WORKS.scored == GP.criteria == ()
    assert outcome.outlier_flags(Inputs(GP, [BidIn("A", "a", Fraction(100))], {})) == []


def test_equal_prices_are_tied_whatever_the_quotes_until_the_panel_votes() -> None:
    bids = [BidIn("A", "a", Fraction(90)), BidIn("B", "b", Fraction(100), small=True), BidIn("C", "c", Fraction(95))]
    found = outcome.outcome(Inputs(GP, bids, {}))
    assert found["ties"] == [["A", "B"]] and [one["rank"] for one in found["bids"]] == [1, 1, 3]
    voted = outcome.outcome(Inputs(GP, bids, {}, tie_break=("B", "A")))
    assert [(one["bidder"], one["rank"]) for one in voted["bids"]] == [("B", 1), ("A", 2), ("C", 3)]
    moved = outcome.outcome(Inputs(GP, bids, {}, tie_break=("C",)))
    assert moved["bids"][-1]["bidder"] == "C"  # a vote moves nobody past a lower price


def test_what_cannot_rank_is_refused() -> None:
    with pytest.raises(BadValue, match="missing"):
        outcome.outcome(Inputs(GP, [BidIn("A", "a", None)], {}))
    with pytest.raises(BadValue, match="corrected_price"):
        outcome.outcome(Inputs(WORKS, [BidIn("A", "a", Fraction(10), arithmetic=Fraction(-10))], {}))


amounts = st.integers(-50, 50).map(Fraction)


@st.composite
def evaluations(draw: st.DrawFn) -> Inputs:
    codes = draw(st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=6, unique=True))
    bids = [
        BidIn(code, code, Fraction(draw(st.integers(100, 130))), draw(st.booleans()), {}, draw(amounts), draw(amounts))
        for code in codes
    ]
    finding = {"stage": "conformity", "clause": "三、2", "reason": "低于成本", "votes_for": 1, "votes_against": 4}
    rejected = draw(st.sets(st.sampled_from(codes)))
    bids = [
        BidIn(one.bidder, one.name, one.quote, one.small, finding) if one.bidder in rejected else one for one in bids
    ]
    tie_break = draw(st.permutations(codes).map(lambda order: tuple(order[: len(order) // 2])))
    return Inputs(draw(st.sampled_from([GP, WORKS])), bids, {}, tie_break=tie_break)


@given(evaluations(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_bids_never_matters(inputs: Inputs, random: Any) -> None:
    bids = list(inputs.bids)
    random.shuffle(bids)
    turned = Inputs(inputs.scheme, bids, {}, tie_break=inputs.tie_break)
    assert dumps(outcome.outcome(turned)) == dumps(outcome.outcome(inputs))


@given(evaluations())
@settings(max_examples=60)
def test_what_people_see_leads_to_the_price_that_ranks(inputs: Inputs) -> None:
    """Each line ends in the price; reckoned by its own signs it comes to that; ranks follow prices."""
    found = outcome.outcome(inputs)
    for one in found["bids"]:
        price = Fraction(one["quote"])
        for step in one["total_line"].split("; "):
            if match := re.fullmatch(r"([\d.]+) ([+−]) ([\d.]+) = ([\d.]+)", step):
                start, sign, by, end = match.groups()
                assert Fraction(start) == price
                price += Fraction(by) if sign == "+" else -Fraction(by)
                assert Fraction(end) == price
            elif match := re.fullmatch(r"([\d.]+) × \(1 − ([\d.]+)\) = ([\d.]+)", step):
                price *= 1 - Fraction(match[2])
                assert Fraction(match[1]) == Fraction(one["quote"]) and Fraction(match[3]) == price
            else:
                assert Fraction(step) == price
        assert Fraction(one["total"]) == price
    for better, worse in pairwise(found["bids"]):
        assert Fraction(better["total"]) <= Fraction(worse["total"]) and better["rank"] <= worse["rank"]
    assert {one["bidder"] for one in found["rejected"]} == {bid.bidder for bid in inputs.bids if not bid.valid}


def test_a_scheme_by_price_says_what_its_method_knows_and_no_more() -> None:
    scored = {
        "criteria": SCHEMES["GP"]["criteria"],
        "rounding": SCHEMES["GP"]["rounding"],
        "outlier": "0.30",
        "blind": True,
    }
    found = faults(SCHEMES["GP_LOWEST"] | scored | {"small_firm": "0.50", "tie": "lot"})
    assert found == {
        ("scheme", "scheme.unknown_keys"),
        ("criteria", "scheme.no_points"),
        ("small_firm", "scheme.small_firm_rate"),
        ("tie", "scheme.tie"),
    }
    assert faults(SCHEMES["WK_LOWEST"] | {"common": False}, "WORKS") == {("common", "scheme.works_not_common")}
    assert ("adjustments", "scheme.adjustments") in faults(SCHEMES["WK_LOWEST"] | {"adjustments": 5}, "WORKS")
    assert ("common", "scheme.common") in faults(SCHEMES["WK_LOWEST"] | {"common": "yes"}, "WORKS")
    assert ("method", "scheme.method") in faults(SCHEMES["WK_LOWEST"])  # not of this procedure


def test_goods_of_one_uniform_standard_are_not_scored() -> None:
    assert faults(SCHEMES["GP"] | {"uniform": True}) == {("uniform", "scheme.uniform_lowest")}

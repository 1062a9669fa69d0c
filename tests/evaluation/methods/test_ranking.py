"""Who comes first, by the vectors of ranking."""

from __future__ import annotations

from typing import Any

from evaluation.methods.ranking import METHODS
from tests.evaluation.methods.vectors import hold, refused, vectors_of


@vectors_of(
    "gp.lowest_evaluated_price",
    "gp.same_brand_lowest_price",
    "gp.same_brand_scoring",
    "gp.rank",
    "gp.rank_consultation",
    "gp.rank_lowest_price",
    "gp.negotiation_lowest",
    "works.rank",
)
def test_vectors(vector: dict[str, Any]) -> None:
    hold(METHODS, vector)


def test_three_brands_are_enough_and_two_are_not() -> None:
    bids = {bidder: {"brand": bidder, "quote": "5", "valid": True} for bidder in "ABC"}
    method = METHODS["gp.same_brand_lowest_price"]
    assert method({}, {"bids": bids})["enough_for_evaluation"] is True
    assert method({}, {"bids": {**bids, "C": {**bids["C"], "brand": "B"}}})["enough_for_evaluation"] is False


def test_candidates_stand_by_their_scores_and_may_be_one() -> None:
    bids = {"A": {"brand": "X", "score": "80"}, "B": {"brand": "Y", "score": "90"}}
    scored = METHODS["gp.same_brand_scoring"]
    assert scored({}, {"bids": bids, "candidates_wanted": 2})["candidates"] == ["B", "A"]
    assert scored({}, {"bids": bids, "candidates_wanted": 1})["candidates"] == ["B"]
    works = {bidder: {"score": bid["score"], "quote": "1"} for bidder, bid in bids.items()}
    assert METHODS["works.rank"]({}, {"bids": works, "max_candidates": 1})["candidates"] == ["B"]


def test_what_is_missing_of_a_bid_is_named_with_the_bid() -> None:
    bid = {"brand": "X", "quote": "5", "valid": True, "score": "1"}

    def without(method: str, key: str) -> tuple[str, str]:
        bids = {"A": bid, "B": {name: value for name, value in bid.items() if name != key}}
        return refused(METHODS, method, {"bids": bids, "candidates_wanted": 1})

    for method, key in (
        ("gp.rank", "score"),
        ("gp.rank", "quote"),
        ("gp.same_brand_lowest_price", "brand"),
        ("gp.same_brand_lowest_price", "valid"),
        ("gp.same_brand_scoring", "brand"),
    ):
        assert without(method, key) == ("missing", f"bids.B.{key}")

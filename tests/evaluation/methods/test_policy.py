"""Policy limits of government procurement by their vectors."""

from __future__ import annotations

from typing import Any

from evaluation.methods.policy import METHODS
from tests.evaluation.methods.vectors import hold, refused, vectors_of


@vectors_of(
    "gp.price_weight_check",
    "gp.sme_rate_range",
    "gp.deduction_stacking",
)
def test_vectors(vector: dict[str, Any]) -> None:
    hold(METHODS, vector)


def test_deductions_that_eat_the_price_are_named() -> None:
    inputs = {"quote": "100", "rates": ["0.4", "0.6"]}
    assert refused(METHODS, "gp.deduction_stacking", inputs) == ("rates_reach_one", "rates")

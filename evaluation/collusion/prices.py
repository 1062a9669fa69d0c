"""Price patterns: quotes that climb in equal steps or equal proportions (CL-05, rulebook 8.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from trading.kernel.exact import Answer, count, list_of, price, take, written_exactly


@dataclass(frozen=True)
class PricePattern:
    """The exact steps between the ascending quotes, and whether all steps, or all quotients, are equal."""

    differences: list[Fraction]
    equal_difference: bool
    equal_ratio: bool


def price_pattern(quotes: Sequence[Fraction], min_bids: int = 4) -> PricePattern:
    """Whether the quotes form an arithmetic or a geometric row, exactly. With fewer than `min_bids` quotes neither is
    said.
    """
    steps = list(pairwise(sorted(quotes)))
    differences = [high - low for low, high in steps]
    enough = len(quotes) >= min_bids
    return PricePattern(
        differences, enough and len(set(differences)) <= 1, enough and len({high / low for low, high in steps}) <= 1
    )


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_pattern(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = price_pattern(take(inputs, "quotes", list_of(price)), take(params, "min_bids", count(3), default=4))
    return {
        "equal_difference": found.equal_difference,
        "equal_ratio": found.equal_ratio,
        "differences": [written_exactly(step) for step in found.differences],
    }


METHODS: dict[str, Answer] = {"collusion.price_pattern": _asked_pattern}

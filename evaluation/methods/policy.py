"""Policy limits of government procurement: weight of the price, deductions for small firms, stacking (rules E-03,
E-06, E-06c).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from trading.kernel.exact import (
    Answer,
    BadValue,
    boolean,
    cases,
    day,
    exact,
    list_of,
    number,
    price,
    rate,
    take,
    word,
    written,
    written_exactly,
)

LOWEST_WEIGHT = {"goods": Fraction(30), "services": Fraction(10)}
HIGHEST_CONSULTATION_WEIGHT = {"goods": Fraction(60), "services": Fraction(30)}

_Range = tuple[str, str]
_OLD, _OLD_SHARED = ("0.06", "0.10"), ("0.02", "0.03")
_WORKS, _WORKS_SHARED = ("0.03", "0.05"), ("0.01", "0.02")
SME_RATES: list[tuple[dt.date, dict[tuple[str, bool], _Range]]] = [
    # from this day on: (beneficiary, works?) -> lowest and highest deduction; no entry, no deduction (E-06)
    (
        dt.date(2022, 7, 1),
        {
            ("micro_small", False): ("0.10", "0.20"),
            ("micro_small", True): _WORKS,
            ("consortium", False): ("0.04", "0.06"),
            ("consortium", True): _WORKS_SHARED,
        },
    ),
    (
        dt.date(2021, 1, 1),
        {
            ("micro_small", False): _OLD,
            ("micro_small", True): _WORKS,
            ("consortium", False): _OLD_SHARED,
            ("consortium", True): _WORKS_SHARED,
        },
    ),
    (dt.date(2012, 1, 1), {("micro_small", False): _OLD, ("consortium", False): _OLD_SHARED}),
]


def price_weight_allowed(method: str, category: str, weight: Fraction, *, fixed_price: bool) -> bool:
    """Whether a price weight (points of 100) is lawful (E-03): 30 or more for goods, 10 or more for services, with an
    upper limit in consultations only; a fixed price is not scored.
    """
    if fixed_price:
        return weight == 0
    highest = HIGHEST_CONSULTATION_WEIGHT[category] if method == "consultation" else 100
    return LOWEST_WEIGHT[category] <= weight <= highest


def sme_rate_range(on: dt.date, category: str, beneficiary: str) -> tuple[Fraction, Fraction] | None:
    """The lowest and highest deduction for small and micro firms on that day (E-06), or None where none existed."""
    for since, ranges in SME_RATES:
        if on >= since:
            found = ranges.get((beneficiary, category == "works"))
            return None if found is None else (exact(found[0]), exact(found[1]))
    return None


def stacked_prices(quote: Fraction, rates: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    """The quote with several deductions, added up and multiplied (E-06c): the documents must choose which.

    Refuses: `rates_reach_one` when the deductions together eat the price."""
    if sum(rates) >= 1:
        raise BadValue("rates_reach_one", "rates", "deductions that sum to less than 1")
    return quote * (1 - sum(rates)), quote * math.prod(1 - one for one in rates)


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_weight(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "valid": [
            price_weight_allowed(
                take(case, "method", word("open_tender", "invited_tender", "consultation")),
                take(case, "category", word("goods", "services")),
                take(case, "weight", number),
                fixed_price=take(case, "fixed_price", boolean),
            )
            for case in cases(inputs)
        ]
    }


def _asked_range(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        sme_rate_range(
            take(case, "date", day),
            take(case, "category", word("goods", "services", "works")),
            take(case, "beneficiary", word("micro_small", "consortium")),
        )
        for case in cases(inputs)
    ]
    return {"ranges": [None if limits is None else [written_exactly(limit) for limit in limits] for limits in found]}


def _asked_stacking(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    additive, multiplicative = stacked_prices(
        take(inputs, "quote", price), take(inputs, "rates", list_of(rate, at_least=1))
    )
    return {"additive": written(additive), "multiplicative": written(multiplicative)}


METHODS: dict[str, Answer] = {
    "gp.price_weight_check": _asked_weight,
    "gp.sme_rate_range": _asked_range,
    "gp.deduction_stacking": _asked_stacking,
}

"""What the methods of government procurement share: the price deduction for small and micro firms, its limits and its arithmetic (E-06),
and which method goods and services of one uniform standard must have (rulebook 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from evaluation.methods.declared import SHARE, TICK, Parameter, Setting
from evaluation.methods.inputs import Inputs
from trading.kernel.errors import Faults
from trading.kernel.exact import BadValue, rate, take, written_exactly
from trading.procedures.procedure import Words

PARAMETER = Parameter(
    "small_firm",
    SHARE,
    Words("小微企业价格扣除", "Price deduction for small and micro firms"),
    hint=Words(
        "按报价的百分比；货物、服务 10 至 20（规则 E-06）。专门面向中小企业的填 0 或不填。",
        "Percent of the quote; goods and services 10 to 20 (rule E-06). Empty or 0: a tender reserved for them.",
    ),
    rule="E-06",
    form="small_firm",
    least=0,
    most=100,
    refusal="scheme.small_firm",
)
UNIFORM = Parameter(
    "uniform",
    TICK,
    Words("技术、服务等标准统一的货物或服务", "Goods or services of one uniform standard"),
    hint=Words(
        "标准统一的，应当采用最低评标价法（规则 2.1）。", "These must be evaluated by the lowest price (rule 2.1)."
    ),
    rule="2.1",
    form="uniform",
    refusal="scheme.uniform",
)


def share_of(parameters: Mapping[str, Any]) -> Fraction:
    """The deduction as a share of 1, 0 if none. Refuses: BadValue."""
    return take(parameters, "small_firm", rate, default=Fraction(0))


def rates(inputs: Inputs) -> dict[str, Fraction]:
    """The deduction of each ranked bidder that has one. Refuses: BadValue."""
    share = share_of(inputs.scheme.own)
    return {bid.bidder: share for bid in inputs.valid if bid.small and share}


def line(quote: Fraction, share: Fraction) -> str:
    """How a quote is evaluated: ``1000000.00 × (1 − 0.1) = 900000.00``."""
    return f"{written_exactly(quote)} × (1 − {written_exactly(share, 0)}) = {written_exactly(quote * (1 - share))}"


def check(faults: Faults, scheme: Mapping[str, Any], setting: Setting) -> None:
    """The deduction lies within the rates of the day."""
    try:
        share = share_of(scheme)
    except BadValue:
        return  # said when the parameters were read
    if not share:
        return
    rules = setting.book.about("deduction_small", method=setting.method, category=setting.category)
    for rule in rules:
        if (rule.kind == "MIN" and share < rule.number) or (rule.kind == "MAX" and share > rule.number):
            limit = written_exactly(rule.number)
            faults.add("small_firm", "scheme.small_firm_rate", rate=written_exactly(share), limit=limit, rule=rule.id)
    if not rules:
        faults.add("small_firm", "scheme.small_firm_none", category=setting.category, rule="E-06")

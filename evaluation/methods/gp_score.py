"""GP_SCORE: comprehensive scoring in government procurement, the price by low price first (rules E-02, E-03, E-05, E-06)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from evaluation.methods.declared import SHARE, EvaluationMethod, Parameter, PriceInputs, Prices, Setting
from evaluation.methods.price_scores import low_price_first
from trading.kernel.errors import Faults
from trading.kernel.exact import BadValue, rate, take, written, written_exactly
from trading.procedures.procedure import Words

_OFFERED: dict[str, Any] = {
    "v": 1,
    "method": "GP_SCORE",
    "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
    "outlier": "0.30",
    "tie": "purchaser",
    "blind": False,
    "small_firm": "0.10",
    "criteria": [
        {
            "id": "price",
            "title": "投标报价（低价优先法）",
            "title_en": "Price (lowest price first)",
            "kind": "price",
            "max": "30",
        },
        {"id": "response", "title": "技术参数响应", "title_en": "Technical response", "kind": "objective", "max": "35"},
        {
            "id": "delivery",
            "title": "供货与安装方案",
            "title_en": "Delivery and installation",
            "kind": "subjective",
            "max": "15",
            "bands": [
                {"low": "0", "high": "5", "label": "有缺项"},
                {"low": "5.01", "high": "10", "label": "完整可行"},
                {"low": "10.01", "high": "15", "label": "完整可行且有针对性"},
            ],
        },
        {"id": "record", "title": "同类业绩", "title_en": "Similar contracts", "kind": "objective", "max": "8"},
        {
            "id": "service",
            "title": "售后服务",
            "title_en": "After-sales service",
            "kind": "subjective",
            "max": "12",
            "bands": [
                {"low": "0", "high": "4", "label": "有缺项"},
                {"low": "4.01", "high": "8", "label": "响应明确"},
                {"low": "8.01", "high": "12", "label": "响应明确且有保障措施"},
            ],
        },
    ],
}


def share_of(parameters: Mapping[str, Any]) -> Fraction:
    """The price deduction for small and micro firms as a share of 1, 0 if none. Refuses: BadValue."""
    return take(parameters, "small_firm", rate, default=Fraction(0))


def prices(inputs: PriceInputs) -> Prices:
    """Lowest evaluated price ÷ evaluated price × weight (rules E-02, E-06)."""
    share, quotes = share_of(inputs.parameters), inputs.quotes
    rates = {bidder: share for bidder in inputs.small if share}
    found = low_price_first(quotes, inputs.weight, deduction_rates=rates, places=inputs.places, mode=inputs.mode)
    weight, lines, evaluated = written_exactly(inputs.weight, 0), {}, {}
    best = "" if found.benchmark is None else written_exactly(found.benchmark)
    for bidder, points in found.points.items():
        value = written_exactly(found.evaluated[bidder])
        reduced = (
            f"{written_exactly(quotes[bidder])} × (1 − {written_exactly(rates[bidder], 0)}) = {value}; "
            if bidder in rates
            else ""
        )
        evaluated[bidder] = value
        lines[bidder] = f"{reduced}{best} ÷ {value} × {weight} = {written(points, max(inputs.places, 2))}"
    facts = {"formula": "low_price_first", "benchmark": best, "weight": weight, "small_firm": written_exactly(share, 0)}
    return Prices(found.points, lines, evaluated, facts)


def check(faults: Faults, scheme: Mapping[str, Any], setting: Setting) -> None:
    """The deduction lies within the rates of the day (rule E-06)."""
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


METHOD = EvaluationMethod(
    id="GP_SCORE",
    name=Words("综合评分法（低价优先）", "Comprehensive scoring, lowest price first"),
    rules=("E-02", "E-03", "E-05", "E-06", "E-30"),
    parameters=(
        Parameter(
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
        ),
    ),
    prices=prices,
    check=check,
    offered=_OFFERED,
    recompute="gp.low_price_first_sme",
)

"""GP_SCORE: comprehensive scoring in government procurement, the price by low price first (rules E-02, E-03, E-05, E-06)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.methods import gp_shared, points
from evaluation.methods.declared import EvaluationMethod, Prices, Setting
from evaluation.methods.inputs import Inputs
from evaluation.methods.price_scores import low_price_first
from trading.kernel.errors import Faults
from trading.kernel.exact import written, written_exactly
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


def prices(inputs: Inputs) -> Prices:
    """Lowest evaluated price ÷ evaluated price × weight (rules E-02, E-06)."""
    scheme, quotes = inputs.scheme, inputs.quotes
    rates = gp_shared.rates(inputs)
    full = scheme.price.max
    found = low_price_first(quotes, full, deduction_rates=rates, places=scheme.points_places, mode=scheme.mode)
    weight, lines, evaluated = written_exactly(full, 0), {}, {}
    best = "" if found.benchmark is None else written_exactly(found.benchmark)
    for bidder, given in found.points.items():
        value = evaluated[bidder] = written_exactly(found.evaluated[bidder])
        reduced = f"{gp_shared.line(quotes[bidder], rates[bidder])}; " if bidder in rates else ""
        lines[bidder] = f"{reduced}{best} ÷ {value} × {weight} = {written(given, max(scheme.points_places, 2))}"
    share = written_exactly(gp_shared.share_of(scheme.own), 0)
    facts = {"formula": "low_price_first", "benchmark": best, "weight": weight, "small_firm": share}
    return Prices(found.points, lines, evaluated, facts)


def check(faults: Faults, scheme: Mapping[str, Any], setting: Setting) -> None:
    """The deduction within the rates of the day; what is of one uniform standard is not scored (rules E-06, 2.1)."""
    gp_shared.check(faults, scheme, setting)
    if scheme.get("uniform") is True:
        faults.add("uniform", "scheme.uniform_lowest", rule="2.1")


METHOD = EvaluationMethod(
    id="GP_SCORE",
    name=Words("综合评分法（低价优先）", "Comprehensive scoring, lowest price first"),
    rules=("E-02", "E-03", "E-05", "E-06", "E-30"),
    parameters=(gp_shared.PARAMETER, gp_shared.UNIFORM),
    outcome=points.by_points(prices),
    lines=points.lines,
    check=check,
    offered=_OFFERED,
    note=Words(
        "各评审因素与价格分相加，总分高者在前；总分相同的，报价低者在前。",
        "Criteria and the points of the price are added up, the highest total first; of equal totals the lower quote.",
    ),
    recompute="gp.low_price_first_sme",
)

"""WK_SCORE: comprehensive scoring in works, the price by its deviation from a benchmark (rule E-31; rulebook 2.7)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from evaluation.methods import points, works_prices
from evaluation.methods.declared import (
    CHOICE,
    DRAW,
    DRAWN,
    POINTS,
    TEXT,
    WHOLE,
    EvaluationMethod,
    Parameter,
    Prices,
    Setting,
)
from evaluation.methods.inputs import Inputs
from evaluation.methods.works_prices import BenchmarkScheme, DropRule, scheme_from
from trading.kernel.errors import Faults
from trading.kernel.exact import BadValue, Rounding, written, written_exactly
from trading.procedures.procedure import Words

_OFFERED: dict[str, Any] = {
    "v": 1,
    "method": "WK_SCORE",
    "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
    "outlier": "0.30",
    "tie": "panel",
    "blind": True,
    "trim_from": 7,
    "benchmark": {
        "above": "1",
        "below": "0.5",
        "drop_rule": "high_low_from_5",
        "benchmark_places": 2,
        "deviation_places": 4,
    },
    "criteria": [
        {
            "id": "price",
            "title": "投标报价（基准价偏差法）",
            "title_en": "Price (deviation from the benchmark)",
            "kind": "price",
            "max": "60",
        },
        {"id": "design", "title": "施工组织设计", "title_en": "Construction plan", "kind": "subjective", "max": "25"},
        {"id": "team", "title": "项目管理机构", "title_en": "Project team", "kind": "objective", "max": "10"},
        {"id": "record", "title": "类似工程业绩", "title_en": "Similar works", "kind": "objective", "max": "5"},
    ],
}

_FORMULA = {
    "above": "E1_above",
    "below": "E2_below",
    "drop_rule": "drop_rule",
    "k": "K",
    "n": "N",
    "float": "float",
    "mix": "mix",
    "m": "M",
    "warning_line": "warning_line",
    "q1": "Q1",
    "q2": "Q2",
    "k1": "K1",
    "k2": "K2",
    "c": "C",
    "range": "range",
    "max_deduction": "max_deduction",
    "benchmark_places": "benchmark_places",
    "deviation_places": "deviation_places",
}
"""Our names (canonical JSON knows small letters only) and those of the formula engine."""


def benchmark_scheme(
    benchmark: Mapping[str, Any],
    weight: Fraction,
    places: int,
    mode: Rounding,
    *,
    coefficient: str = "",
    ceiling: Fraction | None = None,
) -> BenchmarkScheme:
    """The formula of a scheme with the drawn coefficient in its place. Refuses: BadValue."""
    params = {_FORMULA[key]: value for key, value in benchmark.items() if key != "coefficient"}
    per_percent = {key: params.pop(key, None) for key in ("E1_above", "E2_below")}
    if benchmark.get("coefficient") == DRAWN:
        params["K"] = coefficient
    if ceiling is not None:
        params["control_price"] = written_exactly(ceiling)
    params |= {"points_places": places, "rounding": mode.value}
    return scheme_from(params, {"full_points": written_exactly(weight), **per_percent})


def prices(inputs: Inputs) -> Prices:
    """Points by deviation from the benchmark of the tender document (rulebook 2.7)."""
    scheme, quotes = inputs.scheme, inputs.quotes
    benchmark, weight, shown = scheme.own.get("benchmark") or {}, scheme.price.max, scheme.points_places
    formula = benchmark_scheme(
        benchmark, weight, shown, scheme.mode, coefficient=inputs.coefficient, ceiling=inputs.ceiling
    )
    found = works_prices.benchmark_deviation(quotes, formula)
    if found.benchmark is None:
        return Prices({}, {}, {}, {"formula": "benchmark_deviation", "coefficient": inputs.coefficient})
    base = written(found.benchmark, 2 if formula.benchmark_places is None else max(formula.benchmark_places, 2))
    places = 4 if formula.deviation_places is None else formula.deviation_places
    lines = {}
    for bidder, given in found.points.items():
        deviation = found.deviation_pct[bidder]
        per_percent = formula.above if deviation > 0 else formula.below
        percent = written(abs(deviation), places)
        lines[bidder] = (
            f"({written_exactly(quotes[bidder])} − {base}) ÷ {base} = {written(deviation, places)} %; "
            f"{_plain(formula.full_points)} − {percent} × {_plain(per_percent)}"
            f"{_floor(formula)} = {written(given, max(shown, 2))}"
        )
    members = [written_exactly(quote) for quote in found.mean_members]
    facts = {
        "formula": "benchmark_deviation",
        "coefficient": inputs.coefficient,
        "benchmark": base,
        "members": members,
        "mean": "" if found.mean is None else written(found.mean),
        "dropped_high": found.dropped_high,
        "dropped_low": found.dropped_low,
        "line": _base_line(inputs, benchmark, members, found.mean, base),
        "weight": _plain(weight),
    }
    return Prices(found.points, lines, {bidder: written_exactly(quote) for bidder, quote in quotes.items()}, facts)


def _floor(formula: BenchmarkScheme) -> str:
    return "" if formula.max_deduction is None else f" (≤ {_plain(formula.max_deduction)})"


def _base_line(
    inputs: Inputs, params: Mapping[str, Any], members: list[str], average: Fraction | None, base: str
) -> str:
    """How the benchmark came about, by the mix of the scheme."""
    shown = "" if average is None else written(average)
    k, ceiling = (
        inputs.coefficient or params.get("k", ""),
        "" if inputs.ceiling is None else written_exactly(inputs.ceiling),
    )
    if average is None:
        return f"{ceiling} × {k} = {base}"
    mix = params.get("mix", "none")
    if mix == "control_price":
        how = f"{ceiling} × {k} × (1 − {params['c']}) + {shown} × {params['c']}"
    elif mix == "warning_line":
        how = f"{shown} × {params['m']} + {params['warning_line']} × (1 − {params['m']})"
    elif mix == "two_weights":
        how = f"{shown} × {params['k1']} × {params['q1']} + {ceiling} × {params['k2']} × (1 − {params['q1']})"
    else:
        factor = k or (
            f"(1 − {params['n']})" if params.get("n") else f"(1 + {params['float']})" if params.get("float") else "1"
        )
        how = f"{shown} × {factor}"
    return f"({' + '.join(members)}) ÷ {len(members)} = {shown}; {how} = {base}"


def _plain(value: Fraction) -> str:
    """A number without needless noughts: 30, 0.1."""
    return written_exactly(value, 0)


def check(faults: Faults, scheme: Mapping[str, Any], setting: Setting) -> None:
    """The formula can be reckoned, with every coefficient that may be drawn (rulebook 2.7)."""
    given = scheme.get("benchmark")
    if not isinstance(given, dict):
        faults.add("benchmark", "scheme.no_benchmark")
        return
    if strange := sorted(set(given) - METHOD.below("benchmark")):
        faults.add("benchmark", "scheme.unknown_keys", keys=strange)
    if given.get("coefficient", DRAWN) != DRAWN:
        faults.add("benchmark.coefficient", "scheme.coefficient_word", allowed=[DRAWN])
    drawn = given.get("coefficient") == DRAWN
    if drawn and not setting.coefficients:
        faults.add("benchmark.coefficient", "scheme.no_coefficients")
    if drawn and given.get("k") is not None:
        faults.add("benchmark.k", "scheme.coefficient_twice")
    if given.get("drop_rule", "none") not in list(DropRule):
        faults.add("benchmark.drop_rule", "scheme.drop_rule", allowed=[one.value for one in DropRule])
    if faults.found:
        return
    rounding = scheme["rounding"]
    (full,) = (one["max"] for one in scheme["criteria"] if one["kind"] == "price")
    how = rounding.get("points", 2), Rounding(rounding.get("mode", "HALF_UP"))
    for value in setting.coefficients if drawn else [""]:
        try:
            benchmark_scheme(given, Fraction(full), *how, coefficient=value, ceiling=setting.ceiling)
        except BadValue as error:
            faults.add(f"benchmark.{error.where}", "scheme.benchmark", reason=error.code, expected=error.expected)
            return


def _more(key: str, zh: str, en: str) -> Parameter:
    """A parameter of a formula that no form offers; the formula engine reads it."""
    return Parameter(f"benchmark.{key}", TEXT, Words(zh, en), rule="2.7")


METHOD = EvaluationMethod(
    id="WK_SCORE",
    name=Words("综合评估法（基准价偏差）", "Comprehensive scoring, deviation from the benchmark"),
    rules=("2.7", "E-30", "E-31"),
    parameters=(
        Parameter(
            "benchmark.above",
            POINTS,
            Words("高于基准价每 1% 扣几分", "Points lost for each percent above the benchmark"),
            rule="2.7",
            form="benchmark.above",
            needed=True,
            least=0,
        ),
        Parameter(
            "benchmark.below",
            POINTS,
            Words("低于基准价每 1% 扣几分", "Points lost for each percent below the benchmark"),
            rule="2.7",
            form="benchmark.below",
            needed=True,
            least=0,
        ),
        Parameter(
            "benchmark.drop_rule",
            CHOICE,
            Words("哪些报价参与均值", "Which quotes enter the mean"),
            rule="2.7",
            form="benchmark.drop_rule",
            needed=True,
            choices=(
                ("none", Words("全部报价参与均值", "all quotes enter the mean")),
                (
                    "high_low_from_5",
                    Words("5 家起去最高、最低各一个", "from 5 quotes: without the highest and the lowest"),
                ),
                (
                    "high_6_high_low_from_7",
                    Words(
                        "6 家去一个最高；7 家起去最高、最低各一个",
                        "6 quotes: without the highest; from 7: without highest and lowest",
                    ),
                ),
                ("floor_sixth", Words("两端各去六分之一（向下取整）", "without a sixth at each end, rounded down")),
                (
                    "fifth_keep_edge_ties",
                    Words(
                        "两端各去五分之一，边缘同价保留", "without a fifth at each end, equal quotes at the edge kept"
                    ),
                ),
            ),
        ),
        Parameter(
            "benchmark.coefficient",
            DRAW,
            Words("均值乘以公开抽取的系数 K", "The mean is multiplied by a coefficient K drawn in public"),
            rule="2.7",
            form="drawn",
        ),
        Parameter(
            "benchmark.benchmark_places",
            WHOLE,
            Words("基准价保留小数位", "Decimals of the benchmark"),
            rule="E-05",
            form="benchmark.benchmark_places",
            least=0,
            most=6,
        ),
        Parameter(
            "benchmark.deviation_places",
            WHOLE,
            Words("偏差率保留小数位", "Decimals of the deviation"),
            rule="E-05",
            form="benchmark.deviation_places",
            least=0,
            most=6,
        ),
        Parameter(
            "trim_from",
            WHOLE,
            Words(
                "评委达到几人时去掉最高、最低分各一个", "Drop one highest and one lowest score from so many members on"
            ),
            hint=Words("填 7 或以上；不填则不去（规则 E-31）。", "7 or more; empty: never (rule E-31)."),
            rule="E-31",
            form="trim_from",
            refusal="scheme.trim_from",
        ),
        _more("k", "固定系数 K", "A fixed factor K"),
        _more("n", "下浮率 N：均值 × (1 − N)", "A reduction N: mean × (1 − N)"),
        _more("float", "浮动率：均值 × (1 + 浮动率)", "A float: mean × (1 + float)"),
        _more("mix", "基准价的构成", "What the mean is mixed with"),
        _more("m", "均值的权重 M", "Weight M of the mean"),
        _more("warning_line", "预警线", "Warning line"),
        _more("q1", "权重 Q1", "Weight Q1"),
        _more("q2", "权重 Q2", "Weight Q2"),
        _more("k1", "系数 K1", "Factor K1"),
        _more("k2", "系数 K2", "Factor K2"),
        _more("c", "权重 C", "Weight C"),
        _more("range", "参与均值的报价范围", "Range of the quotes that enter the mean"),
        _more("max_deduction", "最多扣分", "Most points lost"),
    ),
    outcome=points.by_points(prices),
    lines=points.lines,
    check=check,
    offered=_OFFERED,
    note=Words(
        "各评审因素与报价分相加，总分高者在前；报价按与基准价的偏差计分。",
        "Criteria and the points of the price are added up, the highest total first; the price by its deviation from the benchmark.",
    ),
    recompute="works.benchmark_deviation",
    last=True,
)

"""How bids are scored in a world, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from tests.kit.methods import law_of

SCHEMES: dict[str, dict[str, Any]] = {
    "GP": {
        "v": 1,
        "method": "GP_SCORE",
        "tie": "panel",
        "blind": False,
        "outlier": "0.30",
        "small_firm": "0.10",
        "criteria": [
            {"id": "price", "title": "投标报价", "title_en": "Price", "kind": "price", "max": "40"},
            {"id": "plan", "title": "技术方案", "title_en": "Technical plan", "kind": "subjective", "max": "40"},
            {
                "id": "warranty",
                "title": "质保期",
                "title_en": "Warranty",
                "kind": "objective",
                "max": "20",
                "bands": [
                    {"low": "0", "high": "0", "label": "不足 24 个月"},
                    {"low": "10", "high": "10", "label": "24 至 35 个月"},
                    {"low": "20", "high": "20", "label": "36 个月及以上"},
                ],
            },
        ],
        "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
    },
    "WORKS": {
        "v": 1,
        "method": "WK_SCORE",
        "tie": "panel",
        "blind": False,
        "outlier": "0.30",
        "criteria": [
            {"id": "price", "title": "投标报价", "title_en": "Price", "kind": "price", "max": "60"},
            {
                "id": "design",
                "title": "施工组织设计",
                "title_en": "Method statement",
                "kind": "subjective",
                "max": "30",
            },
            {"id": "team", "title": "项目班子", "title_en": "Project team", "kind": "objective", "max": "10"},
        ],
        "rounding": {"points": 2, "mean": 3, "mode": "HALF_UP"},
        "benchmark": {"above": "1", "below": "0.5", "drop_rule": "high_low_from_5", "coefficient": "draw K"},
    },
    "GP_LOWEST": {"v": 1, "method": "GP_LOWEST", "tie": "panel", "small_firm": "0.10", "uniform": True, "criteria": []},
    "WK_LOWEST": {
        "v": 1,
        "method": "WK_LOWEST",
        "tie": "panel",
        "common": True,
        "adjustments": "付款每提前 10 日，加报价的 0.5%",
        "criteria": [],
    },
}
"""One scheme a regime, valid under the rules of the world's day; then one by price for each."""


def scheme_of(regime: str) -> dict[str, Any]:
    """How the bids of a procedure are ranked: as is usual in its regime, else by the first method it allows."""
    law = law_of(regime)
    usual = SCHEMES[law.regime]
    return usual if usual["method"] in law.evaluation else SCHEMES[law.evaluation[0]]

"""What the tenders of a rehearsal are about: open ones, an inquiry, one with invited by lot, and an invited one that two bids fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from web.rehearsal.front import Plan

OFFER = timedelta(days=22, minutes=30)

Row = tuple[str, str, str, str, str]


def _scheme(*criteria: Row, **more: str) -> dict[str, str]:
    """The fields of the criteria form. A row: id, 中文, English, kind, maximum."""
    fields = {"outlier": "30", "tie": "panel", **{name.replace("__", "."): value for name, value in more.items()}}
    for at, row in enumerate(criteria):
        fields |= {
            f"criteria.{at}.{name}": value
            for name, value in zip(("id", "title", "title_en", "kind", "max"), row, strict=True)
        }
    return fields


GP_SCHEME = _scheme(
    ("price", "投标报价", "Price", "price", "40"),
    ("plan", "技术方案", "Technical plan", "subjective", "40"),
    ("warranty", "质保与售后", "Warranty and service", "objective", "20"),
    small_firm="10",
    criteria__1__bands="30-40 优：完整可行，安装、培训、售后各有安排\n20-29.5 良：完整可行，个别环节未细化\n10-19.5 一般：只有原则性描述\n"
    "0-9.5 缺：有缺项或与需求不符",
)
WORKS_SCHEME = _scheme(
    ("price", "投标报价", "Price", "price", "60"),
    ("design", "施工组织设计", "Method statement", "subjective", "30"),
    ("team", "项目班子", "Project team", "objective", "10"),
    criteria__1__bands="23.5-30 优：进度、质量、安全各有措施，切合本工程\n15-23 良：措施齐全，个别环节未细化\n8-14.5 一般：只有原则性描述\n"
    "0-7.5 缺：有缺项或与本工程不符",
    drawn="yes",
    benchmark__above="1",
    benchmark__below="0.5",
    benchmark__drop_rule="high_low_from_5",
)
LOWEST_SCHEME = {"method": "GP_LOWEST", "tie": "purchaser", "small_firm": "10", "uniform": "yes"}
"""The lowest evaluated price: nothing is scored."""
FEW = {"ground.M9": "few_bidders", "ground_facts": "桥梁水下加固须专业承包一级资质和潜水队伍，本省仅有数家具备"}
LIMITED = {"ground.M2": "few_suppliers", "ground_facts": "仅本市具备现场运维资质的供应商可以承接，名录内共有六家"}
INQUIRY = {"ground.M5": "standard_goods", "ground_facts": "规格统一的现货，本地供货商十余家，近一年价格变动不足 3%"}
COEFFICIENTS = "0.95 0.96 0.97 0.98 0.99"


def _goods(key: str, name: str, budget: str, deposit: str, at: datetime, intent: str) -> Plan:
    return Plan(
        key, name, "GP", "GOODS", "", "buyer", "education", budget, deposit, at, at, intent=intent, scheme=GP_SCHEME
    )


def plans(start: datetime) -> dict[str, Plan]:
    """The tenders by key; all close and open in the same hour, so that the log's quick pace is walked through once."""
    at = start + OFFER
    return {
        "A": _goods("A", "春晓区中小学智慧教室设备采购", "3200000.00", "60000.00", at, "2026-01-10"),
        "B": Plan(
            "B",
            "春晓区滨河路道路改造工程施工",
            "WORKS",
            "WORKS",
            "CONSTRUCTION",
            "builder",
            "works",
            "26800000.00",
            "500000.00",
            at,
            at,
            coefficients=COEFFICIENTS,
            scheme=WORKS_SCHEME,
        ),
        "C": replace(
            _goods("C", "春晓区机关食堂设备更新采购", "1500000.00", "30000.00", at, "2026-01-12"),
            method="M5",
            chosen=INQUIRY,
            scheme=LOWEST_SCHEME,
        ),
        "E": replace(
            _goods("E", "春晓区智慧停车设备采购", "1750000.00", "35000.00", at, "2026-01-15"),
            method="M2",
            chosen=LIMITED,
        ),
        "D": Plan(
            "D",
            "春晓区柳河桥水下加固工程施工",
            "WORKS",
            "WORKS",
            "CONSTRUCTION",
            "builder",
            "works",
            "6000000.00",
            "120000.00",
            at,
            at,
            coefficients=COEFFICIENTS,
            scheme=WORKS_SCHEME,
            method="M9",
            chosen=FEW,
        ),
    }

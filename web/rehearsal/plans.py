"""What the four tenders of a rehearsal are about: two procurements, one works tender, one that fails with two bidders."""

from __future__ import annotations

from datetime import datetime, timedelta

from web.rehearsal.front import Plan

OFFER = timedelta(days=22, minutes=30)

GP_SCHEME = {
    "outlier": "0.30", "tie": "panel", "small_firm": "10",
    "criteria.0.id": "price", "criteria.0.title": "投标报价", "criteria.0.title_en": "Price", "criteria.0.kind": "price", "criteria.0.max": "40",
    "criteria.1.id": "plan", "criteria.1.title": "技术方案", "criteria.1.title_en": "Technical plan", "criteria.1.kind": "subjective",
    "criteria.1.max": "40",
    "criteria.2.id": "warranty", "criteria.2.title": "质保与售后", "criteria.2.title_en": "Warranty and service",
    "criteria.2.kind": "objective", "criteria.2.max": "20",
}
WORKS_SCHEME = {
    "outlier": "0.30", "tie": "panel", "drawn": "yes",
    "criteria.0.id": "price", "criteria.0.title": "投标报价", "criteria.0.title_en": "Price", "criteria.0.kind": "price", "criteria.0.max": "60",
    "criteria.1.id": "design", "criteria.1.title": "施工组织设计", "criteria.1.title_en": "Method statement", "criteria.1.kind": "subjective",
    "criteria.1.max": "30",
    "criteria.2.id": "team", "criteria.2.title": "项目班子", "criteria.2.title_en": "Project team", "criteria.2.kind": "objective",
    "criteria.2.max": "10",
    "benchmark.above": "1", "benchmark.below": "0.5", "benchmark.drop_rule": "high_low_from_5",
}


def plans(start: datetime) -> dict[str, Plan]:
    """The tenders by key; all close and open in the same hour, so that the log's quick pace is walked through once."""
    at = start + OFFER
    return {
        "A": Plan("A", "春晓区中小学智慧教室设备采购", "GP", "GOODS", "", "buyer", "education", "3200000.00", "60000.00", at, at,
                  intent="2026-01-10", scheme=GP_SCHEME),
        "B": Plan("B", "春晓区滨河路道路改造工程施工", "WORKS", "WORKS", "CONSTRUCTION", "builder", "works", "26800000.00", "500000.00", at, at,
                  coefficients="0.95 0.96 0.97 0.98 0.99", scheme=WORKS_SCHEME),
        "C": Plan("C", "春晓区机关食堂设备更新采购", "GP", "GOODS", "", "buyer", "education", "1500000.00", "30000.00", at, at,
                  intent="2026-01-12", scheme=GP_SCHEME),
        "D": Plan("D", "春晓区图书馆座椅采购", "GP", "GOODS", "", "buyer", "education", "600000.00", "12000.00", at, at,
                  intent="2026-01-15", scheme=GP_SCHEME),
    }

"""Specimens for the page of components: made-up figures that fill every part once."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from trading.kernel.money import Money
from web.desks.parts import charts
from web.http.forms import Form, new_form_id
from web.http.layout import Column, Duty, Group, Link, Tick, column, page_of, sorted_duties, sun_line

_MONTHS = ("680", "314", "549", "541", "479", "553", "667", "480", "698", "511", "470", "593")
_BUDGETS = (260, 36, 300, 284, 325, 164, 343, 182, 225, 174, 326, 241)
_AWARDS = (242, 35, 283, 269, 309, 154, 320, 173, 209, 165, 310, 227)


def specimens(now: datetime, lang: str, zone: ZoneInfo) -> dict[str, Any]:
    form = Form.read(
        {"form_id": new_form_id(), "deposit": "200,000.00", "until": "2026-03-13 09:30", "method": "M1", "media": "a"}
    )
    form.fault("deposit", "money.too_large", text="200,000.00")
    form.fault("until", "form.bad_moment")
    months = [f"{m} 月" for m in range(1, 13)]
    duties = [
        Duty(
            "退付未到账：澄江医疗器械",
            "#",
            now - timedelta(days=1),
            basis="中标通知书后 5 工作日",
            label="复核中",
            tone="now",
        ),
        Duty(
            "异议答复：供水三标段",
            "#",
            now + timedelta(hours=1, minutes=19),
            basis="3 日内，答复前暂停",
            label="未答复",
            tone="warn",
        ),
        Duty("开标：滨江绿道二期", "#", now + timedelta(days=3), basis="与截止同时", label="封存待开", tone="sealed"),
    ]
    rail = [
        Group(
            "保证金",
            (Link("我的工作台", "#", n=9, due=True), Link("退付队列", "#", here=True, n=24), Link("台账", "#")),
        ),
        Group("保函", (Link("保函核验", "#", n=2), Link("到期提醒", "#"))),
    ]
    at = now.replace(second=0, microsecond=0)
    return {
        "day": sun_line(
            now,
            [
                Tick(at.replace(hour=1, minute=0), "流水导入"),
                Tick(at.replace(hour=3, minute=30), "复核截止"),
                Tick(at.replace(hour=7, minute=0), "银行发送"),
                Tick(at.replace(hour=9, minute=0), "今日应退止", True),
            ],
            lang=lang,
            zone=zone,
        ),
        "rail": rail,
        "form": form,
        "duties": sorted_duties(duties, now),
        "until": now + timedelta(days=7, hours=17, minutes=48),
        "budget": Money(28_591_169_00 * 100),
        "deposit": Money(160_000_00),
        "tabs": [
            Link("按到期日", "#", here=True, n=24, due=True),
            Link("待经办", "#", n=13),
            Link("已发银行", "#", n=4),
        ],
        "columns": [
            column("到期", "due", {"sort": "due"}, "/help/components"),
            Column("投标人 / 项目"),
            Column("本金（元）", num=True),
            Column("状态"),
        ],
        "page": page_of(124, {"page": "2"}, "/help/components", csv=True),
        "chart": charts.columns(
            "各月预算、成交与节约率",
            months,
            [
                charts.Series("预算", [Fraction(v, 100) for v in _BUDGETS], "budget"),
                charts.Series("成交", [Fraction(v, 100) for v in _AWARDS]),
            ],
            line=charts.Series("节约率 %", [Fraction(int(v), 100) for v in _MONTHS]),
            mark=Fraction(563, 100),
            notes=["24", "8", "34", "30", "46", "24", "34", "36", "35", "24", "32", "41"],
            head="月",
        ),
        "histogram": charts.columns(
            "标段节约率分布",
            ["<0", "0–1", "1–2", "2–3", "3–4", "4–5", "5–6", "6–7", "7–8", "8–10", "10–15", ">15"],
            [charts.Series("标段", [7, 38, 27, 43, 37, 46, 38, 45, 31, 38, 15, 3], places=0)],
            figures=True,
            head="%",
            height=150,
        ),
        "spread": charts.spread(
            "各区县节约率",
            [
                charts.Row("青岚县", 2, 3, Fraction(673, 100), 7, 9),
                charts.Row("高新区", 0, 3, Fraction(591, 100), 7, 9),
                charts.Row("市本级", 1, 3, Fraction(505, 100), 7, 9),
            ],
            mark=Fraction(563, 100),
        ),
    }

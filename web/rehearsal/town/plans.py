"""The tenders of the town: what each is about, when it was filed, when it closed, and to which stage it is played."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trading.kernel.calendar import day_start, local_day, packaged_calendar
from web.rehearsal import plans
from web.rehearsal.front import Plan

BACK = timedelta(days=158)
"""How long before the present moment the town begins."""
PACE = timedelta(seconds=60)
"""How time is walked through: every minute has its tick, the quick ones round a deadline of the past are left out."""
SOON = timedelta(minutes=16)
OPENING, MORNING = timedelta(minutes=20), timedelta(hours=9, minutes=30)


NEEDS = {
    "GOODS": "所列货物的供货、安装、调试与培训，含三年质保",
    "SERVICES": "所列服务的全部作业，服务期一年",
    "WORKS": "施工图和工程量清单所示的全部内容",
}
INVITED = ("BRIDGE",)
"""A bridge few can mend: only the invited may bid."""
DRAWN = ("DRAFT",)
"""Still drafted: six are on the list of whom to draw three from."""
INQUIRIES = ("BEDS",)
"""Beds of one standard are bought by inquiry: one price each, the lowest wins."""


@dataclass(frozen=True)
class Part:
    """A tender and its part in the town. ``filed``: days before the present moment; ``offers``: thousandths of the ceiling, one a bidder;
    ``stage``: how far it is played."""

    plan: Plan
    filed: int
    stage: str
    bidders: tuple[int, ...] = ()
    offers: tuple[int, ...] = ()


def _method_of(key: str, bidders: tuple[int, ...]) -> dict[str, Any]:
    """The fields of a plan that say by which method, where it is not the usual one of the regime."""
    if key in INQUIRIES:
        return {"method": "M5", "chosen": plans.INQUIRY}
    if key in INVITED:
        return {"method": "M9", "chosen": plans.FEW, "invited": [f"bidder{n}" for n in bidders]}
    if key in DRAWN:
        return {"method": "M2", "chosen": plans.LIMITED, "invited": [f"bidder{n}" for n in range(1, 7)]}
    return {}


def morning(now: datetime, days_before: int) -> datetime:
    """09:30 of that day, or of the nearest working day before it."""
    calendar, day = packaged_calendar(), local_day(now - timedelta(days=days_before))
    while not calendar.is_working_day(day):
        day -= timedelta(days=1)
    return day_start(day) + MORNING


def parts(now: datetime) -> dict[str, Part]:
    """By key, in the order in which they were filed. ``now``: a whole minute."""
    made: dict[str, Part] = {}

    def add(
        key: str,
        name: str,
        regime: str,
        buyer: str,
        org: str,
        budget: str,
        deposit: str,
        filed: int,
        deadline: datetime,
        stage: str,
        bidders: tuple[int, ...] = (),
        offers: tuple[int, ...] = (),
        category: str = "GOODS",
        need: str = "",
        issue_at: datetime | None = None,
        opens_at: datetime | None = None,
    ) -> None:
        works = regime == "WORKS"
        intent = "" if works else local_day(now - timedelta(days=filed + 40)).isoformat()
        plan = Plan(
            key,
            name,
            regime,
            "WORKS" if works else category,
            "CONSTRUCTION" if works else "",
            buyer,
            org,
            budget,
            deposit,
            deadline,
            opens_at or deadline,
            coefficients=plans.COEFFICIENTS if works else "",
            intent=intent,
            scheme=plans.WORKS_SCHEME if works else plans.LOWEST_SCHEME if key in INQUIRIES else plans.GP_SCHEME,
            need=need or NEEDS["WORKS" if works else category],
            issue_at=issue_at,
            returned=key in ("CLASS", "REVIEW"),
            **_method_of(key, bidders),
        )
        made[key] = Part(plan, filed, stage, bidders, offers)

    one, two, three = (morning(now, days) for days in (134, 51, 24))
    recent, yesterday = morning(now, 5), morning(now, 1)
    goods, works = (968, 953, 937), (948, 921, 904)
    add(
        "CLASS",
        "春晓区中小学智慧教室设备采购",
        "GP",
        "buyer",
        "education",
        "3200000.00",
        "60000.00",
        158,
        one,
        "archived",
        (1, 2, 3),
        (961, 944, 926),
        need="智慧教室交互大屏 120 套，含安装、培训与三年质保",
    )
    add(
        "ROAD",
        "春晓区百花路人行道改造工程施工",
        "WORKS",
        "builder",
        "works",
        "9600000.00",
        "180000.00",
        158,
        one,
        "closing",
        (5, 6, 7),
        works,
    )
    add(
        "CHAIRS",
        "春晓区图书馆座椅采购",
        "GP",
        "buyer",
        "education",
        "600000.00",
        "12000.00",
        75,
        two,
        "failed",
        (2, 3),
        goods,
    )
    add(
        "CLINIC",
        "春晓区社区卫生服务中心检验设备采购",
        "GP",
        "buyer2",
        "health",
        "2750000.00",
        "55000.00",
        75,
        two,
        "closing",
        (1, 4, 9),
        (972, 949, 931),
    )
    add(
        "LAMPS",
        "春晓区公园景观照明维护服务",
        "GP",
        "buyer3",
        "city",
        "780000.00",
        "15000.00",
        75,
        two,
        "terminated",
        (),
        (),
        category="SERVICES",
    )
    add(
        "BEDS",
        "春晓区养老院护理床采购",
        "GP",
        "buyer2",
        "health",
        "1360000.00",
        "26000.00",
        48,
        three,
        "result",
        (1, 3, 9),
        (963, 951, 944),
    )
    add(
        "BRIDGE",
        "春晓区柳河桥加固工程施工",
        "WORKS",
        "builder",
        "works",
        "11800000.00",
        "220000.00",
        48,
        three,
        "contract",
        (5, 6, 8),
        (942, 925, 917),
    )
    add(
        "BUS",
        "春晓区教育局校车租赁服务",
        "GP",
        "buyer",
        "education",
        "1980000.00",
        "38000.00",
        48,
        three,
        "report",
        (2, 4, 9),
        (978, 966, 955),
        category="SERVICES",
    )
    add(
        "ROOF",
        "春晓区第三中学教学楼屋面维修工程施工",
        "WORKS",
        "builder",
        "works",
        "4300000.00",
        "80000.00",
        33,
        recent,
        "candidates",
        (5, 7, 10),
        (946, 933, 922),
    )
    add(
        "TREES",
        "春晓区行道树补植采购",
        "GP",
        "buyer3",
        "city",
        "940000.00",
        "18000.00",
        33,
        recent,
        "award",
        (3, 4, 1),
        (957, 948, 936),
    )
    add(
        "REVIEW",
        "春晓区滨河路道路改造工程施工",
        "WORKS",
        "builder",
        "works",
        "26800000.00",
        "500000.00",
        33,
        recent,
        "evaluation",
        (5, 6, 7),
        (968, 953, 937),
    )
    add(
        "SERVERS",
        "春晓区政务云服务器扩容采购",
        "GP",
        "buyer",
        "education",
        "2100000.00",
        "42000.00",
        33,
        yesterday,
        "qualification",
        (1, 2, 4),
        (975, 962, 949),
    )
    add(
        "HALL",
        "春晓区机关食堂设备更新采购",
        "GP",
        "buyer",
        "education",
        "1500000.00",
        "30000.00",
        33,
        now - OPENING,
        "opening",
        (1, 2, 3),
        goods,
    )
    add(
        "SOON",
        "春晓区政务大厅自助终端采购",
        "GP",
        "buyer",
        "education",
        "2400000.00",
        "48000.00",
        33,
        now + SOON,
        "soon",
        (2, 3, 4),
        goods,
    )
    add(
        "OPEN",
        "春晓区养老服务站家具采购",
        "GP",
        "buyer2",
        "health",
        "900000.00",
        "18000.00",
        33,
        now + timedelta(days=11),
        "bidding",
        (3,),
        (966,),
    )
    add(
        "NOTICE",
        "春晓区体育馆木地板翻新采购",
        "GP",
        "buyer3",
        "city",
        "1120000.00",
        "22000.00",
        33,
        now + timedelta(days=28),
        "notice",
        issue_at=now + timedelta(days=3),
    )
    add(
        "DRAFT",
        "春晓区智慧停车设备采购",
        "GP",
        "buyer3",
        "city",
        "1750000.00",
        "35000.00",
        3,
        now + timedelta(days=30),
        "draft",
    )
    return made

"""The years before the town: a table of older results, as an office would hand it over, taken in as `bidhall import history` does."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from random import Random

from trading.kernel.access import Actor, Role
from trading.reports import history
from web.rehearsal.names import ORGS
from web.rehearsal.server import Stage

NAME = "春晓区往年成交结果.csv"
SOURCE = "春晓区公共资源交易中心往年台账（演练数据，均为虚构）"
HEADINGS = (
    "编号",
    "项目",
    "制度",
    "类别",
    "采购方式",
    "结果公告日期",
    "采购人",
    "代理机构",
    "地区",
    "状态",
    "计价形式",
    "预算金额（元）",
    "成交金额（元）",
    "币种",
)
WORKS = ("道路改造工程施工", "排水管网工程施工", "校舍维修工程施工", "老旧小区改造工程施工", "桥梁加固工程施工")
GOODS = ("教学设备采购", "医疗设备采购", "办公家具采购", "信息系统采购", "环卫车辆采购")
SERVICES = ("物业服务采购", "绿化养护服务", "印刷服务采购", "食堂配送服务")
YEARS, A_YEAR = 3, 36


def table(until: int) -> bytes:
    """The results of the years before ``until`` as a CSV file; the same years give the same bytes."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADINGS)
    buyers = [one.name for one in ORGS if one.kind == "purchaser"]
    for year in range(until - YEARS, until):
        rng = Random(year)
        days = sorted(date(year, 1, 8) + timedelta(days=rng.randrange(345)) for _ in range(A_YEAR))
        for n, day in enumerate(days, 1):
            works = n % 3 == 0
            kind = rng.choice(WORKS if works else GOODS if n % 2 else SERVICES)
            budget = rng.randrange(280, 3600) * 10_000 if works else rng.randrange(18, 420) * 10_000
            failed = n % 17 == 0
            award = budget * rng.randrange(9050, 9960) // 10_000
            rows.writerow(
                (
                    f"{'JS' if works else 'GP'}{year}-{n:03d}",
                    f"春晓区{kind}（{year}年第{n}号）",
                    "工程" if works else "政府采购",
                    "工程" if works else "货物" if n % 2 else "服务",
                    "公开招标",
                    day.isoformat(),
                    rng.choice(buyers),
                    "明理招标代理有限公司",
                    "130205",
                    "流标" if failed else "成交",
                    "总价",
                    f"{budget}.00",
                    "" if failed else f"{award}.00",
                    "CNY",
                )
            )
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def take_in(scene: Stage) -> int:
    """Write the file into the data folder and take it in. Returns the number of its rows."""
    data = table(scene.now.year)
    (scene.settings.data / NAME).write_bytes(data)
    with scene.office.work(Actor(Role.SYSTEM_ADMIN, name="command line")) as work:
        return history.take_in(work, data, name=NAME, source=SOURCE)

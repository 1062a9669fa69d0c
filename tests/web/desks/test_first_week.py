"""The first week: what is missing is found in the state, from an empty platform to a published tender."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import evaluation_steps, stages
from tests.kit.world import SETUP, World
from tests.web.desks.rooms import Rooms, open_rooms
from trading.kernel.access import Role
from trading.parties import parties

SEATS = (("secadmin", Role.SECURITY_ADMIN), ("sysadmin", Role.SYSTEM_ADMIN), ("auditadmin", Role.AUDIT_ADMIN))


def lines(page: str) -> dict[str, tuple[str, str]]:
    """Title → (state, what was found)."""
    found = {}
    for row in re.findall(r"(?s)<tr>(.*?)</tr>", page.partition("<tbody>")[2]):
        cells = [
            " ".join(re.sub(r'(?s)<span class="sub">.*?</span>|<[^>]+>', " ", one).split())
            for one in re.findall(r"(?s)<t[dh][ >].*?</t[dh]>", row)
        ]
        if len(cells) == 4:
            found[cells[1]] = (cells[0], cells[2])
    return found


@pytest.fixture
def rooms(engine: Engine, tmp_path: Path) -> Rooms:
    world = World(engine, tmp_path)
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username, role in SEATS:
            who = parties.invite(
                work, centre, username=username, name=username, password="correct horse battery", roles=[role]
            )
            world.people[username] = who.id
    return open_rooms(world, tmp_path)


def test_each_line_follows_from_the_state(rooms: Rooms) -> None:
    world, admin = rooms.world, rooms.person("secadmin")
    told = lines(admin.get("/admin/first-week").text)
    assert told["两位安全管理员"][0] == "待办" and told["中心、采购人、代理机构和监督机构"][0] == "已完成"
    assert told["各工作台都有人员"][0] == "待办" and "保证金经办" in told["各工作台都有人员"][1]
    assert told["来自三方的密钥持有人"] == ("已完成", "三方共 5 人") and told["密钥持有人的密钥文件"][0] == "已完成"
    assert told["库中的专家"] == ("待办", "暂无") and told["数据文件夹以外的日志记忆"][0] == "待办"
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for username, role in (("sec2", Role.SECURITY_ADMIN), ("cash", Role.CASHIER), ("control", Role.CONTROLLER)):
            parties.invite(
                work, centre, username=username, name=username, password="correct horse battery", roles=[role]
            )
        parties.disable(work, parties.account(work.session, world.people["officer5"]))
    told = lines(admin.get("/admin/first-week").text)
    assert told["两位安全管理员"] == ("已完成", "在任 2 人") and told["各工作台都有人员"][0] == "已完成"
    assert told["来自三方的密钥持有人"] == ("待办", "还缺：监督机构") and "监督机构" in told["密钥持有人的密钥文件"][1]
    evaluation_steps.library(world)
    assert lines(admin.get("/admin/first-week").text)["库中的专家"][0] == "已完成"


def test_the_first_page_leads_there_until_a_tender_is_published(rooms: Rooms) -> None:
    link = 'href="/admin/first-week"'
    for username in ("secadmin", "sysadmin"):
        person = rooms.person(username)
        assert link in person.get("/admin").text
        page = person.get("/admin/first-week").text.partition("<main")[2]
        led = set(re.findall(r'<a href="(/admin/[^"?]*)', page)) - {"/admin"}
        assert led and {person.get(path).status_code for path in led} == {200}, "no link leads to a closed door"
    assert link not in rooms.person("auditadmin").get("/admin").text
    assert rooms.person("auditadmin").get("/admin/first-week").status_code == 403
    assert rooms.person("clerk").get("/admin/first-week").status_code == 403
    stages.bidding(rooms.world)
    assert link not in rooms.person("secadmin").get("/admin").text
    assert "things are missing" in rooms.person("sysadmin").get("/admin/first-week?lang=en").text

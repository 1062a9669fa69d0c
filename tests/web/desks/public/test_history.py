"""Results of older years: taken in whole and once, reckoned like any others, and never mixed with what was played here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.web.desks.rooms import Rooms
from trading.kernel.access import Actor, Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed
from trading.reports import history, own, savings

YEARBOOK = Path("docs/examples/yearbook-2018.csv")
HEAD = "编号,项目,结果公告日期,预算金额（元）,成交金额（元）\n"


def take(rooms: Rooms, data: bytes, *, who: Role = Role.SYSTEM_ADMIN) -> int:
    with rooms.world.office.work(Actor(who, name="test")) as work:
        return history.take_in(work, data, name="old.csv", source="yearbook of the district")


def test_a_file_is_taken_in_whole_once_and_to_the_fen(rooms: Rooms) -> None:
    data = YEARBOOK.read_bytes()
    assert take(rooms, data) == 115
    with rooms.world.view("clock") as view:
        report = savings.reckon(savings.own_rows(history.records(view.session)), by=("year",))
        assert (report.transactions, report.budget, report.award) == (115, 301_770_000_000, 294_648_000_000)
        assert [one.by for one in report.groups] == [("2018",)] and history.sources(view.session)[0].rows == 115
        assert list(own.records(view.session)) == [], "never among the platform's own"
    with pytest.raises(Conflict) as refused:
        take(rooms, data)
    assert refused.value.code == "history.taken"


def test_what_does_not_fit_leaves_nothing_behind(rooms: Rooms) -> None:
    with pytest.raises(Invalid) as refused:
        take(rooms, (HEAD + "A-1,Road,2018-01-05,100.005,90.00\nA-2,Road,2018-01-06,100.00,90.00\n").encode())
    assert [(one.where, one.code) for one in refused.value.faults] == [("A-1", "history.finer")]
    with pytest.raises(Invalid):
        take(rooms, b"no table at all")
    with pytest.raises(NotAllowed):
        take(rooms, YEARBOOK.read_bytes(), who=Role.PURCHASER)
    with rooms.world.view("clock") as view:
        assert history.sources(view.session) == []


def test_the_savings_page_shows_them_apart_as_imported(rooms: Rooms) -> None:
    guest = rooms.app.test_client()
    assert "往年资料导入" not in guest.get("/savings").text
    take(rooms, YEARBOOK.read_bytes())
    page = guest.get("/savings?lang=en").text
    assert "Imported from older records" in page and "yearbook of the district" in page and "2.36%" in page
    assert json.loads(guest.get("/savings?format=json").data)["transactions"] == 0, "not in the platform's figures"
    shown = guest.get("/savings/imported?year=2018&lang=zh").text
    assert "JS2018-047" in shown and "不是在本平台办理的" in shown and "示例区水务局" in shown
    assert "JS2018-047" not in guest.get("/savings/imported?year=2017").text

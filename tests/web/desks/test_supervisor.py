"""The supervisor's desk: limits as the rows say, nothing of a sealed lot, nothing that can be changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.deposits.money_room import MoneyRoom
from tests.kit.world import World
from tests.web.desks.purchasing import forms_of
from tests.web.desks.rooms import Rooms, open_rooms
from trading.awarding import awards
from trading.kernel.access import Role
from trading.kernel.calendar import local_day
from trading.remedies import disputes
from trading.views import oversight
from web.app import find_desks
from web.desks.supervisor import figures
from web.http.page_rules import PAGES

find_desks()  # reads every desk, so that all pages are known
LIST = (
    *(
        rule.path
        for rule in PAGES.values()
        if rule.method == "GET" and rule.path.startswith("/supervisor") and "<" not in rule.path
    ),
    "/supervisor/deadlines?show=late",
    "/supervisor/deadlines?show=kept",
)


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> tuple[MoneyRoom, Rooms]:
    world = World(engine, tmp_path)
    return MoneyRoom(world, tmp_path / "bank.db"), open_rooms(world, tmp_path)


@pytest.mark.rule("T-11")
def test_a_limit_that_runs_then_is_broken_then_kept_late(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.paid_lot("GP")
    room.list_set(ref)
    room.open(ref)
    room.evaluate(ref)
    watch = rooms.person("watch")
    page = watch.get("/supervisor").text
    assert "确定中标" in page and "T-11" in page and ref in page
    with room.world.view("watch") as view:
        (limit,) = [one for one in oversight.limits(view) if one.kind == "decide"]
        assert limit.state(view.now) == "running" and limit.state(limit.until - timedelta(hours=1)) == "soon"
        assert limit.state(limit.until) == "late"  # the last moment itself is late
    room.world.clock.set(limit.until + timedelta(hours=1))
    watch = rooms.person("watch")
    late = watch.get("/supervisor/deadlines?show=late").text
    assert "确定中标" in late and "逾期 1 小时" in late and "is-late" in late
    room.award(ref)
    done = watch.get("/supervisor/deadlines?show=kept").text
    assert "逾期办结" in done and ref in done
    assert "确定中标" not in watch.get("/supervisor/deadlines?show=late").text.partition("<tbody")[2]


def test_refunds_are_limits_once_the_payers_are_public(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.awarded("GP")
    room.due()
    watch = rooms.person("watch")
    page = watch.get("/supervisor/deadlines?kind=refund").text
    assert page.count("退还保证金") >= 2 and room.payer("bidder2")[0] in page and "50,000.00" in page
    dossier = watch.get(f"/supervisor/dossier/{ref}").text
    for name in room.world.bidders:
        assert room.payer(name)[0] in dossier
    assert "90.00" in dossier and "D-22" in dossier


def test_nothing_of_a_sealed_lot(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, subs = room.paid_lot("GP")
    watch = rooms.person("watch")
    for page in (*LIST, f"/supervisor/dossier/{ref}"):
        body = watch.get(page)
        assert body.status_code == 200, page
        for name in room.world.bidders:
            payer, account = room.payer(name)
            assert payer not in body.text and account not in body.text and subs[name] not in body.text, page
    dossier = watch.get(f"/supervisor/dossier/{ref}").text
    assert "封存" in dossier and "开标名单上" not in dossier


def test_the_dossier_of_a_sealed_lot_is_the_same_however_many_take_part(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    rooms = open_rooms(world, tmp_path)
    room = MoneyRoom(world, tmp_path / "bank.db")
    ref = world.lot("BIDDING")
    watch = rooms.person("watch")

    def main() -> str:
        page = watch.get(f"/supervisor/dossier/{ref}").text
        return page[page.index("<main") : page.index("</main>")]

    before = main()
    subs = room.take_part(ref)
    for name in subs:
        room.pay_in(name, subs[name])
    room.fetch()
    assert main() == before


def test_who_objected_is_told_after_the_opening_list(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.paid_lot("GP")
    with room.world.work("bidder2", Role.BIDDER_SIGNER) as work:
        lot = room.world.lot_in(work, ref)
        one = disputes.file(
            work, lot, stage="documents", text="评分标准偏向特定供应商", until=work.now + timedelta(days=1)
        ).ref
    watch = rooms.person("watch")
    name = room.payer("bidder2")[0]
    assert "偏向特定供应商" in watch.get(f"/supervisor/objections/{one}").text
    for page in (*LIST, f"/supervisor/objections/{one}", f"/supervisor/dossier/{ref}"):
        assert name not in watch.get(page).text, page
    room.list_set(ref)
    watch = rooms.person("watch")
    assert name in watch.get(f"/supervisor/objections/{one}").text
    assert "在办异议质疑" in watch.get("/supervisor").text


def test_it_reads_and_changes_nothing(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    acts = {
        page.endpoint for page in PAGES.values() if page.endpoint.startswith("supervisor.") and page.method != "GET"
    }
    signs = {
        "supervisor.confirm_late",
        "supervisor.sign_findings",
        "supervisor.sign_lost",
        "supervisor.waive",
        "supervisor.settle",
    }
    decides = {"supervisor.do_accept", "supervisor.do_refuse", "supervisor.do_decide"}
    assert acts == signs | decides, "what it signs at an opening and decides on a complaint, no more"
    ref, _subs = room.awarded("WORKS")
    watch = rooms.person("watch")
    for page in (*LIST, f"/supervisor/dossier/{ref}"):
        main = watch.get(page).text.partition("<main")[2].partition("</main>")[0]
        assert [action for action, _ in forms_of(main) if "/acts/" in action] == []
    with room.world.view("clock") as view:
        assert awards.award(view.session, room.world.lot_in(view, ref)).announced_at is not None
    for person in (rooms.person("cashier"), rooms.person("clerk"), rooms.person("bidder1"), rooms.person("agent")):
        assert {person.get(page).status_code for page in LIST} == {403}


def test_a_log_that_stands_still_is_said(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    room.world.tick()
    watch = rooms.person("watch")
    assert "在运行" in watch.get("/supervisor").text
    room.world.clock.advance(minutes=3)
    assert re.search(r"停住", watch.get("/supervisor").text)


def test_weeks_and_kinds_lead_to_the_rows_they_count(house: tuple[MoneyRoom, Rooms]) -> None:
    room, rooms = house
    ref, _subs = room.paid_lot("GP")
    room.list_set(ref)
    room.open(ref)
    room.evaluate(ref)
    with room.world.view("watch") as view:
        (limit,) = [one for one in oversight.limits(view) if one.kind == "decide"]
    room.world.clock.set(limit.until + timedelta(hours=1))
    room.award(ref)
    watch = rooms.person("watch")
    home = watch.get("/supervisor").text
    week = figures.monday_of(local_day(limit.until - timedelta(seconds=1)))
    assert f"/supervisor/deadlines?show=all&amp;week={week.isoformat()}" in home and "近 12 周期限履行" in home
    rows = watch.get(f"/supervisor/deadlines?show=all&week={week.isoformat()}").text.partition("<tbody")[2]
    assert "确定中标" in rows and "逾期办结" in rows
    other = watch.get(f"/supervisor/deadlines?show=all&week={(week - timedelta(weeks=3)).isoformat()}").text
    assert "确定中标" not in other.partition("<tbody")[2]
    assert "确定中标" in watch.get("/supervisor/deadlines?show=kept_late&kind=decide").text.partition("<tbody")[2]


def test_figures_count_each_limit_once() -> None:
    now = datetime(2026, 3, 18, 4, tzinfo=UTC)

    def limit(kind: str, until: datetime, met: datetime | None = None) -> oversight.Limit:
        return oversight.Limit(kind, "x", "lot", "title", "owner", "T-11", until, met, {})

    midnight = datetime(2026, 3, 15, 16, tzinfo=UTC)  # Monday 00:00 in Beijing: the Sunday's last moment
    found = [
        limit("decide", midnight, midnight - timedelta(hours=1)),
        limit("decide", now - timedelta(hours=1)),
        limit("contract", now + timedelta(days=1)),
        limit("refund", now - timedelta(weeks=40)),
    ]
    columns = figures.weeks(found, now)
    assert [one.count.total for one in columns] == [0] * 10 + [1, 2] and columns[-1].is_now
    assert columns[-2].count == figures.Count(kept=1) and columns[-1].count == figures.Count(running=1, late=1)
    assert figures.count_of(found, now).rate == "33.3"
    assert [(row.kind, row.count.total) for row in figures.kinds(found, now, ("decide", "contract", "enquiry"))] == [
        ("decide", 2),
        ("contract", 1),
    ]

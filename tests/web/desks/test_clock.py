"""A clock in doubt, as people meet it: a bidder hands in, an administrator and the public read why nothing is closed (promise R7)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import stages
from tests.kit.machine import SetMachine
from tests.kit.sntp import served
from tests.kit.world import SETUP, World
from tests.web.desks.rooms import PASSWORD, Person, Rooms, hand_in, open_rooms, sealed_bid, upload
from trading import timeline
from trading.kernel.access import Role
from trading.kernel.outside_time import Outside
from trading.kernel.system_clock import Kept, SystemClock
from trading.parties import parties
from web.desks.bidder import receipts
from web.workers import time_sources
from web.workers.watch.status import Status


@pytest.fixture
def machine() -> SetMachine:
    return SetMachine(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def world(engine: Engine, tmp_path: Path, machine: SetMachine) -> World:
    """Five minutes before a deadline, by a machine's two clocks."""
    made = World(engine, tmp_path)
    made.called["ref"] = stages.bidding(made)
    with made.office.work(SETUP) as work:
        centre = parties.party(work.session, made.party_ids["centre"])
        parties.invite(work, centre, username="sysadmin", name="管理员", password=PASSWORD, roles=[Role.SYSTEM_ADMIN])
    with made.view("clock") as view:
        deadline = made.lot_in(view, made.called["ref"]).deadline
    assert deadline is not None
    made.clock.set(deadline - timedelta(minutes=5))
    timeline.turn(made.office)
    machine.until(made.now)
    made.office = replace(made.office, clock=SystemClock(Kept(), machine))
    return made


@pytest.fixture
def rooms(world: World, tmp_path: Path) -> Rooms:
    return open_rooms(world, tmp_path)


@pytest.fixture
def bidder(rooms: Rooms) -> Person:
    return rooms.person("bidder1", "bidder-signer")


@pytest.mark.promise("R7")
def test_who_hands_in_during_a_jump_waits_a_moment_and_is_accepted(
    rooms: Rooms, bidder: Person, machine: SetMachine
) -> None:
    lot = rooms.world.called["ref"]
    bid = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, bid.data)
    machine.jumps(720)
    back = threading.Timer(0.4, machine.is_set_right)
    back.start()
    answer = hand_in(bidder, lot, bid, token=token)
    back.join()
    assert (answer.status_code, answer.json["accepted"]) == (200, True)


@pytest.mark.promise("R7")
def test_who_hands_in_while_it_lasts_holds_a_signed_proof_and_hands_in_again(
    rooms: Rooms, bidder: Person, machine: SetMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "LOOKS", 1)
    lot = rooms.world.called["ref"]
    bid = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, bid.data)
    machine.jumps(720)
    answer = hand_in(bidder, lot, bid, token=token)
    assert (answer.status_code, answer.json["accepted"], answer.json["reason"]) == (200, False, "UNAVAILABLE")
    assert "entry" in answer.json["receipt"]
    machine.is_set_right()
    assert hand_in(bidder, lot, bid, token=token).json["accepted"]


@pytest.mark.promise("R7")
def test_health_and_the_status_page_say_so_in_words(rooms: Rooms, machine: SetMachine, tmp_path: Path) -> None:
    admin = rooms.person("sysadmin")
    assert "可疑" not in admin.get("/admin/health").text
    machine.jumps(720)
    for lang, words in (("zh", "服务器时钟可疑"), ("en", "server&#39;s clock is in doubt")):
        page = admin.get(f"/admin/health?lang={lang}").text
        assert words in page and "720" in page and "bidhall clock accept" in page
    page = one_status(rooms.world, tmp_path)
    assert "服务器时钟可疑" in page and "clock is in doubt" in page
    machine.is_set_right()
    assert "可疑" not in one_status(rooms.world, tmp_path) and "可疑" not in admin.get("/admin/health?lang=zh").text


@pytest.mark.promise("R7")
def test_clocks_outside_are_told_and_hold_like_our_own(
    rooms: Rooms, bidder: Person, machine: SetMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "LOOKS", 1)
    admin, clock = rooms.person("sysadmin"), rooms.world.office.clock
    assert isinstance(clock, SystemClock)
    lot = rooms.world.called["ref"]
    bid = sealed_bid(rooms.world, lot, "bidder1")
    token = upload(bidder, lot, bid.data)
    with served(lambda: machine.true) as server:
        clock.outside = Outside(None, (server.source,))
        assert "近来没有询问外部时间源" in admin.get("/admin/health?lang=zh").text
        time_sources.ask(clock)
        assert "1 of 1 clocks outside agree with ours" in admin.get("/admin/health?lang=en").text
        server.off = 720.0
        machine.passes(time_sources.EVERY_SECONDS)
        time_sources.ask(clock)
        page = admin.get("/admin/health?lang=zh").text
        assert "1 个外部时间源中有 1 个认为应为" in page and "BIDHALL_TIME_SOURCES" in page
        answer = hand_in(bidder, lot, bid, token=token)
        assert (answer.json["accepted"], answer.json["reason"]) == (False, "UNAVAILABLE")
        server.how = "silent"
        machine.passes(time_sources.EVERY_SECONDS)
        time_sources.ask(clock)
        assert "0 of 1 clocks outside agree with ours" in admin.get("/admin/health?lang=en").text
        assert hand_in(bidder, lot, bid, token=token).json["accepted"]


def one_status(world: World, folder: Path) -> str:
    one = Status(world.office, folder)
    told = one.turn()
    clock = next(found for found in told["platform"]["components"] if found["name"] == "clock")
    assert (clock["ok"] is False) == (told["platform"]["clock_doubt"] is not None)
    return (one.folder / "index.html").read_text(encoding="utf-8")

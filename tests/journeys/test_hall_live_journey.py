"""The hall live, cut and without scripts: nothing typed is lost to an event, nothing is missed or told twice, and a reload does as well."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.opening_steps import ALL, share
from tests.kit.server import LiveServer, serving
from tests.kit.world import DEADLINE, World
from tests.trading.hall.test_attendance import come
from trading.hall import readings
from trading.opening import ceremony, decryption, opening_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ZONE: dict[str, Any] = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}


@pytest.fixture
def hall(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with serving(World(engine, tmp_path), tmp_path) as live:
        yield live


def bids_in(world: World) -> str:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    world.tick()
    return ref


def read_out(world: World) -> str:
    ref = bids_in(world)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        share(world, ref, username)
    decryption.open_bids(world.office, world.actor("host"), ref)
    return ref


def say(world: World, ref: str, username: str, kind: str, text: str = "") -> None:
    with world.work(username) as work:
        opening_list.remark(work, ceremony.opening(work.session, world.lot_in(work, ref)), kind=kind, text=text)


def turn_to(world: World, ref: str, place: int) -> None:
    with world.work("host") as work:
        readings.read_out(work, ceremony.opening(work.session, world.lot_in(work, ref)), place)


@contextmanager
def stream(hall: LiveServer, ref: str, *, last: str = "", after: str = "") -> Iterator[Iterator[dict[str, str]]]:
    """The events of a stream as they come; leaving the block cuts the line."""
    where = urlsplit(hall.url)
    line = http.client.HTTPConnection("127.0.0.1", where.port or 80, timeout=20)
    line.request(
        "GET",
        f"/live/hall/{ref}" + (f"?after={quote(after)}" if after else ""),
        headers={"Last-Event-ID": last} if last else {},
    )
    answer = line.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type", "").startswith("text/event-stream")

    def events() -> Iterator[dict[str, str]]:
        held: dict[str, str] = {}
        while raw := answer.readline():
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name:
                held[name] = value
            elif held:
                yield held
                held = {}

    try:
        yield events()
    finally:
        line.close()


def test_a_cut_line_is_made_up_for_once(hall: LiveServer) -> None:
    world = hall.world
    ref = read_out(world)
    with stream(hall, ref) as events:
        assert "retry" in next(events) and next(events)["event"] == "beat"
        turn_to(world, ref, 1)
        first = next(events)
        assert json.loads(first["data"]) == {"changed": True} and first["id"]
    turn_to(world, ref, 2)  # while nobody listens
    say(world, ref, "bidder1", "confirm")
    with stream(hall, ref, last=first["id"], after="as the page was opened") as events:
        next(events)
        made_up = next(events)
        assert made_up["id"] not in (
            "",
            first["id"],
        )  # one event for all that was missed; the page fetched after it holds them all
        turn_to(world, ref, 3)
        third = next(events)
        assert third["id"] != made_up["id"]
    with stream(hall, ref, last=third["id"]) as events:
        next(events)
        assert next(events)["event"] == "beat"  # nothing was missed, so nothing is told again
    with stream(hall, ref, last="unknown to this server") as events:
        next(events)
        assert next(events)["id"] == third["id"]


def test_what_somebody_types_outlives_an_event_and_countdowns_run_on(hall: LiveServer, browser: Browser) -> None:
    world = hall.world
    ref = read_out(world)
    say(world, ref, "bidder2", "objection", "工期读错了。")
    page = browser.new_context(**ZONE).new_page()
    hall.sign_in(page, "host")
    page.goto(f"{hall.url}/hall/{ref}/host")
    answer = page.locator("#f-text, [name=text]").first
    answer.fill("已核对：")
    answer.press_sequentially("一百八十日")
    say(world, ref, "bidder1", "confirm")
    page.locator("#chair", has_text="已确认").wait_for(timeout=15_000)
    assert answer.input_value() == "已核对：一百八十日"
    page.keyboard.type("。")
    assert answer.input_value() == "已核对：一百八十日。"  # the cursor is where it was
    clock = page.locator("#chair .count .t").first
    before = clock.inner_text()
    page.wait_for_function(
        "(seen) => document.querySelector('#chair .count .t').innerText !== seen", arg=before, timeout=5_000
    )
    with page.expect_navigation():
        page.get_by_role("button", name="答复", exact=True).click()
    assert "已核对：一百八十日。" in page.locator("main").inner_text()


def test_after_thirty_silent_seconds_the_page_says_so_and_asks_by_itself(hall: LiveServer, browser: Browser) -> None:
    world = hall.world
    ref = read_out(world)
    page = browser.new_context(**ZONE).new_page()
    page.clock.install()
    page.route("**/live/**", lambda route: route.abort())
    page.goto(f"{hall.url}/hall/{ref}")
    page.clock.run_for(20_000)
    assert "中断" not in page.locator(".livebar").inner_text()
    page.clock.run_for(13_000)
    page.locator(".livebar", has_text="中断").wait_for(timeout=5_000)
    turn_to(world, ref, 2)
    page.clock.run_for(6_000)
    page.locator("#hall tr.is-read").wait_for(timeout=10_000)
    page.unroute("**/live/**")
    page.clock.run_for(6_000)
    page.wait_for_function("() => document.querySelector('.livebar').textContent === ''", timeout=15_000)


def test_the_whole_hall_by_reload_alone(hall: LiveServer, browser: Browser) -> None:
    """No script runs: bidder, host and public get through sign-in, set, decryption and reading out with forms and links."""
    world = hall.world
    ref = bids_in(world)
    world.clock.set(DEADLINE - timedelta(minutes=10))
    public = browser.new_context(java_script_enabled=False, **ZONE).new_page()
    bidder = browser.new_context(java_script_enabled=False, **ZONE).new_page()
    host = browser.new_context(java_script_enabled=False, **ZONE).new_page()

    def sign_in(page: Any, username: str) -> None:
        page.goto(f"{hall.url}/account/sign-in")
        page.fill("[name=username]", username)
        page.fill("[name=password]", "correct horse battery")
        page.click("main form button:not([type=button])")

    sign_in(bidder, "bidder1")
    bidder.locator("details.me summary").click()
    bidder.locator("button[name=role][value=bidder-signer]").click()
    bidder.goto(f"{hall.url}/bidder/lots/{ref}/opening")
    bidder.get_by_role("button", name="签到").click()
    assert "您已于" in bidder.locator("main").inner_text()
    public.goto(f"{hall.url}/hall/{ref}")
    text = public.locator("main").inner_text()
    assert "还有 10 分" in text and "投标单位" not in text and "bidder1" not in text
    come(world, ref, "officer1")
    sealing.close(world, ref)
    sign_in(host, "host")
    host.goto(f"{hall.url}/hall/{ref}/host")
    host.get_by_role("button", name="公布名单").click()
    public.reload()
    assert public.locator("main").inner_text().count("投标单位") >= 3
    with world.view("clock") as view:
        begins = ceremony.opening(view.session, world.lot_in(view, ref)).shares_from
    world.clock.set(begins + timedelta(seconds=70))
    world.seal_log()
    for username in ALL:
        share(world, ref, username)
    host.reload()
    host.get_by_role("button", name="解密并唱标").click()
    host.get_by_role("link", name="逐行唱标").click()
    host.get_by_role("button", name="唱第一行").click()
    host.get_by_role("button", name="下一行").click()
    public.goto(f"{hall.url}/hall/{ref}/projector")
    assert "第 2 家" in public.locator(".pos").inner_text() and public.locator("li.wait .amt").inner_text() == "待唱"
    public.goto(f"{hall.url}/hall/{ref}/projector?line=1")  # a line that was read already, for this screen alone
    assert "第 1 家" in public.locator(".pos").inner_text()
    bidder.goto(f"{hall.url}/bidder/lots/{ref}/opening")
    bidder.locator("form[action$='/acts/confirm'] button").click()
    public.goto(f"{hall.url}/hall/{ref}")
    assert "已确认" in public.locator("#hall").inner_text()

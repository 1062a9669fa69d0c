"""An opening that goes wrong, in real browsers: the supervisory body confirms a late closing with its key file, a key holder hands its key
over, the boxes are judged in the page, a bidder rescues its bid with the keeper file, another claims a lost one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from crypto import keyfiles
from tests.journeys.test_opening_journey import PASSPHRASE, Desk
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.opening_steps import ALL
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from tests.trading.opening.test_ceremony import FORGED, forged
from trading.bidding import late_close
from trading.opening import ceremony, findings, rescue

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def hall(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)  # cheap key files: what they cost is tested elsewhere
    monkeypatch.setattr(keyfiles, "PASSES", 1)
    with serving(World(engine, tmp_path), tmp_path) as live:
        yield live


def bidder(live: LiveServer, browser: Browser, folder: Path, username: str) -> Desk:
    desk = Desk(live, browser, folder, username, role="bidder", party=sealing.code_of(live.world, username))
    desk.context.clear_cookies()  # signed in without a role of one's choice
    live.sign_in(desk.page, username, role="bidder-signer")
    return desk


def write(folder: Path, name: str, value: object) -> str:
    path = folder / name
    path.write_text(json.dumps(value))
    return str(path)


@pytest.mark.browser
def test_a_late_closing_confirmed_and_a_bid_rescued(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    ref = stages.bidding(world)
    seeds = verdict_steps.bid(world, ref)
    verdict_steps.late_closing(world, ref)
    watch = Desk(hall, browser, tmp_path, "watch", role="supervisor")
    watch.go(f"/supervisor/hall/{ref}")
    assert "请先写明认定的情况" in watch.refused("late-close")
    watch.page.fill("#late-finding", "机房停电 44 分钟，备用电源切换失败；已核对审计簿，无人因此未能投标。")
    assert "开标可以继续" in watch.work("late-close")
    assert watch.faults == []
    with world.view("clock") as view:
        assert late_close.find(view.session, world.lot_in(view, ref)) is not None
    opening_steps.turn(world)
    sealing.list_set(world, ref)
    verdict_steps.fail(world, ref, came=("officer1", "officer5"))
    one = bidder(hall, browser, tmp_path, "bidder1")
    page = one.go(f"/bidder/lots/{ref}/rescue")
    keeper, other = (
        write(tmp_path, f"keeper-{name}.json", keyfiles.wrap_seed(seeds[name], PASSPHRASE))
        for name in ("bidder1", "bidder2")
    )
    page.set_input_files("#key-file", str(one.file))
    page.fill("#key-pass", PASSPHRASE)
    page.fill("#keeper-pass", PASSPHRASE)
    page.set_input_files("#keeper", other)
    page.click("#rescue-go")
    page.locator("#rescue-form li.bad").wait_for(timeout=60_000)
    assert "REDERIVE" in page.locator("#rescue-form li.bad").inner_text()
    page.set_input_files("#keeper", keeper)
    with page.expect_navigation(timeout=60_000):
        page.click("#rescue-go")
    assert "已于" in page.locator("main").inner_text() and one.faults == []
    with world.view("clock") as view:
        assert list(rescue.seeds(view.session, verdict_steps.row_of(world, view, ref)).values()) == [seeds["bidder1"]]
    verdict_steps.pause_over(world, ref)
    verdict_steps.decrypt(world, ref)
    assert "2,750,000.00" in one.go(f"/bidder/lots/{ref}/opening").locator("main").inner_text()


@pytest.mark.browser
def test_a_key_is_handed_over_and_boxes_are_judged(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder2", "bidder3")
    assert sealing.hand_in(
        world, ref, "bidder1", *forged(world, ref, "bidder1", **FORGED["no box is the one committed to"][0])
    ).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    verdict_steps.fail(world, ref, came=ALL)
    officer = Desk(hall, browser, tmp_path, "officer3")
    page = officer.go(f"/hall/{ref}/scope")
    page.set_input_files("#s-file", str(officer.file))
    page.fill("#s-pass", PASSPHRASE)
    page.fill("#s-new", "当面告诉监督部门的口令")
    page.get_by_role("button", name="取出本次开标的密钥").click()
    page.locator("#s-download").wait_for(state="visible", timeout=60_000)
    with page.expect_download() as waiting:
        page.click("#s-download")
    handed = tmp_path / "handed.json"
    waiting.value.save_as(handed)
    assert officer.faults == [] and json.loads(handed.read_text())["alg"] == "x25519"
    watch = Desk(hall, browser, tmp_path, "watch", role="supervisor")
    page = watch.go(f"/supervisor/hall/{ref}")
    page.set_input_files("#scope-file", str(watch.file))
    page.fill("#scope-pass", "x")
    assert watch.refused("findings")
    page.set_input_files("#scope-file", str(handed))
    page.fill("#scope-pass", "当面告诉监督部门的口令")
    assert "SHARE_COMMIT" in watch.work("findings") and watch.faults == []
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        assert [(one.j, one.code) for one in findings.of_opening(view.session, row)] == [(3, "SHARE_COMMIT")]


@pytest.mark.browser
def test_a_lost_bid_is_claimed_in_the_page(
    engine: Engine, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)
    monkeypatch.setattr(keyfiles, "PASSES", 1)
    world = World(engine, tmp_path, bidders=4)
    with serving(world, tmp_path) as live:
        ref = stages.bidding(world)
        verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
        receipt = write(tmp_path, "receipt.json", verdict_steps.lost_receipt(world, ref, "bidder4"))
        sealing.close(world, ref)
        four = bidder(live, browser, tmp_path, "bidder4")
        page = four.go(f"/bidder/lots/{ref}/claim")
        page.set_input_files("#key-file", str(four.file))
        page.fill("#key-pass", PASSPHRASE)
        page.set_input_files("#receipt-file", str(four.file))
        page.click("#claim-go")
        page.locator("#claim-form li.bad").wait_for(timeout=60_000)
        page.set_input_files("#receipt-file", receipt)
        with page.expect_navigation(timeout=60_000):
            page.click("#claim-go")
        assert "待处理，暂停开标" in page.locator("main").inner_text() and four.faults == []

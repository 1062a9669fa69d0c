"""Two envelopes in real browsers: the agency ticks the option; a bidder seals both envelopes and is told what is missing; the chair fixes
the technical result in its page; officers open the prices of those who passed, and the price of the one rejected stays sealed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crypto import keyfiles
from tests.journeys.test_opening_journey import Desk
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing
from tests.kit.opening_steps import form
from tests.kit.server import LiveServer
from trading import timeline
from trading.bidding import bids
from trading.custody import officers
from trading.opening import ceremony

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
PASSPHRASE = "一盏灯照九座桥"


def bidder_file(live: LiveServer, folder: Path, username: str) -> Path:
    held = live.world.keys[username]
    path = folder / f"{username}.json"
    ring = keyfiles.make_keyring(
        sealing.code_of(live.world, username), "bidder", {"ed25519": held.sign, "x25519": held.seal}, PASSPHRASE
    )
    path.write_text(json.dumps(ring))
    return path


def test_a_bidder_seals_both_envelopes_and_is_told_what_is_missing(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world = hall.world
    ref = steps.published(world, two_envelopes=True)
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    hall.sign_in(page, "bidder1", role="bidder-signer")
    key, offer = bidder_file(hall, tmp_path, "bidder1"), tmp_path / "技术文件.pdf"
    offer.write_bytes(b"%PDF-1.7\n" + bytes(20_000) + b"\n%%EOF\n")

    def submit(part: str, values: dict[str, str]) -> None:
        page.goto(f"{hall.url}/bidder/lots/{ref}/seal?envelope={part}")
        page.wait_for_selector("#checks:not(.proofbox--open)")
        assert page.locator("#a-price").count() == (1 if part == "price" else 0)
        for name, value in values.items():
            page.fill(f"#a-{name}", value)
        if part == "bid":
            page.select_option("#a-small_firm", "no")
        page.set_input_files("#bid-files", [offer])
        page.set_input_files("#key-file", key)
        page.fill("#key-pass", PASSPHRASE)
        page.click("#seal-go")
        page.wait_for_selector("#submit-go:not([disabled])", timeout=90_000)
        page.click("#submit-go")
        page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok", timeout=30_000)

    submit("bid", {"delivery_days": "60", "warranty_months": "24"})
    page.goto(f"{hall.url}/bidder/lots/{ref}")
    told = page.locator("main").inner_text()
    assert "还缺报价信封" in told and "不成为投标" in told
    submit("price", {"price": "2,700,000.00"})
    page.goto(f"{hall.url}/bidder/lots/{ref}")
    assert "还缺" not in page.locator("main").inner_text()
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        assert bids.complete(view.session, lot) == {world.party_ids["bidder1"]}
    assert not faults


def test_the_prices_are_opened_after_the_technical_result_is_fixed(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world = hall.world
    steps.library(world)
    forms = {name: form("WORKS", price=f"{2_700_000 - 10_000 * at}.00") for at, name in enumerate(world.bidders)}
    ref = opening_steps.open_lot(world, "WORKS", ref=steps.published(world, "WORKS", two_envelopes=True), forms=forms)
    steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder3",))
    steps.score(world, ref)
    chair = Desk(hall, browser, tmp_path, steps.chair_of(world, ref), role="expert")
    host = Desk(hall, browser, tmp_path, "host", role="host")
    assert "2,7" not in host.go(f"/hall/{ref}?envelope=price").locator("main").inner_text()
    chair.go(f"/expert/{ref}/prices")
    chair.press("固定技术评审结果")
    assert "报价尚未开启" in chair.page.locator("main").inner_text()

    host.go(f"/hall/{ref}/host")
    host.press("公布名单")
    with world.view("host") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref), officers.PRICE)
        assert len(row.bids) == 3 and [one["ground"] for one in row.left_sealed.values()] == ["rejected"]
        begins, until = row.shares_from, row.shares_until
    world.clock.set(max(begins, world.now) + timedelta(seconds=70))
    timeline.turn(world.office)
    seats = [Desk(hall, browser, tmp_path, name) for name in ("officer1", "officer3", "officer5")]
    for seat in seats:
        seat.go(f"/hall/{ref}/release")
        assert "已于" in seat.work("release")
    world.clock.set(until + timedelta(seconds=1))
    host.go(f"/hall/{ref}/host")
    host.press("解密并唱标")
    seen = host.page.locator("main").inner_text()
    assert "2,700,000.00" in seen and "2,690,000.00" in seen and "2,680,000.00" not in seen and "技术评审不通过" in seen
    for seat in seats:
        seat.go(f"/hall/{ref}/sign")
        if "/account/confirm" in seat.page.url:
            seat.page.fill("[name=password]", "correct horse battery")
            seat.page.click("main form button:not([type=button])")
            seat.page.wait_for_url(lambda address: "/sign" in address)
        assert "您已会签" in seat.work("countersign")
    world.clock.set(world.now + timedelta(minutes=16))
    host.go(f"/hall/{ref}/host")
    host.press("签署记录")
    host.press("结束开标并公布记录")
    chair = Desk(
        hall, browser, tmp_path, steps.chair_of(world, ref), role="expert"
    )  # the sign-in of an hour ago is over
    page = chair.go(f"/expert/{ref}/prices")
    for _ in range(2):
        page.locator("details[open] [name=votes_for]").first.fill("5")
        with page.expect_navigation():
            page.locator("details[open] button:has-text('登记结论')").first.click()
    assert "可以拟写评审报告" in page.locator("main").inner_text()
    assert not host.faults and not chair.faults and not any(seat.faults for seat in seats)

"""A consortium in a real browser: the lead names it, the member signs with its firm's key in the page, and one bid is sealed for both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.test_seal_journey import watched
from tests.journeys.test_two_envelopes import PASSPHRASE, bidder_file
from tests.kit.server import LiveServer
from tests.trading.bidding.test_joint_bids import code, lot_with
from trading.bidding import consortia

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_named_by_the_lead_and_signed_by_its_member(live_server: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = live_server.world
    ref = lot_with(world)
    complaints: list[list[str]] = []

    def at(username: str) -> Page:
        page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
        complaints.append(watched(page))
        live_server.sign_in(page, username, role="bidder-signer")
        return page

    lead = at("bidder1")
    lead.goto(f"{live_server.url}/bidder/lots/{ref}")
    lead.click(f"a[href='/bidder/lots/{ref}/consortium']")
    lead.fill("[name='work.0']", "主体设备")
    lead.fill("[name='share.0']", "70")
    lead.fill("[name='code.1']", code(world, "bidder2"))
    lead.fill("[name='work.1']", "安装调试")
    lead.fill("[name='share.1']", "20")
    lead.click("form[action$='name-consortium'] .btn--go")
    assert (
        "90%" in lead.inner_text("main") and lead.input_value("[name='work.1']") == "安装调试"
    )  # said at once, nothing lost
    lead.fill("[name='share.1']", "30")
    with lead.expect_navigation(url="**/bidder/consortia/*"):
        lead.click("form[action$='name-consortium'] .btn--go")
    where = lead.url
    assert lead.inner_text("main").count("尚未") >= 2  # neither has signed

    for username, place in (("bidder2", at("bidder2")), ("bidder1", lead)):
        place.goto(where)
        place.set_input_files("#key-file", bidder_file(live_server, tmp_path, username))
        place.fill("#key-pass", "another passphrase altogether")
        place.click("#sign-go")
        place.locator("#sign-say", has_text="口令不对").wait_for(timeout=60_000)
        place.fill("#key-pass", PASSPHRASE)
        with place.expect_navigation(timeout=60_000):
            place.click("#sign-go")
    with world.view("bidder1") as view:
        row = consortia.own(view)[0]
        assert row.state == "SIGNED" and all(one.signed_at for one in row.members)
    assert "安装调试" in lead.inner_text("main") and f"/bidder/lots/{ref}" in lead.content()
    stranger = at("bidder3")
    answer = stranger.goto(where)
    assert answer is not None and answer.status == 404
    assert [
        one for found in complaints[:2] for one in found if "422" not in one
    ] == []  # but for the refusal that was asked for

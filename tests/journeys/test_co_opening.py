"""Co-opening in a real browser: a bidder opens its own box and gives its part in the page, before the officers give theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crypto import keyfiles
from tests.journeys.test_opening_journey import PASSPHRASE
from tests.kit import opening_steps, sealing
from tests.kit.server import LiveServer
from trading.opening import ceremony, co_opening, opening_set

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_a_bidder_gives_its_own_part_in_the_page(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    ref = world.lot("BIDDING", co_opening=True)
    opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
    sealing.close(world, ref)
    with world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    held, key = world.keys["bidder1"], tmp_path / "bidder1.json"
    key.write_text(
        json.dumps(
            keyfiles.make_keyring(
                sealing.code_of(world, "bidder1"), "bidder", {"ed25519": held.sign, "x25519": held.seal}, PASSPHRASE
            )
        )
    )
    page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    hall.sign_in(page, "bidder1", role="bidder-signer")
    page.goto(f"{hall.url}/bidder/lots/{ref}/opening")
    page.locator('[data-keywork="part"]').wait_for(state="visible")
    page.set_input_files("#kf-part", str(key))
    page.fill("#pp-part", PASSPHRASE)
    with page.expect_navigation(timeout=60_000):
        page.locator('[data-keywork="part"] [data-go]').click()
    assert "我方份额已于" in page.locator("main").inner_text() and not faults
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        own = co_opening.own_bid(view.session, row, world.party_ids["bidder1"])
        assert own is not None
        assert set(co_opening.parts(view.session, row)) == {
            bid["header_hash"] for bid in row.bids if own.header_hash == bid["header_hash"]
        }

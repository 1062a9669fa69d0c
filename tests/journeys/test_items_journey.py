"""A bid whose price has items and whose files are asked for by name, sealed in a real browser: the page says what is missing and where the
sum differs, and what is read out has every item."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.test_seal_journey import seal_and_submit, watched
from tests.journeys.test_two_envelopes import PASSPHRASE, bidder_file
from tests.kit import opening_steps, sealing
from tests.kit.opening_steps import ALL
from tests.kit.server import LiveServer
from trading.opening import ceremony, decryption
from trading.tendering import bid_forms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

ITEMS = ["显示设备", "安装调试"]
TYPED = {"price": "2,750,000.00", "item_1": "2,500,000.00", "item_2": "240,000.00"}
FILES = ["资格声明", "技术方案"]


def test_what_is_asked_for_is_missed_found_and_read_out(live_server: LiveServer, page: Page, tmp_path: Path) -> None:
    world = live_server.world
    ref = world.lot("BIDDING", form=bid_forms.with_lists(opening_form(), items=ITEMS, files=FILES))
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    key = bidder_file(live_server, tmp_path, "bidder1")
    complaints = watched(page)
    live_server.sign_in(page, "bidder1", role="bidder-signer")
    page.goto(f"{live_server.url}/bidder/lots/{ref}/seal?lang=zh")
    page.wait_for_selector("#checks:not(.proofbox--open)")
    for field in bid_forms.with_lists(opening_form(), items=ITEMS, files=[]):
        if field["type"] == "choice":
            page.select_option(f"#a-{field['key']}", "no")
        else:
            page.fill(f"#a-{field['key']}", TYPED.get(str(field["key"]), "30"))
    statement = tmp_path / "资格声明（盖章）.pdf"
    statement.write_bytes(b"%PDF-1.7\n" + random.Random(1).randbytes(2_000))
    plan = tmp_path / "方案终稿.pdf"
    plan.write_bytes(b"%PDF-1.7\n" + random.Random(2).randbytes(3_000))
    page.set_input_files("#bid-files", [statement])
    page.set_input_files("#key-file", key)
    page.fill("#key-pass", PASSPHRASE)
    page.click("#seal-go")
    page.wait_for_selector("#selfcheck.proofbox--bad")
    told = page.inner_text("#selfcheck")
    assert "技术方案" in told and "2,740,000.00" in told  # a file is not there, and the items come to less

    page.fill("#a-item_2", "250,000.00")
    page.set_input_files("#bid-files", [plan])
    assert page.locator("select[aria-label^='资格声明']").input_value() == "file_1"  # guessed from its name
    page.locator("select[aria-label^='方案终稿']").select_option("file_2")
    seal_and_submit(page)
    assert not complaints

    others = {
        name: opening_steps.form(item_1="1.00", item_2="2.00", price="3.00")
        for name in world.bidders
        if name != "bidder1"
    }
    for username, announce in others.items():
        made = sealing.seal(world, ref, username, form=announce)
        assert sealing.hand_in(world, ref, username, *made).accepted
    world.tick()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    decryption.open_bids(world.office, world.actor("host"), ref)
    with world.view("clock") as view:
        opened = ceremony.opened_bids(view.session, ceremony.opening(view.session, world.lot_in(view, ref)))
        mine = next(bid for bid in opened if bid.party_id == world.party_ids["bidder1"])
    assert mine.verdict == "opened" and not mine.form_faults and mine.price_minor == 275_000_000
    assert (mine.announce["item_1"], mine.announce["item_2"]) == ("2500000.00", "250000.00")
    assert [one["name"] for one in mine.files] == [statement.name, plan.name]
    page.goto(f"{live_server.url}/hall/{ref}?lang=zh")
    read = page.inner_text("main")
    assert "显示设备" in read and "2,500,000.00" in read


def opening_form() -> list[bid_forms.Field]:
    return bid_forms.default_form("GOODS")

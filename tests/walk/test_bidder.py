"""The bidder's work to its last page: find a lot, take part, pay, fill the form, seal, submit, replace, withdraw, keep the receipt; a
payment that is too little; the opening of today, the outcome, every page of the rail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.walk.guide import PASSWORD, Guest, Walk
from tests.walk.test_homes import RAIL, look_at_all

ANSWERS = {"price": "880,000.00", "delivery_days": "60", "warranty_months": "24"}


def test_from_the_notice_to_a_receipt_and_back(walk: Walk, tmp_path: Path) -> None:
    bidder = walk.person("bidder1")
    ref = find_and_take_part(bidder)
    bidder.picture("bidder-lot-zh")
    pay(bidder, ref)
    bidder.picture("bidder-deposit-zh")
    bidder.follow("nav.crumbs a[href^='/bidder/lots/KP']")
    bidder.follow("main a[href$='/seal']")
    assert not bidder.page.locator("#standing").count()
    first = seal_and_submit(bidder, tmp_path, ANSWERS)
    assert bidder.page.locator("#receipt-place").is_visible()
    bidder.picture("seal-receipt-zh", "#receipt-place")
    bidder.follow("#r-page")
    kept = json.loads(bidder.download("a[href$='/file']").read_text(encoding="utf-8"))
    assert "statement" in kept and "trust" in kept

    # replacing: the receipt that stands is on top; afterwards it never looks current
    bidder.follow("nav.rail a[href='/bidder/lots']")
    bidder.follow(f"main a[href='/bidder/lots/{ref}']")
    bidder.follow("main a[href$='/seal']")
    assert first[:12] in (bidder.page.locator("#standing a").first.get_attribute("href") or "")
    second = seal_and_submit(bidder, tmp_path, ANSWERS | {"price": "870,000.00"})
    assert second != first and not bidder.page.locator("#standing").count()
    bidder.look().follow("nav.rail a[href='/bidder/receipts']")
    assert bidder.page.locator("tr.gone", has=bidder.page.locator(f"a[href$='{first}']")).count() == 1
    assert not bidder.page.locator("tr.gone", has=bidder.page.locator(f"a[href$='{second}']")).count()

    # withdrawing
    bidder.follow("nav.rail a[href='/bidder/lots']")
    bidder.follow(f"main a[href='/bidder/lots/{ref}']")
    bidder.follow("main a[href*='/withdraw']")
    bidder.page.set_input_files("#key-file", walk.town.key_file(bidder.username))
    bidder.page.fill("#key-pass", PASSWORD)
    bidder.press("#withdraw-go")
    bidder.follow("nav.rail a[href='/bidder']")


def test_too_little_paid_is_red_on_the_first_page(walk: Walk) -> None:
    bidder = walk.person("bidder5")
    ref = find_and_take_part(bidder)
    bidder.follow(f"main a[href='/bidder/deposits/{ref}']")
    bidder.page.click("main details:has(button[value='short']) summary")
    bidder.press("button[value='short']")
    credited(bidder, 1)
    bidder.follow("nav.rail a[href='/bidder']")
    assert (
        bidder.page.locator(".loss").count() == 1
        and bidder.page.locator(f".loss a[href='/bidder/deposits/{ref}']").count() == 1
    )
    bidder.picture("bidder-home-zh")
    bidder.follow(f".loss a[href='/bidder/deposits/{ref}']")
    bidder.press("button[value='full']")
    credited(bidder, 2)
    bidder.follow("nav.rail a[href='/bidder']")
    assert not bidder.page.locator(".loss").count()


def test_the_opening_of_today_and_every_page_of_the_rail(walk: Walk) -> None:
    bidder = walk.person("bidder1")
    hall = walk.town.lot("OPENING")
    bidder.follow(f"main a[href='/bidder/lots/{hall}/opening']")
    bidder.follow("main a[href^='/hall/']")
    look_at_all(walk.person("bidder1").go("/bidder"), RAIL)
    bidder.go("/bidder")
    outcome = bidder.page.locator("main a[href$='/outcome']")
    if outcome.count():
        bidder.follow("main a[href$='/outcome']")
        bidder.follow("main a[href$='/objection']")
        with bidder.expecting(422):
            bidder.press("form[action$='/acts/object'] button")
        bidder.fill(text="价格分计算有误，请复核。")
        bidder.press("form[action$='/acts/object'] button")


# --- steps --------------------------------------------------------------------------------------------------------------


def find_and_take_part(bidder: Guest) -> str:
    """From the first page to the notices, to a lot nobody hurries for, and in: one press."""
    ref = latest(bidder)
    bidder.follow("header nav a[href='/notices']")
    bidder.go("/lots").follow(f"main a[href='/lots/{ref}']")
    bidder.press("form[action$='/acts/take-part'] button")
    assert bidder.page.url.endswith(f"/bidder/lots/{ref}")
    return ref


def latest(bidder: Guest) -> str:
    """The lot with the farthest deadline that takes bids."""
    found = bidder.walk.town.ask("select ref from lot where state = 'BIDDING' order by deadline desc")
    return str(found[0][0])


def pay(bidder: Guest, ref: str) -> None:
    bidder.follow(f"main a[href='/bidder/deposits/{ref}']")
    bidder.press("button[value='full']")
    credited(bidder, 1)


def credited(bidder: Guest, payments: int) -> None:
    """Wait for the clock to take the bank's statement in."""
    for _ in range(60):
        if bidder.page.locator("#arrived tbody tr").count() >= payments:
            break
        bidder.page.wait_for_timeout(1_000)
        bidder.page.reload()
    bidder.look()
    assert bidder.page.locator("#arrived tbody tr").count() == payments


def seal_and_submit(bidder: Guest, folder: Path, answers: dict[str, str]) -> str:
    """Fill, seal, submit; the number of the receipt the page has proved."""
    page = bidder.page
    page.wait_for_selector("#checks:not(.proofbox--open)")
    for name, value in answers.items():
        page.fill(f"#a-{name}", value)
    page.select_option("#a-small_firm", "no")
    offer = folder / "投标文件.pdf"
    offer.write_bytes(b"%PDF-1.7\n" + b"x" * 60_000 + b"\n%%EOF\n")
    page.set_input_files("#bid-files", offer)
    page.set_input_files("#key-file", bidder.walk.town.key_file(bidder.username))
    page.fill("#key-pass", PASSWORD)
    bidder.picture("sealing-zh")
    page.click("#seal-go")
    page.wait_for_selector("#submit-go:not([disabled])", timeout=120_000)
    page.click("#submit-go")
    page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok", timeout=60_000)
    bidder.look()
    found = re.search(r"/bidder/receipts/([\w-]+)$", page.locator("#r-page").get_attribute("href") or "")
    assert found is not None
    return found[1]


@pytest.mark.parametrize("act", ["acts/take-part", "acts/ask"])
def test_an_act_of_a_bidder_is_no_door_for_others(walk: Walk, act: str) -> None:
    cashier = walk.person("cashier")
    answer = cashier.context.request.post(
        f"{walk.town.base}/bidder/lots/{latest(cashier)}/{act}", form={}, max_redirects=0
    )
    assert answer.status in (400, 403)

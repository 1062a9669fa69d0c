"""A bidder keeps its receipt; a stranger checks it by file, by paste and by number; the paper is opened and read."""

from __future__ import annotations

import json
from pathlib import Path

from tests.walk.guide import Guest, Walk

ANSWERS = "() => [...document.querySelectorAll('[data-check-result] li')].map(li => li.className)"
FIRST = "main th a[href^='/bidder/receipts/']"


def checked(guest: Guest) -> list[str]:
    guest.page.wait_for_selector("[data-check-result] .verdict li")
    guest.look()
    return list(guest.page.evaluate(ANSWERS))


def test_a_receipt_is_kept_and_checked_by_a_stranger(walk: Walk) -> None:
    bidder = walk.person("bidder1")
    bidder.follow("nav.rail a[href='/bidder/receipts']")
    bidder.follow(FIRST)
    bidder.page.wait_for_selector("#verified li.ok:nth-child(4)")
    bidder.look()
    number = bidder.page.inner_text(".rcpt__no .no").replace("\n", "").strip()
    assert len(number.replace("-", "")) == 11 and not set(number) & set("01OI"), number
    bidder.page.click("main .rcpt details summary")
    bidder.look()
    paper = bidder.paper("main a[href$='.pdf']")
    assert paper.pages == 1 and number in paper.text
    kept = bidder.download("main a[href$='/file']")
    receipt = json.loads(kept.read_text(encoding="utf-8"))
    assert {"entry", "proof", "statement", "trust"} <= receipt.keys()

    posted: list[str] = []
    stranger = walk.stranger()
    stranger.page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    stranger.follow("header a[href='/check']")
    stranger.page.set_input_files("#f-any", kept)
    by_file = checked(stranger)
    assert by_file[:3] == ["ok", "ok", "ok"] and by_file[3] in ("ok", "none"), by_file
    paste(stranger, kept.read_text(encoding="utf-8"))
    assert checked(stranger) == by_file
    assert not posted
    stranger.page.fill("#number", number.lower().replace("-", " "))
    stranger.press("main form[role=search] button")
    assert checked(stranger)[2] == "ok"
    receipt["entry"]["signatures"][0]["sig"] = "A" * 86 + "=="
    paste(stranger, json.dumps(receipt))
    assert checked(stranger)[0] == "bad"


def test_numbers_that_are_mistyped_and_files_that_are_none(walk: Walk, tmp_path: Path) -> None:
    stranger = walk.stranger()
    stranger.follow("header a[href='/check']")
    for number in ("R-2222-2222-33", "R-10OI-2222-22", "R-2222-2222-22", "abc", "0" * 64):
        stranger.page.fill("#number", number)
        stranger.press("main form[role=search] button")
        assert checked(stranger) == ["bad"], number
    other = tmp_path / "other.txt"
    other.write_text("no receipt", encoding="utf-8")
    stranger.page.set_input_files("#f-any", other)
    stranger.page.wait_for_selector("[data-check-result] .verdict--bad")
    stranger.look()
    paste(stranger, "nonsense")
    assert checked(stranger)[0] == "bad"


def paste(guest: Guest, text: str) -> None:
    if not guest.page.locator("#f-receipt").is_visible():
        guest.page.click("[data-check] summary")
    guest.page.fill("#f-receipt", text)
    guest.page.evaluate("() => document.querySelector('[data-check-result]').replaceChildren()")
    guest.page.click("[data-check] form[method=post] button")

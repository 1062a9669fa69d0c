"""A member's whole way in a real browser: points typed by keyboard, the draft kept encrypted, sheet committed, list checked and signed,
sheet revealed, report signed. The other members act beside it by their own hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crypto import keyfiles
from crypto.canonical import loads
from crypto.signatures import payload_of
from evaluation.reporting import report
from evaluation.scoring import evidence, sheets
from tests.kit import evaluation_steps as steps
from tests.kit.opening_steps import turn
from tests.kit.schemes import SCHEMES
from tests.kit.server import PASSWORD, LiveServer
from tests.kit.world import World
from trading.kernel import audit

pytestmark = pytest.mark.browser

PASSPHRASE = "nine lanterns over the bridge"
WORDS = {
    "sheet_missing": "此浏览器里没有您锁定的评分表：可能是在别的电脑上锁定的，或浏览器数据已清除。请选择锁定时保存的评分表文件。",
    "sheet_no_file": "这不是评分表文件。文件名形如 sheet-….json，是您锁定时保存的。",
}
HELD = """async () => {
  const answer = (asked) => new Promise((done) => { asked.onsuccess = () => done(asked.result); });
  const base = await answer(indexedDB.open("bidhall-session-keys", 1));
  const held = await answer(base.transaction("keys").objectStore("keys").get("ring"));
  base.close();
  const keys = [held.value.ring.sign.secret, held.value.ring.keep];
  const exports = await Promise.all(keys.map((key) => crypto.subtle.exportKey("jwk", key).then(() => "exported", (fault) => fault.name)));
  return { extractable: keys.map((key) => key.extractable), exports };
}"""


def other_members_list(world: World, ref: str, mine: str) -> None:
    from crypto.signatures import countersign

    for username in steps.usernames(world, ref, "seated").values():
        if username != mine:
            with world.work(username) as work:
                row = sheets.list_commits(work, steps.panel_in(work, world, ref))
                sheets.sign_list(
                    work, steps.panel_in(work, world, ref), countersign(row.listing, world.keys[username].sign)
                )


def key_work(page: Any, kind: str) -> None:
    """The key file was opened before in this sign-in: the page makes and hands in the document; what it checked must all hold."""
    page.wait_for_selector(f'[data-keywork="{kind}"] [data-keyopen]:visible')
    assert page.locator(f"#kf-{kind}").is_hidden()  # asked for once, not on every page
    with page.expect_navigation(timeout=60_000):
        page.click(f'[data-keywork="{kind}"] [data-go]')
    assert page.locator(".errors:not([hidden])").count() == 0, page.locator(".errors").first.inner_text()


def pin(page: Any, quote: str) -> None:
    """Evidence on the page of the bid beside the cell, cited in its reason."""
    page.click("[data-pin]:not([disabled])")
    page.click("[data-pin-whole]")
    page.keyboard.type(quote)
    page.click('[data-pin-no="1"] button:nth-of-type(2)')


def test_a_sheet_from_the_first_key_stroke_to_the_signed_report(
    live_server: LiveServer, page: Any, tmp_path: Path
) -> None:
    world = live_server.world
    steps.library(world)
    ref = steps.opened(world, "GP", scheme=SCHEMES["GP"] | {"blind": True})
    steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref)
    mine = next(name for name in steps.usernames(world, ref, "seated").values() if name != chair)
    ring = tmp_path / "ring.json"
    ring.write_text(
        json.dumps(keyfiles.make_keyring(mine, "expert", {"ed25519": world.keys[mine].sign}, PASSPHRASE), indent=1)
    )
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)

    live_server.sign_in(page, mine)
    page.goto(f"{live_server.url}/expert/{ref}/score")
    cells = page.locator("[data-cell]")
    assert cells.count() == 6
    cells.nth(0).fill("20")  # a column by the keyboard: Enter goes down
    cells.nth(0).press("ArrowDown")
    page.keyboard.type("41")
    assert cells.nth(3).evaluate("cell => cell.classList.contains('bad')")
    assert "40" in page.locator("#w-plan-1").inner_text() or "40" in page.locator("#w-warranty-1").inner_text()
    assert (
        page.locator("[data-to-go] li").count() == 5 and page.locator("[data-read]").is_disabled()
    )  # one out of range, four not given
    assert page.locator("[data-read-why]").inner_text()
    for at in range(6):
        cell = cells.nth(at)
        cell.fill("31.5" if cell.get_attribute("data-item") == "plan" else "20")
        if cell.get_attribute("data-kind") == "subjective":
            cell.press("Alt+n")
            page.keyboard.type("理由" + str(at))
    pin(page, "三年质保")
    assert (
        page.locator("[data-to-go] li").count() == 0 and page.locator("[data-read]").is_disabled()
    )  # the key is not open yet
    assert page.locator("[data-sum]").first.inner_text() == "51.5"
    assert page.locator("[data-filled]").inner_text() == "6" and page.locator(".sq--done, .sq--now").count() == 6

    page.set_input_files("#kf-score", ring)
    page.fill("#pp-score", PASSPHRASE)
    page.click('[data-keywork="score"] [data-go]')
    page.wait_for_selector("[data-kept] .tag--ok", timeout=60_000)
    stored = page.evaluate("JSON.stringify(localStorage)")
    assert "31.5" not in stored and "理由" not in stored and "bidhall-draft" in stored  # encrypted
    page.reload()
    page.wait_for_selector("[data-kept] .tag--ok")
    assert cells.nth(5).input_value() and page.locator("[data-sum]").first.inner_text() == "51.5"
    held = page.evaluate(HELD)
    assert held["extractable"] == [False, False] and held["exports"] == ["InvalidAccessError", "InvalidAccessError"]
    page.click("[data-read]")
    assert page.locator("[data-back]").all_inner_texts() == ["20"] * 3 + ["31.5"] * 3
    assert page.locator("[data-back-why] .n").count() == 1 and page.locator("[data-commit]").is_disabled()
    page.check("[data-sure]")
    with page.expect_download() as kept:
        page.click("[data-commit]")
    page.wait_for_selector("[data-locked]:visible")
    sheet_file = tmp_path / "sheet.json"
    kept.value.save_as(sheet_file)
    assert (
        kept.value.suggested_filename == page.locator("[data-sheet-name]").inner_text() == f"sheet-{ref}-1-{mine}.json"
    )
    saved = Path(str(kept.value.path())).read_text()
    assert "31.5" not in saved
    assert not any("31.5" in body or "%E7%90%86%E7%94%B1" in body for body in sent)  # no point left the page

    members = steps.usernames(world, ref, "seated").values()
    others = {name: steps.Scored(steps.sheet_of(world, ref, name)) for name in members if name != mine}
    for name, one in others.items():
        steps.commit_sheet(world, ref, name, one)
    turn(world)
    other_members_list(world, ref, mine)
    page.goto(f"{live_server.url}/expert/{ref}/list")
    key_work(page, "sign-list")
    turn(world)

    page.goto(f"{live_server.url}/expert/{ref}/reveal")
    if "/account/confirm" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.click("main form button:not([type=button])")
        page.wait_for_url("**/reveal")
    page.evaluate("localStorage.clear()")  # as in another browser: the page says what is missing and takes the file
    page.reload()
    page.click('[data-keywork="reveal"] [data-go]')
    page.wait_for_selector('[data-keywork="reveal"] [data-checks] .bad')
    assert page.locator('[data-keywork="reveal"] [data-checks] .bad').inner_text() == WORDS["sheet_missing"]
    page.set_input_files("#sheet-file", ring)
    page.click('[data-keywork="reveal"] [data-go]')
    page.wait_for_selector(f'[data-checks] .bad:text-is("{WORDS["sheet_no_file"]}")')
    page.set_input_files("#sheet-file", sheet_file)
    key_work(page, "reveal")
    for name, one in others.items():
        steps.reveal_sheet(world, ref, name, one)
    with world.view("clock") as view:
        panel = steps.panel_in(view, world, ref)
        own = next(row for row in sheets.revealed(view.session, panel) if row.seat.account.username == mine)
        told = loads(payload_of(audit.document(view.session, own.statement)))
    assert {item["score"] for bid in told["bids"] for item in bid["items"]} == {"31.5", "20"}
    reasons = [item["reason"] for bid in told["bids"] for item in bid["items"] if item["id"] == "plan"]
    assert all(one.startswith("理由") for one in reasons)
    assert [evidence.read(one)[1] for one in reasons].count(()) == 2
    assert evidence.read(reasons[-1]) == ("理由5（1）", (evidence.Pin(1, 1, 1, (0, 0, 1000, 1000), "三年质保"),))

    steps.draw_up(world, ref)
    page.goto(f"{live_server.url}/expert/{ref}/sign")
    page.fill("[data-dissent]", "第二家方案得分偏高")
    key_work(page, "sign-report")
    with world.view("clock") as view:
        row = report.report(view.session, steps.panel_in(view, world, ref))
        assert [one.dissent for one in row.signatures] == ["第二家方案得分偏高"]
    page.goto(f"{live_server.url}/expert")
    page.locator(".band details summary").first.click()
    with page.expect_navigation():
        page.click('form[action="/account/acts/sign-out"] button')
    page.wait_for_function(
        "indexedDB.databases().then((all) => all.every((one) => one.name !== 'bidhall-session-keys'))"
    )
    assert complaints == []

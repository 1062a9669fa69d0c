"""The hall's forms for eyes, hands and screen readers, at a desk's width and a phone's, in both languages: every field has a label of its
own, nothing is wider than its window or lies over its neighbour, and what is wrong is said by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from crypto.signatures import countersign
from tests.journeys.test_opening_journey import Desk
from tests.kit import opening_steps, sealing, stages, tsa
from tests.kit.opening_steps import ALL, share
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from trading.opening import ceremony, decryption, opening_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FAULTS = """() => {
  const found = [];
  const seen = new Set();
  for (const one of document.querySelectorAll("[id]")) { if (seen.has(one.id)) found.push(`twice: ${one.id}`); seen.add(one.id); }
  for (const one of document.querySelectorAll("main input:not([type=hidden]), main textarea, main select")) {
    if (!one.labels?.length && !one.getAttribute("aria-label")) found.push(`no label: ${one.id || one.name}`);
    for (const id of (one.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean))
      if (!document.getElementById(id)) found.push(`described by nothing: ${id}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  for (const cell of document.querySelectorAll("main td, main th")) {
    const texts = [];
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      if (!walk.currentNode.data.trim() || walk.currentNode.parentElement.closest(".sr")) continue;
      const range = document.createRange();
      range.selectNodeContents(walk.currentNode);
      texts.push([...range.getClientRects()]);
    }
    const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 8;
    texts.forEach((these, i) => texts.slice(i + 1).forEach((those) => {
      if (these.some((a) => those.some((b) => over(a, b)))) found.push(`text over text: ${cell.innerText.slice(0, 60)}`);
    }));
  }
  if (innerWidth >= 1280) for (const one of document.querySelectorAll("main .scroll"))
    if (one.scrollWidth > one.clientWidth + 1) found.push(`cut at the side: ${one.getAttribute("aria-label")}`);
  const strip = document.querySelector(".rail__in");
  const here = document.querySelector(".rail [aria-current]");
  if (strip && here && strip.scrollWidth > strip.clientWidth && here.getBoundingClientRect().right > innerWidth + 1)
    found.push("where one is lies outside");
  for (const box of document.querySelectorAll("main .box, main .keybox")) {
    const next = box.nextElementSibling;
    const gap = next && next.getBoundingClientRect().top - box.getBoundingClientRect().bottom;
    if (next && getComputedStyle(next).display !== "none" && next.offsetHeight && gap >= 0 && gap < 8)
      found.push(`no room under: ${box.innerText.slice(0, 40)}`);
  }
  return [...new Set(found)];
}"""


@pytest.fixture
def hall(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with serving(World(engine, tmp_path), tmp_path) as live:
        yield live


def faults(page: Page, *, reload: bool = True) -> list[str]:
    """What is wrong with the page, by width and language."""
    found, address = [], page.url
    for lang in ("en", "zh") if reload else ("",):
        if lang:
            page.goto(address + ("&" if "?" in address else "?") + f"lang={lang}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            if lang:
                page.reload()
            found += [f"{address} {lang} {width}: {one}" for one in page.evaluate(FAULTS)]
    if reload:
        page.goto(address)
    return found


def test_checks_of_this_file_find_what_they_look_for(page: Page) -> None:
    page.set_content("""<main><label for=a>A</label><input id=a><textarea id=a></textarea><input id=c aria-describedby=nobody>
      <table><tr><td style="position:relative">one two<span style="position:absolute;left:0">three four</span></td></tr></table>
      <div class=scroll aria-label=S style="width:90px;overflow-x:auto"><div style="width:300px">x</div></div>
      <div style="width:5000px">x</div><div class=box>box</div><p style="margin:0">next</p></main>""")
    assert {one.partition(":")[0] for one in page.evaluate(FAULTS)} == {
        "twice",
        "no label",
        "described by nothing",
        "text over text",
        "wider than the window",
        "cut at the side",
        "no room under",
    }


def test_objections_are_made_and_answered_each_in_a_form_of_its_own(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world = hall.world
    ref = stages.shared(world)
    decryption.open_bids(world.office, world.actor("host"), ref)
    wrong: list[str] = []
    for username in world.bidders[:2]:
        page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
        hall.sign_in(page, username, role="bidder-signer")
        page.goto(f"{hall.url}/bidder/lots/{ref}/opening")
        wrong += faults(page)
        page.get_by_text("提出异议……").click()
        form = page.locator("form[action$='/acts/object-opening']")
        with page.expect_navigation():
            form.get_by_role("button").click()
        summary = page.locator("[data-errors]")
        assert (
            "哪里不对" in summary.inner_text() and "请填写" in summary.inner_text()
        )  # which field, not only that one is empty
        assert page.evaluate("document.activeElement.matches('[data-errors]')")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.name") == "text"
        wrong += faults(page, reload=False)
        page.keyboard.insert_text(f"{username}：工期读错了。")
        with page.expect_navigation():
            form.get_by_role("button").click()
        assert "已提出异议" in page.locator("main").inner_text()
        wrong += faults(page)

    host = Desk(hall, browser, tmp_path, "host", role="host")
    page = host.go(f"/hall/{ref}/host")
    wrong += faults(page)
    boxes = page.get_by_label("您的答复")
    assert boxes.count() == 2  # each label names its own field
    second = page.get_by_role("form", name="投标单位2有限公司的异议")
    second.get_by_label("您的答复").fill("　")
    with page.expect_navigation():
        second.get_by_role("button", name="答复").click()
    assert page.locator(".field--bad").count() == second.locator(".field--bad").count() == 1
    wrong += faults(page, reload=False)
    second.get_by_label("您的答复").fill("已核对。")
    with page.expect_navigation():
        second.get_by_role("button", name="答复").click()
    with world.view("clock") as view:
        said = {
            one.party.name: one.answer for one in ceremony.remarks(view.session, stages.opening_of(world, view, ref))
        }
    assert said == {"投标单位1有限公司": "", "投标单位2有限公司": "已核对。"}
    assert wrong == [] and not host.faults


def test_base_price_draw_and_papers_at_every_width(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    wrong: list[str] = []
    ref = world.lot("BIDDING", regime="WORKS")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    party = sealing.code_of(world, "buyer")
    buyer = Desk(hall, browser, tmp_path, "buyer", role="tenderee", party=party)
    page = buyer.go(f"/hall/{ref}/base-price")
    wrong += faults(page)
    page.fill("#bp-price", "1e6")
    page.get_by_role("button", name="生成文件和封存码").click()
    assert (
        page.evaluate("document.activeElement.id") == "bp-price"
        and page.get_attribute("#bp-price", "aria-invalid") == "true"
    )
    page.fill("#bp-price", "2750000.00")
    with page.expect_download() as kept:
        page.get_by_role("button", name="生成文件和封存码").click()
    page.get_by_role("status").filter(has_text="文件已存到这台电脑").wait_for()
    kept.value.save_as(tmp_path / "base.json")
    wrong += faults(page, reload=False)
    buyer.press("封存标底")
    for username in world.bidders:
        assert sealing.hand_in(
            world, ref, username, *sealing.seal(world, ref, username, form=opening_steps.form("WORKS"))
        ).accepted
    world.tick()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        share(world, ref, username)
    buyer = Desk(hall, browser, tmp_path, "buyer", role="tenderee", party=party)
    page = buyer.go(f"/hall/{ref}/base-price")
    wrong += faults(page)
    buyer.press("公布标底")
    assert "请选择文件" in page.locator("[data-errors]").inner_text()
    page.locator("[data-errors] a").click()
    assert page.evaluate("document.activeElement.id") == "f-document_file"
    page.set_input_files("#f-document_file", tmp_path / "base.json")
    buyer.press("公布标底")
    wrong += faults(page)

    public = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    host = Desk(hall, browser, tmp_path, "host", role="host")
    for address in (f"/lots/{ref}/draw", f"/hall/{ref}/draw/k", f"/agency/lots/{ref}/draw/k"):
        seat = {"h": host.page, "a": buyer.page}.get(address[1], public)
        seat.goto(hall.url + address)
        wrong += faults(seat)
    opening_steps.draw_coefficient(world, ref)
    world.tick()
    for address in (f"/lots/{ref}/draw", f"/hall/{ref}/draw/k", f"/agency/lots/{ref}/draw/k"):
        seat = {"h": host.page, "a": buyer.page}.get(address[1], public)
        seat.goto(hall.url + address)
        wrong += faults(seat)

    decryption.open_bids(world.office, world.actor("host"), ref)
    for username in ALL:
        with world.work(username) as work:
            row = stages.opening_of(world, work, ref)
            opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))
    opening_steps.turn(world, minutes=16)
    with tsa.authority(tmp_path / "tsa") as authority:
        house = hall.app.extensions["bidhall"]
        house.settings = replace(house.settings, tsa=authority.url)
        house.settings.data.mkdir(parents=True, exist_ok=True)
        (house.settings.data / "tsa.pem").write_bytes(authority.root)
        host = Desk(hall, browser, tmp_path, "host", role="host")
        host.go(f"/hall/{ref}/host")
        host.press("签署记录")
        for part in ("papers", "sheet", ""):
            public.goto(f"{hall.url}/hall/{ref}/{part}".rstrip("/"))
            wrong += faults(public)
        hours = public.locator("aside .log time").all_inner_texts()
        assert len(hours) > 8 and hours == sorted(hours, reverse=True)  # the base price in its place too
        public.goto(f"{hall.url}/lots/{ref}/draw")
        hours = public.locator(".log time").all_inner_texts()
        assert len(hours) == public.locator(".log li").count() and hours == sorted(hours)
        public.goto(f"{hall.url}/hall/{ref}/papers")
        assert public.locator("main").inner_text().count("已核验") == 3
        paper, stamp = (public.request.get(f"{hall.url}/hall/{ref}/papers/record{end}").body() for end in ("", ".tsr"))
        assert authority.verify(paper, stamp)
    assert wrong == [] and not buyer.faults and not host.faults

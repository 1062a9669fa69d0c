"""A panel to its last page: two seats score in their browsers, the list is published and signed, all five reveal, the report is drawn up,
read, signed (one dissents) and concluded. The sheet files of the other three are the town's (``town.json``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walk.guide import Guest, Walk, facts_of
from tests.walk.keywork import confirm, open_key, with_key
from tests.walk.town import Town

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FAR, NEAR = "12", "22.5"
"""Points for the first bid's subjective item: one seat is far from what the others gave."""
DISSENT = "该投标人的施工组织设计未说明雨季施工措施，本人坚持原评分。"


@pytest.fixture(scope="module")
def ref(town: Town) -> str:
    return str(town.facts["lots"]["REVIEW"]["ref"])


@pytest.fixture(scope="module")
def walk(browser: Browser, town: Town, variant: tuple[str, int], judged: Path) -> Iterator[Walk]:
    """The members stay signed in for the whole evaluation: a key file is opened once."""
    going = Walk(town, browser, *variant, judged)
    yield going
    going.end()


@pytest.fixture(scope="module")
def sheets(town: Town) -> dict[str, Path]:
    """Everybody's sheet file: the three of the town, later those the walk has saved."""
    return {name: town.data / town.facts["keys"] / file for name, file in town.facts["sheets"].items()}


def test_the_open_seats_score_and_lock(walk: Walk, ref: str, sheets: dict[str, Path]) -> None:
    for name, first in zip(walk.town.facts["open_seats"], (NEAR, FAR), strict=True):
        member = to_room(walk, name, ref).follow(f"main a[href='/expert/{ref}/score']")
        page = member.page
        open_key(member, "score")
        page.locator("[data-keywork='score'] [data-go]").click()
        page.locator("[data-kept] .tag--ok").wait_for(timeout=30_000)
        fill_in(member, first)
        member.look().picture("scoring-zh")
        member.press("[data-read]", stays=True)
        assert page.locator("[data-back]").all_inner_texts()[3:] == [first, NEAR, NEAR]
        assert page.locator("[data-back-why] .n").count() == 1
        assert page.locator("[data-commit]").is_disabled()
        page.locator("[data-sure]").check()
        with page.expect_download() as saved:
            page.locator("[data-commit]").click()
        page.locator("[data-locked]").wait_for()
        sheets[name] = walk.town.data.parent / f"{name}-{saved.value.suggested_filename}"
        saved.value.save_as(sheets[name])
        assert page.locator("[data-sheet-name]").inner_text() == saved.value.suggested_filename
        member.look().follow(f"[data-locked] a[href='/expert/{ref}/list']")


def test_the_list_is_published_and_everybody_reveals(walk: Walk, ref: str, sheets: dict[str, Path]) -> None:
    walk.town.jump(seconds=12)  # the last sheet is in the log
    names = sorted(sheets)
    first = names[0]
    to_room(walk, first, ref).follow(f"main a[href='/expert/{ref}/list']").press("form[action$='/acts/list'] button")
    opened = set(walk.town.facts["open_seats"])
    for name in names:
        member = (
            walk.person(name)
            if name == first
            else to_room(walk, name, ref).follow(f"main a[href='/expert/{ref}/list']")
        )
        with_key(member, "sign-list", again=name in opened)
    walk.town.jump(seconds=12)
    for name in names:
        member = walk.person(name).go(f"/expert/{ref}/list").follow(f"main a[href='/expert/{ref}/reveal']")
        confirm(member)
        if name in opened:
            member.page.locator("[data-sheetkept]").wait_for()
            with_key(member, "reveal", again=True)
        else:
            with_key(member, "reveal", again=True, files=[("[data-sheetfile]", sheets[name])])
    assert facts_of(walk.person(first), f"/expert/{ref}/data")["state"] == "REVEALED"


def test_the_report_is_read_and_signed(walk: Walk, ref: str, sheets: dict[str, Path]) -> None:
    names = sorted(sheets)
    chair = next(name for name in names if facts_of(walk.person(name), f"/expert/{ref}/data")["chair"])
    far = walk.town.facts["open_seats"][1]
    lead = to_room(walk, chair, ref)
    assert lead.page.locator("main .locked").count() == 0  # the prices of the bids are shown with their names again
    lead.follow(f"main a[href='/expert/{ref}/report']")
    assert lead.page.locator("#prompts article.oflag").count() == 1
    lead.press("form[action$='/acts/draw-up'] button")
    lead.page.locator("#ranking a.sumlink").first.click()  # a number leads to its sum
    lead.picture("evaluation-report-zh")
    for name in names:
        member = lead if name == chair else walk.person(name).go(f"/expert/{ref}/report")
        paper = member.paper(f"a[href='/expert/{ref}/report.pdf']")
        assert ref in paper.text and paper.pages >= 2
        member.follow(f"main a[href='/expert/{ref}/sign']")
        confirm(member)
        if name == far:
            member.page.locator("[data-dissent]").fill(DISSENT)
        with_key(member, "sign-report", again=True)
    lead.go("/expert").follow(f"main .todo a[href='/expert/{ref}/report']")
    assert DISSENT in lead.page.locator("#dissents").inner_text()
    assert DISSENT in lead.paper(f"a[href='/expert/{ref}/report.pdf']").text.replace("\r", "").replace("\n", "")
    lead.press("form[action$='/acts/conclude'] button")
    confirm(lead)
    assert facts_of(lead, f"/expert/{ref}/data")["state"] == "CONCLUDED"
    assert walk.town.ask("select state from lot where ref = ?", ref) == [("REPORT",)]
    to_room(walk, names[-1], ref)


def to_room(walk: Walk, name: str, ref: str) -> Guest:
    """A member in the room, from the page their work begins with."""
    return walk.person(name).go("/expert").follow(f"main table a[href='/expert/{ref}']")


def fill_in(member: Guest, first: str) -> None:
    """All cells: the objective ones their maximum, the subjective ones with a reason; the first of these from evidence."""
    page = member.page
    cells = page.locator("[data-cell]")
    judged = 0
    for at in range(cells.count()):
        cell = cells.nth(at)
        if cell.get_attribute("data-kind") == "objective":
            cell.fill(str(cell.get_attribute("data-max")))
            continue
        cell.fill(NEAR if judged else first)
        cell.press("Alt+n")
        page.keyboard.type("响应完整，措施可行")
        if not judged:
            pin(member)
        judged += 1
    assert page.locator("[data-to-go] li").count() == 0, page.locator("[data-to-go]").inner_text()


def pin(member: Guest) -> None:
    """A box drawn on the page image beside the cell, with its words, cited in the reason."""
    page = member.page
    page.locator("[data-page-image]").wait_for()
    page.locator("[data-pin]").click()
    layer = page.locator("[data-page-pins]")
    layer.scroll_into_view_if_needed()
    box = layer.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 100)
    page.mouse.up()
    page.keyboard.type("分段施工，工期 240 天")
    page.locator("[data-pin-no='1'] button:nth-of-type(2)").click()
    assert "(1)" in page.locator("[data-why]").input_value() or "（1）" in page.locator("[data-why]").input_value()

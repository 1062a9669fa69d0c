"""Uploads in trouble, in a browser with a profile of its own: the line cut in the middle, the browser closed, another computer.

The line stands between browser and server and keeps what was sent: so the tests see that nothing is sent twice and no price leaves.
``BIDHALL_JOURNEY_MB`` makes the two files larger together (`make long-journeys`).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.journeys.names import CALLED
from tests.kit import browser as kit_browser
from tests.kit import commands
from tests.kit.cut_line import CutLine
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from trading.bidding import bids

pytestmark = pytest.mark.browser

MIB = 1 << 20
MEGABYTES = int(os.environ.get("BIDHALL_JOURNEY_MB", "24"))
WAIT = 60_000 + MEGABYTES * 1000
PRICE = "2731946.53"


@pytest.fixture
def live_server(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    with serving(World(engine, tmp_path, called=CALLED), tmp_path) as live:
        yield live


@pytest.fixture
def line(live_server: LiveServer) -> Iterator[CutLine]:
    with CutLine(int(live_server.url.rsplit(":", 1)[1])) as found:
        yield found


@contextmanager
def browser_at(profile: Path) -> Iterator[Any]:
    """A page of a browser that keeps things in this folder, as a person's does; closing it is the end of the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=kit_browser.find_browser(),
            args=["--no-sandbox"],
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            viewport={"width": 1280, "height": 900},
            accept_downloads=True,
        )
        context.set_default_timeout(WAIT)
        yield context.new_page()
        context.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files that look like what they are called."""
    half = MEGABYTES * MIB // 2
    pdf, archive = tmp_path / "资格与商务文件.pdf", tmp_path / "技术文件.zip"
    block = random.Random(5).randbytes(MIB)
    with pdf.open("wb") as out:
        out.write(b"%PDF-1.7\n")
        for number in range(half // MIB):
            out.write(number.to_bytes(8, "big") + block[8:])
        out.write(b"\n%%EOF\n")
    with archive.open("wb") as out:
        out.write(b"PK\x03\x04\x14\0\0\0")
        for number in range(half // MIB):
            out.write(number.to_bytes(8, "little") + block[8:])
        out.write(b"PK\x05\x06" + bytes(18))
    return [pdf, archive]


@pytest.fixture
def key(live_server: LiveServer, tmp_path: Path) -> str:
    return commands.key_file(commands.Desk(tmp_path), live_server.world, "bidder1", "bidder")


def lot_of(server: LiveServer) -> tuple[World, str]:
    """A lot that takes bids, the first bidder among those who take part."""
    ref = server.world.lot("BIDDING")
    server.world.take_part(ref, "bidder1")
    return server.world, ref


def sign_in(server: LiveServer, line: CutLine, page: Any, ref: str) -> None:
    LiveServer(line.url, server.world, server.app).sign_in(page, "bidder1", role="bidder-signer")
    page.goto(f"{line.url}/bidder/lots/{ref}/seal")
    page.wait_for_selector("#checks:not(.proofbox--open)")
    page.wait_for_selector("#selfcheck li")


def fill(page: Any) -> None:
    for name, value in (("price", PRICE), ("delivery_days", "60"), ("warranty_months", "24")):
        page.fill(f"#a-{name}", value)
    page.select_option("#a-small_firm", "no")


def give_key(page: Any, key: str) -> None:
    page.set_input_files("#key-file", key)
    page.fill("#key-pass", commands.PASSPHRASE)


def choose(page: Any, files: list[Path], key: str) -> None:
    """Everything the form wants before it is sealed."""
    page.set_input_files("#bid-files", files)
    fill(page)
    give_key(page, key)


def said(page: Any, text: str) -> None:
    page.wait_for_selector(f"#seal-say:has-text('{text}')")


def to_receipt(page: Any, world: World, ref: str) -> None:
    page.click("#submit-go")
    page.wait_for_selector("#receipt-place:not([hidden]) #verified-here li.ok")
    with world.view("bidder1") as view:
        lot = world.lot_in(view, ref)
        assert [row.kind for row in bids.own_receipts(view, lot)] == ["received"]
        standing = bids.standing_bids(view.session, lot)[0]
        assert standing.size > MEGABYTES * MIB


def test_a_cut_line_and_a_closed_browser(
    live_server: LiveServer, line: CutLine, tmp_path: Path, files: list[Path], key: str,
) -> None:  # fmt: skip
    world, ref = lot_of(live_server)
    profile = tmp_path / "profile"
    with browser_at(profile) as page:
        sign_in(live_server, line, page, ref)
        zone, chooser = page.locator("#drop").bounding_box(), page.locator("#bid-files").bounding_box()
        assert (
            chooser["width"] > zone["width"] - 8 and chooser["height"] > zone["height"] - 8
        )  # the whole zone opens the chooser
        page.locator("#bid-files").focus()
        assert page.evaluate("getComputedStyle(document.getElementById('drop')).outlineStyle") == "solid"
        page.set_input_files("#bid-files", files)
        fill(page)
        page.wait_for_selector("#draft:not([hidden])")
        page.wait_for_selector("#selfcheck li.ok:has-text('2,731,946.53')")
        page.wait_for_timeout(800)  # the draft is written a moment after the last key

    # the browser was closed: the form is there again, the files are asked for by name, and nothing of it was ever sent
    with browser_at(profile) as page:
        sign_in(live_server, line, page, ref)
        assert page.input_value("#a-price") == PRICE and page.input_value("#a-warranty_months") == "24"
        assert "技术文件.zip" in page.inner_text("#files") and page.locator("#selfcheck li.warn").count() == 2
        page.set_input_files("#bid-files", files)
        give_key(page, key)
        page.wait_for_selector("#selfcheck:not(.proofbox--open) li.ok:has-text('2 个文件')")
        assert page.locator("#selfcheck li.bad, #selfcheck li.warn").count() == 0
        before = line.up
        line.cut_after(MEGABYTES * MIB // 3)
        page.click("#seal-go")
        said(page, "连接中断")
        assert line.is_cut.is_set() and line.up - before > MEGABYTES * MIB // 4
        line.mend()
        line.cut_after(MEGABYTES * MIB // 3)  # it goes on by itself, and is cut again
        line.is_cut.wait(WAIT / 1000)
        said(page, "连接中断")

    # closed in the middle of the upload: the sealed file waits, its rest is sent, the key is wanted to sign only
    line.mend()
    with browser_at(profile) as page:
        sign_in(live_server, line, page, ref)
        page.wait_for_selector("#kept:not([hidden])")
        page.click("#kept-go")
        page.wait_for_selector("#submit-go:not([disabled])")
        give_key(page, key)
        to_receipt(page, world, ref)
        # sent once, but for what was on its way when the line broke
        assert line.up - before < MEGABYTES * MIB * 1.5 + 4 * MIB
        page.reload()
        page.wait_for_selector("#selfcheck li")
        assert page.input_value("#a-price") == "" and page.is_hidden(
            "#kept"
        )  # draft and sealed file have done their work
    for secret in (PRICE.encode(), b"2,731,946.53", "技术文件".encode(), commands.PASSPHRASE.encode(), b"%PDF-1.7"):
        assert bytes(line.sent).find(secret) < 0


SPOIL = """async () => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("sealed");
  for await (const handle of folder.values()) {
    const size = (await handle.getFile()).size;
    const out = await handle.createWritable({ keepExistingData: true });
    await out.write({ type: "write", position: size - 1000, data: new Uint8Array(64) });
    await out.close();
  }
}"""


def test_a_sealed_file_that_the_machine_did_not_write_whole_is_never_sent(
    live_server: LiveServer, line: CutLine, tmp_path: Path, files: list[Path], key: str,
) -> None:  # fmt: skip
    world, ref = lot_of(live_server)
    profile = tmp_path / "profile"
    with browser_at(profile) as page:
        sign_in(live_server, line, page, ref)
        choose(page, files, key)
        page.wait_for_selector("#draft:not([hidden])")
        page.wait_for_timeout(800)
        line.cut_after(MIB)
        page.click("#seal-go")
        said(page, "连接中断")
    line.mend()
    with browser_at(profile) as page:
        sign_in(live_server, line, page, ref)
        page.wait_for_selector("#kept:not([hidden])")
        page.evaluate(SPOIL)
        page.reload()
        page.wait_for_selector("#kept:not([hidden])")
        before = line.up
        page.click("#kept-go")
        page.wait_for_selector("#kept-what:has-text('已损坏')")
        assert (
            line.up - before < MIB // 2
            and page.is_visible("#bid-form")
            and page.is_hidden("#kept-go")
            and page.is_hidden("#progress")
        )
        page.set_input_files("#bid-files", files)
        give_key(page, key)
        page.click("#seal-go")
        page.wait_for_selector("#submit-go:not([disabled])")
        to_receipt(page, world, ref)


def test_begun_here_ended_at_another_computer(
    live_server: LiveServer, line: CutLine, tmp_path: Path, files: list[Path], key: str,
) -> None:  # fmt: skip
    world, ref = lot_of(live_server)
    with browser_at(tmp_path / "one") as page:
        sign_in(live_server, line, page, ref)
        choose(page, files, key)
        line.cut_after(MEGABYTES * MIB * 2 // 3)
        page.click("#seal-go")
        said(page, "连接中断")
        page.click("#pause")
        said(page, "已暂停")
        kept: list[Any] = []
        page.on("download", lambda one: kept.append(one))
        page.click("#take")
        said(page, "两个文件")
        while len(kept) < 2:
            page.wait_for_timeout(100)
        for one in kept:
            one.save_as(tmp_path / one.suggested_filename)
    line.mend()
    sealed, submission = tmp_path / f"{ref}.sealed", tmp_path / f"{ref}.sealed.submission.json"
    assert sealed.stat().st_size > MEGABYTES * MIB
    with browser_at(tmp_path / "two") as page:
        sign_in(live_server, line, page, ref)
        before = line.up
        page.click("#offline summary")
        page.set_input_files("#o-bid", sealed)
        page.set_input_files("#o-submission", submission)
        page.click("#offline-form button")
        page.wait_for_selector("#submit-go:not([disabled])")
        assert line.up - before < sealed.stat().st_size - MEGABYTES * MIB // 3  # only the rest
        to_receipt(page, world, ref)


def test_cancelled_at_any_moment(
    live_server: LiveServer, line: CutLine, tmp_path: Path, files: list[Path], key: str
) -> None:
    world, ref = lot_of(live_server)
    with browser_at(tmp_path / "profile") as page:
        sign_in(live_server, line, page, ref)
        choose(page, files, key)
        line.cut_after(MIB)
        page.click("#seal-go")
        page.wait_for_selector("#cancel:visible")
        page.click("#cancel")  # while it is being sealed
        said(page, "已取消")
        page.click("#seal-go")
        said(page, "连接中断")
        page.click("#cancel")  # while it is being sent
        said(page, "已取消")
        assert page.is_visible("#bid-form") and page.input_value("#a-price") == PRICE and page.is_disabled("#submit-go")
        left = page.evaluate("""async () => {
          const { leftovers } = await import("/static/js/sb/sealer.js");
          return leftovers();
        }""")
        assert left == [] and page.evaluate(f"localStorage.getItem('bidhall-sealed-{ref}')") is None
    with world.view("bidder1") as view:
        assert bids.own_receipts(view, world.lot_in(view, ref)) == []

"""A bid the platform lost, in browsers: the mirror had its digests, the bytes went after the shares. The hall says so, the supervisory body
signs its finding with its own key in its page, and hall, log and record show it; what is tampered with on the way is refused."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
import pytest
from sqlalchemy import Engine

from crypto import keyfiles
from crypto.canonical import dumps, loads
from crypto.signatures import countersign, payload_of
from tests.journeys.names import CALLED
from tests.journeys.test_hall_accessible_journey import faults
from tests.journeys.test_opening_journey import Desk
from tests.kit import opening_steps, sealing, stages
from tests.kit.mirror import mirror_beside
from tests.kit.opening_steps import ALL
from tests.kit.server import LiveServer, serving
from tests.kit.world import World
from tests.trading.bidding.test_stored import bid_of, finding_of, spoil, verdict_of
from trading.bidding import copies
from trading.kernel.errors import Conflict
from trading.opening import ceremony, findings, opening_list, rechecks

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AWAITED, FOUND = "待监督机构认定", "认定该投标由平台丢失"


@dataclass
class Staged:
    """A lot read out, with a bid lost on the way."""

    live: LiveServer
    ref: str

    @property
    def world(self) -> World:
        return self.live.world

    def found(self) -> list[tuple[str, int]]:
        with self.world.view("clock") as view:
            return [
                (one.code, one.j)
                for one in findings.of_opening(view.session, stages.opening_of(self.world, view, self.ref))
            ]


@pytest.fixture
def staged(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staged]:
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)  # cheap key files: what they cost is tested elsewhere
    monkeypatch.setattr(keyfiles, "PASSES", 1)
    world = World(engine, tmp_path, called=CALLED)
    with mirror_beside(world, tmp_path, "digests"), serving(world, tmp_path) as live:
        ref = world.lot("BIDDING")
        opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
        copies.send_due(world.office)
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)  # all bytes were there when the mirror asked for them
        for username in ALL:
            opening_steps.share(world, ref, username)
        spoil(world, bid_of(world, ref, "bidder1"), "gone")
        yield Staged(live, ref)


def test_a_lost_bid_is_found_on_in_the_browser_and_shown(staged: Staged, browser: Browser, tmp_path: Path) -> None:
    live, world, ref = staged.live, staged.world, staged.ref
    host = Desk(live, browser, tmp_path, "host", role="host")
    host.go(f"/hall/{ref}/host")
    host.press("解密并唱标")
    assert verdict_of(world, ref, "bidder1") == ("SEALED_ROOT", "platform")
    public: Page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    public.goto(f"{live.url}/hall/{ref}")
    said = public.locator("#hall").inner_text()
    assert f"{CALLED['bidder1']} 未能打开" in said and AWAITED in said and FOUND not in said
    assert AWAITED in words_of(public, f"{live.url}/hall/{ref}/minutes?draft=1", host.page)

    watch = Desk(live, browser, tmp_path, "watch", role="supervisor")
    page = watch.go("/supervisor/hall")
    assert "待认定" in (waiting := page.locator("tr", has_text=ref).inner_text()) and "待办" in waiting
    page.get_by_role("link", name="多媒体设备").first.click()
    page.wait_for_url(f"**/supervisor/hall/{ref}")
    assert CALLED["bidder1"] in page.locator("#lost").inner_text()
    wrong = faults(page)
    tampered_on_the_way(staged, watch)
    handed_in_tampered(staged, watch)
    assert staged.found() == []

    watch.refused("lost", "falsch")
    assert staged.found() == []
    assert "待认定" not in watch.work("lost")
    assert staged.found() == [("SEALED_ROOT", 0)] and not watch.faults
    assert page.locator("[data-keywork=lost]").count() == 0  # said once

    # the public page learns of it by itself; the entry is in the log and proves itself in anybody's browser
    public.locator("#hall", has_text=FOUND).wait_for(timeout=15_000)
    assert AWAITED not in public.locator("#hall").inner_text()
    world.tick()
    public.goto(f"{live.url}/hall/{ref}")
    row = public.locator("[data-hall-proofs] tr", has_text=CALLED["bidder1"])
    public.get_by_role("button", name="在本浏览器全部核验").click()
    row.locator("[data-result] .tag--ok").wait_for(timeout=30_000)
    assert public.locator("[data-result] .tag--stop").count() == 0

    watch.go("/supervisor/hall")
    wrong += faults(page)
    watch.go(f"/supervisor/hall/{ref}")
    wrong += faults(page) + faults(public)
    assert wrong == []

    record = close(staged, host)
    told = words_of(public, record, public)
    assert "认定平台丢失该投标" in told and CALLED["bidder1"] in told and AWAITED not in told
    with world.view("clock") as view:
        findings.refuse_awaited(view.session, world.lot_in(view, ref))  # the award may be made
        (one,) = findings.of_opening(view.session, stages.opening_of(world, view, ref))
    assert one.c in told.replace("\r\n", "").replace("\n", "")


def test_no_award_before_the_finding_and_the_record_says_what_is_awaited(
    staged: Staged, browser: Browser, tmp_path: Path
) -> None:
    host = Desk(staged.live, browser, tmp_path, "host", role="host")
    host.go(f"/hall/{staged.ref}/host")
    host.press("解密并唱标")
    told = words_of(host.page, close(staged, host), host.page)
    assert AWAITED in told and "认定平台丢失该投标" not in told
    with staged.world.view("clock") as view, pytest.raises(Conflict, match="award.finding_awaited"):
        findings.refuse_awaited(view.session, staged.world.lot_in(view, staged.ref))


def tampered_on_the_way(staged: Staged, watch: Desk) -> None:
    """The hall asks for a signature on another bid than the page shows, on one more, or on none: the page signs nothing."""
    other = bid_of(staged.world, staged.ref, "bidder2").header_hash

    changes: tuple[Callable[[list[Any]], list[Any]], ...] = (
        lambda lost: [lost[0] | {"header_hash": other}],
        lambda lost: [*lost, lost[0] | {"header_hash": other}],
        lambda lost: [],
    )
    for change in changes:

        def cheat(route: Any, _request: Any, *, change: Any = change) -> None:
            route.fulfill(json={"lost": change(route.fetch().json()["lost"])})

        watch.page.route("**/lost.json", cheat)
        watch.go(f"/supervisor/hall/{staged.ref}")
        assert "与本页所列不一致" in watch.refused("lost")
        watch.page.unroute("**/lost.json")
    assert staged.found() == []


def handed_in_tampered(staged: Staged, watch: Desk) -> None:
    """Findings signed elsewhere: changed after the signature, by another's key, on a bid that was not lost, of another set."""
    world, ref = staged.world, staged.ref
    good = finding_of(world, ref, "bidder1")
    other = bid_of(world, ref, "bidder2").header_hash
    changed = dict(good, payload=b64encode(dumps(loads(payload_of(good)) | {"at": "2026-03-24T02:00:00Z"})).decode())
    forged = dict(good, signatures=[dict(good["signatures"][0], sig=b64encode(bytes(64)).decode())])
    for wrong in (
        changed,
        forged,
        finding_of(world, ref, "bidder2"),
        finding_of(world, ref, "bidder1", set=other),
        finding_of(world, ref, "bidder1", code="SHARE_OPEN"),
    ):
        page = watch.go(f"/supervisor/hall/{ref}")
        form = page.locator("#kw-lost")
        form.locator("summary").click()
        form.locator("textarea").fill(json.dumps([{"document": wrong}]))
        with page.expect_navigation():
            form.get_by_role("button", name="递交以上内容").click()
        told = page.locator("main").inner_text()
        assert "认定书不对" in told or "没有丢失" in told, told
        assert staged.found() == []


def close(staged: Staged, host: Desk) -> str:
    """Countersigned, signed and closed; the address of the record."""
    world, ref = staged.world, staged.ref
    for username in ALL:
        with world.work(username) as work:
            row = ceremony.opening(work.session, world.lot_in(work, ref))
            opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))
    opening_steps.turn(world, minutes=16)
    host.go(f"/hall/{ref}/host")
    host.press("签署记录")
    host.press("结束开标并公布记录")
    assert not host.faults
    return f"{staged.live.url}/hall/{ref}/minutes"


def words_of(page: Page, address: str, reader: Page) -> str:
    """The words of a paper, as ``reader`` gets it."""
    paper = reader.request.get(address).body()
    assert paper.startswith(b"%PDF-"), paper[:200]
    return "".join(one.get_textpage().get_text_range() for one in pdfium.PdfDocument(paper))

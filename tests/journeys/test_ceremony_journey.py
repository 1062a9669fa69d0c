"""Three lots in one ceremony, in browsers: a base price bound and published, the hour awaited, one lot fails, the others are listed,
decrypted and read out on the projector; confirmed, objected to, answered; and the record of one is signed and public."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crypto.signatures import countersign
from tests.journeys.names import CALLED
from tests.journeys.test_opening_journey import Desk, pass_claims
from tests.kit import sealing
from tests.kit.ceremony import bid_for, lots_together
from tests.kit.opening_steps import ALL, share
from tests.kit.server import LiveServer
from tests.kit.world import DEADLINE
from tests.trading.hall.test_attendance import come
from trading import timeline
from trading.opening import ceremony as opening
from trading.opening import opening_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BASE = "850000.00"


def test_three_lots_in_one_ceremony(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    first, second, few = refs = lots_together(world, "教学楼修缮", "运动场改造", "食堂改造", regime="WORKS")
    ceremony = f"/hall/sessions/{first.rpartition('-')[0]}"
    bound = bind(hall, browser, tmp_path, first)
    for ref in refs:
        bid_for(world, ref, *(world.bidders if ref != few else world.bidders[:2]), regime="WORKS")
    world.tick()

    # before the hour: who runs it signs in, nobody learns who bids
    world.clock.set(DEADLINE - timedelta(minutes=12))
    for ref in refs:
        come(world, ref, "officer1", "officer3", "watch", "bidder1")
    host = Desk(hall, browser, tmp_path, "host", role="host")
    host.go(ceremony)
    host.press("签到（3 个标段）")
    public = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    public.goto(f"{hall.url}/hall/{first}")
    seen = public.locator("main").inner_text()
    assert "此刻谁也看不到家数与名称" in seen and all(
        CALLED[name] in seen for name in ("@host", "@officer1", "@officer3", "@watch")
    )
    assert not [name for name in world.bidders if CALLED[name] in seen or CALLED["@" + name] in seen]

    # the hour: one lot has two bids and fails, the other two are listed by one click
    sealing.close(world, first)
    for _ in (second, few):
        timeline.turn(world.office)
    host.go(ceremony)
    host.press("公布名单（2）")
    assert "流标，密文不拆" in host.page.locator(".ceremony").inner_text()
    for ref in (first, second):
        pass_claims(world, ref)
        for username in ALL:
            share(world, ref, username)
            world.clock.advance(seconds=9)
    host.go(ceremony)
    host.press("解密（2）")
    shown = host.page.locator(".ceremony").inner_text()
    assert shown.count("3 家中 3 家已解密") == 2 and shown.count("820,000.00") == 2

    # read out line by line: the projector follows without being touched
    projector = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    projector.goto(f"{hall.url}/hall/{first}/projector")
    host.go(f"/hall/{first}/read")
    host.press("唱第一行")
    projector.locator(".reading .who", has_text="有限公司").wait_for(timeout=15_000)
    assert "第 1 家" in projector.locator("main").inner_text()
    publish(hall, browser, tmp_path, first, bound)
    world.clock.advance(seconds=95)
    host.go(f"/hall/{first}/read")
    host.press("下一行")
    projector.locator(".pos", has_text="第 2 家").wait_for(timeout=15_000)
    host.go(ceremony)
    assert "第 2 行" in host.page.locator(".ceremony").inner_text()

    # one confirms, one objects and is answered, one says nothing
    remark(hall, browser, tmp_path, first, "bidder1", "")
    remark(hall, browser, tmp_path, first, "bidder2", "唱标时我方工期读作一百二十日，投标函写的是一百八十日。")
    host.go(f"/hall/{first}/host")
    host.page.get_by_label("答复").first.fill("已核对投标函电子件：180 日，记录以此为准。")
    host.press("答复")
    public.goto(f"{hall.url}/hall/{first}")
    listed = public.locator("#hall").inner_text()
    assert (
        "记录以此为准" in listed
        and "850,000.00" in listed
        and "已确认" in listed
        and "有异议，已答复" in listed
        and "待确认" in listed
    )

    # the record
    for username in ALL:
        with world.work(username) as work:
            row = opening.opening(work.session, world.lot_in(work, first))
            opening_list.countersign(work, row, countersign(dict(row.opened or {}), world.keys[username].sign))
    world.clock.advance(minutes=16)
    timeline.turn(world.office)
    host.go(f"/hall/{first}/host")
    host.press("签署记录")
    host.press("结束开标并公布记录")
    public.goto(f"{hall.url}/hall/{first}")
    record = public.request.get(
        f"{hall.url}{public.get_by_role('link', name='开标记录').first.get_attribute('href')}"
    ).body()
    assert record.startswith(b"%PDF-")
    assert not host.faults


def bind(hall: LiveServer, browser: Browser, folder: Path, ref: str) -> Path:
    """The tenderee binds a base price in the page; returns the file it keeps."""
    desk = Desk(hall, browser, folder, "buyer", role="tenderee", party=sealing.code_of(hall.world, "buyer"))
    page = desk.go(f"/hall/{ref}/base-price")
    page.fill("#bp-price", "85 万")
    page.get_by_role("button", name="生成文件和封存码").click()
    page.get_by_role("alert").filter(has_text="两位小数").wait_for()
    page.fill("#bp-price", BASE)
    with page.expect_download() as kept:
        page.get_by_role("button", name="生成文件和封存码").click()
    file = folder / "base-price.json"
    kept.value.save_as(file)
    desk.press("封存标底")
    told = page.locator("main").inner_text()
    assert "850,000" not in told and "850000" not in told and not desk.faults
    return file


def publish(hall: LiveServer, browser: Browser, folder: Path, ref: str, file: Path) -> None:
    """Another price than the bound one is refused, the bound one is published."""
    desk = Desk(hall, browser, folder, "buyer", role="tenderee", party=sealing.code_of(hall.world, "buyer"))
    page = desk.go(f"/hall/{ref}/base-price")
    other = folder / "other.json"
    other.write_bytes(file.read_bytes().replace(BASE.encode(), b"750000.00"))
    page.set_input_files("#f-document_file", other)
    desk.press("公布标底")
    assert page.locator("[data-errors]").is_visible() and "750,000" not in page.locator(".facts, dl").first.inner_text()
    page.set_input_files("#f-document_file", file)
    desk.press("公布标底")
    assert "850,000.00" in page.locator("main").inner_text() and not desk.faults


def remark(hall: LiveServer, browser: Browser, folder: Path, ref: str, username: str, objection: str) -> None:
    """A bidder's signer confirms in the page, or objects."""
    page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    hall.sign_in(page, username, role="bidder-signer")
    page.goto(f"{hall.url}/bidder/lots/{ref}/opening")
    kind = "object-opening" if objection else "confirm"
    if objection:
        page.locator("#object summary").click()
        page.locator("form[action$='/acts/object-opening'] textarea").fill(objection)
    with page.expect_navigation():
        page.locator(f"form[action$='/acts/{kind}'] button:not([type=button])").click()

"""An opening in real browsers: an officer makes keys, signs and drills in the page; three release shares with their key files; the host
reads out; the officers' pages repeat the re-derivation and countersign; a coefficient is drawn and anybody reckons it again."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error as PlaywrightError

from crypto import keyfiles, signatures
from crypto.canonical import b64u, loads, unb64u
from crypto.keys import x25519_public
from tests.journeys.names import CALLED
from tests.kit import sealing
from tests.kit.server import LiveServer
from tests.kit.world import DEADLINE, OFFICERS, World
from trading import draws, timeline
from trading.custody import officers, policies
from trading.opening import ceremony, opening_set
from trading.tendering import tenders

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSPHRASE = "一盏灯照九座桥"
FORM = {
    "WORKS": {"price": "2750000.00", "duration_days": "120", "quality": "合格", "manager": "王建国"},
    "GP": sealing.FORM,
}


class Desk:
    """One person in a browser of their own, with a key file on the disk."""

    def __init__(
        self, live: LiveServer, browser: Browser, folder: Path, username: str, *, role: str = "officer", party: str = ""
    ) -> None:
        self.live, self.folder, self.username, self.role, self.is_key_open = live, folder, username, role, False
        self.context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", accept_downloads=True)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.faults.append(message.text) if "Content Security Policy" in message.text else None,
        )
        held = live.world.keys.get(username)
        if held is not None:
            secrets = {"ed25519": held.sign} | ({"root": held.root} if role == "officer" else {})
            self.file = folder / f"{username}.json"
            self.file.write_text(json.dumps(keyfiles.make_keyring(party or username, role, secrets, PASSPHRASE)))
        live.sign_in(self.page, username)

    def go(self, path: str) -> Page:
        self.page.goto(self.live.url + path)
        return self.page

    def work(self, kind: str, passphrase: str = PASSPHRASE) -> str:
        """Key work in the page; what its checks said, once the page that follows has come."""
        box = self.page.locator(f'[data-keywork="{kind}"]')
        box.wait_for(state="visible")
        self.give_key(kind, passphrase)
        with self.page.expect_navigation(timeout=60_000):
            box.locator("[data-go]").click()
        return self.page.locator("main").inner_text()

    def give_key(self, kind: str, passphrase: str) -> None:
        """Choose the key file, once in a sign-in: it stays open."""
        box = self.page.locator(f'[data-keywork="{kind}"]')
        if self.is_key_open and box.get_attribute("data-session"):
            with contextlib.suppress(
                PlaywrightError
            ):  # another sign-in, or a browser that was emptied, has forgotten it
                box.locator("[data-keyopen]").wait_for(timeout=3_000)
                return
        self.page.set_input_files(f"#kf-{kind}", str(self.file))
        self.page.fill(f"#pp-{kind}", passphrase)
        self.is_key_open = (
            self.role in ("officer", "tenderee")
            and passphrase == PASSPHRASE
            and bool(box.get_attribute("data-session"))
        )

    def refused(self, kind: str, passphrase: str = PASSPHRASE) -> str:
        """Key work that stops in the page, and why."""
        self.give_key(kind, passphrase)
        self.page.locator(f'[data-keywork="{kind}"] [data-go]').click()
        bad = self.page.locator(f'[data-keywork="{kind}"] li.bad')
        bad.wait_for(timeout=60_000)
        return bad.inner_text()

    def press(self, name: str) -> None:
        with self.page.expect_navigation(timeout=60_000):
            self.page.get_by_role("button", name=name, exact=True).click()


def closed(world: World, regime: str = "GP") -> str:
    ref = world.lot("BIDDING", regime=regime)
    world.take_part(ref)
    sealing.pay_deposits(world, ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, form=FORM[regime])).accepted
    world.tick()
    sealing.close(world, ref)
    return ref


def pass_claims(world: World, ref: str) -> None:
    with world.view("clock") as view:
        begins = ceremony.opening(view.session, world.lot_in(view, ref)).shares_from
    while world.now < begins + timedelta(seconds=10):
        world.clock.set(world.now + timedelta(seconds=10))
        timeline.turn(world.office)


def test_keys_policies_and_drills_in_the_page(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    ref = world.lot("DRAFTED", regime="WORKS")
    with world.work("agent") as work:
        tenders.plan(work, world.lot_in(work, ref), deadline=DEADLINE, clarify_until=DEADLINE - timedelta(days=5))
    world.name_officers(ref)
    others = tuple(name for name, _party, _side in OFFICERS[1:])
    desk = Desk(hall, browser, tmp_path, "officer1")
    desk.go(f"/hall/{ref}/officer")
    assert "SHARE_OPEN" in desk.refused("keys", "falsch")
    desk.work("keys")
    for username in others:
        with world.work(username) as work:
            lot = world.lot_in(work, ref)
            officers.offer_keys(
                work,
                lot,
                {
                    scope["envelope"]: b64u(x25519_public(world.scope_secret(username, scope)))
                    for scope in officers.scopes_to_key(work, lot)
                },
            )
    with world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    desk.go(f"/hall/{ref}/officer")
    desk.work("policies")
    world.sign_policies(ref, only=others)
    desk.go(f"/hall/{ref}/officer")
    desk.work("drills")
    world.open_drills(ref, only=others)
    with world.view("clock") as view:
        assert not policies.policy_faults(view.session, world.lot_in(view, ref)).found
    assert not desk.faults


def test_three_officers_open_in_their_browsers(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    world = hall.world
    ref = closed(world)
    host = Desk(hall, browser, tmp_path, "host", role="host")
    watcher = browser.new_context(locale="zh-CN").new_page()
    watcher.goto(f"{hall.url}/hall/{ref}")
    assert not [name for name in world.bidders if CALLED[name] in watcher.locator("main").inner_text()]
    host.go(f"/hall/{ref}/host")
    host.press("公布名单")
    watcher.locator("#hall", has_text=CALLED["bidder1"]).wait_for(
        timeout=15_000
    )  # by a live event, nobody loaded the page again
    pass_claims(world, ref)
    seats = [Desk(hall, browser, tmp_path, name) for name in ("officer1", "officer3", "officer5")]
    for seat in seats:
        seat.go(f"/hall/{ref}/release")
        assert "已于" in seat.work("release")
        world.clock.advance(seconds=20)
        if seat is seats[1]:
            watcher.goto(f"{hall.url}/hall/{ref}")
            assert "已到 2 位，需 3 位" in watcher.locator("main").inner_text()
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        assert [share.j for share in ceremony.shares(view.session, row)] == [1, 3, 5]
        until = row.shares_until
    world.clock.set(until + timedelta(seconds=1))
    host.go(f"/hall/{ref}/host")
    host.press("解密并唱标")
    assert host.page.locator("main").inner_text().count("2,750,000.00") == 3
    for seat in seats:
        seat.go(f"/hall/{ref}/sign")
        if "/account/confirm" in seat.page.url:
            seat.page.fill("[name=password]", "correct horse battery")
            seat.page.click("main form button:not([type=button])")
            seat.page.wait_for_url(lambda address: "/sign" in address)
        assert "您已会签" in seat.work("countersign")
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        assert row.opened is not None and len(row.opened["signatures"]) == 4
        confirm_until = row.confirm_until
    assert confirm_until is not None
    world.clock.set(confirm_until + timedelta(seconds=1))
    host.go(f"/hall/{ref}/host")
    host.press("签署记录")
    host.press("结束开标并公布记录")
    world.tick()
    watcher.goto(f"{hall.url}/hall/{ref}")
    watcher.get_by_role("button", name="在本浏览器全部核验").click()
    watcher.locator("[data-result] .tag--ok").nth(6).wait_for(timeout=30_000)
    assert watcher.locator("[data-result] .tag--stop").count() == 0
    assert watcher.request.get(f"{hall.url}/hall/{ref}/minutes").body().startswith(b"%PDF-")
    assert not host.faults and not any(seat.faults for seat in seats)


def test_a_hall_that_hides_a_bid_is_found_out_in_the_page(hall: LiveServer, browser: Browser, tmp_path: Path) -> None:
    """The page that fetches the package gets one with a bid left out: it stops before it opens a box."""
    world = hall.world
    ref = closed(world)
    with world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    pass_claims(world, ref)
    seat = Desk(hall, browser, tmp_path, "officer1")

    def cheat(route: Any) -> None:
        package = route.fetch().json()
        value = loads(signatures.payload_of(package["opening_set"]))
        value["bids"] = value["bids"][1:]
        package["opening_set"] = dict(signatures.sign("opening-set", value, world.office.keys.signing))
        package["headers"] = package["headers"][1:]
        package.pop("opening_set_receipt", None)
        route.fulfill(json=package)

    seat.page.route("**/package.json", cheat)
    seat.go(f"/hall/{ref}/release")
    assert "SET_OMISSION" in seat.refused("release")
    with world.view("clock") as view:
        assert not ceremony.shares(view.session, ceremony.opening(view.session, world.lot_in(view, ref)))


def test_a_coefficient_drawn_in_two_browsers_and_reckoned_again_in_a_third(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world = hall.world
    ref = closed(world, "WORKS")
    host = Desk(hall, browser, tmp_path, "host", role="host")
    buyer = Desk(hall, browser, tmp_path, "buyer", role="tenderee", party=sealing.code_of(world, "buyer"))
    steer, ours = f"/hall/{ref}/draw/k", f"/agency/lots/{ref}/draw/k"
    for name in ("冻结备选值并公告抽取", "平台承诺"):
        host.go(steer)
        host.press(name)
        world.tick()
    buyer.go(ours)
    with buyer.page.expect_download() as kept:
        buyer.work("commit")
    assert "draw-" in kept.value.suggested_filename
    world.tick()
    host.go(steer)
    host.press("固定根并写出清单")
    buyer.go(ours)
    buyer.work("sign-list")
    world.tick()
    buyer.go(ours)
    buyer.work("reveal")
    for name in ("平台揭示", "计算并签署结果"):
        host.go(steer)
        host.press(name)
    world.tick()
    anybody = browser.new_context(locale="zh-CN").new_page()
    anybody.goto(f"{hall.url}/lots/{ref}/draw")
    anybody.get_by_role("button", name="在本浏览器重算").click()
    anybody.locator("[data-checks] li", has_text="签名的结果一致").wait_for(timeout=30_000)
    assert anybody.locator("[data-checks] .bad").count() == 0
    with world.view("clock") as view:
        row = draws.draw(view.session, world.lot_in(view, ref), "k")
        assert row.pool[draws.picks(row)[0]] in anybody.locator("main").inner_text() and unb64u(row.turns[1].r)
    assert not host.faults and not buyer.faults

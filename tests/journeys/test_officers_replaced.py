"""Officers replaced after publication, in real browsers: new keys, signature and drill in the page, shares of bids of before and after; and
a browser that keeps what it signed refuses a hall that does not show it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from crypto import keyfiles
from tests.journeys.test_opening_journey import Desk, pass_claims
from tests.kit import opening_steps, replacing, sealing
from tests.kit.replacing import SHUFFLED
from tests.kit.server import LiveServer, serving
from tests.kit.world import DEADLINE, World
from tests.trading.custody.test_replacements import statement_of
from trading import publication
from trading.opening import ceremony, opening_set

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def hall(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(keyfiles, "MEMORY_KIB", 1024)  # cheap key files: what they cost is tested elsewhere
    monkeypatch.setattr(keyfiles, "PASSES", 1)
    with serving(World(engine, tmp_path), tmp_path) as live:
        yield live


def bidding(world: World) -> str:
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, dict.fromkeys(world.bidders, sealing.FORM))
    return ref


def to_the_shares(world: World, ref: str) -> None:
    sealing.close(world, ref)
    with world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    pass_claims(world, ref)


def test_who_stays_opens_bids_of_both_sets_with_the_same_key_file(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world, names = hall.world, tuple(username for username, _ in SHUFFLED)
    ref = bidding(world)
    replacing.hire(world)
    replacing.propose(world, ref, SHUFFLED)
    replacing.confirm(world, ref)
    desk = Desk(hall, browser, tmp_path, "officer1")
    desk.go(f"/hall/{ref}/officer")
    desk.work("keys")
    replacing.give_keys(world, ref, *(name for name in names if name != "officer1"))
    desk.go(f"/hall/{ref}/officer")
    desk.work("policies")
    world.sign_policies(ref, only=tuple(name for name in names if name != "officer1"))
    desk.go(f"/hall/{ref}/officer")
    desk.work("drills")
    world.open_drills(ref, only=tuple(name for name in names if name != "officer1"))
    made = sealing.seal(world, ref, "bidder2", replaces=statement_of(world, ref, "bidder2"))
    assert sealing.hand_in(world, ref, "bidder2", *made).accepted
    world.tick()
    to_the_shares(world, ref)
    again = Desk(hall, browser, tmp_path, "officer1")  # days later: signed in anew, in a browser that knows nothing
    again.go(f"/hall/{ref}/release")
    assert "已于" in again.work("release")
    new = Desk(hall, browser, tmp_path, "officer6")
    new.go(f"/hall/{ref}/release")
    assert "已于" in new.work("release")
    for username in names:
        if username not in ("officer1", "officer6"):
            opening_steps.share(world, ref, username)
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, ref))
        given = {share.j: (len(share.parts), len(share.errors)) for share in ceremony.shares(view.session, row)}
    assert given == {1: (3, 0), 2: (1, 0), 3: (3, 0), 4: (3, 0), 5: (3, 0)}
    host = Desk(hall, browser, tmp_path, "host", role="host")
    host.go(f"/hall/{ref}/host")
    host.press("解密并唱标")
    for seat in (again, new):
        seat.go(f"/hall/{ref}/sign")
        if "/account/confirm" in seat.page.url:
            seat.page.fill("[name=password]", "correct horse battery")
            seat.page.click("main form button:not([type=button])")
            seat.page.wait_for_url(lambda address: "/sign" in address)
        assert "您已会签" in seat.work("countersign")
    assert not desk.faults and not again.faults and not new.faults and not host.faults


def test_a_browser_that_signed_a_later_policy_stops_until_told_it_never_came_into_force(
    hall: LiveServer, browser: Browser, tmp_path: Path
) -> None:
    world = hall.world
    ref = bidding(world)
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=3), reason="顺延")
    desk = Desk(hall, browser, tmp_path, "officer1")
    desk.go(f"/hall/{ref}/officer")
    desk.work("policies")
    to_the_shares(world, ref)
    hall.sign_in(desk.page, "officer1")
    desk.go(f"/hall/{ref}/release")
    assert "却没有出示它" in desk.refused("release")
    with world.view("clock") as view:
        assert not ceremony.shares(view.session, ceremony.opening(view.session, world.lot_in(view, ref)))
    desk.page.locator("[data-never] input").check()
    assert "已于" in desk.work("release")
    assert not desk.faults

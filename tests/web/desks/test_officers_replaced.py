"""Key holders replaced after publication, over HTTP: the agency's page, a second person's, the officers', bidders' and everybody's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.kit import opening_steps, replacing, sealing
from tests.kit.opening_steps import form
from tests.kit.replacing import DEADLY, SHUFFLED, Named
from tests.kit.world import World
from tests.web.desks.hall.kit import Seat, app_of, countersigned, give_keys, return_drills, shares_of, sign_policies
from trading import timeline

PRICES = {"bidder1": "2700000.00", "bidder2": "2710000.00", "bidder3": "2720000.00"}


class Town:
    """Who is at a browser, by name."""

    def __init__(self, world: World, folder: Any) -> None:
        self.world, self.app = world, app_of(world, folder)
        self.seats: dict[str, Seat] = {}

    def later(self) -> None:
        """Days have passed: everybody signs in anew."""
        self.seats.clear()

    def __call__(self, username: str = "", role: str = "") -> Seat:
        if username not in self.seats:
            self.seats[username] = Seat(self.world, self.app, username, role)
        return self.seats[username]


@pytest.fixture
def world(engine: Engine, tmp_path: Any) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def town(world: World, tmp_path: Any) -> Town:
    return Town(world, tmp_path)


def bidding(world: World) -> str:
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, {name: form(price=price) for name, price in PRICES.items()})
    replacing.hire(world)
    return ref


def propose(town: Town, ref: str, named: Named, **more: str) -> Any:
    return town("agent").post(
        f"/agency/lots/{ref}/acts/propose-officers",
        t="3",
        ground="lost",
        reason="密钥文件损坏",
        **{f"side.{username}": side for username, side in named},
        **more,
    )


def page(town: Town, who: str, path: str, role: str = "") -> str:
    answer = town(who, role).get(path + ("&" if "?" in path else "?") + "lang=en")
    assert answer.status_code == 200, answer.text[:2000]
    return str(answer.text)


def test_an_officer_is_replaced_and_every_bid_is_opened(world: World, town: Town) -> None:
    ref = bidding(world)
    keys = f"/agency/lots/{ref}/keys"
    assert "Replace key holders" in page(town, "agent", keys) and "acts/propose-officers" not in page(
        town, "buyer", keys
    )
    bad = propose(town, ref, SHUFFLED[:4])
    assert bad.status_code == 422 and "Replace key holders" in town("agent").get(keys + "?lang=en").text
    assert propose(town, ref, SHUFFLED).status_code == 303
    told = page(town, "agent", keys)
    assert "Bids sealed so far stay valid" in told and "A second person" in told and "acts/confirm-officers" not in told
    assert town("agent").post(f"/agency/lots/{ref}/acts/confirm-officers", dies="no", sure="yes").status_code == 403
    assert "acts/confirm-officers" in page(town, "buyer", keys)
    assert "Confirm new key holders" in page(town, "buyer", "/agency")
    assert "Confirm new key holders" not in page(town, "agent", "/agency"), "not by who proposed it"
    assert town("buyer").post(f"/agency/lots/{ref}/acts/confirm-officers", dies="no").status_code == 422, (
        "without the tick"
    )
    town("buyer").act(f"/agency/lots/{ref}/acts/confirm-officers", dies="no", sure="yes")

    assert "You take over when all new key holders have signed" in page(town, "officer6", f"/hall/{ref}/officer")
    assert "Keep the same key file" in page(town, "officer1", f"/hall/{ref}/officer")
    assert "Give the keys" in page(town, "officer6", "/hall/desk")
    for username, _ in SHUFFLED:
        give_keys(town(username), ref)
    for username, _ in SHUFFLED:
        sign_policies(town(username), ref)
    assert "testing their keys" in page(town, "agent", keys)
    assert "keys being tested, no sealing now" in page(town, "", f"/lots/{ref}")
    assert town("").get(f"/lots/{ref}/ticket.json").status_code == 409
    lot = page(town, "bidder2", f"/bidder/lots/{ref}", "bidder-signer")
    assert "Your bid stays valid" in lot and "testing their keys" in lot
    assert "disabled" in page(town, "bidder2", f"/bidder/lots/{ref}/seal").partition('id="bid-fields"')[2][:60]
    for username, _ in SHUFFLED:
        return_drills(town(username), ref)
    assert town("").get(f"/lots/{ref}/ticket.json").status_code == 200
    assert "testing their keys" not in page(town, "bidder2", f"/bidder/lots/{ref}")
    assert "key holders replaced at" in page(town, "", f"/lots/{ref}")
    assert "Key holders replaced" in page(town, "agent", keys)
    assert town("officer5").get(f"/hall/{ref}/officer").status_code == 403, "who left has no chair"

    world.tick()
    made = sealing.seal(world, ref, "bidder2", replaces=standing(world, ref, "bidder2"), form=form(price="2600000.00"))
    assert sealing.hand_in(world, ref, "bidder2", *made).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    town.later()
    for username, _ in SHUFFLED:
        town(username).act(f"/hall/{ref}/acts/release", shares=shares_of(town(username), ref))
    town("host").act(f"/hall/{ref}/acts/open")
    wait(world)
    town("officer1").act(f"/hall/{ref}/acts/countersign", opened=countersigned(town("officer1"), ref))
    shown = page(town, "", f"/hall/{ref}")
    assert all(price in shown.replace(",", "") for price in ("2700000.00", "2600000.00", "2720000.00"))


def standing(world: World, ref: str, username: str) -> str:
    from tests.kit.sealing import SIGNER
    from trading.bidding import bids, participants

    with world.view(username, SIGNER) as view:
        current = bids.standing(view.session, participants.own(view, world.lot_in(view, ref)).id)
        assert current is not None
        return current.bid.statement


def wait(world: World) -> None:
    """Until the hall's own run has opened the bids."""
    timeline.turn(world.office)


def test_a_change_that_kills_bids_says_so_before_and_after(world: World, town: Town) -> None:
    ref = bidding(world)
    keys = f"/agency/lots/{ref}/keys"
    assert propose(town, ref, DEADLY, deadline="2026-03-30 09:30").status_code == 303
    told = page(town, "buyer", keys)
    assert "Bids sealed so far die" in told and "moved" in told and "Move the deadline with the change" not in told
    assert town("buyer").post(f"/agency/lots/{ref}/acts/confirm-officers", dies="no", sure="yes").status_code == 409
    town("buyer").act(f"/agency/lots/{ref}/acts/confirm-officers", dies="yes", sure="yes")
    names = [username for username, _ in DEADLY]
    for step in (give_keys, sign_policies, return_drills):
        for username in names:
            step(town(username), ref)
    assert "Seal your bid again" in page(town, "bidder1", f"/bidder/lots/{ref}", "bidder-signer")
    assert "2026-03-30 09:30" in page(town, "", f"/lots/{ref}")
    notices = page(town, "", f"/lots/{ref}")
    assert "POLICY_DEAD" in notices
    for staff, path in (("agent", keys), ("buyer", keys), ("host", f"/hall/{ref}"), ("", f"/lots/{ref}")):
        shown = page(town, staff, path)
        assert not any(f"投标单位{at}" in shown for at in (1, 2, 3)), "nobody learns who has bid"


def test_a_proposal_is_taken_back(world: World, town: Town) -> None:
    ref = bidding(world)
    keys = f"/agency/lots/{ref}/keys"
    assert propose(town, ref, DEADLY).status_code == 303
    assert "take this back and propose it anew with a later deadline" in page(town, "agent", keys)
    assert propose(town, ref, SHUFFLED).status_code == 409
    town("buyer").act(f"/agency/lots/{ref}/acts/take-back-officers")
    assert "acts/propose-officers" in page(town, "agent", keys)
    assert town("buyer").post(f"/agency/lots/{ref}/acts/take-back-officers").status_code == 404
    world.clock.set(opening_deadline(world, ref))
    town.later()
    assert propose(town, ref, SHUFFLED).status_code == 409
    assert "acts/propose-officers" not in page(town, "agent", keys)


def opening_deadline(world: World, ref: str) -> Any:
    with world.view("clock") as view:
        return world.lot_in(view, ref).deadline

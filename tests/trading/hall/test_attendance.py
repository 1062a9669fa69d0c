"""Signing in to an opening: in its window, by those who have a chair, and nothing of bidders before the set."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.opening_steps import open_lot
from tests.kit.world import DEADLINE, World
from trading.hall import attendance
from trading.kernel.errors import NotAllowed, NotFound, TooEarly, WrongStep
from trading.views import lot_cards, public_stages
from trading.views.public_queries import outcome


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def come(world: World, ref: str, *usernames: str) -> None:
    for username in usernames:
        with world.work(username) as work:
            attendance.sign_in(work, world.lot_in(work, ref))


def seen(world: World, ref: str, username: str = "host") -> tuple[list[str], list[str]]:
    with world.view(username) as view:
        lot = world.lot_in(view, ref)
        return [one.name for one in attendance.bidders(view.session, lot)], [
            one.name for one in attendance.officials(view.session, lot)
        ]


@pytest.mark.rule("X-07")
def test_the_window_opens_an_hour_before_the_deadline(world: World) -> None:
    ref = world.lot()
    world.take_part(ref)
    world.clock.set(DEADLINE - attendance.BEFORE_HOUR - timedelta(seconds=1))
    with pytest.raises(TooEarly, match="attendance.too_early"):
        come(world, ref, "bidder1")
    world.clock.set(DEADLINE - attendance.BEFORE_HOUR)
    come(world, ref, "bidder1", "bidder1", "host", "officer2", "buyer", "watch")
    assert seen(world, ref) == ([], ["host", "officer2", "buyer", "watch"])


def test_who_has_no_chair_cannot_sign_in(world: World) -> None:
    ref = world.lot()
    world.take_part(ref, "bidder1")
    world.clock.set(DEADLINE - timedelta(minutes=5))
    with pytest.raises(NotFound, match="participant.none"):
        come(world, ref, "bidder2")
    for username in ("agent", "clerk"):
        with pytest.raises(NotAllowed):
            come(world, ref, username)


def test_only_bidders_of_the_published_set_are_ever_on_the_sheet(engine: Engine, tmp_path: Path) -> None:
    """Whoever took part, signed in and handed in nothing is not named, before or after."""
    world = World(engine, tmp_path, bidders=4)
    ref = world.lot()
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders[:3]:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    world.clock.set(DEADLINE - timedelta(minutes=20))
    come(world, ref, "bidder4", "bidder1", "bidder3", "officer1")
    sealing.close(world, ref)
    assert seen(world, ref) == ([], ["officer1"])
    come(world, ref, "bidder2")
    sealing.list_set(world, ref)
    assert seen(world, ref)[0] == ["bidder1", "bidder3", "bidder2"]
    with world.view("clock") as view:
        late = {one.name: one.late for one in attendance.bidders(view.session, world.lot_in(view, ref))}
    assert late == {"bidder1": False, "bidder3": False, "bidder2": True}


def test_a_lot_that_failed_never_says_who_came_and_ended_at_its_opening(world: World) -> None:
    ref = world.lot()
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    world.clock.set(DEADLINE - timedelta(minutes=20))
    come(world, ref, "bidder1", "bidder2")
    sealing.close(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.state == "FAILED"
        road = public_stages.stages(view, lot, outcome(view, lot), None)
    assert seen(world, ref) == ([], [])
    assert [stage.code for stage in road if stage.state == public_stages.HERE] == ["opening"]
    with pytest.raises(WrongStep, match="attendance.over"):
        come(world, ref, "bidder3")


def test_the_sheet_closes_with_the_minutes(world: World) -> None:
    ref = open_lot(world)
    with pytest.raises(WrongStep, match="attendance.over"):
        come(world, ref, "bidder1")
    with world.view("clock") as view:
        assert lot_cards.card_of(view, world.lot_in(view, ref)).state == "QUAL_REVIEW"

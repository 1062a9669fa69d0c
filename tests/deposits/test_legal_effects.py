"""What follows for a deposit from how its bid was opened, or was not: real cheats and real rulings (rule X-09; D-26, D-44)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from deposits import demands, forfeits
from deposits.demands import DepositDemand
from deposits.refunds import triggers
from tests.deposits.money_room import MoneyRoom
from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit.rows import unchanged
from tests.trading.opening.test_ceremony import FORGED, forged
from trading.kernel.calendar import local_day
from trading.kernel.errors import Conflict
from trading.kernel.work import View

CHEATS = {"revoked": {"content_seed": bytes(32)}, "undecided": FORGED["no box is the one committed to"][0]}


def opened(room: MoneyRoom, cheat: str, regime: str = "WORKS") -> str:
    """bidder1 cheats, the others are opened; what could be repaired was not."""
    ref, _ = room.paid_lot(regime, bid=("bidder2", "bidder3"))
    assert sealing.hand_in(room.world, ref, "bidder1", *forged(room.world, ref, "bidder1", **CHEATS[cheat])).accepted
    room.list_set(ref)
    room.open(ref)
    if cheat == "undecided":
        opening_steps.turn(room.world)
        verdict_steps.pause_over(room.world, ref)
        verdict_steps.decrypt(room.world, ref)
    return ref


def demand_of(room: MoneyRoom, view: View, ref: str, username: str) -> DepositDemand:
    return next(
        one
        for one in demands.of_lot(view.session, room.world.lot_in(view, ref))
        if one.participant.party_id == room.world.party_ids[username]
    )


def event(room: MoneyRoom, ref: str, username: str) -> tuple[str, object] | None:
    with room.world.view("clock") as view:
        known = triggers.facts(view.session, room.world.lot_in(view, ref))
        return triggers.event_of(known, demand_of(room, view, ref, username))


def draft(room: MoneyRoom, ref: str, username: str, ground: str) -> None:
    with room.world.work("cashier") as work:
        forfeits.draft(
            work,
            demand_of(room, work, ref, username),
            ground=ground,
            evidence="开标记录第 1 行",
            hold_until=local_day(room.world.now) + timedelta(days=30),
        )


@pytest.mark.rule("D-44")
def test_a_bid_lost_by_its_own_bidder_is_a_ground_to_keep_the_deposit(room: MoneyRoom) -> None:
    ref = opened(room, "revoked")
    assert event(room, ref, "bidder1") is None
    with unchanged(room.world), pytest.raises(Conflict) as refusal:
        draft(room, ref, "bidder2", "D-44")
    assert refusal.value.code == "forfeit.not_revoked"
    draft(room, ref, "bidder1", "D-44")
    with room.world.view("clock") as view:
        assert demands.holds(view.session, demand_of(room, view, ref, "bidder1").id, view.now)


@pytest.mark.rule("D-26", "D-44", "X-09")
@pytest.mark.parametrize("cause", ["platform", "tenderee", "bidder"])
def test_while_the_cause_is_unknown_nothing_follows_and_the_ruling_decides(room: MoneyRoom, cause: str) -> None:
    ref = opened(room, "undecided")
    assert event(room, ref, "bidder1") is None
    for ground in ("D-44", "D-40"):
        with unchanged(room.world), pytest.raises(Conflict) as refusal:
            draft(room, ref, "bidder1", ground)
        assert refusal.value.code == "forfeit.undecided"
    with room.world.view("clock") as view:
        name = next(one.header_hash for one in verdict_steps.failures_of(room.world, view, ref))
    verdict_steps.rule(room.world, ref, name, cause)
    today = local_day(room.world.now)
    if cause == "bidder":
        assert event(room, ref, "bidder1") is None
        draft(room, ref, "bidder1", "D-44")
        return
    assert event(room, ref, "bidder1") == ("deemed_withdrawn", today)
    with unchanged(room.world), pytest.raises(Conflict):
        draft(room, ref, "bidder1", "D-44")
    assert room.refund_all(), "and the money goes back at once"


def test_an_undecided_deposit_waits_for_the_ruling_even_when_the_award_is_announced(room: MoneyRoom) -> None:
    ref = opened(room, "undecided", "GP")
    with room.world.view("clock") as view:
        today = local_day(view.now)
        known = replace(triggers.facts(view.session, room.world.lot_in(view, ref)), announced=today, winner=0)
        mine, other = demand_of(room, view, ref, "bidder1"), demand_of(room, view, ref, "bidder2")
        assert triggers.event_of(known, mine) is None
        assert triggers.event_of(known, other) == ("award_notice_sent_losers", today)
        assert triggers.event_of(replace(known, ended=("tender_failed", today)), mine) == ("tender_failed", today)

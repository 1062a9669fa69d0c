"""A wall clock that jumps round a deadline, on a world with bids: nothing is closed by it, nothing sent in time is lost, every answer is
signed (promise R7)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crypto.receipts import IN_LOG, verify_receipt
from tests.kit import sealing, stages
from tests.kit.machine import SetMachine
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from tests.trading.bidding.test_bids import upload
from trading import timeline
from trading.bidding import bids, closing
from trading.kernel import audit, log
from trading.kernel.access import CLOCK, LATCHING, ROLES, Actor
from trading.kernel.clock import Span, floor_second, parse_moment
from trading.kernel.errors import NotReady, TooLate
from trading.kernel.system_clock import Kept, SystemClock
from trading.opening import opening_set

JUMPS = [-86_400, -3600, -720, -1, 1, 720, 3600, 86_400]
QUICK = (-720, 1, 720, 86_400)
"""Which of them are tried with every run of the tests."""


def ready(world: World) -> tuple[str, dict[str, tuple[str, Any]]]:
    """A lot that takes bids; each bidder's file is here, and nothing handed in."""
    ref = stages.bidding(world)
    made = {}
    for name in world.bidders:
        sealed, submission = sealing.seal(world, ref, name)
        made[name] = (upload(world, ref, name, sealed), submission)
    return ref, made


class Scene:
    """A world that goes by a machine's two clocks, some seconds before its deadline."""

    def __init__(self, world: World, ref: str, made: dict[str, tuple[str, Any]], before: float) -> None:
        self.world, self.ref, self.made = world, ref, made
        with world.view("clock") as view:
            deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
        self.deadline = deadline
        world.clock.set(deadline - timedelta(seconds=before))
        timeline.turn(world.office)
        self.machine = SetMachine(world.now)
        self.clock = SystemClock(Kept(), self.machine)
        world.office = replace(world.office, clock=self.clock)
        self.receipts: list[bids.Outcome] = []

    def turns(self, seconds: int = 0) -> list[str]:
        """The clock turns now, and once a second from now on."""
        taken = timeline.turn(self.world.office)
        for _ in range(seconds):
            self.machine.passes(1)
            taken += timeline.turn(self.world.office)
        return taken

    def goes_on(self, until: float) -> None:
        """To so many seconds after the deadline, turning every ten seconds."""
        end = self.deadline + timedelta(seconds=until)
        while self.machine.truth < end:
            self.machine.passes(min(10, (end - self.machine.truth).total_seconds()))
            timeline.turn(self.world.office)

    def hands_in(self, name: str, came: Span | None = None) -> bids.Outcome:
        """As the page does: what our clocks cannot judge is answered by a signed proof."""
        token, submission = self.made[name]
        came = came or self.clock.span()
        try:
            with self.world.office.work(self.world.actor(name, SIGNER), arrived_at=came) as work:
                outcome = bids.submit(work, self.world.lot_in(work, self.ref), token=token, submission=submission)
        except NotReady as refusal:
            assert refusal.code in (
                "clock.apart",
                "clock.outside",
                "clock.before_log",
                "clock.was_apart",
                "log.too_slow",
            )
            with self.world.work(name, SIGNER) as work:
                outcome = bids.not_settled(work, self.world.lot_in(work, self.ref), token=token, arrived_at=came)
        self.receipts.append(outcome)
        return outcome

    @property
    def closed(self) -> bool:
        with self.world.view("clock") as view:
            return closing.is_closed(view.session, self.world.lot_in(view, self.ref))

    @property
    def standing(self) -> int:
        with self.world.view("clock") as view:
            return len(bids.standing_bids(view.session, self.world.lot_in(view, self.ref)))

    def newest(self) -> datetime:
        with self.world.view("clock") as view:
            found = log.newest(view.session)
        assert found is not None
        return found

    def ends_well(self) -> None:
        """A minute after the deadline, and not before, it is closed; every answer is a signed entry, proved in the log."""
        self.machine.is_set_right()
        if self.machine.truth < self.deadline + timedelta(seconds=50):
            self.goes_on(50)
            assert not self.closed
        self.goes_on(max(190, (self.machine.truth - self.deadline).total_seconds() + 130))
        assert self.closed
        with self.world.view("clock") as view:
            row = closing.find(view.session, self.world.lot_in(view, self.ref))
            assert row is not None and row.tick_at >= self.deadline + closing.CLOSING_DELAY
            keys = self.world.office.keys
            for outcome in self.receipts:
                document = bids.receipt_document(view.session, outcome.receipt)
                found = verify_receipt(document, [keys.public], log.log_key(self.world.office.platform, keys), ())
                assert found.state == IN_LOG


@pytest.fixture
def scene(world: World) -> Callable[..., Scene]:
    def make(before: float = 300) -> Scene:
        ref, made = stages.reach(world, "three files are here", ready)
        return Scene(world, ref, made, before)

    return make


@contextmanager
def jumped(machine: SetMachine, seconds: float) -> Iterator[None]:
    machine.jumps(seconds)
    yield
    machine.jumps(-seconds)


@pytest.mark.promise("R7")
@pytest.mark.parametrize("jump", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in JUMPS])
def test_a_jump_of_four_seconds_closes_nothing_and_loses_nothing(scene: Callable[..., Scene], jump: int) -> None:
    one = scene()
    before = one.newest()
    with jumped(one.machine, jump):
        taken = one.turns(2)
        during = one.hands_in("bidder1")
        one.turns(2)
    if abs(jump) > 1:
        assert taken == [] and one.newest() == before
    assert not one.closed
    if jump <= 1:  # in time by both
        assert during.accepted
    else:
        assert during.reason == "UNAVAILABLE"
        with one.world.view("clock") as view:
            attempt = audit.document(view.session, during.receipt.statement)
        assert parse_moment(attempt["last_at"]) >= one.deadline > parse_moment(attempt["first_at"])
        assert one.hands_in("bidder1").accepted
    one.turns(2)
    one.goes_on(-5)
    assert one.hands_in("bidder2").accepted
    one.goes_on(5)
    assert one.hands_in("bidder3").reason == "LATE"
    one.ends_well()
    assert one.standing == 2


@pytest.mark.promise("R7")
def test_a_jump_over_the_deadline_and_the_tick_is_told_between_which_moments_it_came(
    scene: Callable[..., Scene],
) -> None:
    """Two minutes to go, and the wall clock is an hour behind from there until after the deadline: nobody is judged by one clock alone."""
    one = scene(before=120)
    one.machine.jumps(-3600)
    one.goes_on(-30)
    assert one.hands_in("bidder1").accepted
    one.goes_on(100)
    assert not one.closed
    assert one.hands_in("bidder2").reason == "UNAVAILABLE"
    one.machine.is_set_right()
    assert one.hands_in("bidder3").reason == "LATE"
    one.ends_well()
    assert one.standing == 1


@pytest.mark.promise("R7")
def test_a_frozen_clock_closes_nothing_until_it_goes_again(scene: Callable[..., Scene]) -> None:
    one = scene(before=30)
    one.machine.frozen = True
    one.goes_on(-20)
    assert one.hands_in("bidder1").accepted
    one.goes_on(200)
    assert not one.closed and one.hands_in("bidder2").reason == "UNAVAILABLE"
    one.ends_well()
    assert one.standing == 1


@pytest.mark.promise("R7")
def test_a_machine_that_was_held_over_the_deadline_waits_for_two_peoples_word(scene: Callable[..., Scene]) -> None:
    """The one case in which the wall clock, once NTP has mended it, is right and the clock since boot is not."""
    one = scene(before=60)
    one.machine.is_paused(180)
    one.machine.is_set_right()
    assert one.turns(1) == [] and not one.closed
    assert one.hands_in("bidder1").reason == "UNAVAILABLE"
    one.clock.accept()
    assert one.hands_in("bidder2").reason == "LATE"
    one.ends_well()
    assert one.standing == 0


@pytest.mark.promise("R7")
def test_a_log_that_was_sealed_ahead_gives_receipts_and_no_errors(scene: Callable[..., Scene]) -> None:
    """A tick of twelve minutes ahead, as an earlier version sealed one: before the deadline bids are taken, at the log's own end."""
    one = scene(before=1800)
    ahead = floor_second(one.machine.truth + timedelta(minutes=12)).replace(second=0)
    with one.world.office.work(CLOCK) as work:
        log.seal(work, ahead)
    assert one.turns(3) == [] and one.clock.doubt() is not None
    outcome = one.hands_in("bidder1")
    assert outcome.accepted and outcome.receipt.at == ahead
    one.goes_on(-5)
    assert one.hands_in("bidder2").accepted and one.newest() > ahead
    one.ends_well()
    assert one.standing == 2


@pytest.mark.promise("R7")
def test_the_end_of_a_log_beyond_the_deadline_is_the_platforms_fault_and_signed(scene: Callable[..., Scene]) -> None:
    one = scene(before=90)
    ahead = one.deadline + timedelta(seconds=20)
    with one.world.office.work(CLOCK) as work:
        log.seal(work, ahead)
    one.turns(1)
    outcome = one.hands_in("bidder1")
    assert (outcome.reason, outcome.receipt.at) == ("UNAVAILABLE", ahead)
    one.ends_well()


@pytest.mark.promise("R7")
def test_what_cannot_be_undone_is_refused_in_doubt(scene: Callable[..., Scene]) -> None:
    """Opening the hall waits until the clocks agree; every act of the list meets the same door."""
    one = scene(before=60)
    for name in one.made:
        assert one.hands_in(name).accepted
    one.goes_on(200)
    one.machine.jumps(3600)
    with pytest.raises(NotReady, match="clock.apart"), one.world.work("host") as work:
        opening_set.list_bids(work, one.world.lot_in(work, one.ref))
    for act in LATCHING:
        holder = next(role for role, acts in ROLES.items() if act in acts)
        with one.world.office.work(Actor(holder, roles=frozenset({holder}), fresh_until=one.clock.now())) as work:
            with pytest.raises(NotReady, match="clock.apart"):
                work.require(act)
    one.machine.is_set_right()
    with one.world.work("host") as work:
        opening_set.list_bids(work, one.world.lot_in(work, one.ref))


@pytest.mark.promise("R7")
def test_bytes_are_taken_that_are_in_time_by_one_clock(scene: Callable[..., Scene]) -> None:
    one = scene(before=60)
    sealed, _submission = sealing.seal(one.world, one.ref, "bidder1")
    one.machine.jumps(3600)
    assert upload(one.world, one.ref, "bidder1", sealed)
    one.machine.is_set_right()
    one.goes_on(1)
    one.machine.jumps(3600)
    with pytest.raises(TooLate):
        upload(one.world, one.ref, "bidder1", sealed)


@pytest.mark.long
@pytest.mark.promise("R7")
@pytest.mark.parametrize("seed", range(60))
def test_random_jumps_round_a_deadline(scene: Callable[..., Scene], seed: int) -> None:
    """Whoever is answered yes came before the deadline, who is answered LATE did not, and it is closed once, a minute after it."""
    chance = random.Random(seed)
    one = scene(before=240)
    while one.machine.truth < one.deadline + timedelta(seconds=90):
        what = chance.choice(["jump", "right", "right", "bid", "bid", "turn", "turn", "sleep", "freeze"])
        if what == "jump":
            one.machine.jumps(chance.choice(JUMPS))
        elif what == "right":
            one.machine.is_set_right(chance.choice([-0.4, 0, 0.4]))
        elif what == "sleep":
            one.machine.sleeps(chance.choice([1, 20]))
        elif what == "freeze":
            one.machine.frozen = True
        elif what == "bid":
            outcome = one.hands_in(chance.choice(list(one.made)))
            if not outcome.again and outcome.accepted:
                assert one.machine.truth < one.deadline + timedelta(seconds=1.5)
            if not outcome.again and outcome.reason == "LATE":
                assert one.machine.truth >= one.deadline - timedelta(seconds=1.5)
        one.turns(chance.choice([0, 1, 3]))
        one.machine.passes(chance.choice([0.2, 1, 5]))
        if one.closed:
            assert one.machine.truth >= one.deadline + timedelta(seconds=58)
    one.ends_well()

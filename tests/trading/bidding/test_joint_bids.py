"""Consortia: named with their work, signed by all, bound to one bid a lot; secret to everybody else (TReg art. 37, GPReg art. 22)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import signatures
from crypto.canonical import format_time, loads
from crypto.submissions import make_withdrawal
from tests.kit import sealing
from tests.kit.world import DEADLINE, World
from trading.bidding import bids, consortia, joint_bids, participants
from trading.bidding.consortia import KIND
from trading.bidding.joint_bids import Named
from trading.kernel import audit
from trading.kernel.errors import Invalid, NotAllowed, NotFound, Refusal, TooLate
from trading.parties import enrolments, parties


def code(world: World, name: str) -> str:
    with world.view("clock") as view:
        return parties.party(view.session, world.party_ids[name]).code


def lot_with(world: World, most: int = 3, regime: str = "GP") -> str:
    ref = world.lot("BIDDING", regime=regime, consortium_most=most)
    for name in world.bidders:
        with world.work(name) as work:
            participants.take_part(work, world.lot_in(work, ref))
    return ref


def submit(world: World, ref: str, name: str) -> None:
    sealed, submission = sealing.seal(world, ref, name)
    assert sealing.hand_in(world, ref, name, sealed, submission).accepted


def withdraw(world: World, ref: str, name: str) -> None:
    with world.work(name) as work:
        lot = world.lot_in(work, ref)
        current = bids.standing(work.session, participants.own(work, lot).id)
        assert current is not None
        submission = audit.document(work.session, current.bid.statement)
        statement = make_withdrawal(loads(signatures.payload_of(submission)), at=format_time(world.now))
        assert bids.withdraw(
            work, lot, withdrawal=signatures.sign("withdrawal", statement, world.keys[name].sign)
        ).accepted


def propose(world: World, ref: str, *shares: tuple[str, int], lead: str = "bidder1") -> str:
    named = [Named(code(world, name), f"{name} 承担的工作", share) for name, share in shares]
    with world.work(lead) as work:
        return joint_bids.propose(work, world.lot_in(work, ref), named).ref


def sign(world: World, ref: str, name: str, *, key: bytes | None = None, **changes: Any) -> str:
    with world.work(name) as work:
        row, _ = consortia.of_ref(work, ref)
        envelope = signatures.sign(KIND, consortia.agreement(row) | changes, key or world.keys[name].sign)
        return joint_bids.sign(work, row, envelope).state


def refused(act: Any, *arguments: Any, **more: Any) -> tuple[str, set[str]]:
    with pytest.raises(Refusal) as refusal:
        act(*arguments, **more)
    faults = refusal.value.faults if isinstance(refusal.value, Invalid) else ()
    return refusal.value.code, {fault.code for fault in faults}


def test_all_sign_then_the_lead_bids_for_all_and_no_member_alone(world: World) -> None:
    ref = lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    assert sign(world, joint, "bidder1") == "DRAFT"
    assert refused(submit, world, ref, "bidder1")[0] == "consortium.not_signed"
    assert refused(sign, world, joint, "bidder1")[0] == "consortium.signed_already"
    assert sign(world, joint, "bidder2") == "SIGNED"
    assert refused(submit, world, ref, "bidder2")[0] == "consortium.bids_alone"
    submit(world, ref, "bidder1")
    submit(world, ref, "bidder3")
    with world.view("clock") as view:
        row = world.lot_in(view, ref)
        held = consortia.opened(view.session, row)
        assert {lead: [one.party.code for one in members] for lead, members in held.items()} == {
            code(world, "bidder1"): [code(world, "bidder1"), code(world, "bidder2")]
        }
        led = consortia.led_by(view.session, row, world.party_ids["bidder1"])
        assert led is not None
        whole = signatures.from_text(led.signed)
        keys = [
            enrolments.sign_bytes(enrolments.standing_key(view.session, code(world, name), "bidder"))
            for name in ("bidder1", "bidder2")
        ]
        assert signatures.verify_all(whole, KIND, keys)["lead"] == code(world, "bidder1")


def test_nobody_but_a_member_finds_it(world: World) -> None:
    ref = lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    for name in ("bidder3", "agent", "host", "clerk", "watch"):
        with pytest.raises(NotFound, match="consortium.unknown"), world.view(name) as view:
            consortia.of_ref(view, joint)
    with world.view("bidder3") as view:
        assert consortia.own(view) == []
    with world.view("bidder2") as view:
        assert [row.ref for row in consortia.own(view)] == [joint]


def test_a_party_is_bound_once_a_lot_by_its_signature_not_by_being_named(world: World) -> None:
    ref = lot_with(world)
    one = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    other = propose(world, ref, ("bidder3", 50), ("bidder2", 50), lead="bidder3")
    assert sign(world, one, "bidder2") == "DRAFT"
    assert refused(sign, world, other, "bidder2")[0] == "consortium.elsewhere"
    with world.work("bidder2") as work:
        joint_bids.leave(work, consortia.of_ref(work, one)[0])
    assert sign(world, other, "bidder2") == "DRAFT" and sign(world, other, "bidder3") == "SIGNED"


def test_who_has_bid_alone_withdraws_first_and_only_that_party_is_told(world: World) -> None:
    ref = lot_with(world)
    submit(world, ref, "bidder2")
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))  # the lead learns nothing
    assert refused(sign, world, joint, "bidder2")[0] == "consortium.own_bid"
    withdraw(world, ref, "bidder2")
    assert sign(world, joint, "bidder2") == "DRAFT"
    submit(world, ref, "bidder3")
    assert refused(propose, world, ref, ("bidder3", 50), ("bidder1", 50), lead="bidder3")[0] == "consortium.own_bid"


def test_it_stands_while_its_bid_stands_and_ends_for_all(world: World) -> None:
    ref = lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    for name in ("bidder1", "bidder2"):
        sign(world, joint, name)
    submit(world, ref, "bidder1")

    def leave(name: str) -> None:
        with world.work(name) as work:
            joint_bids.leave(work, consortia.of_ref(work, joint)[0])

    assert refused(leave, "bidder2")[0] == "consortium.bid_stands"
    withdraw(world, ref, "bidder1")
    leave("bidder2")
    submit(world, ref, "bidder2")
    assert refused(leave, "bidder1")[0] == "consortium.ended"


@pytest.mark.parametrize("change", [{"lead": "91130205MA0000011X"}, {"lot": "9"}, {"members": []}])
def test_only_the_agreement_itself_is_signed_and_only_with_the_firms_key(world: World, change: dict[str, Any]) -> None:
    ref = lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    assert refused(sign, world, joint, "bidder2", **change)[0] == "consortium.signature"
    assert refused(sign, world, joint, "bidder2", key=world.keys["bidder1"].sign)[0] == "consortium.signature"


def test_what_is_named_wrongly_is_told_all_at_once(world: World) -> None:
    ref = lot_with(world, most=2)
    assert refused(propose, world, ref, ("bidder2", 60), ("bidder3", 30), ("bidder2", 5))[1] == {
        "consortium.count",
        "consortium.lead_first",
        "consortium.twice",
        "consortium.shares",
    }
    assert refused(propose, world, ref, ("bidder1", 60), ("agency", 40))[1] == {"consortium.no_bidder"}
    closed = lot_with(world, most=0)
    assert refused(propose, world, closed, ("bidder1", 60), ("bidder2", 40))[0] == "consortium.not_accepted"
    assert refused(world.lot, "DRAFTED", consortium_most=1)[1] == {"lot.consortium_most"}
    with pytest.raises(NotAllowed), world.work("agent") as work:
        joint_bids.propose(work, world.lot_in(work, ref), [])


def test_after_the_deadline_nothing_is_signed_or_left(world: World) -> None:
    ref = lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    world.clock.set(DEADLINE)
    with pytest.raises(TooLate):
        sign(world, joint, "bidder2")


@given(st.lists(st.integers(-5, 120), min_size=2, max_size=3))
def test_shares_are_taken_iff_they_are_positive_and_whole(shares: list[int]) -> None:
    """The law of shares, without a database: the same expression the act uses."""
    assert joint_bids.shares_hold(shares) is (all(one >= 1 for one in shares) and sum(shares) == 100)

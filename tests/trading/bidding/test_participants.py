"""Participants: taking part asks for nothing, counts nothing, and is secret (rules A-03, D-12, D-13; rulebook §9.1)."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.kit.world import DEADLINE, World, credit_code
from trading.bidding import bids, participants
from trading.bidding.participants import Participant
from trading.kernel.access import Role
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Conflict, NotAllowed, NotFound, TooLate, WrongStep
from trading.views import lot_cards


def secure(world: World, participant_id: int, amount: int, *, at: timedelta = timedelta()) -> bool:
    with world.work("clerk") as work:
        row = work.session.get(Participant, participant_id)
        assert row is not None
        participants.mark_secured(work, row, amount_minor=amount, at=work.now + at)
        return participants.is_secured(row)


def test_taking_part_twice_is_once(world: World) -> None:
    ref = world.lot("BIDDING")
    assert world.take_part(ref, "bidder1", "bidder1", "bidder2") == [1, 1, 2]
    with world.view("bidder1") as view:
        assert participants.own(view, world.lot_in(view, ref)).id == 1
    with world.view("bidder3") as view, pytest.raises(NotFound, match="participant.none"):
        participants.own(view, world.lot_in(view, ref))


def test_references_tell_no_number(world: World) -> None:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    with world.view("clerk") as view:
        refs = list(view.session.scalars(select(Participant.ref)))
    assert len(set(refs)) == 3 and all(len(one) == 26 for one in refs)


def test_no_card_or_record_names_or_counts_them(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.view("agent") as view:
        before = lot_cards.lot_card(view, ref)
    world.take_part(ref)
    with world.view("agent") as view:
        assert lot_cards.lot_card(view, ref) == before
        for payload in view.session.scalars(select(ActRecord.payload).where(ActRecord.act == "lot.take_part")):
            assert credit_code(101) not in payload and "bidder" not in payload.replace("bidder-signer", "").replace(
                "bidder-operator", ""
            )
    for card in (lot_cards.LotCard, lot_cards.ProjectCard, lot_cards.DocumentCard, lot_cards.PolicyCard):
        assert not {"participants", "bidders", "bids", "count", "takers", "downloads"} & {
            field.name for field in dataclasses.fields(card)
        }


def test_who_may_take_part_and_when(world: World) -> None:
    draft = world.lot("READY")
    with pytest.raises(WrongStep, match="lot.not_open"):
        world.take_part(draft, "bidder1")
    ref = world.lot("NOTICE")
    for username in ("agent", "clerk", "officer1", "watch"):
        with pytest.raises(NotAllowed):
            world.take_part(ref, username)
    with world.work("bidder1", Role.BIDDER_OPERATOR) as work:
        participants.take_part(work, world.lot_in(work, ref))
    world.issue(ref)
    world.clock.set(DEADLINE)
    with pytest.raises(TooLate, match="lot.deadline_past"):
        world.take_part(ref, "bidder2")


def test_the_whole_deposit_before_the_deadline_secures(world: World) -> None:
    ref = world.lot("BIDDING")
    one, two, three = world.take_part(ref)
    assert not secure(world, one, 4_999_999)
    assert secure(world, one, 5_000_000)
    assert not secure(world, one, 0)  # the bank took it back
    world.clock.set(DEADLINE - timedelta(seconds=1))
    assert secure(world, two, 5_000_000)
    assert not secure(world, three, 5_000_000, at=timedelta(seconds=1))


def test_the_first_full_moment_counts(world: World) -> None:
    ref = world.lot("BIDDING")
    one, *_ = world.take_part(ref)
    secure(world, one, 5_000_000)
    first = world.now
    world.clock.set(DEADLINE + timedelta(hours=1))
    assert secure(world, one, 6_000_000)
    with world.view("clerk") as view:
        assert view.session.get_one(Participant, one).secured_at == first


def test_without_a_deposit_everybody_is_secured(world: World) -> None:
    from trading.kernel.money import Money

    ref = world.lot("BIDDING", deposit=Money.zero())
    one, *_ = world.take_part(ref)
    with world.view("clerk") as view:
        assert participants.is_secured(view.session.get_one(Participant, one))


def test_leaving_is_final_and_ones_own(world: World) -> None:
    ref = world.lot("BIDDING")
    one, *_ = world.take_part(ref)
    with pytest.raises(NotAllowed, match="participant.not_yours"), world.work("bidder2", Role.BIDDER_SIGNER) as work:
        bids.leave(work, work.session.get_one(Participant, one))
    with world.work("bidder1", Role.BIDDER_SIGNER) as work:
        bids.leave(work, participants.own(work, world.lot_in(work, ref)))
    with pytest.raises(Conflict, match="participant.left"):
        world.take_part(ref, "bidder1")
    with world.view("bidder1") as view, pytest.raises(NotFound):
        participants.own(view, world.lot_in(view, ref))
    world.clock.set(DEADLINE)
    with pytest.raises(TooLate), world.work("bidder2", Role.BIDDER_SIGNER) as work:
        bids.leave(work, participants.own(work, world.lot_in(work, ref)))

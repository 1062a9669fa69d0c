"""The closing tick: which it is, what its list holds, and that a late one opens nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from crypto.canonical import unb64u
from crypto.opening import hash_of_list, replay
from crypto.signatures import payload_of
from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from tests.trading.bidding.test_bids import withdraw
from trading import timeline
from trading.bidding import bids, closing
from trading.kernel import audit, log
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, NotAllowed, NotFound, TooEarly, WrongStep
from trading.opening import ceremony, opening_set
from trading.tendering.notices import Notice
from trading.tendering.tenders import Lot


def lot_of(world: World, ref: str) -> Lot:
    with world.view("clock") as view:
        return world.lot_in(view, ref)


def closing_of(world: World, ref: str) -> closing.Closing | None:
    with world.view("clock") as view:
        return closing.find(view.session, world.lot_in(view, ref))


def turn_at(world: World, ref: str, **after: int) -> None:
    deadline = lot_of(world, ref).deadline
    assert deadline is not None
    world.clock.set(deadline + timedelta(**after))
    timeline.turn(world.office)


def test_the_closing_tick_is_the_first_a_minute_after_the_deadline(world: World) -> None:
    ref = stages.bid(world)
    for seconds in (-10, 0, 10, 50, 59):
        turn_at(world, ref, seconds=seconds)
        assert closing_of(world, ref) is None, seconds
    turn_at(world, ref, seconds=60)
    row = closing_of(world, ref)
    deadline = lot_of(world, ref).deadline
    assert row is not None and deadline is not None and row.tick_at == deadline + timedelta(seconds=60)
    with world.view("clock") as view:
        tick = log.tick_of(view.session, row.deadline_c)
        assert tick is not None and (tick.tick, tick.at) == (row.tick, row.tick_at)
    turn_at(world, ref, seconds=70)
    assert closing_of(world, ref) is not None


def test_its_list_holds_all_that_came_up_to_it_and_nothing_later(world: World) -> None:
    ref = stages.bid(world)
    refused = sealing.seal(world, ref, "bidder1")
    sealing.hand_in(world, ref, "bidder1", *refused)  # refused: it replaces nothing
    deadline = lot_of(world, ref).deadline
    assert deadline is not None
    world.clock.set(deadline + timedelta(seconds=20))
    with world.work("bidder1", SIGNER) as work:
        with pytest.raises(NotFound):
            bids.prove_attempt(work, world.lot_in(work, ref), token="0" * 48)
    sealing.close(world, ref)
    row = closing_of(world, ref)
    assert row is not None
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        entries = [audit.entry(view.session, c) for c in row.entries["entries"]]
        assert sorted(e.event for e in entries) == ["bid-received"] * 3 + ["bid-refused"]
        assert all(e.tender == lot.tender.ref and e.lot == lot.no_text for e in entries)
        document = audit.document(view.session, row.document)
        assert document["entries"] == hash_of_list(row.entries) and document["at"] > document["deadline"]
        assert all((tick := log.tick_of(view.session, e.c)) is not None and tick.tick <= row.tick for e in entries)
        payloads = [json.loads(payload_of(json.loads(e.envelope))) for e in entries]
        statements = {
            e.statement: json.loads(payload_of(audit.document(view.session, e.statement)))
            for e in entries
            if e.event == "bid-received"
        }
        assert [
            b["header_hash"]
            for b in replay(payloads, statements, tender=lot.tender.ref, lot=lot.no_text, envelope="bid")
        ] == [b.header_hash for b in sorted(bids.standing_bids(view.session, lot), key=lambda b: unb64u(b.header_hash))]
        mine = next(
            b.statement for b in bids.standing_bids(view.session, lot) if b.party_id == world.party_ids["bidder1"]
        )
        submission = audit.document(view.session, mine)
    assert withdraw(world, ref, "bidder1", submission).reason == "LATE"
    again = closing_of(world, ref)
    assert again is not None and again.entries == row.entries  # what comes later is in no list


def test_bids_of_another_lot_are_not_in_the_list(world: World) -> None:
    ref = stages.bid(world)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        foreign = view.session.query(LogEntry).where(LogEntry.tender != lot.tender.ref).count()
    sealing.close(world, ref)
    row = closing_of(world, ref)
    assert row is not None and len(row.entries["entries"]) == 3 and foreign > 0


def test_the_salt_hides_how_many_came(world: World) -> None:
    ref = stages.closed(world)
    row = closing_of(world, ref)
    assert row is not None and len(unb64u(row.entries["salt"])) == 32
    with world.view("clock") as view:
        document = audit.document(view.session, row.document)
    assert set(document) == {"v", "platform", "tender", "lot", "envelope", "policy", "at", "deadline", "entries"}


def test_only_the_clock_closes(world: World) -> None:
    ref = stages.bid(world)
    for username in ("host", "agent", "buyer", "clerk", "officer1", "watch"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            closing.close_intake(work, world.lot_in(work, ref), world.now)


@pytest.mark.parametrize(("minutes", "late"), [(10, False), (11, True), (600, True)])
def test_a_closing_after_an_outage_waits_for_the_supervisor(world: World, minutes: int, late: bool) -> None:
    ref = stages.bid(world)
    turn_at(world, ref, minutes=minutes)  # nothing ran in between
    row, deadline = closing_of(world, ref), lot_of(world, ref).deadline
    assert row is not None and deadline is not None and closing.is_late(row, deadline) is late
    turn_at(world, ref, minutes=minutes + 300)
    if late:
        with unchanged(world), pytest.raises(TooEarly) as refusal, world.work("host") as work:
            opening_set.list_bids(work, world.lot_in(work, ref))
        assert refusal.value.code == "closing.late_needs_supervisor"
    else:
        with world.work("host") as work:
            assert len(opening_set.list_bids(work, world.lot_in(work, ref)).bids) == 3


@pytest.mark.rule("B-01", "9.2.failure")
def test_fewer_than_three_fail_and_their_envelopes_stay_sealed(world: World) -> None:
    ref = stages.bidding(world)
    for username in ("bidder1", "bidder2"):
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    sealing.close(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (lot.state, lot.failure, lot.failure_reason) == ("FAILED", "few_bidders", "B-01")
        notice = view.session.query(Notice).where(Notice.lot_id == lot.id, Notice.kind == "failure").one()
        row = closing.closing(view.session, lot)
        assert notice.body["entries"] == row.entries and notice.body["deadline"] == row.deadline_c
    with unchanged(world), pytest.raises(WrongStep), world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    for username in ("officer1", "host"):
        with pytest.raises(NotFound), world.view(username) as view:
            ceremony.opening(view.session, world.lot_in(view, ref))
    turn_at(world, ref, days=1)
    assert lot_of(world, ref).state == "FAILED"


@pytest.mark.rule("B-07")
def test_a_withdrawn_third_bid_counts_as_none_and_works_fail_by_their_own_rule(world: World) -> None:
    ref = stages.bid(world, "WORKS")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        one = next(b for b in bids.standing_bids(view.session, lot) if b.party_id == world.party_ids["bidder1"])
        submission = audit.document(view.session, one.statement)
    assert withdraw(world, ref, "bidder1", submission).accepted
    sealing.close(world, ref)
    lot = lot_of(world, ref)
    assert (lot.state, lot.failure, lot.failure_reason) == ("FAILED", "few_bidders", "B-07")


@pytest.mark.rule("B-04")
def test_an_inquiry_that_two_answered_has_failed(world: World) -> None:
    ref = stages.bidding(world, "M5")
    for username in ("bidder1", "bidder2"):
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    sealing.close(world, ref)
    lot = lot_of(world, ref)
    assert (lot.state, lot.failure, lot.failure_reason) == ("FAILED", "few_bidders", "B-04")


def test_nothing_is_listed_before_the_closing_tick_or_opens_at_or_twice(world: World) -> None:
    ref = stages.bid(world)
    with unchanged(world), pytest.raises(WrongStep), world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    turn_at(world, ref, seconds=0)
    with unchanged(world), pytest.raises(NotFound) as refusal, world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    assert refusal.value.code == "closing.not_yet"
    sealing.close(world, ref)
    with world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    with unchanged(world), pytest.raises(Conflict), world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    for username in ("agent", "buyer", "clerk", "officer1", "watch"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            opening_set.list_bids(work, world.lot_in(work, ref))

"""Faults before a deadline on real lots: what the probes found, who confirms it, what everybody is told, and that nothing tells of bids."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from crypto.canonical import b64u
from crypto.keys import ed25519_public, new_secret
from tests.kit import opening_steps, sealing, stages
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading import timeline
from trading.availability import deadline_faults, probes
from trading.availability.deadline_faults import DeadlineFault
from trading.availability.probes import ReportedSample
from trading.kernel import audit
from trading.kernel.access import Role
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, WrongStep
from trading.kernel.outbox import Message
from trading.opening import opening_set
from trading.tendering import notices

MINUTE = timedelta(minutes=1)
KEYS = {name: b64u(ed25519_public(new_secret())) for name in ("inside", "north", "south")}


def on_duty(world: World) -> None:
    with world.work("clock") as work:
        probes.keep_duties(work, KEYS)


def probed(
    world: World, since: datetime, until: datetime, is_bad: Callable[[datetime], bool] = lambda minute: False
) -> None:
    """What the three points sent for every slot of [since, until): failures in bad minutes."""
    for name in KEYS:
        slots = []
        at = since
        while at < until:
            bad = is_bad(at.replace(second=0))
            slots.append(ReportedSample(at, 120, not bad, "HTTP 503" if bad else "", 3))
            at += timedelta(seconds=10)
        for first in range(0, len(slots), 900):
            with world.work("clock") as work:
                probes.take(work, name, slots[first : first + 900])


def deadline(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
        assert found is not None
        return found


def outage(world: World, ref: str, *, first: int, count: int, now: int) -> datetime:
    """Probes from five hours before the deadline until ``now`` (minutes from it), all bad in ``count`` minutes from ``first`` on."""
    at = deadline(world, ref)
    world.clock.set(at - timedelta(hours=5))
    on_duty(world)
    bad = {at + (first + n) * MINUTE for n in range(count)}
    world.clock.set(at + now * MINUTE)
    probed(world, at - timedelta(hours=4, minutes=1), at + (now - 1) * MINUTE, bad.__contains__)
    return at


def kind_of(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return deadline_faults.assess(view.session, world.lot_in(view, ref), view.now).verdict.kind


def confirm(world: World, ref: str, username: str = "clerk") -> None:
    with world.work(username) as work:
        deadline_faults.confirm(work, world.lot_in(work, ref))


def messages(world: World, template: str) -> set[str]:
    with world.view("clock") as view:
        return set(view.session.scalars(select(Message.to).where(Message.template == template)))


def test_without_points_on_duty_nothing_is_found_and_an_opening_goes_on(world: World) -> None:
    ref = stages.closed(world)
    assert kind_of(world, ref) == "none"
    sealing.list_set(world, ref)


def test_a_good_watch_holds_nothing(world: World) -> None:
    ref = stages.bid(world)
    outage(world, ref, first=-10, count=0, now=-1)
    assert kind_of(world, ref) == "none"
    with world.work("clerk") as work, pytest.raises(WrongStep, match=r"fault\.none"):
        deadline_faults.confirm(work, world.lot_in(work, ref))


def test_a_confirmed_fault_suspends_tells_everybody_and_moves_the_deadline_when_all_have_signed(world: World) -> None:
    ref = stages.bid(world)
    at = outage(world, ref, first=-60, count=20, now=-30)
    assert kind_of(world, ref) == "extend"
    confirm(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        fault = deadline_faults.standing(view.session, lot)
        assert fault is not None and fault.drafted and lot.deadline == at, "until the notice is out the deadline stands"
        assert fault.until == at + timedelta(minutes=90), "now + 2 h is 11:00 in Beijing; T + 60 min is 10:30"
        kept = audit.document(view.session, fault.evidence)
        assert len(kept["bad"]) == 20 and kept["windows"] == [
            {"minutes": 10, "bad": 0, "least": 1},
            {"minutes": 60, "bad": 20, "least": 5},
            {"minutes": 240, "bad": 20, "least": 15},
        ]
        notice = notices.of_lot(view.session, lot, "correction")[-1]
        assert (
            fault.evidence in notice.text and "2026-03-24 11:00" in notice.text and "Because of a fault" in notice.text
        )
        record = view.session.scalar(select(ActRecord).where(ActRecord.act == "fault.confirm"))
        assert record is not None and record.actor == "centre"
    concerned = {
        f"party:{world.party_ids[name]}" for name in ("purchaser", "agency", "centre", "supervisor", *world.bidders)
    }
    assert messages(world, "fault.held") == concerned
    world.sign_policies(ref)
    timeline.turn(world.office)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.deadline == at + timedelta(minutes=90) and lot.opens_at == lot.deadline and lot.state == "BIDDING"
        assert [f.state for f in deadline_faults.of_lot(view.session, lot)] == ["EXTENDED"]
    assert messages(world, "fault.extended") == concerned
    assert kind_of(world, ref) == "none", "what has had its consequence counts no more"
    # bids of before stand; one is replaced after the old deadline; the opening goes its way
    world.clock.set(at + 5 * MINUTE)
    sealed, submission = sealing.seal(world, ref, "bidder1", replaces=standing_statement(world, "bidder1"))
    assert sealing.hand_in(world, ref, "bidder1", sealed, submission).accepted
    world.clock.set(at + 91 * MINUTE)
    probed(world, at - 31 * MINUTE, at + 91 * MINUTE)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref)


def standing_statement(world: World, username: str) -> str:
    from trading.bidding import bids

    with world.view(username, Role.BIDDER_SIGNER) as view:
        return bids.own_receipts(view)[0].statement


def test_an_unconfirmed_fault_holds_the_opening_and_the_failure_for_too_few(world: World) -> None:
    ref = stages.bidding(world)  # nobody has bid: without the fault the lot would fail at the closing tick
    at = outage(world, ref, first=-3, count=2, now=-1)
    for seconds in (0, 50, 60, 600):
        world.clock.set(at + timedelta(seconds=seconds))
        probed(world, max(at - MINUTE, at + timedelta(seconds=seconds - 600)), at + timedelta(seconds=seconds - 50))
        timeline.turn(world.office)
    with world.work("host") as work:
        assert world.lot_in(work, ref).state == "OPENING"
        with pytest.raises(WrongStep, match=r"fault\.unconfirmed"):
            opening_set.list_bids(work, world.lot_in(work, ref))


def test_after_the_deadline_no_policy_moves_it_and_the_supervisor_decides(world: World) -> None:
    ref = stages.bid(world)
    at = outage(world, ref, first=-3, count=2, now=2)
    sealing_turns(world, at)
    confirm(world, ref, "host")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        fault = deadline_faults.standing(view.session, lot)
        assert fault is not None and not fault.drafted and lot.deadline == at
    assert messages(world, "fault.stopped") and not messages(world, "fault.held")
    with world.work("host") as work, pytest.raises(WrongStep, match=r"fault\.suspended"):
        opening_set.list_bids(work, world.lot_in(work, ref))
    with world.work("host") as work, pytest.raises(NotAllowed):
        deadline_faults.lift(work, world.lot_in(work, ref), reason="we think so")
    with world.work("watch") as work, pytest.raises(Invalid):
        deadline_faults.lift(work, world.lot_in(work, ref), reason=" ")
    with world.work("watch") as work:
        deadline_faults.lift(work, world.lot_in(work, ref), reason="经核实无人受影响")
    timeline.turn(world.office)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref)


def sealing_turns(world: World, at: datetime) -> None:
    world.clock.set(at + 2 * MINUTE)
    timeline.turn(world.office)


def test_the_supervisor_may_end_it_for_a_cause_of_the_platform_and_the_bids_stay_sealed(world: World) -> None:
    ref = stages.bid(world)
    at = outage(world, ref, first=-3, count=2, now=-1)
    confirm(world, ref)
    with world.work("watch") as work, pytest.raises(TooEarly, match=r"closing\.not_sealed"):
        deadline_faults.end(work, world.lot_in(work, ref), reason="多家投标人受阻")
    sealing_turns(world, at)
    with world.work("watch") as work:
        deadline_faults.end(work, world.lot_in(work, ref), reason="多家投标人受阻")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (lot.state, lot.failure) == ("FAILED", "platform_fault")
        assert notices.latest(view.session, lot, "failure").body["ground"] == "platform_fault"
    with world.work("host") as work, pytest.raises(WrongStep):
        opening_set.list_bids(work, world.lot_in(work, ref))
    timeline.turn(world.office)
    assert messages(world, "fault.ended")


def test_a_fault_that_grows_is_confirmed_anew_and_one_that_does_not_is_not(world: World) -> None:
    ref = stages.bid(world)
    at = outage(world, ref, first=-60, count=20, now=-30)
    confirm(world, ref)
    with unchanged(world), world.work("clerk") as work, pytest.raises(Conflict, match=r"fault\.confirmed"):
        deadline_faults.confirm(work, world.lot_in(work, ref))
    world.clock.set(at - 15 * MINUTE)
    probed(world, at - 31 * MINUTE, at - 16 * MINUTE, lambda minute: at - 30 * MINUTE <= minute < at - 20 * MINUTE)
    confirm(world, ref)
    with world.view("clock") as view:
        rows = deadline_faults.of_lot(view.session, world.lot_in(view, ref))
        assert (
            [row.state for row in rows] == ["REPLACED", "SUSPENDED"]
            and rows[1].until >= rows[0].until
            and rows[1].bad_minutes == 30
        )


@pytest.mark.parametrize("username", ["agent", "buyer", "watch", "officer1", "bidder1"])
def test_only_the_centre_and_the_host_confirm(world: World, username: str) -> None:
    ref = stages.bid(world)
    outage(world, ref, first=-60, count=20, now=-30)
    with unchanged(world), world.work(username) as work, pytest.raises(NotAllowed):
        deadline_faults.confirm(work, world.lot_in(work, ref))
    with unchanged(world), world.work("watch") as work, pytest.raises(NotFound):
        deadline_faults.end(work, world.lot_in(work, ref), reason="nothing is suspended")


def twins(world: World) -> tuple[str, str]:
    """Two lots with one deadline: on the first nobody bids, on the second everybody does."""
    empty, full = world.lot("BIDDING"), world.lot("BIDDING")
    opening_steps.bid(world, full, {name: opening_steps.form(price="2700000.00") for name in world.bidders})
    return empty, full


@pytest.mark.promise("S1")
def test_the_verdict_and_all_that_is_told_are_the_same_whoever_bids(world: World) -> None:
    """Twins: a lot nobody bids on, and one with three bids; evidence, notice, message and record say the same to the byte."""
    told = []
    for ref in twins(world):
        outage(world, ref, first=-60, count=20, now=-30)
        confirm(world, ref)
        with world.view("clock") as view:
            lot = world.lot_in(view, ref)
            fault = view.session.scalar(select(DeadlineFault).where(DeadlineFault.lot_id == lot.id))
            assert fault is not None
            query = select(ActRecord.payload).where(ActRecord.act == "fault.confirm").order_by(ActRecord.id)
            record = view.session.scalars(query).all()[-1]
            facts = {k: v for k, v in json.loads(record)["facts"].items() if k not in ("evidence", "person")}
            one = view.session.scalars(
                select(Message).where(Message.template == "fault.held").order_by(Message.id.desc())
            ).first()
            assert one is not None
            document = {
                k: v for k, v in audit.document(view.session, fault.evidence).items() if k not in ("tender", "lot")
            }
            text = notices.of_lot(view.session, lot, "correction")[-1].text.replace(fault.evidence, "#")
            told.append((facts, {k: v for k, v in one.facts.items() if k != "lot"}, document, text))
    assert told[0] == told[1]


def test_what_a_point_sends_is_kept_once_and_not_from_strangers(world: World) -> None:
    on_duty(world)
    at = world.now
    with world.work("clock") as work:
        told = [
            ReportedSample(at, 100, True, "", 1),
            ReportedSample(at, 9, False, "x", 1),
            ReportedSample(at - MINUTE, 80, True, "", None),
        ]
        assert probes.take(work, "north", told) == 2
        assert probes.take(work, "north", [ReportedSample(at, 9, False, "x", 1)]) == 0
        assert [(s.point, s.ok) for s in probes.samples(work.session, at - MINUTE, at + MINUTE)] == [
            ("north", True)
        ] * 2
    for wrong in (at - timedelta(days=2), at + timedelta(minutes=2)):
        with world.work("clock") as work, pytest.raises(Invalid, match=r"probe\.samples"):
            probes.take(work, "north", [ReportedSample(wrong, 1, True, "", None)])
    with world.work("clock") as work, pytest.raises(NotAllowed, match=r"probe\.unknown"):
        probes.take(work, "west", [ReportedSample(at, 1, True, "", None)])
    with world.work("clerk") as work, pytest.raises(NotAllowed):
        probes.take(work, "north", [])


def test_points_begin_and_end_in_the_log(world: World) -> None:
    on_duty(world)
    world.clock.advance(hours=1)
    with world.work("clock") as work:
        changed = {**KEYS, "north": KEYS["south"], "west": KEYS["inside"]}
        assert probes.keep_duties(work, changed) == ["end north", "begin north", "begin west"]
        assert probes.keep_duties(work, {}) == ["end inside", "end north", "end south", "end west"]
    with world.view("clock") as view:
        acts = list(view.session.scalars(select(ActRecord.act).where(ActRecord.act.like("probe.%"))))
        assert acts.count("probe.begin") == 5 and acts.count("probe.end") == 5
        assert {one.point for one in probes.duties(view.session, world.now - MINUTE)} == {
            "inside",
            "north",
            "south",
            "west",
        }
        assert probes.duties(view.session, world.now) == [] and probes.on_duty(view.session) == []

"""Objections and challenges: who may file, until when, who answers, and what falls late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit import opening_steps, sealing, stages
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading import timeline
from trading.kernel.access import Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate, WrongStep
from trading.remedies import disputes
from trading.remedies.disputes import Objection

LATER = timedelta(days=5)


def file(world: World, ref: str, username: str = "bidder1", role: Role = SIGNER, **how: Any) -> Objection:
    with world.work(username, role) as work:
        given: dict[str, Any] = {"stage": "documents", "text": "参数有倾向性", "until": world.now + LATER}
        return disputes.file(work, world.lot_in(work, ref), **(given | how))


def answer(world: World, ref: str, username: str = "agent", text: str = "已修改", upheld: bool = True) -> None:
    with world.work(username) as work:
        disputes.answer(work, disputes.objection(work.session, ref), text=text, upheld=upheld)


def state(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return disputes.objection(view.session, ref).state


@pytest.mark.rule("T-22", "T-26")
@pytest.mark.parametrize(
    ("regime", "kind", "rule", "due"),
    [
        ("GP", "challenge", "T-22", datetime(2026, 3, 11, 16, tzinfo=UTC)),  # seven working days after Monday 2 March
        ("WORKS", "objection", "T-26", datetime(2026, 3, 5, 16, tzinfo=UTC)),  # three days
    ],
)
def test_the_answer_is_due_by_the_rulebook(world: World, regime: str, kind: str, rule: str, due: datetime) -> None:
    ref = stages.bidding(world, regime)
    world.clock.set(datetime(2026, 3, 2, 3, tzinfo=UTC))
    row = file(world, ref)
    assert (row.kind, row.reason["rule"], row.due_at) == (kind, rule, due) and len(row.ref) >= 16


def test_the_last_moment_to_file_is_the_one_before_the_end(world: World) -> None:
    ref = stages.bidding(world)
    assert file(world, ref, until=world.now + timedelta(microseconds=1)).state == "FILED"
    for until in (world.now, world.now - timedelta(seconds=1)):
        with unchanged(world), pytest.raises(TooLate):
            file(world, ref, until=until)


def test_every_fault_of_the_form_at_once(world: World) -> None:
    ref = stages.bidding(world)
    with unchanged(world), pytest.raises(Invalid) as refusal:
        file(world, ref, stage="weather", text=" \n")
    assert {(f.where, f.code) for f in refusal.value.faults} == {
        ("stage", "objection.stage"),
        ("text", "form.required"),
    }


def test_only_a_signer_of_one_who_takes_part_files(world: World) -> None:
    ref = stages.bidding(world)
    with unchanged(world), pytest.raises(NotAllowed):
        file(world, ref, role=Role.BIDDER_OPERATOR)
    for username in ("agent", "buyer", "watch", "clerk"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            disputes.file(work, world.lot_in(work, ref), stage="documents", text="x", until=world.now + LATER)
    other = world.lot("DRAFTED")
    with unchanged(world), pytest.raises(NotFound):
        file(world, other)


def test_who_answers_and_when(world: World) -> None:
    ref = file(world, stages.bidding(world)).ref
    for username in ("agent2", "clerk", "watch", "bidder1", "host"):
        with unchanged(world), pytest.raises(NotAllowed):
            answer(world, ref, username)
    with unchanged(world), pytest.raises(Invalid):
        answer(world, ref, text="  ")
    answer(world, ref, "buyer")
    with unchanged(world), pytest.raises(WrongStep):
        answer(world, ref, text="再答一次")
    with unchanged(world), pytest.raises(WrongStep), world.work("bidder1", SIGNER) as work:
        disputes.withdraw(work, disputes.objection(work.session, ref))


@pytest.mark.rule("T-26")
@pytest.mark.parametrize("end", ["answered", "withdrawn"])
def test_works_are_not_opened_while_an_objection_to_the_documents_waits(world: World, end: str) -> None:
    """TReg art. 22: until it is answered the activity stops. The deadline stands, the bids stay sealed, nobody learns who bid."""
    ref = stages.bidding(world, "WORKS")
    filed = file(world, ref).ref
    opening_steps.bid(world, ref, {name: opening_steps.form("WORKS") for name in world.bidders})
    sealing.close(world, ref)
    with unchanged(world), pytest.raises(Conflict) as refusal:
        sealing.list_set(world, ref)
    assert refusal.value.code == "objection.open"
    if end == "answered":
        answer(world, filed, upheld=False)
    else:
        with world.work("bidder1", SIGNER) as work:
            disputes.withdraw(work, disputes.objection(work.session, filed))
    sealing.list_set(world, ref)


def test_a_challenge_to_the_documents_does_not_stop_an_opening_of_procurement(world: World) -> None:
    """GPReg art. 54 stops what the finance department suspends, and no more."""
    ref = stages.bidding(world)
    file(world, ref)
    opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
    sealing.close(world, ref)
    sealing.list_set(world, ref)


def test_an_objection_is_taken_back_by_whoever_filed_it(world: World) -> None:
    lot = stages.bidding(world)
    ref = file(world, lot).ref
    with unchanged(world), pytest.raises(NotFound), world.work("bidder2", SIGNER) as work:
        disputes.withdraw(work, disputes.objection(work.session, ref))
    with world.work("bidder1", SIGNER) as work:
        disputes.withdraw(work, disputes.objection(work.session, ref))
        assert disputes.open_on(work.session, world.lot_in(work, lot)) == []
    with unchanged(world), pytest.raises(WrongStep):
        answer(world, ref)


def test_what_is_not_answered_in_time_falls_late_and_may_still_be_answered(world: World) -> None:
    ref = file(world, stages.bidding(world)).ref
    with world.view("clock") as view:
        due = disputes.objection(view.session, ref).due_at
    world.clock.set(due - timedelta(microseconds=1))
    timeline.turn(world.office)
    assert state(world, ref) == "FILED"
    world.clock.set(due)
    timeline.turn(world.office)
    timeline.turn(world.office)
    assert state(world, ref) == "LATE"
    with world.view("clock") as view:
        row = disputes.objection(view.session, ref)
        assert disputes.open_on(view.session, row.lot) != [] and disputes.overdue(view.session, view.now) == []
    answer(world, ref)
    assert state(world, ref) == "ANSWERED"


def test_who_sees_who_objected(world: World) -> None:
    lot_ref = stages.bidding(world)
    ref = file(world, lot_ref).ref
    for username in ("agent", "buyer", "watch"):
        with world.view(username) as view:
            assert [o.ref for o in disputes.of_lot(view, world.lot_in(view, lot_ref))] == [ref]
    for username in ("agent2", "clerk", "host", "bidder1", "bidder2"):
        with pytest.raises(NotAllowed), world.view(username) as view:
            disputes.of_lot(view, world.lot_in(view, lot_ref))
    with world.view("bidder1") as view:
        assert [o.ref for o in disputes.own(view)] == [ref]
    with world.view("bidder2") as view:
        assert disputes.own(view) == []

"""Complaints to the supervisory body: when, how long, what stands still, and a decision that takes the place of the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading import timeline
from trading.awarding import awards, contracts, reopened
from trading.kernel.calendar import local_day
from trading.kernel.deadlines import chain
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.remedies import complaints, disputes
from trading.rulebook import calendars

MOMENT = timedelta(microseconds=1)


def announced(world: World) -> str:
    ref = stages.proposed(world)
    for username, act in (("buyer", awards.decide), ("agent", awards.announce)):
        with world.work(username) as work:
            act(work, world.lot_in(work, ref))
    return ref


def challenged(world: World, ref: str, *, answered: bool = True) -> str:
    with world.work("bidder2", sealing.SIGNER) as work:
        lot = world.lot_in(work, ref)
        until = awards.object_until(awards.award(work.session, lot))
        filed = disputes.file(work, lot, stage="result", text="评分有误", until=until).ref
    if answered:
        with world.work("agent") as work:
            disputes.answer(work, disputes.objection(work.session, filed), text="经复核无误", upheld=False)
    return filed


def file(world: World, objection: str, username: str = "bidder2", text: str = "答复没有回应评分错误") -> str:
    with world.work(username, sealing.SIGNER) as work:
        return complaints.file(work, disputes.objection(work.session, objection), text=text).ref


def act(world: World, ref: str, what: Any, username: str = "watch", **how: Any) -> None:
    with world.work(username) as work:
        what(work, complaints.complaint(work.session, ref), **how)


def sign(world: World, ref: str) -> None:
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        price = awards.award(work.session, lot).price_minor
        assert price is not None
        contracts.record(work, lot, number="HT-1", amount_minor=price, signed_at=work.now)


@pytest.mark.rule("T-23")
def test_a_complaint_of_procurement_runs_fifteen_working_days_from_the_end_of_the_answer_term(world: World) -> None:
    """T-23, as `recompute deadline.chain` counts it; nobody complains before the answer or the end of its time."""
    ref = announced(world)
    filed = challenged(world, ref, answered=False)
    with world.view("clock") as view:
        row = disputes.objection(view.session, filed)
        due, day = row.due_at, local_day(row.filed_at)
    with unchanged(world), pytest.raises(TooEarly):
        file(world, filed)
    world.clock.set(due)
    timeline.turn(world.office)
    with world.view("clock") as view:
        until = complaints.last_moment(view.session, disputes.objection(view.session, filed))
    told = chain({}, {"regime": "gp", "result_notice_date": day.isoformat(), "challenge_filed": day.isoformat()})
    assert until is not None and local_day(until - MOMENT).isoformat() == told["complaint_until_from_reply_term"]
    world.clock.set(until)
    with unchanged(world), pytest.raises(TooLate):
        file(world, filed)
    world.clock.set(until - MOMENT)
    with unchanged(world), pytest.raises(Invalid):
        file(world, filed, text=" ")
    with unchanged(world), pytest.raises(NotFound):
        file(world, filed, username="bidder1")
    file(world, filed)
    with unchanged(world), pytest.raises(Conflict, match="complaint.filed"):
        file(world, filed)


@pytest.mark.rule("T-27", "T-27b")
def test_works_count_ten_days_from_the_answer_and_the_body_thirty_from_taking_it_up(world: World) -> None:
    ref = stages.proposed(world, "WORKS")
    with world.work("agent") as work:
        awards.publicise(work, world.lot_in(work, ref))
    filed = challenged(world, ref)
    with world.view("clock") as view:
        row = disputes.objection(view.session, filed)
        until = complaints.last_moment(view.session, row)
        assert until is not None and row.answered_at is not None
        assert local_day(until - MOMENT) - local_day(row.answered_at) >= timedelta(days=10)
    complaint = file(world, filed)
    world.clock.advance(days=2)
    act(world, complaint, complaints.accept, suspend=False)
    filed_on = local_day(world.now) - timedelta(days=2)
    with world.view("clock") as view:
        held, calendar = complaints.complaint(view.session, complaint), calendars.current(view.session)
        assert held.decide_by is not None
        assert local_day(held.examine_by - MOMENT) == calendar.add_working_days(filed_on, 3)
        assert local_day(held.decide_by - MOMENT) == calendar.add_working_days(local_day(view.now), 30)
        assert held.reasons["decide_by"]["anchor"] == local_day(view.now).isoformat()
        assert held.reasons["decide_by"]["rule"] == "T-27b.decide"


@pytest.mark.rule("T-23b")
def test_what_is_suspended_stands_still_for_thirty_days_at_most(world: World) -> None:
    """GPL art. 57. Nobody but the supervisory body suspends, and a withdrawn complaint suspends nothing."""
    ref = announced(world)
    complaint = file(world, challenged(world, ref))
    for username in ("agent", "buyer", "clerk", "host"):
        with unchanged(world), pytest.raises(NotAllowed):
            act(world, complaint, complaints.accept, username, suspend=True, reasons="x")
    with unchanged(world), pytest.raises(Invalid):
        act(world, complaint, complaints.accept, suspend=True)
    act(world, complaint, complaints.accept, suspend=True, reasons="投诉事项可能影响中标结果")
    with unchanged(world), pytest.raises(Conflict, match="complaint.stands_still"):
        sign(world, ref)
    with unchanged(world), pytest.raises(Conflict, match="complaint.stands_still"), world.work("buyer") as work:
        reopened.decide_again(work, world.lot_in(work, ref), ground="x")
    with world.view("clock") as view:
        row, calendar = complaints.complaint(view.session, complaint), calendars.current(view.session)
        assert row.decide_by is not None
        assert local_day(row.examine_by - MOMENT) == calendar.add_working_days(local_day(view.now), 5)
        assert local_day(row.decide_by - MOMENT) == calendar.add_working_days(local_day(view.now), 30)
        until = row.suspended_until
        assert until is not None and local_day(until - MOMENT) - local_day(view.now) == timedelta(days=30)
    world.clock.set(until)
    sign(world, ref)


def test_a_row_that_hides_a_suspension_lets_nobody_go_on(world: World) -> None:
    ref = announced(world)
    complaint = file(world, challenged(world, ref))
    act(world, complaint, complaints.accept, suspend=True, reasons="可能影响中标结果")
    with world.work("clock") as work:
        complaints.complaint(work.session, complaint).suspended_at = None
    with unchanged(world), pytest.raises(Conflict, match="signed.differs"):
        sign(world, ref)


def test_a_decision_takes_the_place_of_the_answer(world: World) -> None:
    ref = announced(world)
    complaint = file(world, challenged(world, ref))
    with unchanged(world), pytest.raises(WrongStep):
        act(world, complaint, complaints.decide, upheld=True, reasons="x", effect=disputes.NEXT)
    act(world, complaint, complaints.accept, suspend=True, reasons="可能影响中标结果")
    with unchanged(world), pytest.raises(Invalid) as refusal:
        act(world, complaint, complaints.decide, upheld=True, reasons=" ")
    assert {fault.where for fault in refusal.value.faults} == {"reasons", "effect"}
    act(world, complaint, complaints.decide, upheld=True, reasons="评分确有错误", effect=disputes.NEXT)
    with unchanged(world), pytest.raises(WrongStep, match="objection.upheld"):
        sign(world, ref)
    with world.work("buyer") as work:
        row = reopened.decide_again(work, world.lot_in(work, ref), ground="投诉处理决定")
        assert row.winner_party_id == row.ranking[1]["party_id"]


@pytest.mark.parametrize("end", ["dismissed", "refused", "withdrawn"])
def test_the_procurement_goes_on_when_a_complaint_ends_without_effect(world: World, end: str) -> None:
    ref = announced(world)
    complaint = file(world, challenged(world, ref))
    if end == "refused":
        act(world, complaint, complaints.refuse, reasons="超出质疑事项范围")
    else:
        act(world, complaint, complaints.accept, suspend=True, reasons="可能影响中标结果")
        if end == "dismissed":
            act(world, complaint, complaints.decide, upheld=False, reasons="投诉事项不成立")
        else:
            with world.work("bidder2", sealing.SIGNER) as work:
                complaints.withdraw(work, complaints.complaint(work.session, complaint))
    sign(world, ref)


def test_no_later_answer_undoes_a_decision_on_one_that_was_never_answered(world: World) -> None:
    ref = announced(world)
    filed = challenged(world, ref, answered=False)
    with world.view("clock") as view:
        due = disputes.objection(view.session, filed).due_at
    world.clock.set(due)
    timeline.turn(world.office)
    complaint = file(world, filed)
    act(world, complaint, complaints.accept, suspend=False)
    act(world, complaint, complaints.decide, upheld=True, reasons="逾期未答复，评分确有错误", effect=disputes.VOID)
    with unchanged(world), pytest.raises(WrongStep), world.work("agent") as work:
        disputes.answer(work, disputes.objection(work.session, filed), text="并无错误", upheld=False)
    with unchanged(world), pytest.raises(WrongStep, match="objection.upheld"):
        sign(world, ref)

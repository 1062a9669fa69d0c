"""Enquiries: asked until the closing time, answered to all, the asker shown to nobody (rules T-05, T-20; rulebook §9.1)."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.kit.world import DEADLINE, World, credit_code
from trading import publication
from trading.kernel.audit import ActRecord, LogDocument
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate, WrongStep
from trading.tendering import enquiries, notices
from trading.views import lot_cards

CLOSES = DEADLINE - timedelta(days=5)


def ask(
    world: World,
    ref: str,
    question: str = "第3条的质保期从何时起算？",
    username: str = "bidder1",
) -> str:
    with world.work(username) as work:
        return enquiries.ask(work, world.lot_in(work, ref), question=question).ref


def answer(world: World, enquiry: str, username: str = "agent", **more: object) -> None:
    with world.work(username) as work:
        enquiries.answer(work, enquiries.enquiry(work.session, enquiry), text="自验收合格之日起算", **more)  # type: ignore[arg-type]


def test_question_and_answer_reach_everybody(world: World) -> None:
    ref = world.lot("BIDDING")
    asked = ask(world, ref)
    answer(world, asked)
    with world.view("bidder2") as view:
        lot = world.lot_in(view, ref)
        body = notices.latest(view.session, lot, "clarification").body
        assert (body["question"], body["answer"]) == ("第3条的质保期从何时起算？", "自验收合格之日起算")
        assert lot_cards.own_enquiry_cards(view, lot) == []
    with world.view("bidder1") as view:
        assert [card.answer for card in lot_cards.own_enquiry_cards(view, world.lot_in(view, ref))] == [
            "自验收合格之日起算"
        ]


@pytest.mark.rule("9.1.takers")
def test_the_asker_stands_nowhere_in_clear(world: World) -> None:
    ref = world.lot("BIDDING")
    answer(world, ask(world, ref))
    code, name = credit_code(101), "投标单位1有限公司"
    with world.view("agent") as view:
        shown = [dataclasses.asdict(card) for card in lot_cards.enquiry_cards(view, world.lot_in(view, ref))]
        shown += [dataclasses.asdict(card) for card in lot_cards.notice_cards(view, world.lot_in(view, ref))]
        records = list(view.session.scalars(select(ActRecord.payload).where(ActRecord.act.like("enquiry.%"))))
        kept = list(view.session.scalars(select(LogDocument.text).where(LogDocument.kind == "notice")))
    assert len(records) == 2
    for text in (json.dumps(shown, default=str, ensure_ascii=False), *records, *kept):
        assert code not in text and name not in text and "bidder1" not in text
    assert not {"asker", "asker_party_id", "party"} & {
        field.name for field in dataclasses.fields(lot_cards.EnquiryCard)
    }


def test_the_answer_may_restate_a_question_that_gives_its_asker_away(world: World) -> None:
    ref = world.lot("BIDDING")
    answer(world, ask(world, ref, "我公司（投标单位1）能否用自有设备？"), question="能否用自有设备？")
    with world.view("clerk") as view:
        assert (
            notices.latest(view.session, world.lot_in(view, ref), "clarification").body["question"]
            == "能否用自有设备？"
        )


@pytest.mark.rule("T-20", "N-01", "N-03", "N-05")
def test_the_term_of_the_answer_is_three_working_days(world: World) -> None:
    ref = world.lot("BIDDING")
    world.clock.set(world.now + timedelta(days=4))  # Friday 6 March
    asked = ask(world, ref)
    with world.view("clerk") as view:
        due = enquiries.enquiry(view.session, asked).due_at
        assert due is not None and due.isoformat() == "2026-03-11T16:00:00+00:00"


def test_questions_close_at_their_moment(world: World) -> None:
    ref = world.lot("BIDDING")
    world.clock.set(CLOSES - timedelta(seconds=1))
    ask(world, ref)
    world.clock.set(CLOSES)
    with pytest.raises(TooLate, match="enquiry.closed"):
        ask(world, ref)


@pytest.mark.rule("T-05")
def test_an_answer_that_affects_bids_comes_in_time_or_the_deadline_moves(world: World) -> None:
    ref = world.lot("BIDDING")
    asked = ask(world, ref)
    world.clock.set(DEADLINE - timedelta(days=10))
    with pytest.raises(TooLate, match="lot.clarification_late") as refusal:
        answer(world, asked, affects_bids=True)
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=refusal.value.facts["extend_to"], reason="补充澄清")
    with pytest.raises(TooLate, match="lot.clarification_late"):  # drafted, not yet signed: it still is too late
        answer(world, asked, affects_bids=True)
    world.sign_policies(ref)
    answer(world, asked, affects_bids=True)
    late = ask(world, ref, username="bidder2")
    answer(world, late)  # what changes nothing may come at any time


def test_one_answer_by_its_own_agency_before_the_deadline(world: World) -> None:
    ref = world.lot("BIDDING")
    asked, other = ask(world, ref), ask(world, ref)
    with pytest.raises(NotAllowed, match="project.not_yours"):
        answer(world, asked, "agent2")
    answer(world, asked)
    with pytest.raises(Conflict, match="enquiry.answered"):
        answer(world, asked)
    world.clock.set(DEADLINE)
    with pytest.raises(TooLate, match="lot.deadline_past"):
        answer(world, other)


def test_who_may_see_and_ask(world: World) -> None:
    ref, draft = world.lot("BIDDING"), world.lot("READY")
    with pytest.raises(WrongStep, match="lot.not_open"):
        ask(world, draft)
    for username in ("agent", "clerk"):
        with pytest.raises(NotAllowed):
            ask(world, ref, username=username)
    with world.view("agent2") as view, pytest.raises(NotFound):
        lot_cards.enquiry_cards(view, world.lot_in(view, ref))
    with world.view("bidder1") as view, pytest.raises(NotAllowed):
        lot_cards.enquiry_cards(view, world.lot_in(view, ref))
    for question in ("  ", "长" * 4001):
        with pytest.raises(Invalid):
            ask(world, ref, question)

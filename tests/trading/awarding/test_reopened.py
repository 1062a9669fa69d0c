"""An award that does not stand: the next candidate, a review again, a void tender; and what is upheld stops until it is done."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from evaluation.reporting import reopened as reviewed
from tests.kit import evaluation_steps as steps
from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.awarding import awards, contracts, reopened
from trading.kernel import outbox
from trading.kernel.errors import Conflict, Invalid, NotAllowed, WrongStep
from trading.remedies import disputes
from trading.tendering.notices import Notice
from trading.views import public_queries


def act(world: World, ref: str, username: str, what: Any, **how: Any) -> Any:
    with world.work(username) as work:
        return what(work, world.lot_in(work, ref), **how)


def announced(world: World) -> str:
    """A lot of procurement whose result is public."""
    ref = stages.proposed(world)
    act(world, ref, "buyer", awards.decide)
    act(world, ref, "agent", awards.announce)
    return ref


def upheld(world: World, ref: str, effect: str, *, username: str = "bidder2") -> str:
    """A challenge to the result, upheld."""
    with world.work(username, sealing.SIGNER) as work:
        lot = world.lot_in(work, ref)
        until = awards.object_until(awards.award(work.session, lot))
        filed = disputes.file(work, lot, stage="result", text="评分有误", until=until).ref
    with world.work("agent") as work:
        disputes.answer(work, disputes.objection(work.session, filed), text="经复核属实", upheld=True, effect=effect)
    return filed


def contract(world: World, ref: str) -> None:
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        price = awards.award(work.session, lot).price_minor
        assert price is not None
        contracts.record(work, lot, number="HT-1", amount_minor=price, signed_at=work.now)


def ranking(world: World, ref: str) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        return awards.award(view.session, world.lot_in(view, ref)).ranking


def test_an_upheld_challenge_says_what_it_leads_to(world: World) -> None:
    ref = announced(world)
    with pytest.raises(Invalid) as refusal:
        upheld(world, ref, "")
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [("effect", "objection.effect")]


def test_one_that_does_not_touch_the_result_leaves_the_way_to_the_contract_open(world: World) -> None:
    ref = announced(world)
    upheld(world, ref, disputes.NONE)
    contract(world, ref)


@pytest.mark.rule("B-17")
@pytest.mark.parametrize("effect", [disputes.NEXT, disputes.REVIEW, disputes.VOID])
def test_an_upheld_challenge_stops_the_contract_until_what_it_leads_to_is_done(world: World, effect: str) -> None:
    """GPReg art. 54. Nothing else than what the answer said is done in its name."""
    ref = announced(world)
    upheld(world, ref, effect)
    with unchanged(world), pytest.raises(WrongStep) as refusal:
        contract(world, ref)
    assert refusal.value.code == "objection.upheld"
    others: dict[str, Any] = {
        disputes.NEXT: lambda: act(world, ref, "buyer", reopened.decide_again, ground="质疑成立"),
        disputes.REVIEW: lambda: act(world, ref, "agent", reviewed.review_again, reason="质疑成立"),
        disputes.VOID: lambda: act(world, ref, "buyer", reopened.annul, reason="质疑成立"),
    }
    for other in others.keys() - {effect}:
        with unchanged(world), pytest.raises(WrongStep) as refusal:
            others[other]()
        assert refusal.value.code == "objection.upheld"
    others[effect]()


@pytest.mark.rule("B-16")
def test_the_next_candidate_takes_the_place_of_one_who_drops_out(world: World) -> None:
    """B-16: in the order of the ranking, nobody twice; the result is withdrawn and announced anew, and all are told."""
    ref = announced(world)
    order = ranking(world, ref)
    with unchanged(world), pytest.raises(Invalid) as refusal:
        act(world, ref, "buyer", reopened.decide_again, ground=" ", bidder=order[2]["bidder"])
    assert {fault.code for fault in refusal.value.faults} == {"award.tie_choice", "award.ground_missing"}
    for username in ("agent", "clerk", "watch", "bidder1"):
        with unchanged(world), pytest.raises(NotAllowed):
            act(world, ref, username, reopened.decide_again, ground="放弃中标")
    row = act(world, ref, "buyer", reopened.decide_again, ground="第一名放弃中标")
    assert row.winner_party_id == order[1]["party_id"] and row.price_minor == order[1]["price_minor"]
    assert row.announced_at is None and row.contract_by is None and row.announce_by is not None
    with world.view("clock") as view:
        told = public_queries.outcome(view, world.lot_in(view, ref))
        assert told.result is None and told.object_until is None
        sent = list(view.session.scalars(select(outbox.Message).where(outbox.Message.template == "award.withdrawn")))
        assert [one.to for one in sent] == [f"party:{order[0]['party_id']}"]
    act(world, ref, "agent", awards.announce)
    with world.view("clock") as view:
        told = public_queries.outcome(view, world.lot_in(view, ref))
        assert told.result is not None and told.result.version == 2
        assert told.result.body["winner"]["bidder"] == order[1]["bidder"]
        won = view.session.scalars(select(outbox.Message).where(outbox.Message.template == "award.won"))
        assert [one.to for one in won] == [f"party:{order[at]['party_id']}" for at in (0, 1)]
    act(world, ref, "buyer", reopened.decide_again, ground="第二名被查实串通")
    act(world, ref, "agent", awards.announce)
    with unchanged(world), pytest.raises(WrongStep) as over:
        act(world, ref, "buyer", reopened.decide_again, ground="第三名也放弃")
    assert over.value.code == "award.nobody_left"
    assert act(world, ref, "buyer", reopened.annul, reason="没有其他候选人").body["ground"] == "dropped"


def test_nobody_annuls_what_nobody_decided(world: World) -> None:
    ref = stages.proposed(world)
    with unchanged(world), pytest.raises(WrongStep) as refusal:
        act(world, ref, "buyer", reopened.annul, reason="不满意")
    assert refusal.value.code == "award.nothing_to_annul"


def test_a_void_tender_fails_and_its_result_is_withdrawn(world: World) -> None:
    ref = announced(world)
    upheld(world, ref, disputes.VOID)
    notice = act(world, ref, "buyer", reopened.annul, reason="招标文件有歧视性条款，影响中标结果")
    assert notice.kind == "failure" and notice.body["ground"] == "upheld"
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.state == "FAILED" and awards.find(view.session, lot) is None
        told = public_queries.outcome(view, lot)
        assert told.result is None and told.failure is not None
    with unchanged(world), pytest.raises(WrongStep):
        act(world, ref, "buyer", reopened.annul, reason="again")


@pytest.mark.rule("E-33")
def test_the_panel_reviews_again_and_its_new_ranking_is_the_one_that_counts(world: World) -> None:
    """E-33: the panel that signed, a new round, other points; the old award does not stand and its notice is withdrawn."""
    ref = announced(world)
    first = [one["bidder"] for one in ranking(world, ref)]
    with unchanged(world), pytest.raises(WrongStep) as refusal:
        act(world, ref, "agent", reviewed.review_again, reason="复核")
    assert refusal.value.code == "award.not_upheld"
    upheld(world, ref, disputes.REVIEW)
    act(world, ref, "agent", reviewed.review_again, reason="客观分计算错误")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.state == "EVALUATION" and awards.find(view.session, lot) is None
        assert list(view.session.scalars(select(Notice.kind).where(Notice.kind == "correction"))) == ["correction"]
        told = [m for m in view.session.scalars(select(outbox.Message)) if m.template == "award.reviewed_again"]
        assert len(told) == 5
    points = {(code, "plan"): text for code, text in zip(reversed(first), ("30.00", "15.00", "0.00"), strict=True)}
    steps.score(world, ref, dict.fromkeys(steps.usernames(world, ref, "seated").values(), points), reason="重新评审")
    steps.report_and_conclude(world, ref)
    again = [one["bidder"] for one in ranking(world, ref)]
    assert again[0] == first[-1] and again != first
    act(world, ref, "buyer", awards.decide)
    act(world, ref, "agent", awards.announce)
    contract(world, ref)
    with world.view("clock") as view:
        assert world.lot_in(view, ref).state == "CONTRACT"


def test_works_candidates_are_passed_over_when_an_objection_is_upheld(world: World) -> None:
    """TReg art. 54: before the decision, and with the publicity of candidates over."""
    ref = stages.proposed(world, "WORKS")
    row = act(world, ref, "agent", awards.publicise)
    upheld(world, ref, disputes.NEXT)
    assert row.publicity_until is not None
    world.clock.set(row.publicity_until)
    with unchanged(world), pytest.raises(WrongStep):
        act(world, ref, "buyer", awards.decide)
    decided = act(world, ref, "buyer", awards.decide, rank=2, ground="异议成立，第一候选人业绩不实")
    assert decided.winner_party_id == row.ranking[1]["party_id"]


def test_an_open_objection_stops_another_decision_on_works(world: World) -> None:
    ref = stages.proposed(world, "WORKS")
    row = act(world, ref, "agent", awards.publicise)
    with world.work("bidder2", sealing.SIGNER) as work:
        disputes.file(work, world.lot_in(work, ref), stage="result", text="业绩不实", until=row.publicity_until)
    assert row.publicity_until is not None
    world.clock.set(row.publicity_until)
    with unchanged(world), pytest.raises(Conflict):
        act(world, ref, "buyer", awards.decide, rank=2, ground="x")


@pytest.mark.parametrize(("column", "value"), [("effect", disputes.NONE), ("upheld", False), ("settled_at", "now")])
def test_a_row_that_hides_what_was_upheld_lets_nobody_go_on(world: World, column: str, value: Any) -> None:
    """Whoever owns the database cannot make an upheld challenge go away: the records of its answer are asked."""
    ref = announced(world)
    filed = upheld(world, ref, disputes.VOID)
    with world.work("clock") as work:
        row = disputes.objection(work.session, filed)
        setattr(row, column, world.now if value == "now" else value)
    with unchanged(world), pytest.raises(Conflict) as refusal:
        contract(world, ref)
    assert refusal.value.code == "signed.differs"


def test_two_upheld_challenges_that_lead_to_the_same_are_done_at_once(world: World) -> None:
    """Else the second would pass over a candidate nobody said anything of, or stop the contract for good."""
    ref = announced(world)
    for username in ("bidder2", "bidder3"):
        upheld(world, ref, disputes.NEXT, username=username)
    row = act(world, ref, "buyer", reopened.decide_again, ground="质疑成立")
    assert row.winner_party_id == row.ranking[1]["party_id"]
    act(world, ref, "agent", awards.announce)
    contract(world, ref)

"""From the ranking to the award: the calendar's dates, objections that stop it, the order of the ranking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bench.worlds import world_in
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing, stages
from tests.kit.rows import unchanged
from tests.kit.schemes import SCHEMES
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.awarding import awards
from trading.awarding.awards import Award
from trading.kernel import outbox
from trading.kernel.calendar import local_day
from trading.kernel.deadlines import chain
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, SignInNeeded, TooEarly, WrongStep
from trading.remedies import disputes
from trading.rulebook import calendars
from trading.tendering.notices import Notice

MOMENT = timedelta(microseconds=1)


def beijing(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC) - timedelta(hours=8)


def act(world: World, ref: str, username: str, what: Any, **how: Any) -> Any:
    with world.work(username) as work:
        return what(work, world.lot_in(work, ref), **how)


def award_of(world: World, ref: str) -> Award:
    with world.view("clock") as view:
        return awards.award(view.session, world.lot_in(view, ref))


def state(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return str(world.lot_in(view, ref).state)


def objection(world: World, ref: str, username: str = "bidder2") -> str:
    with world.work(username, SIGNER) as work:
        lot = world.lot_in(work, ref)
        until = awards.object_until(awards.award(work.session, lot))
        return disputes.file(work, lot, stage="result", text="评分有误", until=until).ref


def answer(world: World, objection_ref: str, *, upheld: bool) -> None:
    with world.work("agent") as work:
        disputes.answer(
            work, disputes.objection(work.session, objection_ref), text="经复核", upheld=upheld, effect=disputes.REVIEW
        )


@pytest.mark.rule("T-17", "N-10", "N-02", "N-06")
@pytest.mark.parametrize(
    ("from_", "until"),
    [
        (beijing(3, 26, 10), beijing(3, 31)),  # Thursday: three days end on Sunday the 29th, so on Monday's 24:00
        (beijing(3, 30, 10), beijing(4, 3)),  # Monday: Thursday's 24:00
        (beijing(4, 2, 10), beijing(4, 8)),  # before Qingming (4 to 6 April): not before Tuesday the 7th is over
        (beijing(4, 29, 23), beijing(5, 7)),  # before May day (1 to 5 May): Wednesday the 6th
    ],
)
def test_publicity_lasts_three_days_and_ends_with_a_working_day(world: World, from_: datetime, until: datetime) -> None:
    ref = stages.proposed(world, "WORKS")
    world.clock.set(from_)
    row = act(world, ref, "agent", awards.publicise)
    assert (row.publicity_from, row.publicity_until) == (from_, until)
    with world.view("clock") as view:
        notice = view.session.scalars(select(Notice).where(Notice.kind == "candidates")).one()
        assert notice.until == until and [c["rank"] for c in notice.body["candidates"]] == [1, 2, 3]
    world.clock.set(until - MOMENT)
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        act(world, ref, "buyer", awards.decide)
    assert refusal.value.code == "award.publicity_running"
    world.clock.set(until)
    assert act(world, ref, "buyer", awards.decide).winner_party_id == row.ranking[0]["party_id"]


@pytest.mark.rule("T-17")
def test_works_are_not_decided_before_publicity_and_goods_have_none(world: World) -> None:
    ref = stages.proposed(world, "WORKS")
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        act(world, ref, "buyer", awards.decide)
    assert refusal.value.code == "award.publicity_first"
    with pytest.raises(WrongStep):
        awards.object_until(award_of(world, ref))


@pytest.mark.rule("T-26")
def test_an_objection_stops_the_decision_until_it_is_answered(world: World) -> None:
    ref = stages.proposed(world, "WORKS")
    act(world, ref, "agent", awards.publicise)
    until = award_of(world, ref).publicity_until
    assert until is not None
    filed = objection(world, ref)
    world.clock.set(until + timedelta(days=30))
    with unchanged(world), pytest.raises(Conflict) as refusal:
        act(world, ref, "buyer", awards.decide)
    assert refusal.value.code == "objection.open"
    answer(world, filed, upheld=False)
    assert act(world, ref, "buyer", awards.decide).decided_at == world.now


def test_an_upheld_objection_is_not_passed_over(world: World) -> None:
    ref = stages.proposed(world, "WORKS")
    act(world, ref, "agent", awards.publicise)
    answer(world, objection(world, ref), upheld=True)
    until = award_of(world, ref).publicity_until
    assert until is not None
    world.clock.set(until)
    with unchanged(world), pytest.raises(WrongStep) as refusal:
        act(world, ref, "buyer", awards.decide)
    assert refusal.value.code == "objection.upheld"


def test_goods_are_decided_within_five_working_days_in_the_order_of_the_ranking(world: World) -> None:
    ref = stages.proposed(world)
    row = award_of(world, ref)
    assert row.decide_by is not None and row.reasons["decide_by"]["rule"] == "T-11"
    with unchanged(world), pytest.raises(Invalid) as refusal:
        act(world, ref, "agent", awards.publicise)
    assert refusal.value.code == "award.no_publicity"
    for rank, how, code in (
        (2, {}, "award.ground_missing"),
        (2, {"ground": "  "}, "award.ground_missing"),
        (9, {}, "award.no_such_rank"),
        (0, {}, "award.no_such_rank"),
    ):
        with unchanged(world), pytest.raises(Invalid) as wrong:
            act(world, ref, "buyer", awards.decide, rank=rank, **how)
        assert wrong.value.code == code
    chosen = act(world, ref, "buyer", awards.decide, rank=2, ground="第一名放弃中标")
    assert chosen.winner_party_id == row.ranking[1]["party_id"] and chosen.price_minor == row.ranking[1]["price_minor"]
    assert chosen.ground == "第一名放弃中标" and state(world, ref) == "AWARD"
    with unchanged(world), pytest.raises(WrongStep):
        act(world, ref, "buyer", awards.decide)


@pytest.mark.rule("T-11", "T-12", "T-14")
def test_days_to_decide_to_announce_and_to_sign(world: World) -> None:
    ref = stages.proposed(world)
    proposed = award_of(world, ref)
    decided = act(world, ref, "buyer", awards.decide)
    announced = act(world, ref, "agent", awards.announce)
    today = local_day(world.now)
    with world.view("clock") as view:
        calendar = calendars.current(view.session)
    limits = (proposed.decide_by, decided.announce_by, announced.contract_by)
    assert [local_day(by - MOMENT) for by in limits if by is not None] == [
        calendar.add_working_days(local_day(proposed.proposed_at), 5),
        calendar.add_working_days(today, 2),
        calendar.days_rolled(today, 30),
    ]


def tied(world: World, tie: str) -> str:
    """A lot whose three bidders are equal in points and quotes, and whom the panel has left so."""
    steps.library(world)
    same = {name: opening_steps.form(price="2700000.00") for name in world.bidders}
    ref = steps.opened(world, scheme=SCHEMES["GP"] | {"tie": tie}, forms=same)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    codes = [sealing.code_of(world, name) for name in world.bidders]
    plans = {(code, "plan"): "30.00" for code in codes}
    steps.score(world, ref, dict.fromkeys(steps.usernames(world, ref).values(), plans))
    steps.report_and_conclude(world, ref)
    return ref


@pytest.mark.rule("E-07")
@pytest.mark.parametrize("rule", ["panel", "draw"])
def test_a_tie_to_be_settled_in_the_room_never_leaves_it_unsettled(world: World, rule: str) -> None:
    with pytest.raises(WrongStep) as refusal:
        tied(world, rule)
    assert refusal.value.code == "report.tie_open" and len(refusal.value.facts["bidders"]) == 3


@pytest.mark.rule("E-07")
def test_a_tie_left_to_the_purchaser_is_decided_by_naming_one_of_the_equals_with_a_ground(world: World) -> None:
    ref = tied(world, "purchaser")
    ranking = award_of(world, ref).ranking
    chosen = ranking[1]["bidder"]
    for bidder, code in (("", "award.tie_choice"), ("X", "award.tie_choice"), (chosen, "award.ground_missing")):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            act(world, ref, "buyer", awards.decide, bidder=bidder)
        assert refusal.value.code == code
    row = act(
        world, ref, "buyer", awards.decide, bidder=chosen, ground="得分报价均相同，按招标文件规定选节能产品多者。"
    )
    assert row.winner_party_id == ranking[1]["party_id"] and row.ground


def test_who_decides_and_who_announces(world: World) -> None:
    ref = stages.proposed(world)
    for username in ("agent", "clerk", "host", "watch", "bidder1", "agent2"):
        with unchanged(world), pytest.raises(NotAllowed):
            act(world, ref, username, awards.decide)
    stale = world.actor("buyer")
    world.clock.advance(minutes=11)
    with unchanged(world), pytest.raises(SignInNeeded), world.office.work(stale) as work:
        awards.decide(work, world.lot_in(work, ref))
    act(world, ref, "buyer", awards.decide)
    for username in ("agent2", "clerk", "bidder1", "buyer"):
        with unchanged(world), pytest.raises(NotAllowed):
            act(world, ref, username, awards.announce)
    act(world, ref, "agent", awards.announce)
    with unchanged(world), pytest.raises(WrongStep):
        act(world, ref, "agent", awards.announce)


@pytest.mark.rule("T-12")
def test_everybody_is_told_at_the_same_time(world: World) -> None:
    ref = stages.proposed(world)
    act(world, ref, "buyer", awards.decide)
    with world.view("clock") as view:
        assert not [m for m in view.session.scalars(select(outbox.Message)) if m.template.startswith("award.")]
    row = act(world, ref, "agent", awards.announce)
    with world.view("clock") as view:
        told = {
            m.to: m.template for m in view.session.scalars(select(outbox.Message)) if m.template.startswith("award.")
        }
        assert told == {f"party:{r['party_id']}": "award.won" if r["rank"] == 1 else "award.lost" for r in row.ranking}
        kinds = list(
            view.session.scalars(select(Notice.kind).where(Notice.kind.in_(("result", "award"))).order_by(Notice.id))
        )
        assert kinds == ["result", "award"]
    assert row.contract_by is not None and row.challenge_until is not None and row.challenge_until > world.now


@pytest.mark.rule("T-21", "T-13")
@pytest.mark.parametrize("on", [(3, 25), (3, 27), (4, 2), (4, 30), (9, 30)], ids=str)
def test_the_challenge_is_counted_from_the_last_day_of_the_notice_as_anybody_recomputes_it(
    world: World, on: tuple[int, int]
) -> None:
    """GPReg art. 53: what should have been known on the day the result notice ends. 30 April is a Thursday before a holiday."""
    ref = stages.proposed(world)
    act(world, ref, "buyer", awards.decide)
    world.clock.set(beijing(*on, 10))
    row = act(world, ref, "agent", awards.announce)
    told = chain({}, {"regime": "gp", "result_notice_date": f"2026-{on[0]:02}-{on[1]:02}"})
    assert row.challenge_until is not None
    assert local_day(row.challenge_until - MOMENT).isoformat() == told["challenge_until"]
    with world.view("clock") as view:
        notice = view.session.scalars(select(Notice).where(Notice.kind == "result")).one()
    assert notice.until is not None and local_day(notice.until - MOMENT).isoformat() == told["notice_period_ends"]


def test_who_was_rejected_is_told_of_the_result_too(world: World) -> None:
    steps.library(world)
    ref = steps.opened(world, "WORKS")
    opening_steps.draw_coefficient(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder3",))
    steps.score(world, ref)
    steps.report_and_conclude(world, ref)
    row = act(world, ref, "agent", awards.publicise)
    assert row.publicity_until is not None
    world.clock.set(row.publicity_until)
    act(world, ref, "buyer", awards.decide)
    act(world, ref, "agent", awards.announce)
    with world.view("clock") as view:
        told = {m.to: m.template for m in view.session.scalars(select(outbox.Message)) if "award." in m.template}
    assert told.pop(f"party:{world.party_ids['bidder3']}") == "award.not_ranked"
    assert sorted(told.values()) == ["award.lost", "award.won"]


@pytest.mark.rule("E-08b", "M7.9")
@pytest.mark.parametrize(("step", "ranks"), [(0, [1, 1, 1, 1]), (10_000, [1, 2, 3])])
def test_at_most_three_candidates_and_all_that_share_the_last_place_are_published(
    tmp_path: Path, step: int, ranks: list[int]
) -> None:
    """E-08b: at most three are published, and of those equal at the third place none is left out by chance."""
    with world_in(tmp_path, 4) as world:
        steps.library(world)
        prices = {name: f"{2_700_000 + step * at}.00" for at, name in enumerate(world.bidders)}
        forms = {name: opening_steps.form("WORKS", price=price) for name, price in prices.items()}
        ref = steps.opened(world, "WORKS", scheme=SCHEMES["WORKS"] | {"tie": "purchaser"}, forms=forms)
        opening_steps.draw_coefficient(world, ref)
        steps.seated(world, ref)
        steps.conform(world, ref)
        codes = [sealing.code_of(world, name) for name in world.bidders]
        points = {
            (code, criterion): full for code in codes for criterion, full in (("design", "30.00"), ("team", "10.00"))
        }
        steps.score(world, ref, dict.fromkeys(steps.usernames(world, ref).values(), points))
        steps.report_and_conclude(world, ref)
        act(world, ref, "agent", awards.publicise)
        with world.view("clock") as view:
            notice = view.session.scalars(select(Notice).where(Notice.kind == "candidates")).one()
        assert [one["rank"] for one in notice.body["candidates"]] == ranks


def test_the_ranking_is_handed_down_once_and_by_the_panel_alone(world: World) -> None:
    ref = stages.proposed(world)
    with unchanged(world), pytest.raises(Conflict), world.work("expert01") as work:
        awards.propose(work, world.lot_in(work, ref), [], rules_hash="x")
    for username in ("agent", "buyer", "clerk"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            awards.propose(work, world.lot_in(work, ref), [], rules_hash="x")
    other = world.lot("DRAFTED")
    with pytest.raises(NotFound), world.view("clock") as view:
        awards.award(view.session, world.lot_in(view, other))

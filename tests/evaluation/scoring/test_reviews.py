"""Reviews: prompts are no verdicts, findings need reasons, too few end the lot."""

from __future__ import annotations

import pytest

from evaluation.panels import panels
from evaluation.reporting import queries
from evaluation.scoring import reviews
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.evaluation_steps import panel_in
from tests.kit.opening_steps import form
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.money import Money
from trading.opening import ceremony
from trading.tendering import notices, tenders

FORMS = {"bidder1": form(price="2700000.00"), "bidder2": form(price="2950000.00"), "bidder3": form(price="900000.00")}


def bids(world: World, ref: str) -> dict[str, int]:
    """bidder's short name → bid id."""
    with world.view("clock") as view:
        found = ceremony.opened_of_lot(view.session, world.lot_in(view, ref))
        short = {at: name for name, at in world.party_ids.items()}
        return {short[bid.party_id]: bid.id for bid in found}


def state(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return world.lot_in(view, ref).state


@pytest.mark.rule("C-04", "D-07", "D-13", "2.9")
def test_prompts_name_what_the_platform_noticed(world: World) -> None:
    ref = steps.opened(world, forms=FORMS, deposit=Money.parse("50000"))
    with world.view("clock") as view:
        found = reviews.prompts(view.session, world.lot_in(view, ref))
    ids = bids(world, ref)
    codes = {name: [(one.code, one.rule) for one in found[ids[name]]] for name in FORMS}
    deposit = ("review.deposit_missing", "D-13")
    assert codes == {
        "bidder1": [deposit],
        "bidder2": [("review.above_ceiling", "C-04"), deposit],
        "bidder3": [deposit, ("review.low_price", "Caiku [2026] 2")],
    }


def test_a_rejection_needs_clause_and_reason_and_the_review_all_bids(world: World) -> None:
    ref = steps.opened(world)
    ids = bids(world, ref)
    with world.work("agent") as work, pytest.raises(Invalid, match="review.reason_missing"):
        reviews.review_qualification(work, world.lot_in(work, ref), ids["bidder1"], ok=False, reason="缺")
    with world.work("agent2") as work, pytest.raises(NotAllowed):
        reviews.review_qualification(work, world.lot_in(work, ref), ids["bidder1"], ok=True)
    with world.work("buyer") as work, pytest.raises(NotFound, match="review.no_bid"):
        reviews.review_qualification(work, world.lot_in(work, ref), 999, ok=True)
    with world.work("buyer") as work:
        reviews.review_qualification(work, world.lot_in(work, ref), ids["bidder1"], ok=False, clause="二", reason="缺")
    with world.work("agent") as work:  # changed before the review is finished
        assert reviews.review_qualification(work, world.lot_in(work, ref), ids["bidder1"], ok=True).ok
        with pytest.raises(Conflict, match="review.open") as refusal:
            reviews.finish_qualification(work, world.lot_in(work, ref))
        assert refusal.value.facts["missing"] == 2


@pytest.mark.rule("E-25")
def test_a_bid_whose_form_cannot_be_read_cannot_pass(world: World) -> None:
    ref = steps.opened(world, forms=FORMS | {"bidder3": form(price="0.00")})
    ids = bids(world, ref)
    with world.work("buyer") as work, pytest.raises(Invalid, match="review.no_price"):
        reviews.review_qualification(work, world.lot_in(work, ref), ids["bidder3"], ok=True)
    with world.view("clock") as view:
        assert "review.form_faults" in [
            one.code for one in reviews.prompts(view.session, world.lot_in(view, ref))[ids["bidder3"]]
        ]


@pytest.mark.rule("B-01")
def test_fewer_than_three_qualified_is_a_failed_tender(world: World) -> None:
    ref = steps.opened(world)
    assert steps.qualify(world, ref, reject=("bidder2",)) is False
    assert state(world, ref) == "FAILED"
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (
            lot.failure == "few_qualified"
            and notices.latest(view.session, lot, "failure").body["ground"] == "few_qualified"
        )


@pytest.mark.rule("P-43", "B-01")
def test_conformity_is_the_panels_majority_recorded_by_its_chair(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    ids, members = bids(world, ref), steps.usernames(world, ref)
    other = next(name for name in members.values() if name != chair)
    with world.work(other) as work, pytest.raises(NotAllowed, match="panel.not_chair"):
        reviews.find_conformity(work, panel_in(work, world, ref), ids["bidder1"], votes_for=5)
    with world.work(chair) as work:
        panel = panel_in(work, world, ref)
        assert reviews.find_conformity(work, panel, ids["bidder1"], votes_for=3).ok
        with pytest.raises(Invalid, match="review.reason_missing"):
            reviews.find_conformity(work, panel, ids["bidder2"], votes_for=2)
        row = reviews.find_conformity(work, panel, ids["bidder2"], votes_for=2, clause="三", reason="未响应")
        assert (row.ok, row.votes_for, row.votes_against) == (False, 2, 3)
        with pytest.raises(Invalid, match="review.votes"):
            reviews.find_conformity(work, panel, ids["bidder3"], votes_for=6)
        with pytest.raises(Conflict, match="review.open"):
            reviews.fail(work, panel)
        reviews.find_conformity(work, panel, ids["bidder3"], votes_for=5)
    with world.work(chair) as work:
        with pytest.raises(Conflict, match="review.few"):
            reviews.require_settled(work.session, panel_in(work, world, ref))
        reviews.fail(work, panel_in(work, world, ref), reason="有效投标不足三家")
    assert state(world, ref) == "FAILED"
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.failure == "few_conforming" and panels.panel(view.session, lot).state == "CONCLUDED"


def test_enough_conforming_bids_cannot_be_failed(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref)
    with world.work(chair) as work, pytest.raises(Conflict, match="review.enough"):
        reviews.fail(work, panel_in(work, world, ref))


def test_no_finding_changes_once_somebody_has_committed(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref)
    steps.commit_sheet(world, ref, chair, steps.Scored(steps.sheet_of(world, ref, chair)))
    with world.work(chair) as work, pytest.raises(WrongStep, match="review.scoring_begun"):
        reviews.find_conformity(work, panel_in(work, world, ref), bids(world, ref)["bidder1"], votes_for=5)


@pytest.mark.rule("B-10")
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_works_panel_says_whether_few_bids_still_compete(world: World, goes_on: bool) -> None:
    """B-10: its rejections leave fewer than three. It goes on with its reason in the report, or rejects all."""
    ref = steps.opened(world, "WORKS")
    opening_steps.draw_coefficient(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder3",), competes=False)
    with world.view(chair) as view:
        assert queries.room(view, world.lot_in(view, ref)).next_step == "conform"
    with unchanged(world), pytest.raises(Conflict, match="review.competition_open"):
        steps.commit_sheet(world, ref, chair, steps.Scored(steps.sheet_of(world, ref, chair)))
    with unchanged(world), pytest.raises(Invalid), world.work(chair) as work:
        reviews.judge_competition(work, panel_in(work, world, ref), votes_for=5, reason=" ")
    with world.work(chair) as work:
        panel = panel_in(work, world, ref)
        votes = len(panels.seated(panel)) if goes_on else 1
        reviews.judge_competition(work, panel, votes_for=votes, reason="两家报价相近且低于控制价，竞争充分")
    if not goes_on:
        with world.view("clock") as view:
            lot = world.lot_in(view, ref)
            assert (lot.state, lot.failure) == ("FAILED", "no_competition")
        return
    with world.view(chair) as view:
        assert queries.room(view, world.lot_in(view, ref)).next_step == "commit"
    steps.score(world, ref)
    assert steps.draw_up(world, ref)["competition"] == "两家报价相近且低于控制价，竞争充分"


@pytest.mark.rule("B-10")
def test_what_was_said_of_few_bids_is_said_anew_when_a_finding_changes(world: World) -> None:
    ref = steps.opened(world, "WORKS")
    opening_steps.draw_coefficient(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder3",))
    with world.work(chair) as work:
        panel = panel_in(work, world, ref)
        reviews.find_conformity(work, panel, bids(world, ref)["bidder3"], votes_for=panel.members)
        with pytest.raises(Conflict, match="review.competition_clear"):
            reviews.judge_competition(work, panel, votes_for=panel.members, reason="x")
        reviews.require_settled(work.session, panel)
        reviews.find_conformity(
            work, panel, bids(world, ref)["bidder2"], votes_for=0, clause="三、2", reason="未响应实质性要求"
        )
        with pytest.raises(Conflict, match="review.competition_open"):
            reviews.require_settled(work.session, panel)


def test_works_need_one_bid_and_have_no_separate_qualification(world: World) -> None:
    ref = steps.opened(world, "WORKS")
    opening_steps.draw_coefficient(world, ref)
    assert state(world, ref) == "EVALUATION"
    steps.seated(world, ref)
    steps.conform(world, ref, reject=("bidder1", "bidder3"))
    with world.view(steps.chair_of(world, ref)) as view:
        panel = panel_in(view, world, ref)
        reviews.require_settled(view.session, panel)
        assert len(reviews.valid_bids(view.session, panel)) == 1
        assert queries.room(view, panel.lot).next_step == "commit"


@pytest.mark.rule("C-06", "C-08")
def test_only_a_works_price_above_the_ceiling_is_pointed_out(world: World) -> None:
    prices = {"bidder1": "2900000.00", "bidder2": "2900000.01", "bidder3": "2700000.00"}
    forms = {name: opening_steps.form("WORKS", price=price) for name, price in prices.items()}
    ref = steps.opened(world, "WORKS", forms=forms)
    with world.view("clock") as view:
        found = reviews.prompts(view.session, world.lot_in(view, ref))
    told = {name: [(one.code, one.rule) for one in found[at]] for name, at in bids(world, ref).items()}
    assert told == {"bidder1": [], "bidder2": [("review.above_ceiling", "C-06")], "bidder3": []}


@pytest.mark.rule("B-11", "9.2.failure")
def test_works_all_of_whose_bids_are_rejected_have_failed_and_are_tendered_again(world: World) -> None:
    ref = steps.opened(world, "WORKS")
    opening_steps.draw_coefficient(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref, reject=tuple(world.bidders))
    with world.work(chair) as work:
        reviews.fail(work, panel_in(work, world, ref), reason="全部投标均未响应实质性要求")
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        assert lot.state == "FAILED" and notices.latest(work.session, lot, "failure").body["ground"] == "all_rejected"
        again = tenders.retender(work, lot)
        assert (again.round, again.state, again.predecessor_id) == (2, "ACCEPTED", lot.id)

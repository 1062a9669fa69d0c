"""Panels: composition, the draw and its order, answers, avoidance once bidders are known, replacement, the chair."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from evaluation.panels import experts, panels, seating
from evaluation.reporting import queries
from evaluation.scoring import sheets
from tests.kit import evaluation_steps as steps
from tests.kit.evaluation_steps import SPECIALTY, panel_in
from tests.kit.world import SETUP, World
from trading import draws
from trading.kernel.access import Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, WrongStep
from trading.kernel.money import Money
from trading.parties import parties
from trading.tendering import projects, tenders


def codes(world: World, ref: str) -> list[str]:
    with world.view("clock") as view:
        return [seat.expert.code for seat in panels.in_play(panel_in(view, world, ref)) if seat.expert]


def drawn_order(world: World, ref: str) -> list[str]:
    with world.view("clock") as view:
        row = panel_in(view, world, ref).draw
        return [row.pool[at] for at in draws.order(row)]


@pytest.mark.rule("P-02")
@pytest.mark.parametrize(
    ("members", "drawn", "lawful"),
    [(5, None, True), (5, 4, True), (5, 3, False), (4, None, False), (3, None, False), (7, 5, True), (7, 8, False)],
)
def test_composition(world: World, members: int, drawn: int | None, lawful: bool) -> None:
    ref = world.lot("BIDDING")
    if lawful:
        steps.ask(world, ref, members=members, drawn=drawn)
    else:
        with pytest.raises(Invalid) as refusal:
            steps.ask(world, ref, members=members, drawn=drawn)
        assert [fault.code for fault in refusal.value.faults] == ["panel.composition"]


@pytest.mark.rule("P-01")
def test_a_works_panel_is_odd_five_or_more_and_two_thirds_drawn(world: World) -> None:
    ref = world.lot("BIDDING", "WORKS")
    for members, drawn in ((3, None), (4, None), (6, None), (5, 3)):
        with pytest.raises(Invalid) as refusal:
            steps.ask(world, ref, members=members, drawn=drawn)
        assert [(fault.code, fault.facts["rule"]) for fault in refusal.value.faults] == [("panel.composition", "P-01")]
    steps.ask(world, ref, members=5, drawn=4)


@pytest.mark.rule("P-03")
def test_the_group_of_a_large_inquiry_is_odd_and_five_or_more(world: World) -> None:
    ref = world.lot("BIDDING", "M5")  # its budget is above the open-tender threshold
    for members in (3, 4, 6):
        with pytest.raises(Invalid) as refusal:
            steps.ask(world, ref, members=members)
        assert [fault.facts["rule"] for fault in refusal.value.faults] == ["P-03"]
    steps.ask(world, ref, members=5)


@pytest.mark.rule("P-03")
def test_three_are_enough_for_a_small_inquiry(world: World) -> None:
    project, price = world.project(regime="M5", budget=Money.parse("1500000")), Money.parse("1500000")
    with world.work("agent") as work:
        lots = [world.lot_fields("M5") | {"budget": price, "ceiling": price, "deposit": Money.zero()}]
        ref = tenders.draft_tender(work, projects.project(work.session, project), title="课桌椅", lots=lots).lots[0].ref
    world.prepare(ref)
    world.publish(ref)
    world.issue(ref)
    with pytest.raises(Invalid) as refusal:
        steps.ask(world, ref, members=2)
    assert [fault.facts["rule"] for fault in refusal.value.faults] == ["P-03"]
    steps.ask(world, ref, members=3)


@pytest.mark.rule("P-05")
def test_nobody_of_the_purchaser_or_the_agency_is_in_the_pool(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.work("clerk") as work:
        for number, unit in ((3, "purchaser"), (4, "agency")):
            tie = {"code": parties_code(world, unit), "kind": "employed", "since": date(2018, 1, 1)}
            experts.add_tie(work, experts.by_code(work.session, f"E{number:03d}"), tie)
    steps.ask(world, ref)
    with world.view("clock") as view:
        pool = panel_in(view, world, ref).draw.pool
    assert len(pool) == 10 and not {"E003", "E004"} & set(pool)


@pytest.mark.rule("P-41")
def test_in_works_the_tenderees_representative_may_lead(world: World) -> None:
    steps.representative(world)
    ref = steps.opened(world, "WORKS")
    steps.ask(world, ref, members=5, drawn=4)
    with world.work("buyer") as work:
        person = parties.account(work.session, world.people["delegate"])
        panels.name_representatives(work, panel_in(work, world, ref), [person])
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    assert steps.elect(world, ref, 1) == "delegate"


@pytest.mark.rule("P-02")
def test_a_complex_project_needs_seven(world: World) -> None:
    ref = world.lot("BIDDING")
    with pytest.raises(Invalid):
        steps.ask(world, ref, technically_complex=True)
    steps.ask(world, ref, members=7, technically_complex=True)


@pytest.mark.rule("P-08")
def test_only_the_centre_asks_and_only_once(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.work("agent") as work, pytest.raises(NotAllowed):
        panels.request(work, world.lot_in(work, ref), members=5, specialties=[SPECIALTY], starts_at=world.now)
    with world.work("clerk") as work, pytest.raises(Invalid) as refusal:
        panels.request(
            work, world.lot_in(work, ref), members=5, specialties=[], starts_at=world.now - timedelta(hours=1)
        )
    assert {fault.code for fault in refusal.value.faults} == {"form.required", "panel.starts_past"}
    with world.work("clerk") as work, pytest.raises(Invalid, match="panel.pool_small"):
        panels.request(work, world.lot_in(work, ref), members=5, specialties=["B99"], starts_at=world.now)
    steps.ask(world, ref)
    with pytest.raises(Conflict, match="panel.exists"):
        steps.ask(world, ref)
    draft = world.lot("READY")
    with pytest.raises(WrongStep, match="panel.lot_state"):
        steps.ask(world, draft)


@pytest.mark.rule("P-14")
def test_called_in_the_drawn_order_and_substitutes_follow_it(world: World) -> None:
    ref = world.lot("BIDDING")
    steps.ask(world, ref)
    with world.work("clerk") as work, pytest.raises(WrongStep, match="draw.wrong_step"):
        panels.call(work, panel_in(work, world, ref))
    steps.draw_panel(world, ref)
    order = drawn_order(world, ref)
    assert len(order) == 12 and codes(world, ref) == order[:5]
    second = steps.usernames(world, ref)[2]
    with world.work(second) as work:
        panels.answer(work, panel_in(work, world, ref), accept=False, reason="出差")
    assert codes(world, ref) == [order[0], order[5], *order[2:5]]
    with world.work("clerk") as work:
        panels.mark_silent(work, panel_in(work, world, ref), 1)
    assert codes(world, ref) == [order[6], order[5], *order[2:5]]
    with world.work(second) as work, pytest.raises(NotFound, match="panel.not_yours"):
        panels.answer(work, panel_in(work, world, ref), accept=True, no_conflict=True)


def test_a_substitute_who_has_left_the_library_is_passed_over(world: World) -> None:
    ref = world.lot("BIDDING")
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    order = drawn_order(world, ref)
    with world.work("clerk") as work:
        experts.edit(work, experts.by_code(work.session, order[5]), active=False)
        panels.mark_silent(work, panel_in(work, world, ref), 3)
    assert codes(world, ref)[2] == order[6]


def test_accepting_needs_the_declaration(world: World) -> None:
    ref = world.lot("BIDDING")
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    with world.work(steps.usernames(world, ref)[1]) as work, pytest.raises(Invalid, match="seat.declare_first"):
        panels.answer(work, panel_in(work, world, ref), accept=True)


def test_nobody_sits_before_the_bidders_are_known(world: World) -> None:
    ref = world.lot("BIDDING")
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    with pytest.raises(TooEarly, match="panel.opening_first"):
        steps.convene(world, ref)
    with world.work("clerk") as work, pytest.raises(TooEarly, match="panel.opening_first"):
        panels.remove_matched(work, panel_in(work, world, ref))


@pytest.mark.rule("P-20")
def test_who_must_avoid_a_bidder_is_matched_and_replaced(world: World) -> None:
    """Drawn while the bidders were secret; one of the drawn once worked for one of them."""
    ref = steps.published(world)
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    order = drawn_order(world, ref)
    bidder = parties_code(world, "bidder2")
    with world.work("clerk") as work:
        for code in (order[1], order[5]):  # a member, and the first substitute too
            experts.add_tie(
                work,
                experts.by_code(work.session, code),
                {"code": bidder, "kind": "employed", "since": date(2018, 1, 1), "until": date(2025, 1, 1)},
            )
    from tests.kit import opening_steps

    opening_steps.open_lot(world, ref=ref)
    with pytest.raises(Conflict, match="panel.must_avoid") as refusal:
        steps.convene(world, ref)
    assert refusal.value.facts["places"] == [2]
    with world.work("clerk") as work:
        assert panels.remove_matched(work, panel_in(work, world, ref)) == [2]
    assert codes(world, ref) == [order[0], order[6], *order[2:5]]
    with pytest.raises(Conflict, match="panel.not_full"):
        steps.convene(world, ref)
    steps.accept_all(world, ref)
    steps.convene(world, ref)


def parties_code(world: World, short: str) -> str:
    with world.view("clock") as view:
        return parties.party(view.session, world.party_ids[short]).code


@pytest.mark.rule("P-20")
def test_bidders_are_left_out_of_a_pool_made_after_the_opening(world: World) -> None:
    ref = steps.opened(world)
    bidder = parties_code(world, "bidder1")
    with world.work("clerk") as work:
        experts.add_tie(
            work, experts.by_code(work.session, "E003"), {"code": bidder, "kind": "owner", "since": date(2018, 1, 1)}
        )
    steps.ask(world, ref)
    with world.view("clock") as view:
        assert "E003" not in panel_in(view, world, ref).draw.pool and len(panel_in(view, world, ref).draw.pool) == 11


@pytest.mark.rule("P-02", "P-40")
def test_representatives_are_the_purchasers_and_at_most_a_third(world: World) -> None:
    steps.representative(world)
    steps.representative(world, "delegate2")
    ref = steps.opened(world)
    steps.ask(world, ref, members=5, drawn=4)

    def name(*usernames: str, by: str = "buyer") -> list[panels.Seat]:
        with world.work(by) as work:
            people = [parties.account(work.session, world.people[one]) for one in usernames]
            return panels.name_representatives(work, panel_in(work, world, ref), people)

    for usernames, code in [
        (("delegate", "delegate2"), "panel.too_many_representatives"),
        (("expert01",), "panel.not_a_representative"),
        (("buyer",), "panel.not_a_representative"),
    ]:
        with pytest.raises(Invalid) as refusal:
            name(*usernames)
        assert [fault.code for fault in refusal.value.faults] == [code]
    assert [(seat.no, seat.kind) for seat in name("delegate")] == [(1, "purchaser")]
    steps.draw_panel(world, ref)
    assert list(steps.usernames(world, ref)) == [1, 2, 3, 4, 5]
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    with world.work(
        "expert01" if "expert01" in steps.usernames(world, ref).values() else steps.usernames(world, ref)[2]
    ) as work:
        with pytest.raises(Invalid, match="panel.chair_kind"):  # P-40
            seating.vote_chair(work, panel_in(work, world, ref), 1)
    assert steps.elect(world, ref, 3) == steps.usernames(world, ref)[3]


@pytest.mark.rule("P-40")
def test_the_chair_has_more_than_half_of_the_votes(world: World) -> None:
    ref = steps.opened(world)
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    members = steps.usernames(world, ref)

    def vote(voter: int, no: int) -> int:
        with world.work(members[voter]) as work:
            chair = seating.vote_chair(work, panel_in(work, world, ref), no)
            return chair.no if chair else 0

    assert [vote(1, 4), vote(2, 4), vote(3, 5), vote(4, 5)] == [0, 0, 0, 0]
    assert vote(5, 4) == 4
    assert vote(1, 3) == 4  # a change of mind that leaves nobody with more than half changes nothing
    assert vote(2, 5) == 5
    with world.work("clerk") as work, pytest.raises(NotAllowed):
        seating.vote_chair(work, panel_in(work, world, ref), 4)


@pytest.mark.rule("P-22", "P-30", "P-31")
@pytest.mark.parametrize("regime", ["GP", "WORKS"])
def test_one_who_leaves_is_replaced_and_everything_of_his_is_void(world: World, regime: str) -> None:
    ref = steps.opened(world, regime)
    if regime == "GP":
        steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    kept = {name: steps.Scored(steps.sheet_of(world, ref, name)) for name in steps.usernames(world, ref).values()}
    for username, one in kept.items():
        steps.commit_sheet(world, ref, username, one)
    leaver = steps.usernames(world, ref)[1]
    with world.work(leaver) as work:
        panels.recuse(work, panel_in(work, world, ref), reason="与投标人有亲属关系")
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        assert panel.state == "CALLED" and panel.round == 1
        assert [seat.state for seat in panels.in_play(panel)] == [
            "called",
            "accepted",
            "accepted",
            "accepted",
            "accepted",
        ]
        assert len(sheets.commits_of(view.session, panel)) == 5  # his is there and counts for nobody who sits
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    with world.view("clerk") as view:
        card = queries.panel_card(view, world.lot_in(view, ref))
        assert [seat.progress for seat in card.seats] == ["", "committed", "committed", "committed", "committed"]
        assert any(call.state == "recused" for call in card.calls)
    with world.work(leaver) as work, pytest.raises(NotFound):
        seating.vote_chair(work, panel_in(work, world, ref), 2)


def test_a_member_without_a_key_cannot_sit(world: World) -> None:
    with world.office.work(SETUP) as work:
        party = parties.register(work, code="PERSON900", name="无证书专家", kind="expert")
        who = parties.invite(
            work, party, username="keyless", name="无证书专家", password="correct horse battery", roles=[Role.EXPERT]
        )
        world.people["keyless"] = who.id
    with world.work("clerk") as work:
        for number in range(5, 13):
            experts.edit(work, experts.by_code(work.session, f"E{number:03d}"), active=False)
        experts.register(
            work, parties.account(work.session, world.people["keyless"]), code="E900", unit="x", specialties=[SPECIALTY]
        )
    ref = steps.opened(world)
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    with pytest.raises(Conflict, match="panel.no_key"):
        steps.convene(world, ref)


@pytest.mark.rule("P-12", "P-13", "P-44")
def test_the_centre_reads_no_name_and_the_called_no_project(world: World) -> None:
    ref = steps.opened(world)
    steps.ask(world, ref, avoid=[{"code": "91130205MA00009999", "name": "某公司"}])
    steps.draw_panel(world, ref)
    with world.view("clerk") as view:
        card = queries.panel_card(view, world.lot_in(view, ref))
    told = repr(card)
    assert not any(
        f"专家{number}" in told or f"E{number:03d}" in told or steps.expert_name(number) in told
        for number in range(1, 13)
    )
    assert card.avoid == ("某公司",) and card.draw.take == 5 and len(card.draw.picks) == 5
    username = steps.usernames(world, ref)[1]
    with world.view(username) as view:
        calls = queries.own_calls(view)
    assert len(calls) == 1 and ref.rsplit("-", 1)[0] not in repr(calls)
    with world.view("agent") as view, pytest.raises(NotAllowed):
        queries.panel_card(view, world.lot_in(view, ref))
    outsider = next(
        name for name in map(steps.expert_name, range(1, 13)) if name not in steps.usernames(world, ref).values()
    )
    with world.view(outsider) as view, pytest.raises(NotFound):
        queries.room(view, world.lot_in(view, ref))

"""Cards: what each desk is told, and what it never is."""

from __future__ import annotations

import pytest

from evaluation.panels import panels
from evaluation.reporting import queries
from evaluation.scoring import reviews, sheets
from tests.kit import evaluation_steps as steps
from tests.kit.evaluation_steps import panel_in
from tests.kit.opening_steps import turn
from tests.kit.world import World
from trading.kernel.errors import NotAllowed, NotFound, WrongStep


def step(world: World, ref: str, username: str) -> str:
    with world.view(username) as view:
        return queries.room(view, world.lot_in(view, ref)).next_step


def test_the_room_says_what_to_do_next(world: World) -> None:
    from crypto.signatures import countersign

    ref = steps.opened(world)
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    members = list(steps.usernames(world, ref).values())
    with world.view(members[0]) as view, pytest.raises(WrongStep, match="seat.wrong_step"):
        queries.room(view, world.lot_in(view, ref))
    steps.convene(world, ref)
    chair, other = members[-1], members[0]
    assert step(world, ref, other) == "wait_qualification"
    steps.qualify(world, ref)
    assert step(world, ref, other) == "elect"
    steps.elect(world, ref)
    assert (step(world, ref, chair), step(world, ref, other)) == ("conform", "wait_conform")
    steps.conform(world, ref)
    kept = {name: steps.Scored(steps.sheet_of(world, ref, name)) for name in members}
    assert step(world, ref, other) == "commit"
    for name in members:
        steps.commit_sheet(world, ref, name, kept[name])
        assert step(world, ref, members[0]) == ("list" if name == chair else "wait_commit")
    turn(world)
    for name in members:
        with world.work(name) as work:
            panel = panel_in(work, world, ref)
            listing = sheets.list_commits(work, panel).listing
        assert step(world, ref, name) == "sign_list"
        with world.work(name) as work:
            sheets.sign_list(work, panel_in(work, world, ref), countersign(listing, world.keys[name].sign))
        assert step(world, ref, name) == ("reveal" if name == chair else "wait_list")
    turn(world)
    for name in members:
        steps.reveal_sheet(world, ref, name, kept[name])
        assert step(world, ref, name) == ("draw_up" if name == chair else "wait_reveal")
    assert step(world, ref, other) == "wait_report"
    steps.draw_up(world, ref)
    for name in members:
        assert step(world, ref, name) == "sign"
        steps.sign_report(world, ref, name)
    assert (step(world, ref, chair), step(world, ref, other)) == ("conclude", "wait_sign")
    steps.conclude(world, ref)
    assert {step(world, ref, name) for name in members} == {"done"}


def test_a_member_sees_bids_with_prompts_and_seats_by_number(world: World) -> None:
    ref = steps.opened(world)
    steps.qualify(world, ref, reject=())
    steps.seated(world, ref)
    username = steps.usernames(world, ref)[1]
    with world.view(username) as view:
        card = queries.room(view, world.lot_in(view, ref))
    assert [bid.bidder for bid in card.bids] == [f"投标单位{at}有限公司" for at in (1, 2, 3)]
    assert all(bid.finding is None and bid.files[0].name == "投标文件.txt" for bid in card.bids)
    assert [seat.no for seat in card.seats] == [1, 2, 3, 4, 5] and {seat.name for seat in card.seats} == {""}
    assert sum(seat.is_chair for seat in card.seats) == 1
    assert "专家" not in "".join(repr(seat) for seat in card.seats)


def test_members_find_their_rooms_and_nobody_elses(world: World) -> None:
    ref = steps.opened(world)
    steps.seated(world, ref)
    members = set(steps.usernames(world, ref).values())
    for name in map(steps.expert_name, range(1, 13)):
        with world.view(name) as view:
            assert queries.own_rooms(view) == ([ref] if name in members else [])
            panel_id = panel_in(view, world, ref).id
            if name in members:
                assert queries.own_panel(view, panel_id).id == panel_id
            else:
                with pytest.raises(NotFound):
                    queries.own_panel(view, panel_id)


@pytest.mark.rule("X-11")
def test_desks_that_have_no_business_there_are_refused(world: World) -> None:
    ref = steps.opened(world)
    steps.seated(world, ref)
    for username in ("buyer", "agent", "bidder1", "host"):
        with world.view(username) as view, pytest.raises(NotAllowed):
            queries.panel_card(view, world.lot_in(view, ref))
        with world.view(username) as view, pytest.raises(NotAllowed):
            queries.room(view, world.lot_in(view, ref))
        with world.view(username) as view, pytest.raises(NotAllowed):
            queries.expert_cards(view)
    with world.view("watch") as view:
        assert queries.panel_card(view, world.lot_in(view, ref)).state == "SEATED"
    with world.view("clerk") as view:
        library = queries.expert_cards(view)
    assert [one.code for one in library] == [f"E{number:03d}" for number in range(1, 13)]


@pytest.mark.rule("P-44")
def test_names_are_read_once_the_result_is_out(world: World) -> None:
    from trading.awarding import awards

    ref = steps.evaluated(world)
    with world.view("clerk") as view:
        assert {seat.name for seat in queries.panel_card(view, world.lot_in(view, ref)).seats} == {""}
    with world.work("buyer") as work:
        awards.decide(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        awards.announce(work, world.lot_in(work, ref))
    with world.view("clerk") as view:
        card = queries.panel_card(view, world.lot_in(view, ref))
    assert all(seat.name.startswith("专家") and seat.progress == "signed" for seat in card.seats)


def test_blind_names_do_not_follow_the_set(world: World) -> None:
    """Of one and the same set two panels give the names differently: the order hangs on a secret salt."""
    ref = steps.opened(world)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        bids = reviews.qualified(view.session, panel.lot)
        orders = set()
        for salt in range(40):
            panel.blind_salt = bytes([salt]) * 32
            labels = panels.blind_labels(panel, bids)
            assert sorted(labels.values()) == sorted("松竹梅")
            orders.add(tuple(labels[bid.id] for bid in bids))
        view.session.expunge_all()
    assert len(orders) == 6

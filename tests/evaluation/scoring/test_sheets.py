"""Score sheets: commit, list, reveal together; nobody sees, changes or swaps a sheet in between."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from crypto.canonical import b64u, format_time, loads
from crypto.documents import open_document
from crypto.keys import new_secret
from crypto.signatures import countersign, payload_of, sign
from evaluation.panels import panels
from evaluation.reporting import queries
from evaluation.scoring import sheets
from tests.kit import evaluation_steps as steps
from tests.kit.evaluation_steps import Scored, panel_in
from tests.kit.opening_steps import turn
from tests.kit.schemes import SCHEMES
from tests.kit.world import World
from trading.kernel import log
from trading.kernel.audit import document
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, SignInNeeded, TooEarly, WrongStep


@pytest.fixture
def ref(world: World) -> str:
    """A lot whose panel may score."""
    made = steps.opened(world)
    steps.qualify(world, made)
    steps.seated(world, made)
    steps.conform(world, made)
    return made


def members(world: World, ref: str) -> list[str]:
    return list(steps.usernames(world, ref, "seated").values())


def test_a_sheet_goes_through_commit_list_and_reveal(world: World, ref: str) -> None:
    steps.score(world, ref)
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        assert panel.state == "REVEALED"
        listed = sheets.find_list(view.session, panel)
        assert listed is not None and listed.c is not None and listed.statement is not None
        seats = panels.in_document_order(panels.seated(panel))
        keys = [panels.sign_key(view.session, seat) for seat in seats]
        told = open_document(document(view.session, listed.statement), "commit-list", world.office.keys.public, *keys)
        commits = sheets.commits_of(view.session, panel)
        assert told["of"] == panel.lot.log_of and told["entries"] == [commits[seat.id].c for seat in seats]
        list_tick = log.tick_of(view.session, listed.c)
        assert list_tick is not None
        for entry in told["entries"]:  # the commitments' ticks lie before the list's, the list's before the reveals'
            tick = log.tick_of(view.session, entry)
            assert tick is not None and tick.tick < list_tick.tick
    turn(world)
    with world.view("clock") as view:
        for sheet in sheets.revealed(view.session, panel_in(view, world, ref)):
            tick = log.tick_of(view.session, sheet.c)
            assert tick is not None and tick.tick > list_tick.tick


def test_scoring_waits_for_qualification_chair_and_findings(world: World) -> None:
    ref = steps.opened(world)
    steps.ask(world, ref)
    steps.draw_panel(world, ref)
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    username = members(world, ref)[0]

    def commit() -> None:
        steps.commit_sheet(world, ref, username, Scored({"v": 1}))

    with pytest.raises(WrongStep, match="panel.no_chair"):
        commit()
    chair = steps.elect(world, ref)
    with pytest.raises(WrongStep, match="sheet.not_yet"):
        commit()
    with world.view(username) as view:
        card = queries.room(view, world.lot_in(view, ref))
        assert (
            card.next_step == "wait_qualification" and card.bids == ()
        )  # no bid is shown before qualification is over
    steps.qualify(world, ref)
    with pytest.raises(Conflict, match="review.open"):
        commit()
    with world.view(chair) as view:
        assert queries.room(view, world.lot_in(view, ref)).next_step == "conform"


def test_a_commitment_is_the_members_own(world: World, ref: str) -> None:
    one, other = members(world, ref)[:2]
    kept = Scored(steps.sheet_of(world, ref, one))

    def attempt(changes: dict[str, Any], key: bytes) -> str:
        with pytest.raises(Invalid, match="sheet.bad_commit") as refusal, world.work(one) as work:
            panel = panel_in(work, world, ref)
            told = sheets.commit_document(
                panel, panels.own_seat(work, panel), commit=kept.commit, at=format_time(work.now)
            )
            sheets.commit(work, panel, sign("sheet-commit", told | changes, key))
        return str(refusal.value.facts["reason"])

    own = world.keys[one].sign
    assert attempt({}, world.keys[other].sign) == "SIG"
    assert attempt({}, new_secret()) == "SIG"
    assert attempt({"expert": other}, own) == "CONTEXT_MISMATCH"
    assert attempt({"lot": "2"}, own) == "CONTEXT_MISMATCH"
    assert attempt({"at": "2026-01-01T00:00:00Z"}, own) == "CONTEXT_MISMATCH"
    with world.work("buyer") as work, pytest.raises(NotAllowed):
        sheets.commit(work, panel_in(work, world, ref), {})
    outsider = next(name for name in map(steps.expert_name, range(1, 13)) if name not in members(world, ref))
    with world.work(outsider) as work, pytest.raises(NotFound):
        sheets.commit(work, panel_in(work, world, ref), {})


def test_a_late_change_before_the_list_needs_a_reason_and_counts(world: World, ref: str) -> None:
    kept = steps.commit_all(world, ref)
    name = next(iter(kept))
    changed = Scored(steps.sheet_of(world, ref, name, {(parties_of(world, ref)[0], "plan"): "33.00"}))
    with pytest.raises(Invalid, match="sheet.reason_missing"):
        steps.commit_sheet(world, ref, name, changed)
    steps.commit_sheet(world, ref, name, changed, reason="漏看附件三")
    steps.list_all(world, ref)
    with pytest.raises(Invalid, match="sheet.bad_sheet"):
        steps.reveal_sheet(world, ref, name, kept[name])
    steps.reveal_sheet(world, ref, name, changed)


def parties_of(world: World, ref: str) -> list[str]:
    with world.view("clock") as view:
        return list(sheets.names_of(view.session, panel_in(view, world, ref)))


def test_the_list_waits_for_everybody_and_for_the_log(world: World, ref: str) -> None:
    first, *rest = members(world, ref)
    steps.commit_sheet(world, ref, first, Scored(steps.sheet_of(world, ref, first)))
    with world.work(first) as work, pytest.raises(TooEarly, match="sheet.waiting") as refusal:
        sheets.list_commits(work, panel_in(work, world, ref))
    assert len(refusal.value.facts["places"]) == 4
    for name in rest:
        steps.commit_sheet(world, ref, name, Scored(steps.sheet_of(world, ref, name)))
    with world.work(first) as work, pytest.raises(TooEarly, match="sheet.not_sealed"):
        sheets.list_commits(work, panel_in(work, world, ref))
    with world.work(first) as work, pytest.raises(TooEarly, match="sheet.no_list"):
        sheets.sign_list(work, panel_in(work, world, ref), {})
    turn(world)
    with world.work(first) as work:
        sheets.list_commits(work, panel_in(work, world, ref))
    with pytest.raises(Conflict, match="sheet.listed"):
        steps.commit_sheet(world, ref, first, Scored(steps.sheet_of(world, ref, first)), reason="x")


def test_a_list_signed_by_another_or_altered_is_refused(world: World, ref: str) -> None:
    steps.commit_all(world, ref)
    turn(world)
    one, other = members(world, ref)[:2]
    with world.work(one) as work:
        listing = copy.deepcopy(sheets.list_commits(work, panel_in(work, world, ref)).listing)
    told = loads(payload_of(listing))
    forged = sign("commit-list", told | {"entries": told["entries"][::-1]}, world.keys[one].sign)
    for envelope in (listing, countersign(listing, world.keys[other].sign), forged):
        with world.work(one) as work, pytest.raises(Invalid, match="sheet.bad_list"):
            sheets.sign_list(work, panel_in(work, world, ref), envelope)
    with world.work(one) as work:
        sheets.sign_list(work, panel_in(work, world, ref), countersign(listing, world.keys[one].sign))
    with pytest.raises(WrongStep, match="panel.wrong_step"):  # four have not signed yet
        steps.reveal_sheet(world, ref, one, Scored(steps.sheet_of(world, ref, one)))


def test_no_reveal_before_the_signed_list_is_in_the_log(world: World, ref: str) -> None:
    kept = steps.commit_all(world, ref)
    turn(world)
    for name in members(world, ref):
        with world.work(name) as work:
            panel = panel_in(work, world, ref)
            sheets.sign_list(work, panel, countersign(sheets.list_commits(work, panel).listing, world.keys[name].sign))
    name = next(iter(kept))
    with pytest.raises(TooEarly, match="sheet.list_not_sealed"):
        steps.reveal_sheet(world, ref, name, kept[name])


def test_only_the_committed_sheet_can_be_revealed(world: World, ref: str) -> None:
    kept = steps.commit_all(world, ref)
    steps.list_all(world, ref)
    name, other = list(kept)[:2]
    one = kept[name]

    def attempt(sheet: dict[str, Any], salt: bytes, key: bytes) -> str:
        with pytest.raises(Invalid, match="sheet.bad_sheet") as refusal, world.work(name) as work:
            sheets.reveal(work, panel_in(work, world, ref), sign("sheet", sheet, key), salt=b64u(salt))
        return str(refusal.value.facts["reason"])

    own = world.keys[name].sign
    better = copy.deepcopy(one.sheet)
    better["bids"][0]["items"][0]["score"] = "40.00"
    assert attempt(better, one.salt, own) == "CONTEXT_MISMATCH"
    assert attempt(one.sheet, new_secret(), own) == "CONTEXT_MISMATCH"
    assert attempt(one.sheet, one.salt, world.keys[other].sign) == "SIG"
    assert attempt(one.sheet, b"short", own) == "JSON_PROFILE"
    steps.reveal_sheet(world, ref, name, one)
    with pytest.raises(Conflict, match="sheet.revealed"):
        steps.reveal_sheet(world, ref, name, one)


def test_a_reveal_wants_a_fresh_sign_in(world: World, ref: str) -> None:
    kept = steps.commit_all(world, ref)
    steps.list_all(world, ref)
    name = next(iter(kept))
    actor = world.actor(name)
    world.clock.advance(minutes=11)
    with world.office.work(actor) as work, pytest.raises(SignInNeeded):
        sheets.reveal(work, panel_in(work, world, ref), {}, salt="")


@pytest.mark.rule("E-01e", "P-45", "9.1.scores")
def test_nobody_sees_another_sheet_before_all_are_revealed(world: World, ref: str) -> None:
    kept = steps.commit_all(world, ref)
    steps.list_all(world, ref)
    first, *rest = kept
    steps.reveal_sheet(world, ref, first, kept[first])
    secret = kept[first].sheet["bids"][0]["items"][0]["score"]
    for name in rest:
        with world.view(name) as view:
            card = queries.room(view, world.lot_in(view, ref))
        assert card.cells == () and card.sheet is None and card.next_step == "reveal"
        assert [seat.progress for seat in card.seats if seat.progress == "revealed"] == ["revealed"]
        assert f"'score': '{secret}'" not in repr(card)
    with world.view(first) as view:
        assert queries.room(view, world.lot_in(view, ref)).sheet == kept[first].sheet
    with world.view("clerk") as view:
        assert "score" not in repr(queries.panel_card(view, world.lot_in(view, ref)))
    for name in rest:
        steps.reveal_sheet(world, ref, name, kept[name])
    with world.view(first) as view:
        cells = queries.room(view, world.lot_in(view, ref)).cells
    assert len(cells) == 6 and all(len(cell.points) == 5 for cell in cells)


@pytest.mark.rule("E-32")
def test_a_sheet_out_of_range_is_refused_and_the_panel_scores_again(world: World, ref: str) -> None:
    bad, bidder = members(world, ref)[0], parties_of(world, ref)[0]
    kept = steps.commit_all(world, ref, {bad: {(bidder, "plan"): "41.00", (bidder, "warranty"): "15"}})
    steps.list_all(world, ref)
    with pytest.raises(Invalid, match="sheet.faults") as refusal:
        steps.reveal_sheet(world, ref, bad, kept[bad])
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [
        (f"bids.{bidder}.plan", "sheet.out_of_range"),
        (f"bids.{bidder}.warranty", "sheet.out_of_range"),
    ]
    chair = steps.chair_of(world, ref)
    other = next(name for name in kept if name != chair)
    with world.work(other) as work, pytest.raises(NotAllowed, match="panel.not_chair"):
        sheets.recheck(work, panel_in(work, world, ref), ground="bad_sheet", reason="越界")
    with world.work(chair) as work:
        with pytest.raises(Invalid, match="sheet.ground"):
            sheets.recheck(work, panel_in(work, world, ref), ground="mood", reason="越界")
        sheets.recheck(work, panel_in(work, world, ref), ground="bad_sheet", reason="一份评分表越界")
    with pytest.raises(Invalid, match="sheet.reason_missing"):
        steps.commit_sheet(world, ref, bad, Scored(steps.sheet_of(world, ref, bad)))
    steps.score(world, ref, reason="复核")
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        assert (panel.state, panel.round) == ("REVEALED", 2) and len(sheets.commits_of(view.session, panel, 1)) == 5


@pytest.mark.rule("P-47")
def test_in_a_blind_review_no_name_and_no_price_reaches_the_room(world: World) -> None:
    ref = steps.opened(world, scheme=SCHEMES["GP"] | {"blind": True})
    steps.qualify(world, ref)
    chair = steps.seated(world, ref)
    steps.conform(world, ref)
    with world.view(chair) as view:
        card = queries.room(view, world.lot_in(view, ref))
    assert sorted(bid.name for bid in card.bids) == sorted("松竹梅") and all(
        bid.price is None and not bid.announce for bid in card.bids
    )
    assert "投标单位" not in repr(card) and "91130205MA0000" not in repr(card)
    steps.score(world, ref)
    with world.view(chair) as view:
        panel = panel_in(view, world, ref)
        assert {code for by_bid in sheets.scores_of(view.session, panel).values() for code in by_bid} == {
            bid.party.code for bid in sheets.names_of(view.session, panel).values()
        }


@pytest.mark.rule("P-30")
def test_a_chair_who_will_not_reveal_is_replaced_and_all_score_anew(world: World, ref: str) -> None:
    chair = steps.chair_of(world, ref)
    place = next(no for no, name in steps.usernames(world, ref).items() if name == chair)
    steps.commit_all(world, ref)
    steps.list_all(world, ref)
    with world.work("clerk") as work:
        panels.remove(work, panel_in(work, world, ref), place, reason="拒绝公开评分表")
    steps.accept_all(world, ref)
    steps.convene(world, ref)
    steps.elect(world, ref, 1)
    steps.conform(world, ref)  # what the earlier composition found is void too
    steps.score(world, ref, reason="重新评审")
    with world.view("clock") as view:
        panel = panel_in(view, world, ref)
        assert (panel.state, panel.round) == ("REVEALED", 2) and chair not in steps.usernames(world, ref).values()

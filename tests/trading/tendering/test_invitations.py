"""Invited tenders: who may take part and read the documents, by the record of the invitations and by nothing else (TL art. 17)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

from tests.kit import opening_steps
from tests.kit.world import World
from trading import draws, publication
from trading.bidding import participants
from trading.kernel.access import PUBLIC
from trading.kernel.errors import Invalid, NotAllowed, NotFound, WrongStep
from trading.parties import parties
from trading.tendering import documents, invitations
from trading.tendering.invitations import Invitation


def code_of(world: World, name: str) -> str:
    with world.view("clock") as view:
        return parties.party(view.session, world.party_ids[name]).code


def called(world: World, ref: str) -> list[str]:
    with world.view("agent") as view:
        return [row.party.code for row in invitations.invited(view.session, world.lot_in(view, ref))]


def test_invited_are_chosen_by_code_or_name_all_or_none_before_the_notice(world: World) -> None:
    ref = world.lot("DRAFTED", "M9")
    one, two = (code_of(world, name) for name in world.bidders[:2])
    with world.view("clock") as view:
        name = parties.party(view.session, world.party_ids[world.bidders[1]]).name
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), [one, "无名公司", code_of(world, "agency")])
    assert [fault.code for fault in refusal.value.faults] == ["invitation.unknown", "invitation.unknown"]
    assert called(world, ref) == []
    with world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), [one.lower(), f" {name} ", one])
    assert sorted(called(world, ref)) == sorted([one, two])
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), [two])
    assert refusal.value.faults[0].code == "invitation.twice"
    with world.work("agent") as work:
        invitations.take_back(work, world.lot_in(work, ref), two)
        with pytest.raises(NotFound):
            invitations.take_back(work, world.lot_in(work, ref), two)
    assert called(world, ref) == [one]


@pytest.mark.rule("M9.3")
def test_too_few_are_not_published_and_nobody_is_added_afterwards(world: World) -> None:
    """Rule M9.3."""
    ref = world.lot("READY", "M9")
    last = called(world, ref)[-1]
    with world.work("agent") as work:
        invitations.take_back(work, world.lot_in(work, ref), last)
    with pytest.raises(Invalid, match="lot.not_publishable") as refusal, world.work("agent") as work:
        publication.publish(work, world.lot_in(work, ref))
    assert [(fault.code, fault.facts["rule"]) for fault in refusal.value.faults] == [("lot.few_invited", "M9.3")]
    with world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), [last])
    world.publish(ref)
    with pytest.raises(WrongStep), world.work("agent") as work:
        invitations.take_back(work, world.lot_in(work, ref), last)


def test_an_open_tender_has_no_list(world: World) -> None:
    ref = world.lot("DRAFTED")
    with pytest.raises(WrongStep, match="invitation.open_method"), world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), [code_of(world, world.bidders[0])])


def test_only_the_invited_take_part_and_read_whatever_the_rows_say(world: World) -> None:
    ref = world.lot("READY", "M9")
    out = world.bidders[-1]
    with world.work("agent") as work:  # two invited and one more; the last bidder is not among them
        lot = world.lot_in(work, ref)
        invitations.take_back(work, lot, code_of(world, out))
        stand_in = parties.Party(kind="bidder", code="91130205MA0000STND", name="替补单位", region="130205")
        work.session.add(stand_in)
        work.session.flush()
        invitations.invite(work, lot, ["替补单位"])
    world.publish(ref)
    world.issue(ref)
    with world.view(out) as view:
        lot = world.lot_in(view, ref)
        assert not documents.may_take(view, lot) and invitations.own(view) == []
    with world.office.view(PUBLIC) as view:
        assert not documents.may_take(view, world.lot_in(view, ref))
    with world.view(world.bidders[0]) as view:
        lot = world.lot_in(view, ref)
        assert documents.may_take(view, lot) and [one.ref for one in invitations.own(view)] == [ref]
    with pytest.raises(NotAllowed, match="invitation.none"), world.work(out) as work:
        participants.take_part(work, world.lot_in(work, ref))
    first = world.party_ids[world.bidders[0]]
    with world.work("clock") as work:  # by hand: a row put in invites nobody, one taken out shuts nobody out
        lot = world.lot_in(work, ref)
        work.session.add(Invitation(lot_id=lot.id, party_id=world.party_ids[out], chosen=True, made_at=work.now))
        work.session.execute(delete(Invitation).where(Invitation.party_id == first))
    with pytest.raises(NotAllowed, match="invitation.none"), world.work(out) as work:
        participants.take_part(work, world.lot_in(work, ref))
    with world.work(world.bidders[0]) as work:
        assert participants.take_part(work, world.lot_in(work, ref)) is not None
    with world.view("clock") as view:
        named = {(one.table, one.column) for one in invitations.differences(view, world.lot_in(view, ref))}
    assert named == {("invitation", "chosen"), ("invitation", "party_id")}


@pytest.mark.rule("M2.3")
def test_the_invited_are_drawn_by_lot_and_nobody_else_gets_in(engine: Engine, tmp_path: Path) -> None:
    """Rules M2.3, M2.3.pool; GPL art. 34: the agency freezes the list, centre and purchaser play the draw, the notice follows."""
    world = World(engine, tmp_path, bidders=6)
    ref = world.lot("READY", "M2")
    assert called(world, ref) == []
    with pytest.raises(Invalid, match="lot.not_publishable"), world.work("agent") as work:
        publication.publish(work, world.lot_in(work, ref))
    for take, code in ((2, "invitation.take"), (4, "invitation.pool_small")):
        with world.view("agent") as view, pytest.raises(Invalid) as refusal:
            invitations.check_pool(view.session, world.lot_in(view, ref), take, view.now)
        assert [fault.code for fault in refusal.value.faults] == [code]
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        codes = invitations.check_pool(work.session, lot, 3, work.now)
        draws.announce(work, lot, label="invited", pool=codes, take=3)
        gone = codes[0]
    with world.work("agent") as work:  # a list changed while the draw is played changes nothing
        invitations.take_back(work, world.lot_in(work, ref), gone)
    opening_steps.play_draw(world, ref, "invited", hosted_by="clerk")
    drawn = called(world, ref)
    assert len(drawn) == 3 and set(drawn) <= set(codes)
    with pytest.raises(WrongStep, match="invitation.drawn"), world.work("agent") as work:
        invitations.invite(work, world.lot_in(work, ref), codes)
    world.publish(ref)
    world.issue(ref)
    for name in world.bidders:
        if code_of(world, name) in drawn:
            with world.work(name) as work:
                participants.take_part(work, world.lot_in(work, ref))
        else:
            with pytest.raises(NotAllowed, match="invitation.none"), world.work(name) as work:
                participants.take_part(work, world.lot_in(work, ref))
    with world.view("clock") as view:
        assert list(invitations.differences(view, world.lot_in(view, ref))) == []

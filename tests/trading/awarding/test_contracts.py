"""Contracts: the award's price and no other, within their days, stopped by an open challenge, told in full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.kit import stages
from tests.kit.rows import unchanged
from tests.kit.world import World
from tests.trading.awarding.test_awards import answer, objection
from trading import timeline
from trading.awarding import awards, contracts
from trading.awarding.contracts import Contract
from trading.kernel.calendar import local_day
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, WrongStep
from trading.rulebook import calendars
from trading.tendering.notices import Notice


def announced(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.proposed(world)
        with world.work("buyer") as work:
            awards.decide(work, world.lot_in(work, ref))
        with world.work("agent") as work:
            awards.announce(work, world.lot_in(work, ref))
        world.clock.advance(days=3)
        return ref

    return str(stages.reach(world, "announced", build))


def record(world: World, ref: str, username: str = "agent", **how: Any) -> Contract:
    with world.work(username) as work:
        lot = world.lot_in(work, ref)
        price = awards.award(work.session, lot).price_minor
        given = {"number": "HT-2026-01", "amount_minor": price, "signed_at": world.now - timedelta(hours=1)} | how
        return contracts.record(work, lot, **given)


def test_another_price_or_day_is_refused_with_all_faults(world: World) -> None:
    ref = announced(world)
    with world.view("clock") as view:
        row = awards.award(view.session, world.lot_in(view, ref))
    assert row.price_minor is not None and row.announced_at is not None
    early, late = row.announced_at - timedelta(microseconds=1), world.now + timedelta(microseconds=1)
    for how, codes in (
        ({"amount_minor": row.price_minor - 1}, {"contract.other_price"}),
        ({"amount_minor": row.price_minor + 1}, {"contract.other_price"}),
        ({"signed_at": early}, {"contract.bad_day"}),
        ({"signed_at": late}, {"contract.bad_day"}),
        ({"number": " "}, {"form.required"}),
        (
            {"amount_minor": 0, "signed_at": early, "number": ""},
            {"contract.other_price", "contract.bad_day", "form.required"},
        ),
    ):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            record(world, ref, **how)
        assert {f.code for f in refusal.value.faults} == codes
    for signed in (row.announced_at, world.now):
        assert row.announced_at <= signed
    found = record(world, ref, signed_at=row.announced_at)
    assert found.amount_minor == row.price_minor and found.party_id == row.winner_party_id and found.differences == []
    assert found.publish_by is not None and found.file_by is not None


@pytest.mark.rule("B-17")
def test_an_open_challenge_stops_the_contract(world: World) -> None:
    ref = announced(world)
    filed = objection(world, ref)
    with unchanged(world), pytest.raises(Conflict) as refusal:
        record(world, ref)
    assert refusal.value.code == "objection.open"
    answer(world, filed, upheld=False)
    assert record(world, ref).number == "HT-2026-01"


def test_a_late_contract_is_shown_as_late(world: World) -> None:
    ref = announced(world)
    with world.view("clock") as view:
        by = awards.award(view.session, world.lot_in(view, ref)).contract_by
    assert by is not None
    world.clock.set(by + timedelta(days=1))
    assert record(world, ref, signed_at=by - timedelta(microseconds=1)).differences == []


@pytest.mark.rule("T-14")
def test_late_by_a_moment(world: World) -> None:
    ref = announced(world)
    with world.view("clock") as view:
        by = awards.award(view.session, world.lot_in(view, ref)).contract_by
    assert by is not None
    world.clock.set(by + timedelta(days=1))
    (difference,) = record(world, ref, signed_at=by).differences
    assert difference["field"] == "signed_at"


def test_who_records_and_only_once(world: World) -> None:
    ref = announced(world)
    for username in ("agent2", "clerk", "watch", "bidder1", "host"):
        with unchanged(world), pytest.raises(NotAllowed):
            record(world, ref, username)
    record(world, ref, "buyer")
    with unchanged(world), pytest.raises(WrongStep):
        record(world, ref)


@pytest.mark.rule("T-15", "T-16")
def test_a_contract_is_public_in_two_and_filed_in_seven_working_days(world: World) -> None:
    row = record(world, announced(world))
    signed = local_day(row.signed_at)
    assert row.publish_by is not None and row.file_by is not None
    with world.view("clock") as view:
        calendar = calendars.current(view.session)
    last = [local_day(by - timedelta(microseconds=1)) for by in (row.publish_by, row.file_by)]
    assert last == [calendar.add_working_days(signed, 2), calendar.add_working_days(signed, 7)]


def test_published_filed_and_settled(world: World) -> None:
    ref = announced(world)
    with unchanged(world), pytest.raises(NotFound), world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    record(world, ref)
    with unchanged(world), pytest.raises(NotAllowed), world.work("agent2") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    with world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    with unchanged(world), pytest.raises(WrongStep), world.work("agent") as work:
        contracts.publish_and_file(work, world.lot_in(work, ref))
    assert f"settle {ref}" in timeline.turn(world.office)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        row = contracts.contract(view.session, lot)
        notice = view.session.scalars(select(Notice).where(Notice.kind == "contract")).one()
        assert (
            lot.state == "CLOSING"
            and notice.body["amount_minor"] == row.amount_minor
            and notice.body["number"] == "HT-2026-01"
        )


def test_no_contract_before_the_award_is_announced(world: World) -> None:
    ref = stages.proposed(world)
    with unchanged(world), pytest.raises(WrongStep):
        record(world, ref, amount_minor=1)

"""A closing after an outage: what the log shows of it, and that just the supervisory body's own signature lets the opening go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crypto.canonical import format_time
from crypto.errors import CryptoError
from crypto.trust import trust_of
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.rows import unchanged
from tests.kit.world import Keys, World
from trading.bidding import closing, late_close
from trading.hall import package
from trading.kernel import audit, log
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, SignInNeeded, TooEarly
from trading.opening import opening_set
from trading.opening.files import check_package, read_package


def late(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.bid(world)
        verdict_steps.late_closing(world, ref)
        return ref

    return str(stages.reach(world, "closed late", build))


def test_what_the_log_shows_of_an_outage(world: World) -> None:
    ref = late(world)
    with world.view("watch") as view:
        lot = world.lot_in(view, ref)
        found = late_close.what_happened(view.session, lot)
        assert found is not None and late_close.all_late(view) == [found]
        assert lot.deadline is not None and found.last_before == lot.deadline - timedelta(minutes=1)
        assert found.closing_at == lot.deadline + timedelta(minutes=45) and found.minutes_late == 45
        assert found.missed == 46 * 6 - 1, "every ten seconds near a deadline, both ends apart"
        assert found.confirmed is None
    with pytest.raises(NotAllowed), world.view("host") as view:
        late_close.all_late(view)


def test_a_closing_in_time_asks_for_nothing(world: World) -> None:
    ref = stages.closed(world)
    with world.view("clock") as view:
        assert late_close.what_happened(view.session, world.lot_in(view, ref)) is None
    with unchanged(world), pytest.raises(Conflict) as refusal, world.work("watch") as work:
        late_close.confirm(work, world.lot_in(work, ref), {})
    assert refusal.value.code == "late_close.not_late"


def test_before_the_closing_there_is_nothing_to_confirm(world: World) -> None:
    ref = stages.bid(world)
    with unchanged(world), pytest.raises(NotFound), world.work("watch") as work:
        late_close.confirm(work, world.lot_in(work, ref), {})


def test_nothing_opens_before_it_and_all_verifies_after_it(world: World) -> None:
    ref = late(world)
    with unchanged(world), pytest.raises(TooEarly) as refusal, world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    assert refusal.value.code == "closing.late_needs_supervisor"
    verdict_steps.confirm_late(world, ref)
    with unchanged(world), pytest.raises(Conflict) as again:
        verdict_steps.confirm_late(world, ref)
    assert again.value.code == "late_close.confirmed"
    opening_steps.turn(world)
    sealing.list_set(world, ref)
    with world.view("officer1") as view:  # the officer's client, by its own checks
        value = package.package(view, world.lot_in(view, ref))
    trust = trust_of(value["trust"])
    assert check_package(read_package(value), trust, now=format_time(world.now)).set.bids
    for name in ("late_close", "late_close_receipt"):
        with pytest.raises(CryptoError) as refused:
            check_package(
                read_package({k: v for k, v in value.items() if k != name}), trust, now=format_time(world.now)
            )
        assert refused.value.code == "UNAVAILABLE"
    opening_steps.open_set(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.state == "QUAL_REVIEW"
        entry = late_close.find(view.session, lot)
        assert entry is not None and log.tick_of(view.session, entry.c) is not None
        assert audit.document(view.session, entry.statement)["signatures"]


def test_a_confirmation_that_does_not_hold(world: World) -> None:
    ref = late(world)
    with world.view("clock") as view:
        row = closing.closing(view.session, world.lot_in(view, ref))
    cases: list[tuple[str, dict[str, object]]] = [
        ("a stranger's key", {"key": Keys().sign}),
        ("the platform's key", {"key": world.office.keys.signing}),
        ("another closing", {"closing": row.tick - 1}),
        ("another deadline", {"deadline": row.document}),
        ("another lot", {"lot": "2"}),
        ("dated before the closing", {"at": format_time(row.tick_at - timedelta(seconds=1))}),
        ("dated ahead", {"at": format_time(world.now + timedelta(hours=1))}),
    ]
    for name, how in cases:
        with unchanged(world), pytest.raises(Invalid) as refusal:
            verdict_steps.confirm_late(world, ref, **how)  # type: ignore[arg-type]
        assert refusal.value.code == "late_close.bad", name
    for username in ("host", "agent", "buyer", "clerk", "officer5", "bidder1"):
        with unchanged(world), pytest.raises(NotAllowed):
            verdict_steps.confirm_late(world, ref, username=username)
    stale = world.actor("watch")
    world.clock.advance(minutes=11)
    with unchanged(world), pytest.raises(SignInNeeded), world.office.work(stale) as work:
        late_close.confirm(work, world.lot_in(work, ref), {})

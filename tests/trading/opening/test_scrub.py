"""Stored bytes read again by the clock: damage is found and mended while somebody has a copy, its bidder alone is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from tests.kit import opening_steps, stages
from tests.kit.mirror import mirror_beside
from tests.kit.world import World
from tests.trading.bidding.test_stored import bid_of, bytes_of, forms, spoil, state_of
from trading.bidding import copies, stored
from trading.bidding.bids import SealedBid
from trading.bidding.named_blobs import named
from trading.kernel.access import Actor, Role
from trading.kernel.audit import LogEntry
from trading.kernel.blobs import LocalBlobs
from trading.kernel.outbox import Message
from trading.opening import scrub
from trading.opening.scrub import Scrub, Walk
from web.cli import doctor_stored

ADMIN = Actor(Role.SYSTEM_ADMIN, name="health")


def whole(world: World) -> scrub.Passed:
    """A whole pass, from its beginning."""
    world.clock.set(world.now + scrub.EVERY)
    walk = Walk()
    while scrub.scrub(world.office, walk):
        pass
    with world.office.view(ADMIN) as view:
        return scrub.passed(view)


def entries(world: World) -> int:
    with world.view("clock") as view:
        return len(list(view.session.scalars(select(LogEntry.id))))


def levels(world: World) -> dict[str, str]:
    return {one.code: one.level for one in doctor_stored.examine(world.office)}


def test_a_pass_reads_everything_and_says_only_when(world: World) -> None:
    stages.bid(world)
    with world.view("clock") as view:
        names, before = sorted(named(view.session)), entries(world)
    assert levels(world) == {"stored": "ok"}
    found = whole(world)
    assert found.whole_at == world.now and found.unmended == () and entries(world) == before
    assert scrub.scrub(world.office, Walk()) == 0  # not again today
    world.clock.set(world.now + scrub.EVERY)

    walk, looked = Walk(), []
    while seen := scrub.scrub(world.office, walk, most=1):
        assert seen == 1  # slowly: a file at a time where little may be read
        with world.view("clock") as view:
            looked.append(view.session.scalars(select(Scrub)).one().cursor)
        if len(looked) == 2:
            walk = Walk()  # another process goes on where this one was killed
    assert looked == [*names[:-1], ""]
    world.clock.set(world.now + timedelta(days=9))
    assert levels(world) == {"stored_unread": "warning"}


def test_what_the_mirror_or_the_second_disk_has_comes_back_before_anybody_asks(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path):
        ref = world.lot("BIDDING")
        opening_steps.bid(world, ref, forms(world))
        copies.send_due(world.office)
        world.tick()
        for how in ("flipped", "cut", "gone"):
            bid = bid_of(world, ref, "bidder1")
            good = spoil(world, bid, how)
            assert whole(world).unmended == () and bytes_of(world, bid) == good
        with world.view("clock") as view:
            bids_own = set(view.session.scalars(select(SealedBid.blob)))
            other = next(name for name in sorted(named(view.session)) if name not in bids_own)
        second = LocalBlobs(world.office.blobs.folder, tmp_path / "second")
        assert second.second is not None
        second.second.copy_of(second.path(other), other)
        path = second.path(other)
        kept = path.read_bytes()
        path.unlink()
        path.write_bytes(kept + b"?")
        lone = whole(world)
        assert lone.unmended == (other,) and levels(world) == {"stored_damaged": "error"}
        world.office = replace(world.office, blobs=second)
        assert whole(world).unmended == () and path.read_bytes() == kept and levels(world) == {"stored": "ok"}


def test_where_nobody_has_it_the_bidder_alone_is_asked_before_the_deadline(world: World) -> None:
    ref = stages.bid(world)
    bid, before = bid_of(world, ref, "bidder2"), entries(world)
    good = spoil(world, bid)
    found = whole(world)
    assert found.unmended == (bid.blob,) and state_of(world, bid) == ("BROKEN", "")
    assert entries(world) == before  # no word in the log: it would tell that there is a bid
    with world.view("bidder2") as view:
        wanted = stored.wanted_copy(view, world.lot_in(view, ref))
        assert wanted is not None and wanted.id == bid.id
    with world.view("bidder1") as view:
        assert stored.wanted_copy(view, world.lot_in(view, ref)) is None
    with world.view("clock") as view:
        told = list(view.session.scalars(select(Message).where(Message.template == "bid.copy_wanted")))
        assert [one.to for one in told] == [f"party:{world.party_ids['bidder2']}"]
    said = doctor_stored.examine(world.office)[0].what
    assert bid.blob in said and ref not in said and "bid" not in said.replace(bid.blob, "")

    path = world.office.blobs.path(bid.blob)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(good)
    assert whole(world).unmended == ()


def test_the_bytes_of_another_bid_are_damage(world: World) -> None:
    """The root that counts is the one its bidder signed, and a well-formed sealed file of somebody else does not give it."""
    ref = stages.bid(world)
    mine, other = bid_of(world, ref, "bidder1"), bid_of(world, ref, "bidder2")
    world.office.blobs.path(mine.blob).unlink()
    world.office.blobs.path(mine.blob).write_bytes(bytes_of(world, other))
    assert whole(world).unmended == (mine.blob,)

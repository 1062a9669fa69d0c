"""Copies at the mirror: sent after the receipt, acknowledged once, hidden; a mirror that is away delays nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto.canonical import loads
from crypto.signatures import payload_of, sign
from tests.kit import sealing, stages
from tests.kit.mirror import Beside, mirror_beside
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.bidding import copies
from trading.bidding.bids import SealedBid
from trading.bidding.copies import MirrorCopy
from trading.kernel.audit import LogDocument, LogEntry
from trading.kernel.errors import Invalid
from trading.tendering.tenders import Lot
from trading.views import log_queries


def hand_in(world: World, ref: str, username: str, **what: Any) -> Any:
    outcome = sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, **what))
    assert outcome.accepted
    return outcome


def rows(world: World) -> list[MirrorCopy]:
    with world.view("clock") as view:
        return list(view.session.scalars(select(MirrorCopy).order_by(MirrorCopy.bid_id)))


def a_lot(world: World) -> str:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    return ref


@pytest.mark.parametrize("mode", ["files", "digests"])
def test_a_bid_is_acknowledged_and_the_log_says_so(world: World, tmp_path: Path, mode: str) -> None:
    with mirror_beside(world, tmp_path, mode) as beside:
        ref = a_lot(world)
        hand_in(world, ref, "bidder1")
        assert rows(world) == [], "the receipt does not wait for a copy"
        beside.send()
        (row,) = rows(world)
        assert row.kind == mode and row.c and row.at == world.now
        with world.view("clock") as view:
            bid = view.session.get_one(SealedBid, row.bid_id)
            entry = view.session.scalars(select(LogEntry).where(LogEntry.event == "mirror-ack")).one()
            kept = view.session.scalars(select(LogDocument).where(LogDocument.hash == entry.statement)).one()
            said = loads(payload_of(json.loads(kept.text)))
        assert (entry.c, entry.tender, entry.part) == (row.c, said["tender"], "bid")
        assert (said["header_hash"], said["sealed_root"], said["kind"]) == (bid.header_hash, bid.sealed_root, mode)
        facts = copies.facts_of(world.office.platform, world_lot(world, ref), bid, mode)
        there = beside.store.open(facts)
        assert (there is not None) is (mode == "files")
        if there is not None:
            with there:
                assert there.read() == b"".join(world.office.blobs.read(bid.blob))
        with unchanged(world):
            beside.send()


def world_lot(world: World, ref: str) -> Any:
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.tender.ref
        return lot


def test_replaced_and_withdrawn_bids_go_there_too(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        first = hand_in(world, ref, "bidder1")
        hand_in(world, ref, "bidder1", replaces=first.receipt.statement, data=b"better")
        beside.send()
        assert [bool(row.c) for row in rows(world)] == [True, True]


def test_a_mirror_that_is_away_delays_nothing_and_is_tried_again(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        beside.stop()
        hand_in(world, ref, "bidder1")
        beside.send()
        (row,) = rows(world)
        assert row.c is None and row.tries == 1 and row.due_at == world.now + copies.FIRST_PAUSE
        beside.start()
        with unchanged(world):
            beside.send()  # its pause is not over
        world.clock.advance(seconds=20)
        beside.send()
        assert rows(world)[0].c


def test_pauses_grow_up_to_ten_minutes(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        beside.stop()
        hand_in(world, ref, "bidder1")
        seen = []
        for _ in range(8):
            beside.send()
            (row,) = rows(world)
            seen.append(row.due_at - world.now)
            world.clock.set(row.due_at)
        assert seen[:3] == [timedelta(seconds=20 * 2**n) for n in range(3)] and seen[-1] == copies.LAST_PAUSE
        beside.start()
        beside.send()
        assert rows(world)[0].c


def test_two_that_sent_log_one_acknowledgement(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        hand_in(world, ref, "bidder1")
        beside.send()
        (row,) = rows(world)
        with unchanged(world), world.work("clock") as work:
            assert copies.take_ack(work, row.bid_id, json.loads(row.ack or ""), beside.line.key).c == row.c


def test_an_acknowledgement_of_something_else_is_none(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        hand_in(world, ref, "bidder1")
        hand_in(world, ref, "bidder2")
        beside.stop()
        beside.send()
        one, other = rows(world)
        beside.start()
        ack = ack_of(world, beside, one)
        cases: list[tuple[str, Any, bytes]] = [
            ("mirror.bad_ack", ack_of(world, beside, other), beside.line.key),
            ("mirror.bad_ack", sign("mirror-ack", loads(payload_of(ack)), world.keys["bidder1"].sign), beside.line.key),
            (
                "mirror.bad_ack",
                sign(
                    "mirror-ack",
                    loads(payload_of(ack)) | {"sealed_root": loads(payload_of(ack))["header_hash"]},
                    beside.store.secret,
                ),
                beside.line.key,
            ),
            (
                "mirror.bad_ack",
                sign("mirror-ack", loads(payload_of(ack)) | {"kind": "digests"}, beside.store.secret),
                beside.line.key,
            ),
            ("mirror.bad_ack", {}, beside.line.key),
            ("mirror.not_enrolled", ack, world.office.keys.public),
        ]
        for code, envelope, key in cases:
            with unchanged(world), pytest.raises(Invalid) as refusal, world.work("clock") as work:
                copies.take_ack(work, one.bid_id, envelope, key)
            assert refusal.value.code == code
        with world.work("clock") as work:
            assert copies.take_ack(work, one.bid_id, ack, beside.line.key).c


def ack_of(world: World, beside: Beside, row: MirrorCopy) -> dict[str, Any]:
    with world.view("clock") as view:
        bid = view.session.get_one(SealedBid, row.bid_id)
        facts = copies.facts_of(world.office.platform, view.session.get_one(Lot, bid.lot_id), bid, row.kind)
    with world.office.blobs.open(bid.blob) as source:
        return beside.line.deliver(facts, source)


def test_without_a_mirror_nothing_is_sent_or_kept(world: World) -> None:
    stages.bid(world)
    with unchanged(world):
        copies.send_due(world.office)


def test_a_policy_without_a_mirror_leaves_bids_here(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path, "none") as beside:
        ref = a_lot(world)
        hand_in(world, ref, "bidder1")
        beside.send()
        (row,) = rows(world)
        assert (row.kind, row.c) == ("none", None) and not any((beside.store.data / "bids").iterdir())


@pytest.mark.promise("S1")
def test_the_public_log_shows_no_acknowledgement_before_the_opening(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        hand_in(world, ref, "bidder1")
        beside.send()
        world.tick()
        with world.view("watch") as view:
            shown = log_queries.entry_lines(view, lot=ref, limit=100, skip=0)
        assert all("mirror" not in str(vars(line) if hasattr(line, "__dict__") else line) for line in shown)


def test_a_policy_asks_for_a_mirror_only_where_there_is_one(world: World) -> None:
    world.mirror_mode = "files"
    with pytest.raises(Invalid) as refusal:
        world.lot("READY")
    assert refusal.value.code == "policy.no_mirror"

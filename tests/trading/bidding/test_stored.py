"""Stored bytes round an opening: looked at before the shares, brought back from a copy whose root is the logged one, erased afterwards."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crypto import mirror, sealed_bid
from crypto.canonical import format_time, loads
from crypto.documents import sign_document
from crypto.headers import CHUNK
from crypto.signatures import payload_of
from tests.kit import opening_steps, sealing, stages
from tests.kit.mirror import Beside, mirror_beside
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.awarding import awards
from trading.bidding import bids, copies, stored, uploads
from trading.bidding.bids import SealedBid
from trading.bidding.copies import MirrorCopy
from trading.bidding.stored import BidErasure
from trading.bidding.uploads import Upload
from trading.hall import legal_effects
from trading.kernel import faults
from trading.kernel.access import Actor, Role
from trading.kernel.audit import ActRecord
from trading.kernel.blobs import LocalBlobs
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.opening import ceremony, decryption, findings, rechecks, shares
from web.cli import doctor


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm("")


def forms(world: World) -> dict[str, dict[str, str]]:
    return {name: opening_steps.form(price=f"{2_700_000 + 10_000 * at}.00") for at, name in enumerate(world.bidders)}


def a_lot(world: World, *, data: bytes = b"offer") -> str:
    """Three bids in, the mirror has them, the intake closed; nothing looked at yet."""
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, forms(world), data=data)
    if world.office.mirror is not None:
        copies.send_due(world.office)
    world.tick()
    sealing.close(world, ref)
    return ref


def bid_of(world: World, ref: str, username: str) -> SealedBid:
    with world.view("clock") as view:
        return next(
            b
            for b in bids.standing_bids(view.session, world.lot_in(view, ref))
            if b.party_id == world.party_ids[username]
        )


def bytes_of(world: World, bid: SealedBid) -> bytes:
    return b"".join(world.office.blobs.read(bid.blob))


def spoil(world: World, bid: SealedBid, how: str = "flipped") -> bytes:
    """Break a bid's stored bytes; returns the good ones."""
    path = world.office.blobs.path(bid.blob)
    good = path.read_bytes()
    path.unlink()
    if how == "flipped":
        path.write_bytes(good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
    elif how == "cut":
        path.write_bytes(good[:-1])
    return good


def state_of(world: World, bid: SealedBid) -> tuple[str, str]:
    with world.view("clock") as view:
        row = stored.check_of(view.session, bid)
        return (row.state, row.source) if row is not None else ("", "")


def verdict_of(world: World, ref: str, username: str) -> tuple[str, str]:
    with world.view("clock") as view:
        row = stages.opening_of(world, view, ref)
        return next(
            (b.verdict, b.cause)
            for b in ceremony.opened_bids(view.session, row)
            if b.party_id == world.party_ids[username]
        )


def acts(world: World, name: str) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        return [
            loads(row.payload.encode())["facts"]
            for row in view.session.scalars(select(ActRecord).where(ActRecord.act == name))
        ]


def decrypt(world: World, ref: str) -> None:
    for username in opening_steps.ALL:
        opening_steps.share(world, ref, username)
    decryption.open_bids(world.office, world.actor("host"), ref)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_broken_bytes_come_back_from_the_mirror_before_anybody_asks(world: World, tmp_path: Path, how: str) -> None:
    with mirror_beside(world, tmp_path):
        ref = a_lot(world)
        bid = bid_of(world, ref, "bidder1")
        good = spoil(world, bid, how)
        rechecks.recheck(world.office)
        assert state_of(world, bid) == ("RESTORED", "mirror") and bytes_of(world, bid) == good
        assert state_of(world, bid_of(world, ref, "bidder2")) == ("GOOD", "")
        assert acts(world, "opening.bytes") == [], (
            "before the set is public a word in the log would tell that there is a bid"
        )
        assert bool(list((world.office.blobs.folder / "broken").glob("*"))) is (how != "gone"), (
            "the broken bytes are kept aside"
        )
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)
        assert [(one["state"], one["source"]) for one in acts(world, "opening.bytes")] == [("RESTORED", "mirror")]
        decrypt(world, ref)
        assert verdict_of(world, ref, "bidder1") == ("opened", "")


@pytest.mark.promise("R10")
def test_bytes_destroyed_after_the_shares_change_nothing(world: World, tmp_path: Path) -> None:
    """The platform knows t shares, and so all prices, and destroys a bid: the mirror's copy is opened in its place."""
    with mirror_beside(world, tmp_path):
        ref = a_lot(world)
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)
        for username in opening_steps.ALL:
            opening_steps.share(world, ref, username)
        spoil(world, bid_of(world, ref, "bidder1"), "gone")
        decryption.open_bids(world.office, world.actor("host"), ref)
        assert verdict_of(world, ref, "bidder1") == ("opened", "")
        assert acts(world, "opening.bytes")[-1]["source"] == "mirror"


def test_a_mirror_that_gives_other_bytes_gives_nothing(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = a_lot(world)
        one, two = bid_of(world, ref, "bidder1"), bid_of(world, ref, "bidder2")
        swap(world, ref, beside, one, two)
        spoil(world, one, "gone")
        rechecks.recheck(world.office)
        assert state_of(world, one) == ("BROKEN", "") and not world.office.blobs.has(one.blob)
        assert not list((world.office.blobs.folder / "incoming").iterdir())


def swap(world: World, ref: str, beside: Beside, one: SealedBid, two: SealedBid) -> None:
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        folders = [beside.store.folder(copies.facts_of(world.office.platform, lot, bid, "files")) for bid in (one, two)]
    other = (folders[1] / "sealed").read_bytes()
    (folders[0] / "sealed").write_bytes(other)


def test_no_share_before_all_bytes_were_looked_at_where_a_mirror_is_in_the_policy(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path):
        ref = a_lot(world)
        rechecks.recheck(world.office)
        sealing.list_set(world, ref)
        with unchanged(world), pytest.raises(TooEarly) as refusal:
            opening_steps.share(world, ref, "officer1")
        assert refusal.value.code == "opening.bytes_unchecked"
        rechecks.recheck(world.office)
        opening_steps.share(world, ref, "officer1")
        with unchanged(world):
            rechecks.recheck(world.office)  # not again once shares come


# --- the second disk --------------------------------------------------------------------------------------------------


def test_a_second_disk_has_every_bid_before_its_receipt_and_gives_it_back(world: World, tmp_path: Path) -> None:
    world.office = replace(world.office, blobs=LocalBlobs(world.office.blobs.folder, tmp_path / "second"))
    second = world.office.blobs.second
    assert second is not None
    ref = stages.bidding(world)
    world.office = replace(world.office, blobs=LocalBlobs(world.office.blobs.folder, tmp_path / "second"))
    made = sealing.seal(world, ref, "bidder1")
    faults.arm("bid.signed:EIO")
    with pytest.raises(OSError):
        sealing.hand_in(world, ref, "bidder1", *made)
    faults.arm("")
    root = sealed_bid.inspect(io.BytesIO(made[0])).sealed_root.hex()
    assert b"".join(second.read(root)) == made[0], "there before the receipt was signed"
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted
    for name in ("bidder2", "bidder3"):
        assert sealing.hand_in(world, ref, name, *sealing.seal(world, ref, name)).accepted
    world.tick()
    sealing.close(world, ref)
    bid = bid_of(world, ref, "bidder1")
    spoil(world, bid)
    rechecks.recheck(world.office)
    assert state_of(world, bid) == ("RESTORED", "disk") and bytes_of(world, bid) == made[0]


def test_a_second_disk_that_fails_stops_the_receipt(world: World, tmp_path: Path) -> None:
    ref = stages.bidding(world)
    world.office = replace(world.office, blobs=LocalBlobs(world.office.blobs.folder, tmp_path / "second"))
    made = sealing.seal(world, ref, "bidder1")
    faults.arm("blob.second:EIO")
    with pytest.raises(OSError):
        sealing.hand_in(world, ref, "bidder1", *made)
    with world.view("clock") as view:
        assert bids.standing_bids(view.session, world.lot_in(view, ref)) == []
    faults.arm("")
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted


# --- the bidder's own copy --------------------------------------------------------------------------------------------


def start_copy(world: World, ref: str, username: str, length: int) -> str:
    with world.work(username, SIGNER) as work:
        return stored.start_copy(work, world.lot_in(work, ref), length=length).token


def take(world: World, ref: str, username: str, token: str) -> None:
    with world.work(username, SIGNER) as work:
        rechecks.take_copy(work, world.lot_in(work, ref), token=token)


def hand_copy(world: World, ref: str, username: str, data: bytes) -> None:
    token = start_copy(world, ref, username, len(data))
    uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[data])
    take(world, ref, username, token)


def test_a_bidder_hands_in_its_copy_and_it_is_opened(world: World) -> None:
    ref = stages.closed(world)
    bid = bid_of(world, ref, "bidder1")
    good = spoil(world, bid)
    with pytest.raises(WrongStep):
        start_copy(world, ref, "bidder1", len(good))  # nobody has looked yet
    rechecks.recheck(world.office)
    assert state_of(world, bid) == ("BROKEN", "")
    with world.view("bidder1", SIGNER) as view:
        wanted = stored.wanted_copy(view, world.lot_in(view, ref))
        assert wanted is not None and wanted.header_hash == bid.header_hash
    with world.view("bidder2", SIGNER) as view:
        assert stored.wanted_copy(view, world.lot_in(view, ref)) is None
    sealing.list_set(world, ref)
    rechecks.recheck(world.office)
    with unchanged(world), pytest.raises(TooEarly) as refusal:
        opening_steps.share(world, ref, "officer1")
    assert refusal.value.code == "opening.copy_wanted"
    hand_copy(world, ref, "bidder1", good)
    assert state_of(world, bid) == ("HANDED_IN", "bidder") and bytes_of(world, bid) == good
    decrypt(world, ref)
    assert verdict_of(world, ref, "bidder1") == ("opened", "")
    assert [one["state"] for one in acts(world, "opening.bytes")] == ["BROKEN"] and len(
        acts(world, "opening.copy")
    ) == 1


def test_other_bytes_are_no_copy(world: World) -> None:
    ref = stages.closed(world)
    good = spoil(world, bid_of(world, ref, "bidder1"))
    rechecks.recheck(world.office)
    with unchanged(world), pytest.raises(Invalid) as refusal:
        start_copy(world, ref, "bidder1", len(good) - 1)
    assert refusal.value.code == "copy.other_bytes"
    other = sealing.seal(world, ref, "bidder1", data=b"offer of bidder1")[0]
    assert len(other) == len(good)
    token = start_copy(world, ref, "bidder1", len(other))
    uploads.receive(world.office, world.actor("bidder1", SIGNER), token, offset=0, pieces=[other])
    with unchanged(world), pytest.raises(Invalid) as refusal:
        take(world, ref, "bidder1", token)
    assert refusal.value.code == "copy.other_bytes"
    with unchanged(world), pytest.raises(NotFound):
        take(world, ref, "bidder2", token)
    with unchanged(world), pytest.raises(WrongStep):
        start_copy(world, ref, "bidder2", len(good))
    hand_copy(world, ref, "bidder1", good)
    with unchanged(world), pytest.raises(WrongStep):
        start_copy(world, ref, "bidder1", len(good))


def test_a_copy_counts_until_the_first_share(world: World) -> None:
    ref = stages.closed(world)
    good = spoil(world, bid_of(world, ref, "bidder1"))
    rechecks.recheck(world.office)
    sealing.list_set(world, ref)
    token = start_copy(world, ref, "bidder1", len(good))
    uploads.receive(world.office, world.actor("bidder1", SIGNER), token, offset=0, pieces=[good])
    world.clock.advance(minutes=28)
    opening_steps.share(world, ref, "officer1")
    with unchanged(world), pytest.raises(TooLate):
        take(world, ref, "bidder1", token)


def test_shares_wait_half_an_hour_and_no_longer(world: World) -> None:
    ref = stages.closed(world)
    spoil(world, bid_of(world, ref, "bidder1"))
    rechecks.recheck(world.office)
    found = world.now
    sealing.list_set(world, ref)
    world.clock.set(found + stored.HAND_IN - timedelta(seconds=1))
    with pytest.raises(TooEarly):
        opening_steps.share(world, ref, "officer1")
    world.clock.set(found + stored.HAND_IN)
    opening_steps.share(world, ref, "officer1")


# --- digests ----------------------------------------------------------------------------------------------------------


def test_a_mirror_of_digests_sees_random_pieces_before_the_shares(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path, "digests") as beside:
        ref = a_lot(world)
        sealing.list_set(world, ref)
        beside.stop()
        rechecks.recheck(world.office)
        with unchanged(world), pytest.raises(TooEarly) as refusal:
            opening_steps.share(world, ref, "officer1")
        assert refusal.value.code == "opening.mirror_waits"
        beside.start()
        world.clock.advance(seconds=30)
        rechecks.recheck(world.office)
        with world.view("clock") as view:
            row = stored.check_of(view.session, bid_of(world, ref, "bidder1"))
        assert row is not None and loads(payload_of(json.loads(row.proof)))["missed"] == []
        decrypt(world, ref)
        assert verdict_of(world, ref, "bidder1") == ("opened", "")


def test_a_miss_stops_the_opening_with_evidence_until_a_copy_is_there(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path, "digests") as beside:
        ref = a_lot(world)
        bid = bid_of(world, ref, "bidder1")
        good = spoil(world, bid)
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)
        (told,) = acts(world, "opening.bytes")
        with world.view("clock") as view:
            facts = copies.facts_of(world.office.platform, world.lot_in(view, ref), bid, "digests")
        assert mirror.open_answer(mirror.CHECK, json.loads(told["mirror_check"]), facts, [beside.store.public])[
            "missed"
        ]
        world.clock.advance(minutes=30)  # the time for a copy is over, and still nothing may be opened
        with world.work("host") as work:
            shares.extend_window(work, stages.opening_of(world, work, ref), reason="镜像抽查不符")
        with unchanged(world), pytest.raises(Conflict) as refusal:
            opening_steps.share(world, ref, "officer1")
        assert refusal.value.code == "opening.mirror_missed"
        hand_copy(world, ref, "bidder1", good)
        world.clock.advance(seconds=30)
        rechecks.recheck(world.office)
        decrypt(world, ref)
        assert verdict_of(world, ref, "bidder1") == ("opened", "")


def test_the_supervisory_body_may_let_an_opening_go_on_without_its_mirror(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path, "digests") as beside:
        ref = a_lot(world)
        sealing.list_set(world, ref)
        beside.stop()
        rechecks.recheck(world.office)

        def waive(username: str, reasons: str) -> None:
            with world.work(username) as work:
                rechecks.waive(work, stages.opening_of(world, work, ref), reasons=reasons)

        for username in ("host", "agent", "clerk", "officer1"):
            with unchanged(world), pytest.raises(NotAllowed):
                waive(username, "镜像主机断电，已派人到场查看，今日不能恢复。")
        with unchanged(world), pytest.raises(Invalid):
            waive("watch", "短")
        waive("watch", "镜像主机断电，已派人到场查看，今日不能恢复。")
        with unchanged(world), pytest.raises(Conflict):
            waive("watch", "镜像主机断电，已派人到场查看，今日不能恢复。")
        opening_steps.share(world, ref, "officer1")
        assert len(acts(world, "opening.mirror_waive")) == 1


# --- lost for good ----------------------------------------------------------------------------------------------------


def finding_of(world: World, ref: str, username: str, **changes: Any) -> dict[str, Any]:
    bid = bid_of(world, ref, username)
    with world.view("clock") as view:
        row = stages.opening_of(world, view, ref)
        document = {
            "v": 1,
            "at": format_time(world.now),
            "set": row.set_hash,
            "header_hash": bid.header_hash,
            "code": "SEALED_ROOT",
            "j": 0,
        }
    return dict(sign_document("finding", document | changes, world.keys["watch"].sign))


def test_a_lost_bid_awaits_the_finding_and_no_award_is_made_before(world: World) -> None:
    ref = stages.shared(world)
    spoil(world, bid_of(world, ref, "bidder1"), "gone")
    decryption.open_bids(world.office, world.actor("host"), ref)
    assert verdict_of(world, ref, "bidder1") == ("SEALED_ROOT", "platform")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert [bid.party_id for bid in findings.awaited(view.session, lot)] == [world.party_ids["bidder1"]]
        assert legal_effects.of_party(view.session, lot, world.party_ids["bidder1"]) is not None
        with pytest.raises(Conflict) as refusal:
            findings.refuse_awaited(view.session, lot)
    assert refusal.value.code == "award.finding_awaited" and awards.findings is findings

    def found(username: str, envelope: Any) -> Any:
        with world.work(username) as work:
            return findings.sign_lost(work, stages.opening_of(world, work, ref), envelope)

    with unchanged(world), pytest.raises(NotFound):
        found("watch", finding_of(world, ref, "bidder2"))
    for wrong in ({"code": "SHARE_OPEN"}, {"j": 1}, {"set": bid_of(world, ref, "bidder1").header_hash}):
        with unchanged(world), pytest.raises(Invalid):
            found("watch", finding_of(world, ref, "bidder1", **wrong))
    with unchanged(world), pytest.raises(NotAllowed):
        found("host", finding_of(world, ref, "bidder1"))
    first = found("watch", finding_of(world, ref, "bidder1"))
    with unchanged(world):
        assert found("watch", finding_of(world, ref, "bidder1")).c == first.c
    with world.view("clock") as view:
        assert findings.awaited(view.session, world.lot_in(view, ref)) == []


# --- erased -----------------------------------------------------------------------------------------------------------


def replaced_and_withdrawn(world: World) -> tuple[str, list[SealedBid]]:
    """A lot of four: bidder1 replaced its bid, bidder4 withdrew; opened. Returns the two bids outside the set."""
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, forms(world), data=os.urandom(CHUNK))
    outside = [bid_of(world, ref, "bidder1"), bid_of(world, ref, "bidder4")]
    made = sealing.seal(world, ref, "bidder1", replaces=outside[0].statement)
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted
    with world.work("bidder4", SIGNER) as work:
        lot = world.lot_in(work, ref)
        document = {
            "v": 1,
            "platform": world.office.platform,
            "tender": lot.tender.ref,
            "lot": lot.no_text,
            "envelope": "bid",
            "at": format_time(world.now),
            "bidder": sealing.code_of(world, "bidder4"),
            "statement": outside[1].statement,
        }
        assert bids.withdraw(
            work, lot, withdrawal=sign_document("withdrawal", document, world.keys["bidder4"].sign)
        ).accepted
    copies.send_due(world.office)
    world.tick()
    sealing.close(world, ref)
    rechecks.erase(world.office)
    sealing.list_set(world, ref)
    rechecks.recheck(world.office)
    rechecks.erase(world.office)
    assert all(world.office.blobs.has(bid.blob) for bid in outside), "not before the opening"
    decrypt(world, ref)
    return ref, outside


@pytest.fixture
def four(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path, bidders=4)


def test_chunks_of_replaced_and_withdrawn_bids_go_after_the_opening_header_and_digests_stay(
    four: World, tmp_path: Path
) -> None:
    with mirror_beside(four, tmp_path) as beside:
        ref, outside = replaced_and_withdrawn(four)
        digests = [sealed_bid.inspect(io.BytesIO(bytes_of(four, bid))).pieces for bid in outside]
        rechecks.erase(four.office)
        for bid, pieces in zip(outside, digests, strict=True):
            assert not four.office.blobs.has(bid.blob)
            with four.view("clock") as view:
                row = rechecks.erasure_of(view.session, bid)
                copy = copies.copy_of(view.session, bid)
                facts = copies.facts_of(four.office.platform, four.lot_in(view, ref), bid, "files")
            assert row is not None and row.gone_at is not None and copy is not None and copy.told_at is not None
            kept = b"".join(bytes.fromhex(line) for line in b"".join(four.office.blobs.read(row.blob)).decode().split())
            assert kept == pieces and sealed_bid.root_of_pieces(kept).hex() == bid.blob
            assert beside.store.open(facts) is None and (beside.store.folder(facts) / "pieces").read_bytes() == pieces
        assert {one["header_hash"] for one in acts(four, "bid.erase")} == {bid.header_hash for bid in outside}
        with unchanged(four):
            rechecks.erase(four.office)
        for name in ("bidder1", "bidder2", "bidder3"):
            assert four.office.blobs.has(bid_of(four, ref, name).blob)
        from trading.disclosure import audit

        with four.office.view(Actor(Role.AUDIT_ADMIN, name="test")) as view:
            assert audit.verify(view).faults == []
        assert not [one for one in doctor._blobs(four.office) if one.code == "blob_missing"]


@pytest.mark.parametrize("point", ["erase.noted", "erase.removed"])
def test_a_crash_while_erasing_is_made_good(four: World, tmp_path: Path, point: str) -> None:
    with mirror_beside(four, tmp_path):
        _, outside = replaced_and_withdrawn(four)
        faults.arm(f"{point}:EIO")
        with pytest.raises(OSError):
            rechecks.erase(four.office)
        faults.arm("")
        rechecks.erase(four.office)
        assert not any(four.office.blobs.has(bid.blob) for bid in outside)
        with four.view("clock") as view:
            rows = list(view.session.scalars(select(BidErasure)))
        assert len(rows) == 2 and all(row.gone_at and row.blob for row in rows) and len(acts(four, "bid.erase")) == 2


def test_a_mirror_that_is_away_is_told_later(four: World, tmp_path: Path) -> None:
    with mirror_beside(four, tmp_path) as beside:
        _, outside = replaced_and_withdrawn(four)
        beside.stop()
        rechecks.erase(four.office)
        assert not any(four.office.blobs.has(bid.blob) for bid in outside)
        beside.start()
        four.clock.advance(minutes=10)
        rechecks.erase(four.office)
        with four.view("clock") as view:
            told = list(view.session.scalars(select(MirrorCopy).where(MirrorCopy.told_at.is_not(None))))
        assert {row.bid_id for row in told} == {bid.id for bid in outside}


def test_uploads_that_never_became_a_bid_go_after_the_opening(world: World) -> None:
    ref = stages.bid(world)
    spare = sealing.seal(world, ref, "bidder1", data=b"never handed in")[0]
    with world.work("bidder1", SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(spare)).token
    uploads.receive(world.office, world.actor("bidder1", SIGNER), token, offset=0, pieces=[spare])
    root = sealed_bid.inspect(io.BytesIO(spare)).sealed_root.hex()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    rechecks.recheck(world.office)
    rechecks.erase(world.office)
    assert world.office.blobs.has(root)
    decrypt(world, ref)
    rechecks.erase(world.office)
    assert not world.office.blobs.has(root)
    with world.view("clock") as view:
        assert view.session.scalars(select(Upload).where(Upload.token == token)).one().blob is None
    assert all(world.office.blobs.has(bid_of(world, ref, name).blob) for name in world.bidders)

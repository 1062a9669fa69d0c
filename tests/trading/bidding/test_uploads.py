"""Uploads: resumable at every byte, inspected as they arrive, and nobody else's business."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crypto.headers import CHUNK, TAG
from tests.kit import sealing, stages
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.bidding import bids, uploads
from trading.bidding.uploads import Arrival
from trading.custody import signed_policies
from trading.kernel.access import Role
from trading.kernel.clock import Span
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate
from trading.kernel.work import View

BIG = CHUNK + 200_000
"""Content of more than one chunk."""


def start(world: World, ref: str, username: str, length: int) -> str:
    with world.work(username, SIGNER) as work:
        return uploads.start(work, world.lot_in(work, ref), length=length).token


def send(world: World, username: str, token: str, offset: int, *pieces: bytes) -> Arrival:
    return uploads.receive(world.office, world.actor(username, SIGNER), token, offset=offset, pieces=pieces)


def asked(world: World, username: str, token: str) -> Arrival:
    return uploads.arrived(world.office, world.actor(username, SIGNER), token)


def submit(world: World, ref: str, username: str, token: str, submission: object) -> bids.Outcome:
    with world.work(username, SIGNER) as work:
        return bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)


class Cut(Exception):
    pass


def cut_after(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from pieces
    raise Cut


@pytest.fixture
def ref(world: World) -> str:
    return stages.bidding(world)


def places(sealed: bytes) -> dict[str, int]:
    head = 12 + int.from_bytes(sealed[8:12], "big")
    return {
        "nothing": 0,
        "one byte": 1,
        "magic": 8,
        "in the length": 10,
        "length": 12,
        "in the header": head - 1,
        "header": head,
        "first byte of a chunk": head + 1,
        "before the border": head + CHUNK + TAG - 1,
        "border": head + CHUNK + TAG,
        "after the border": head + CHUNK + TAG + 1,
        "last byte but one": len(sealed) - 1,
        "all": len(sealed),
    }


def test_resumes_after_a_cut_at_every_kind_of_byte(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1", data=b"x" * BIG)
    root = hashlib.sha256(sealed).hexdigest()
    for name, at in places(sealed).items():
        token = start(world, ref, "bidder1", len(sealed))
        actor = world.actor("bidder1", SIGNER)
        with pytest.raises(Cut):
            uploads.receive(
                world.office, actor, token, offset=0, pieces=cut_after([sealed[: at // 2], sealed[at // 2 : at]])
            )
        there = asked(world, "bidder1", token)
        assert (there.size, there.whole, there.refused) == (at, at == len(sealed), ""), name
        done = send(world, "bidder1", token, at, sealed[at:])
        assert done == Arrival(len(sealed), len(sealed), True), name
        with world.view("bidder1", SIGNER) as view:
            row = uploads.own(view, token)
            assert (
                row.blob
                and row.header
                and hashlib.sha256(b"".join(world.office.blobs.read(row.blob))).hexdigest() == root
            ), name
    assert submit(world, ref, "bidder1", token, submission).accepted


def test_one_byte_a_time_round_every_border(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1", data=b"x" * BIG)
    token, at = start(world, ref, "bidder1", len(sealed)), 0
    for name, place in sorted(places(sealed).items(), key=lambda item: item[1]):
        for upto in sorted({max(at, place - 1), max(at, place)}):
            if upto > at:
                assert send(world, "bidder1", token, at, sealed[at:upto]).size == upto, name
                at = upto
    assert at == len(sealed) and asked(world, "bidder1", token).whole


@pytest.mark.parametrize("torn", [1, 31, 33, 40, 63])
def test_digests_torn_by_a_crash_are_not_the_bidders_fault(world: World, ref: str, torn: int) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1", data=b"x" * BIG)
    token = start(world, ref, "bidder1", len(sealed))
    at = places(sealed)["after the border"]
    send(world, "bidder1", token, 0, sealed[:at])
    kept = world.office.spool.folder / (token + ".pieces")
    kept.write_bytes(kept.read_bytes()[:torn])
    assert send(world, "bidder1", token, at, sealed[at:]).whole
    assert submit(world, ref, "bidder1", token, submission).accepted


def test_a_crash_after_the_last_byte_is_made_good_when_asked(
    world: World, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes are synced, the process dies before the blob is named: the client only asks how much is there and sends no more."""
    sealed, submission = sealing.seal(world, ref, "bidder1")
    for dies_at in ("before the blob", "before the row"):
        token = start(world, ref, "bidder1", len(sealed))
        name = "adopt" if dies_at == "before the blob" else "path"
        monkeypatch.setattr(type(world.office.blobs), name, lambda *a, **k: (_ for _ in ()).throw(Cut()))
        with pytest.raises(Cut):
            send(world, "bidder1", token, 0, sealed)
        monkeypatch.undo()
        assert asked(world, "bidder1", token) == Arrival(len(sealed), len(sealed), True)
    assert submit(world, ref, "bidder1", token, submission).accepted


def test_a_wrong_offset_changes_nothing_and_says_what_is_there(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))
    send(world, "bidder1", token, 0, sealed[:1000])
    for offset in (0, 999, 1001, len(sealed), len(sealed) + 1):
        with unchanged(world), pytest.raises(Conflict) as refusal:
            send(world, "bidder1", token, offset, sealed[offset:])
        assert refusal.value.code == "upload.offset" and refusal.value.facts["have"] == 1000
    assert send(world, "bidder1", token, 1000, sealed[1000:]).whole


def test_bytes_of_another_line_between_looking_and_writing_are_a_conflict(
    world: World, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lines of one client: what the second looked at is no longer the end when it writes. It must not be taken for forged bytes."""
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))
    real = uploads._catch_up

    def late(office: object, name: str, inspector: object) -> int:
        have = real(office, name, inspector)  # type: ignore[arg-type]
        monkeypatch.undo()
        send(world, "bidder1", token, 0, sealed[:5000])
        return have

    monkeypatch.setattr(uploads, "_catch_up", late)
    with pytest.raises(Conflict) as refusal:
        send(world, "bidder1", token, 5000, sealed[5000:])
    assert refusal.value.code == "upload.offset"
    assert asked(world, "bidder1", token) == Arrival(5000, len(sealed), False)
    assert send(world, "bidder1", token, 5000, sealed[5000:]).whole
    assert submit(world, ref, "bidder1", token, submission).accepted


def test_only_one_line_writes_at_a_time(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))

    def pieces() -> Iterator[bytes]:
        yield sealed[:500]
        with pytest.raises(Conflict) as refusal:
            send(world, "bidder1", token, 0, sealed)
        assert refusal.value.code in ("upload.busy", "upload.offset")
        yield sealed[500:]

    actor = world.actor("bidder1", SIGNER)
    assert uploads.receive(world.office, actor, token, offset=0, pieces=pieces()).whole


def test_an_upload_of_another_party_does_not_exist(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))
    for unknown in (token, "0" * 48, "../../etc/passwd", ""):
        with unchanged(world), pytest.raises(NotFound):
            asked(world, "bidder2", unknown)
        with unchanged(world), pytest.raises(NotFound):
            send(world, "bidder2", unknown, 0, sealed)
        with unchanged(world), pytest.raises(NotFound) as refusal:
            submit(world, ref, "bidder2", unknown, submission)
        assert refusal.value.code == "upload.unknown"
    assert asked(world, "bidder1", token).size == 0


def test_a_colleague_may_go_on_with_the_upload_of_its_firm(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    with world.work("bidder1", Role.BIDDER_OPERATOR) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    assert send(world, "bidder1", token, 0, sealed).whole
    assert submit(world, ref, "bidder1", token, submission).accepted


def test_who_may_begin(world: World, ref: str) -> None:
    for username in ("agent", "buyer", "clerk", "host", "officer1", "watch"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            uploads.start(work, world.lot_in(work, ref), length=1000)
    for length in (0, -1, 10**12):
        with unchanged(world), pytest.raises(Invalid) as refusal:
            start(world, ref, "bidder1", length)
        assert refusal.value.code == "upload.bad_length"


def test_not_taking_part_is_not_known(world: World) -> None:
    ref = world.lot("BIDDING")
    sealing.open_for_bids(world, ref)
    with pytest.raises(NotFound) as refusal:
        start(world, ref, "bidder1", 1000)
    assert refusal.value.code == "participant.none"


def at(view: View, moment: datetime) -> View:
    """The same view at another moment, of which both clocks are sure."""
    found = replace(view, now=moment)
    found.span = Span.at(moment)
    return found


def test_only_between_issue_and_deadline(world: World, ref: str) -> None:
    moment = timedelta(microseconds=1)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.issue_at is not None and lot.deadline is not None
        chain = signed_policies.chain(view, lot)
        uploads.check_open(at(view, lot.issue_at), lot, chain)
        uploads.check_open(at(view, lot.deadline - moment), lot, chain)
        with pytest.raises(TooEarly):
            uploads.check_open(at(view, lot.issue_at - moment), lot, chain)
        with pytest.raises(TooLate):
            uploads.check_open(at(view, lot.deadline), lot, chain)
        deadline = lot.deadline
    world.clock.set(deadline - moment)
    assert start(world, ref, "bidder1", 1000)
    world.clock.set(deadline)
    with unchanged(world), pytest.raises(TooLate):
        start(world, ref, "bidder1", 1000)


@pytest.mark.parametrize(
    ("name", "spoil", "code"),
    [
        ("no magic", lambda s: b"PK\x03\x04" + s[4:], "FORMAT"),
        ("a giant header", lambda s: s[:8] + b"\xff\xff\xff\xff" + s[12:], "FORMAT"),
        ("header not canonical", lambda s: s.replace(b'{"boxes"', b'{ "boxes"', 1)[: len(s)], "HEADER_CANONICAL"),
        (
            "another suite",
            lambda s: s.replace(b"sb1-x25519-sha256-aes256gcm", b"sb1-x25519-sha256-aes128gcm", 1),
            "SUITE_UNKNOWN",
        ),
    ],
)
def test_what_is_no_sealed_bid_is_refused_at_its_header(
    world: World, ref: str, name: str, spoil: object, code: str
) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1", data=b"x" * BIG)
    bad = spoil(sealed)  # type: ignore[operator]
    token = start(world, ref, "bidder1", len(bad))

    def pieces() -> Iterator[bytes]:
        yield bad[:70_000]
        raise AssertionError("read on after the header was refused")

    with pytest.raises(Invalid) as refusal:
        uploads.receive(world.office, world.actor("bidder1", SIGNER), token, offset=0, pieces=pieces())
    assert (refusal.value.code, refusal.value.facts["reason"]) == ("upload.not_sealed", code)
    assert asked(world, "bidder1", token).refused == code
    with unchanged(world), pytest.raises(Invalid) as again:
        send(world, "bidder1", token, 0, sealed)
    assert again.value.facts["reason"] == code
    outcome = submit(world, ref, "bidder1", token, submission)
    assert (outcome.accepted, outcome.reason) == (False, code)


@pytest.mark.promise("S4")
def test_an_envelope_of_another_bidder_or_lot_is_refused_at_its_header(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder2")
    token = start(world, ref, "bidder1", len(sealed))
    with pytest.raises(Invalid) as refusal:
        send(world, "bidder1", token, 0, sealed)
    assert refusal.value.facts["reason"] == "CONTEXT_MISMATCH"


def test_more_or_fewer_bytes_than_announced(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1")
    short = start(world, ref, "bidder1", len(sealed) - 1)
    with pytest.raises(Invalid) as refusal:
        send(world, "bidder1", short, 0, sealed[:-1])
    assert refusal.value.facts["reason"] == "SIZE"
    tiny = start(world, ref, "bidder1", 100)
    with pytest.raises(Invalid) as excess:
        send(world, "bidder1", tiny, 0, sealed[:200])
    assert excess.value.code == "upload.too_long" and asked(world, "bidder1", tiny) == Arrival(0, 100, False)
    with pytest.raises(Invalid) as cut:
        send(world, "bidder1", tiny, 0, sealed[:100])
    assert cut.value.facts["reason"] == "SIZE"
    good = start(world, ref, "bidder1", len(sealed))
    with pytest.raises(Invalid):
        send(world, "bidder1", good, 0, sealed + b"!")
    assert asked(world, "bidder1", good).refused == "SIZE"


def test_bytes_after_the_end_are_not_taken(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))
    send(world, "bidder1", token, 0, sealed)
    with unchanged(world):
        assert send(world, "bidder1", token, len(sealed), b"more").whole
        assert send(world, "bidder1", token, 0, b"other").whole
    outcome = submit(world, ref, "bidder1", token, submission)
    assert outcome.accepted
    with world.view("bidder1", SIGNER) as view:
        assert b"".join(world.office.blobs.read(uploads.own(view, token).blob or "")) == sealed


def test_two_uploads_of_one_bidder_do_not_disturb_each_other(world: World, ref: str) -> None:
    first, one = sealing.seal(world, ref, "bidder1", data=b"one")
    second, two = sealing.seal(world, ref, "bidder1", data=b"two", replaces="")
    a, b = start(world, ref, "bidder1", len(first)), start(world, ref, "bidder1", len(second))
    for at in range(0, max(len(first), len(second)), 30_000):
        for token, data in ((a, first), (b, second)):
            if data[at : at + 30_000]:
                send(world, "bidder1", token, at, data[at : at + 30_000])
    assert submit(world, ref, "bidder1", b, two).accepted
    late = submit(world, ref, "bidder1", a, one)  # it replaces nothing, but by now there is a bid
    assert late.reason == "CONTEXT_MISMATCH"


def test_stale_uploads_can_be_found_and_dropped(world: World, ref: str) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1")
    token = start(world, ref, "bidder1", len(sealed))
    send(world, "bidder1", token, 0, sealed[:60_000])
    begun = world.now
    world.clock.advance(hours=2)
    with world.view("clock") as view:
        assert [row.token for row in uploads.stale(view.session, world.now)] == [token]
        assert uploads.stale(view.session, begun) == []
        row = uploads.stale(view.session, world.now)[0]
    uploads.drop(world.office, row)
    uploads.drop(world.office, row)
    assert not list(world.office.spool.folder.glob(token + "*"))
    with pytest.raises(NotFound):
        asked(world, "bidder1", token)


def test_bytes_given_up_long_ago_are_swept_and_fresh_ones_stay(world: World) -> None:
    ref = stages.bidding(world)
    tokens = []
    for _ in range(2):
        with world.work("bidder1", sealing.SIGNER) as work:
            tokens.append(uploads.start(work, world.lot_in(work, ref), length=100_000).token)
        world.clock.advance(days=4)
    assert uploads.sweep(world.office) == 1
    assert not world.office.spool.path(tokens[0]).exists() and world.office.spool.path(tokens[1]).exists()


def test_bytes_of_an_announcement_that_was_never_written_down_are_swept(world: World) -> None:
    """We died between the bytes and the row: nobody knows the token."""
    spool = world.office.spool
    old, fresh = "a" * 48, "b" * 48
    for token, days in ((old, 8), (fresh, 1)):
        spool.create(token)
        moment = (world.now - timedelta(days=days)).timestamp()
        os.utime(spool.path(token), (moment, moment))
    assert uploads.sweep(world.office) == 1
    assert not spool.path(old).exists() and spool.path(fresh).exists()


def test_nobody_begins_more_than_sixty_uploads_an_hour(world: World, ref: str) -> None:
    """Beginnings fill a disk; a colleague's and another firm's are not counted, and an hour later it goes on."""

    def begin(username: str) -> None:
        with world.work(username, SIGNER) as work:
            uploads.not_too_many(work)
            uploads.start(work, world.lot_in(work, ref), length=1000)

    for _ in range(uploads.STARTS_AN_HOUR):
        begin("bidder1")
    with unchanged(world), pytest.raises(TooEarly) as refused:
        begin("bidder1")
    assert refused.value.code == "rate.wait" and refused.value.facts["until"] == world.now.replace(
        microsecond=0
    ) + timedelta(hours=1)
    with pytest.raises(TooEarly):
        uploads.start_with(world.office, world.actor("bidder1", SIGNER), ref, world.lot_in, length=1000, pieces=[b"x"])
    begin("bidder2")
    world.clock.advance(minutes=60)
    begin("bidder1")

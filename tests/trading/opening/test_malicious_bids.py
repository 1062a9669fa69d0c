"""Bidders and officers that cheat, through the platform's real steps: each attempt ends in its stated outcome, with a code, and the log has
the evidence. What can be seen without keys is refused at the door; what only keys can show is found at the opening, and the others go on.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from crypto import sealed_bid, submissions
from crypto.canonical import dumps, format_time, loads
from crypto.documents import sign_document
from crypto.headers import CHUNK, TAG
from crypto.opening import CheckedSet, release_shares
from crypto.signatures import payload_of
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.opening_steps import ALL
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.verdict_steps import row_of
from tests.kit.world import Keys, World
from tests.trading.opening.test_ceremony import FORGED, forged
from trading.bidding import bids, uploads
from trading.custody import officers
from trading.hall import legal_effects
from trading.kernel import audit, log
from trading.kernel.errors import Conflict, Invalid, NotAllowed
from trading.opening import ceremony, rescue, shares

BIG = b"\x5a" * 600_000
"""Two chunks."""


def split(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """(everything up to the header's end, chunks with their tags)."""
    head = 12 + int.from_bytes(sealed[8:12], "big")
    body = sealed[head:]
    return sealed[:head], [body[at : at + CHUNK + TAG] for at in range(0, len(body), CHUNK + TAG)]


def with_header(sealed: bytes, change: Callable[[Any], None]) -> bytes:
    """The sealed file with its header's value changed, still canonical."""
    head, chunks = split(sealed)
    value = loads(head[12:])
    change(value)
    raw = dumps(value)
    return sealed[:8] + len(raw).to_bytes(4, "big") + raw + b"".join(chunks)


def of_ctx(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda sealed: with_header(sealed, lambda value: value["ctx"].update(changes))


def flipped(sealed: bytes) -> bytes:
    return sealed[:-100] + bytes([sealed[-100] ^ 1]) + sealed[-99:]


def reordered(sealed: bytes) -> bytes:
    """Two whole chunks that changed places (the content is long enough for two full ones)."""
    head, chunks = split(sealed)
    return head + chunks[1] + chunks[0] + b"".join(chunks[2:])


def repeated(sealed: bytes) -> bytes:
    head, chunks = split(sealed)
    return head + chunks[0] + chunks[0] + b"".join(chunks[2:])


def offer(world: World, ref: str, username: str, sealed: bytes, submission: Any) -> bids.Outcome:
    """Upload whatever it is and hand it in, whatever the door said to the bytes."""
    with world.work(username, SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    try:
        uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed])
    except Invalid as refusal:
        assert refusal.code == "upload.not_sealed"
    with world.work(username, SIGNER) as work:
        return bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)


def resigned(world: World, username: str, sealed: bytes) -> Any:
    """The cheat signs its own spoiled bytes, so that statement and bytes agree."""
    statement = submissions.make_submission(
        sealed_bid.inspect(io.BytesIO(sealed)), sealed_at=format_time(world.now), tool="cheat/1"
    )
    return sign_document("submission", statement, world.keys[username].sign)


def seal(world: World, ref: str, username: str, data: bytes = BIG) -> tuple[bytes, Any]:
    return sealing.seal(world, ref, username, data=data)


# --- at the door ------------------------------------------------------------------------------------------------------

DOOR: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no sealed file at all": (lambda sealed: b"%PDF-1.7" + sealed[8:], "FORMAT"),
    "a byte cut off the end": (lambda sealed: sealed[:-1], "SIZE"),
    "a byte too many": (lambda sealed: sealed + b"\0", "SIZE"),
    "the last chunk cut off": (lambda sealed: split(sealed)[0] + split(sealed)[1][0], "SIZE"),
    "a bit flipped": (flipped, "SEALED_ROOT"),
    "chunks in another order": (reordered, "SEALED_ROOT"),
    "a chunk twice": (repeated, "SEALED_ROOT"),
    "a header that is not canonical": (
        lambda sealed: sealed[:8] + (len(split(sealed)[0]) - 11).to_bytes(4, "big") + b" " + sealed[12:],
        "HEADER_CANONICAL",
    ),
    "a size lie in the header": (of_ctx(plen=65536), "SIZE"),
    "a size no padding gives": (of_ctx(plen=600_001), "HEADER_SCHEMA"),
    "a threshold of one": (of_ctx(t=1), "HEADER_SCHEMA"),
    "a lower threshold": (of_ctx(t=2), "CONTEXT_MISMATCH"),
    "another lot": (of_ctx(lot="2"), "CONTEXT_MISMATCH"),
    "another tender": (of_ctx(tender="KP-2026-000000"), "CONTEXT_MISMATCH"),
    "another policy": (of_ctx(policy="A" * 43), "CONTEXT_MISMATCH"),
    "another suite": (of_ctx(suite="sb1-sm2-sm3-sm4gcm"), "SUITE_UNKNOWN"),
    "the drill's name": (of_ctx(bidder="drill"), "CONTEXT_MISMATCH"),
    "a box left out": (lambda sealed: with_header(sealed, lambda value: value["boxes"].pop()), "HEADER_SCHEMA"),
}


@pytest.mark.rule("X-04")
@pytest.mark.parametrize("name", DOOR)
def test_what_can_be_seen_without_keys_is_refused_at_the_door_with_a_signed_no(world: World, name: str) -> None:
    spoil, code = DOOR[name]
    ref = stages.bidding(world)
    data = b"\x5a" * 1_200_000 if name in ("chunks in another order", "a chunk twice") else BIG
    sealed, submission = seal(world, ref, "bidder1", data)
    outcome = offer(world, ref, "bidder1", spoil(sealed), submission)
    assert (outcome.accepted, outcome.reason) == (False, code)
    world.tick()
    world.tick()
    with world.view("clock") as view:
        entry = audit.entry(view.session, outcome.receipt.c)
        assert loads(payload_of(json.loads(entry.envelope)))["reason"] == code and entry.event == "bid-refused"
        assert log.tick_of(view.session, entry.c) is not None and audit.document(view.session, entry.statement)
        assert bids.standing_bids(view.session, world.lot_in(view, ref)) == []
    again, signed = seal(world, ref, "bidder1", b"an honest one")
    assert offer(world, ref, "bidder1", again, signed).accepted, "and a good bid is still welcome"


def test_somebody_elses_ciphertext_and_ones_own_of_before(world: World) -> None:
    ref = stages.bidding(world)
    theirs, signed = seal(world, ref, "bidder2")
    assert offer(world, ref, "bidder2", theirs, signed).accepted
    assert offer(world, ref, "bidder1", theirs, signed).reason == "CONTEXT_MISMATCH", "copied with its submission"
    assert offer(world, ref, "bidder1", theirs, resigned(world, "bidder1", theirs)).reason == "CONTEXT_MISMATCH", (
        "copied and signed anew"
    )
    mine, first = seal(world, ref, "bidder1")
    accepted = offer(world, ref, "bidder1", mine, first)
    assert accepted.accepted
    replay = submissions.make_submission(
        sealed_bid.inspect(io.BytesIO(mine)),
        sealed_at=format_time(world.now),
        tool="cheat/1",
        replaces=accepted.receipt.statement,
    )
    again = offer(world, ref, "bidder1", mine, sign_document("submission", replay, world.keys["bidder1"].sign))
    assert again.reason == "CONTEXT_MISMATCH", "the same bytes as a replacement of themselves"


def test_an_envelope_sealed_for_another_lot_of_the_same_house(world: World) -> None:
    here, there = stages.bidding(world), world.lot("BIDDING")
    world.take_part(there, "bidder1")
    sealed, submission = seal(world, there, "bidder1")
    assert offer(world, here, "bidder1", sealed, submission).reason == "CONTEXT_MISMATCH"


# --- at the opening ---------------------------------------------------------------------------------------------------


def readdressed(world: World, ref: str) -> tuple[bytes, Any]:
    """bidder2's boxes and content under bidder1's name: it cannot know what it copies."""
    theirs, _ = seal(world, ref, "bidder2")
    copied = with_header(theirs, lambda value: value["ctx"].update(bidder=sealing.code_of(world, "bidder1")))
    return copied, resigned(world, "bidder1", copied)


def standing(world: World, ref: str, username: str) -> bytes:
    """The sealed file of a bid that stands: who has the platform's disk can copy it, nobody else."""
    with world.view("clock") as view:
        found = bids.standing_bids(view.session, world.lot_in(view, ref))
        (blob,) = [bid.blob for bid in found if bid.party_id == world.party_ids[username]]
    return b"".join(world.office.blobs.read(blob))


def copied(world: World, ref: str) -> tuple[bytes, Any]:
    """bidder2's standing bid, whole, under bidder1's name."""
    whole = with_header(
        standing(world, ref, "bidder2"), lambda value: value["ctx"].update(bidder=sealing.code_of(world, "bidder1"))
    )
    return whole, resigned(world, "bidder1", whole)


def with_boxes_of(js: tuple[int, ...], *fields: str) -> Callable[[World, str], tuple[bytes, Any]]:
    """bidder1's own bid, some fields of some boxes being those of bidder2's standing bid."""

    def make(world: World, ref: str) -> tuple[bytes, Any]:
        theirs = loads(split(standing(world, ref, "bidder2"))[0][12:])["boxes"]

        def take(value: Any) -> None:
            for box, other in zip(value["boxes"], theirs, strict=True):
                box |= {field: other[field] for field in fields if box["j"] in js}

        mixed = with_header(seal(world, ref, "bidder1")[0], take)
        return mixed, resigned(world, "bidder1", mixed)

    return make


def spoiled(change: Callable[[bytes], bytes], size: int = 600_000) -> Callable[[World, str], tuple[bytes, Any]]:
    def make(world: World, ref: str) -> tuple[bytes, Any]:
        sealed = change(seal(world, ref, "bidder1", b"\x5a" * size)[0])
        return sealed, resigned(world, "bidder1", sealed)

    return make


def cheat(name: str) -> Callable[[World, str], tuple[bytes, Any]]:
    return lambda world, ref: forged(world, ref, "bidder1", **FORGED[name][0])


HUGE = {"v": 1, "announce": {}, "files": [{"name": "a.bin", "size": 2**40, "type": ""}]}
OPENING: dict[str, tuple[Callable[[World, str], tuple[bytes, Any]], str, str]] = {
    "a bit flipped in the content": (spoiled(flipped), "CHUNK_AUTH", "bidder"),
    "chunks in another order": (spoiled(reordered, 1_200_000), "CHUNK_AUTH", "bidder"),
    "a chunk twice": (spoiled(repeated, 1_200_000), "CHUNK_AUTH", "bidder"),
    "a bid that stands nowhere, copied under another name": (readdressed, "UNRESOLVED", "unknown"),
    "a standing bid copied under another name": (copied, "SHARE_COMMIT", "bidder"),
    "three boxes of a standing bid": (with_boxes_of((1, 3, 5), "enc", "ct"), "SHARE_COMMIT", "bidder"),
    "what the boxes of a standing bid hold, with keys of its own": (
        with_boxes_of((1, 3, 5), "ct"),
        "SHARE_COMMIT",
        "bidder",
    ),
    "the keys of a standing bid, with boxes of its own": (with_boxes_of((1, 3, 5), "enc"), "SHARE_COMMIT", "bidder"),
    "one box of a standing bid, four of its own": (with_boxes_of((2,), "enc", "ct"), "REDERIVE", "bidder"),
    "inconsistent shares": (cheat("one bad box, REDERIVE fails for whoever came"), "REDERIVE", "bidder"),
    "another commitment": (cheat("another commit"), "REDERIVE", "bidder"),
    "content under another key": (cheat("content under another key"), "CHUNK_AUTH", "bidder"),
    "a size lie in the manifest": (
        lambda world, ref: forged(world, ref, "bidder1", manifest=HUGE),
        "MANIFEST",
        "bidder",
    ),
    "a file name that climbs": (cheat("a name that climbs"), "MANIFEST", "bidder"),
    "padding that hides something": (cheat("padding that is none"), "PADDING", "bidder"),
}
FOLLOWS = {"bidder": ("treated_as_revoked", "may_be_withheld"), "unknown": ("ruling_required", "hold")}


@pytest.mark.parametrize("name", OPENING)
def test_what_only_keys_can_show_is_found_at_the_opening_and_the_others_go_on(world: World, name: str) -> None:
    make, code, cause = OPENING[name]
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder2", "bidder3")
    outcome = offer(world, ref, "bidder1", *make(world, ref))
    assert outcome.accepted, f"nobody without keys can tell: {outcome.reason}"
    world.tick()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    if verdict_steps.decrypt(world, ref).state == "LISTED":
        assert code == "UNRESOLVED"
        opening_steps.turn(world)
        with world.view("clock") as view:
            (failed,) = verdict_steps.failures_of(world, view, ref)
            assert (failed.code, audit.entry(view.session, failed.c).event) == ("UNRESOLVED", "bid-failed")
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
    verdict_steps.finish(world, ref, *ALL)
    opening_steps.turn(world)
    with world.view("clock") as view:
        row, lot = row_of(world, view, ref), world.lot_in(view, ref)
        found = {bid.party_id: bid for bid in ceremony.opened_bids(view.session, row)}
        bad = found[world.party_ids["bidder1"]]
        assert (bad.verdict, bad.cause, bad.announce, bad.files, bad.price_minor) == (code, cause, {}, [], None)
        assert {found[world.party_ids[other]].verdict for other in ("bidder2", "bidder3")} == {"opened"}
        effect = legal_effects.of_party(view.session, lot, world.party_ids["bidder1"])
        assert effect is not None and (effect.outcome.result, effect.outcome.deposit) == FOLLOWS[cause]
        entry = audit.entry(view.session, row.opened_c or "")
        item = next(
            one
            for one in loads(payload_of(audit.document(view.session, entry.statement)))["bids"]
            if one["header_hash"] == bad.header_hash
        )
        assert (item["verdict"], item["cause"]) == (code, cause) and log.tick_of(view.session, entry.c) is not None


def test_a_decompression_bomb_stays_the_small_file_it_is(world: World) -> None:
    """The platform unpacks nothing unbidden: a bomb is so many bytes among others (protocol §9)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(200_000_000))
    bomb = packed.getvalue()
    assert len(bomb) < 300_000
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder2", "bidder3")
    assert offer(world, ref, "bidder1", *seal(world, ref, "bidder1", bomb)).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        opening_steps.share(world, ref, username)
    verdict_steps.decrypt(world, ref)
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        mine = next(
            bid for bid in ceremony.opened_bids(view.session, row) if bid.party_id == world.party_ids["bidder1"]
        )
    assert (mine.verdict, mine.files[0]["size"]) == ("opened", len(bomb))
    assert b"".join(world.office.blobs.read(mine.files[0]["blob"])) == bomb
    kept = [path.stat().st_size for path in world.office.blobs.folder.rglob("*") if path.is_file()]
    assert max(kept) < 1_000_000


# --- officers ---------------------------------------------------------------------------------------------------------


def shares_of(world: World, ref: str, username: str, secret: bytes | None = None) -> dict[str, Any]:
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        policy = officers.policy_document(officers.current_policy(view.session, row.lot))
        checked = CheckedSet(
            policy,
            ceremony.generations(view.session, row),
            row.set_hash,
            tuple(row.bids),
            {},
            None,  # type: ignore[arg-type]
            "2020-01-01T00:00:00Z",
        )
        return release_shares(
            checked,
            ceremony.headers(view.session, row),
            j=ALL.index(username) + 1,
            secrets=lambda policy: secret or world.policy_secret(username, policy),
            now=format_time(world.now),
        )


def post(world: World, ref: str, username: str, document: dict[str, Any], key: bytes = b"") -> ceremony.Share:
    with world.work(username) as work:
        signed = sign_document("shares", document, key or world.keys[username].sign)
        return shares.accept_share(work, row_of(world, work, ref), signed)


def test_officers_with_a_wrong_share_a_wrong_key_absent_and_twice(world: World) -> None:
    ref = stages.listed(world)
    right = shares_of(world, ref, "officer1")
    wrong = {
        **right,
        "items": [{**item, "part": right["items"][at - 1]["part"]} for at, item in enumerate(right["items"])],
    }
    with unchanged(world), pytest.raises(Invalid) as refusal:
        post(world, ref, "officer1", wrong)
    assert refusal.value.code == "share.wrong_parts" and set(refusal.value.facts["codes"].values()) == {"SHARE_COMMIT"}
    with pytest.raises(Exception, match="not the key|CONTEXT_MISMATCH"):
        shares_of(world, ref, "officer2", Keys().seal)  # its own client stops: not the key the policy names
    for key, kind in ((Keys().sign, Invalid), (world.keys["officer3"].sign, Invalid)):
        with unchanged(world), pytest.raises(kind):
            post(world, ref, "officer2", shares_of(world, ref, "officer2"), key)
    with unchanged(world), pytest.raises(NotAllowed):
        post(world, ref, "host", right, world.keys["officer1"].sign)
    first = post(world, ref, "officer1", right)
    with unchanged(world):
        assert post(world, ref, "officer1", right).c == first.c, "twice the same is once"
    with unchanged(world), pytest.raises(Conflict):
        post(
            world,
            ref,
            "officer1",
            {**right, "at": format_time(world.now.replace(microsecond=0))}
            | {"items": [{**item, "part": "", "error": "SHARE_OPEN"} for item in right["items"]]},
        )
    for username in ("officer2", "officer3"):
        post(world, ref, username, shares_of(world, ref, username))
    with world.view("clock") as view:
        world.clock.set(row_of(world, view, ref).shares_until)
    opening_steps.turn(world)
    verdict_steps.decrypt(world, ref)  # two absent: any three open
    opening_steps.turn(world)
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        assert {bid.verdict for bid in ceremony.opened_bids(view.session, row)} == {"opened"}
        assert [share.j for share in ceremony.shares(view.session, row)] == [1, 2, 3]
        for share in ceremony.shares(view.session, row):
            assert (
                audit.entry(view.session, share.c).event == "shares" and log.tick_of(view.session, share.c) is not None
            )


def test_an_officer_that_cries_wolf_changes_nothing_while_three_are_good(world: World) -> None:
    ref = stages.listed(world)
    for username in ("officer1", "officer2", "officer3"):
        opening_steps.share(world, ref, username)
    for username in ("officer4", "officer5"):
        verdict_steps.lie(world, ref, username)
    verdict_steps.decrypt(world, ref)
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        assert {bid.verdict for bid in ceremony.opened_bids(view.session, row)} == {"opened"}
        assert rescue.failures(view.session, row) == []
        assert all(
            set(share.errors.values()) == {"SHARE_OPEN"} for share in ceremony.shares(view.session, row) if share.j > 3
        )

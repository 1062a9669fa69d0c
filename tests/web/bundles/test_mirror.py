"""Bundles of a tender with a mirror: acknowledgements and erasures are proved, and each of them tampered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u
from crypto.keys import new_secret
from crypto.signatures import payload_of
from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit.database import Databases
from tests.kit.mirror import mirror_beside
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_verifier_verdicts import terminated
from trading.bidding import bids, copies
from trading.opening import decryption, rechecks
from web.verifier import verify_bundle


@dataclass(frozen=True)
class Mirrored:
    over: Finished
    secret: bytes


def played(databases: Databases, folder: Path, *, lose: bool) -> Iterator[Mirrored]:
    """Five bidders, one replaces its bid, one withdraws; the mirror has all. ``lose``: the platform and the mirror lose one bid."""
    with world_of(databases, folder, 5) as world, mirror_beside(world, folder) as beside:
        world.tick()
        early = play.checkpoint(world)
        ref = world.lot()
        world.take_part(ref)
        play.bid(world, ref, "GP")
        copies.send_due(world.office)
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        rechecks.recheck(world.office)
        for username in opening_steps.ALL:
            opening_steps.share(world, ref, username)
        if lose:
            with world.view("clock") as view:
                bid = bids.standing_bids(view.session, world.lot_in(view, ref))[0]
            world.office.blobs.path(bid.blob).unlink()
            beside.stop()
        decryption.open_bids(world.office, world.actor("host"), ref)
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        rechecks.erase(world.office)
        yield Mirrored(terminated(world, ref, folder, early), beside.store.secret)


@pytest.fixture(scope="module")
def mirrored(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrored]:
    yield from played(databases, tmp_path_factory.mktemp("mirrored"), lose=False)


@pytest.fixture(scope="module")
def lost(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrored]:
    yield from played(databases, tmp_path_factory.mktemp("lost"), lose=True)


def claims(path: Path) -> dict[str, Any]:
    return {one["name"]: one for one in verify_bundle(path)["claims"]}


def forger(one: Mirrored, public: bool = False) -> Rewriter:
    return Rewriter(one.over.world, one.over.public if public else one.over.audit)


def an_ack(made: Rewriter) -> str:
    return made.below("bids/mirror-ack.")[0]


def test_acknowledgements_and_erasures_are_proved(mirrored: Mirrored) -> None:
    audit = claims(mirrored.over.audit)["sealed_bids"]
    assert audit["ok"] and "6 bids were acknowledged by the mirror (files), 6 by the closing tick" in audit["detail"]
    assert "2 bids outside the set were erased" in audit["detail"]
    public = claims(mirrored.over.public)["sealed_bids"]
    assert public["ok"] and "6 bids were acknowledged" in public["detail"]
    inside, outside = play.contents(mirrored.over.audit), play.contents(mirrored.over.public)
    headers = {name.split("/")[1] for name in inside if name.endswith("/pieces.txt")}
    assert len(headers) == 6 and len([name for name in inside if name.endswith("/sealed")]) == 4
    assert len([name for name in outside if name.endswith("/header")]) == 4, (
        "boxes of bids outside the set are handed out to nobody"
    )


@pytest.mark.parametrize("public", [False, True])
def test_an_acknowledgement_changed(mirrored: Mirrored, public: bool) -> None:
    other = b64u(bytes(32))
    for change in (
        {"sealed_root": other},
        {"header_hash": other},
        {"kind": "digests"},
        {"lot": "2"},
        {"platform": "elsewhere"},
    ):
        made = forger(mirrored, public)
        made.change(an_ack(made), lambda value, change=change: value.update(change), mirrored.secret)  # type: ignore[misc]
        found = made.rewritten()
        assert found.get("sealed_bids") == ["B_BID"] and set(found) == {"sealed_bids"}, (change, found)


def test_an_acknowledgement_by_another_key(mirrored: Mirrored) -> None:
    for secret in (new_secret(), mirrored.over.world.office.keys.signing):
        made = forger(mirrored)
        made.change(an_ack(made), lambda value: None, secret)
        assert "B_SIG" in made.rewritten()["manifest"]


def test_an_acknowledgement_twice(mirrored: Mirrored) -> None:
    made = forger(mirrored)
    first, second = made.below("bids/mirror-ack.")[:2]
    value = json.loads(payload_of(json.loads(made.files[first])))
    made.change(second, lambda old: (old.clear(), old.update(value, at="2026-03-05T00:00:00Z")), mirrored.secret)
    assert made.rewritten()["sealed_bids"] == ["B_BID"]


def test_the_digests_kept_of_an_erased_bid_changed_or_gone(mirrored: Mirrored) -> None:
    def erased(made: Rewriter) -> str:
        held = {name.split("/")[1] for name in made.below("bids/") if name.endswith("/sealed")}
        return next(
            name for name in made.below("bids/") if name.endswith("/pieces.txt") and name.split("/")[1] not in held
        )

    made = forger(mirrored)
    name = erased(made)
    made.files[name] = made.files[name].replace(made.files[name][:4], b"0000", 1)
    assert made.verdict()["sealed_bids"] == ["B_BID"]
    made = forger(mirrored)
    del made.files[erased(made)]
    assert made.verdict()["sealed_bids"] == ["B_BID"]


def test_a_bid_of_the_set_erased(mirrored: Mirrored) -> None:
    made = forger(mirrored)
    stands = next(name for name in made.below("bids/") if name.endswith("/sealed")).split("/")[1]
    act = next(name for name in made.below("acts/") if b'"bid.erase"' in made.files[name])
    made.change(act, lambda value: value["facts"].update(header_hash=stands))
    assert made.rewritten()["sealed_bids"] == ["B_BID"]


def test_a_bid_lost_although_the_mirror_held_it_is_named(lost: Mirrored) -> None:
    for path in (lost.over.audit, lost.over.public):
        found = claims(path)["sealed_bids"]
        assert (
            not found["ok"] and "B_BID" in found["codes"] and "the mirror held the whole file" in str(found["detail"])
        )

"""The audit book: what a stock client needs to rebuild the log, and no entry or document before its hour."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from crypto import checkpoints, merkle, ticks
from crypto.canonical import dumps, unb64u
from crypto.receipts import verify_receipt
from crypto.signatures import document_hash, payload_of
from crypto.trust import trust_of
from tests.kit import sealing
from tests.web.desks.rooms import Rooms
from trading.kernel import log
from trading.kernel.audit import LogDocument, LogEntry

JSON = {"Accept": "application/json"}


@pytest.fixture
def guest(rooms: Rooms) -> FlaskClient:
    return rooms.app.test_client()


def checkpoint(rooms: Rooms, guest: FlaskClient) -> checkpoints.Checkpoint:
    answer = guest.get("/log/checkpoint")
    assert answer.mimetype == "text/plain"
    return checkpoints.verify_checkpoint(answer.text, log.log_key(rooms.world.office.platform, rooms.world.office.keys))


def test_the_tiles_rebuild_the_signed_root(rooms: Rooms, guest: FlaskClient) -> None:
    for _ in range(261):
        rooms.world.tick()
    head = checkpoint(rooms, guest)
    assert head.size > 256
    found: dict[str, bytes] = {}
    for path in checkpoints.tile_paths(head.size):
        answer = guest.get("/log/" + path)
        assert answer.status_code == 200 and answer.mimetype == "application/octet-stream", path
        assert "immutable" in answer.headers["Cache-Control"]
        found[path] = answer.data
    leaves = [
        leaf
        for path, data in found.items()
        if path.startswith("tile/entries/")
        for leaf in checkpoints.parse_entry_bundle(data)
    ]
    assert merkle.root(leaves) == head.root
    ticks.check_leaves([json.loads(leaf) for leaf in leaves])
    hashes = b"".join(data for path, data in found.items() if path.startswith("tile/0/"))
    assert hashes == b"".join(merkle.leaf_hash(leaf) for leaf in leaves)
    assert found["tile/1/000.p/1"] == merkle.root(leaves[:256])
    rows = guest.get("/log/leaves?from=200").get_json()
    assert [text.encode() for text in rows["leaves"]] == leaves[200:] and rows["next"] is None


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/255",
        "tile/9/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/00a",
        "tile/entries/001",
        "tile/0/000/",
        "tile/0/../checkpoint",
        "leaves?from=abc",
        "consistency?from=0",
        "consistency?from=5&to=3",
        "consistency?from=1&to=999999",
        "entries/x.json",
        "documents/x.json",
    ],
)
def test_no_other_path_answers(rooms: Rooms, guest: FlaskClient, path: str) -> None:
    rooms.world.tick()
    answer = guest.get("/log/" + path)
    assert answer.status_code in ((200,) if path.startswith("leaves") else (404, 308))
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_an_empty_log_says_so(rooms: Rooms, guest: FlaskClient) -> None:
    assert guest.get("/log/checkpoint").status_code == 404
    assert "日志还没有时点" in guest.get("/audit").text


def test_consistency_between_any_two_sizes(rooms: Rooms, guest: FlaskClient) -> None:
    heads = []
    for _ in range(7):
        rooms.world.tick()
        heads.append(checkpoint(rooms, guest))
    for old in heads:
        told = guest.get(f"/log/consistency?from={old.size}").get_json()
        merkle.verify_consistency(
            old.size, told["to"], [unb64u(node) for node in told["proof"]], old.root, heads[-1].root
        )


def test_public_entries_verify_with_the_published_keys(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    world.tick()
    trust = trust_of(json.loads(guest.get("/log/keys.json").data))
    with world.view("clock") as view:
        events = dict(
            view.session.execute(
                select(LogEntry.c, LogEntry.event).where(LogEntry.tender == ref.rpartition("-")[0])
            ).all()
        )
    seen = set()
    for c, event in events.items():
        answer = guest.get(f"/log/entries/{c}.json", headers=JSON)
        assert (answer.status_code == 200) == (event in ticks.PUBLIC_EVENTS), event
        if answer.status_code == 200:
            receipt = verify_receipt(answer.json, trust.platform_keys, trust.log_key)
            assert receipt.state == "in_log"
            document = json.loads(guest.get(f"/log/documents/{receipt.entry['statement']}.json").data)
            payload = payload_of(document) if "payloadType" in document else dumps(document)
            assert document_hash(payload) == receipt.entry["statement"]
            seen.add(event)
    assert seen == {"policy", "drill", "published"}
    page = guest.get(f"/audit?lot={ref}").text
    assert page.count("data-entry=") == 13 and "密钥演练" in page and ref in page


def test_documents_of_hidden_entries_stay_hidden(rooms: Rooms, guest: FlaskClient) -> None:
    world = rooms.world
    ref = world.lot("BIDDING")
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted
    world.tick()
    with world.view("clock") as view:
        kinds = dict(view.session.execute(select(LogDocument.hash, LogDocument.kind)).all())
    shown = {kind for name, kind in kinds.items() if guest.get(f"/log/documents/{name}.json").status_code == 200}
    assert "submission" in kinds.values() and shown == {"policy", "drill", "published", "notice"}


def test_entries_of_an_unpublished_lot_wait(rooms: Rooms, guest: FlaskClient) -> None:
    ref = rooms.world.lot("READY")
    rooms.world.tick()
    page = guest.get("/audit").text
    assert ref not in page and "还没有公开条目" in page

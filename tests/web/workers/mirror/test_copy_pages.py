"""Pages of a broken or lost bid: the bidder hands its copy in over HTTP, the supervisory body waives or finds, by page and by command."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit import opening_steps, sealing, stages
from tests.kit.commands import Desk, key_file
from tests.kit.mirror import mirror_beside
from tests.kit.world import World
from tests.trading.bidding.test_stored import bid_of, spoil, state_of, verdict_of
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import Person, open_rooms
from trading.bidding import copies
from trading.bidding.bids import standing_bids
from trading.opening import decryption, findings, rechecks

WORDS = "镜像主机断电，已派人到场查看，今日不能恢复。"


@pytest.fixture
def world(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def tus(person: Person, ref: str, data: bytes, **metadata: str) -> Any:
    """Announce an upload and send it whole."""
    told = {"lot": ref, "envelope": "bid", **metadata}
    pairs = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    head = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": pairs}
    made = person.client.post("/uploads/acts", headers=head)
    if made.status_code != 201:
        return made
    return person.client.patch(
        made.headers["Location"],
        data=data,
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    ), made.headers["Location"]


def test_a_bidder_hands_its_copy_in_over_the_page(world: World, tmp_path: Path) -> None:
    ref = stages.closed(world)
    good = spoil(world, bid_of(world, ref, "bidder1"))
    rooms = open_rooms(world, tmp_path)
    mine, other = rooms.person("bidder1"), rooms.person("bidder2")
    where = f"/bidder/lots/{ref}"
    assert "完好" in mine.get(where + "/copy").text and tus(mine, ref, good, copy="yes").status_code == 409
    rechecks.recheck(world.office)
    for page in (where, where + "/opening"):
        assert "现在提交本单位的副本" in mine.get(page).text and "副本" not in other.get(page).text
    assert tus(mine, ref, good).status_code == 409, "the door is closed to bids"
    assert tus(other, ref, good, copy="yes").status_code == 409
    assert tus(mine, ref, good + b"x", copy="yes").status_code in (400, 413, 422)
    answer, location = tus(mine, ref, good, copy="yes")
    assert answer.status_code == 204
    assert send(mine, where + "/copy", "copy", upload="ab" * 24).status_code == 404
    done(send(mine, where + "/copy", "copy", upload=location.rsplit("/", 1)[1]))
    assert (
        state_of(world, bid_of(world, ref, "bidder1")) == ("HANDED_IN", "bidder")
        and "完好" in mine.get(where + "/copy").text
    )


@pytest.mark.promise("S1")
def test_a_receipt_says_when_the_mirror_had_it_to_its_bidder_alone(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path) as beside:
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        outcome = sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1"))
        rooms = open_rooms(world, tmp_path)
        mine = rooms.person("bidder1")
        page = f"/bidder/receipts/{outcome.receipt.c}"
        assert "不影响本回执" in mine.get(page).text
        beside.send()
        text = mine.get(page).text
        assert "监督机构的镜像已签收" in text and "不影响本回执" not in text
        assert rooms.person("bidder2").get(page).status_code == 404


def test_the_supervisory_body_waives_by_page(world: World, tmp_path: Path) -> None:
    with mirror_beside(world, tmp_path, "digests") as beside:
        ref = world.lot("BIDDING")
        opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
        copies.send_due(world.office)
        sealing.close(world, ref)
        where = f"/supervisor/hall/{ref}"
        watch = open_rooms(world, tmp_path).person("watch")
        before = watch.get(where).text
        assert "贵单位的镜像" not in before, "before the set is published nothing tells that bytes are being looked at"
        sealing.list_set(world, ref)
        beside.stop()
        rechecks.recheck(world.office)
        watch = open_rooms(world, tmp_path).person("watch")
        assert "还没有与贵单位的镜像核对" in watch.get(where).text
        assert "10" in errors(send(watch, where, "waive", reasons="短"))
        done(send(watch, where, "waive", reasons=WORDS))
        assert WORDS in watch.get(where).text
        opening_steps.share(world, ref, "officer1")


def test_a_lost_bid_is_found_on_by_page_and_command(world: World, tmp_path: Path) -> None:
    ref = stages.shared(world)
    spoil(world, bid_of(world, ref, "bidder1"), "gone")
    decryption.open_bids(world.office, world.actor("host"), ref)
    rooms = open_rooms(world, tmp_path)
    watch, where = rooms.person("watch"), f"/supervisor/hall/{ref}"
    assert "待监督机构认定" in rooms.person("bidder1").get(f"/bidder/lots/{ref}/opening").text
    assert "平台丢失的投标" in watch.get(where).text and ref in watch.get("/supervisor/hall").text
    told = watch.get(where + "/lost.json").get_json()
    assert [one["header_hash"] for one in told["lost"]] == [bid_of(world, ref, "bidder1").header_hash]
    desk = Desk(tmp_path, world)
    ran = desk.run(
        "finding",
        desk.write("lost.json", told),
        "--key",
        key_file(desk, world, "watch", "supervisor"),
        "--passphrase-file",
        desk.passphrase,
        "-o",
        desk.path("found.json"),
    )
    assert ran.code == 0, ran.err
    found = desk.read("found.json")
    errors(send(watch, where, "lost", lost=json.dumps([{"document": {}}])))
    done(send(watch, where, "lost", lost=json.dumps(found)))
    with world.view("clock") as view:
        assert findings.awaited(view.session, world.lot_in(view, ref)) == []
        assert len(standing_bids(view.session, world.lot_in(view, ref))) == 3
    assert "待监督机构认定" not in rooms.person("bidder1").get(f"/bidder/lots/{ref}/opening").text
    assert watch.get(where + "/lost.json").get_json() == {"lost": []}
    assert verdict_of(world, ref, "bidder1") == ("SEALED_ROOT", "platform")

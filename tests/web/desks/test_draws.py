"""Draws over HTTP: the coefficient of a works lot from its notice to its value, each side on its own page; what anybody recomputes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from crypto import draws as rules
from crypto import signatures
from crypto.canonical import b64u, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.headers import parse_header
from crypto.keys import new_secret
from crypto.receipts import verify_receipt
from crypto.trust import trust_of
from tests.kit import sealing
from tests.kit.world import OFFICERS, World
from tests.web.desks.hall.kit import Seat, app_of
from trading.opening.draw_files import check_draw, release_escrows

WORKS_FORM = {"price": "2750000.00", "duration_days": "120", "quality": "合格", "manager": "王建国"}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


@pytest.fixture
def ref(world: World) -> str:
    """A works lot that has closed with three bids."""
    ref = world.lot("BIDDING", regime="WORKS")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, form=WORKS_FORM)).accepted
    world.tick()
    sealing.close(world, ref)
    return ref


def committed(world: World, app: Flask, ref: str, r: bytes) -> tuple[Seat, Seat]:
    """Notice, the platform's commitment and the tenderee's, each in its tick."""
    host, buyer = Seat(world, app, "host"), Seat(world, app, "buyer")
    host.act(f"/hall/{ref}/draw/k/acts/announce")
    assert host.post(f"/hall/{ref}/draw/k/acts/commit").status_code == 409  # the notice waits for its tick
    world.tick()
    assert (
        buyer.post(f"/agency/lots/{ref}/draw/k/acts/commit", **commitment(buyer, ref, r)).status_code == 409
    )  # the platform comes first
    where = f"/agency/lots/{ref}/draw/k"
    assert where not in buyer.get("/agency").text
    host.act(f"/hall/{ref}/draw/k/acts/commit")
    assert f'href="{where}"' in buyer.get("/agency").text  # its turn is a duty, until it is taken
    buyer.act(f"{where}/acts/commit", **commitment(buyer, ref, r))
    assert where not in buyer.get("/agency").text
    world.tick()
    host.act(f"/hall/{ref}/draw/k/acts/list")
    return host, buyer


def commitment(buyer: Seat, ref: str, r: bytes) -> dict[str, Any]:
    kit = buyer.json(f"/agency/lots/{ref}/draw/k/kit")
    policy = loads(signatures.payload_of(kit["policies"][-1]))
    header = rules.make_escrow(policy, draw=kit["draw"], party="tenderee", r=r)
    document = {
        "v": 1,
        "at": format_time(buyer.world.now),
        "commit": b64u(rules.draw_commit(kit["draw"], "tenderee", r)),
        "draw": kit["draw"],
        "header_hash": b64u(parse_header(header).header_hash),
        "party": "tenderee",
    }
    return {
        "commit": dict(sign_document("draw-commit", document, buyer.world.keys["buyer"].sign)),
        "header": b64u(header),
    }


def sign_list(buyer: Seat, ref: str) -> None:
    listing = buyer.json(f"/agency/lots/{ref}/draw/k/kit")["listing"]
    mine = sign_document("commit-list", loads(signatures.payload_of(listing)), buyer.world.keys["buyer"].sign)
    buyer.act(
        f"/agency/lots/{ref}/draw/k/acts/sign-list",
        listing={**listing, "signatures": [*listing["signatures"], *mine["signatures"]]},
    )


def reveal(buyer: Seat, ref: str, r: bytes) -> dict[str, Any]:
    draw = buyer.json(f"/agency/lots/{ref}/draw/k/kit")["draw"]
    document = {"v": 1, "at": format_time(buyer.world.now), "draw": draw, "party": "tenderee", "r": b64u(r)}
    return dict(sign_document("draw-reveal", document, buyer.world.keys["buyer"].sign))


def recompute(record: dict[str, Any]) -> dict[str, Any]:
    """What anybody reckons from the public record alone; every receipt is held against the log's key."""
    trust = trust_of(record["trust"])
    receipts = [record["notice_receipt"], record["listing_receipt"], record["result_receipt"]]
    receipts += [one["commit_receipt"] for one in record["parties"]]
    for receipt in receipts:
        assert verify_receipt(receipt, trust.platform_keys, trust.log_key, trust.witnesses).proven is not None
    turns = [
        rules.Turn(
            one["party"],
            unb64u(one["commit"]),
            parse_header(unb64u(one["header"])),
            unb64u(one["r"]) if one["r"] else b"",
        )
        for one in record["parties"]
    ]
    return rules.result(
        record["notice"], turns, root=unb64u(record["root"]), at=loads(signatures.payload_of(record["result"]))["at"]
    )


def test_a_coefficient_is_drawn_and_anybody_reckons_it_again(world: World, app: Flask, ref: str) -> None:
    r = new_secret()
    host, buyer = committed(world, app, ref, r)
    sign_list(buyer, ref)
    assert host.post(f"/hall/{ref}/draw/k/acts/reveal").status_code == 409  # the list waits for its tick
    world.tick()
    buyer.act(f"/agency/lots/{ref}/draw/k/acts/reveal", reveal=reveal(buyer, ref, r))
    assert host.post(f"/hall/{ref}/draw/k/acts/conclude").status_code == 409
    host.act(f"/hall/{ref}/draw/k/acts/reveal")
    host.act(f"/hall/{ref}/draw/k/acts/conclude")
    world.tick()
    public = Seat(world, app)
    record = public.json(f"/lots/{ref}/draw/k/data")
    result = loads(signatures.payload_of(record["result"]))
    assert recompute(record) == result and result["faults"] == []
    value = record["pool"][result["picks"][0]]
    assert rules.pool_hash(unb64u(record["salt"]), record["pool"]) == unb64u(record["notice"]["pool"])
    page = public.get(f"/lots/{ref}/draw").text
    assert f"<b>{value}</b>" in page and "平台" in page
    assert f"<b>{value}</b>" in host.get(f"/hall/{ref}/draw/k").text


def test_a_silent_tenderee_gains_nothing_the_officers_open_its_escrow(world: World, app: Flask, ref: str) -> None:
    r = new_secret()
    host, buyer = committed(world, app, ref, r)
    sign_list(buyer, ref)
    world.tick()
    host.act(f"/hall/{ref}/draw/k/acts/reveal")
    seat = Seat(world, app, "officer1")
    assert seat.get(f"/hall/{ref}/draw/k/escrow").status_code == 200
    too_soon = seat.post(f"/hall/{ref}/draw/k/acts/escrow", shares={"payload": "", "payloadType": "", "signatures": []})
    assert too_soon.status_code == 409
    world.clock.set(world.now.replace(second=0) + timedelta(hours=2, minutes=10))
    world.tick()
    for username, _party, _side in OFFICERS[:3]:
        seat = Seat(world, app, username)
        assert f"/hall/{ref}/draw/k/escrow" in seat.get("/hall/desk").text
        package = seat.json(f"/hall/{ref}/draw/k/package.json")
        now = format_time(world.now)
        checked = check_draw(package, trust_of(package["trust"]), now=now)
        document = release_escrows(
            checked, j=package["officer"]["j"], secret=world.policy_secret(username, checked.policy), now=now
        )
        seat.act(
            f"/hall/{ref}/draw/k/acts/escrow", shares=dict(sign_document("shares", document, world.keys[username].sign))
        )
    Seat(world, app, "host").act(f"/hall/{ref}/draw/k/acts/conclude")
    world.tick()
    record = Seat(world, app).json(f"/lots/{ref}/draw/k/data")
    tenderee = record["parties"][1]
    assert not tenderee["r"] and tenderee["escrow"] == [1, 2, 3]
    result = loads(signatures.payload_of(record["result"]))
    record["parties"][1]["r"] = b64u(r)  # what the officers' parts join to is the very value that was committed
    assert recompute(record) == result and result["faults"] == []


def test_another_list_another_firm_and_another_hand_are_refused(world: World, app: Flask, ref: str) -> None:
    r = new_secret()
    _host, buyer = committed(world, app, ref, r)
    listing = buyer.json(f"/agency/lots/{ref}/draw/k/kit")["listing"]
    value = loads(signatures.payload_of(listing))
    forged = sign_document(
        "commit-list", value | {"entries": list(reversed(value["entries"]))}, world.keys["buyer"].sign
    )
    assert buyer.post(f"/agency/lots/{ref}/draw/k/acts/sign-list", listing=dict(forged)).status_code == 422
    assert buyer.post(f"/agency/lots/{ref}/draw/k/acts/reveal", reveal=reveal(buyer, ref, r)).status_code == 409
    assert Seat(world, app, "agent").get(f"/agency/lots/{ref}/draw/k").status_code == 403
    assert Seat(world, app, "clerk").get(f"/hall/{ref}/draw/k").status_code == 403
    assert Seat(world, app, "host").get(f"/hall/{ref}/draw/experts").status_code == 403
    assert buyer.get(f"/agency/lots/{ref}/draw/x").status_code == 404


def test_the_coefficient_is_not_announced_before_the_deadline(world: World, app: Flask) -> None:
    ref = world.lot("BIDDING", regime="WORKS")
    host = Seat(world, app, "host")
    assert host.post(f"/hall/{ref}/draw/k/acts/announce").status_code == 409
    assert host.get(f"/hall/{ref}/draw/k").status_code == 200
    assert Seat(world, app).get(f"/lots/{ref}/draw").status_code == 200

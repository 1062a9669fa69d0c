"""A consortium in the pages: named, signed, left; unseen by others; read out with its members only once the lot is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from crypto import signatures
from tests.kit import opening_steps, sealing
from tests.kit.world import World
from tests.trading.bidding.test_joint_bids import code, lot_with, propose, sign
from tests.web.desks.rooms import Rooms, open_rooms
from trading.bidding import consortia
from trading.bidding.consortia import KIND


def test_named_signed_and_seen_by_its_members_alone(rooms: Rooms) -> None:
    world = rooms.world
    ref = lot_with(world)
    lead, member, other = (rooms.person(name, "bidder-signer") for name in ("bidder1", "bidder2", "bidder3"))
    assert f"/bidder/lots/{ref}/consortium" in lead.get(f"/bidder/lots/{ref}").text
    page = f"/bidder/lots/{ref}/consortium"
    rows: dict[str, Any] = {
        "code.0": code(world, "bidder1"),
        "work.0": "主体设备",
        "share.0": "70",
        "code.1": code(world, "bidder2"),
        "work.1": "安装调试",
        "share.1": "20",
    }
    wrong = lead.act(f"/bidder/lots/{ref}/acts/name-consortium", page=page, **rows)
    assert wrong.status_code == 422 and "90%" in wrong.text and "安装调试" in wrong.text
    made = lead.act(f"/bidder/lots/{ref}/acts/name-consortium", page=page, **(rows | {"share.1": "30"}))
    assert made.status_code == 303
    for lang in ("en", "zh"):
        assert (
            "安装调试" in member.get(f"{made.location}?lang={lang}").text
            and "投标单位1" in member.get("/bidder/consortia").text
        )
    assert other.get(made.location).status_code == 404 and "投标单位1" not in other.get("/bidder/consortia").text
    for staff in ("agent", "clerk", "host"):
        assert rooms.person(staff).get(made.location).status_code in (403, 404)
    with world.view("bidder2") as view:
        document = consortia.agreement(consortia.own(view)[0])
    envelope = json.dumps(signatures.sign(KIND, document, world.keys["bidder2"].sign))
    assert member.act(made.location + "/acts/sign", page=made.location, agreement=envelope).status_code == 303
    assert member.act(made.location + "/acts/leave", page=made.location).status_code == 422
    assert member.act(made.location + "/acts/leave", page=made.location, sure="yes").status_code == 303
    with world.view("bidder1") as view:
        assert consortia.own(view) == []


def test_the_opening_list_names_the_members_once_it_is_opened(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path, bidders=4)
    rooms, ref = open_rooms(world, tmp_path), lot_with(world)
    joint = propose(world, ref, ("bidder1", 60), ("bidder2", 40))
    for name in ("bidder1", "bidder2"):
        sign(world, joint, name)
    forms = {
        name: opening_steps.form(price=price)
        for name, price in (("bidder1", "2700000.00"), ("bidder3", "2710000.00"), ("bidder4", "2720000.00"))
    }
    opening_steps.bid(world, ref, forms)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    host = rooms.person("host")
    assert "投标单位2有限公司" not in host.get(f"/hall/{ref}").text
    opening_steps.open_set(world, ref)
    assert "投标单位1有限公司（联合体，成员：投标单位2有限公司）" in host.get(f"/hall/{ref}").text

"""Bids read in the room as page images: every page a link, the same page of every bid, and nothing quarantine holds back (promise U2)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, stages
from tests.kit.clamd import speaking
from tests.kit.hostile import page
from tests.kit.world import World
from tests.web.desks.rooms import Person, Rooms
from trading.hall import opened_files
from web.app import create_app
from web.settings import Settings

TWO_PAGES = page(b"0.2 0.4 0.8 rg 20 20 260 160 re f")


def build(world: World) -> str:
    steps.library(world)
    ref = steps.published(world, "GP", None)
    opening_steps.open_lot(world, "GP", ref=ref, data=TWO_PAGES)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    return ref


def room(engine: Engine, folder: Path, **settings: Any) -> tuple[Rooms, str, Person, list[str]]:
    """A seated panel whose bids hold a PDF each; a member at the door, and the addresses of the bids' first pages."""
    world = World(engine, folder)
    ref = str(stages.reach(world, "view", build))
    chosen = replace(Settings(data=folder / "data", database="", blobs="", platform=world.office.platform), **settings)
    rooms = Rooms(world, create_app(chosen, world.office))
    member = rooms.person(next(iter(steps.usernames(world, ref, "seated").values())))
    links = re.findall(rf'href="(/expert/{ref}/view/\d+/0/1)"', member.get(f"/expert/{ref}/review").text)
    return rooms, ref, member, links


@pytest.mark.promise("U2")
def test_a_member_reads_the_same_page_of_every_bid(engine: Engine, tmp_path: Path) -> None:
    rooms, ref, member, links = room(engine, tmp_path)
    assert len(links) == len(set(links)) == 3
    seen = member.get(links[0])
    assert (
        seen.status_code == 200
        and "第 1 页，共 1 页" in seen.text
        and "预览" not in seen.headers.get("Content-Disposition", "")
    )
    assert {link for link in links if f'href="{link}"' in seen.text} == set(links)
    (image,) = re.findall(r'<img src="([^"]+)" alt="[^"]+"', seen.text)
    answer = member.get(image)
    assert (
        answer.mimetype == "image/png"
        and answer.data.startswith(b"\x89PNG")
        and answer.headers["X-Content-Type-Options"] == "nosniff"
    )
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    beyond = member.get(links[0].removesuffix("/1") + "/2")
    assert beyond.status_code == 200 and "没有这一页" in beyond.text and "<img" not in beyond.text.partition("<main")[2]
    assert member.get(image.replace("1.png", "2.png")).status_code == 404
    told = member.get(links[0] + ".json").json
    assert (told["pages"], told["image"], told["reason"]) == (1, image, "")
    none = member.get(links[0].removesuffix("/1") + "/2.json").json
    assert none["image"] == "" and "没有这一页" in none["reason"]
    for path in ("/expert/%s/view/999999/0/1", "/expert/%s/view/999999/0/1.png", "/expert/%s/view/999999/0/1.json"):
        assert member.get(path % ref).status_code == 404
    assert member.get(links[0].replace("/0/1", "/7/1")).status_code == 404
    for stranger in ("agent", "bidder1", "watch"):
        for address in (links[0], links[0] + ".json"):
            assert rooms.person(stranger).get(address, headers={"Accept": "application/json"}).status_code == 403


@pytest.mark.promise("U2")
def test_what_is_held_back_is_not_shown(engine: Engine, tmp_path: Path) -> None:
    rooms, ref, member, links = room(engine, tmp_path, clamd="tcp://127.0.0.1:1")
    assert links == []
    with speaking(b"stream: Bad.Pdf FOUND\0", b"stream: OK\0") as scanner:
        opened_files.scan(rooms.world.office, scanner)
    page_of_room = member.get(f"/expert/{ref}/review").text
    found = re.findall(rf'href="(/expert/{ref}/view/\d+/0/1)"', page_of_room)
    assert len(found) == 2 and "Bad.Pdf" in page_of_room
    with rooms.world.view("clock") as view:
        (held,) = opened_files.held_back(view.session, rooms.world.lot_in(view, ref))
    for path in (f"/expert/{ref}/view/{held.opened_bid_id}/0/1", f"/expert/{ref}/view/{held.opened_bid_id}/0/1.png"):
        refused = member.get(path)
        assert refused.status_code == 409 and "Bad.Pdf" in refused.text
    told = member.get(f"/expert/{ref}/view/{held.opened_bid_id}/0/1.json").json
    assert told["image"] == told["text"] == "" and "Bad.Pdf" in told["reason"]
    assert f"/view/{held.opened_bid_id}/" not in member.get(found[0]).text

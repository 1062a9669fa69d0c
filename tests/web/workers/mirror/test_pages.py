"""What pages and the doctor say of a mirror: that it answers or does not, never what waits for it; the agency's choice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kit import sealing, stages
from tests.kit.mirror import mirror_beside
from tests.kit.world import SETUP, World
from tests.web.desks.purchasing import done, errors, send
from tests.web.desks.rooms import open_rooms
from trading.bidding import copies
from trading.custody import officers
from trading.kernel.access import Role
from trading.kernel.blobs import LocalBlobs
from trading.parties import parties
from web.cli import doctor, doctor_mirror
from web.workers.watch import mirror_state


@pytest.fixture
def world(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def told(world: World) -> list[tuple[str, str, str]]:
    return [(one.code, one.level, one.what) for one in doctor_mirror.examine(world.office)]


@pytest.mark.promise("S1")
def test_doctor_and_health_say_the_same_whatever_waits(world: World, tmp_path: Path) -> None:
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        parties.invite(
            work,
            centre,
            username="sysadmin",
            name="管理员",
            password="correct horse battery",
            roles=[Role.SYSTEM_ADMIN],
        )
    with mirror_beside(world, tmp_path) as beside:
        assert told(world) == [("mirror", "ok", "the mirror answers")]
        ref = world.lot("BIDDING")
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        rooms = open_rooms(world, tmp_path)
        data = tmp_path / "data"
        admin = rooms.person("sysadmin")
        assert "近来没有询问过镜像" in admin.get("/admin/health").text
        assert mirror_state.ping(world.office, data)
        assert "镜像有应答" in admin.get("/admin/health").text
        beside.stop()
        seen = []
        for number in (0, 1, 2):
            if number:
                made = sealing.seal(world, ref, f"bidder{number}")
                assert sealing.hand_in(world, ref, f"bidder{number}", *made).accepted
            copies.send_due(world.office)
            assert not mirror_state.ping(world.office, data)
            page = admin.get("/admin/health").text
            assert "镜像没有应答" in page
            kept = json.loads((data / "watch" / mirror_state.FILE).read_bytes())
            seen.append((told(world), page.count("镜像"), kept))
        assert seen[0] == seen[1] == seen[2] and seen[0][0][0][1] == "error"


def test_a_mirror_whose_key_nobody_enrolled_or_that_is_missing_is_an_error(world: World, tmp_path: Path) -> None:
    assert told(world) == []
    with mirror_beside(world, tmp_path) as beside:
        world.lot("BIDDING")
        beside.line.key = world.office.keys.public
        assert {code for code, level, _ in told(world) if level == "error"} == {"mirror_key", "mirror"}
        world.office = replace(world.office, mirror=None)
        assert told(world) == [("mirror", "error", "policies ask for a mirror and none is configured")]


def test_the_agency_chooses_and_cannot_choose_what_is_not_there(world: World, tmp_path: Path) -> None:
    def drafted(ref: str) -> set[str]:
        with world.view("agent") as view:
            from sqlalchemy import select

            rows = view.session.scalars(select(officers.Policy).where(officers.Policy.envelope == "bid"))
            return {officers.policy_document(row)["mirror"] for row in rows if row.lot.ref == ref}

    with mirror_beside(world, tmp_path, ""):
        ref = world.lot("READY")
        assert drafted(ref) == {"files"}
        agent = open_rooms(world, tmp_path).person("agent")
        assert "接收每个密封文件" in agent.get(f"/agency/lots/{ref}/keys").text
        done(send(agent, f"/agency/lots/{ref}/keys", "draft-policies", rescue="yes", mirror="digests"))
        assert "digests" in drafted(ref)
    world.office = replace(world.office, mirror=None)
    agent = open_rooms(world, tmp_path).person("agent")
    page = agent.get(f"/agency/lots/{ref}/keys").text
    assert "接收每个密封文件" not in page
    said = errors(send(agent, f"/agency/lots/{ref}/keys", "draft-policies", rescue="yes", mirror="files"))
    assert "没有接入" in said


def test_the_doctor_knows_the_second_disk(world: World, tmp_path: Path) -> None:
    first = world.office.blobs.folder
    assert doctor._second(world.office) == []
    stages.bid(world)
    world.office = replace(world.office, blobs=LocalBlobs(first, tmp_path / "second"))
    found = {one.level: one.what for one in doctor._second(world.office)}
    assert "error" in found and "warning" in found, "files of before, and the same disk"
    for folder in first.iterdir():
        if len(folder.name) == 2:
            for path in folder.iterdir():
                world.office.blobs.second.copy_of(path, path.name)  # type: ignore[union-attr]
    assert {one.level for one in doctor._second(world.office)} == {"warning"}

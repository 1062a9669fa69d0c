"""A backup that lost a sealed file, and the mirror's folder: the tender is opened from both, without the platform."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u
from tests.kit import commands, opening_steps, sealing
from tests.kit.commands import Desk
from tests.kit.mirror import mirror_beside
from tests.kit.world import World
from tests.trading.bidding.test_stored import bid_of
from tests.web.cli.test_offline_opening import OFFICERS, copy_database
from trading.kernel.blobs import LocalBlobs


def test_a_tender_is_opened_from_a_backup_and_the_mirrors_folder(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("the backup of this test is a copy of an SQLite file")
    world = World(engine, tmp_path / "office")
    desk = Desk(tmp_path, world)
    with mirror_beside(world, tmp_path) as beside:
        ref = world.lot("BIDDING")
        opening_steps.bid(world, ref, {name: opening_steps.form() for name in world.bidders})
        beside.send()
        ticket = desk.write("ticket.json", commands.ticket(world, ref))
        world.tick()
        sealing.close(world, ref)
        sealing.list_set(world, ref)
    lost = bid_of(world, ref, "bidder2")
    backup = tmp_path / "backup"
    shutil.copytree(world.office.blobs.folder, backup / "blobs")
    copy_database(world, backup)
    (backup / "rehearsal").touch()
    LocalBlobs(backup / "blobs").path(lost.blob).unlink()
    monkeypatch.setenv("BIDHALL_DATA", str(backup))
    monkeypatch.setenv("BIDHALL_PLATFORM", world.office.platform)
    done = desk.run("export", "opening", ref, "-o", desk.path("opening"), "--json")
    assert done.code == 0 and done.json["missing"] == [lost.header_hash], done.err
    key = b64u(world.office.keys.public)
    shares = []
    for username in OFFICERS:
        keys = commands.key_file(desk, world, username, "officer", f"{username}.json")
        shares.append(desk.path(f"{username}.shares"))
        assert (
            desk.run(
                "share",
                desk.path("opening"),
                "--key",
                keys,
                "--trust",
                ticket,
                "-o",
                shares[-1],
                "--passphrase-file",
                desk.passphrase,
            ).code
            == 0
        )
    words = [
        "open",
        desk.path("opening"),
        "--trust",
        ticket,
        *(word for one in shares for word in ("--shares", one)),
        "--json",
    ]
    without = desk.run(*words, "-o", desk.path("without"))
    assert without.code == 1 and sorted(row["verdict"] for row in without.json["bids"]) == [
        "SEALED_ROOT",
        "opened",
        "opened",
    ]
    given = desk.run(
        "mirror",
        "export",
        "--data",
        desk.path("mirror"),
        "--set",
        desk.path("opening/opening/set.json"),
        "--platform-key",
        key,
        "-o",
        desk.path("opening"),
        "--json",
    )
    assert given.code == 0 and given.json["written"] == [lost.header_hash] and len(given.json["kept"]) == 2
    whole = desk.run(*words, "-o", desk.path("whole"))
    assert whole.code == 0 and [row["verdict"] for row in whole.json["bids"]] == ["opened"] * 3

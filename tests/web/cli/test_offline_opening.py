"""A tender opened from a backup and key files alone: the commands of docs/operate/offline-opening.md, in processes without network."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

import migrations
from crypto.canonical import b64u
from crypto.documents import sign_document
from crypto.signatures import payload_of
from tests.house.tree import ROOT, code_lines
from tests.kit import commands, sealing
from tests.kit.commands import Desk
from tests.kit.world import World
from tests.trading.opening.test_malicious_bids import copied, offer
from trading.kernel.clock import write_moment
from trading.opening import ceremony

PAGE = "docs/operate/offline-opening.md"
OFFICERS = ("officer1", "officer3", "officer5")


def apart() -> list[str]:
    """What starts a process without network, where this machine lets us."""
    tried = ["unshare", "--map-root-user", "--net", "--"]
    if shutil.which("unshare") and subprocess.run([*tried, "true"], capture_output=True).returncode == 0:
        return tried
    return []


@pytest.fixture
def left(desk: Desk, world: World, lot: str) -> str:
    """A lot whose set is published; then only a backup, key files, a ticket and a passphrase are left on the desk."""
    start(desk, world, lot)
    for at, username in enumerate(world.bidders):
        form = sealing.FORM | {"price": f"{2_700_000 + at}.00"}
        made = sealing.seal(world, lot, username, form=form, data=b"plan of " + username.encode())
        assert sealing.hand_in(world, lot, username, *made).accepted
    leave(desk, world, lot)
    return lot


def start(desk: Desk, world: World, lot: str) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("the backup of this test is a copy of an SQLite file")
    desk.write("ticket.json", commands.ticket(world, lot))


def leave(desk: Desk, world: World, lot: str) -> None:
    """The set is published, and what is left lies on the desk."""
    world.tick()
    sealing.close(world, lot)
    sealing.list_set(world, lot)
    for username in OFFICERS:
        commands.key_file(desk, world, username, "officer", f"{username}.json")
    _ = desk.passphrase
    backup = desk.folder / "backup"
    shutil.copytree(world.office.blobs.folder, backup / "blobs")
    copy_database(world, backup)
    (backup / "rehearsal").touch()  # the world's clock stands in March


def copy_database(world: World, backup: Path) -> None:
    """As ``bidhall serve`` leaves it: the tests' databases lack only the note of their version."""
    with closing(world.office.engine.raw_connection()) as raw, closing(sqlite3.connect(backup / "bidhall.db")) as copy:
        raw.driver_connection.backup(copy)  # type: ignore[union-attr]
        copy.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        copy.execute(
            "INSERT INTO alembic_version VALUES (?)",
            (ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head(),),
        )
        copy.commit()


def run(desk: Desk, world: World, line: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BIDHALL_LANG": "en",
        "HOME": str(desk.folder),
        "BIDHALL_PLATFORM": world.office.platform,
        "BIDHALL_TEST_CLOCK": write_moment(world.now),
    }
    return subprocess.run(
        [*apart(), "bash", "-ec", line], cwd=desk.folder, env=env, capture_output=True, text=True, timeout=120
    )


def lines_of_the_page(world: World, lot: str) -> list[str]:
    with world.view("host") as view:
        bid = ceremony.opening(view.session, world.lot_in(view, lot)).bids[0]
    lines = [
        line for _, line in code_lines(PAGE) if "bidhall " in line and " -o " in line
    ]  # not those only named in a sentence
    assert len(lines) == 6
    return [line.replace("KP-2026-7F3A2C-1", lot).replace("HEADER-HASH", bid["header_hash"]) for line in lines]


def test_the_page_runs_as_it_stands(desk: Desk, world: World, left: str) -> None:
    before = {path.relative_to(desk.folder): path.stat().st_mtime_ns for path in (desk.folder / "backup").rglob("*")}
    lines = lines_of_the_page(world, left)
    shutil.rmtree(world.office.blobs.folder)  # the platform is gone
    world.office.engine.dispose()
    for line in lines:
        done = run(desk, world, line)
        assert done.returncode == 0, (line, done.stderr)
    found = desk.read("opened/opened.json")
    assert (
        [row["verdict"] for row in found["bids"]] == ["opened"] * 3
        and found["officers"] == [1, 3, 5]
        and found["trust"] == "given"
    )
    told = {row["bidder"]: row for row in found["bids"]}
    for at, username in enumerate(world.bidders):
        row = told[sealing.code_of(world, username)]
        assert row["announce"]["price"] == f"{2_700_000 + at}.00"
        assert (
            desk.folder / "opened" / row["dir"] / "files" / "投标文件.txt"
        ).read_bytes() == b"plan of " + username.encode()
        assert desk.read(f"opened/{row['dir']}/form.json") == row["announce"]
    assert desk.read("one/form.json") == found["bids"][0]["announce"]
    assert {
        path.relative_to(desk.folder): path.stat().st_mtime_ns for path in (desk.folder / "backup").rglob("*")
    } == before
    assert (
        not (desk.folder / "backup" / "platform.key").exists()
        and not (desk.folder / "opening/keys/trust.json").exists()
    )


@pytest.fixture
def shared(desk: Desk, world: World, left: str) -> str:
    share(desk, world, left)
    return left


def share(desk: Desk, world: World, lot: str) -> None:
    desk.write("opening.json", commands.package(world, lot))
    for username in OFFICERS:
        done = desk.run(
            "share",
            desk.path("opening.json"),
            "--key",
            desk.path(f"{username}.json"),
            "-o",
            desk.path(f"{username}.shares"),
            "--passphrase-file",
            desk.passphrase,
        )
        assert done.code == 0, done.err


def export(desk: Desk, world: World, lot: str, out: str = "opening") -> Path:
    done = run(desk, world, f"BIDHALL_DATA=backup bidhall export opening {lot} -o {out} --json")
    assert done.returncode == 0, done.stderr
    return desk.folder / out


def open_set(desk: Desk, *shares: str, out: str = "opened") -> commands.Ran:
    given = [part for name in shares for part in ("--shares", desk.path(name))]
    return desk.run(
        "open", desk.path("opening"), "--trust", desk.path("ticket.json"), *given, "-o", desk.path(out), "--json"
    )


def test_each_damage_has_its_code_and_stops_no_other_bid(desk: Desk, world: World, shared: str) -> None:
    folder = export(desk, world, shared)
    one, two, three = sorted(path.parent for path in folder.glob("bids/*/sealed"))
    data = bytearray((one / "sealed").read_bytes())
    data[-1] ^= 1
    (one / "sealed").write_bytes(data)
    (two / "sealed").unlink()
    done = open_set(desk, *(f"{name}.shares" for name in OFFICERS))
    assert done.code == 1
    told = {row["header_hash"]: (row["verdict"], row["cause"]) for row in done.json["bids"]}
    assert told == {
        one.name: ("SEALED_ROOT", "platform"),
        two.name: ("SEALED_ROOT", "platform"),
        three.name: ("opened", ""),
    }
    assert sorted(path.name for path in (desk.folder / "opened").iterdir()) == sorted([three.name, "opened.json"])


def test_a_bid_copied_from_another_is_found_without_the_hall(desk: Desk, world: World, lot: str) -> None:
    start(desk, world, lot)
    for username in ("bidder2", "bidder3"):
        assert sealing.hand_in(world, lot, username, *sealing.seal(world, lot, username)).accepted
    assert offer(world, lot, "bidder1", *copied(world, lot)).accepted
    leave(desk, world, lot)
    share(desk, world, lot)
    export(desk, world, lot)
    done = open_set(desk, *(f"{name}.shares" for name in OFFICERS))
    told = {row["bidder"]: (row["verdict"], row["cause"]) for row in done.json["bids"]}
    assert done.code == 1
    assert told.pop(sealing.code_of(world, "bidder1")) == ("SHARE_COMMIT", "bidder")
    assert set(told.values()) == {("opened", "")}


def test_too_few_wrong_and_strange_shares(desk: Desk, world: World, shared: str) -> None:
    export(desk, world, shared)
    few = open_set(desk, "officer1.shares", "officer3.shares", out="few")
    assert few.code == 1 and {row["verdict"] for row in few.json["bids"]} == {"TOO_FEW_SHARES"}
    document: dict[str, Any] = json.loads(payload_of(desk.read("officer5.shares")))
    wrong = json.loads(json.dumps(document))
    wrong["items"][0]["part"] = b64u(bytes(32))
    desk.write("wrong.shares", sign_document("shares", wrong, world.keys["officer5"].sign))
    done = open_set(desk, "officer1.shares", "officer3.shares", "wrong.shares", out="wrong")
    told = {row["header_hash"]: row["verdict"] for row in done.json["bids"]}
    bad = wrong["items"][0]["header_hash"]
    assert done.code == 1 and told.pop(bad) != "opened" and set(told.values()) == {"opened"}
    assert "SHARE_COMMIT" in done.err
    desk.write("forged.shares", sign_document("shares", document, world.keys["officer2"].sign))
    for name, code in (("forged.shares", "CONTEXT_MISMATCH"), ("ticket.json", "SIG")):
        done = open_set(desk, "officer1.shares", "officer3.shares", name, out="no")
        assert done.code == 2 and code in done.err and not (desk.folder / "no").exists()


def test_without_the_platforms_keys_somebody_must_say_whom_to_trust(desk: Desk, world: World, shared: str) -> None:
    export(desk, world, shared)
    done = desk.run("open", desk.path("opening"), "--shares", desk.path("officer1.shares"), "-o", desk.path("x"))
    assert done.code == 2 and "--trust" in done.err
    other = desk.write("other.json", commands.other_trust(json.loads(payload_of(desk.read("ticket.json")))["trust"]))
    done = desk.run(
        "open", desk.path("opening"), "--shares", desk.path("officer1.shares"), "--trust", other, "-o", desk.path("x")
    )
    assert done.code == 1 and "[SIG]" in done.err


def test_nothing_before_the_set_is_published_and_nothing_from_what_is_no_backup(
    desk: Desk, world: World, left: str
) -> None:
    other = world.lot("DRAFTED")
    backup = desk.folder / "backup"
    (backup / "bidhall.db").unlink()
    copy_database(world, backup)
    done = run(desk, world, f"BIDHALL_DATA=backup bidhall export opening {other} -o early")
    assert done.returncode == 2 and not (desk.folder / "early").exists()
    done = run(desk, world, f"BIDHALL_DATA=nowhere bidhall export opening {left} -o x")
    assert done.returncode == 3 and not (desk.folder / "nowhere").exists()
    (backup / "bidhall.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    done = run(desk, world, f"BIDHALL_DATA=backup bidhall export opening {left} -o x")
    assert done.returncode == 2 and "damaged" in done.stderr and "Traceback" not in done.stderr


def test_the_page_says_which_test_keeps_it() -> None:
    assert Path(__file__).relative_to(ROOT).as_posix() in (ROOT / PAGE).read_text(encoding="utf-8")

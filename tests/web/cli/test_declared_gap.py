"""A platform brought back from an older backup: it stands, two people declare what was lost, and only that is excused afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.faults.ground import copied
from tests.house.tree import text
from tests.kit import data_keys, stages
from tests.kit.commands import Ran
from tests.kit.real_server import House, Nest, house_of
from tests.kit.world import PASSWORD, SETUP, World
from tests.web.bundles.test_commands import Run, codes
from tests.web.cli.test_backup import PASSPHRASE, refused
from tests.web.cli.test_memory import until
from tests.web.cli.test_own_keys import command_line_as_it_is
from trading.kernel import memory
from trading.kernel.access import Role
from trading.parties import parties

pytestmark = pytest.mark.long  # a dozen commands each; the rule itself is tried by tests/web/desks/test_restored.py
LOST = 3


class Lost:
    """A house whose data were lost some ticks after its backup, and the restored folder. ``run``: the command line over that, ``first``:
    over what was lost."""

    def __init__(self, house: House) -> None:
        self.house, base = house, house.folder.parent
        (base / "disk").mkdir()
        self.memory, self.words, self.shelf = base / "disk" / "log.memory", base / "words", base / "shelf"
        self.words.write_text(PASSPHRASE + "\n")
        (base / "password").write_text(PASSWORD + "\n")
        (base / "wrong").write_text("not this one\n")
        house.settings["BIDHALL_MEMORY"] = str(self.memory)
        self.first = command_line_as_it_is(house)
        assert self.first("memory", "begin").code == 0
        assert self.first("backup", str(self.shelf), "--passphrase-file", str(self.words)).code == 0
        self.copy = self.size()
        self.ticked(self.first, LOST)
        self.kept = memory.read(self.memory)
        house.advance(minutes=5)
        self.data = base / "again"
        self.run: Run = command_line_as_it_is(house, BIDHALL_DATA=str(self.data), BIDHALL_DATABASE="", BIDHALL_BLOBS="")
        self.back = self.run("restore", str(self.shelf), "--passphrase-file", str(self.words), "--json")

    def size(self) -> int:
        return int(str(memory.read(self.memory)["checkpoint"]).split("\n")[1])

    def ticked(self, run: Run, times: int = 1) -> None:
        for _ in range(times):
            self.house.advance(minutes=1)
            ran = run("tick")
            assert ran.code == 0, ran.err

    def declare(self, one: str, two: str, *more: str, password: str = "password") -> Ran:
        file, good = self.data.parent / password, self.data.parent / "password"
        return self.run(
            "memory", "declare", "--as", one, "--passphrase-file", str(good),
            "--second", two, "--second-passphrase-file", str(file), *more,
        )  # fmt: skip


@pytest.fixture
def lost(engine: Engine, tmp_path: Path) -> Iterator[Lost]:
    if engine.dialect.name != "sqlite":
        pytest.skip("a house has a file of its own")
    world = World(engine, tmp_path / "office")
    world.called["ref"] = stages.bid(world)
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        for name, role in (("sec", Role.SECURITY_ADMIN), ("sec2", Role.SECURITY_ADMIN), ("sys", Role.SYSTEM_ADMIN)):
            world.people[name] = parties.invite(
                work, centre, username=name, name=f"管理员{name}", password=PASSWORD, roles=[role]
            ).id
    with copied(world, tmp_path / "data") as mine:
        data_keys.lay(tmp_path / "data")
        yield Lost(house_of(mine, tmp_path / "data"))


@pytest.mark.promise("R16")
def test_two_people_declare_what_was_lost_and_the_platform_goes_on(lost: Lost) -> None:
    assert lost.back.code == 0 and lost.back.json["lost_ticks"] == LOST
    run = lost.run
    refused(run("tick"), "restore.unconfirmed", "/admin/restored")
    refused(run("user", "add", "x", "--name", "X", "--party", "CENTRE", "--role", "centre"), "restore.unconfirmed")
    told = run("doctor", "--json")
    assert {"memory_behind", "restored"} <= codes(told)
    shown = run("memory", "declare", "--show", "--json").json
    assert (shown["ticks"], shown["remembered"], shown["lost"]) == (lost.copy, lost.copy + LOST, LOST)

    refused(lost.declare("sec", "sec"), "restore.one_person")
    refused(lost.declare("sec", "sec2", password="wrong"), "signin.wrong")
    refused(lost.declare("sec", "sys"), "access.role")
    refused(run("tick"), "restore.unconfirmed")
    done = lost.declare("sec", "sec2", "--json")
    assert done.code == 0 and done.json["lost"] == LOST, done.err
    refused(lost.declare("sec", "sec2"), "restore.nothing")

    before = lost.size()
    lost.ticked(run, 2)
    assert lost.size() == lost.copy + 2 < before  # the memory goes on from here
    assert run("audit", "verify").code == 0
    assert not codes(run("doctor", "--json")) & {"memory_behind", "memory_forked", "restored"}

    lost.memory.write_text(json.dumps(lost.kept))  # a disk that was away, with the checkpoint of the gap
    assert run("memory", "show").code == 0
    lost.ticked(run, LOST + 2)  # longer than what was lost, too
    lost.memory.write_text(json.dumps(lost.kept))
    assert run("memory", "show").code == 0
    lost.ticked(run)
    again = run("backup", str(lost.shelf), "--passphrase-file", str(lost.words))
    assert again.code == 0, again.err  # the older backups are of this log


def test_what_the_declaration_does_not_cover_stays_a_trouble(lost: Lost) -> None:
    assert lost.declare("sec", "sec2").code == 0
    lost.ticked(lost.run, LOST + 1)
    now = memory.read(lost.memory)
    lost.memory.write_text(json.dumps(lost.kept))
    lost.ticked(lost.first, 1)  # the lost platform lived after all, and signed one more
    longer = memory.read(lost.memory)
    refused(lost.run("tick"), "memory.forked")
    refused(lost.declare("sec", "sec2"), "restore.nothing")
    lost.ticked(lost.first, 8)
    refused(lost.run("tick"), "memory.behind")
    lost.memory.write_text(json.dumps(longer))
    assert lost.run("memory", "show").code == 3
    lost.memory.write_text(json.dumps(now))
    lost.ticked(lost.run)
    # An older copy once more: that somebody declared a gap before lifts nothing for it.
    refused(lost.first("tick"), "memory.forked")


def test_a_memory_that_moved_between_two_words_is_looked_at_again(lost: Lost) -> None:
    """The lost platform comes back for a tick while people are declaring: the first word was about another gap."""
    good = str(lost.data.parent / "password")
    world = lost.house.world
    assert world.people["sec"]
    with_one = lost.run(
        "memory", "declare", "--as", "sec", "--passphrase-file", good,
        "--second", "sec2", "--second-passphrase-file", str(lost.data.parent / "wrong"),
    )  # fmt: skip
    refused(with_one, "signin.wrong")
    lost.ticked(lost.first)
    shown = lost.run("memory", "declare", "--show", "--json").json
    assert shown["lost"] == LOST + 1
    assert lost.declare("sec", "sec2").code == 0


def test_a_backup_that_is_tried_beside_the_living_platform_declares_nothing(lost: Lost) -> None:
    """A drill: its settings name the memory of the platform that goes on elsewhere, and that platform holds the lease."""
    lease = {"database": "other", "host": "elsewhere", "boot": "x", "space": "y", "pid": 1, "started": "1"}
    lost.memory.write_text(json.dumps(lost.kept | {"lease": lease | {"until": int(time.time()) + 600}}))
    before = lost.memory.read_bytes()
    refused(lost.declare("sec", "sec2"), "memory.taken", "elsewhere")
    refused(lost.run("tick"), "restore.unconfirmed")
    assert lost.memory.read_bytes() == before


def test_where_nothing_remembers_the_gap_is_declared_as_unknown(lost: Lost) -> None:
    lost.memory.unlink()
    done = lost.declare("sec", "sec2", "--json")
    assert done.code == 3 and done.json["remembered"] == 0 and "[memory.lost]" in done.err
    assert lost.run("memory", "begin").code == 0
    lost.ticked(lost.run)


def test_deleting_the_mark_of_the_restoration_lifts_nothing_that_is_remembered(lost: Lost) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(lost.data / "bidhall.db")) as base:
        base.execute("DELETE FROM restoration")
        base.commit()
    refused(lost.run("tick"), "memory.behind")
    refused(lost.declare("sec", "sec2"), "restore.nothing")


PAGE = "docs/operate/backup.md"


def test_the_page_runs_as_it_stands(lost: Lost) -> None:
    """Every command of the page, in its order; the server itself is started by tests of its own."""
    base, words = lost.data.parent, ["--passphrase-file", str(lost.words)]
    lines = [line.split(" #")[0].split() for line in text(PAGE).splitlines() if line.startswith("    bidhall ")]
    places = {"/mnt/backup": str(lost.shelf), "/srv/drill": str(base / "drill")}
    fresh = command_line_as_it_is(lost.house, BIDHALL_DATA=str(base / "third"), BIDHALL_DATABASE="", BIDHALL_BLOBS="")
    ran = []
    for _, *line in lines:
        given = [places.get(word, word) for word in line]
        lost.house.advance(minutes=1)
        if line == ["serve"]:
            continue
        if line[0] == "memory":
            password = str(base / "password")
            more = ["--passphrase-file", password, "--second-passphrase-file", password]
        else:
            more = [] if "--check" in line else words
        run = lost.first if line[0] == "backup" else fresh
        done = run(*given, *more)
        assert done.code == 0, (line, done.err)
        ran.append(line[0])
    assert ran == ["backup", "backup", "restore", "restore", "memory"]
    lost.ticked(fresh)
    assert (base / "drill" / "bidhall.db").exists()


def test_a_running_server_goes_on_by_itself_once_the_gap_is_declared(lost: Lost, nest: Nest) -> None:
    """And signs nothing before, whatever its clock says."""
    lost.house.settings.update(BIDHALL_DATA=str(lost.data), BIDHALL_DATABASE="", BIDHALL_BLOBS="")
    server = nest.serve(lost.house)
    assert "[restore.unconfirmed]" in server.log.read_text()
    remembered = lost.memory.read_bytes()
    lost.house.advance(minutes=2)
    time.sleep(3)  # three turns of its clocks
    assert lost.memory.read_bytes() == remembered
    assert lost.declare("sec", "sec2").code == 0
    lost.house.advance(minutes=1)
    until(lambda: lost.size() == lost.copy + 1)
    lost.house.advance(minutes=1)
    until(lambda: lost.size() == lost.copy + 2)
    assert memory.read(lost.memory)["lease"] is not None  # of two copies only one signs, as ever
    server.kill()
    lost.ticked(lost.run)

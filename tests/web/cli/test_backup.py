"""`bidhall backup` and `bidhall restore` over a platform with bids: what lies in a backup, what is refused, nothing half left."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from crypto import signatures
from tests.faults.ground import copied
from tests.kit import data_keys, postgres, stages
from tests.kit.commands import Ran
from tests.kit.database import Databases
from tests.kit.real_server import House, house_of
from tests.kit.world import World
from tests.web.bundles.test_commands import Run, codes, command_line
from tests.web.cli.test_own_keys import command_line_as_it_is
from trading.kernel import faults
from trading.kernel.clock import write_moment
from web.backups import checking, layout
from web.cli import doctor_backups
from web.cli.main import main
from web.settings import Settings

PASSPHRASE = "nine lanterns over one bridge"


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    if engine.dialect.name != "sqlite":
        pytest.skip("a house has a file of its own; PostgreSQL has a test of its own below")
    world = World(engine, tmp_path / "office")
    world.called["ref"] = stages.bid(world)
    with copied(world, tmp_path / "data") as mine:
        data_keys.lay(tmp_path / "data")
        (tmp_path / "words").write_text(PASSPHRASE + "\n")
        yield house_of(mine, tmp_path / "data")


class Shelf:
    """The command line of a house, and a folder its backups lie in."""

    def __init__(self, house: House, **settings: str) -> None:
        self.house, self.run = house, command_line_as_it_is(house, **settings)
        self.folder = house.folder.parent / "shelf"
        self.words = str(house.folder.parent / "words")

    def take(self, *more: str, code: int = 0) -> dict[str, Any]:
        ran = self.run("backup", str(self.folder), "--passphrase-file", self.words, "--json", *more)
        assert ran.code == code, ran.err + ran.out
        return dict(ran.json) if ran.out else {"err": ran.err}

    def check(self, *more: str) -> list[str]:
        ran = self.run("backup", str(self.folder), "--check", "--json", *more)
        assert ran.code == (0 if ran.json["ok"] else 1)
        return [f"{one['code']} {one['where']}" for one in ran.json["faults"]]

    def newest(self) -> Path:
        return layout.chosen(self.folder)

    def restore(self, to: Path, *more: str, **settings: str) -> Ran:
        run = command_line_as_it_is(self.house, **settings) if settings else self.run
        return run("restore", str(self.folder), "--to", str(to), "--passphrase-file", self.words, *more)


@pytest.fixture
def shelf(house: House) -> Shelf:
    return Shelf(house)


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(ran: Ran, code: str, *words: str) -> None:
    assert ran.code != 0 and f"[{code}]" in ran.err, ran.err
    for one in words:
        assert one in ran.err


@pytest.mark.promise("R16")
def test_what_is_in_a_backup_and_how_it_comes_back(shelf: Shelf, tmp_path: Path) -> None:
    (shelf.house.folder / "settings.env").write_text(
        "BIDHALL_MAIL=smtp://mail.example:587\nBIDHALL_MAIL_FROM=post@mail.example\nBIDHALL_MAIL_USER=post\n"
        "BIDHALL_MAIL_PASSWORD=geheim\nBIDHALL_CLAMD=tcp://post:geheim@127.0.0.1:3310\nBIDHALL_PLACE=某地\n",
        encoding="utf-8",
    )
    made = shelf.take()
    assert made["ok"] and made["blobs"] >= 3 and made["database"] == "sqlite" and shelf.check() == []
    told = below(shelf.folder)
    secrets = [shelf.house.world.office.keys.signing, shelf.house.world.office.keys.log, data_keys.SECRET]
    for data in told.values():
        assert b"geheim" not in data
        for one in secrets:
            assert one not in data and one.hex().encode() not in data
    assert not [name for name in told if "session" in name or "/." in name]

    to = tmp_path / "again"
    before = below(shelf.folder)
    back = shelf.restore(to, "--json").json
    assert (back["ticks"], back["lost_ticks"], back["data"]) == (made["ticks"], 0, str(to)) and before == below(
        shelf.folder
    )
    for name in ("platform.key", "log.key", "data.keys"):
        assert (to / name).read_text().split() == (shelf.house.folder / name).read_text().split()
        assert to.joinpath(name).stat().st_mode & 0o777 == 0o600
    kept = (to / "settings.env").read_text(encoding="utf-8")
    assert "BIDHALL_MAIL=smtp://mail.example:587" in kept and "BIDHALL_PLACE=某地" in kept
    assert "# was: BIDHALL_MAIL_USER=post" in kept and "# left out: BIDHALL_MAIL_PASSWORD" in kept
    assert "# was: BIDHALL_DATABASE=" in kept
    blobs = below(shelf.house.folder / "blobs")
    assert below(to / "blobs") == {name: data for name, data in blobs.items() if len(name) == 67}
    run = command_line_as_it_is(shelf.house, BIDHALL_DATA=str(to), BIDHALL_DATABASE="", BIDHALL_BLOBS="")
    assert run("audit", "verify").code == 0
    for words in (("tick",), ("backup", str(tmp_path / "other"))):
        refused(run(*words), "restore.unconfirmed", "/admin/restored")
    refused(run("tick", "--lang", "zh"), "restore.unconfirmed", "两名安全管理员")
    assert not (tmp_path / "other").exists()


def test_what_lies_there_is_not_copied_again_and_keys_are_asked_for_once(shelf: Shelf) -> None:
    shelf.take()
    first = {path: path.stat().st_ino for path in (shelf.folder / "blobs").rglob("*") if path.is_file()}
    shelf.house.advance(minutes=1)
    ran = shelf.run("backup", str(shelf.folder))  # as by night: nobody is there to type
    assert ran.code == 0, ran.err
    assert first == {path: path.stat().st_ino for path in (shelf.folder / "blobs").rglob("*") if path.is_file()}
    assert len(layout.names(shelf.folder)) == 2 and shelf.check() == []

    assert shelf.run("keys", "rotate-data").code == 0
    shelf.house.advance(minutes=1)
    ran = shelf.run("backup", str(shelf.folder))
    assert ran.code != 0 and len(layout.names(shelf.folder)) == 2  # these are other keys: a passphrase is wanted
    shelf.take()
    assert len(layout.names(shelf.folder)) == 3 and shelf.check() == []


def test_older_ones_are_dropped_with_what_only_they_name(shelf: Shelf) -> None:
    for _ in range(3):
        shelf.take("--keep", "2")
        shelf.house.advance(minutes=1)
    held = layout.names(shelf.folder)
    assert len(held) == 2
    spare = shelf.folder / "blobs" / "ab" / ("ab" * 32)
    spare.parent.mkdir(exist_ok=True)
    spare.write_bytes(b"of a backup that went")
    shelf.take("--keep", "1")
    assert len(layout.names(shelf.folder)) == 1 and not spare.exists() and shelf.check() == []
    assert held[-1] != layout.names(shelf.folder)[0]


def test_a_check_finds_whatever_was_changed(shelf: Shelf) -> None:
    shelf.take()
    good = below(shelf.folder)
    place = shelf.newest()
    blob = next(path for path in sorted((shelf.folder / "blobs").rglob("*")) if path.is_file())

    def damaged(path: Path, code: str, data: bytes | None = None) -> None:
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        found = checking.check(shelf.folder, place).faults
        assert (code, path.name) in [(one.code, one.where) for one in found]
        path.write_bytes(good[str(path.relative_to(shelf.folder))])

    for path in (place / "database.sqlite", place / "settings.env", blob):
        data = path.read_bytes()
        damaged(path, "backup.fault_bytes", data[:-1] + bytes([data[-1] ^ 1]))
        damaged(path, "backup.fault_missing")
    manifest = place / "manifest.json"
    damaged(manifest, "backup.fault_manifest", manifest.read_bytes().replace(b'"sig":"', b'"sig":"A'))
    damaged(place / "keys.json", "backup.fault_keys", b"{}")
    assert checking.check(shelf.folder, place).faults == []

    blob.unlink()
    for lang, words in (("en", "missing"), ("zh", "缺失")):
        ran = shelf.run("backup", str(shelf.folder), "--check", "--lang", lang)
        refused(ran, "backup.damaged", "[backup.fault_missing]", words, blob.name)
    refused(shelf.restore(shelf.folder.parent / "never"), "backup.damaged")
    assert not (shelf.folder.parent / "never").exists()


def test_a_manifest_signed_anew_over_a_forged_log_is_found(shelf: Shelf) -> None:
    """Whoever has the platform's key and not the log's can sign a manifest; the log in the copy tells."""
    shelf.take()
    place, world = shelf.newest(), shelf.house.world
    with closing(sqlite3.connect(place / "database.sqlite")) as copy:
        copy.execute("DROP TRIGGER log_tick_no_update")
        copy.execute("UPDATE log_tick SET leaf = replace(leaf, '2026', '2025') WHERE tick = 0")
        copy.commit()
    told = layout.read_manifest(layout.read_json(place / "manifest.json"), world.office.keys.public)
    files = told.files | {"database.sqlite": layout.digest_of(place / "database.sqlite")}
    forged = signatures.sign(layout.KIND, replace(told, files=files).to_json(), world.office.keys.signing)
    (place / "manifest.json").write_text(signatures.to_text(forged))
    assert shelf.check() == ["backup.fault_log log"]


def test_what_the_platform_itself_lost_is_said_and_the_second_disk_is_asked(shelf: Shelf) -> None:
    blobs = shelf.house.folder / "blobs"
    hurt, gone = sorted(path for path in blobs.rglob("*") if len(path.name) == 64)[:2]
    second = shelf.house.folder.parent / "second" / hurt.parent.name / hurt.name
    second.parent.mkdir(parents=True)
    shutil.copyfile(hurt, second)
    hurt.write_bytes(hurt.read_bytes()[:-1] + b"?")
    gone.unlink()
    shelf.run = command_line_as_it_is(shelf.house, BIDHALL_MIRROR_DIR=str(second.parent.parent))
    made = shelf.take(code=3)
    assert made["missing"] == [gone.name] and not made["ok"]
    assert layout.blob_path(shelf.folder, hurt.name).read_bytes() == second.read_bytes()
    assert "backup_lacks" in codes(shelf.run("doctor", "--json"))
    assert shelf.check() == []  # what it says it holds, it holds
    told = shelf.run("backup", str(shelf.folder), "--keep", "1")
    refused(told, "backup.busy")  # the same second


@pytest.mark.parametrize("point", ["backup.database", "blob.linked", "backup.filled"])
def test_a_full_disk_leaves_nothing_half(shelf: Shelf, point: str) -> None:
    shelf.take()
    before = below(shelf.folder / "backups")
    shelf.house.advance(minutes=1)
    shutil.rmtree(shelf.folder / "blobs")
    faults.arm(f"{point}:ENOSPC@2" if point == "blob.linked" else f"{point}:ENOSPC@1")
    try:
        ran = shelf.run("backup", str(shelf.folder), "--passphrase-file", shelf.words)
    finally:
        faults.arm("")
    refused(ran, "backup.unwritten", "No space left")
    assert below(shelf.folder / "backups") == before
    assert not list(shelf.folder.glob("blobs/incoming/*"))
    shelf.take()
    assert shelf.check() == []


def test_a_restoration_that_is_cut_off_leaves_nothing_and_what_is_half_starts_nothing(shelf: Shelf) -> None:
    shelf.take()
    to = shelf.folder.parent / "again"
    faults.arm("restore.laid:ENOSPC@1")
    try:
        refused(shelf.restore(to), "restore.unwritten", "No space left")
    finally:
        faults.arm("")
    assert not to.exists()
    (to / ".restoring").mkdir(parents=True)
    refused(shelf.restore(to), "restore.not_empty")
    (to / "rehearsal").touch()
    run = command_line_as_it_is(shelf.house, BIDHALL_DATA=str(to), BIDHALL_DATABASE="", BIDHALL_BLOBS="")
    assert run("migrate").code == 0
    refused(run("tick"), "restore.half")


@pytest.mark.long
def test_what_a_backup_is_not_taken_of_or_into(shelf: Shelf) -> None:
    for folder in (shelf.house.folder / "backups", shelf.house.folder / "blobs"):
        refused(shelf.run("backup", str(folder)), "backup.inside")
    refused(shelf.run("backup", str(shelf.folder), "--check"), "backup.none")
    refused(shelf.restore(shelf.folder.parent / "x"), "backup.none")
    old = shelf.house.folder.parent / "old.db"
    with closing(sqlite3.connect(shelf.house.folder / "bidhall.db")) as base, closing(sqlite3.connect(old)) as copy:
        base.backup(copy)
    shelf.house.advance(minutes=1)
    assert shelf.run("tick").code == 0
    shelf.take()
    refused(shelf.run("backup", str(shelf.folder), "--check", "--name", "20200101T000000Z"), "backup.unknown")
    shelf.house.advance(minutes=1)
    earlier = command_line_as_it_is(shelf.house, BIDHALL_DATABASE=f"sqlite:///{old}")
    refused(earlier("backup", str(shelf.folder)), "backup.behind")  # it would push the newer ones out
    with (shelf.folder / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(shelf.run("backup", str(shelf.folder)), "backup.busy")
    manifest = shelf.newest() / "manifest.json"
    manifest.write_bytes(b"{}")
    refused(shelf.run("backup", str(shelf.folder)), "backup.foreign")
    assert len(layout.names(shelf.folder)) == 1


def test_where_a_backup_is_not_brought_back_to(shelf: Shelf, tmp_path: Path) -> None:
    shelf.take()
    to = tmp_path / "again"
    refused(shelf.restore(shelf.house.folder), "restore.not_empty")
    refused(shelf.restore(to, BIDHALL_PLATFORM="other.example"), "restore.foreign", "other.example")
    elsewhere = command_line_as_it_is(
        shelf.house, BIDHALL_DATA=str(to), BIDHALL_DATABASE="postgresql+psycopg:///x", BIDHALL_BLOBS=""
    )
    refused(elsewhere("restore", str(shelf.folder), "--passphrase-file", shelf.words), "restore.database_wanted")
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    refused(shelf.restore(to, "--passphrase-file", str(wrong)), "PASSPHRASE")
    (tmp_path / "disk").mkdir()
    memory = tmp_path / "disk" / "log.memory"
    memory.write_text(json.dumps({"v": 1, "platform": "other.example", "checkpoint": "", "at": "", "lease": None}))
    refused(shelf.restore(to, BIDHALL_MEMORY=str(memory)), "memory.foreign")
    refused(shelf.restore(to, "--name", "20200101T000000Z"), "backup.unknown")
    place, keys = shelf.newest(), shelf.house.world.office.keys
    told = layout.read_manifest(layout.read_json(place / "manifest.json"), keys.public)
    with closing(sqlite3.connect(place / "database.sqlite")) as copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
        copy.commit()
    files = told.files | {"database.sqlite": layout.digest_of(place / "database.sqlite")}
    newer = signatures.sign(layout.KIND, replace(told, revision="9999", files=files).to_json(), keys.signing)
    (place / "manifest.json").write_text(signatures.to_text(newer))
    refused(shelf.restore(to), "database.newer")
    assert not to.exists()


def test_the_doctor_asks_for_backups_and_for_looking_at_them(shelf: Shelf) -> None:
    settings = Settings(data=shelf.house.folder, database="", blobs="")

    def told(**later: float) -> dict[str, str]:
        now = shelf.house.world.now + timedelta(**later)
        return {one.code: one.level for one in doctor_backups.examine(settings, now)}

    assert told() == {"backup": "ok"}  # a rehearsal
    shelf.take()
    assert told() == {"backup_unchecked": "warning"}
    assert shelf.check() == [] and told() == {"backup": "ok"}
    assert told(days=2) == {"backup_old": "warning"}
    assert told(days=40) == {"backup_old": "warning", "backup_unchecked": "warning"}
    assert shelf.run("backup", str(shelf.folder.parent / "elsewhere"), "--check").code == 3  # of which nothing is noted
    (shelf.house.folder / "backups.json").write_text("{")
    (shelf.house.folder / "rehearsal").unlink()
    assert told() == {"backup": "warning"}


# --- PostgreSQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_postgresql(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    if engine.dialect.name != "postgresql":
        pytest.skip("for PostgreSQL alone")
    programs = postgres.system_binaries() or postgres.copy_wheel_binaries(postgres.wheel_site(), tmp_path / "pg")
    if not (programs / "pg_dump").exists():
        pytest.skip("this PostgreSQL comes without pg_dump")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    world = World(engine, tmp_path / "office")
    stages.bid(world)
    return world


def test_postgresql_is_dumped_by_its_own_program_and_filled_again(
    on_postgresql: World, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, shelf, words = on_postgresql, tmp_path / "shelf", tmp_path / "words"
    words.write_text(PASSPHRASE + "\n")
    run = command_line(world, tmp_path / "data")
    made = run("backup", str(shelf), "--passphrase-file", str(words), "--json")
    assert made.code == 0 and made.json["database"] == "postgresql" and made.json["ticks"] == 3, made.err
    assert run("backup", str(shelf), "--check").code == 0
    refused(
        run("restore", str(shelf), "--to", str(tmp_path / "x"), "--passphrase-file", str(words)),
        "restore.database_full",
    )
    with databases.fresh(empty=True) as url:
        again = over(world, tmp_path / "again", url)
        back = again("restore", str(shelf), "--passphrase-file", str(words), "--json")
        assert back.code == 0 and back.json["ticks"] == 3, back.err
        refused(again("tick"), "restore.unconfirmed")
        assert again("audit", "verify").code == 0
    dump = layout.chosen(shelf) / "database.pgdump"
    data = dump.read_bytes()
    dump.write_bytes(data[: len(data) // 2])
    refused(run("backup", str(shelf), "--check"), "backup.damaged", "database.pgdump")
    monkeypatch.setenv("PATH", str(tmp_path))
    world.clock.set(world.now + timedelta(minutes=1))
    refused(run("backup", str(shelf)), "backup.no_program", "pg_dump")
    assert len(layout.names(shelf)) == 1


def over(world: World, data: Path, url: str) -> Run:
    """The command line over another folder and database."""

    def run(*arguments: str) -> Ran:
        env = {
            "BIDHALL_LANG": "en",
            "BIDHALL_DATA": str(data),
            "BIDHALL_DATABASE": url,
            "BIDHALL_PLATFORM": world.office.platform,
            "BIDHALL_TEST_CLOCK": write_moment(world.now),
        }
        found = CliRunner().invoke(main, list(arguments), env=env)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)

    return run

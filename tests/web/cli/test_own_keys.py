"""A log has keys and a name of its own from its first entry on: a process with others starts nothing and signs nothing."""

from __future__ import annotations

import gc
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from crypto.keys import new_secret
from tests.faults.ground import copied
from tests.kit import stages
from tests.kit.commands import Ran
from tests.kit.office import make_office
from tests.kit.real_server import Died, House, Nest, house_of
from tests.kit.world import World, credit_code
from tests.web.bundles.test_commands import codes, command_line
from trading.kernel import log_own
from trading.kernel.access import CLOCK
from trading.kernel.audit import ActRecord
from trading.kernel.errors import NotReady
from web.wiring import LOG_KEY, SIGNING_KEY


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    if engine.dialect.name != "sqlite":
        pytest.skip("real servers run on files of their own")
    world = World(engine, tmp_path / "office")
    stages.bidding(world)
    with copied(world, tmp_path / "data") as mine:
        yield house_of(mine, tmp_path / "data")


def rows(house: House) -> tuple[int, int]:
    with closing(sqlite3.connect(house.folder / "bidhall.db")) as base:
        ticks, entries = (
            base.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("log_tick", "log_entry")
        )
    return ticks, entries


@pytest.mark.parametrize(("name", "code"), [(LOG_KEY, "log.foreign_log_key"), (SIGNING_KEY, "log.foreign_signing_key")])
@pytest.mark.promise("I1")
def test_the_key_of_another_installation_starts_nothing(house: House, nest: Nest, name: str, code: str) -> None:
    run = command_line(house.world, house.folder)
    assert run("tick").code == 0 and codes(run("doctor", "--json")) == set()
    before = rows(house)
    own = (house.folder / name).read_text()
    (house.folder / name).write_text(new_secret().hex())
    house.advance(minutes=2)
    server = nest.serve(house, wait=False)
    with pytest.raises(Died):
        server.ready()
    assert f"[{code}]" in server.log.read_text()
    ran = command_line_as_it_is(house)("tick")
    assert ran.code == 3 and f"[{code}]" in ran.err and "BIDHALL_DATABASE" in ran.err
    zh = command_line_as_it_is(house)("tick", "--lang", "zh")
    assert f"[{code}]" in zh.err and "没有启动" in zh.err
    told = command_line_as_it_is(house)("doctor", "--json")
    assert told.code == 3 and "log_key" in codes(told)
    assert rows(house) == before
    (house.folder / name).write_text(own)
    nest.serve(house).kill()  # with its own key it starts as ever


@pytest.mark.promise("I1")
def test_a_restored_folder_without_its_keys_makes_no_new_ones(house: House, nest: Nest) -> None:
    kept = house.folder.parent / "kept"
    shutil.move(house.folder / LOG_KEY, kept)
    run = command_line_as_it_is(house)
    ran, told = run("tick"), run("doctor", "--json")
    assert ran.code == 3 and "[log.key_missing]" in ran.err and "log_key" in codes(told)
    server = nest.serve(house, wait=False)
    with pytest.raises(Died):
        server.ready()
    assert "[log.key_missing]" in server.log.read_text() and not (house.folder / LOG_KEY).exists()
    shutil.move(kept, house.folder / LOG_KEY)
    assert run("tick").code == 0


def test_another_name_than_the_logs_starts_nothing(house: House) -> None:
    run = command_line_as_it_is(house, platform="other.example")
    ran, told = run("tick"), run("doctor", "--json")
    assert ran.code == 3 and "[log.foreign_name]" in ran.err and house.world.office.platform in ran.err
    assert "log_name" in codes(told)


@pytest.mark.long
def test_the_name_is_signed_first_and_nothing_runs_under_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide's order once was: accounts, then the public address, from which the name follows. Such a log never verified."""
    from click.testing import CliRunner

    from web.cli.main import main

    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    (tmp_path / "word").write_text("lantern-river-2026\n", encoding="utf-8")
    add = f"user add sec --name 武 --party {credit_code(90)} --party-name 中心 --kind centre --role security-admin"

    def run(words: str, **env: str) -> Ran:
        found = CliRunner().invoke(main, words.split(), env=env)
        gc.collect()
        return Ran(found.exit_code, found.stdout, found.stderr)

    assert run("migrate").code == 0
    assert run(f"{add} --password-file {tmp_path / 'word'}").code == 0  # before any tick
    address = {"BIDHALL_BASE_URL": "https://bidhall.example"}
    for command in ("tick", "audit verify", "user list", "serve --port 0 --no-watch"):
        told = run(command + " --lang en", **address)
        assert told.code == 3 and "[log.foreign_name]" in told.err, command
        assert (
            "bidhall.local" in told.err
            and "bidhall.example" in told.err
            and "BIDHALL_PLATFORM=bidhall.local" in told.err
        )
    told = run("doctor --json", **address)
    assert "log_name" in codes(told) and "BIDHALL_PLATFORM=bidhall.local" in told.out
    kept = address | {"BIDHALL_PLATFORM": "bidhall.local"}
    assert run("tick", **kept).code == 0
    whole = run("audit verify --json", **kept)
    assert whole.code == 0 and whole.json["ok"]


def test_of_two_that_begin_a_log_at_once_one_names_it(engine: Engine, tmp_path: Path) -> None:
    """Both have looked and found an empty log; the second is refused before it has signed anything."""
    office = make_office(engine, tmp_path)
    other = replace(office, platform="other.example")
    log_own.begin(office)
    with pytest.raises(NotReady) as refusal:
        log_own.begin(other)
    assert refusal.value.code == "log.foreign_name" and refusal.value.facts["platform"] == "other.example"
    log_own.begin(office)
    with office.view(CLOCK) as view:
        assert [one.act for one in view.session.scalars(select(ActRecord))] == [log_own.NAMED]


def command_line_as_it_is(house: House, *, platform: str = "", **settings: str):  # type: ignore[no-untyped-def]
    """`bidhall` over the folder as it lies there: no key file is written first."""
    from click.testing import CliRunner

    from web.cli.main import main

    def run(*arguments: str) -> Ran:
        env = house.environment() | {"BIDHALL_TEST_FAULT": None} | settings
        if platform:
            env["BIDHALL_PLATFORM"] = platform
        found = CliRunner().invoke(main, list(arguments), env=env)
        gc.collect()  # an engine left open here would lose its locks to whoever copies the file
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)

    return run

"""`bidhall migrate`: says what it will do, keeps a copy of an SQLite file, refuses a database of a newer program."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner

from migrations import runner
from trading.kernel.db import open_engine
from web.cli.main import main

OLD = "0014"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose database is of an older version and holds a party."""
    folder = tmp_path / "data"
    folder.mkdir()
    engine = open_engine(f"sqlite:///{folder / 'bidhall.db'}")
    with engine.begin() as connection:
        command.upgrade(runner._config(connection), OLD)
    engine.dispose()
    with closing(sqlite3.connect(folder / "bidhall.db")) as database:
        database.execute("CREATE TABLE witness (words TEXT)")
        database.execute("INSERT INTO witness VALUES ('as it was')")
        database.commit()
    monkeypatch.setenv("BIDHALL_DATA", str(folder))
    return folder


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_the_plan_says_what_would_be_done_and_does_nothing(data: Path) -> None:
    told = CliRunner().invoke(main, ["migrate", "--plan"])
    assert told.exit_code == 0 and f"{OLD} -> {runner.head()}" in told.output and "a copy" in told.output
    assert told.output.count(": ") >= 7 and "0015: " in told.output
    assert revision_of(data / "bidhall.db") == OLD and len(list(data.glob("bidhall.db.*-*Z"))) == 0


def test_an_upgrade_keeps_the_file_as_it_was(data: Path) -> None:
    told = json.loads(CliRunner().invoke(main, ["migrate", "--json"]).stdout)
    assert (told["from"], told["to"], told["plan"]) == (OLD, runner.head(), False) and told["revisions"][0].startswith(
        "0015: "
    )
    copy = Path(told["copy"])
    assert (
        copy.parent == data
        and copy.name.startswith(f"bidhall.db.{OLD}-")
        and stat.S_IMODE(copy.stat().st_mode) == 0o600
    )
    assert revision_of(copy) == OLD and revision_of(data / "bidhall.db") == runner.head()
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("SELECT words FROM witness").fetchall() == [("as it was",)]
    again = json.loads(CliRunner().invoke(main, ["migrate", "--json"]).stdout)
    assert again["revisions"] == [] and again["copy"] == "" and len(list(data.glob("bidhall.db.*-*Z"))) == 1


def test_where_no_copy_can_be_kept_nothing_is_changed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations.backup.os.fsync", _full)
    told = CliRunner().invoke(main, ["migrate", "--lang", "en"])
    assert told.exit_code == 3 and "[database.no_copy]" in told.output and "No space left" in told.output
    assert revision_of(data / "bidhall.db") == OLD and list(data.glob("bidhall.db.*-*Z")) == []


def _full(_number: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("words", [["migrate"], ["migrate", "--plan"], ["tick"], ["serve", "--port", "0"]])
def test_a_database_of_a_newer_program_is_refused_in_words(data: Path, words: list[str]) -> None:
    with closing(sqlite3.connect(data / "bidhall.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = (data / "bidhall.db").read_bytes()
    told = CliRunner().invoke(main, [*words, "--lang", "en"])
    assert (
        told.exit_code == 3
        and "[database.newer]" in told.output
        and "9999" in told.output
        and runner.head() in told.output
    )
    assert "Traceback" not in told.output and (data / "bidhall.db").read_bytes() == before
    zh = CliRunner().invoke(main, [*words, "--lang", "zh"])
    assert "更新版本" in zh.output

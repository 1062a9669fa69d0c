"""The operator's side of values at rest: an old database is sealed by `migrate`, `doctor` says what is wrong, `keys rotate-data` seals
anew, and a lost key file stops what would sign, in words."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from click.testing import CliRunner

from migrations import runner
from tests.trading.kernel.test_at_rest import forms
from trading.kernel.db import open_engine
from web.cli.main import main

BEFORE = "0027"
NUMBER, SECRET, MAIL, PAYER = "6222000011112222333", "JBSWY3DPEHPK3PXP", "somebody@firm.example", "欧阳静怡"
ROWS = (
    "INSERT INTO party (id, code, name, kind, region, small, bank_account, bank_name) "
    f"VALUES (1, '12130205000000000E', '中心', 'centre', '', 0, '{NUMBER}', '')",
    "INSERT INTO account (id, username, name, party_id, password, totp_secret, totp_last_step, made_at, mail) "
    f"VALUES (1, 'someone', '某人', 1, 'x', '{SECRET}', 0, '2026-01-01 00:00:00', '{MAIL}')",
    "INSERT INTO bank_statement (id, ref, name, sha256, at, opening_minor, closing_minor, lines) "
    "VALUES (1, 's', 's', 'x', '2026-01-01 00:00:00', 0, 100, 1)",
    "INSERT INTO bank_line (id, statement_id, bank_id, at, day, amount_minor, payer_name, payer_account, text, sub_account, "
    f"balance_minor) VALUES (1, 1, 'B1', '2026-01-01 00:00:00', '2026-01-01', 100, '{PAYER}', '{NUMBER}', '', '', 100)",
    'INSERT INTO outbox_message (id, key, channel, "to", template, facts, made_at, due_at, tries) '
    f"VALUES (1, 'k', 'mail', '{MAIL}', 't', '{{}}', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0)",
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of before values were sealed, with some of each."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    engine = open_engine(f"sqlite:///{folder / 'bidhall.db'}")
    with engine.begin() as connection:
        command.upgrade(runner._config(connection), BEFORE)
    engine.dispose()
    with closing(sqlite3.connect(folder / "bidhall.db")) as database:
        for row in ROWS:
            database.execute(row)
        database.commit()
    (folder / "blobs").mkdir()
    monkeypatch.setenv("BIDHALL_DATA", str(folder))
    monkeypatch.setenv("BIDHALL_LANG", "en")
    return folder


def run(*words: str, code: int | None = 0) -> Any:
    found = CliRunner().invoke(main, list(words))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert code is None or found.exit_code == code, found.output
    return found


def findings() -> dict[str, str]:
    return {one["code"]: one["level"] for one in json.loads(run("doctor", "--json", code=None).stdout)["findings"]}


def write(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "bidhall.db")) as database:
        database.execute(statement)
        database.commit()


def one(data: Path, question: str) -> str:
    with closing(sqlite3.connect(data / "bidhall.db")) as database:
        return str(database.execute(question).fetchone()[0])


def test_an_old_database_is_sealed_and_its_files_forget(data: Path) -> None:
    files = lambda: b"".join(path.read_bytes() for path in data.glob("bidhall.db*") if "0027-" not in path.name)  # noqa: E731
    assert MAIL.encode() in files()
    run("migrate")
    held = files()
    for value in (NUMBER, SECRET, MAIL, PAYER):
        assert [form for form in forms(value) if form in held] == [], value
    assert stat.S_IMODE((data / "data.keys").stat().st_mode) == 0o600
    assert one(data, 'SELECT "to" FROM outbox_message') == "" and one(data, "SELECT mail_index FROM account") != ""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        write(data, "UPDATE bank_line SET text = 'x'")
    assert findings()["sealed"] == "ok"
    listed = json.loads(run("user", "list", "--json").stdout)
    assert [user["username"] for user in listed["users"]] == ["someone"]


def test_the_doctor_names_what_is_in_the_open_changed_or_without_its_key(data: Path) -> None:
    run("migrate")
    good = one(data, "SELECT bank_account FROM party")
    for value, code in (
        (NUMBER, "sealed_in_the_open"),
        (good[:-1] + ("A" if good[-1] != "A" else "Q"), "sealed_changed"),
    ):
        write(data, f"UPDATE party SET bank_account = '{value}'")
        assert findings()[code] == "error"
        seen = json.loads(run("audit", "verify", "--json", code=None).stdout)
        told = [one["what"] for one in seen["faults"] if (one["code"], one["where"]) == ("VALUE_UNREADABLE", "party 1")]
        assert told == [f"bank_account: at_rest.{code.removeprefix('sealed_')}"]
    write(data, f"UPDATE party SET bank_account = '{good}'")
    assert findings()["sealed"] == "ok"
    keys = (data / "data.keys").read_text()
    (data / "data.keys").write_text("0" * 64 + "\n")
    assert findings()["sealed_key_missing"] == "error"
    for words in (["tick"], ["serve", "--port", "0"]):
        told = run(*words, code=3)
        assert "[at_rest.key_missing]" in told.output and "Traceback" not in told.output
    (data / "data.keys").unlink()
    assert findings()["data_keys"] == "error"
    for words in (["tick"], ["migrate"]):
        assert "[at_rest.file_missing]" in run(*words, code=3).output
    assert not (data / "data.keys").exists(), "a lost key is never made anew"
    (data / "data.keys").touch(mode=0o600)
    (data / "data.keys").write_text(keys)
    assert findings()["sealed"] == "ok"


def test_another_key_seals_everything_and_the_old_one_may_go(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "key disk" / "keys"
    monkeypatch.setenv("BIDHALL_DATA_KEYS", str(elsewhere))
    run("migrate")
    assert elsewhere.exists() and not (data / "data.keys").exists()
    before = one(data, "SELECT payer_account FROM bank_line")
    told = json.loads(run("keys", "rotate-data", "--json").stdout)
    assert (told["sealed"], told["resumed"], len(told["keys"]), told["logged"]) == (6, False, 2, True)
    record = json.loads(one(data, "SELECT payload FROM act_record WHERE act = 'keys.rotate_data'"))
    assert record["facts"] == {"key": told["key"], "sealed": 6}
    assert one(data, "SELECT payer_account FROM bank_line") != before
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        write(data, "UPDATE bank_line SET text = 'x'")
    write(data, "DROP TRIGGER bank_line_no_update")
    write(data, f"UPDATE bank_line SET payer_account = '{before}'")
    assert findings()["sealed"] == "warning"
    again = json.loads(run("keys", "rotate-data", "--json").stdout)
    assert (again["sealed"], again["resumed"], again["key"]) == (1, True, told["key"])
    elsewhere.write_text(elsewhere.read_text().splitlines()[0] + "\n")
    assert findings()["sealed"] == "ok"
    monkeypatch.setenv("BIDHALL_DATA_KEYS", "keys")
    assert "[settings.value]" in run("tick", code=3).output

"""What lies in the data folder is nobody else's: made so, narrowed when a server starts, and named by `bidhall doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from web import private
from web.cli.main import main
from web.settings import read_settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def modes_found() -> dict[str, str]:
    told = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    return next(one for one in told["findings"] if one["code"] == "modes")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("BIDHALL_DATA", str(folder))
    assert CliRunner().invoke(main, ["migrate"]).exit_code == 0
    return folder


def test_a_new_data_folder_is_closed_to_others(data: Path) -> None:
    assert mode(data) == 0o700
    assert modes_found()["level"] == "ok"
    assert (data / "blobs").is_dir()  # which the first look has made
    assert modes_found()["level"] == "ok"


def test_what_others_may_read_is_named_and_narrowed(data: Path) -> None:
    data.chmod(0o755)
    (data / "bidhall.db").chmod(0o644)
    (data / "blobs").mkdir(exist_ok=True)
    (data / "blobs").chmod(0o755)
    found = modes_found()
    assert found["level"] == "error" and str(data / "bidhall.db") in found["what"] and "chmod go-rwx" in found["remedy"]
    assert mode(data) == 0o755  # a doctor changes nothing
    narrowed = private.narrow(read_settings())
    assert {data, data / "blobs", data / "bidhall.db"} <= set(narrowed)
    assert mode(data) == mode(data / "blobs") == 0o700 and private.wide(read_settings()) == []


def test_a_database_elsewhere_is_looked_at_by_itself(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    database = elsewhere / "other.db"
    database.write_bytes(b"")
    database.chmod(0o640)
    monkeypatch.setenv("BIDHALL_DATABASE", f"sqlite:///{database}")
    assert private.narrow(read_settings()) == [database] and mode(database) == 0o600
    assert mode(elsewhere) == 0o755  # the folder is not ours

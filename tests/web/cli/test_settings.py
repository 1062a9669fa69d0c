"""What an operator gets wrong in the settings is said in words, by whatever command meets it first; never a traceback, never a password."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.kit.commands import Ran
from web.cli.main import main


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    return tmp_path


def run(words: str, **env: str) -> Ran:
    found = CliRunner().invoke(main, words.split(), env=env)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ran(found.exit_code, found.stdout, found.stderr)


@pytest.mark.parametrize("command", ["migrate", "tick", "doctor", "serve --port 0"])
@pytest.mark.parametrize("url", ["mysql://root:secret@db/x", "postgresql://u:secret@db:port/x", "bidhall.db", "oracle"])
def test_no_database_that_serves_here(site: Path, command: str, url: str) -> None:
    told = run(command + " --lang en", BIDHALL_DATABASE=url)
    assert told.code == 3 and "BIDHALL_DATABASE" in told.out + told.err and "secret" not in told.out + told.err


@pytest.mark.parametrize("command", ["migrate", "tick", "doctor"])
def test_postgresql_without_its_driver(site: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The address named without a driver means the one there is; where that is not installed, words say so and name no package to fetch."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    told = run(command + " --lang en", BIDHALL_DATABASE="postgresql://u:secret@127.0.0.1:1/x")
    said = told.out + told.err
    assert told.code == 3 and "database.driver" in said and "psycopg" in said
    assert "secret" not in said and "pip install" not in said
    assert importlib.util.find_spec("psycopg2") is None


@pytest.mark.parametrize("files", [False, True])
def test_a_port_in_use(site: Path, files: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        own = f"--port {0 if files else port}"
        env = {"BIDHALL_FILES_URL": f"http://127.0.0.1:{port}"} if files else {}
        told = run(f"serve {own} --no-watch --lang en", **env)
    assert told.code == 3 and "[serve.address]" in told.err and str(port) in told.err

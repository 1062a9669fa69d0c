"""What the address of `bidhall serve --demo` answers while its town is being filled."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from web.cli.main import main
from web.http import waiting


def asked(at: socket.socket, path: str = "/") -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{at.getsockname()[1]}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_it_says_how_far_the_filling_is_in_both_languages_and_looks_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as at, waiting.answering(at) as tell:
        status, page, _headers = asked(at)
        assert status == 503 and "刚刚开始" in page and "It has just begun" in page
        tell("people, and the results of older years")
        tell("12/41  春晓区<b>图书馆</b>座椅采购: bids")
        status, page, headers = asked(at, "/town")
        assert (
            'max="41" value="12"' in page
            and "12 / 41" in page
            and "春晓区&lt;b&gt;图书馆" in page
            and "older years" in page
        )
        assert headers["Retry-After"] == "2" and 'http-equiv="refresh" content="2"' in page
        assert "演示标厅正在准备" in page and "The demo town is being filled" in page
        for sheet in ("tokens", "base", "parts", "town"):
            assert asked(at, f"/static/css/{sheet}.css")[0] == 200
        assert asked(at, "/static/css/../../settings.py")[0] == 503


def test_whoever_asks_in_the_moment_of_the_change_is_answered_by_the_town() -> None:
    with socket.create_server(("127.0.0.1", 0)) as at:
        with waiting.answering(at):
            assert asked(at)[0] == 503
        found: list[int] = []
        visitor = threading.Thread(target=lambda: found.append(asked(at)[0]))
        visitor.start()  # nobody serves now: they wait in the line of the socket
        town = make_server("127.0.0.1", at.getsockname()[1], _town, fd=at.fileno())
        town.handle_request()
        visitor.join(20)
        town.server_close()
        assert found == [200]


def _town(_environ, start):  # type: ignore[no-untyped-def]
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"the town"]


def test_an_address_that_is_taken_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = CliRunner().invoke(main, ["serve", "--port", str(port), "--lang", "en"])
    assert told.exit_code == 3
    assert "[serve.address]" in told.output and f"127.0.0.1:{port}" in told.output
    assert "--port" in told.output and "Traceback" not in told.output

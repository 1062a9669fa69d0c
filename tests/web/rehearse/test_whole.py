"""A whole tender in a served rehearsal: by the pages alone, from the filing to the last refund, the clock moved by its button."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.web.cli.test_guide import ready
from tests.web.rehearse import played
from tests.web.rehearse.kit import made, run
from web.cli.offline import OF_REHEARSAL


@pytest.mark.long
def test_from_the_filing_to_the_last_refund(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = made(tmp_path, monkeypatch, played=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "from web.cli.main import main; main()",
        "serve",
        str(site.play),
        "--port",
        str(port),
    ]
    told: list[str] = []
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        until = time.monotonic() + 60
        while ready(port) != 200:
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "server.log").read_text("utf-8")
            time.sleep(0.2)
        ref = played.play(site.play, f"http://127.0.0.1:{port}", told.append)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    here = {"BIDHALL_DATA": str(site.play)}
    assert run("audit", "verify", **here).code == 0
    out = tmp_path / "played.zip"
    exported = run("export", "bundle", ref, "--profile", "audit", "-o", str(out), **here)
    assert exported.code == 0, exported.err
    verified = run("verify", str(out), "--json")
    assert verified.code == 0 and verified.json["rehearsal"] is True
    assert {one["name"] for one in verified.json["claims"] if one["ok"]} >= {"opening", "ranking", "award", "deposits"}
    assert run("verify", str(out)).out.splitlines()[0] == OF_REHEARSAL[1]
    trust = tmp_path / "trust.json"
    assert run("tick").code == 0  # the site itself, whose trust somebody kept
    trust.write_text(json.dumps(played.trust_of_site(site.data)), encoding="utf-8")
    real = run("verify", str(out), "--trust", str(trust))
    assert real.code == 1 and "B_REHEARSAL" in real.out

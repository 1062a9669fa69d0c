"""The operator's guide, run: every command of it, in both languages, in the order in which it stands, on an empty machine."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.house.tree import text
from tests.kit.world import credit_code
from web.cli.main import main

GUIDES = ("docs/operate/start.md", "docs/operate/start.zh-CN.md")
OF_THE_MACHINE = re.compile(r"tar xf bidhall-|bidhall-\*/install |export BIDHALL_DATA=")
"""What is no command of ours: installing, which tests/release does from an archive, and the variable, which the test sets."""
TRUE = {
    "HOST-NAME": "bid.chunxiao.gov.cn",
    "CENTRE-NAME": "春晓区公共资源交易中心",
    "CENTRE-CODE": credit_code(90),
    "SYSTEM-ADMINISTRATOR": "刘系",
    "SECURITY-ADMINISTRATOR": "武安",
    "SECOND-ADMINISTRATOR": "孙二",
    "AUDIT-ADMINISTRATOR": "沈审",
}
"""What an operator puts for the words in capitals."""


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text(guide))


def commands(guide: str) -> list[str]:
    return [line.strip() for block in blocks(guide, "sh") for line in block.splitlines() if line.strip()]


def test_both_guides_give_the_same_commands_and_the_same_answers() -> None:
    one, other = GUIDES
    assert commands(one) == commands(other) and blocks(one, "toml") == blocks(other, "toml")
    headings = [re.findall(r"(?m)^## (\d\.)?", text(guide)) for guide in GUIDES]
    assert headings[0] == headings[1] and len(headings[0]) > 4
    ours = [line for line in commands(one) if not OF_THE_MACHINE.match(line)]
    assert len(ours) > 7 and all(line.startswith("bidhall ") for line in ours)


@pytest.mark.long
@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_leads_from_an_empty_machine_to_a_platform_that_serves(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in os.environ if one.startswith("BIDHALL_") and not one.startswith("BIDHALL_TEST")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for folder in ("mnt/other", "mnt/backup", "etc/bidhall"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/bidhall/backup.passphrase").write_text("nine lanterns over a quiet bridge\n", encoding="utf-8")
    answers = [block.replace("/mnt/", f"{tmp_path}/mnt/") for block in blocks(guide, "toml")]
    assert len(answers) == 1
    (tmp_path / "site.toml").write_text(answers[0], encoding="utf-8")
    refused = run("bidhall init --answers site.toml --check", tmp_path)
    assert refused[0] == 2 and refused[1].count("[init.placeholder]") >= 5 and "[uscc.length]" in refused[1]
    for word, true in TRUE.items():
        answers[0] = answers[0].replace(word, true)
    assert not re.search(r"[A-Z]{4,}-", answers[0].replace(TRUE["CENTRE-CODE"], ""))
    (tmp_path / "site.toml").write_text(answers[0], encoding="utf-8")
    for line in commands(guide):
        if OF_THE_MACHINE.match(line):
            continue
        if line.startswith("bidhall serve"):
            serves(line, tmp_path)
        else:
            code, said = run(line, tmp_path)
            assert code == 0, f"{line}: {said}"


def run(line: str, folder: Path) -> tuple[int, str]:
    words = [re.sub(r"^/(mnt|etc)/", rf"{folder}/\1/", word) for word in shlex.split(line)[1:]]
    found = CliRunner().invoke(main, words, env={"BIDHALL_LANG": "en"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def serves(line: str, folder: Path) -> None:
    """It answers by the address of the guide, is ready once the log has ticked, and ends politely."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [str(port) if word == "8080" else word for word in shlex.split(line)[1:]]
    command = [sys.executable, "-c", "from web.cli.main import main; main()", *words, "--no-watch", "--workers", "1"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while (answer := ready(port)) != 200:
            assert server.poll() is None, (folder / "server.log").read_text(encoding="utf-8")
            assert time.monotonic() < until, f"/readyz says {answer}"
            time.sleep(0.1)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def ready(port: int) -> int:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/readyz")
        return line.getresponse().status
    except OSError:
        return 0
    finally:
        line.close()

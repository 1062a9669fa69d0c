"""`bidhall init`: from an empty folder to a platform that can be served, or nothing at all and all that was wrong at once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.kit.commands import Ran
from tests.kit.world import credit_code
from trading.kernel.access import Role
from trading.parties import parties
from web import wiring
from web.app import create_app
from web.cli.main import main
from web.settings import read_settings

ANSWERS = """
url = "https://bid.chunxiao.gov.cn"
memory = ["{memory}"]
proxies = 1

[centre]
name = "春晓区公共资源交易中心"
code = "{code}"
region = "130205"

[administrators]
system = {{ username = "liu", name = "刘系" }}
security = {{ username = "wu", name = "武安" }}
second = {{ username = "sun", name = "孙二" }}
audit = {{ username = "shen", name = "沈审" }}
"""
ROLES = {"liu": Role.SYSTEM_ADMIN, "wu": Role.SECURITY_ADMIN, "sun": Role.SECURITY_ADMIN, "shen": Role.AUDIT_ADMIN}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of good answers; the data folder is not there yet."""
    for name in [one for one in os.environ if one.startswith("BIDHALL_") and not one.startswith("BIDHALL_TEST")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "data"))
    (tmp_path / "other").mkdir()
    told = ANSWERS.format(memory=tmp_path / "other" / "bidhall.memory", code=credit_code(90))
    (tmp_path / "site.toml").write_text(told, encoding="utf-8")
    return tmp_path


def run(*words: str, stdin: str | None = None, **env: str) -> Ran:
    found = CliRunner().invoke(main, list(words), input=stdin, env={"BIDHALL_LANG": "en", **env})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ran(found.exit_code, found.stdout, found.stderr)


def faults(told: Ran) -> set[tuple[str, str]]:
    """(where, code) of each fault that was told."""
    return set(re.findall(r"(?m)^  (\S+): .*\[([a-z0-9_.]+)\]$", told.err))


def passwords(told: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^ {6}([a-z]+)\n {6}(\S+ \S+)$", told))


def test_from_a_file_of_answers_to_a_platform_that_signs(site: Path) -> None:
    data, file = site / "data", str(site / "site.toml")
    checked = run("init", "--answers", file, "--check")
    assert checked.code == 0 and not data.exists()
    told = run("init", "--answers", file)
    assert told.code == 0, told.err
    first = passwords(told.out)
    assert set(first) == set(ROLES) and "first-week" in told.out and "another disk" not in told.out.partition("left")[0]
    env = (data / "settings.env").read_text(encoding="utf-8")
    assert "BIDHALL_PLATFORM=bid.chunxiao.gov.cn\n" in env and "BIDHALL_PROXIES=1\n" in env
    assert data.stat().st_mode & 0o077 == 0 and (data / "settings.env").stat().st_mode & 0o077 == 0
    for secret in first.values():
        assert not any(secret.split()[0].encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert run("tick").code == 0 and run("audit", "verify").code == 0
    kept = (data / "platform.key").read_bytes()
    again = run("init", "--answers", file)
    assert again.code == 0 and passwords(again.out) == {} and (data / "platform.key").read_bytes() == kept
    other = run("tick", BIDHALL_PLATFORM="other.gov.cn")
    assert other.code == 3 and "[log.foreign_name]" in other.err


def test_a_first_password_signs_in_to_nothing_but_setting_ones_own(site: Path) -> None:
    told = run("init", "--answers", str(site / "site.toml"))
    settings = read_settings()
    office = wiring.open_signing_office(settings)
    with office.view(wiring.CLOCK) as view:
        for username, role in ROLES.items():
            who = parties.find_account(view.session, username)
            assert who is not None and parties.roles_of(view.session, who) == {role} and who.party.kind == "centre"
    client = create_app(settings, office).test_client()
    base = "https://bid.chunxiao.gov.cn"
    page = client.get("/account/sign-in", base_url=base).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    form = re.search(r'name="form_id" value="([^"]+)"', page)
    assert token and form
    answer = client.post(
        "/account/acts/sign-in",
        base_url=base,
        headers={"Referer": base + "/account/sign-in"},
        data={"csrf_token": token[1], "form_id": form[1], "username": "wu", "password": passwords(told.out)["wu"]},
    )
    assert answer.status_code == 303 and answer.headers["Location"].endswith("/account/password")
    assert client.get("/admin", base_url=base).headers["Location"].endswith("/account/password")
    acted = run("user", "list")
    assert acted.code == 0 and "security-admin" in acted.out
    (site / "word").write_text(passwords(told.out)["wu"] + "\n", encoding="utf-8")
    by_command = run("user", "disable", "liu", "--as", "wu", "--passphrase-file", str(site / "word"))
    assert by_command.code == 1 and "[signin.wrong]" in by_command.err


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_made(site: Path) -> None:
    (site / "site.toml").write_text(
        """
name = "Bidhall Example"
url = "http://bid.chunxiao.gov.cn"
zone = "Asia/Tangshan"
database = "mysql://root:secret@db/x"
store = "blobs"
memory = "/nowhere/at/all/bidhall.memory"
proxies = "many"

[centre]
name = "CENTRE-NAME"
code = "91130205MA0000090X"
region = "Tangshan"

[administrators]
system = { username = "liu", name = "刘系" }
security = { username = "liu", name = "刘系" }
audit = { username = "审计" }
""",
        encoding="utf-8",
    )
    told = run("init", "--answers", str(site / "site.toml"))
    assert told.code == 2 and "secret" not in told.err and not (site / "data").exists()
    assert faults(told) == {
        ("name", "init.name"),
        ("url", "init.url_https"),
        ("zone", "settings.value"),
        ("database", "settings.value"),
        ("store", "init.folder"),
        ("memory", "init.folder_unwritable"),
        ("proxies", "settings.value"),
        ("centre.name", "init.placeholder"),
        ("centre.code", "uscc.check"),
        ("centre.region", "init.region"),
        ("administrators.security.username", "init.same_username"),
        ("administrators.security.name", "init.same_person"),
        ("administrators.audit.username", "init.username"),
        ("administrators.audit.name", "form.required"),
    }
    zh = run("init", "--answers", str(site / "site.toml"), "--lang", "zh")
    assert "校验码" in zh.err and "什么都没有" not in zh.out


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('url = "https://bidhall.example"', ("url", "init.placeholder")),
        ('url = "https://example.com"', ("url", "init.placeholder")),
        ('url = "bid.chunxiao.gov.cn"', ("url", "init.url")),
        ('url = "https://bid.gov.cn/path"', ("url", "init.url")),
        ('url = "https://bid.gov.cn:port"', ("url", "init.url")),
        ('url = "http://127.0.0.1:8080"', ("name", "init.name_needed")),
        ('place = "line\\nbreak"', ("place", "init.not_text")),
        ("hotline = true", ("hotline", "init.not_text")),
        ('secret = "x"', ("secret", "init.unknown_answer")),
        ('centre.code = "12130205000000000E"', ("centre.code", "uscc.placeholder")),
        ('centre.code = "CENTRE-CODE"', ("centre.code", "uscc.length")),
        ('administrators.third.name = "x"', ("administrators.third", "init.unknown_answer")),
    ],
)
def test_each_answer_is_held_against_what_it_should_be(site: Path, line: str, fault: tuple[str, str]) -> None:
    key, _, value = line.partition(" = ")
    text = (site / "site.toml").read_text(encoding="utf-8")
    if key == "centre.code":
        text = re.sub(r"(?m)^code = .*$", f"code = {value}", text)
    elif key.startswith("administrators"):
        text += f"{key.removeprefix('administrators.')} = {value}\n"
    else:
        text = line + "\n" + re.sub(rf"(?m)^{key} = .*$", "", text)
    (site / "site.toml").write_text(text, encoding="utf-8")
    told = run("init", "--answers", str(site / "site.toml"))
    assert told.code == 2 and fault in faults(told), told.err
    assert not (site / "data").exists()


def test_what_is_asked_is_asked_until_it_is_well_formed(site: Path) -> None:
    typed = [
        "bid", "https://bid.chunxiao.gov.cn", "", "春晓区公共资源交易中心", "91130205MA0000090X", credit_code(90),
        "liu", "刘系", "liu", "wu", "武安", "", "shen", "沈审", "", "", "", "", "", "",
    ]  # fmt: skip
    told = run("init", stdin="".join(f"{one}\n" for one in typed))
    assert told.code == 0, told.err
    assert "[init.url]" in told.err and "[uscc.check]" in told.err and "[init.same_username]" in told.err
    assert set(passwords(told.out)) == {"liu", "wu", "shen"}
    assert "second security administrator" in told.out and "BIDHALL_MEMORY" in told.out


def test_a_folder_in_use_a_second_init_and_a_variable_that_says_otherwise(site: Path) -> None:
    data, file = site / "data", str(site / "site.toml")
    over = run("init", "--answers", file, BIDHALL_BASE_URL="https://other.gov.cn")
    assert over.code == 2 and faults(over) == {("url", "init.variable")}
    assert run("migrate").code == 0
    before = sorted(path.name for path in data.iterdir())
    told = run("init", "--answers", file)
    assert told.code == 3 and "[init.folder_in_use]" in told.err and "bidhall.db" in told.err
    assert sorted(path.name for path in data.iterdir()) == before
    env = {"BIDHALL_DATA": str(site / "new"), "BIDHALL_DATABASE": f"sqlite:///{data / 'bidhall.db'}"}
    told = run("init", "--answers", file, **env)
    assert faults(told) == {("database", "init.database_in_use")} and not (site / "new").exists()
    held = begun(site / "held", file)
    try:
        told = run("init", "--answers", file, BIDHALL_DATA=str(site / "held"))
        assert told.code == 3 and "[init.running]" in told.err
    finally:
        held.send_signal(signal.SIGCONT)
        assert held.wait(60) == 0


def begun(data: Path, file: str, *, after: str = "init.json") -> subprocess.Popen[bytes]:
    """An init that stands still as soon as a file of its is there."""
    command = [sys.executable, "-c", "from web.cli.main import main; main()", "init", "--answers", file]
    env = {**os.environ, "BIDHALL_DATA": str(data)}
    started = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (data / after).exists():
        assert time.monotonic() < until and started.poll() is None, f"no {after}"
        time.sleep(0.001)
    started.send_signal(signal.SIGSTOP)
    return started


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "after",
    [
        "settings.env",
        *(pytest.param(name, marks=LONG) for name in ("init.json", "platform.key", "bidhall.db", "clock.anchor")),
    ],
)
def test_killed_in_the_middle_it_goes_on(site: Path, after: str) -> None:
    data, file = site / "data", str(site / "site.toml")
    killed = begun(data, file, after=after)
    killed.kill()
    killed.wait()
    told = run("init", "--answers", file)
    assert told.code == 0, told.err
    assert set(passwords(told.out)) == set(ROLES)
    assert run("tick").code == 0 and run("audit", "verify").code == 0
    assert json.loads((data / "init.json").read_bytes())["done"]


def test_first_passwords_that_nobody_saw_are_made_anew_and_other_answers_change_nothing(site: Path) -> None:
    data, file = site / "data", site / "site.toml"
    first = passwords(run("init", "--answers", str(file)).out)
    (data / "init.json").write_text(
        json.dumps({"v": 1, "done": False})
    )  # killed after the last unit, before the answer
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("proxies = 1", "proxies = 2"), encoding="utf-8")
    told = run("init", "--answers", str(file))
    assert told.code == 3 and "[init.other_answers]" in told.err and "BIDHALL_PROXIES" in told.err
    file.write_text(text.replace(credit_code(90), credit_code(91)), encoding="utf-8")
    told = run("init", "--answers", str(file))
    assert told.code == 3 and "[init.other_people]" in told.err
    file.write_text(text, encoding="utf-8")
    second = passwords(run("init", "--answers", str(file)).out)
    assert set(second) == set(ROLES) and not set(first.values()) & set(second.values())


@contextlib.contextmanager
def time_server(ahead: int) -> Iterator[str]:
    """A time server whose clock is so many seconds ahead of the machine's."""

    def answer() -> None:
        with contextlib.suppress(OSError):
            asked, who = line.recvfrom(512)
            now = (int(time.time()) + ahead + 2_208_988_800) << 32
            line.sendto(b"\x24\x02" + bytes(22) + asked[40:48] + struct.pack(">QQ", now, now), who)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(20)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{line.getsockname()[1]}"
    thread.join()


def test_a_clock_an_hour_off_is_told_before_the_log_begins(site: Path) -> None:
    file = str(site / "site.toml")
    with time_server(-3600) as server:
        told = run("init", "--answers", file, "--time-server", server)
    assert told.code == 2 and ("time_server", "init.clock") in faults(told)
    assert re.search(r"differs from \S+ by 3.?(599|600|601) s", told.err) and not (site / "data").exists()
    with time_server(0) as server:
        told = run("init", "--answers", file, "--time-server", server)
    assert told.code == 0 and "Look at the clock" not in told.out

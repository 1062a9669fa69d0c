"""The examples under docs/operate/service say the same numbers as the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from release import install
from tests.house.tree import ROOT
from trading.custody import officers
from trading.files import file_types
from trading.kernel.db import PATIENCE_MS
from web.app import MAX_FORM_BYTES
from web.cli import serve
from web.cli.main import main
from web.http import edge, lines
from web.http.attached import SEVERAL
from web.settings import NAMES

FOLDER = ROOT / "docs" / "operate" / "service"
MAX_BID = officers.SIZES[-1] + 70_000 + 16 * (officers.SIZES[-1] >> 19) + 16
"""What `OPTIONS /uploads/acts` names as the largest upload."""
UNITS = {"m": 2**20, "g": 2**30, "MiB": 2**20, "GiB": 2**30}


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def told(name: str, directive: str) -> list[str]:
    """What an example says after a word."""
    return re.findall(rf"^\s*{re.escape(directive)}[ =]([^;\n]+);?$", text(name), re.MULTILINE)


def seconds(name: str, directive: str) -> int:
    found = told(name, directive)
    assert len(found) == 1 and found[0].removesuffix("s").isdigit(), (name, directive, found)
    return int(found[0].removesuffix("s"))


def sizes(name: str, directive: str) -> list[int]:
    found = [re.fullmatch(r"(\d+)(\D+)", one) for one in told(name, directive)]
    return sorted(int(one[1]) * UNITS[one[2]] for one in found if one)


@pytest.mark.parametrize(("name", "directive"), [("nginx.conf", "client_max_body_size"), ("Caddyfile", "max_size")])
def test_what_the_platform_takes_the_proxy_lets_through_and_little_more(name: str, directive: str) -> None:
    others, bids = sizes(name, directive)
    largest = max(file_types.MAX_SIZE, MAX_FORM_BYTES, SEVERAL)
    assert largest < others < largest + 2 * 2**20
    assert MAX_BID < bids < MAX_BID * 1.05


def test_nginx_gives_up_when_the_platform_would_and_waits_as_long_as_writers_may() -> None:
    assert seconds("nginx.conf", "client_header_timeout") == lines.HEAD_SECONDS
    assert seconds("nginx.conf", "client_body_timeout") == lines.IDLE_SECONDS
    assert seconds("nginx.conf", "send_timeout") == lines.IDLE_SECONDS
    assert seconds("nginx.conf", "keepalive_timeout") < serve.KEPT_SECONDS
    assert seconds("nginx.conf", "proxy_read_timeout") > PATIENCE_MS // 1000 + serve.STOPPED_SECONDS
    assert told("nginx.conf", "limit_conn bidhall_lines") == [str(edge.LINES_EACH)]
    assert told("nginx.conf", "proxy_set_header X-Arrived-At") == ["$msec"]
    assert told("nginx.conf", "proxy_request_buffering") == ["on", "off"]  # held back, but for bids
    assert text("nginx.conf").count("{") == text("nginx.conf").count("}")


def test_caddy_does_the_same_and_takes_away_the_header_it_cannot_write() -> None:
    assert seconds("Caddyfile", "read_header") == lines.HEAD_SECONDS
    assert seconds("Caddyfile", "idle") == serve.KEPT_SECONDS
    assert seconds("Caddyfile", "keepalive") < serve.KEPT_SECONDS
    assert seconds("Caddyfile", "response_header_timeout") > PATIENCE_MS // 1000 + serve.STOPPED_SECONDS
    assert told("Caddyfile", "header_up") == ["X-Forwarded-For {remote_host}", "-X-Arrived-At"]


SERVICES = (
    "bidhall.service",
    "bidhall-watch.service",
    "bidhall-mirror.service",
    "bidhall-backup.service",
    "bidhall-doctor.service",
)


def command_of(words: list[str]) -> None:
    """Refuses a command or an option that is not there."""
    context = click.Context(main, info_name="bidhall", **main.context_settings)
    command: click.Command | None = main
    while isinstance(command, click.Group):
        command = command.get_command(context, words[0])
        words = words[1:]
    assert command is not None
    command.make_context("bidhall", words, parent=context)


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_starts_a_command_as_it_is_given_on_a_clock_that_is_right(name: str) -> None:
    program, *words = told(name, "ExecStart")[0].split()
    assert program == "/opt/bidhall/bin/bidhall"
    command_of(words)
    assert "time-sync.target" in told(name, "After")[0].split()
    assert (told(name, "UMask"), told(name, "StateDirectoryMode")) == (["0077"], ["0700"])
    lives = told(name, "Type") == ["exec"]
    assert told(name, "Restart") == (["always"] if lives else [])


def test_all_units_give_up_the_same() -> None:
    last = {text(name).partition("\nUMask=")[2].partition("\n\n[Install]")[0].strip() for name in SERVICES}
    assert len(last) == 1
    kept = last.pop().splitlines()
    assert {
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
    } <= set(kept)


def test_every_timer_has_its_service_and_the_installer_writes_all_but_the_mirrors() -> None:
    there = {path.name for path in FOLDER.iterdir() if path.suffix in (".service", ".timer")}
    timers = {name for name in there if name.endswith(".timer")}
    assert {name.replace(".timer", ".service") for name in timers} < there == {*SERVICES, *timers}
    assert {*install.UNITS} == there - {"bidhall-mirror.service"}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The units as the installer writes them, for a folder whose command is there and a user of this machine."""
    (tmp_path / "opt/bin").mkdir(parents=True)
    (tmp_path / "opt/bin/bidhall").symlink_to(Path(sys.executable).with_name("bidhall"))
    (tmp_path / "units").mkdir()
    for name in sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".service", ".timer")):
        made = install.unit(text(name), str(tmp_path / "opt"), "daemon", "/srv/bidhall")
        (tmp_path / "units" / name).write_text(made, encoding="utf-8")
    return tmp_path / "units"


def test_units_for_another_place_name_it_throughout(written: Path) -> None:
    found = (written / "bidhall.service").read_text(encoding="utf-8")
    assert "ReadWritePaths=/srv/bidhall\n" in found and "BIDHALL_DATA=/srv/bidhall\n" in found
    assert f"ExecStart={written.parent}/opt/bin/bidhall serve" in found and "User=daemon\nGroup=daemon\n" in found
    assert not re.search("/opt/bidhall|/var/lib|StateDirectory=", found)
    assert install.unit(text("bidhall.service"), "/opt/bidhall", "bidhall", "/var/lib/bidhall") == text(
        "bidhall.service"
    )


def test_systemd_understands_every_line_and_finds_little_exposed(written: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: the units were compared with our commands, and not verified by systemd")
    units = sorted(map(str, written.iterdir()))
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    for unit in (one for one in units if one.endswith(".service")):
        words = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit]
        ran = subprocess.run(words, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout[-300:]


def test_the_platform_may_open_its_files_and_end_what_is_under_way() -> None:
    assert int(told("bidhall.service", "LimitNOFILE")[0]) >= serve.FILES
    assert int(told("bidhall.service", "TimeoutStopSec")[0]) > serve.GRACEFUL_SECONDS


def test_the_page_about_it_names_the_numbers() -> None:
    page = (ROOT / "docs" / "operate" / "service.md").read_text(encoding="utf-8")
    for words in (
        f"{lines.HEAD_SECONDS} s from the line",
        f"up to {lines.SMALL >> 10} KiB",
        f"every {lines.LEAST_RATE >> 10} KiB",
        f"{edge.FLOWING} threads of a worker: {lines.IDLE_SECONDS} s for",
        f"waited for {lines.GRACE_SECONDS} s",
        f"{edge.LINES_EACH} a worker",
        f"{edge.EACH[edge.OTHERS]} pages, {edge.EACH[edge.STREAMS]} live streams and {edge.EACH[edge.BODIES]} large bodies",
        f"{serve.LINES:,} a worker",
        f"{edge.HELD_MOST >> 20} MiB a worker",
        f"not moved for {serve.STOPPED_SECONDS} s",
    ):
        assert words in page, words


# --- containers: read, and not started ----------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in text("Containerfile").splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_installs_as_the_archive_does_and_has_no_root() -> None:
    found = instructions()
    assert {word for word, _rest in found} <= set(
        "FROM RUN ARG COPY ENV USER VOLUME STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split()
    )
    copied = [rest.split() for word, rest in found if word == "COPY"]
    assert copied == [["${ARCHIVE}", "/release.tar"], ["--from=made", "/opt/bidhall", "/opt/bidhall"]]
    assert ("ARG", "ARCHIVE") in found and ("USER", "10001:10001") in found
    runs = " ".join(rest for word, rest in found if word == "RUN")
    assert "/release/install /opt/bidhall" in runs and "useradd --uid 10001" in runs
    last = [word for word, _rest in found]
    assert last.index("USER") > max(at for at, word in enumerate(last) if word in ("RUN", "COPY"))
    (entry,), (words,) = ([json.loads(rest) for word, rest in found if word == one] for one in ("ENTRYPOINT", "CMD"))
    assert entry == ["/opt/bidhall/bin/bidhall"]
    command_of(words)
    (volumes,) = (json.loads(rest) for word, rest in found if word == "VOLUME")
    assert all(volume in runs for volume in volumes)
    assert "/healthz" in next(rest for word, rest in found if word == "HEALTHCHECK")


def test_the_site_of_containers_gives_commands_there_are_and_mounts_what_the_image_has() -> None:
    words = [json.loads(one) for one in told("compose.yaml", "command:")]
    assert [one[0] for one in words] == ["serve", "watch"]
    for one in words:
        command_of(one)
    image = next(rest for word, rest in instructions() if word == "VOLUME")
    mounts = re.findall(r"^ +- ([./\w]+):(/[^:\n]+)(?::ro)?$", text("compose.yaml"), re.MULTILINE)
    ours = {place for name, place in mounts if name in ("data", "other", "backup")}
    assert ours == set(json.loads(image))
    declared = set(re.findall(r"^  (\w+):$", text("compose.yaml").partition("\nvolumes:\n")[2], re.MULTILINE))
    assert declared == {name for name, _place in mounts if not name.startswith(".")}
    assert all((FOLDER / name).is_file() for name, _place in mounts if name.startswith("."))
    services = re.split(r"\n\n(?=  \w+:\n)", text("compose.yaml").partition("\nvolumes:\n")[0])
    ours_and_proxy = [one for one in services if "database:\n    image" not in one]
    assert len(ours_and_proxy) == 3 and all(
        'cap_drop: ["ALL"]' in one and "read_only: true" in one for one in ours_and_proxy
    )
    assert set(re.findall(r"BIDHALL_(?!IMAGE)(\w+)", text("compose.yaml"))) <= set(NAMES)

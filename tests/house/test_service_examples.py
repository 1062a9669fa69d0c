"""The examples under docs/operate/service say the same numbers as the code."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT
from trading.custody import officers
from trading.files import file_types
from trading.kernel.db import PATIENCE_MS
from web.app import MAX_FORM_BYTES
from web.cli import serve
from web.cli.main import COMMANDS
from web.http import edge, lines
from web.http.attached import SEVERAL

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


@pytest.mark.parametrize("name", ["bidhall.service", "bidhall-watch.service"])
def test_the_units_start_commands_there_are_on_a_clock_that_is_right(name: str) -> None:
    command = told(name, "ExecStart")[0].split()
    assert command[0].endswith("/bidhall") and command[1] in COMMANDS
    assert "time-sync.target" in told(name, "After")[0].split()
    assert (told(name, "UMask"), told(name, "StateDirectoryMode"), told(name, "Restart")) == (
        ["0077"],
        ["0700"],
        ["always"],
    )


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

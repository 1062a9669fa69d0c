"""Figures and lines of the platform's own log: who may read them, that they are right, and of whom nothing is told (promise S1)."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.house.tree import text
from tests.kit.server import PASSWORD
from tests.kit.world import World
from trading.kernel import log
from trading.kernel.errors import NotReady
from web import examined, logs, room
from web.app import create_app, find_desks
from web.backups import state
from web.cli import doctor
from web.http import metrics, seen
from web.http.page_rules import PAGES
from web.settings import Settings, read_settings
from web.tally import BOUNDS_MS, TALLY, Tally

LINE = re.compile(r'([a-z_]+)(\{(?:[a-z]+="[^"\\\n]*",?)+\})? (-?[0-9.]+(?:e[+-]?\d+)?)')


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    TALLY.share(1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def client_of(world: World, folder: Path, readers: str = "loopback") -> Any:
    settings = Settings(
        data=folder / "data",
        database="",
        blobs=str(folder),
        platform=world.office.platform,
        metrics=readers,
        test_clock="set",
    )
    return create_app(settings, world.office).test_client()


def figures(client: Any, **headers: str) -> dict[str, float]:
    """Name with labels → value. Every line is of the format, and each name is explained once before its samples."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200 and answer.content_type == metrics.MEDIA, answer.text
    found, explained = {}, []
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            explained.append(line.split()[2])
        elif not line.startswith("# TYPE "):
            told = LINE.fullmatch(line)
            assert told and told[1].startswith(explained[-1]), line
            found[told[1] + (told[2] or "")] = float(told[3])
    assert len(explained) == len(set(explained)) and answer.text.endswith("\n")
    return found


# --- who may read them ------------------------------------------------------------------------------------------------


def test_nobody_where_no_setting_names_a_reader(world: World, tmp_path: Path) -> None:
    assert client_of(world, tmp_path, "").get("/metrics").status_code == 404
    assert not (tmp_path / "data" / metrics.TOKEN_FILE).exists()


def test_this_machine_and_not_whom_a_proxy_on_it_asks_for(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path)
    assert client.get("/metrics").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        assert client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 404
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 404
    assert client.post("/metrics").status_code == 405


def test_whoever_has_the_token_from_wherever(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path, "token")
    path = tmp_path / "data" / metrics.TOKEN_FILE
    token = path.read_text().strip()
    assert path.stat().st_mode & 0o077 == 0 and len(token) == 64
    for given in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {token[:-1]}é"},
        {"Authorization": token},
    ):
        answer = client.get("/metrics", headers=given)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert figures(client, Authorization=f"Bearer {token}", X_Forwarded_For="10.0.0.7")


def test_a_setting_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady) as refused:
        read_settings({"BIDHALL_DATA": str(tmp_path), "BIDHALL_METRICS": "everybody"})
    assert refused.value.code == "settings.value" and refused.value.facts["name"] == "BIDHALL_METRICS"


# --- that they are right ----------------------------------------------------------------------------------------------


def test_they_say_how_the_installation_is(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path)
    world.tick()
    world.tick()
    (tmp_path / "data").mkdir(exist_ok=True)
    state.note(tmp_path / "data", at="2026-11-30T02:30:00Z", folder="/mnt/backup", name="x")
    examined.note(tmp_path / "data", world.now, ["ok", "warning", "error", "error"])
    TALLY.turned(1_796_000_000)
    found = figures(client)
    assert found['bidhall_ready{part="log"}'] == 1 and found["bidhall_stands_still"] == 0
    with world.view("clock") as view:
        assert found["bidhall_log_ticks"] == log.size(view) > 1
    assert found["bidhall_log_last_tick_timestamp_seconds"] == int(world.now.timestamp())
    assert found["bidhall_backup_timestamp_seconds"] == datetime.fromisoformat("2026-11-30T02:30:00Z").timestamp()
    assert found["bidhall_backup_checked_timestamp_seconds"] == 0
    assert found['bidhall_doctor_findings{level="error"}'] == 2
    assert found["bidhall_doctor_timestamp_seconds"] == int(world.now.timestamp())
    assert found["bidhall_clock_turn_timestamp_seconds"] == 1_796_000_000
    free = found['bidhall_disk_free_bytes{disk="data"}'] / room.GB
    assert free == int(free) and int(free) & (int(free) - 1) == 0


def test_a_database_that_is_away_is_told_and_hides_nothing_else(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path)
    world.office.engine.dispose()
    with world.office.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE log_tick RENAME TO gone")
    found = figures(client)
    assert found['bidhall_ready{part="database"}'] == 0 and "bidhall_log_ticks" not in found
    assert found["bidhall_backup_timestamp_seconds"] == 0


def test_requests_are_counted_by_desk_and_status_and_never_by_address(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path)
    for path in ("/notices", "/notices/99999", "/savings", "/admin/health"):
        client.get(path)
    found = figures(client)
    assert found['bidhall_requests_total{desk="public",status="2xx"}'] == 2
    assert found['bidhall_requests_total{desk="public",status="4xx"}'] == 1
    assert sum(v for k, v in found.items() if k.startswith('bidhall_requests_total{desk="admin"')) == 1
    assert found['bidhall_request_seconds_count{desk="public"}'] == 3
    assert found['bidhall_request_seconds_bucket{desk="public",le="+Inf"}'] == 3
    assert found['bidhall_request_seconds_sum{desk="public"}'] > 0
    assert "99999" not in client.get("/metrics").text


def test_workers_add_up_and_one_that_takes_a_dead_ones_place_goes_on_from_there() -> None:
    tally = Tally(3)
    assert (
        tally.free_slot(iter(())) == 0 and tally.free_slot(iter((0, 2))) == 1 and tally.free_slot(iter((0, 1, 2))) == 2
    )
    for slot, status, us in ((0, 200, 30_000), (1, 503, 9_000_000), (0, 302, 25_000)):
        tally.take(slot)
        tally.count("hall", status, us)
        tally.turned(slot + 5)
    by_status, by_time, us = tally.of("hall")
    assert by_status == {"2xx": 1, "3xx": 1, "4xx": 0, "5xx": 1} and us == 9_055_000
    assert by_time == [1, 1, *[0] * (len(BOUNDS_MS) - 2), 1]
    assert tally.of("admin")[2] == 0 and tally.last_turn() == 6


@pytest.mark.parametrize("page", ["docs/operate/watching.md", "docs/operate/watching.zh-CN.md"])
def test_the_page_about_it_explains_every_figure_and_no_other(page: str) -> None:
    told = set(re.findall(r"\bbidhall_[a-z_]+", text(page)))
    short = {f"bidhall_mail_{end}" for end in ("stuck", "failed") if f"`_{end}`" in text(page)}
    assert (told | short) == set(metrics.ABOUT) - {"bidhall_info"}


# --- of whom nothing is told ------------------------------------------------------------------------------------------

NOT = (
    "/bidder",
    "/uploads",
    "/account",
    "/register",
    "/check",
    "/followed",
    "/log/",
    "/audit",
    "/probe",
    "/live",
    "/town",
    "/rehearsal",
)


def test_every_page_was_decided_upon_and_where_bids_come_in_none_is_counted() -> None:
    find_desks()
    for rule in PAGES.values():
        if rule.endpoint.partition(".")[0].endswith("_for_tests"):
            continue
        left_out = rule.path.startswith(NOT) or rule.endpoint.startswith("follow.") or rule.endpoint in seen.NEVER
        assert bool(seen.desk_of(rule.endpoint)) is not left_out, rule.path
    assert set(seen.NEVER) <= set(PAGES)
    assert seen.desk_of("static") == "" and seen.desk_of(None) == ""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What the platform's own log says from INFO on, as it is written."""
    told: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(json.loads(self.format(record)))

    handler, root = Kept(), logging.getLogger("bidhall")
    handler.setFormatter(logs.JsonLines())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield told
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def signed_in(client: Any, username: str) -> None:
    page = client.get("/account/sign-in").text
    (token,) = set(re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page))
    form = {
        "csrf_token": token,
        "form_id": secrets.token_urlsafe(16),
        "username": username,
        "password": PASSWORD,
        "code": "",
    }
    assert client.post("/account/acts/sign-in", data=form, headers={"Referer": "http://localhost/"}).status_code == 303


def test_one_line_a_request_with_its_pattern_and_a_role_and_no_name(
    world: World, tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    client = client_of(world, tmp_path)
    answer = client.get("/notices/99999?lang=en")
    (line,) = lines
    assert line | {"at": "", "ms": 0} == {
        "at": "",
        "level": "INFO",
        "log": "bidhall.request",
        "message": "answered",
        "request": answer.headers["X-Request-Id"],
        "method": "GET",
        "route": "/notices/<int:number>",
        "status": 404,
        "ms": 0,
        "kind": "public",
    }
    lines.clear()
    signed_in(client, "clerk")
    assert lines == []  # whoever signs in may be a bidder
    client.get("/centre")
    client.get("/notices")
    assert [(one["route"], one["kind"]) for one in lines] == [("/centre", "centre"), ("/notices", "centre")]


def test_of_a_bidder_there_is_neither_line_nor_count_wherever_they_look(
    world: World, tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    client = client_of(world, tmp_path)
    signed_in(client, "bidder1")
    before = client.get("/metrics").text
    for path in (
        "/bidder",
        "/notices",
        "/savings",
        "/hall",
        "/account",
        "/bidder/nothing",
        "/centre",
        "/static/css/tokens.css",
    ):
        client.get(path)
    assert lines == [] and client.get("/metrics").text == before


def test_a_foreign_host_costs_one_line(world: World, tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    settings = Settings(
        data=tmp_path / "data",
        database="",
        blobs="",
        base_url="https://bidhall.example",
        platform=world.office.platform,
    )
    client = create_app(settings, world.office).test_client()
    assert client.get("/notices", headers={"Host": "elsewhere.example"}).status_code == 400
    assert [(one["level"], one["log"]) for one in lines] == [("WARNING", "bidhall.web")]


# --- room -------------------------------------------------------------------------------------------------------------


def test_room_is_told_as_a_power_of_two() -> None:
    gb = room.GB
    assert [room.coarse(n * gb // 2) // gb for n in (1, 2, 5, 8, 200)] == [0, 1, 2, 4, 64]


def test_how_long_it_lasts_is_reckoned_from_a_note_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path, database="", blobs=str(tmp_path))
    start, gb = datetime.fromisoformat("2026-11-01T00:30:00+00:00"), room.GB
    free = {"now": 100 * gb}
    monkeypatch.setattr(
        room.shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": free["now"], "total": 200 * gb})
    )
    for day in range(40):
        room.note(settings, start + timedelta(days=day))
        free["now"] -= gb
        room.note(settings, start + timedelta(days=day, hours=9))  # of a day the first stays
    (disk,) = room.disks(settings)
    assert (disk.name, disk.free, disk.weeks, disk.fills_soon) == ("data", 60 * gb, 60 // 7, False)
    (told,) = doctor._room(settings)
    assert (told.code, told.level) == ("disk", "ok") and "full in 8 weeks" in told.what
    free["now"] = 0
    (disk,) = room.disks(settings)
    assert disk.weeks == 0 and disk.fills_soon
    assert [one.code for one in doctor._room(settings)] == ["disk"] and doctor._room(settings)[0].level == "error"
    free["now"] = 20 * gb
    assert [(one.code, one.level) for one in doctor._room(settings)] == [("disk_fills", "warning")]
    free["now"] = 60 * gb
    assert len(json.loads((tmp_path / room.FILE).read_text())) == room.KEPT_DAYS
    (tmp_path / room.FILE).write_text('{"2026-11-01": {"data": 5}, "2026-11-02": {"data": 4}}')
    assert room.disks(settings)[0].weeks is None  # two days tell nothing
    for broken in ("{", "[]", '{"today": {}}', '{"2026-11-01": 5}'):
        (tmp_path / room.FILE).write_text(broken)
        assert room.disks(settings)[0].weeks is None

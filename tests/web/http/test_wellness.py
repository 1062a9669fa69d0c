"""`/healthz` and `/readyz`: for whoever looks after the machine, the same for everybody, and nothing of any lot."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.kit import stages
from tests.kit.world import World
from trading.kernel.clock import SetClock
from trading.kernel.errors import NotReady
from trading.kernel.restored import Standing
from web.app import create_app
from web.http import wellness
from web.settings import Settings


def client_of(world: World, folder: Path, **more: Any) -> Any:
    office = world.office
    settings = Settings(
        data=folder / "data", database="", blobs="", base_url="https://bidhall.example", platform=office.platform
    )
    return create_app(settings, more.get("office", office)).test_client()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def asked(client: Any, host: str = "10.0.0.7:8080") -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz", headers={"Host": host})
    return answer.status_code, json.loads(answer.text)


def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wellness, "LOOKED_NS", 0)  # each look of a test is its own


def test_a_process_that_answers_says_so_by_any_name(world: World, tmp_path: Path) -> None:
    client = client_of(world, tmp_path)
    for host in ("bidhall.example", "10.0.0.7:8080", "whoever"):
        answer = client.get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.text) == (200, "ok\n") and "Set-Cookie" not in answer.headers
    assert client.head("/healthz").status_code == 200 and client.post("/readyz").status_code == 405


def test_ready_is_a_database_a_clock_and_a_log_that_ticks(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch)
    client = client_of(world, tmp_path)
    assert asked(client) == (503, {"ready": False, "database": "ok", "clock": "ok", "log": "log.still"})
    world.tick()
    assert asked(client) == (200, {"ready": True, "database": "ok", "clock": "ok", "log": "ok"})
    assert isinstance(world.office.clock, SetClock)
    world.office.clock.advance(minutes=3)
    assert asked(client)[1]["log"] == "log.still"


def test_a_platform_that_stands_still_is_not_ready(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(monkeypatch)
    world.tick()
    from dataclasses import replace

    still = replace(world.office, restored=Standing(trouble=NotReady("restore.unconfirmed")))
    assert asked(client_of(world, tmp_path, office=still)) == (
        503,
        {"ready": False, "database": "ok", "clock": "ok", "log": "restore.unconfirmed"},
    )


def test_it_says_the_same_whatever_is_bid(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(monkeypatch)
    client = client_of(world, tmp_path)
    world.tick()
    before = asked(client)
    stages.bidding(world)
    world.tick()
    assert asked(client) == before


def test_an_unknown_host_costs_one_line_of_the_log(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(world, tmp_path)
    with caplog.at_level(logging.WARNING):
        answer = client.get("/notices", headers={"Host": "evil.gov.cn"})
    assert answer.status_code == 400 and answer.mimetype == "text/plain" and "evil" not in answer.text
    (line,) = caplog.records
    assert line.levelname == "WARNING" and "evil.gov.cn" in line.getMessage() and line.exc_info is None
    assert client.get("/notices", headers={"Host": "bidhall.example"}).status_code == 200

"""`bidhall doctor --deadline`: each check says ok on a sound platform, and is broken here once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit import stages
from tests.kit.world import World
from tests.trading.availability.test_deadline_faults import KEYS, MINUTE, confirm, outage, probed
from trading.availability import probes
from trading.availability.probes import ReportedSample
from trading.parties import parties
from web.cli import doctor_deadline
from web.settings import Settings
from web.workers.watch import process


@pytest.fixture
def world(engine: Any, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def findings(world: World, tmp_path: Path, ref: str, **settings: Any) -> dict[str, str]:
    """Code → level, the worst where a code stands several times."""
    held = Settings(data=tmp_path, database="", blobs="", **settings)
    order = ("ok", "warning", "error")
    found: dict[str, str] = {}

    def tried(check: Callable[[Any], list[Any]], look: Any) -> list[Any]:
        return check(look)

    for one in doctor_deadline.examine(world.office, held, ref, tried):
        assert one.remedy or one.level == "ok"
        if one.code not in found or order.index(found[one.code]) < order.index(one.level):
            found[one.code] = one.level
    return found


def test_a_sound_platform_is_ready(world: World, tmp_path: Path) -> None:
    ref = stages.bid(world)
    outage(world, ref, first=-1, count=0, now=-60)
    with world.work("clock") as work:
        for name in KEYS:
            probes.take(work, name, [ReportedSample(work.now - timedelta(seconds=10), 90, True, "", 4)])
    found = findings(world, tmp_path, ref)
    wrong = {code: level for code, level in found.items() if level != "ok"}
    assert set(wrong) <= {"deadline_watch", "deadline_disk"} and {
        "deadline_officers",
        "deadline_probes",
        "deadline_clock",
    } <= set(found)
    with (
        process.alone(tmp_path, "probe"),
        process.alone(tmp_path, "beacon"),
        process.alone(tmp_path, "status"),
        process.alone(tmp_path, "drop"),
    ):
        assert findings(world, tmp_path, ref)["deadline_watch"] == "ok"


def test_probes_that_are_not_there_that_failed_and_clocks_that_are_off(world: World, tmp_path: Path) -> None:
    ref = stages.bid(world)
    found = findings(world, tmp_path, ref)
    assert found["deadline_probes"] == "error"
    with world.work("clock") as work:
        probes.keep_duties(work, {"inside": KEYS["inside"], "north": KEYS["north"]})
    found = findings(world, tmp_path, ref)
    assert (
        found["deadline_probes"] == "error"
        and found["deadline_outside"] == "warning"
        and found["deadline_clock"] == "warning"
    )
    with world.work("clock") as work:
        probes.take(work, "inside", [ReportedSample(work.now, 90, False, "HTTP 503", None)])
        probes.take(work, "north", [ReportedSample(work.now, 90, True, "", 2500)])
    found = findings(world, tmp_path, ref)
    assert found["deadline_probes"] == "error" and found["deadline_clock"] == "error"


def test_officers_who_cannot_open(world: World, tmp_path: Path) -> None:
    ref = stages.bid(world)
    assert findings(world, tmp_path, ref)["deadline_officers"] == "ok"
    for username, level in (("officer1", "warning"), ("officer2", "warning"), ("officer3", "error")):
        with world.work("clerk") as work:
            work.session.get(parties.Account, world.people[username]).disabled_at = work.now  # type: ignore[union-attr]
        assert findings(world, tmp_path, ref)["deadline_officers"] == level


def test_a_fault_found_and_a_fault_confirmed(world: World, tmp_path: Path) -> None:
    ref = stages.bid(world)
    at = outage(world, ref, first=-60, count=20, now=-30)
    assert findings(world, tmp_path, ref)["deadline_fault"] == "error"
    confirm(world, ref)
    assert findings(world, tmp_path, ref)["deadline_fault"] == "error"
    world.sign_policies(ref)
    world.clock.set(at - 20 * MINUTE)
    probed(world, at - 31 * MINUTE, at - 21 * MINUTE)
    from trading import timeline

    timeline.turn(world.office)
    found = findings(world, tmp_path, ref)
    assert found["deadline_fault"] == "ok" and found["deadline_officers"] == "ok", "an extension repeats no drill"


def test_disk_load_certificate_and_an_unknown_lot(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = stages.bid(world)
    monkeypatch.setattr(doctor_deadline, "ROOM", 1 << 60)
    monkeypatch.setattr(doctor_deadline, "TOGETHER", 0)
    found = findings(world, tmp_path, ref, base_url="https://127.0.0.1:9")
    assert (found["deadline_disk"], found["deadline_load"], found["deadline_certificate"]) == ("warning",) * 3
    assert findings(world, tmp_path, "KP-2020-000000-1") == {"deadline": "error"}

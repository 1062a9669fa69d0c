"""`bidhall clock`, doctor and tick where the machine's clock is not where it was noted to be: twelve minutes behind it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.kit.sntp import served
from tests.web.cli.test_people import run, site
from trading.kernel.clock import Machine
from trading.kernel.system_clock import ANCHOR_FILE

__all__ = ["site"]
MINUTES_12 = 720 * 10**9


def moved(site: Path) -> None:
    """The wall clock is twelve minutes behind where the anchor has it."""
    path = site / "data" / ANCHOR_FILE
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"offset_ns": value["offset_ns"] + MINUTES_12}))


@pytest.mark.promise("R7")
def test_doctor_tick_and_clock_say_so_and_two_people_accept_it(site: Path) -> None:
    assert run(site, "clock show").exit_code == 0 and run(site, "tick").exit_code == 0
    moved(site)
    for words, told in (("tick --lang en", "[clock.apart]"), ("clock show --lang en", "720 seconds apart")):
        ran = run(site, words)
        assert ran.exit_code == 3 and told in ran.output, ran.output[-400:]
    shown = json.loads(run(site, "clock show --json").stdout)
    assert (shown["ok"], shown["code"]) == (False, "clock.apart") and shown["first"] < shown["at"] == shown["last"]
    found = {one["code"]: one for one in json.loads(run(site, "doctor --json").stdout)["findings"]}
    assert found["clock_apart"]["level"] == "error" and "bidhall clock accept" in found["clock_apart"]["remedy"]

    alone = run(site, "clock accept --as sec --passphrase-file OWN --second sec --second-passphrase-file OWN --lang en")
    assert alone.exit_code != 0 and "not the same person" in alone.output
    assert run(site, "clock accept --as sec --passphrase-file OWN").exit_code != 0
    assert run(site, "clock show").exit_code == 3
    done = run(site, "clock accept --as sec --passphrase-file OWN --second sec2 --second-passphrase-file NEW")
    assert done.exit_code == 0 and re.search(r"\(-(720\.0|719\.9)", done.output), done.output
    assert run(site, "clock show").exit_code == 0 and run(site, "tick").exit_code == 0
    assert "clock_apart" not in run(site, "doctor --json").stdout


def test_doctor_asks_the_clocks_outside_that_are_named(site: Path) -> None:
    def found() -> dict[str, str]:
        told = json.loads(run(site, "doctor --json").stdout)["findings"]
        return next(one for one in told if one["code"] == "time_sources")

    assert "time_sources" not in run(site, "doctor --json").stdout
    machine = Machine()
    with served(machine.wall_ns) as one, served(machine.wall_ns) as other, served(machine.wall_ns) as third:
        settings = site / "data" / "settings.env"
        settings.write_text(f"BIDHALL_TIME_SOURCES = {one.source}, {other.source}, {third.source}\n")
        assert found()["level"] == "ok"
        one.how = other.how = "silent"
        assert found()["level"] == "warning" and f"{one.source}: silent" in found()["what"]
        one.how = other.how = "well"
        one.off = other.off = -90
        assert found()["level"] == "error" and "2 do not" in found()["what"]
    assert run(site, "clock show").exit_code == 0, "a doctor holds nothing"

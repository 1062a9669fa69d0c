"""The fault points themselves: nothing unless armed, exactly at the pass that was ordered, never on a real platform."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files, text
from trading.kernel import faults
from trading.kernel.errors import NotReady
from trading.kernel.faults import Armed, fault
from web import wiring
from web.settings import read_settings


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm("")


def passes(times: int, name: str = "a.b") -> list[int]:
    """At which passes it failed."""
    failed = []
    for number in range(1, times + 1):
        try:
            fault(name)
        except OSError:
            failed.append(number)
    return failed


def test_orders() -> None:
    assert faults.parse("a.b:kill@3, c:ENOSPC@2+,*:sleep=0.5") == (
        Armed("a.b", "kill", 3, False),
        Armed("c", "ENOSPC", 2, True),
        Armed("*", "sleep=0.5", 1, False),
    )
    for wrong in ("a", "a:", "a:boom", "a:kill@0", "a:kill@x", "a:EWHAT", ":kill", "a:sleep=x"):
        with pytest.raises(ValueError):
            faults.parse(wrong)


def test_it_fails_where_it_was_told_to() -> None:
    assert passes(5) == [] and not faults.armed()
    faults.arm("a.b:ENOSPC@3")
    assert passes(5) == [3]
    faults.arm("a.b:EIO@2+")
    assert passes(4, "c") == [] and passes(4) == [2, 3, 4]
    faults.arm("*:EIO@3")
    assert passes(2, "c") == [] and passes(2) == [1]
    faults.arm("a.b:sleep=0.2")
    began = time.monotonic()
    assert passes(2) == [] and 0.15 < time.monotonic() - began < 10


def test_armed_by_the_environment_a_process_kills_itself() -> None:
    program = "from trading.kernel.faults import fault\nfault('x'); print('one', flush=True); fault('x'); print('two', flush=True)"
    env = {**os.environ, faults.VARIABLE: "x:kill@2"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -9 and done.stdout == "one\n"


def test_a_whole_group_of_processes_goes_down_at_once() -> None:
    """A server at a named step, with the worker that stands by."""
    program = (
        "import os, time\nfrom trading.kernel.faults import fault\nchild = os.fork()\nif not child: time.sleep(60)\n"
        "print(child, flush=True); fault('x')"
    )
    env = {**os.environ, faults.VARIABLE: "x:down@1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
    )
    assert (
        done.returncode == -9 and done.stdout.strip().isdigit()
    )  # and nobody held the pipe open: the child is gone too


def test_a_real_platform_does_not_start_armed(tmp_path: Path) -> None:
    settings = read_settings({"BIDHALL_DATA": str(tmp_path / "data"), faults.VARIABLE: "x:kill"})
    faults.arm("x:EIO@1000000")
    with pytest.raises(NotReady, match="faults.not_rehearsal"):
        wiring.open_office(settings)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / wiring.REHEARSAL).touch()
    wiring.open_office(settings).engine.dispose()


def test_every_point_has_a_name_of_its_own() -> None:
    import re

    rooms = ("trading/", "evaluation/", "deposits/", "web/")
    found = [
        (name, point)
        for name in files()
        if name.endswith(".py") and name.startswith(rooms)
        for point in re.findall(r'(?<!def )\bfault\("([^"]*)"\)', text(name))
        if name != "trading/kernel/faults.py"
    ]
    names = [point for _, point in found]
    assert len(names) == len(set(names)) and all(re.fullmatch(r"[a-z]+\.[a-z]+", name) for name in names), sorted(names)

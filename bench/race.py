"""How a figure is measured here: against a rival, in the same run, on the same work, in interleaved rounds, best of five.

Machines differ and are shared, so seconds mean little and ratios something. A ratio is ours to the rival's, larger is better.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ROUNDS = 5


def race(
    *contestants: Callable[[], object], rounds: int = ROUNDS, before: Callable[[], object] = lambda: None
) -> list[float]:
    """The best seconds of each contestant, all run in turn in every round so that a busy moment strikes all alike.

    ``before``: run before each of them, untimed.
    """
    best = [float("inf")] * len(contestants)
    for turn in range(rounds):
        order = range(len(contestants)) if turn % 2 == 0 else range(len(contestants) - 1, -1, -1)
        for at in order:
            before()
            start = time.perf_counter()
            contestants[at]()
            best[at] = min(best[at], time.perf_counter() - start)
    return best


def row(
    *, workload: str, ours: float | None, unit: str, goal: str, met: bool | None = None,
    rival: float | None = None, rival_name: str = "", ratio: float | None = None, notes: str = "",
) -> Row:  # fmt: skip
    """One line of the answer; ``met`` follows from ``ratio`` and a goal like ``>= 1.3`` where it is not given."""
    if met is None and ratio is not None and goal.startswith(">= "):
        met = ratio >= float(goal.removeprefix(">= "))
    return {
        "workload": workload, "ours": _short(ours), "unit": unit, "rival": _short(rival), "rival_name": rival_name,
        "ratio": _short(ratio), "goal": goal, "met": met, "notes": notes,
    }  # fmt: skip


def skipped(*, workload: str, rival_name: str, goal: str, why: str, ours: float | None = None, unit: str = "") -> Row:
    """A rival that is not here is named and skipped, never guessed."""
    return row(workload=workload, ours=ours, unit=unit, rival_name=rival_name, goal=goal, notes=f"skipped: {why}")


def pace_rows(
    workload: str, mib: float, mine: float, rivals: Iterable[tuple[str, str, str]], times: Mapping[str, float]
) -> list[Row]:
    """MiB/s beside each rival (name, program it needs, goal). ``times``: the seconds of those that ran; the others are skipped."""
    return [
        row(workload=workload, ours=mib / mine, unit="MiB/s", rival=mib / times[name], rival_name=name, ratio=times[name] / mine, goal=goal)
        if name in times else
        skipped(workload=workload, rival_name=name, goal=goal, why=f"{program} is not installed", ours=mib / mine, unit="MiB/s")
        for name, program, goal in rivals
    ]  # fmt: skip


def has(program: str) -> bool:
    return shutil.which(program) is not None


def shell(command: str, folder: Path, **variables: str) -> Callable[[], None]:
    """A rival on the command line, run in ``folder``; it must succeed."""

    def run() -> None:
        subprocess.run(
            ["sh", "-ec", command], cwd=folder, check=True, capture_output=True, env={**os.environ, **variables}
        )

    return run


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A folder for the files of a bench, in memory where the machine has room there: disks are not what is measured."""
    memory = Path("/dev/shm")
    free = shutil.disk_usage(memory).free if memory.is_dir() and os.access(memory, os.W_OK) else 0
    with tempfile.TemporaryDirectory(prefix="bidhall-bench-", dir=memory if free > 6 << 30 else None) as name:
        yield Path(name)


def clear(folder: Path) -> None:
    """The outputs (*.out) of an earlier round go: to empty one that is written anew takes as long as a tenth of the writing."""
    for path in folder.glob("*.out"):
        path.unlink()


def noise_file(path: Path, size: int) -> Path:
    """A file of ``size`` random bytes: nothing that compresses, nothing that repeats within a mebibyte."""
    block = os.urandom(1 << 20)
    with path.open("wb") as out:
        for number in range(size >> 20):
            out.write(number.to_bytes(8, "big") + block[8:])
        out.write(block[: size & ((1 << 20) - 1)])
    return path


def machine() -> dict[str, Any]:
    """What the figures were measured on, without a name that leads to the place."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "load": _short(os.getloadavg()[0]),
        "system": f"{platform.system()} {platform.release().split('-')[0]}", "python": platform.python_version(),
    }  # fmt: skip


def _short(value: float | None) -> float | None:
    """Three significant digits: more would be weather."""
    return None if value is None else float(f"{value:.3g}")

"""What a bid and an opening cost in processor time against an older revision of this very repository, both in one interleaved run.

``python -m bench rates --against REV``; without a revision against the last one before what decides was derived from what was signed
(docs/decisions/0020-the-owner-as-the-adversary.md). The promise: since then a bid has grown by no more than a tenth and an opening by
no more than a twentieth.

The revision is laid out in a folder of its own and run with this environment. Two processes, one for each code, answer in turn
(`bench/rates_probe.py`), so that a busy moment strikes both; the median of the pairs decides. Where there is no git history, or the old
code does not run here any more, it says so and measures nothing.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.race import Row, row, skipped, workshop

AGAINST = "6d698d39"
"""The parent of 606ab821, with which that work begins."""
ROOT = Path(__file__).parents[1]
ROUNDS = 15
MOST = {"bids": 1.10, "open": 1.05}
"""Times the processor seconds of the older code, with a hundred bids; of few it is mostly what comes before the first."""


class NotHere(Exception):
    """Why there is nothing to compare with."""


def run(quick: bool, against: str = AGAINST) -> list[Row]:
    if quick:
        return _at(6, against, rounds=2, bound=True)
    return [*_at(10, against, rounds=ROUNDS, bound=False), *_at(100, against, rounds=ROUNDS, bound=True)]


def _at(count: int, against: str, *, rounds: int, bound: bool) -> list[Row]:
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in MOST}
    goals = {name: f"<= {most:g} times" if bound else "none: growth" for name, most in MOST.items()}
    with workshop() as folder:
        try:
            _lay_out(against, folder / "older")
            with _probe(folder / "older", folder / "0", count) as older, _probe(ROOT, folder / "1", count) as newer:
                for turn in range(rounds):
                    for name, sides in took.items():
                        for side in ((0, 1), (1, 0))[turn % 2]:
                            sides[side].append((older, newer)[side](name))
        except NotHere as reason:
            return [
                skipped(workload=_workload(name, count), rival_name=against, goal=goals[name], why=str(reason))
                for name in MOST
            ]
    return [_row(name, count, against, goals[name], *sides) for name, sides in took.items()]


def _workload(name: str, count: int) -> str:
    if name == "bids":
        return f"processor time of a bid: upload of 256 KiB and submission, {count} bids"
    return f"processor time of an opening: {count} bids of 256 KiB, 3 of 5 officers"


def _row(name: str, count: int, against: str, goal: str, older: list[float], newer: list[float]) -> Row:
    each = 1000 / (count if name == "bids" else 1)
    times = median(after / before for before, after in zip(older, newer, strict=True))
    spread = "; ".join(f"{min(took) * each:.3g} to {max(took) * each:.3g}" for took in (newer, older))
    return row(
        workload=_workload(name, count), ours=median(newer) * each, unit="ms", rival=median(older) * each,
        rival_name=f"the code of {against}", ratio=1 / times, goal=goal, met=times <= MOST[name] if goal.startswith("<=") else None,
        notes=f"{times:.3f} times, the median of {len(newer)} pairs; medians of both; from {spread} ms (ours; theirs)",
    )  # fmt: skip


def _lay_out(revision: str, folder: Path) -> None:
    """The files of a revision in a folder. Raises: NotHere."""
    try:
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    except FileNotFoundError:
        raise NotHere("there is no git here") from None
    except subprocess.CalledProcessError as error:
        raise NotHere(f"no such revision here: {error.stderr.decode(errors='replace').strip()}") from None
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


@contextmanager
def _probe(code: Path, folder: Path, count: int) -> Iterator[Callable[[str], float]]:
    """A process that runs this code: what it is asked → processor seconds. Raises: NotHere where it does not start."""
    folder.mkdir()
    errors = folder / "errors"
    with errors.open("wb") as out:
        probe = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "bench" / "rates_probe.py"), str(folder), str(count)],
            cwd=code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("BIDHALL_")}, "PYTHONPATH": str(code)},
        )  # fmt: skip
    assert probe.stdin and probe.stdout

    def line() -> str:
        assert probe.stdout
        said = probe.stdout.readline().strip()
        if not said:
            raise NotHere(f"this code does not run here: {errors.read_text(errors='replace').strip()[-300:]}")
        return said

    def ask(name: str) -> float:
        assert probe.stdin
        print(name, file=probe.stdin, flush=True)
        return float(json.loads(line()))

    try:
        line()
        yield ask
    finally:
        probe.stdin.close()
        probe.wait()

"""Choose the tests that run again on PostgreSQL: as few as send every statement that all of them send (docs/tests.md).

    make pg-choice     # records the statements of every test on SQLite (tests/kit/statements.py), writes tests/kit/same_on_postgres.txt

What is left out is written down: a new test runs on PostgreSQL until the next choice. Never left out are tests of what differs there
besides statements: the kernel, whatever runs several at once, kills, migrations, and whole tenders.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEFT_OUT = Path(__file__).with_name("same_on_postgres.txt")
TESTS = Path(__file__).parents[1]
ALWAYS = re.compile(
    r"tests/(trading/kernel|faults|laws|migrations)/|::test_\w*(whole|race|once|second|concurrent|same_moment)"
)
AT_ONCE = re.compile(
    r"\b(threading|Thread|ThreadPoolExecutor|multiprocessing|Popen|subprocess|real_server|live_server|Barrier)\b"
)


@dataclass(frozen=True)
class Told:
    """What a test took and sent."""

    test: str
    seconds: float
    statements: frozenset[str]


def read(folder: Path) -> list[Told]:
    """The records of a run, by test, of those that would run on PostgreSQL."""
    rows = [
        json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]
    return [
        Told(row["test"], row["seconds"], frozenset(row["statements"]))
        for row in sorted(rows, key=lambda row: row["test"])
        if row["pg"]
    ]


def choose(told: Sequence[Told], always: Iterable[str]) -> set[str]:
    """``always``, and of the others greedily those that send most new statements a second, until nothing new is left. Each file keeps at
    least one: a module is asked for more than its statements."""
    chosen = set(always)
    sent = set[str]().union(*(one.statements for one in told if one.test in chosen))
    for tests in _by_file(told).values():
        if not any(one.test in chosen for one in tests):
            first = max(tests, key=lambda one: (len(one.statements - sent) / (0.2 + one.seconds), one.test))
            chosen.add(first.test)
            sent |= first.statements
    while rest := [one for one in told if one.test not in chosen and not one.statements <= sent]:
        best = max(rest, key=lambda one: (len(one.statements - sent) / (0.2 + one.seconds), one.test))
        chosen.add(best.test)
        sent |= best.statements
    return chosen


def is_always(test: str) -> bool:
    """Whether a test is of what differs on PostgreSQL besides statements."""
    file, _, name = test.partition("::")
    return bool(ALWAYS.search(test)) or name.partition("[")[0] in _running_several(file)


@cache
def _running_several(file: str) -> frozenset[str]:
    """The functions of a file in which several do something at once, or that call one of its functions in which they do."""
    text = (TESTS.parent / file).read_text("utf-8")
    bodies = {
        one.name: ast.get_source_segment(text, one) or ""
        for one in ast.parse(text).body
        if isinstance(one, ast.FunctionDef)
    }
    found = {name for name, body in bodies.items() if AT_ONCE.search(body)}
    while more := {
        name
        for name, body in bodies.items()
        if name not in found and any(re.search(rf"\b{one}\b", body) for one in found)
    }:
        found |= more
    return frozenset(found)


@cache
def left_out() -> frozenset[str]:
    """The tests that need not run on PostgreSQL: ids, those of all cases of a function without their brackets."""
    lines = LEFT_OUT.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_left_out(test: str) -> bool:
    return test in left_out() or test.partition("[")[0] in left_out()


def _by_file(told: Sequence[Told]) -> Mapping[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for one in told:
        found.setdefault(one.test.partition("::")[0], []).append(one)
    return found


def _lines(told: Sequence[Told], chosen: set[str]) -> Iterator[str]:
    kept = {one.test.partition("[")[0] for one in told if one.test in chosen}
    return iter(
        sorted(
            {
                name if (name := one.test.partition("[")[0]) not in kept else one.test
                for one in told
                if one.test not in chosen
            }
        )
    )


def main(folder: str) -> int:
    told = read(Path(folder))
    chosen = choose(told, [one.test for one in told if is_always(one.test)])
    head = "# Tests whose statements are all sent by others on PostgreSQL: written by `make pg-choice` (tests/kit/postgres_choice.py).\n"
    LEFT_OUT.write_text(head + "".join(f"{line}\n" for line in _lines(told, chosen)), "utf-8")
    seconds = [sum(one.seconds for one in some) for some in ([one for one in told if one.test in chosen], told)]
    print(f"{len(chosen)} of {len(told)} tests, {seconds[0]:.0f} of {seconds[1]:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""Mutation testing (``make mutants``): which modules are changed on purpose, and which quick tests must notice each change.

`PARTS` is the one table of it. What no test notices stands in docs/mutants.md with its judgement, or the run fails.
How a module is changed, and how a change is tried, is told by tests/kit/mutating.py.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
JUDGED = "docs/mutants.md"

PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "money": {
        "trading/kernel/exact.py": ("tests/trading/kernel/test_exact.py",),
        "trading/kernel/amount_words.py": tuple(
            f"tests/trading/kernel/test_money.py::test_{name}"
            for name in (
                "capital_figures_follow_the_cheque_rules",
                "capital_figures_at_the_edges",
                "capital_figures_as_people_write_them",
                "a_nought_stands_for_places_left_out",
                "malformed_capital_figures_are_refused",
                "every_written_form_reads_back",
                "capital_figures_agree_with_an_independent_writer",
            )
        ),
        "trading/kernel/money.py": ("tests/trading/kernel/test_money.py",),
        "trading/kernel/deadlines.py": ("tests/trading/kernel/test_deadlines.py",),
        "trading/kernel/calendar.py": (
            "tests/trading/kernel/test_calendar.py",
            "tests/trading/kernel/test_deadlines.py",
        ),
        "deposits/refunds/interest.py": ("tests/deposits/test_interest.py",),
        "deposits/refunds/rules.py": ("tests/deposits/test_rules.py",),
    },
    "scoring": {
        f"evaluation/methods/{name}.py": (f"tests/evaluation/methods/test_{name}.py",)
        for name in ("policy", "ranking", "price_scores", "expert_scores")
    },
    "sealing": {
        "crypto/shares.py": ("tests/crypto/test_shares.py",),
        "crypto/hpke.py": ("tests/crypto/test_hpke.py",),
    },
}
"""Part -> module -> the tests that judge it. They run without a conftest: what they ask for stands in their own file."""

HEADING = re.compile(r"## `(?P<module>[\w/]+\.py)`")
JUDGEMENT = re.compile(r"\*\*Equivalent:\*\* (?P<why>\S.*)", re.DOTALL)


class Mutant(NamedTuple):
    """One change of a module, told so that it is found again when the lines around it have moved."""

    module: str
    function: str
    old: str
    new: str

    def diff(self) -> str:
        return f"@@ {self.function} @@\n- {self.old}\n+ {self.new}"


@dataclass(frozen=True)
class Judgement:
    mutant: Mutant
    why: str


class BadDocument(ValueError):
    """docs/mutants.md is not in its form."""


def judgements(document: str) -> list[Judgement]:
    """What docs/mutants.md says: under the heading of a module, a judgement and behind it the changes it is about, as a diff."""
    found: list[Judgement] = []
    module = why = ""
    pieces = re.split(r"^```diff\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    for place, piece in enumerate(pieces):
        if place % 2:
            if not module or not why:
                raise BadDocument(f"a diff without a module or a judgement: {piece}")
            found += [Judgement(one, why) for one in _changes(module, piece)]
            why = ""
            continue
        for paragraph in re.split(r"\n\s*\n", piece.strip()):
            if heading := HEADING.fullmatch(paragraph.strip()):
                module, why = heading["module"], ""
            elif paragraph.startswith("## "):
                module = why = ""
            elif said := JUDGEMENT.fullmatch(paragraph.strip()):
                why = " ".join(said["why"].split())
            elif module and paragraph.strip():
                raise BadDocument(f"neither a judgement nor a diff: {paragraph}")
        if module and why and place == len(pieces) - 1:
            raise BadDocument(f"a judgement without a diff: {why}")
    return found


def _changes(module: str, diff: str) -> Iterator[Mutant]:
    lines = diff.rstrip("\n").split("\n")
    function = ""
    while lines:
        if header := re.fullmatch(r"@@ (\S+) @@", lines[0]):
            function = header[1]
            lines.pop(0)
        if not function or len(lines) < 2 or lines[0][:2] != "- " or lines[1][:2] not in ("+ ", "+"):
            raise BadDocument(f"{module}: not a function with a line taken out and one put in: {lines[:2]}")
        yield Mutant(module, function, lines.pop(0)[2:], lines.pop(0)[2:])


def chosen(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The modules of some parts, or modules by their own path; all for no names."""
    modules = {module: tests for part in PARTS.values() for module, tests in part.items()}
    wanted: dict[str, tuple[str, ...]] = {}
    for name in names:
        if name in PARTS:
            wanted |= PARTS[name]
        elif name in modules:
            wanted[name] = modules[name]
        else:
            raise SystemExit(f"{name}: neither one of the parts {', '.join(PARTS)} nor a module of theirs")
    return wanted or modules


def compared(survived: Iterable[Mutant], judged: Iterable[Mutant]) -> tuple[list[Mutant], list[Mutant]]:
    """Survivors that nobody has judged, and judged changes that survive no more (or can't be made any more)."""
    found, listed = Counter(survived), Counter(judged)
    return list((found - listed).elements()), list((listed - found).elements())


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts or modules of the table; all without any")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    modules = chosen(asked.names)
    judged = [one.mutant for one in judgements((ROOT / JUDGED).read_text(encoding="utf-8"))]

    from tests.kit import mutating

    survived: list[Mutant] = []
    for module, tests in modules.items():
        result = mutating.tried(module, tests, asked.jobs)
        print(
            f"{module}: {result.made} changes, {result.made - len(result.survived)} noticed, {result.seconds:.0f} s",
            flush=True,
        )
        survived += result.survived
    unjudged, gone = compared(survived, [one for one in judged if one.module in modules])
    if gone:
        print(f"\nNoticed now, or not made any more; strike them from {JUDGED}:")
        for one in gone:
            print(f"\n{one.module}\n{one.diff()}")
    if unjudged:
        print(f"\nNo test notices these; write one, or judge them in {JUDGED}:")
        for one in unjudged:
            print(f"\n{one.module}\n{one.diff()}")
    print(f"\n{len(survived)} survive, {len(unjudged)} of them not judged")
    return 1 if unjudged else 0


if __name__ == "__main__":
    sys.exit(main())

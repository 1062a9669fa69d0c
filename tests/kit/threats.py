"""What docs/threats.md says of each holder: its rows, the summary that docs/security.md shows of them, and the tests they name.

python -m tests.kit.threats            # the tests, one a line: what `make attack` runs
python -m tests.kit.threats summary    # the table for docs/security.md
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "threats.md"
ANSWERS = ("no", "in part", "yes")


@dataclass(frozen=True)
class Threat:
    """One cell: whether ``holder`` can do ``deed``, and the tests that tried it."""

    holder: str
    deed: str
    answer: str
    why: str
    tests: tuple[str, ...]


def read(text: str | None = None) -> list[Threat]:
    """Every row, in the order of the document."""
    found, holder = [], ""
    for line in (DOCUMENT.read_text(encoding="utf-8") if text is None else text).splitlines():
        if line.startswith("## "):
            holder = line.removeprefix("## ").strip()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("deed", "---"):
            deed, answer, why, tests = cells
            found.append(Threat(holder, deed, answer, why, tuple(re.findall(r"`(tests/[^`]+::test_\w+)`", tests))))
    return found


def summary(threats: list[Threat]) -> str:
    """Holders down, deeds across."""
    deeds = list(dict.fromkeys(one.deed for one in threats))
    lines = ["| who holds | " + " | ".join(deeds) + " |", "| --- |" + " --- |" * len(deeds)]
    for holder in dict.fromkeys(one.holder for one in threats):
        answers = {one.deed: one.answer for one in threats if one.holder == holder}
        anchor = holder.lower().replace(" ", "-").replace("'", "")
        shown = [answers[deed] if answers[deed] == "no" else f"**{answers[deed]}**" for deed in deeds]
        lines.append(f"| [{holder}](threats.md#{anchor}) | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def tests_of(threats: list[Threat]) -> list[str]:
    return sorted({test for one in threats for test in one.tests})


if __name__ == "__main__":
    print(summary(read()) if sys.argv[1:] == ["summary"] else "\n".join(tests_of(read())))

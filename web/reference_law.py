"""The reference page of the law: every rule that concerns the procedure, the files that carry it, its row, and the tests that play it.

The rules stand in ``reference_law.toml``. Everything else is found: files name an id, tests are marked ``@pytest.mark.rule("T-21")``.
Naming a rule is no proof that it holds, so the page tells rules that a test plays from rules that are only named.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trading.rulebook import REGIMES, all_rules
from web.words.citations import citation

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(__file__).with_name("reference_law.toml")
CODE = ("trading", "evaluation", "deposits", "web")
LAST = (
    "web/templates/",
    "web/desks/",
    "web/words/",
    "web/papers/",
    "web/rehearsal/",
)  # shown, where nothing below names the rule
SHOWN = 4  # files in a cell; the others are counted
ID = re.compile(
    r"(?<![\w.-])(?:[RANTBCEPDXY]|CL|ST)-\d\d[a-z]?(?![\w-])"  # as rules are named everywhere
    r"|(?<![\w.-])2\.9(?=\.[a-z])|(?<=\")M\d\.\d(?=[\".])"  # rows of sections whose rules have no id
)
PLAYED, UNPLAYED, PARTLY, ONLY, ABSENT = "played", "carried, no test", "partly", "row or formula only", "not carried"
STATES = (PLAYED, UNPLAYED, PARTLY, ONLY, ABSENT)


@dataclass(frozen=True)
class Law:
    """A rule with all that is known of it. ``lacks``: what is missing, or why it is a row or a formula only."""

    id: str
    en: str
    zh: str
    basis: str
    files: tuple[str, ...]
    has_row: bool
    tests: tuple[str, ...]
    state: str
    lacks: str


@dataclass(frozen=True)
class Chapter:
    section: str
    en: str
    zh: str
    laws: tuple[Law, ...]


@functools.cache
def named() -> Mapping[str, tuple[str, ...]]:
    """Id to the files of the product that name it, but for the rows of the rulebook."""
    found: dict[str, set[str]] = {}
    for package in CODE:
        for path in sorted((ROOT / package).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix not in (".py", ".html", ".toml") or name.startswith(("trading/rulebook/", "web/reference")):
                continue
            for rule in ID.findall(path.read_text(encoding="utf-8")):
                found.setdefault(rule, set()).add(name)
    return {rule: tuple(sorted(names)) for rule, names in found.items()}


@functools.cache
def rows() -> frozenset[str]:
    """Ids with a row of their own, or one of their parts (``T-17.publicity`` is T-17's)."""
    found: set[str] = set()
    for regime in REGIMES:
        for row in all_rules(regime):
            parts = row.id.split(".")
            found |= {".".join(parts[: at + 1]) for at in range(len(parts))} | ({row.also} if row.also else set())
    return frozenset(found)


@functools.cache
def marked() -> Mapping[str, tuple[str, ...]]:
    """Id to the tests marked with it, as ``tests/file.py::test_name``: read, never run."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.rule(" not in text:
            continue
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(text)):
            for rule in _marks(node):
                assert isinstance(node, ast.FunctionDef) and node.name.startswith("test_"), f"{name}: no test"
                found.setdefault(rule, []).append(f"{name}::{node.name}")
    return {rule: tuple(tests) for rule, tests in found.items()}


def _marks(node: ast.AST) -> Iterable[str]:
    for decorator in getattr(node, "decorator_list", ()):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
            for argument in decorator.args:
                assert isinstance(argument, ast.Constant) and isinstance(argument.value, str), "an id is written out"
                yield argument.value


def chapters() -> list[Chapter]:
    """All rules, in the order of ``reference_law.toml``."""
    table = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return [
        Chapter(
            one["section"],
            one["en"],
            one["zh"],
            tuple(
                _law(rule, said, table["where"].get(rule, ()), table["missing"].get(rule, ""), table["only"].get(rule))
                for rule, said in one["rules"].items()
            ),
        )
        for one in table["chapter"]
    ]


def _law(rule: str, said: Mapping[str, str], where: Iterable[str], missing: str, only: str | None) -> Law:
    files = (*where, *named().get(rule, ()))
    tests, has_row = marked().get(rule, ()), rule in rows()
    if only is not None or (has_row and not files):
        state = ONLY
    elif not files:
        state = ABSENT
    elif missing:
        state = PARTLY
    else:
        state = PLAYED if tests else UNPLAYED
    return Law(rule, said["en"], said["zh"], said["basis"], files, has_row, tests, state, missing or only or "")


def make() -> str:
    found = chapters()
    laws = [law for chapter in found for law in chapter.laws]
    lines = [
        "# The law\n",
        "Every rule that concerns the procedure: what it asks for, the files that carry it, whether a number of it stands in the "
        "[rulebook](../../trading/rulebook), and the tests that play it on a lot, by acts or pages. A file that names a rule is no proof "
        "that it holds; a test is. Rules and their words stand in `web/reference_law.toml`; how a rule is added is a "
        "[recipe](../recipes.md#add-a-rule-of-the-law).\n",
        f"- **{PLAYED}**: carried, and a test fails where it is not kept on a lot.",
        f"- **{UNPLAYED}**: carried, and no test of a lot says so.",
        f"- **{PARTLY}**: some of it holds, as the tests beside it play; what is missing is [listed](#partly-held).",
        f"- **{ONLY}**: no lot feels it ([list](#row-or-formula-only)).",
        f"- **{ABSENT}**: nothing carries it ([list](#not-carried)).\n",
        "| chapter | rules | " + " | ".join(STATES) + " |",
        "| --- |" + " ---: |" * (len(STATES) + 1),
    ]
    for chapter in found:
        lines.append(f"| {chapter.section} {chapter.en} | {_counts(chapter.laws)} |")
    lines += [f"| all | {_counts(laws)} |", ""]
    for chapter in found:
        lines += [
            f"## {chapter.section} {chapter.en} · {chapter.zh}\n",
            "| id | what | 内容 | basis | where | row | state | played by |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_row(law) for law in chapter.laws),
            "",
        ]
    lines += _list("Partly held", "Part of each holds; what is missing:", laws, PARTLY)
    lines += _list(
        "Row or formula only",
        "Each stands in a row of the rulebook, a formula or a remark. No lot feels it.",
        laws,
        ONLY,
    )
    lines += _list(
        "Carried, and no test plays it", "The files above name each; no test of a lot fails without it.", laws, UNPLAYED
    )
    lines += _list("Not carried", "Nothing of the platform does what these ask for.", laws, ABSENT)
    return "\n".join(lines)


def _counts(laws: Iterable[Law]) -> str:
    states = [law.state for law in laws]
    return " | ".join(str(count) for count in (len(states), *(states.count(state) for state in STATES)))


def _row(law: Law) -> str:
    # The acts and formulas that hold a rule come first; a page is named where nothing below it is.
    files = [name for name in law.files if not name.startswith(LAST)] or list(law.files)
    shown = [f"`{name}`" for name in files[:SHOWN]] + ([f"and {len(files) - SHOWN} more"] if len(files) > SHOWN else [])
    cells = (
        law.id,
        law.en,
        law.zh,
        citation(law.basis, "en"),
        "<br>".join(shown),
        "yes" if law.has_row else "no",
        law.state,
        "<br>".join(f"`{test}`" for test in law.tests),
    )
    return f"| {' | '.join(cells)} |"


def _list(title: str, about: str, laws: Iterable[Law], state: str) -> list[str]:
    found = [law for law in laws if law.state == state]
    lines = [
        f"- {law.id}: {law.lacks or law.en}" + ("; no test plays the rest" if state == PARTLY and not law.tests else "")
        for law in found
    ]
    return [f"## {title}\n", f"{about if found else 'None.'}\n", *lines, ""]

"""What differs between procedures is asked of their declarations: nobody else compares a regime or a method, or names one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.tree import dotted, in_packages, text, tree
from trading.procedures import PROCEDURES

ROOMS = ("trading/procedures/", "trading/rulebook/", "evaluation/methods/", "web/rehearsal/", "migrations/")
NAMED = ("GP", "WORKS", *(one.id for one in PROCEDURES))
ASKED = ("regime", "method")
VERBS = ("GET", "POST")
# Words that come in or go out as data, and no question which procedure it is.
ALLOWED: dict[str, str] = {
    "trading/kernel/ids.py": "how a regime is written in a project number; the kernel knows no procedures",
    "trading/tendering/bid_forms.py": "a category of project, not a regime: the form first offered to works",
    "trading/disclosure/ocds.py": "a category of project, in the words of the Open Contracting standard",
    "trading/reports/tables.py": "words in other people's tables and what they mean here",
    "trading/reports/words.py": "words of a report's cells, which may come from other people's tables",
    "trading/opening/rules.py": "test vectors say by a word which method they mean",
    "web/desks/parts/specimens.py": "a page of specimens: all it shows is made up",
    "deposits/refunds/rules.py": "test vectors say by a word which rulebook they mean",
}


def compared(node: ast.Compare) -> Iterator[str]:
    """What of a procedure is compared. A column of the database set against a value is a filter, and decides nothing; two plain names
    are a choice in a list; a verb of HTTP is another kind of method."""
    sides = (node.left, *node.comparators)
    if any(
        dotted(side).startswith("Project.") or (isinstance(side, ast.Constant) and side.value in VERBS)
        for side in sides
    ):
        return
    for side in sides:
        if isinstance(side, ast.Attribute) and side.attr in ASKED:
            yield f".{side.attr}"
        if isinstance(side, ast.Name) and side.id in ASKED and not all(isinstance(one, ast.Name) for one in sides):
            yield side.id
        if isinstance(side, ast.Subscript) and isinstance(side.slice, ast.Constant) and side.slice.value == "regime":
            yield '["regime"]'


def named(name: str) -> Iterator[str]:
    """Where a file of code tells procedures apart by name."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Constant) and node.value in NAMED:
            yield f"{name}:{node.lineno}: {node.value}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trading.rulebook"):
            yield from (f"{name}:{node.lineno}: import {one.name}" for one in node.names if one.name in NAMED)
        if isinstance(node, ast.Compare) and all(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops):
            yield from (f"{name}:{node.lineno}: compares {one}" for one in compared(node))


IN_TEMPLATE = re.compile(
    r"""["'](GP|WORKS)["']|\b(GP|WORKS)["']|\b(regime|method)\s*(==|!=)|[!=]=\s*\w+\.(regime|method)\b"""
)
SHOWN = ("web/templates/public/components.html",)
"""A page of specimens: all it shows is made up."""


def named_in_template(name: str) -> Iterator[str]:
    for number, line in enumerate(text(name).splitlines(), 1):
        yield from (f"{name}:{number}: {found[0]}" for found in IN_TEMPLATE.finditer(line))


def code() -> list[str]:
    return [name for name in in_packages(suffix=".py") if not name.startswith(ROOMS)]


def test_no_code_tells_procedures_apart() -> None:
    assert [line for name in code() if name not in ALLOWED for line in named(name)] == []


def test_no_template_tells_procedures_apart() -> None:
    templates = [name for name in in_packages(suffix=".html") if name not in SHOWN]
    assert templates
    assert [line for name in templates for line in named_in_template(name)] == []


@pytest.mark.parametrize("name", ALLOWED)
def test_each_exception_is_still_needed(name: str) -> None:
    assert list(named(name))


@pytest.mark.parametrize(
    "line",
    [
        'x = lot.regime == "GP"',
        "x = lot.regime != other.regime",
        'x = material.lot["regime"] == y',
        "x = lot.method == y",
        'x = method == "M1"',
        'x = {"WORKS": 1}',
        "from trading.rulebook import GP",
    ],
)
def test_a_planted_comparison_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.test_procedures.tree", lambda name: ast.parse(line))
    assert list(named("planted.py"))


def test_a_filter_of_the_database_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.house.test_procedures.tree", lambda name: ast.parse("select(Project).where(Project.regime == regime)")
    )
    assert list(named("planted.py")) == []


@pytest.mark.parametrize(
    "line", ['{% if card.regime == "GP" %}', '<div data-only="regime=GP">', "{% if a == card.method %}"]
)
def test_a_planted_comparison_in_a_template_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.test_procedures.text", lambda name: line)
    assert list(named_in_template("planted.html"))

"""docs/threats.md is whole, names tests that are there, and docs/security.md shows its answers."""

from __future__ import annotations

import ast

from tests.house.tree import ROOT, text, tree
from tests.kit import threats
from tests.kit.threats import ANSWERS, Threat

TABLE = threats.read()


def test_each_holder_answers_for_each_deed() -> None:
    deeds = list(dict.fromkeys(one.deed for one in TABLE))
    holders = list(dict.fromkeys(one.holder for one in TABLE))
    assert len(holders) > 9 and len(deeds) > 5
    assert [(one.holder, one.deed) for one in TABLE] == [(holder, deed) for holder in holders for deed in deeds]
    assert [one for one in TABLE if one.answer not in ANSWERS or not one.why] == []


def test_what_cannot_be_done_was_tried() -> None:
    assert [(one.holder, one.deed) for one in TABLE if one.answer == "no" and not one.tests] == []


def test_every_test_that_is_named_is_there() -> None:
    gone = []
    for name in threats.tests_of(TABLE):
        path, _, function = name.partition("::")
        there = (ROOT / path).is_file() and any(
            isinstance(node, ast.FunctionDef) and node.name == function for node in tree(path).body
        )
        gone += [] if there else [name]
    assert gone == []


def test_the_security_document_shows_these_answers() -> None:
    """Written anew by ``python -m tests.kit.threats summary``."""
    assert threats.summary(TABLE) in text("docs/security.md")


def test_the_reader_reads_every_row() -> None:
    one = Threat("A", "b", "no", "c", ("tests/x.py::test_y",))
    assert threats.read("## A\n| deed | can they | why | tests |\n| --- |\n| b | no | c | `tests/x.py::test_y` |") == [
        one
    ]

"""Every refusal has its words in both languages, and no words are left over from a refusal that is gone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.tree import calls, dotted, in_packages, tree

CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def refusal_classes() -> set[str]:
    """Refusal and all that inherit from it, by name."""
    bases = {
        node.name: {dotted(base).split(".")[-1] for base in node.bases}
        for name in in_packages(suffix=".py")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.ClassDef)
    }
    found = {"Refusal"}
    while grown := {name for name, of in bases.items() if of & found} - found:
        found |= grown
    return found


def constants(node: ast.expr) -> Iterator[str]:
    """The strings an argument may be: a constant, or either side of an `a if x else b`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def raised() -> dict[str, str]:
    """Code -> where it is given."""
    classes = refusal_classes()
    found: dict[str, str] = {}
    for name in in_packages(suffix=".py"):
        for node in ast.walk(tree(name)):
            if not isinstance(node, ast.Call):
                continue
            called = dotted(node.func).split(".")[-1]
            if called in classes or (called == "super" and node.args):
                arguments = node.args[:1]
            elif called == "Fault" or (called == "add" and len(node.args) >= 2):
                arguments = node.args[1:2]
            elif called == "refuse_if_any":
                arguments = node.args[:1] or [ast.Constant("form.faults")]
            else:
                continue
            for argument in arguments:
                for code in constants(argument):
                    if CODE.fullmatch(code):
                        found.setdefault(code, f"{name}:{node.lineno}")
    return found


def written() -> set[str]:
    """Every string in our code that looks like a code, however it gets to where it is raised."""
    return {
        node.value
        for name in in_packages(suffix=".py")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }


def test_refusals_are_found_at_all() -> None:
    assert {"Refusal", "NotFound", "Invalid", "AlreadyDone"} <= refusal_classes()
    assert "access.role" in raised()


def test_every_refusal_has_words_in_both_languages() -> None:
    from web import words

    known = words.refusals()
    assert {code: place for code, place in sorted(raised().items()) if code not in known} == {}
    for code, entry in known.items():
        assert entry["zh"] != entry["en"], code
        assert re.search(r"[\u4e00-\u9fff]", entry["zh"]), f"{code}: no Chinese"
        spoken = re.sub(
            r"“[^”]*”", "", entry["en"]
        )  # what has to be written in a table is quoted as it has to be written
        assert not re.search(r"[\u4e00-\u9fff]", spoken), f"{code}: Chinese in the English words"


def beginnings() -> set[str]:
    """How codes begin that are put together where they are raised: ``f"crypto.{error.code}"`` gives ``crypto.``."""
    found = {"page."}
    for name in in_packages(suffix=".py"):
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.JoinedStr) and len(node.values) > 1 and isinstance(node.values[0], ast.Constant):
                start = str(node.values[0].value)
                if re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z0-9_.]*", start):
                    found.add(start)
    return found


def endings() -> tuple[str, ...]:
    """What is put behind a code to make another: ``f"{template}.subject"`` gives ``.subject``."""
    return tuple(
        {
            str(node.values[1].value)
            for name in in_packages(suffix=".py")
            for node in ast.walk(tree(name))
            if isinstance(node, ast.JoinedStr)
            and len(node.values) == 2
            and isinstance(node.values[1], ast.Constant)
            and re.fullmatch(r"\.[a-z_]+", str(node.values[1].value))
        }
    )


def test_a_refusal_gives_the_facts_its_words_name() -> None:
    """A fact that is not given is shown as a dash. Facts handed on as a whole (``**facts``) are not looked at."""
    from web import words

    known, classes, lacking = words.refusals(), refusal_classes(), {}
    for name in in_packages(suffix=".py"):
        for line, called, call in calls(name):
            said = called.rpartition(".")[2]
            arguments = call.args[:1] if said in classes else call.args[1:2] if said == "add" else []
            given = {one.arg for one in call.keywords}
            for code in {code for argument in arguments for code in constants(argument)} & known.keys():
                needed = words.facts_of(known[code]["zh"])
                if None not in given and not needed <= given:
                    lacking[f"{name}:{line} {code}"] = needed - given
    assert lacking == {}


def test_no_words_are_left_of_a_refusal_that_is_gone() -> None:
    """A code must stand in the code, whole or by the beginning it is put together from."""
    from web import words

    code, starts = written(), tuple(beginnings())
    ends = endings()
    assert ".subject" in ends
    known = code | {c for c in words.refusals() if c.endswith(ends) and c.rpartition(".")[0] in code}
    assert sorted(c for c in words.refusals() if c not in known and not c.startswith(starts)) == []

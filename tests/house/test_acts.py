"""What is posted is an act of the gate: form, unit of work and form id are its business. A route that does this by hand says why, and what
it says holds."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

import pytest

from tests.house.tree import dotted, files, in_packages, tree

Place = tuple[str, str]
"""A file and a function in it."""
OPENS = ("work",)
NOT_IN_AN_ACT = ("work", "once", "Form.read", "go", "view", "reading", "glance", "hit", "blobs.put", "taken_in")
"""What an act leaves to the gate, and what waits, stores or writes by itself while the act holds the writer's turn."""
CLAIMS = ("BYTES", "LOOKS", "OUTSIDE", "UNITS")
"""Reasons for which all that the gate does is done by hand, so the form id is claimed too."""
ELSEWHERE = {("web/desks/account/inbox.py", "_note_read")}
"""A unit of no form: a message is noted as read once its page is out."""


def functions(name: str) -> dict[str, ast.FunctionDef]:
    """The outermost functions of a file; where such a one is but a frame that puts up routes, those in it."""
    return _functions(tree(name))


@functools.cache
def _functions(module: ast.Module) -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    todo: list[ast.stmt] = list(module.body)
    for one in todo:
        if isinstance(one, ast.FunctionDef):
            if any(isinstance(inner, ast.FunctionDef) and reason(inner) for inner in one.body):
                todo += one.body
            else:
                found[one.name] = one
    return found


def reason(function: ast.FunctionDef) -> str:
    """``act``; why a route is by hand; ``page`` for one that only shows; "" for what is no route."""
    for one in function.decorator_list:
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
            said = {word.arg: word.value for word in one.keywords}
            if one.func.attr == "page" and "methods" in said:
                return "PROTOCOL"
            if one.func.attr == "page":
                return dotted(said["post"]).rpartition(".")[2] if "post" in said else "page"
            if one.func.attr == "act":
                return "act"
    return ""


def called(function: ast.FunctionDef, names: tuple[str, ...]) -> set[str]:
    """Those of ``names`` that a function calls."""
    found = {
        dotted(node.func) for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Call)
    }
    return {name for name in names if any(("." + one).endswith("." + name) for one in found)}


def used(name: str, function: ast.FunctionDef) -> Iterator[Place]:
    """The functions of the desks that a function uses, also those it gets from another file of theirs."""
    here, imported = functions(name), _imported(tree(name))
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in here:
                yield name, node.id
            elif isinstance(node, ast.Name) and imported.get(node.id, ("",))[0] in files():
                yield imported[node.id]


@functools.cache
def _imported(module: ast.Module) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("web.desks."):
            path = (node.module or "").replace(".", "/") + ".py"
            found |= {one.asname or one.name: (path, one.name) for one in node.names}
    return found


def reached(place: Place) -> Iterator[Place]:
    """A function and those of the desks that it uses, however far down; what is a route itself is another matter."""
    todo, seen = [place], set()
    while todo:
        one = todo.pop()
        function = functions(one[0]).get(one[1])
        if function is None or one in seen or (one != place and reason(function)):
            continue
        seen.add(one)
        yield one
        todo += used(one[0], function)


def wrong(names: list[str]) -> Iterator[str]:
    places = [(name, one) for name in names for one in functions(name)]
    of = {place: functions(place[0])[place[1]] for place in places}
    by_hand: set[Place] = set()
    for place in places:
        why, below = reason(of[place]), list(reached(place))

        def found(wanted: tuple[str, ...], below: list[Place] = below) -> set[str]:
            return {call for one in below for call in called(functions(one[0])[one[1]], wanted)}

        if why == "act" and (calls := found(NOT_IN_AN_ACT)):
            yield f"{place} is an act and calls {sorted(calls)}"
        if why in CLAIMS and found(("work", "once")) != {"work", "once"}:
            yield f"{place} is by hand for {why} and does not claim its form in a unit"
        if why == "NO_UNIT" and found(OPENS):
            yield f"{place} says {why} and opens one"
        if why not in ("", "act", "page"):
            by_hand |= set(below)
    for place in places:
        if called(of[place], ("work", "once")) and place not in by_hand and place not in ELSEWHERE:
            yield f"{place} opens a unit or claims a form, and no route says why that is done by hand"


def test_acts_leave_to_the_gate_what_is_its_business() -> None:
    names = [name for name in in_packages(suffix=".py") if name.startswith("web/desks/")]
    assert sum(reason(one) == "act" for name in names for one in functions(name).values()) > 130
    found = list(wrong(names))
    assert not found, "\n" + "\n".join(found)


ACT = '@desk.act("/x/acts/y", needs=Act.X)\ndef y(unit, form):\n    '
HAND = '@desk.page("/x/acts/y", needs=Act.X, post=ByHand.{why})\ndef y():\n    '


@pytest.mark.parametrize(
    "code",
    [
        ACT + "with work() as second: pass",
        ACT + "form = Form.read()",
        ACT + "with office().view(actor()) as now: pass",
        ACT + "rate_limits().hit(LIMIT)",
        ACT + "stored(form)\ndef stored(form):\n    return office().blobs.put(form.file('x'))",
        ACT + "files = attached.taken_in(form)",
        ACT + "return go('/x')",
        HAND.format(why="BYTES") + "with work() as unit: do(unit)",
        HAND.format(why="OUTSIDE") + "pass",
        HAND.format(why="NO_UNIT") + "with work() as unit: do(unit)",
        "@desk.page('/x', needs=ANYONE)\ndef x():\n    with work() as unit: do(unit)",
        "@desk.page('/x', needs=ANYONE)\ndef x():\n    help()\ndef help():\n    with office().work(actor()) as unit: do(unit)",
        "def frame(desk):\n    @desk.page('/x', needs=ANYONE)\n    def x():\n        with work() as unit: do(unit)",
    ],
)
def test_planted_handwork_is_found(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = ast.parse(code)
    monkeypatch.setattr("tests.house.test_acts.tree", lambda name: planted)
    assert list(wrong(["web/desks/planted.py"]))


@pytest.mark.parametrize(
    "code",
    [
        ACT + "do(unit, form.text('x'))\n    return '/x'",
        HAND.format(why="BYTES")
        + "help()\ndef help():\n    with work() as unit:\n        unit.once(form.form_id, '/x')",
        HAND.format(why="SIGN_IN") + "login.end_others(office(), person())",
        HAND.format(why="DOCUMENT") + "with work() as unit: do(unit)",
    ],
)
def test_what_a_route_may_do_is_none(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = ast.parse(code)
    monkeypatch.setattr("tests.house.test_acts.tree", lambda name: planted)
    assert list(wrong(["web/desks/planted.py"])) == []

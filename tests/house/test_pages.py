"""A page reads a form, opens a unit of work, calls one act or one view, and shows: what it asks of the database stands below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.tree import calls, in_packages, tree

PAGES = ("web/desks/", "web/papers/", "web/words/")
BELONGS = "what a page shows is asked in trading/views, deposits/views or evaluation/reporting, what it does is an act of the room's module"
ASKS = ("scalar", "scalars", "execute", "get_one")
"""Methods of a session or connection, whatever it is called; others, as ``get``, are found where a session is so called."""


def imports(name: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def has_cookie_session(name: str) -> bool:
    """Whether ``session`` is here the signed cookie of Flask."""
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "flask" and "session" in {one.name for one in node.names}
        for node in ast.walk(tree(name))
    )


def sql(name: str) -> Iterator[str]:
    """Where a file asks the database by itself: file, line, how."""
    for line, module in imports(name):
        if module.split(".")[0] == "sqlalchemy":
            yield f"{name}:{line}: imports {module}; {BELONGS}"
    cookie = has_cookie_session(name)
    for line, called, call in calls(name):
        owner = called.rpartition(".")[0]
        of_session = owner.endswith(".session") or (owner == "session" and not cookie)
        if of_session or (isinstance(call.func, ast.Attribute) and call.func.attr in ASKS):
            yield f"{name}:{line}: calls {called}; {BELONGS}"


def test_no_page_asks_the_database_by_itself() -> None:
    names = [name for name in in_packages(suffix=".py") if name.startswith(PAGES)]
    assert len(names) > 100
    found = [line for name in names for line in sql(name)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy import select",
        "import sqlalchemy as sa",
        "def page():\n    from sqlalchemy.orm import Session",
        "lot = now.session.get(Lot, 1)",
        "rows = list(unit.session.scalars(query))",
        "session = now.session\nrow = session.get(Lot, 1)",
        "unit.session.delete(row)",
        "found = of(now).execute(query)",
        "database.scalars(query)",
    ],
)
def test_planted_sql_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(line, monkeypatch)
    assert list(sql("web/desks/planted.py"))


@pytest.mark.parametrize(
    "line",
    [
        "lot = tenders.lot(now.session, ref)",
        "from trading.rulebook import select\nbook = select(regime, day)",
        "from flask import session\nheld = session.get('register')",
        "name = names.get(one)",
    ],
)
def test_what_a_page_may_do_is_none(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(line, monkeypatch)
    assert list(sql("web/desks/planted.py")) == []


def plant(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.test_pages.tree", lambda name: ast.parse(code))
    monkeypatch.setattr("tests.house.tree.tree", lambda name: ast.parse(code))

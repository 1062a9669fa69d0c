"""Money, scores and time: no binary float, one clock, light start."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.house.tree import ROOT, calls, dotted, in_packages, tree

# Everything below the web that reckons is exact. The few places where a number is not money and not a score say why.
FLOATS_ALLOWED: dict[str, str] = {"trading/kernel/faults.py": "seconds a test lets a step wait; no amount"}
EXACT_ROOMS = ("trading/", "evaluation/", "deposits/")

CLOCK = "trading/kernel/clock.py"
CLOCK_CALLS = {
    *(f"{prefix}datetime.{call}" for prefix in ("", "dt.", "datetime.") for call in ("now", "utcnow", "today")),
    *(f"{prefix}date.today" for prefix in ("", "dt.", "datetime.")),
    *(f"{prefix}{call}" for prefix in ("func.", "sa.func.") for call in ("now", "current_timestamp", "current_date")),
    *(f"time.{call}" for call in ("time", "time_ns", "localtime", "gmtime")),
}
SQL_CLOCK = ("CURRENT_TIMESTAMP", "CURRENT_DATE", "datetime('now'", "date('now'", "now()")

HEAVY = ("pandas", "numpy", "typst", "pyhanko", "openpyxl", "xlsxwriter", "obstore", "playwright")


def floats(name: str) -> Iterator[str]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield f"{name}:{node.lineno}: {node.value}"
        if isinstance(node, ast.Call) and dotted(node.func) in ("float", "complex", "np.float64", "numpy.float64"):
            yield f"{name}:{node.lineno}: float("
        if isinstance(node, ast.Call) and dotted(node.func).endswith(("Float", "Numeric", "REAL")):
            yield f"{name}:{node.lineno}: a column that passes through float"


def test_no_float_where_money_and_scores_are_reckoned() -> None:
    exact = [name for name in in_packages(suffix=".py") if name.startswith(EXACT_ROOMS) and name not in FLOATS_ALLOWED]
    assert [line for name in exact for line in floats(name)] == []


def test_each_exception_is_still_needed() -> None:
    assert [name for name in FLOATS_ALLOWED if not list(floats(name))] == []


def test_only_the_clock_reads_the_clock() -> None:
    others = [name for name in in_packages(suffix=".py") if name != CLOCK]
    assert [f"{name}:{line}: {call}()" for name in others for line, call, _ in calls(name) if call in CLOCK_CALLS] == []


def test_the_database_is_not_asked_for_the_time() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name in in_packages(suffix=".py")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
        if any(word in node.value for word in SQL_CLOCK)
    ]
    assert found == []


def test_the_rule_would_see_a_clock() -> None:
    """The list above names real calls: the one file that may read the clock does."""
    assert {call for _, call, _ in calls(CLOCK)} & CLOCK_CALLS


@pytest.mark.parametrize("room", ["crypto", "trading", "evaluation", "deposits", "migrations", "web"])
def test_nothing_heavy_is_imported_at_start(room: str) -> None:
    modules = [
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in in_packages(suffix=".py")
    ]
    ours = [
        module
        for module in modules
        if module.split(".")[0] == room and ".versions." not in module and module != "migrations.env"
    ]
    code = (
        f"import importlib, json, sys\nfor m in {ours!r}: importlib.import_module(m)\n"
        f"print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def test_the_pure_rooms_need_no_flask_and_no_database() -> None:
    code = "import crypto, evaluation.methods, sys, pkgutil, importlib\n" + (
        "for p in (crypto, evaluation.methods):\n"
        "    for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.'): importlib.import_module(m.name)\n"
        "print(sorted({'flask', 'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert answer.stdout.strip() == "[]"

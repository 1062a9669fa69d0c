"""Every import points down (docs/architecture.md), and the contracts that say so would notice if one did not."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT, in_packages

LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"]


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=folder, capture_output=True, text=True)


def test_the_contracts_hold() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]


def test_no_import_is_ignored() -> None:
    parser = settings()
    for section in parser.sections():
        assert not parser.has_option(section, "ignore_imports"), section
        if section.startswith("importlinter:contract"):
            assert not parser.getboolean(section, "allow_indirect_imports", fallback=False), section


@pytest.mark.parametrize(
    ("desk", "wall"),
    [("expert", "deposits"), ("cashier", "evaluation")],
    ids=["the panel sees no money", "the cashier sees no scores"],
)
def test_each_desk_keeps_its_wall(desk: str, wall: str) -> None:
    """The wall needs its contract as soon as the desk exists."""
    module = f"web.desks.{desk}"
    if f"web/desks/{desk}/__init__.py" not in in_packages():
        pytest.fail(f"the {desk} desk is missing")
    parser = settings()
    contracts = [parser[name] for name in parser.sections() if name.startswith("importlinter:contract")]
    kept = [c for c in contracts if c["type"] == "forbidden" and module in c["source_modules"].split()]
    assert any(wall in contract["forbidden_modules"].split() for contract in kept)


# What must be refused, each planted in a module of its own: file, line.
PLANTED = (
    ("crypto/planted_web.py", "import web"),
    ("crypto/planted_tables.py", "import sqlalchemy"),
    ("trading/kernel/planted_rulebook.py", "import trading.rulebook"),
    ("trading/kernel/planted_methods.py", "from evaluation import methods"),
    ("trading/rulebook/planted_flask.py", "import flask"),
    ("trading/tendering/planted_custody.py", "import trading.custody.officers"),
    ("trading/bidding/planted_opening.py", "import trading.opening.ceremony"),
    ("evaluation/methods/planted_deposits.py", "import deposits"),
    ("evaluation/methods/planted_tables.py", "import sqlalchemy"),
    ("evaluation/panels/planted_sheets.py", "import evaluation.scoring.sheets"),
    ("deposits/bank/planted_methods.py", "import evaluation.methods"),
    ("deposits/ledger/planted_receipts.py", "import deposits.receipts"),
    ("web/desks/expert/planted_money.py", "import deposits.demands"),
    ("web/desks/cashier/planted_scores.py", "import evaluation.methods.ranking"),
    ("web/verifier/planted_flask.py", "import flask"),
    ("web/verifier/planted_tables.py", "import trading.tendering.tenders"),
)
CIRCLES = (
    ("trading/bidding/planted_here.py", "import trading.bidding.planted_there"),
    ("trading/bidding/planted_there.py", "import trading.bidding.planted_here"),
    ("web/papers/planted_up.py", "import web.desks.parts.planted_down"),
    ("web/desks/parts/planted_down.py", "import web.papers.planted_up"),
)


def module_of(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def what_is_said(folder: Path, planted: tuple[tuple[str, str], ...]) -> str:
    """What the contracts say of a copy of the code in which these lines are planted."""
    for name in (*in_packages(suffix=".py"), "setup.cfg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    for file, line in planted:
        (folder / file).write_text(line + "\n", encoding="utf-8")
    answer = lint(folder)
    assert answer.returncode == 1, answer.stdout[-2000:] + answer.stderr[-2000:]
    return answer.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    return what_is_said(tmp_path_factory.mktemp("house"), PLANTED)


@pytest.mark.parametrize(("file", "line"), PLANTED)
def test_a_planted_import_that_points_up_is_caught(said: str, file: str, line: str) -> None:
    assert module_of(file) in said


def test_a_planted_circle_is_caught(tmp_path: Path) -> None:
    """Inside a room and between rooms."""
    said = what_is_said(tmp_path, CIRCLES)
    assert "cycles are allowed in trading.bidding." in said
    assert "cycles are allowed in web." in said

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
    if not {f"web/desks/{desk}.py", f"web/desks/{desk}/__init__.py"} & set(in_packages()):
        pytest.fail(f"the {desk} desk is missing")
    parser = settings()
    contracts = [parser[name] for name in parser.sections() if name.startswith("importlinter:contract")]
    kept = [c for c in contracts if c["type"] == "forbidden" and module in c["source_modules"].split()]
    assert any(wall in contract["forbidden_modules"].split() for contract in kept)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for name in (*in_packages(suffix=".py"), "setup.cfg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("crypto/planted.py", "import web"),
        ("crypto/planted.py", "import sqlalchemy"),
        ("trading/kernel/planted.py", "import trading.rulebook"),
        ("trading/kernel/planted.py", "from evaluation import methods"),
        ("trading/rulebook/planted.py", "import flask"),
        ("evaluation/methods/planted.py", "import deposits"),
        ("deposits/bank/planted.py", "import evaluation.methods"),
        ("evaluation/methods/planted.py", "import sqlalchemy"),
    ],
)
def test_a_planted_import_that_points_up_is_caught(copy: Path, file: str, line: str) -> None:
    planted = copy / file
    planted.write_text(line + "\n", encoding="utf-8")
    try:
        answer = lint(copy)
    finally:
        planted.unlink()
    assert answer.returncode == 1, answer.stdout[-2000:] + answer.stderr[-2000:]
    assert "planted" in answer.stdout

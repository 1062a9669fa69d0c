"""The project as the house tests look at it: its files and its code, read and not run."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("crypto", "deposits", "evaluation", "migrations", "trading", "web")
VENDORED = ("web/static/vendor/", "tests/vendor/", "tests/vectors/", "requirements/")


@functools.cache
def files() -> tuple[str, ...]:
    """Every file of the project, by its path from the root: what git holds or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    names = listed.stdout.decode().split("\0")
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def in_packages(*, suffix: str = "") -> tuple[str, ...]:
    return tuple(name for name in files() if name.split("/")[0] in PACKAGES and "/" in name and name.endswith(suffix))


@functools.cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(text(name), filename=name)


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for a chain of names, else ``""``; a call in the chain counts as what it calls."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def calls(name: str) -> Iterator[tuple[int, str, ast.Call]]:
    """Every call in a file: line, dotted name of what is called, the call."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func), node


def documents() -> tuple[str, ...]:
    return tuple(name for name in files() if name.endswith(".md") and not name.startswith(VENDORED))


def code_lines(name: str) -> Iterator[tuple[int, str]]:
    """The lines of a document's fenced shell blocks and its inline code, with their line numbers."""
    fence = ""
    for number, line in enumerate(text(name).splitlines(), 1):
        opened = re.match(r"\s*(```+|~~~+)\s*(\w*)", line)
        if opened:
            fence = "" if fence else (opened[2] or "none")
        elif fence in ("sh", "bash", "shell", "console", "none", "text"):
            yield number, line.strip().removeprefix("$ ").removeprefix("# ")
        elif not fence:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span

"""Where files lie and what may stand in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import PurePosixPath

import pytest

from tests.house.tree import PACKAGES, ROOT, VENDORED, files, in_packages, text

# Written in two parts so that this file does not name them.
HOSTS = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "deb." + "debian",
    "archive." + "ubuntu",
)
PLACES = ("/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/tmp/" + "bh/", "../sha" + "red")
INDEX = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host|^-i |^-f ", re.MULTILINE)
COLUMNS = 160
TEXT = tuple("|.py|.md|.toml|.cfg|.ini|.html|.css|.js|.mjs|.json|.csv|.txt|.in|.typ|.mako|.po|.sh".split("|"))


def texts() -> list[str]:
    return [name for name in files() if PurePosixPath(name).suffix in TEXT and not name.startswith(VENDORED)]


def test_every_folder_with_python_is_a_package() -> None:
    """Without its `__init__`, `tests/crypto` would shadow `crypto`, and the wheel would lose a folder."""
    ours = (*PACKAGES, "tests", "bench", "release")
    folders = {PurePosixPath(name).parent for name in files() if name.endswith(".py") and name.split("/")[0] in ours}
    folders |= {parent for folder in folders for parent in folder.parents if parent != PurePosixPath(".")}
    assert sorted(str(folder) for folder in folders if f"{folder}/__init__.py" not in files()) == []


def test_no_file_names_a_place_of_one_machine() -> None:
    found = [(name, place) for name in texts() for place in PLACES if place in text(name)]
    assert found == []


def test_no_file_names_a_package_host() -> None:
    names = [*texts(), *(name for name in files() if name.startswith("requirements/"))]
    found = [(name, host) for name in names for host in HOSTS if host in text(name)]
    assert found == []


def test_the_locks_name_no_index() -> None:
    assert [name for name in files() if name.startswith("requirements/") and INDEX.search(text(name))] == []


def test_no_key_is_kept_here() -> None:
    """A private key in the tree is a leak, except a test vector's, which is published with its standard."""
    marks = [f"-----BEGIN {kind}PRIVATE " + "KEY" for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")]
    assert [name for name in texts() if any(mark in text(name) for mark in marks)] == []


def test_ci_is_the_word_a_person_says() -> None:
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert text(".ci/run").rstrip().endswith("exec make ci")


def test_make_alone_prints_every_public_word() -> None:
    printed = subprocess.run(["make", "-s"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    words = {line.split()[1] for line in printed.splitlines()}
    assert words >= {"setup", "run", "demo", "test", "check", "fmt", "bench", "ci", "lock", "browser"}
    assert "\x1b" not in printed


@pytest.mark.parametrize("name", [name for name in in_packages(suffix=".py") if "migrations/versions/" not in name])
def test_a_file_begins_by_saying_what_it_is(name: str) -> None:
    """A stranger knows from the first paragraph what a file is for, and so what must not be put in it."""
    code = text(name).strip()
    assert not code or code.startswith(('"""', 'r"""')), "no docstring"


def test_files_stay_readable_in_one_sitting() -> None:
    """Some 400 lines; beyond 600 there is a second noun in the file."""
    assert [
        name for name in in_packages(suffix=".py") if len(text(name).splitlines()) > 600 and "migrations/" not in name
    ] == []


def test_a_line_of_a_template_fits_the_window() -> None:
    """A change of one element is read as one line of a difference; a line of a whole section hides it."""
    names = in_packages(suffix=".html")
    assert names, "the templates have moved, and nothing is measured"
    long = [
        f"{name}:{number} has {len(line)} columns, at most {COLUMNS}"
        for name in names
        for number, line in enumerate(text(name).splitlines(), 1)
        if len(line) > COLUMNS
    ]
    assert long == [], "\n".join(long)

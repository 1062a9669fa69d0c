"""The locks: everything pinned with its hash, wide enough for setup.cfg, and free of names that would stand in for ours."""

from __future__ import annotations

import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.tree import PACKAGES, ROOT, text

LOCKS = ("bootstrap", "run", "test", "bench", "mutants")
STRANGERS = {"web-py", "pycrypto", "pycryptodome", "crypto", *PACKAGES}


def pinned(lock: str) -> dict[str, set[Version]]:
    found: dict[str, set[Version]] = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text(f"requirements/{lock}.txt"), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


def wanted(*extras: str) -> list[Requirement]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = parser["options"]["install_requires"].split("\n")
    for extra in extras:
        lines += parser["options.extras_require"][extra].split("\n")
    return [Requirement(line) for line in lines if line.strip()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", text(f"requirements/{lock}.txt").strip())
    assert [entry.split()[0] for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry] == []
    assert pinned(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_stranger_bears_one_of_our_names(lock: str) -> None:
    assert set(pinned(lock)) & STRANGERS == set()


@pytest.mark.parametrize(
    ("lock", "extras"), [("run", ["postgres", "reports"]), ("test", ["postgres", "reports", "test", "dev"])]
)
def test_the_lock_answers_setup_cfg(lock: str, extras: list[str]) -> None:
    versions = pinned(lock)
    stale = [
        str(r)
        for r in wanted(*extras)
        if not any(r.specifier.contains(v) for v in versions.get(canonicalize_name(r.name), ()))
    ]
    assert stale == [], "make lock"


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    test = pinned("test")
    assert {name: versions for name, versions in pinned("run").items() if test.get(name) != versions} == {}


def test_no_rival_of_the_benchmarks_is_a_dependency() -> None:
    assert {"pymerkle", "duckdb", "polars", "datasketch"} & (set(pinned("run")) | set(pinned("test"))) == set()

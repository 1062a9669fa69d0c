"""A library of the system that is gone is named with the one command that brings it back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from release import install
from web.cli import doctor_libraries
from web.settings import read_settings


def test_here_all_are_found_the_drivers_too(tmp_path: Path) -> None:
    for database in ("", "postgresql://bidhall@/site"):
        told = {"BIDHALL_DATA": str(tmp_path), "BIDHALL_DATABASE": database}
        assert [one.level for one in doctor_libraries.examine(read_settings(told))] == ["ok"]


def test_one_that_the_loader_misses_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "broken_for_tests"
    package.mkdir()
    said = "libstdc++.so.6: cannot open shared object file: No such file or directory"
    (package / "__init__.py").write_text(f"raise ImportError({said!r})")
    (tmp_path / "other_for_tests.py").write_text("raise OSError('libfoo-2.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("broken_for_tests", "other_for_tests", "nobody_has_installed_this")
    monkeypatch.setattr(doctor_libraries, "COMPILED", names)
    (found,) = doctor_libraries.examine(read_settings({"BIDHALL_DATA": str(tmp_path)}))
    assert (found.code, found.level) == ("libraries", "error")
    assert "broken_for_tests: libstdc++.so.6" in found.what and "nobody" not in found.what
    assert found.remedy == "apt-get install libfoo-2.so.1 libstdc++6"
    assert "broken_for_tests" not in sys.modules


def test_the_installer_knows_the_same_packages() -> None:
    assert {f"{name}.so": package for name, package in doctor_libraries.PACKAGES.items()} == install.LIBRARIES

"""What is shipped: our six packages with all their files, and nothing else."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, files, in_packages


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of the project, so that nothing left over from an earlier build gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in files():
        if not name.startswith(("tests/vectors/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    build = [
        sys.executable,
        "-m",
        "pip",
        "-q",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(out),
        ".",
    ]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = out.glob("bidhall-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_only_our_six_packages_are_shipped(shipped: set[str]) -> None:
    tops = {name.split("/")[0] for name in shipped}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_no_test_is_shipped(shipped: set[str]) -> None:
    assert [name for name in shipped if "tests" in Path(name).parts or Path(name).name.startswith("test_")] == []


def test_every_file_of_the_packages_is_shipped(shipped: set[str]) -> None:
    assert sorted(set(in_packages()) - shipped) == []


def test_the_licence_is_shipped(shipped: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in shipped)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_general_names_are_ours_alone(package: str) -> None:
    assert set(importlib.metadata.packages_distributions()[package]) == {"bidhall"}


def test_the_command_is_ours() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="bidhall")
    assert command.value == "web.cli.main:main"

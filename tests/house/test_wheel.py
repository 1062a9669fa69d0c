"""What is shipped: our six packages with all their files, and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.house.tree import PACKAGES, ROOT, files, in_packages
from web import release
from web.cli.doctor import _files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the project, so that nothing left over from an earlier build gets in."""
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
    (made,) = out.glob("bidhall-*.whl")
    return made


@pytest.fixture(scope="module")
def shipped(wheel: Path) -> set[str]:
    """The names in the wheel."""
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


LOOK = """
import json
from web import release
from web.cli.doctor import _files
print(json.dumps([[[one.code, one.what] for one in _files()], release.integrity("js/seal_worker.js")]))
"""


def test_a_served_file_that_is_not_as_released_is_named_and_run_by_no_browser(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = tmp_path / "web/static/js/seal_worker.js"
    good = script.read_bytes()

    def look() -> Any:
        ran = subprocess.run(
            [sys.executable, "-c", LOOK],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            check=True,
            capture_output=True,
        )
        return json.loads(ran.stdout)

    assert look()[0][0][0] == "release" and look()[1] == release.sri(good)
    script.write_bytes(good.replace(b"seal", b"leak", 1))
    (tmp_path / "web/static/js/more.js").write_text("1")
    [[(code, what)], integrity] = look()
    assert code == "release_changed" and "seal_worker.js" in what and "more.js" in what
    assert integrity == release.sri(good, "sha256")


SERVED = """
import json, os
from web import release
def told():
    return [release.integrity("js/seal_worker.js"), *map(release.integrity, release.preloads("js/seal_worker.js"))]
before = told()
for path in sorted((release.STATIC / "js").glob("*.js")):
    os.rename(path, path.with_suffix(".gone"))
print(json.dumps([before, told()]))
"""


def test_a_page_of_an_installed_release_does_not_ask_the_disk_for_its_scripts(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", SERVED], cwd=tmp_path, env=environment, check=True, capture_output=True)
    before, after = json.loads(ran.stdout)
    assert before == after and len(before) > 3


def test_a_checkout_says_that_it_has_no_record() -> None:
    assert [(one.code, one.level) for one in _files()] == [("release_unknown", "warning")]


def test_a_wheel_is_read_as_a_release_and_only_whole(wheel: Path, tmp_path: Path) -> None:
    found = release.of_wheel(str(wheel))
    assert found.sealing_page() == release.installed().sealing_page()
    spoiled = tmp_path / "spoiled.whl"
    with zipfile.ZipFile(wheel) as good, zipfile.ZipFile(spoiled, "w") as bad:
        for name in good.namelist():
            data = good.read(name)
            bad.writestr(name, data + b" " if name.endswith("js/seal_worker.js") else data)
    with pytest.raises(ValueError, match="seal_worker"):
        release.of_wheel(str(spoiled))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_general_names_are_ours_alone(package: str) -> None:
    assert set(importlib.metadata.packages_distributions()[package]) == {"bidhall"}


def test_the_command_is_ours() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="bidhall")
    assert command.value == "web.cli.main:main"

"""`make walk`: both languages, each page at both widths. Without BIDHALL_WALK=whole: one language, the short walk of `make test`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.walk import town as towns
from tests.walk.guide import Walk
from tests.walk.town import Town

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VARIANTS = (("zh", 1440), ("en", 390))
"""Language and width people work in; each page is looked at in the other width too."""
IS_WHOLE = os.environ.get("BIDHALL_WALK") == "whole"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        variants = VARIANTS if IS_WHOLE else VARIANTS[:1]
        metafunc.parametrize(
            "variant", variants, ids=[f"{lang}-{width}" for lang, width in variants], scope="module", indirect=True
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is not of the short walk waits for the whole one."""
    for item in items:
        if "town" in getattr(item, "fixturenames", ()) and not IS_WHOLE and not item.get_closest_marker("short_walk"):
            item.add_marker(pytest.mark.skip(reason="of the whole walk: make walk"))


@pytest.fixture(scope="session")
def judged(run_folder: Path) -> Path:
    """Where the walks of this run, of all workers, remember what axe found nothing wrong with."""
    folder = run_folder / "judged"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def variant(request: pytest.FixtureRequest) -> tuple[str, int]:
    lang, width = request.param
    return lang, width


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The filled town of this run, for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    with towns.filled(shared) as kept:
        yield kept


@pytest.fixture(scope="module")
def town(filled: Path, variant: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A served copy of the town for the tests of one file, in one variant."""
    with towns.served(filled, tmp_path_factory.mktemp("town")) as copy:
        yield copy


@pytest.fixture
def walk(browser: Browser, town: Town, variant: tuple[str, int], judged: Path) -> Iterator[Walk]:
    """People for a walk. At its end every link they were shown is tried."""
    going = Walk(town, browser, *variant, judged)
    yield going
    going.end()

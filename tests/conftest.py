"""What every test may ask for. Which tier a test is in and whether it runs again on PostgreSQL is told by tests/kit/tiers.py."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.kit import browser as kit_browser
from tests.kit import postgres_choice, tiers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from sqlalchemy import Engine

    from tests.kit.database import Databases
    from tests.kit.server import LiveServer

# The same examples on every machine and in every run: a failure found here is found there. No deadline: cores are shared.
settings.register_profile("bidhall", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bidhall")

TESTS = Path(__file__).parent
IS_PG_WHOLE = os.environ.get("TEST_PG") == "whole"
NO_BROWSER = "no browser: no Chromium on this machine (make browser installs one when root)"


def pytest_configure(config: pytest.Config) -> None:
    """Files of tests lie in memory where there is enough. The collector of circles looks less often: a run keeps much and leaves few."""
    from tests.kit import in_memory

    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", in_memory.place())
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(tryfirst=True)  # before the choice by -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        marks = {mark.name for mark in item.iter_markers()}
        if by_hand := (marks & set(tiers.TIERS)) - {"long"}:
            raise pytest.UsageError(
                f"{item.nodeid}: {', '.join(by_hand)} is set by tests/kit/tiers.py, never at a test"
            )
        path = item.path.relative_to(TESTS).as_posix()
        found = tiers.tier(path, fixtures, marks)
        if found not in marks:
            item.add_marker(found)
        if tiers.on_postgres(path, fixtures, found) and (IS_PG_WHOLE or not postgres_choice.is_left_out(item.nodeid)):
            item.add_marker(pytest.mark.pg)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("browser") and kit_browser.find_browser() is None:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))
    if hasattr(config, "workerinput"):
        from tests.kit.scheduling import longest_first

        long = {item.nodeid for item in items if item.get_closest_marker("long")}
        at = {nodeid: place for place, nodeid in enumerate(longest_first((item.nodeid for item in items), long))}
        items.sort(key=lambda item: at[item.nodeid])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Kept worlds are of one run, and large; pytest itself would leave those of the last three."""
    if not os.environ.get("PYTEST_XDIST_WORKER") and not session.config.option.collectonly:
        from tests.kit import kept

        kept.forget(session.config._tmp_path_factory.getbasetemp() / "worlds")  # type: ignore[attr-defined]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Acts that may be played under a patch are played by each test itself."""
    from tests.kit import kept

    kept.automatic = "monkeypatch" not in getattr(item, "fixturenames", ())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadgroup``: the groups of tests/kit/scheduling.py."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.kit.scheduling import Scheduling

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Whatever needed a browser and was skipped is said loudly, by whichever words it was skipped."""
    skipped = [
        report for report in terminalreporter.stats.get("skipped", ()) if "browser" in str(report.longrepr).lower()
    ]
    if skipped and kit_browser.find_browser() is None:
        terminalreporter.section("NO BROWSER", sep="*")
        terminalreporter.write_line(f"{len(skipped)} browser tests were SKIPPED: {NO_BROWSER}")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run, the same for all its workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session", autouse=True)
def kept_for_the_run(run_folder: Path) -> Iterator[None]:
    """What would be compiled anew for each test is compiled once (tests/kit/warm.py), worlds are played once (tests/kit/kept.py)."""
    from tests.kit import kept, warm

    kept.keep_in(run_folder / "worlds")
    with pytest.MonkeyPatch.context() as patch:
        warm.install(patch, run_folder / "templates")
        yield


@pytest.fixture(scope="session", autouse=True)
def answers_are_closed() -> Iterator[None]:
    """Test clients take an answer to its last byte and close it, as every server does: what is done after the page is done then. An endless
    stream of events is left open, and so is what a test asks for with ``buffered`` to close it itself."""
    from flask.testing import FlaskClient

    plain = FlaskClient.open

    def to_the_end(self: FlaskClient, *what: Any, **how: Any) -> Any:
        answer = plain(self, *what, **how)
        if "buffered" not in how and answer.mimetype != "text/event-stream":
            answer.get_data()
            answer.close()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FlaskClient, "open", to_the_end)
        yield


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The maker of databases of this run (SQLite, or PostgreSQL with BIDHALL_TEST_DB=postgres)."""
    from tests.kit import database

    with database.databases(tmp_path_factory.mktemp("databases")) as maker:
        yield maker


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The URL of a database of one's own, holding all tables and no rows."""
    with databases.fresh() as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database of one's own, holding all tables and no rows."""
    from trading.kernel.db import open_engine

    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's headless Chromium. For a module, not the whole run: two drivers can't live in one thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=kit_browser.find_browser(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own context (own cookies), in Chinese, in the platform's zone."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    yield context.new_page()
    context.close()


@pytest.fixture
def live_server(engine: Engine, tmp_path: Path) -> Iterator[LiveServer]:
    """The whole application on a free port over a world of its own (tests/kit/server.py)."""
    from tests.kit.server import serving
    from tests.kit.world import World

    with serving(World(engine, tmp_path), tmp_path) as server:
        yield server

"""In a real browser: the policy breaks nothing, no page is wider than its window, the pages work without scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import make_server

from tests.web.conftest import PASSWORD, House
from trading.kernel.access import Role

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = ("/", "/help", "/help/components", "/status", "/account/sign-in", "/nowhere")


@pytest.fixture
def address(make_house: Callable[..., House]) -> Iterator[str]:
    house = make_house(test_clock="2026-03-18T01:52:41Z")
    house.person("p", Role.HOST, Role.CONTROLLER)
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def watched(page: Page) -> list[str]:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    return told


@pytest.mark.parametrize("width", [1440, 390])
def test_the_policy_breaks_nothing_and_nothing_overflows(browser: Browser, address: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")
    page = context.new_page()
    told = watched(page)
    for path in PAGES:
        page.goto(address + path, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert [t for t in told if "404" not in t] == []
    context.close()


def test_theme_countdown_and_table_come_alive(browser: Browser, address: str) -> None:
    context = browser.new_context(locale="zh-CN", color_scheme="light")
    page = context.new_page()
    page.goto(address + "/help/components", wait_until="networkidle")
    before: Any = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("[data-theme-switch]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.locator(".count .t").inner_text().startswith("7天")
    assert page.evaluate("document.activeElement.matches('[data-errors]')")
    context.close()


def test_one_can_sign_in_without_scripts_by_keyboard(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(address + "/account")
    page.fill("#f-username", "p")
    page.fill("#f-password", PASSWORD)
    page.press("#f-password", "Enter")
    assert page.url == address + "/account"
    assert "开标主持人" in page.inner_text("main")
    page.click("main button:has-text('保证金复核')")
    page.goto(address + "/account")
    assert page.locator("main button[aria-current]").inner_text() == "保证金复核"
    context.close()

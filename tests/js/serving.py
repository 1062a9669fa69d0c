"""Serves the browser modules and vectors on 127.0.0.1 under the pages' own strict policy, and starts a headless browser."""

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types bidhall-worker"
)
SERVED = ("/web/static/", "/tests/js/", "/tests/vectors/")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")


class _Files(http.server.SimpleHTTPRequestHandler):
    extensions_map = {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".html": "text/html",
    }

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(ROOT))

    def do_GET(self) -> None:
        if self.path.startswith(SERVED):
            super().do_GET()
        else:
            self.send_error(404)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a failing request shows in the page's own errors."""


@contextmanager
def static_server() -> Iterator[str]:
    """The address of a server of the checkout's static files and tests."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def browser_page(address: str, profile: str | None = None) -> Iterator[Any]:
    """A page of a headless browser with `suite.html` loaded; skips, saying why, where no browser is installed.

    `profile`: a folder for what the browser keeps, as a person's has one; without it private files stay in its memory.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: browser vectors NOT run"
    )
    found = os.environ.get("BIDHALL_BROWSER") or next((p for b in BROWSERS if (p := shutil.which(b))), None)
    if found is None:
        pytest.skip(
            f"no browser found (looked for {', '.join(BROWSERS)}; set BIDHALL_BROWSER): browser vectors NOT run"
        )
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser: Any
        if profile:
            browser = driver.chromium.launch_persistent_context(profile, executable_path=found, args=arguments)
        else:
            browser = driver.chromium.launch(executable_path=found, args=arguments)
        try:
            page = browser.new_page()
            page.set_default_timeout(300_000)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
            page.problems = problems
            page.goto(f"{address}/tests/js/suite.html")
            page.wait_for_function("window.runVectors !== undefined", timeout=30_000)
            yield page
        finally:
            browser.close()

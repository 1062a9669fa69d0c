"""What the address of ``bidhall serve --demo`` answers while its town is being filled: how far that is, in both languages, on a page that
looks again by itself.

The socket is opened once and handed on: whoever asks in the moment of the change waits in its line and is answered by the town.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader
from werkzeug.serving import WSGIRequestHandler, make_server

STEP = re.compile(r"(\d+)/(\d+) +(.*)")
"""A line of a filling that says how far it is."""
LATEST = 8
SHEETS = ("tokens", "base", "parts", "town")
AGAIN = 2
"""Seconds after which the page looks again."""
HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)


@dataclass
class Progress:
    """What a filling has said so far."""

    began: float = field(default_factory=time.monotonic)
    done: int = 0
    of: int = 0
    lines: list[str] = field(default_factory=list)

    def tell(self, line: str) -> None:
        step = STEP.fullmatch(line)
        if step:
            self.done, self.of, line = int(step[1]), int(step[2]), step[3]
        self.lines.append(line)

    @property
    def seconds(self) -> int:
        return int(time.monotonic() - self.began)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A page that asks every other second is no news."""


@contextmanager
def answering(at: socket.socket) -> Iterator[Callable[[str], None]]:
    """Answer at a listening socket until the block ends, and leave it open; yields what takes the lines of the filling."""
    progress = Progress()
    server = make_server(
        "127.0.0.1", at.getsockname()[1], _app(progress), threaded=True, request_handler=_Quiet, fd=at.fileno()
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="waiting", daemon=True)
    thread.start()
    try:
        yield progress.tell
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _app(progress: Progress) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    sheets = {
        f"/static/css/{name}.css": files("web").joinpath("static", "css", f"{name}.css").read_bytes() for name in SHEETS
    }
    page = Environment(loader=PackageLoader("web"), autoescape=True).get_template("waiting.html")

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path in sheets:
            start("200 OK", [("Content-Type", "text/css; charset=utf-8"), *HEADERS])
            return [sheets[path]]
        body = page.render(
            progress=progress, sheets=sheets, again=AGAIN, latest=progress.lines[-LATEST:][::-1]
        ).encode()
        start(
            "503 Service Unavailable",
            [("Content-Type", "text/html; charset=utf-8"), ("Retry-After", str(AGAIN)), *HEADERS],
        )
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    return answer

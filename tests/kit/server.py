"""A live server over a world: the whole application behind a real socket, for journeys with a browser and for the command line.

    def test_x(live_server, page):
        live_server.world.lot("BIDDING")
        page.goto(live_server.url + "/bidder")

The server runs in a thread of this process on the same office, so a test moves the clock (``live_server.world.clock``) and takes acts by
the world's own hand between two clicks. SQLite files are shared with it as two processes would share them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from tests.kit.world import World
from trading.kernel.work import Office
from web.app import create_app
from web.settings import Settings

PASSWORD = "correct horse battery"
"""The password of everybody in a world."""


@dataclass
class LiveServer:
    """``url`` has no slash at its end."""

    url: str
    world: World
    app: Flask

    @property
    def office(self) -> Office:
        return self.world.office

    def sign_in(self, page: Any, username: str, *, role: str = "", lang: str = "zh") -> None:
        """Signs a person of the world in on a page of a browser, in a role if they hold several."""
        page.goto(f"{self.url}/account/sign-in?lang={lang}")
        page.fill("[name=username]", username)
        page.fill("[name=password]", PASSWORD)
        page.click("main form button:not([type=button])")
        page.wait_for_url(lambda address: "/account/sign-in" not in address)
        if role:
            with page.expect_navigation():
                page.evaluate(
                    """(role) => {
              const form = document.createElement("form");
              form.method = "post"; form.action = "/account/acts/role";
              for (const [name, value] of [["role", role], ["csrf_token", document.querySelector("[name=csrf_token]").value]]) {
                const field = document.createElement("input");
                field.type = "hidden"; field.name = name; field.value = value; form.append(field);
              }
              document.body.append(form); form.submit();
            }""",
                    role,
                )


@contextmanager
def serving(world: World, folder: Path) -> Iterator[LiveServer]:
    """The application over a world on a free port of this machine, until the block ends."""
    settings = Settings(
        data=folder / "data",
        database="",
        blobs="",
        place="云汀市公共资源交易",
        hotline="0000-12345",
        platform=world.office.platform,
        test_clock="set",
    )
    app = create_app(settings, world.office)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="live-server", daemon=True)
    thread.start()
    try:
        # `localhost`, not the number: browsers keep Secure and __Host- cookies for it without TLS
        yield LiveServer(f"http://localhost:{server.server_port}", world, app)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()

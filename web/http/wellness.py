"""Two words for whoever looks after the machine: `/healthz`, this process answers; `/readyz`, the platform can take and sign.

A door before the application: asked by an address that is no name of the platform, by a proxy or a supervisor of processes, and never put
off. What they say is the same for everybody and tells nothing of any lot: codes of the database, the clock and the log.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from trading.kernel.log_ticks import LAST_SEALED
from trading.kernel.work import Office

HEALTH, READY = "/healthz", "/readyz"
STILL = timedelta(minutes=2)
"""No tick for so long: nothing that is signed gets its place in the log."""
LOOKED_NS = 1_000_000_000
"""One look serves all who ask within a second."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex"}


class Wellness:
    """A WSGI door before all others."""

    def __init__(self, inner: Any, office: Office) -> None:
        self._inner, self._office = inner, office
        self._lock, self._at, self._seen = threading.Lock(), -LOOKED_NS, dict[str, str]()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path not in (HEALTH, READY):
            found: Iterable[bytes] = self._inner(environ, start_response)
            return found
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            answer = Response("", 405, {**HEADERS, "Allow": "GET, HEAD"})
        elif path == HEALTH:
            answer = Response("ok\n", 200, HEADERS, mimetype="text/plain")
        else:
            seen = self.look()
            ready = set(seen.values()) == {"ok"}
            body = json.dumps({"ready": ready, **seen}) + "\n"
            answer = Response(body, 200 if ready else 503, HEADERS, mimetype="application/json")
        return answer(environ, start_response)

    def look(self) -> dict[str, str]:
        """``database``, ``clock``, ``log``: "ok", or the code of what is wrong."""
        with self._lock:
            now = time.monotonic_ns()
            if now - self._at >= LOOKED_NS:
                self._seen, self._at = self._looked(), now
            return self._seen

    def _looked(self) -> dict[str, str]:
        office = self._office
        try:
            with office.glance() as connection:
                last = connection.scalar(LAST_SEALED)
        except SQLAlchemyError:
            return {"database": "database.unreachable", "clock": self._clock(), "log": "unknown"}
        log = "ok"
        if office.trouble is not None:
            log = office.trouble.code
        elif last is None or office.clock.now() - last > STILL:
            log = "log.still"
        return {"database": "ok", "clock": self._clock(), "log": log}

    def _clock(self) -> str:
        doubt = self._office.clock.doubt()
        return "ok" if doubt is None else doubt.code

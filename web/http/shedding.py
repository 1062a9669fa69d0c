"""What is put off when the platform has more to do than it can: first what can wait longest, never what a deadline depends on.

The load is an age: how long requests wait at the edge before anybody takes them up (web/http/edge.py). Each stage has an age from which its
pages answer 503 with a moment to come back, before any database is asked; order and stages are those of the promises (C, shedding order).
Submitting, uploading, withdrawing, receipts, the drop, the beacon, the log, the hall and the desks are no stage and are never put off.
What is told is the same for everybody and for every load: a time to wait, never a number of others.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web import words

PAGE = Path(__file__).parents[1] / "templates" / "busy.html"
WINDOW_NS = 2_000_000_000
"""A wait counts for as long as this after it was over, so that one free moment does not bring all of it back at once."""


@dataclass(frozen=True)
class Stage:
    """Pages put off together: from a wait of ``from_ms`` on, told to come back in ``retry_s`` seconds. ``acts``: what is posted, else what
    is looked at."""

    name: str
    from_ms: int
    retry_s: int
    pages: re.Pattern[str]
    acts: re.Pattern[str] = re.compile(r"(?!)")


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(patterns) + r")\Z")


STAGES = (
    Stage(
        "reports",
        500,
        120,
        _any(
            "/savings(?:/.*)?",
            "/audit",
            "/supervisor/dossier(?:/.*)?",
            "/centre/archive(?:/.*)?",
            "/cashier/ledger",
            r"/cashier/batches/[^/]+/payments\.csv",
            r"/expert/[^/]+/report(?:\.json|\.pdf)?",
        ),
        _any("/centre/archive/[^/]+/acts/seal"),
    ),
    Stage("search", 1000, 60, _any("/notices", "/lots", "/admin/log", "/admin/parties")),
    Stage("feed", 1500, 300, _any(r"/feed\.(?:json|xml)", r"/notices/\d+/document\.json")),
    Stage(
        "questions",
        2000,
        60,
        _any("/admin/people/new"),
        _any("/bidder/lots/[^/]+/acts/ask", "/admin/acts/(?:register|invite)"),
    ),
    Stage("documents", 3000, 30, _any(r"/lots/[^/]+/documents/\d+", r"/agency/lots/[^/]+/documents/\d+")),
    Stage("sign-in", 4000, 20, _any("/account/sign-in"), _any("/account/acts/sign-in")),
)


def stage_of(method: str, path: str) -> Stage | None:
    """The stage a request belongs to, None for what is never put off."""
    looked_at = method in ("GET", "HEAD")
    return next((stage for stage in STAGES if (stage.pages if looked_at else stage.acts).match(path)), None)


class Load:
    """How long requests wait at the edge of this process."""

    def __init__(self) -> None:
        self._worst, self._since = [0, 0], 0
        self.oldest: Callable[[], int] = lambda: 0
        """Since when the longest waiting request waits, in nanoseconds of the monotonic clock; 0 if none does."""

    def waited(self, nanoseconds: int) -> None:
        """A request was taken up after so long."""
        self._turn(time.monotonic_ns())
        self._worst[0] = max(self._worst[0], nanoseconds)

    def age_ms(self) -> int:
        """The longest wait now or just over, in milliseconds."""
        now, since = time.monotonic_ns(), self.oldest()
        self._turn(now)
        return max(*self._worst, now - since if since else 0) // 1_000_000

    def _turn(self, now: int) -> None:
        gone = now - self._since
        if gone >= WINDOW_NS:
            self._worst, self._since = [0, self._worst[0] if gone < 2 * WINDOW_NS else 0], now


LOAD = Load()
"""That of this process."""


class Shedding:
    """A WSGI door before all others. ``headers``: those every answer carries."""

    def __init__(self, inner: Any, headers: dict[str, str], load: Load = LOAD) -> None:
        self._inner, self._headers, self._load = inner, headers, load

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        age = self._load.age_ms()
        if age >= STAGES[0].from_ms:
            stage = stage_of(environ.get("REQUEST_METHOD", "GET"), environ.get("PATH_INFO", "/"))
            if stage is not None and age >= stage.from_ms:
                return self._put_off(stage, environ, start_response)
        answer: Iterable[bytes] = self._inner(environ, start_response)
        return answer

    def _put_off(self, stage: Stage, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        told = {lang: words.words("platform.shed", {"seconds": stage.retry_s}, lang) for lang in words.LANGS}
        if "text/html" not in environ.get("HTTP_ACCEPT", "") and "json" in environ.get("HTTP_ACCEPT", ""):
            kind, text = (
                "application/json",
                json.dumps({"code": "platform.shed", "words": told["zh"], "words_en": told["en"]}, ensure_ascii=False),
            )
        else:
            looked_at = environ.get("REQUEST_METHOD") in ("GET", "HEAD")
            again = f'<meta http-equiv="refresh" content="{stage.retry_s}">' if looked_at else ""
            kind, text = "text/html; charset=utf-8", PAGE.read_text(encoding="utf-8").format(again=again, **told)
        body = text.encode()
        start_response(
            "503 Service Unavailable",
            [
                *self._headers.items(),
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Retry-After", str(stage.retry_s)),
                ("Cache-Control", "no-store"),
            ],
        )
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

"""Live updates as server-sent events (desks §9.3): a topic has a mark that changes with its public face; whoever watches learns that it
changed and fetches the page again, so that there is one template and nothing is told twice.

    live.TOPICS["hall"] = marks.mark          # (look, rest of the topic) -> the mark; refuses what the page would refuse

An event's id is the mark. On return the browser sends the last one it saw (``Last-Event-ID``, or ``?after=``); if the mark is another by
now, one event makes up for all that were missed. A heartbeat every 15 s; a stream ends by itself after ten minutes and is opened again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response
from sqlalchemy.exc import SQLAlchemyError

from trading.kernel.access import Actor
from trading.kernel.errors import NotFound, NotReady, Refusal
from trading.kernel.work import Office, View

Mark = Callable[[View, str], str]

TOPICS: dict[str, Mark] = {}
HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 1.0
LONGEST_SECONDS = 600.0
MOST_STREAMS = 24
"""Streams one worker holds at once; each takes a thread. Beyond that a page polls."""

_places = threading.Semaphore(MOST_STREAMS)


def stream(office: Office, actor: Actor, topic: str, *, last: str) -> Response:
    """The events of a topic (``hall/TENDER-1``) for one reader. ``last``: the id of the last event seen, "" if none.

    Refuses: NotFound (no such topic), what its page would refuse, NotReady ``live.too_many``.
    """
    kind, _, rest = topic.partition("/")
    if kind not in TOPICS or not rest:
        raise NotFound("page.not_found")
    seen = _mark(office, actor, TOPICS[kind], rest)
    if not _places.acquire(blocking=False):
        raise NotReady("live.too_many")
    response = Response(_events(office, actor, TOPICS[kind], rest, seen, last), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(_Once(_places.release))
    return response


class _Once:
    """Gives a place back once, whichever end of a stream closes first."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release, self._lock, self._done = release, threading.Lock(), False

    def __call__(self) -> None:
        with self._lock:
            if self._done:
                return
            self._done = True
        self._release()


def _mark(office: Office, actor: Actor, mark: Mark, rest: str) -> str:
    with office.view(actor) as view:
        return mark(view, rest)


def _events(office: Office, actor: Actor, mark: Mark, rest: str, seen: str, last: str) -> Iterator[str]:
    yield "retry: 3000\n\n"
    yield event(seen) if last and last != seen else beat()
    begun = spoken = time.monotonic()
    while time.monotonic() - begun < LONGEST_SECONDS:
        time.sleep(LOOK_SECONDS)
        try:
            fresh = _mark(office, actor, mark, rest)
        except (Refusal, SQLAlchemyError):
            return  # no longer to be seen, or the database is away: the page says why when it is opened again
        if fresh != seen:
            seen, spoken = fresh, time.monotonic()
            yield event(seen)
        elif time.monotonic() - spoken >= HEARTBEAT_SECONDS:
            spoken = time.monotonic()
            yield beat()


def event(mark: str) -> str:
    """One event: the topic has another face now."""
    return f"id: {mark}\ndata: {json.dumps({'changed': True})}\n\n"


def beat() -> str:
    return "event: beat\ndata: {}\n\n"

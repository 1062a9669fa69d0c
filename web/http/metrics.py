"""`/metrics`: figures of this installation as Prometheus reads them (text format 0.0.4), for whoever the settings name and nobody else.

Nothing of any lot, and nothing that grows when somebody bids (web/http/seen.py says what is counted): queues are told as waiting or not,
room as a power of two. The door lies before all others and is never put off.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import metadata
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.work import Office
from trading.parties import mail_queue
from web import examined, room
from web.backups import state
from web.http.wellness import HEADERS, Wellness
from web.settings import METRICS, Settings, secret_of
from web.tally import BOUNDS_MS, DESKS, TALLY

PATH = "/metrics"
LOOPBACK, TOKEN = METRICS
TOKEN_FILE = "metrics.token"
LOOKED_NS = 5_000_000_000
"""One look at database and disks serves all who ask within five seconds."""
MEDIA = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, dict[str, str], float | int]


class Metrics:
    """A WSGI door. ``wellness``: what answers `/readyz`."""

    def __init__(self, inner: Wellness, settings: Settings, office: Office) -> None:
        self._inner, self._settings, self._office = inner, settings, office
        self._lock, self._at, self._seen = threading.Lock(), -LOOKED_NS, list[Sample]()
        self._token = secret_of(settings.data, TOKEN_FILE) if settings.metrics == TOKEN else ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or not self._settings.metrics:
            found: Iterable[bytes] = self._inner(environ, start_response)
            return found
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Response:
        if self._token:
            given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                return Response("token\n", 401, {**HEADERS, "WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        elif not from_here(environ):
            return Response("", 404, HEADERS)
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return Response("", 405, {**HEADERS, "Allow": "GET, HEAD"})
        return Response(self.text(), 200, HEADERS, content_type=MEDIA)

    def text(self) -> str:
        with self._lock:
            now = time.monotonic_ns()
            if now - self._at >= LOOKED_NS:
                self._seen, self._at = list(self._looked()), now
            seen = self._seen
        return written([*seen, *counted()])

    def _looked(self) -> Iterator[Sample]:
        office, settings = self._office, self._settings
        yield "bidhall_info", {"version": metadata.version("bidhall")}, 1
        for part, code in self._inner.look().items():
            yield "bidhall_ready", {"part": part}, int(code == "ok")
        yield "bidhall_stands_still", {}, int(office.trouble is not None)
        try:
            with office.view(CLOCK) as view:
                last, mail = log.last_tick(view.session), mail_queue.backlog(view.session, view.now)
                stuck = mail_queue.stuck(view.session, view.now)
            yield "bidhall_log_ticks", {}, last.tick + 1 if last is not None else 0
            yield "bidhall_log_last_tick_timestamp_seconds", {}, _seconds(last.at if last is not None else None)
            yield "bidhall_mail_waits", {}, int(mail.retried)
            yield "bidhall_mail_stuck", {}, int(stuck > 0)
            yield "bidhall_mail_failed", {}, int(mail.failed > 0)
        except SQLAlchemyError:
            pass  # bidhall_ready says so
        for disk in room.disks(settings):
            yield "bidhall_disk_free_bytes", {"disk": disk.name}, room.coarse(disk.free)
            yield "bidhall_disk_fills_soon", {"disk": disk.name}, int(disk.fills_soon)
        backups, found = state.read(settings.data), examined.read(settings.data)
        yield "bidhall_backup_timestamp_seconds", {}, _seconds(backups.taken)
        yield "bidhall_backup_checked_timestamp_seconds", {}, _seconds(backups.checked)
        yield "bidhall_doctor_timestamp_seconds", {}, _seconds(found.moment)
        for level, number in (("error", found.errors), ("warning", found.warnings)):
            yield "bidhall_doctor_findings", {"level": level}, number


def from_here(environ: dict[str, Any]) -> bool:
    """This machine itself, and not somebody for whom a proxy on it asks."""
    told = any(environ.get(name) for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"))
    return not told and environ.get("REMOTE_ADDR") in ("127.0.0.1", "::1")


def _seconds(moment: datetime | None) -> int:
    """Since 1970; 0 for never."""
    return int(moment.timestamp()) if moment is not None else 0


def counted() -> Iterator[Sample]:
    """What the workers have counted together."""
    yield "bidhall_clock_turn_timestamp_seconds", {}, TALLY.last_turn()
    for desk in DESKS:
        by_status, by_time, us = TALLY.of(desk)
        for status, number in by_status.items():
            yield "bidhall_requests_total", {"desk": desk, "status": status}, number
        below = 0
        for bound, number in zip((*BOUNDS_MS, None), by_time, strict=True):
            below += number
            le = "+Inf" if bound is None else f"{bound / 1000:g}"
            yield "bidhall_request_seconds_bucket", {"desk": desk, "le": le}, below
        yield "bidhall_request_seconds_sum", {"desk": desk}, us / 1_000_000
        yield "bidhall_request_seconds_count", {"desk": desk}, below


ABOUT = {
    "bidhall_info": ("gauge", "The version that runs."),
    "bidhall_ready": ("gauge", "Whether database, clock and log are well, as /readyz says."),
    "bidhall_stands_still": ("gauge", "Whether the platform signs nothing."),
    "bidhall_log_ticks": ("gauge", "Ticks of the log: one a minute, whatever happens."),
    "bidhall_log_last_tick_timestamp_seconds": ("gauge", "The last tick, 0 for none."),
    "bidhall_mail_waits": ("gauge", "Whether a letter was tried in vain and waits."),
    "bidhall_mail_stuck": ("gauge", "Whether a letter has waited for more than an hour."),
    "bidhall_mail_failed": ("gauge", "Whether a letter of the last seven days came back or was given up."),
    "bidhall_disk_free_bytes": ("gauge", "Free at least: a power of two of GB."),
    "bidhall_disk_fills_soon": ("gauge", "Whether it is full within eight weeks at the pace of the last four."),
    "bidhall_backup_timestamp_seconds": ("gauge", "The last backup, 0 for none."),
    "bidhall_backup_checked_timestamp_seconds": ("gauge", "When a backup was last looked through, 0 for never."),
    "bidhall_doctor_timestamp_seconds": ("gauge", "When bidhall doctor --note last looked, 0 for never."),
    "bidhall_doctor_findings": ("gauge", "What it found then."),
    "bidhall_clock_turn_timestamp_seconds": ("gauge", "When the clock last turned in any worker."),
    "bidhall_requests_total": ("counter", "Requests of desks at which nobody bids, by people who are no bidders."),
    "bidhall_request_seconds": ("histogram", "How long those took."),
}
"""Name → kind and help, in the order in which they are written."""


def written(samples: Iterable[Sample]) -> str:
    """The text format: each name with its help and its kind before its samples."""
    lines: dict[str, list[str]] = {name: [] for name in ABOUT}
    for name, labels, value in samples:
        whole = name if name in ABOUT else name.rpartition("_")[0]
        told = ",".join(f'{key}="{text}"' for key, text in labels.items())
        lines[whole].append(f"{name}{{{told}}} {value}" if told else f"{name} {value}")
    return "".join(
        "\n".join([f"# HELP {name} {ABOUT[name][1]}", f"# TYPE {name} {ABOUT[name][0]}", *held]) + "\n"
        for name, held in lines.items()
        if held
    )

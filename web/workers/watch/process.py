"""What the processes of the watch share: one of a kind per data folder, a key of one's own, a small HTTP server, files written whole."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from trading.kernel.errors import NotReady
from web.settings import secret_of

FOLDER = "watch"
KINDS = ("probe", "beacon", "status", "drop")


def folder_of(data: Path) -> Path:
    """Where the watch keeps its files."""
    folder = data / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def key_of(data: Path, kind: str) -> bytes:
    """The Ed25519 secret of one process, a 0600 file made on first use. Refuses: NotReady when others can read it."""
    return bytes.fromhex(secret_of(folder_of(data), f"{kind}.key"))


@contextmanager
def alone(data: Path, kind: str) -> Iterator[None]:
    """Hold the place of the one process of this kind. Refuses: NotReady ``watch.running`` with its process number."""
    with (folder_of(data) / f"{kind}.lock").open("a+", encoding="ascii") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            held.seek(0)
            raise NotReady("watch.running", kind=kind, pid=held.read().strip()) from error
        held.seek(0)
        held.truncate()
        held.write(str(os.getpid()))
        held.flush()
        yield


def running(data: Path, kind: str) -> bool:
    """Whether such a process holds its place now."""
    return is_locked(data / FOLDER / f"{kind}.lock")


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock on this file; False where there is none."""
    if not path.exists():
        return False
    with path.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """A file that is there whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)


class Handler(BaseHTTPRequestHandler):
    """A quiet handler: no names of servers, no log of who asked, no answer that may be kept or framed."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    server_version, sys_version = "bidhall", ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: who asks the watch is nobody's business."""

    def answer(self, status: int, data: bytes, media: str, **headers: str) -> None:
        self.send_response(status)
        kept = {
            "Content-Type": media,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'",
        }
        for name, value in (kept | {key.replace("_", "-"): value for key, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def stopped() -> threading.Event:
    """An event that a polite end of the process sets."""
    event = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: event.set())
    return event


@contextmanager
def listening(handler: type[Handler], host: str, port: int) -> Iterator[int]:
    """Serve in a thread until the block ends; gives the port. Refuses: NotReady ``watch.port`` when it is taken."""
    try:
        server = Server((host, port), handler)
    except OSError as error:
        raise NotReady("watch.port", host=host, port=port, reason=error.strerror or "") from error
    thread = threading.Thread(target=server.serve_forever, name="watch", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()

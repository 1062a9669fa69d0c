"""A line that can be cut: a forwarder of TCP between a browser and the live server, which counts and keeps what the browser sends.

with CutLine(port) as line:
    page.goto(line.url)          # http://localhost:…
    line.cut_after(9_000_000)    # cut once so many more bytes have gone up; until mend() every connection ends at once
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

_PIECE = 1 << 16


class CutLine:
    """``sent``: all bytes the browser sent; ``up``: how many; ``is_cut``: an event set while the line is down."""

    def __init__(self, port: int) -> None:
        self.port, self.sent, self.is_cut = port, bytearray(), threading.Event()
        self._most: int | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self._door.getsockname()[1]}"

    @property
    def up(self) -> int:
        return len(self.sent)

    def cut_after(self, octets: int) -> None:
        with self._lock:
            self._most = len(self.sent) + octets

    def cut(self) -> None:
        self.is_cut.set()
        with self._lock:
            gone, self._open = self._open, set()
        for one in gone:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._most = None
        self.is_cut.clear()

    def __enter__(self) -> CutLine:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._door.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            if self.is_cut.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.port))
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, upwards: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if upwards and not self._may_pass(data):
                    self.cut()
                    break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self._lock:
            self._open -= {source, target}

    def _may_pass(self, data: bytes) -> bool:
        with self._lock:
            if self._most is not None and len(self.sent) + len(data) > self._most:
                return False
            self.sent += data
            return True

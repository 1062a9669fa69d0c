"""A real clock outside: a small SNTP server (RFC 5905) on a port of this machine, right or wrong as a test wants it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.kit.machine import SECOND

EPOCH = 2_208_988_800


@dataclass
class TimeServer:
    """``off``: seconds its clock is from the true time; ``how``: as it answers (``well``, ``silent``, ``unsynchronized``,
    ``another`` (to another question), ``short``, ``twice`` (a forged answer first))."""

    truth: Callable[[], int]
    off: float = 0
    how: str = "well"
    port: int = 0
    asked: int = field(default=0)

    @property
    def source(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answers(self, question: bytes) -> list[bytes]:
        self.asked += 1
        stamp = _stamp(self.truth() + int(self.off * SECOND))
        leap = 3 if self.how == "unsynchronized" else 0
        head = bytes([leap << 6 | 4 << 3 | 4, 2]) + question[2:4] + bytes(20)
        well = head + question[40:48] + stamp + stamp
        forged = head + bytes(8) + _stamp(self.truth() + 7200 * SECOND) * 2
        return {"silent": [], "another": [forged], "short": [well[:40]], "twice": [forged, well]}.get(self.how, [well])


def _stamp(ns: int) -> bytes:
    seconds, rest = divmod(ns, SECOND)
    return struct.pack(">II", (seconds + EPOCH) % (1 << 32), (rest << 32) // SECOND)


@contextmanager
def served(truth: Callable[[], int], **how: object) -> Iterator[TimeServer]:
    """``truth``: what time it is, in nanoseconds since 1970."""
    server = TimeServer(truth, **how)  # type: ignore[arg-type]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(0.05)
        server.port = line.getsockname()[1]
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                try:
                    question, whom = line.recvfrom(1024)
                except TimeoutError:
                    continue
                for answer in server.answers(question):
                    line.sendto(answer, whom)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()

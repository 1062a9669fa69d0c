"""Waiting for the platform's first answer, with nothing but the standard library: who stands beside it lets it start first."""

from __future__ import annotations

import socket
import time

LONGEST_S = 20


def until_it_answers(port: int, seconds: int = LONGEST_S) -> bool:
    """Whether something on this machine's port said anything to a request for ``/time`` within so many seconds."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=left) as line:
                line.sendall(b"GET /time HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if line.recv(1):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False

"""A virus scanner for tests: the real clamd with one signature of our own, and a small server that speaks its protocol for answers the
real one gives only on a bad day."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web.clamd import Clamd

MARKER = b"BIDHALL-TEST-SIGNATURE-7f3a91c0"
"""What the tests' own signature finds; no file of the world holds it otherwise."""
NAME = "Bidhall.Test.Marker"
MOST = 2 << 20


def find_clamd() -> str | None:
    return shutil.which("clamd") or next((p for p in ("/usr/sbin/clamd",) if Path(p).exists()), None)


@contextmanager
def real_clamd(folder: Path) -> Iterator[Clamd]:
    """clamd on a Unix socket in ``folder``, its database the one signature, its stream limit MOST bytes."""
    binary = find_clamd()
    assert binary is not None
    (folder / "db").mkdir()
    (folder / "db" / "own.ndb").write_text(f"{NAME}:0:*:{MARKER.hex()}\n")
    path = folder / "c.sock"
    (folder / "clamd.conf").write_text(
        f"LocalSocket {path}\nDatabaseDirectory {folder / 'db'}\nForeground yes\nStreamMaxLength {MOST}\nUser root\n"
        f"TemporaryDirectory {folder}\nFixStaleSocket yes\nConcurrentDatabaseReload no\n"
    )
    process = subprocess.Popen(
        [binary, "--config-file", str(folder / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            if path.exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        yield Clamd(path=str(path))
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def speaking(*answers: bytes, hang_up_after: int = 0) -> Iterator[Clamd]:
    """A server that reads an INSTREAM and gives the answers in turn, the last one again and again; with ``hang_up_after`` it answers and
    closes as soon as so many bytes came, as clamd does over its limit."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[int] = []

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                try:
                    word = b""
                    while not word.endswith(b"\0"):
                        word += line.recv(1)
                    if word == b"zVERSION\0":
                        line.sendall(b"ClamAV 1.4.6/27000/Tue Mar  3 2026\0")
                        continue
                    _take_stream(line, hang_up_after)
                    line.sendall(answers[min(len(asked), len(answers) - 1)])
                    asked.append(1)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Clamd(host="127.0.0.1", port=server.getsockname()[1])
    finally:
        server.close()


def _take_stream(line: socket.socket, most: int) -> None:
    taken = 0
    while True:
        size = int.from_bytes(_exactly(line, 4), "big")
        if size == 0:
            return
        _exactly(line, size)
        taken += size
        if most and taken >= most:
            return


def _exactly(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = line.recv(size - len(data))
        if not piece:
            raise OSError("cut off")
        data += piece
    return data

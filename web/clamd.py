"""A ClamAV daemon as scanner, by its own protocol (clamd(8): ``zINSTREAM``, ``zVERSION``), over TCP or a Unix socket.

The daemon's answer is data of another program: only its three forms are understood, whatever else it says leaves the file waiting or
refused, never clean.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from trading.files.scanning import CLEAN, INFECTED, REFUSED, Finding, ScannerDown

PIECE = 1 << 16
CONNECT_SECONDS = 5
ANSWER_SECONDS = 300
MOST_ANSWER = 4096
_NO_FINDING = ("Heuristics.Limits.", "Heuristics.Encrypted.")
"""Names under which clamd reports that it could not look inside, which is no finding against the file."""


@dataclass(frozen=True)
class Clamd:
    """Where the daemon listens: ``path`` of its socket, or ``host`` and ``port``."""

    path: str = ""
    host: str = ""
    port: int = 0

    def version(self) -> str:
        """As ``ClamAV 1.4.6/27000/Mon …``. Raises: ScannerDown."""
        try:
            with self._connect() as line:
                line.sendall(b"zVERSION\0")
                return _answer(line)
        except OSError as error:
            raise ScannerDown(type(error).__name__) from error

    def scan(self, source: BinaryIO) -> Finding:
        """Raises: ScannerDown."""
        try:
            with self._connect() as line:
                try:
                    line.sendall(b"zINSTREAM\0")
                    while piece := source.read(PIECE):
                        line.sendall(struct.pack(">I", len(piece)) + piece)
                    line.sendall(struct.pack(">I", 0))
                except (BrokenPipeError, ConnectionResetError):
                    pass  # over its limit it answers and hangs up in the middle
                line.settimeout(ANSWER_SECONDS)
                return _finding(_answer(line))
        except OSError as error:
            raise ScannerDown(type(error).__name__) from error

    def _connect(self) -> socket.socket:
        if self.path:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(CONNECT_SECONDS)
            try:
                line.connect(self.path)
            except OSError:
                line.close()
                raise
        else:
            line = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
        line.settimeout(60)
        return line


def parse_address(text: str) -> Clamd:
    """``unix:/run/clamav/clamd.ctl``, a path, ``tcp://host:3310`` or ``host:3310``. Raises: ValueError."""
    if text.startswith(("/", "unix:")):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path.startswith("/"):
            raise ValueError(text)
        return Clamd(path=path)
    parts = urlsplit(text if "://" in text else "tcp://" + text)
    if parts.scheme != "tcp" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(text)
    return Clamd(host=parts.hostname, port=parts.port or 3310)


def _answer(line: socket.socket) -> str:
    data = b""
    while b"\0" not in data and len(data) < MOST_ANSWER:
        piece = line.recv(MOST_ANSWER)
        if not piece:
            break
        data += piece
    text = data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    if not text:
        raise ScannerDown("no answer")
    return text


def _finding(text: str) -> Finding:
    said = text.removeprefix("stream: ")
    if said == "OK":
        return Finding(CLEAN)
    if said.endswith(" FOUND"):
        name = said.removesuffix(" FOUND")
        return Finding(REFUSED if name.startswith(_NO_FINDING) else INFECTED, name)
    return Finding(REFUSED, said.removesuffix(" ERROR").removesuffix("."))

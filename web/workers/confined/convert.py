"""Previews of strangers' files: one page at a time, by a child process that can do nothing but compute (web/workers/confined/child.py;
promise U2).

What comes back is untrusted too: bare pixels of a stated size, or text, never a file format another decoder would have to trust. The PNG
is written here.
"""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from web.workers.confined.child import MOST_PIXELS, MOST_TEXT

SECONDS = 9
WIDTH = 1100
MOST_INPUT = 256 << 20
MOST_ANSWER = 16 + 3 * MOST_PIXELS
_TURNS = threading.BoundedSemaphore(2)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"BM")
_OFFICE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf", b"Rar!", b"7z\xbc\xaf'\x1c", b"\x1f\x8b")

REASONS = ("office", "kind", "damaged", "locked", "too-large", "no-page", "slow", "unconfined")


class NoPreview(Exception):
    """There is no page to show; ``reason`` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Page:
    """A page as an image (``png``), of so many; or the beginning of a text."""

    pages: int
    png: bytes = b""
    text: str = ""


def kind_of(path: Path) -> str:
    """pdf, image or text, by the bytes: a name says nothing. Raises: NoPreview."""
    with path.open("rb") as source:
        head = source.read(4096)
    if path.stat().st_size > MOST_INPUT:
        raise NoPreview("too-large")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head.startswith(_OFFICE):
        raise NoPreview("office")
    if b"\0" in head:
        raise NoPreview("kind")
    return "text"


def convert(path: Path, number: int = 1, *, width: int = WIDTH) -> Page:
    """A page of a file. At most two at a time in a process, none longer than SECONDS. Raises: NoPreview."""
    kind = kind_of(path)
    with _TURNS:
        return _read(_answer(path, kind, number, width), number)


def _answer(path: Path, kind: str, number: int, width: int) -> bytes:
    command = [sys.executable, "-I", "-B", "-m", "web.workers.confined.child", kind, str(number), str(width)]
    with path.open("rb") as source:
        child = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
    assert child.stdout is not None
    until, data = time.monotonic() + SECONDS, bytearray()
    try:
        with selectors.DefaultSelector() as waiting:
            waiting.register(child.stdout, selectors.EVENT_READ)
            while True:
                if not waiting.select(max(0.0, until - time.monotonic())):
                    raise NoPreview("slow")
                piece = os.read(child.stdout.fileno(), 1 << 16)
                if not piece:
                    break
                data += piece
                if len(data) > MOST_ANSWER or time.monotonic() > until:
                    raise NoPreview("too-large" if len(data) > MOST_ANSWER else "slow")
    finally:
        child.kill()
        child.stdout.close()
        child.wait()
    return bytes(data)


def _read(data: bytes, number: int) -> Page:
    mark, rest = data[:4], data[4:]
    if mark == b"BHE1":
        reason = rest.decode("ascii", "replace")
        raise NoPreview(reason if reason in REASONS else "damaged")
    if mark == b"BHT1" and len(rest) >= 4 and len(rest) - 4 == struct.unpack(">I", rest[:4])[0] <= 4 * MOST_TEXT:
        return Page(1, text=rest[4:].decode("utf-8", "replace"))
    if mark == b"BHP1" and len(rest) >= 12:
        pages, across, down = struct.unpack(">III", rest[:12])
        if number <= pages and 0 < across * down <= MOST_PIXELS and len(rest) == 12 + 3 * across * down:
            return Page(pages, png=_png(across, down, rest[12:]))
    raise NoPreview("damaged")  # the child died, over its limits or otherwise


def _png(across: int, down: int, rgb: bytes) -> bytes:
    """RGB bytes as PNG (RFC 2083): one IDAT, no filter."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    lines = b"".join(b"\0" + rgb[at : at + 3 * across] for at in range(0, len(rgb), 3 * across))
    head = struct.pack(">IIBBBBB", across, down, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b"")

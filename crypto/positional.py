"""Chunk work on regular files: threads read, encrypt, hash and write at positions of their own, in buffers of their own.

The bytes are those of sealed_bid.py (protocol, section 3.2); this is only the quick way to them where source and target are regular files.
Nothing is allocated per chunk and no thread waits for another's turn at the file. A stream that is no regular file has no position
to read at: sealed_bid.py then goes its sequential way.
"""

import contextlib
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG
from crypto.workers import THREADS, in_order

Nonce = Callable[[int, bool], bytes]
_BUFFERS = THREADS + 4
"""Opened chunks that wait for their turn: enough for one thread to go on while the other is kept off the processor."""
_DIGESTS = 64


@dataclass(frozen=True)
class Place:
    """A regular file open at a position: descriptor, and where its next byte is.

    ``length``: bytes that belong to it, where it is a part of a file. ``told``: called with the bytes of a read or write, on any thread.
    ``early``: what is written is sent to the disk at once, since the file will be synced at its end.
    """

    fd: int
    base: int
    length: int | None = None
    told: Callable[[int], None] | None = None
    early: bool = False

    def read_into(self, view: memoryview, offset: int) -> int:
        """Bytes read from ``base + offset`` on; fewer than asked only at the end of the file."""
        if self.length is not None:
            view = view[: max(0, self.length - offset)]
        done = 0
        while done < len(view):
            got = os.preadv(self.fd, [view[done:]], self.base + offset + done)
            if not got:
                break
            done += got
        if self.told is not None:
            self.told(done)
        return done

    def write(self, view: memoryview, offset: int) -> None:
        done = 0
        while done < len(view):
            done += os.pwrite(self.fd, view[done:], self.base + offset + done)
        if self.early and hasattr(
            os, "posix_fadvise"
        ):  # begins the writing; pages that are still being written are not dropped
            with contextlib.suppress(OSError):  # a hint; what fails is told by the sync
                os.posix_fadvise(self.fd, self.base + offset, done, os.POSIX_FADV_DONTNEED)
        if self.told is not None:
            self.told(done)

    @property
    def size(self) -> int:
        """Bytes from the position to the end of the file, or of its part."""
        here = max(0, os.fstat(self.fd).st_size - self.base)
        return here if self.length is None else min(here, self.length)


def place_of(stream: Any, *, writing: bool = False) -> Place | None:
    """Where a stream stands, if it is a regular file whose positions can be read or written at; else None.

    A stream around a file may tell it itself, by a ``place(writing)`` of its own.
    """
    try:
        if hasattr(stream, "place"):
            found: Place | None = stream.place(writing)
            return found
        if writing:
            stream.flush()
        fd, base = stream.fileno(), stream.tell()
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        if writing and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
            return None  # the system would write at the end, whatever the position
    except (AttributeError, OSError, ValueError):
        return None
    return Place(fd, base)


@dataclass(frozen=True)
class Content:
    """A content by position: its head, the files behind it, zeros up to ``plen``."""

    head: bytes
    files: Sequence[tuple[Place, int]]
    plen: int

    def fill(self, view: memoryview, offset: int) -> None:
        """Content bytes ``offset`` … into the view. Refuses: MANIFEST when a file is shorter than said."""
        done = _copy(view, self.head, offset) if offset < len(self.head) else 0
        start = len(self.head)
        for place, size in self.files:
            if done < len(view) and start <= offset + done < start + size:
                want = view[done : done + min(len(view) - done, start + size - offset - done)]
                if place.read_into(want, offset + done - start) != len(want):
                    raise CryptoError("MANIFEST", "a file is shorter than it was said to be")
                done += len(want)
            start += size
        if done < len(view):
            view[done:] = bytes(len(view) - done)


def _copy(view: memoryview, data: bytes, offset: int) -> int:
    part = data[offset : offset + len(view)]
    view[: len(part)] = part
    return len(part)


def seal_chunks(content: Content, key: bytes, nonce: Nonce, count: int, out: Place) -> Iterator[bytes]:
    """Seal every chunk to its place behind ``out``; gives the digests of the sealed chunks in order."""
    aes, local = AESGCM(key), threading.local()

    def work(i: int) -> bytes:
        if not hasattr(local, "plain"):
            local.plain, local.sealed = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK + TAG))
        size = min(CHUNK, content.plen - i * CHUNK)
        plain, sealed = local.plain[:size], local.sealed[: size + TAG]
        content.fill(plain, i * CHUNK)
        aes.encrypt_into(nonce(i, i == count - 1), plain, None, sealed)
        out.write(sealed, i * (CHUNK + TAG))
        return hashlib.sha256(sealed).digest()

    yield from in_order(work, count, _DIGESTS)


def hash_chunks(source: Place, plen: int, count: int) -> Iterator[bytes]:
    """The digests of the sealed chunks behind ``source``, in order. Refuses: SIZE when the file ends early."""
    local = threading.local()

    def work(i: int) -> bytes:
        if not hasattr(local, "sealed"):
            local.sealed = memoryview(bytearray(CHUNK + TAG))
        sealed = local.sealed[: min(CHUNK, plen - i * CHUNK) + TAG]
        if source.read_into(sealed, i * (CHUNK + TAG)) != len(sealed):
            raise CryptoError("SIZE", "the file ends early")
        return hashlib.sha256(sealed).digest()

    yield from in_order(work, count, _DIGESTS)


@dataclass(frozen=True)
class Output:
    """Where content bytes ``start`` … ``end`` go: to a place, its first byte being byte ``start``."""

    start: int
    end: int
    place: Place

    def write(self, view: memoryview, offset: int) -> None:
        """Of content bytes ``offset`` … those that go here."""
        part = view[max(0, self.start - offset) : max(0, self.end - offset)]
        if part:
            self.place.write(part, max(0, offset - self.start))


def open_chunks(
    source: Place, key: bytes | None, nonce: Nonce, plen: int, count: int, output: Callable[[], Output | None]
) -> Iterator[tuple[bytes, memoryview | None, Output | None]]:
    """(digest of the sealed chunk, its plain bytes, the output that has got its share of them) in order; no bytes for a chunk that does
    not authenticate, or without a key.

    ``output``: where bytes go by what is known so far; asked on any thread. One that is given no more gets no more once the last chunk
    with bytes of it has been handed on. The view is valid until the next one is asked for. Refuses: SIZE when the file ends early.
    """
    aes, local = AESGCM(key) if key is not None else None, threading.local()
    buffers = [memoryview(bytearray(CHUNK)) for _ in range(min(_BUFFERS, count))]

    def work(i: int) -> tuple[bytes, memoryview | None, Output | None]:
        if not hasattr(local, "sealed"):
            local.sealed = memoryview(bytearray(CHUNK + TAG))
        size = min(CHUNK, plen - i * CHUNK)
        sealed, plain = local.sealed[: size + TAG], buffers[i % len(buffers)][:size]
        if source.read_into(sealed, i * (CHUNK + TAG)) != len(sealed):
            raise CryptoError("SIZE", "the file ends early")
        digest = hashlib.sha256(sealed).digest()
        if aes is None:
            return digest, None, None
        try:
            aes.decrypt_into(nonce(i, i == count - 1), sealed, None, plain)
        except InvalidTag:
            return digest, None, None
        found = output()
        if found is not None:
            found.write(plain, i * CHUNK)
        return digest, plain, found

    yield from in_order(work, count, len(buffers))

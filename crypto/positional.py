"""Chunk work on regular files: threads read, encrypt, hash and write at positions of their own, in buffers of their own.

The bytes are those of sealed_bid.py (protocol, section 3.2); this is only the quick way to them where source and target are regular files.
Nothing is allocated per chunk and no thread waits for another's turn at the file. A stream that is no regular file has no position
to read at: sealed_bid.py then goes its sequential way.
"""

import fcntl
import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import CryptoError
from crypto.headers import CHUNK, TAG

Nonce = Callable[[int, bool], bytes]
_THREADS = min(os.cpu_count() or 1, 4)
_READ_AHEAD = _THREADS + 2


@dataclass(frozen=True)
class Place:
    """A regular file open at a position: descriptor, and where its next byte is."""

    fd: int
    base: int

    def read_into(self, view: memoryview, offset: int) -> int:
        """Bytes read from ``base + offset`` on; fewer than asked only at the end of the file."""
        done = 0
        while done < len(view):
            got = os.preadv(self.fd, [view[done:]], self.base + offset + done)
            if not got:
                break
            done += got
        return done

    def write(self, view: memoryview, offset: int) -> None:
        done = 0
        while done < len(view):
            done += os.pwrite(self.fd, view[done:], self.base + offset + done)

    @property
    def size(self) -> int:
        """Bytes from the position to the end of the file."""
        return max(0, os.fstat(self.fd).st_size - self.base)


def place_of(stream: Any, *, writing: bool = False) -> Place | None:
    """Where a stream stands, if it is a regular file whose positions can be read or written at; else None."""
    try:
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
                want = view[done:done + min(len(view) - done, start + size - offset - done)]
                if place.read_into(want, offset + done - start) != len(want):
                    raise CryptoError("MANIFEST", "a file is shorter than it was said to be")
                done += len(want)
            start += size
        if done < len(view):
            view[done:] = bytes(len(view) - done)


def _copy(view: memoryview, data: bytes, offset: int) -> int:
    part = data[offset:offset + len(view)]
    view[:len(part)] = part
    return len(part)


def seal_chunks(content: Content, key: bytes, nonce: Nonce, count: int, out: Place) -> Iterator[bytes]:
    """Seal every chunk to its place behind ``out``; gives the digests of the sealed chunks in order."""
    aes, local = AESGCM(key), threading.local()

    def work(i: int) -> bytes:
        if not hasattr(local, "plain"):
            local.plain, local.sealed = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK + TAG))
        size = min(CHUNK, content.plen - i * CHUNK)
        plain, sealed = local.plain[:size], local.sealed[:size + TAG]
        content.fill(plain, i * CHUNK)
        aes.encrypt_into(nonce(i, i == count - 1), plain, None, sealed)
        out.write(sealed, i * (CHUNK + TAG))
        return hashlib.sha256(sealed).digest()

    yield from _in_order(work, count)


def hash_chunks(source: Place, plen: int, count: int) -> Iterator[bytes]:
    """The digests of the sealed chunks behind ``source``, in order. Refuses: SIZE when the file ends early."""
    local = threading.local()

    def work(i: int) -> bytes:
        if not hasattr(local, "sealed"):
            local.sealed = memoryview(bytearray(CHUNK + TAG))
        sealed = local.sealed[:min(CHUNK, plen - i * CHUNK) + TAG]
        if source.read_into(sealed, i * (CHUNK + TAG)) != len(sealed):
            raise CryptoError("SIZE", "the file ends early")
        return hashlib.sha256(sealed).digest()

    yield from _in_order(work, count)


def open_chunks(source: Place, key: bytes | None, nonce: Nonce, plen: int, count: int) -> Iterator[tuple[bytes, memoryview | None]]:
    """(digest of the sealed chunk, its plain bytes) in order; None for a chunk that does not authenticate, or without a key.

    The view is valid until the next one is asked for. Refuses: SIZE when the file ends early.
    """
    aes = AESGCM(key) if key is not None else None
    free: deque[tuple[memoryview, memoryview]] = deque(
        (memoryview(bytearray(CHUNK + TAG)), memoryview(bytearray(CHUNK))) for _ in range(min(_READ_AHEAD, count)))

    def work(i: int, buffers: tuple[memoryview, memoryview]) -> tuple[bytes, memoryview | None]:
        size = min(CHUNK, plen - i * CHUNK)
        sealed, plain = buffers[0][:size + TAG], buffers[1][:size]
        if source.read_into(sealed, i * (CHUNK + TAG)) != len(sealed):
            raise CryptoError("SIZE", "the file ends early")
        digest = hashlib.sha256(sealed).digest()
        if aes is None:
            return digest, None
        try:
            aes.decrypt_into(nonce(i, i == count - 1), sealed, None, plain)
        except InvalidTag:
            return digest, None
        return digest, plain

    with ThreadPoolExecutor(_THREADS) as pool:
        line: deque[tuple[Future[tuple[bytes, memoryview | None]], tuple[memoryview, memoryview]]] = deque()
        asked = 0
        while line or asked < count:
            while free and asked < count:
                buffers = free.popleft()
                line.append((pool.submit(work, asked, buffers), buffers))
                asked += 1
            future, buffers = line.popleft()
            yield future.result()
            free.append(buffers)


def _in_order(work: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    with ThreadPoolExecutor(_THREADS) as pool:
        line: deque[Future[bytes]] = deque()
        for i in range(count):
            line.append(pool.submit(work, i))
            if len(line) > 64:
                yield line.popleft().result()
        while line:
            yield line.popleft().result()

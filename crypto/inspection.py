"""A sealed file looked at without keys, whole or while its bytes arrive (the protocol §3.2): header, sealed root, digests of its pieces.

Also how pieces are read, in order.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from crypto import merkle, positional
from crypto.errors import CryptoError
from crypto.headers import CHUNK, MAX_HEADER, TAG, Header, chunk_count, parse_header
from crypto.workers import Workers

T = TypeVar("T")
R = TypeVar("R")
MAGIC = b"BIDSEAL1"
_IN_FLIGHT = 6


class Reader(Protocol):
    """What is read from: a binary file object."""

    def read(self, size: int = -1, /) -> bytes: ...


class Writer(Protocol):
    """What is written to: a binary file object, or anything with its `write`."""

    def write(self, data: memoryview, /) -> Any: ...


@dataclass(frozen=True)
class Inspection:
    """A well-formed sealed file: its header, size in bytes, sealed root and the digests of its pieces."""

    header: Header
    size: int
    sealed_root: bytes
    pieces: bytes = field(repr=False)
    """SHA-256 of each piece, 32 bytes each: first 12 + header, then every chunk with its tag."""


class Inspector:
    """Looks at a sealed file while its bytes arrive, in pieces of any size, and refuses as early as can be.

    `size`: the announced size, if known. `check`: called with the header as soon as it is there; may refuse.
    """

    def __init__(self, size: int | None = None, check: Callable[[Header], None] | None = None) -> None:
        self.header: Header | None = None
        self.received = 0
        self.pieces = bytearray()
        self._announced, self._check = size, check
        self._head = bytearray()
        self._tree = merkle.Frontier()
        self._hash = hashlib.sha256()
        self._left = 0  # bytes missing of the current chunk

    def resume(self, head: bytes, pieces: bytes) -> int:
        """Takes up an interrupted upload: the first 12 + h bytes and the digests of the pieces already complete.

        Returns the offset, always the end of a piece, from which bytes must be fed again.
        """
        self.feed(head)
        if self.header is None or len(head) != 12 + len(self.header.raw) or bytes(pieces[:32]) != bytes(self.pieces):
            raise CryptoError("FORMAT", "not the start of this file")
        done = len(pieces) // 32 - 1
        if len(pieces) % 32 or done > chunk_count(self.header.plen):
            raise CryptoError("SIZE", "digests of more pieces than the file has")
        for i in range(1, done + 1):
            self._add(bytes(pieces[32 * i : 32 * i + 32]))
        self.received = min(len(head) + done * (CHUNK + TAG), self.header.size)
        self._left = min(CHUNK + TAG, self.header.size - self.received)
        return self.received

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes. Refuses: FORMAT, SIZE, HEADER_CANONICAL, HEADER_SCHEMA, SUITE_UNKNOWN, or `check`'s."""
        view = memoryview(data).cast("B")
        if self.header is None:
            view = view[self._take_head(view) :]
        if self.header is None:
            return
        if self.received + len(view) > self.header.size:
            raise CryptoError("SIZE", "more bytes than the header says")
        self.received += len(view)
        while view:
            part = view[: self._left]
            self._hash.update(part)
            self._left -= len(part)
            view = view[len(part) :]
            if not self._left:
                self._add(self._hash.digest())
                self._hash = hashlib.sha256()
                self._left = min(CHUNK + TAG, self.header.size - self.received + len(view))

    def finish(self) -> Inspection:
        """All bytes are there. Refuses: FORMAT, SIZE."""
        if self.header is None:
            short = len(self._head) < 12
            raise CryptoError("FORMAT" if short else "SIZE", "the file ends before its header does")
        if self.received != self.header.size:
            raise CryptoError("SIZE", f"{self.received} bytes instead of {self.header.size}")
        return Inspection(self.header, self.received, self._tree.root(), bytes(self.pieces))

    def _take_head(self, view: memoryview) -> int:
        """Collects the first 12 + h bytes; returns how many of `view` belong to them."""
        head, before = self._head, len(self._head)
        head += view[: max(0, 12 - before)]
        if not MAGIC.startswith(head[:8]):
            raise CryptoError("FORMAT", "not a sealed bid")
        if len(head) >= 12:
            length = int.from_bytes(head[8:12], "big")
            if length > MAX_HEADER:
                raise CryptoError("FORMAT", "a header of more than 65536 bytes")
            taken = len(head) - before
            head += view[taken : taken + 12 + length - len(head)]
            if len(head) == 12 + length:
                self._header_is_there()
        taken = len(head) - before
        return taken

    def _header_is_there(self) -> None:
        header = parse_header(bytes(self._head[12:]))
        if self._announced is not None and self._announced != header.size:
            raise CryptoError("SIZE", f"{self._announced} bytes announced instead of {header.size}")
        if self._check is not None:
            self._check(header)
        self.header = header
        self.received = len(self._head)
        self._add(hashlib.sha256(self._head).digest())
        self._left = min(CHUNK + TAG, header.size - self.received)

    def _add(self, digest: bytes) -> None:
        self.pieces += digest
        self._tree.append(digest)


def inspect(source: Reader, check: Callable[[Header], None] | None = None) -> Inspection:
    """Inspects a whole file. Refuses: what `Inspector` refuses."""
    inspector = Inspector(check=check)
    head = _read_head(source)
    inspector.feed(head)
    if inspector.header is None:
        return inspector.finish()
    tree, pieces = merkle.Frontier(), bytearray(inspector.pieces)
    tree.append(bytes(pieces))
    if (place := chunks_at(source, inspector.header)) is not None:
        for digest in positional.hash_chunks(place, inspector.header.plen, chunk_count(inspector.header.plen)):
            pieces += digest
            tree.append(digest)
        return Inspection(inspector.header, inspector.header.size, tree.root(), bytes(pieces))
    with Workers(chunk_count(inspector.header.plen)) as workers:
        for _, digest in workers.run(
            lambda _, data: hashlib.sha256(data).digest(), pieces_of(source, inspector.header)
        ):
            pieces += digest
            tree.append(digest)
    return Inspection(inspector.header, inspector.header.size, tree.root(), bytes(pieces))


def root_of_pieces(pieces: bytes) -> bytes:
    """The sealed root of a file whose piece digests these are."""
    return merkle.root(pieces[i : i + 32] for i in range(0, len(pieces), 32))


def read_header(source: Reader) -> Header:
    """The header of a file, which is then read up to its first chunk. Refuses: as `Inspector`."""
    inspector = Inspector()
    inspector.feed(_read_head(source))
    if inspector.header is None:
        inspector.finish()
    assert inspector.header is not None
    return inspector.header


def _read_head(source: Reader) -> bytes:
    head = read_exactly(source, 12)
    if len(head) == 12 and head.startswith(MAGIC):
        head += read_exactly(source, min(int.from_bytes(head[8:], "big"), MAX_HEADER))
    return head


def read_exactly(source: Reader, size: int) -> bytes:
    """Exactly `size` bytes, fewer only at the end of the file."""
    data = source.read(size)
    if len(data) in (0, size):
        return data
    parts = [data]
    left = size - len(data)
    while left:
        data = source.read(left)
        if not data:
            break
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def pieces_of(source: Reader, header: Header) -> Iterator[bytes]:
    """The chunks of a file read up to its header. Refuses: SIZE for a byte too few or too many."""
    left = header.plen + TAG * chunk_count(header.plen)
    while left:
        size = min(CHUNK + TAG, left)
        data = read_exactly(source, size)
        if len(data) != size:
            raise CryptoError("SIZE", "the file ends early")
        left -= size
        yield data
    if source.read(1):
        raise CryptoError("SIZE", "more bytes than the header says")


def chunks_at(source: Reader, header: Header) -> positional.Place | None:
    """Where the chunks of a regular file begin, once its header is read; None for other streams and for small files.

    Refuses: SIZE for a byte too few or too many.
    """
    if chunk_count(header.plen) < 4 or (place := positional.place_of(source)) is None:
        return None
    wanted = header.plen + TAG * chunk_count(header.plen)
    if place.size != wanted:
        raise CryptoError("SIZE", "the file ends early" if place.size < wanted else "more bytes than the header says")
    return place

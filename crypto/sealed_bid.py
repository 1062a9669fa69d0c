"""The sealed bid as a file: inspect it without keys, seal it, open it, all of it streaming.

Implements the protocol, sections 3, 3.2 and 3.3. Memory stays flat whatever the size: a few chunks are in flight, and
threads hash and encrypt them, since both release the interpreter's lock. Works on file objects; opens none itself.
The seed is drawn here, fresh for each call, and cannot be handed in: a second content under one seed would repeat
nonces under one key.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import merkle, positional
from crypto.canonical import H, b64u, dumps, loads
from crypto.errors import CryptoError
from crypto.headers import (
    CHUNK,
    MAX_HEADER,
    MAX_PLEN,
    TAG,
    Header,
    chunk_count,
    content_key,
    file_salt,
    make_header,
    padded,
    parse_header,
    rederive,
)
from crypto.policies import make_ctx

T = TypeVar("T")
R = TypeVar("R")
MAGIC = b"BIDSEAL1"
MAX_MANIFEST = 2**20
MAX_FILES = 1000
_IN_FLIGHT = 6
_ZEROS = bytes(CHUNK)


class Reader(Protocol):
    """What is read from: a binary file object."""

    def read(self, size: int = -1, /) -> bytes: ...


class Writer(Protocol):
    """What is written to: a binary file object, or anything with its `write`."""

    def write(self, data: memoryview, /) -> Any: ...


# inspecting: all that can be known without keys

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
            self._add(bytes(pieces[32 * i:32 * i + 32]))
        self.received = min(len(head) + done * (CHUNK + TAG), self.header.size)
        self._left = min(CHUNK + TAG, self.header.size - self.received)
        return self.received

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes. Refuses: FORMAT, SIZE, HEADER_CANONICAL, HEADER_SCHEMA, SUITE_UNKNOWN, or `check`'s."""
        view = memoryview(data).cast("B")
        if self.header is None:
            view = view[self._take_head(view):]
        if self.header is None:
            return
        if self.received + len(view) > self.header.size:
            raise CryptoError("SIZE", "more bytes than the header says")
        self.received += len(view)
        while view:
            part = view[:self._left]
            self._hash.update(part)
            self._left -= len(part)
            view = view[len(part):]
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
        head += view[:max(0, 12 - before)]
        if not MAGIC.startswith(head[:8]):
            raise CryptoError("FORMAT", "not a sealed bid")
        if len(head) >= 12:
            length = int.from_bytes(head[8:12], "big")
            if length > MAX_HEADER:
                raise CryptoError("FORMAT", "a header of more than 65536 bytes")
            taken = len(head) - before
            head += view[taken:taken + 12 + length - len(head)]
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
    if (place := _chunks_at(source, inspector.header)) is not None:
        for digest in positional.hash_chunks(place, inspector.header.plen, chunk_count(inspector.header.plen)):
            pieces += digest
            tree.append(digest)
        return Inspection(inspector.header, inspector.header.size, tree.root(), bytes(pieces))
    with _Workers(chunk_count(inspector.header.plen)) as workers:
        for _, digest in workers.run(lambda _, data: hashlib.sha256(data).digest(),
                                     _pieces(source, inspector.header)):
            pieces += digest
            tree.append(digest)
    return Inspection(inspector.header, inspector.header.size, tree.root(), bytes(pieces))


def root_of_pieces(pieces: bytes) -> bytes:
    """The sealed root of a file whose piece digests these are."""
    return merkle.root(pieces[i:i + 32] for i in range(0, len(pieces), 32))


def read_header(source: Reader) -> Header:
    """The header of a file, which is then read up to its first chunk. Refuses: as `Inspector`."""
    inspector = Inspector()
    inspector.feed(_read_head(source))
    if inspector.header is None:
        inspector.finish()
    assert inspector.header is not None
    return inspector.header


def _read_head(source: Reader) -> bytes:
    head = _read(source, 12)
    if len(head) == 12 and head.startswith(MAGIC):
        head += _read(source, min(int.from_bytes(head[8:], "big"), MAX_HEADER))
    return head


def _read(source: Reader, size: int) -> bytes:
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


def _pieces(source: Reader, header: Header) -> Iterator[bytes]:
    """The chunks of a file read up to its header. Refuses: SIZE for a byte too few or too many."""
    left = header.plen + TAG * chunk_count(header.plen)
    while left:
        size = min(CHUNK + TAG, left)
        data = _read(source, size)
        if len(data) != size:
            raise CryptoError("SIZE", "the file ends early")
        left -= size
        yield data
    if source.read(1):
        raise CryptoError("SIZE", "more bytes than the header says")


# work on chunks, in order, on the machine's other cores

def _chunks_at(source: Reader, header: Header) -> positional.Place | None:
    """Where the chunks of a regular file begin, once its header is read; None for other streams and for small files.

    Refuses: SIZE for a byte too few or too many.
    """
    if chunk_count(header.plen) < 4 or (place := positional.place_of(source)) is None:
        return None
    wanted = header.plen + TAG * chunk_count(header.plen)
    if place.size != wanted:
        raise CryptoError("SIZE", "the file ends early" if place.size < wanted else "more bytes than the header says")
    return place


class _Workers:
    """Runs a function over numbered pieces on threads, a few in flight, results in order; inline for small files."""

    def __init__(self, count: int) -> None:
        cores = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(min(cores, 4)) if count > 2 and cores > 1 else None

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[[int, T], R], pieces: Iterator[T]) -> Iterator[tuple[T, R]]:
        if self._pool is None:
            for i, piece in enumerate(pieces):
                yield piece, work(i, piece)
            return
        queue: deque[tuple[T, Future[R]]] = deque()
        for i, piece in enumerate(pieces):
            queue.append((piece, self._pool.submit(work, i, piece)))
            if len(queue) >= _IN_FLIGHT:
                done, future = queue.popleft()
                yield done, future.result()
        while queue:
            done, future = queue.popleft()
            yield done, future.result()


def nonce(i: int, last: bool) -> bytes:
    """The nonce of chunk i: eleven bytes of counter and the flag of the last chunk."""
    return i.to_bytes(11, "big") + bytes((last,))


# manifest

def check_manifest(manifest: Any) -> None:
    """The rules of a manifest. Refuses: MANIFEST."""
    if (type(manifest) is not dict or manifest.keys() != {"v", "announce", "files"} or type(manifest["v"]) is not int
            or manifest["v"] != 1):
        raise CryptoError("MANIFEST", "a manifest is exactly v, announce, files")
    announce, files = manifest["announce"], manifest["files"]
    if type(announce) is not dict or any(type(value) is not str for value in announce.values()):
        raise CryptoError("MANIFEST", "announce is a flat object of texts")
    if type(files) is not list or len(files) > MAX_FILES:
        raise CryptoError("MANIFEST", "files is a list of at most 1000")
    names = set()
    for item in files:
        if type(item) is not dict or item.keys() != {"name", "size", "type"}:
            raise CryptoError("MANIFEST", "a file is exactly name, size, type")
        name = item["name"]
        if type(item["size"]) is not int or item["size"] < 0 or type(item["type"]) is not str:
            raise CryptoError("MANIFEST", "a size below zero, or a type that is no text")
        if (type(name) is not str or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 255
                or name in (".", "..") or any(c in "/\\\x7f" or c < " " for c in name)):
            raise CryptoError("MANIFEST", "not a file name")
        names.add(name)
    if len(names) != len(files):
        raise CryptoError("MANIFEST", "a file name twice")


# sealing

@dataclass(frozen=True)
class FileIn:
    """A file to be sealed: its name, size in bytes, media type ("" if unknown) and the stream to read it from."""

    name: str
    size: int
    stream: Reader = field(repr=False)
    type: str = ""


@dataclass(frozen=True)
class Sealed:
    """What a seal call has made. `seed` alone opens the bid: it belongs in the bidder's keeper file, nowhere else."""

    header: Header
    size: int
    sealed_root: bytes
    pieces: bytes = field(repr=False)
    seed: bytes = field(repr=False)


def seal(policy: Mapping[str, Any], *, bidder: str, announce: Mapping[str, str], files: Sequence[FileIn], out: Writer,
         bidder_key: bytes = b"", drill: bool = False) -> Sealed:
    """Seals announcement and files under a policy, writing the sealed file to `out`, under a fresh seed.

    `bidder_key`: the bidder's X25519 public key, for co-opening only. `drill`: makes the drill bid every officer must
    open before publication; no bidder may bear that name.
    Refuses: CONTEXT_MISMATCH (name, key), MANIFEST (names, a stream that is longer or shorter than said), TOO_LARGE.
    """
    return _seal(os.urandom(32), policy, "drill" if drill else bidder, announce, files, out, bidder_key, drill)


def _seal(seed: bytes, policy: Mapping[str, Any], bidder: str, announce: Mapping[str, str], files: Sequence[FileIn],
          out: Writer, bidder_key: bytes, drill: bool = False) -> Sealed:
    head = content_head(announce, files)
    length = len(head) + sum(file.size for file in files)
    if length > MAX_PLEN or padded(length) > min(MAX_PLEN, policy["max_plen"]):
        raise CryptoError("TOO_LARGE", "more than the tender allows")
    ctx = make_ctx(policy, bidder=bidder, bidder_key=bidder_key, plen=padded(length), drill=drill)
    return _seal_content(seed, ctx, _Content(head, files, padded(length)).chunks(), out, _by_position(head, files, padded(length), out))


def _by_position(head: bytes, files: Sequence[FileIn], plen: int, out: Writer) -> positional.Content | None:
    """The content by position where every file and the target are regular files; None for other streams and small contents.

    Refuses: MANIFEST for a file that is longer or shorter than said.
    """
    if chunk_count(plen) < 4 or positional.place_of(out, writing=True) is None:
        return None
    places = []
    for file in files:
        place = positional.place_of(file.stream)
        if place is None:
            return None
        if place.size != file.size:
            raise CryptoError("MANIFEST", f"a file is {'shorter' if place.size < file.size else 'longer'} than it was said to be")
        places.append((place, file.size))
    return positional.Content(head, places, plen)


def content_head(announce: Mapping[str, str], files: Sequence[FileIn]) -> bytes:
    """The first bytes of a content: length of the manifest, and the manifest. Refuses: MANIFEST."""
    manifest = {"v": 1, "announce": dict(announce),
                "files": [{"name": file.name, "size": file.size, "type": file.type} for file in files]}
    check_manifest(manifest)
    if any("\x80" <= c <= "\x9f" for file in files for c in file.name):
        raise CryptoError("MANIFEST", "a control character in a file name")
    try:
        body = dumps(manifest)
    except CryptoError as error:
        raise CryptoError("MANIFEST", error.detail) from error
    if len(body) > MAX_MANIFEST:
        raise CryptoError("MANIFEST", "a manifest of more than 1 MiB")
    return len(body).to_bytes(4, "big") + body


class _Content:
    """The content as chunks: head, file bytes, zeros."""

    def __init__(self, head: bytes, files: Sequence[FileIn], plen: int) -> None:
        self._head, self._files, self._plen = head, files, plen

    def chunks(self) -> Iterator[bytes]:
        pending, size = [], 0
        for part in self._parts():
            view = memoryview(part)
            while view:
                if not size and len(view) == CHUNK:
                    yield part  # the usual case: nothing to copy
                    break
                piece = view[:CHUNK - size]
                pending.append(piece)
                size += len(piece)
                view = view[len(piece):]
                if size == CHUNK:
                    yield b"".join(pending)
                    pending, size = [], 0
        if size:
            yield b"".join(pending)

    def _parts(self) -> Iterator[bytes]:
        yield self._head
        done = len(self._head)
        for file in self._files:
            left = file.size
            while left:
                data = _read(file.stream, min(left, CHUNK - done % CHUNK))
                if not data:
                    raise CryptoError("MANIFEST", "a file is shorter than it was said to be")
                left -= len(data)
                done += len(data)
                yield data
            if file.stream.read(1):
                raise CryptoError("MANIFEST", "a file is longer than it was said to be")
        while done < self._plen:
            data = _ZEROS[:min(CHUNK - done % CHUNK, self._plen - done)]
            done += len(data)
            yield data


def _seal_content(seed: bytes, ctx: dict[str, Any], chunks: Iterator[bytes], out: Writer,
                  content: positional.Content | None = None) -> Sealed:
    try:
        header = parse_header(make_header(seed, ctx))
    except ValueError as error:
        raise CryptoError("CONTEXT_MISMATCH", "a key of the policy is of small order") from error
    aes, last = AESGCM(content_key(seed, header)), chunk_count(header.plen) - 1
    head = MAGIC + len(header.raw).to_bytes(4, "big") + header.raw
    pieces, tree = bytearray(hashlib.sha256(head).digest()), merkle.Frontier()
    tree.append(bytes(pieces))

    def work(i: int, plain: bytes) -> tuple[bytes, bytes]:
        sealed = aes.encrypt(nonce(i, i == last), plain, None)
        return sealed, hashlib.sha256(sealed).digest()

    out.write(memoryview(head))
    if content is not None and (place := positional.place_of(out, writing=True)) is not None:
        for digest in positional.seal_chunks(content, content_key(seed, header), nonce, last + 1, place):
            pieces += digest
            tree.append(digest)
        out.seek(place.base + header.size - len(head))  # type: ignore[attr-defined]
        return Sealed(header, header.size, tree.root(), bytes(pieces), seed)
    with _Workers(last + 1) as workers:
        for _, (sealed, digest) in workers.run(work, chunks):
            out.write(memoryview(sealed))
            pieces += digest
            tree.append(digest)
    return Sealed(header, header.size, tree.root(), bytes(pieces), seed)


# opening

@dataclass(frozen=True)
class Opened:
    """An opened bid: what is announced, its files (name, size, type) and their digests for the opening list."""

    header: Header
    sealed_root: bytes
    manifest: dict[str, Any]
    digests: tuple[str, ...]

    @property
    def announce(self) -> dict[str, str]:
        return dict(self.manifest["announce"])


Sink = Callable[[dict[str, Any]], "Writer | None"]


def open(source: Reader, seed: bytes, sink: Sink | None = None, sealed_root: bytes | None = None) -> Opened:
    """Opens a sealed file with its seed, in one pass: re-derivation, root, decryption, manifest, padding.

    `sink`: called with each manifest item in order; gives what the file's bytes are written to, or None. Bytes reach
    it before the end of the file is proved: on a refusal throw away what was written.
    `sealed_root`: the root the bidder signed. If the bytes have another, that is the refusal, whatever else is wrong.
    Refuses: SEALED_ROOT; FORMAT, SIZE, HEADER_*, SUITE_UNKNOWN; REDERIVE; CHUNK_AUTH; MANIFEST; PADDING.
    """
    try:
        header = read_header(source)
    except CryptoError as error:
        if sealed_root is not None:  # no well-formed file was accepted with this root, so these are other bytes
            raise CryptoError("SEALED_ROOT", f"not the bytes that were signed: {error}") from error
        raise
    fault: CryptoError | None = None
    try:
        rederive(header, seed)
    except CryptoError as error:
        fault = error
    parser = _Parser(header, seed, sink)
    try:
        root, broken = _decrypt(source, header, seed, parser, fault is None)
    except CryptoError as error:
        if error.code == "SIZE" and sealed_root is not None:
            raise CryptoError("SEALED_ROOT", f"not the bytes that were signed: {error}") from error
        raise
    if sealed_root is not None and root != sealed_root:
        raise CryptoError("SEALED_ROOT", "not the bytes that were signed")
    fault = fault or broken or parser.fault
    if fault is not None:
        raise fault
    return Opened(header, root, parser.manifest, tuple(parser.digests))


def _decrypt(source: Reader, header: Header, seed: bytes, parser: "_Parser",
             wanted: bool) -> tuple[bytes, CryptoError | None]:
    """(root, first chunk that does not authenticate). Hashes every piece; feeds the parser as long as all is well."""
    aes, last = AESGCM(content_key(seed, header)), chunk_count(header.plen) - 1
    tree = merkle.Frontier()
    tree.append(hashlib.sha256(MAGIC + len(header.raw).to_bytes(4, "big") + header.raw).digest())

    def work(i: int, sealed: bytes) -> tuple[bytes, bytes | None]:
        try:
            plain = aes.decrypt(nonce(i, i == last), sealed, None) if wanted else None
        except InvalidTag:
            plain = None
        return hashlib.sha256(sealed).digest(), plain

    broken = None
    if (place := _chunks_at(source, header)) is not None:
        key = content_key(seed, header) if wanted else None
        for i, (digest, view) in enumerate(positional.open_chunks(place, key, nonce, header.plen, last + 1)):
            tree.append(digest)
            if view is None and wanted and broken is None:
                broken = CryptoError("CHUNK_AUTH", f"chunk {i} does not authenticate")
            if view is not None and broken is None:
                parser.feed(view)
        return tree.root(), broken
    with _Workers(last + 1) as workers:
        for i, (_, (digest, plain)) in enumerate(workers.run(work, _pieces(source, header))):
            tree.append(digest)
            if plain is None and wanted and broken is None:
                broken = CryptoError("CHUNK_AUTH", f"chunk {i} does not authenticate")
            if plain is not None and broken is None:
                parser.feed(memoryview(plain))
    return tree.root(), broken


class _Parser:
    """Reads a content as it is decrypted: manifest, files to their sinks, zeros. Keeps the first fault."""

    def __init__(self, header: Header, seed: bytes, sink: Sink | None) -> None:
        self.manifest: dict[str, Any] = {}
        self.digests: list[str] = []
        self.fault: CryptoError | None = None
        self._plen, self._salt, self._sink = header.plen, file_salt(seed, header), sink
        self._head: bytearray | None = bytearray()
        self._files: deque[dict[str, Any]] = deque()
        self._hash = hashlib.sha256()
        self._out: Writer | None = None
        self._left = 0

    def feed(self, view: memoryview) -> None:
        """Takes the next bytes of the content."""
        if self._head is not None and self.fault is None:
            view = self._feed_head(view)
        while view and self._files and self.fault is None:
            part = view[:self._left]
            self._hash.update(part)
            if self._out is not None:
                self._out.write(part)
            self._left -= len(part)
            view = view[len(part):]
            if not self._left:
                self._end_file()
        if view and self._head is None and self.fault is None and view != _ZEROS[:len(view)]:
            self.fault = CryptoError("PADDING", "a byte after the files is not zero")

    def _feed_head(self, view: memoryview) -> memoryview:
        head = self._head
        assert head is not None
        for wanted in (4, None):
            if wanted is None:
                length = int.from_bytes(head[:4], "big")
                if length > MAX_MANIFEST or 4 + length > self._plen:
                    self.fault = CryptoError("MANIFEST", "a manifest longer than it may be")
                    return view
                wanted = 4 + length
            part = view[:max(0, wanted - len(head))]
            head += part
            view = view[len(part):]
            if len(head) < wanted:
                return view
        self._head = None
        try:
            self._take_manifest(bytes(head[4:]))
        except CryptoError as error:
            self.fault = error if error.code == "PADDING" else CryptoError("MANIFEST", error.detail)
        return view

    def _take_manifest(self, body: bytes) -> None:
        manifest = loads(body)
        check_manifest(manifest)
        length = 4 + len(body) + sum(item["size"] for item in manifest["files"])
        if length > self._plen:
            raise CryptoError("MANIFEST", "files larger than the content")
        if padded(length) != self._plen:
            raise CryptoError("PADDING", "padded to another length than the rule's")
        self.manifest = manifest
        self._files.extend(manifest["files"])
        self._start_file()

    def _start_file(self) -> None:
        while self._files:
            self._hash, self._left = hashlib.sha256(), self._files[0]["size"]
            self._out = self._sink(self._files[0]) if self._sink is not None else None
            if self._left:
                return
            self._finish_file()

    def _end_file(self) -> None:
        self._finish_file()
        self._start_file()

    def _finish_file(self) -> None:
        item = self._files.popleft()
        self.digests.append(b64u(H("file", self._salt, dumps(item), self._hash.digest())))
        self._out = None


"""What is sealed: a manifest, the files' bytes, zeros up to the padded length (the protocol §3). Written as chunks, read back as chunks."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto import positional
from crypto.canonical import H, b64u, dumps, loads
from crypto.errors import CryptoError
from crypto.headers import CHUNK, Header, file_salt, padded
from crypto.inspection import Reader, Writer, read_exactly

MAX_MANIFEST = 2**20
MAX_FILES = 1000
_ZEROS = bytes(CHUNK)
_LARGE = 2 * CHUNK

Sink = Callable[[dict[str, Any]], Writer | None]
"""Called with each manifest item in order; gives what the file's bytes are written to, or None."""


def check_manifest(manifest: Any) -> None:
    """The rules of a manifest. Refuses: MANIFEST."""
    if (
        type(manifest) is not dict
        or manifest.keys() != {"v", "announce", "files"}
        or type(manifest["v"]) is not int
        or manifest["v"] != 1
    ):
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
        if (
            type(name) is not str
            or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 255
            or name in (".", "..")
            or any(c in "/\\\x7f" or c < " " for c in name)
        ):
            raise CryptoError("MANIFEST", "not a file name")
        names.add(name)
    if len(names) != len(files):
        raise CryptoError("MANIFEST", "a file name twice")


@dataclass(frozen=True)
class FileIn:
    """A file to be sealed: its name, size in bytes, media type ("" if unknown) and the stream to read it from."""

    name: str
    size: int
    stream: Reader = field(repr=False)
    type: str = ""


def content_head(announce: Mapping[str, str], files: Sequence[FileIn]) -> bytes:
    """The first bytes of a content: length of the manifest, and the manifest. Refuses: MANIFEST."""
    manifest = {
        "v": 1,
        "announce": dict(announce),
        "files": [{"name": file.name, "size": file.size, "type": file.type} for file in files],
    }
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


class Content:
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
                piece = view[: CHUNK - size]
                pending.append(piece)
                size += len(piece)
                view = view[len(piece) :]
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
                data = read_exactly(file.stream, min(left, CHUNK - done % CHUNK))
                if not data:
                    raise CryptoError("MANIFEST", "a file is shorter than it was said to be")
                left -= len(data)
                done += len(data)
                yield data
            if file.stream.read(1):
                raise CryptoError("MANIFEST", "a file is longer than it was said to be")
        while done < self._plen:
            data = _ZEROS[: min(CHUNK - done % CHUNK, self._plen - done)]
            done += len(data)
            yield data


class ContentParser:
    """Reads a content as it is decrypted: manifest, files to their sinks, zeros. Keeps the first fault.

    ``by_position``: a large regular file is written at its positions, by threads that ask for its `output`; to its end, before the next
    one's sink is asked for.
    """

    def __init__(self, header: Header, seed: bytes, sink: Sink | None, *, by_position: bool = False) -> None:
        self.manifest: dict[str, Any] = {}
        self.digests: list[str] = []
        self.hashes: list[bytes] = []
        self.fault: CryptoError | None = None
        self._plen, self._salt, self._sink = header.plen, file_salt(seed, header), sink
        self._head: bytearray | None = bytearray()
        self._files: deque[dict[str, Any]] = deque()
        self._hash = hashlib.sha256()
        self._out: Writer | None = None
        self._by_position = by_position
        self.output: positional.Output | None = None
        self._at = self._left = 0

    def feed(self, view: memoryview, written: positional.Output | None = None) -> None:
        """Takes the next bytes of the content. ``written``: an output of before that has got its share of them already."""
        if self._head is not None and self.fault is None:
            view = self._feed_head(view)
        while view and self._files and self.fault is None:
            part = view[: self._left]
            if self.output is None:
                if self._out is not None:
                    self._out.write(part)
            elif self.output is not written:
                self.output.write(part, self.output.end - self._left)
            self._hash.update(part)
            self._left -= len(part)
            view = view[len(part) :]
            if not self._left:
                self._end_file()
        if view and self._head is None and self.fault is None and not _all_zero(view):
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
            part = view[: max(0, wanted - len(head))]
            head += part
            view = view[len(part) :]
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
        self._at = 4 + len(body)
        self._files.extend(manifest["files"])
        self._start_file()

    def _start_file(self) -> None:
        while self._files:
            self._hash, self._left = hashlib.sha256(), self._files[0]["size"]
            self._out = self._sink(self._files[0]) if self._sink is not None else None
            place = positional.place_of(self._out, writing=True) if self._by_position and self._left >= _LARGE else None
            self.output = positional.Output(self._at, self._at + self._left, place) if place is not None else None
            if self._left:
                return
            self._finish_file()

    def _end_file(self) -> None:
        self._finish_file()
        self._start_file()

    def _finish_file(self) -> None:
        item = self._files.popleft()
        if self.output is not None:
            self._out.seek(self.output.place.base + item["size"])  # type: ignore[union-attr]
        self._at += item["size"]
        self.hashes.append(self._hash.digest())
        self.digests.append(b64u(H("file", self._salt, dumps(item), self.hashes[-1])))
        self._out = self.output = None


def _all_zero(view: memoryview) -> bool:
    """Compared as bytes: a memoryview is compared item by item, and holds the interpreter's lock meanwhile."""
    return bytes(view) == (_ZEROS if len(view) == CHUNK else _ZEROS[: len(view)])

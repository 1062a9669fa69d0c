"""The ZIP as it lies there, damaged or hostile: read without being unpacked, every byte accounted for (claim C1).

Files are found by walking the local headers, so a bundle cut off or scratched still shows what is left of it. Only stored files are
read: sizes are bounded by the size of the archive, and nothing can blow up. Nothing is ever written to a disk.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from crypto import positional
from crypto.canonical import b64u, loads
from crypto.documents import check_document
from trading.disclosure import zip_layout
from trading.disclosure.zip_layout import Member
from web.verifier.findings import Findings

INDEX, INDEX_SIGNATURE = "index.json", "index.dsse.json"
MAX_FILES, MAX_TEXT = 1_000_000, 256 << 20
_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*\Z")
_PIECE = 1 << 20
_LARGE = 1 << 18


class NotABundle(ValueError):
    """The file is no ZIP at all."""


@dataclass(frozen=True)
class Place:
    """Where a file's bytes lie in the archive."""

    path: str
    at: int
    size: int


class Archive:
    """An opened bundle. ``files``: path → place; ``digests``: path → SHA-256 of the bytes that are there."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source, self.size = source, size
        self.files: dict[str, Place] = {}
        self.order: list[str] = []
        self.digests: dict[str, bytes] = {}
        self.crcs: dict[str, int] = {}
        self.index: dict[str, Any] = {}

    def read(self, path: str, most: int = MAX_TEXT) -> bytes:
        """The bytes of a file. Raises KeyError where there is none, ValueError beyond ``most``."""
        place = self.files[path]
        if place.size > most:
            raise ValueError(f"{path} is larger than such a file may be")
        self._source.seek(place.at)
        return self._source.read(place.size)

    def stream(self, path: str) -> io.BufferedReader:
        """A file as a stream; threads may read at its place (crypto.positional)."""
        place = self.files[path]
        return _Stream(_Section(self._source, place.at, place.size), _PIECE)

    def below(self, folder: str) -> list[str]:
        """The paths below a folder, sorted."""
        return sorted(path for path in self.files if path.startswith(folder))

    def pieces(self, path: str) -> Iterator[bytes]:
        place = self.files[path]
        at, end = place.at, place.at + place.size
        while at < end:
            self._source.seek(at)
            data = self._source.read(min(_PIECE, end - at))
            if not data:
                return
            at += len(data)
            yield data


class _Stream(io.BufferedReader):
    raw: _Section

    def place(self, writing: bool) -> positional.Place | None:
        """Where its next byte lies in the archive, if that is a regular file."""
        return None if writing else self.raw.place(self.tell())


class _Section(io.RawIOBase):
    def __init__(self, source: BinaryIO, start: int, size: int) -> None:
        self._source, self._start, self._size, self._at = source, start, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._source.seek(self._start + self._at)
        data = self._source.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, at + (0, self._at, self._size)[whence])
        return self._at

    def place(self, at: int) -> positional.Place | None:
        try:
            fd = self._source.fileno()
        except OSError:
            return None
        return positional.Place(fd, self._start + at, max(0, self._size - at))


def open_archive(source: BinaryIO, findings: Findings) -> Archive:
    """Find and hash every file. Refuses: NotABundle for what is no ZIP."""
    size = source.seek(0, io.SEEK_END)
    archive = Archive(source, size)
    source.seek(0)
    start = source.read(4)
    source.seek(max(0, size - 70_000))
    end = source.read(70_000)
    if start not in (zip_layout.LOCAL, zip_layout.END) and zip_layout.END not in end:
        raise NotABundle("no ZIP archive")
    after = _walk(archive, findings)
    _hash_files(archive)
    _check_layout(archive, after, findings)
    return archive


def _hash_files(archive: Archive) -> None:
    """The digest and checksum of every file: large ones on threads of their own, the many small ones here meanwhile."""
    large = [path for path in archive.order if archive.files[path].size >= _LARGE]
    try:
        fd = archive._source.fileno()
    except OSError:
        fd, large = -1, []
    local = threading.local()

    def hash_at(path: str) -> tuple[bytes, int]:
        if not hasattr(local, "view"):
            local.view = memoryview(bytearray(_LARGE))
        place = archive.files[path]
        source, digest, crc, done = positional.Place(fd, place.at, place.size), hashlib.sha256(), 0, 0
        while got := source.read_into(local.view, done):
            digest.update(local.view[:got])
            crc = zlib.crc32(local.view[:got], crc)
            done += got
        return digest.digest(), crc

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        found = pool.map(hash_at, large)
        for path in set(archive.order).difference(large):
            data = b"".join(archive.pieces(path))
            archive.digests[path], archive.crcs[path] = hashlib.sha256(data).digest(), zlib.crc32(data)
        for path, (digest, crc) in zip(large, found, strict=True):
            archive.digests[path], archive.crcs[path] = digest, crc


def open_path(path: str | Path) -> BinaryIO:
    return Path(path).open("rb")


def _walk(archive: Archive, findings: Findings) -> int:
    """Take every local header in turn; returns where the walk ended."""
    source, at = archive._source, 0
    while at + 30 <= archive.size and len(archive.order) < MAX_FILES:
        source.seek(at)
        head = source.read(30)
        if head[:4] != zip_layout.LOCAL:
            skipped = (
                _next_header(archive, at + 1) if head[:4] != zip_layout.CENTRAL and head[:4] != zip_layout.END else None
            )
            if skipped is None:
                return at
            findings.fault("manifest", "B_INDEX", f"bytes that belong to no file at offset {at}")
            at = skipped
            continue
        _, flags, method, _, _, _, packed, size, name_length, extra_length = struct.unpack("<HHHHHIIIHH", head[4:])
        raw = source.read(name_length)
        extra = source.read(extra_length)
        start = at + 30 + name_length + extra_length
        if size == 0xFFFFFFFF and len(extra) == 20 and extra[:4] == b"\x01\x00\x10\x00":
            size, packed = struct.unpack("<QQ", extra[4:])
        name = raw.decode("ascii", "replace")
        if method or flags or packed != size:
            findings.fault("manifest", "B_INDEX", f"{name[:100]!r} is not stored plainly")
            following = _next_header(archive, start)
            if following is None:
                return _directory(archive, start)
            at = following
            continue
        if start + size > archive.size:
            findings.fault("manifest", "B_INDEX", f"{name[:100]!r} is cut off")
            size = max(0, archive.size - start)
        if not _PATH.match(name) or len(raw) > 1000 or ".." in name.split("/"):
            findings.fault("manifest", "B_INDEX", f"a path that none may bear: {name[:100]!r}")
        elif name in archive.files:
            findings.fault("manifest", "B_INDEX", f"{name} stands twice")
        else:
            archive.files[name] = Place(name, start, size)
            archive.order.append(name)
        at = start + size
    return at


def _next_header(archive: Archive, start: int) -> int | None:
    """The next local header after a scratch, or None."""
    return _find(archive, start, zip_layout.LOCAL)


def _directory(archive: Archive, start: int) -> int:
    found = _find(archive, start, zip_layout.CENTRAL)
    return archive.size if found is None else found


def _find(archive: Archive, start: int, mark: bytes) -> int | None:
    source, at, kept = archive._source, start, b""
    source.seek(start)
    while piece := source.read(_PIECE):
        found = (kept + piece).find(mark)
        if found >= 0:
            return at - len(kept) + found
        at += len(piece)
        kept = (kept + piece)[-3:]
    return None


def _check_layout(archive: Archive, after: int, findings: Findings) -> None:
    """The archive is, byte for byte, the one ZIP these files make: sorted, stored, nothing between, before or after them."""
    if archive.order != sorted(archive.order):
        findings.fault("manifest", "B_INDEX", "the files are not sorted by name")
    members = [Member(path, archive.files[path].size, archive.crcs[path]) for path in archive.order]
    at = 0
    for member in members:
        head = zip_layout.local(member)
        archive._source.seek(at)
        if archive.files[member.path].at != at + len(head) or archive._source.read(len(head)) != head:
            findings.fault("manifest", "B_INDEX", f"the ZIP's own record of {member.path} is damaged")
            break
        at += len(head) + member.size
    tail = zip_layout.tail(members)
    archive._source.seek(after)
    if archive.size - after != len(tail) or archive._source.read(len(tail)) != tail:
        findings.fault("manifest", "B_INDEX", "the ZIP's directory is damaged, or not the one of these files")


def check_index(archive: Archive, findings: Findings) -> None:
    """The index covers every file and no other, with the sizes and digests that are there."""
    listed: dict[str, Any] = {}
    with findings.guard("manifest", "B_INDEX", INDEX):
        index = loads(archive.read(INDEX))
        check_document("index", index)
        archive.index = index
        listed = {row["path"]: row for row in index["files"]}
        if len(listed) != len(index["files"]) or list(listed) != sorted(listed):
            findings.fault("manifest", "B_INDEX", "a path twice in the index, or out of order")
    if not archive.index:
        return
    here = set(archive.files) - {INDEX, INDEX_SIGNATURE}
    for path in sorted(set(listed) - here):
        findings.fault("manifest", "B_INDEX", f"{path} is missing")
    for path in sorted(here - set(listed)):
        findings.fault("manifest", "B_INDEX", f"{path} is not in the index")
    for path in sorted(here & set(listed)):
        if listed[path]["size"] != archive.files[path].size or listed[path]["sha256"] != b64u(archive.digests[path]):
            findings.fault("manifest", "B_INDEX", f"{path} is not the file of the index")
    findings.checked("manifest", f"{len(here)} files as the index says")

"""bundle.zip: stored, names sorted, an index signed by the platform (protocol §6; docs/formats/bundle.md).

The same files give the same bytes. What must not be put here: what belongs into a bundle and who may see it (dossier.py). Sealed files
stream from the store into the ZIP; nothing larger than a header is held in memory.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crypto.canonical import b64u, dumps
from crypto.documents import check_document, sign_document
from crypto.signatures import document_hash
from trading.disclosure import zip_layout
from trading.disclosure.zip_layout import Member
from trading.kernel.audit import envelope_text
from trading.kernel.blobs import LocalBlobs

PROFILES = ("public", "audit")
INDEX, INDEX_SIGNATURE = "index.json", "index.dsse.json"
"""The list of all files as canonical JSON, and the DSSE envelope over the very same bytes. Neither stands in the list."""


class Writer(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class File:
    """One file of a bundle: its path (ASCII), size, digest and CRC are known before its bytes are written."""

    path: str
    size: int
    sha256: bytes
    crc: int
    pieces: Callable[[], Iterable[bytes]]


def bytes_file(path: str, data: bytes) -> File:
    return File(path, len(data), hashlib.sha256(data).digest(), zlib.crc32(data), lambda: (data,))


def canonical_file(path: str, value: Any) -> File:
    """A value of the canonical profile. Refuses: JSON_PROFILE."""
    return bytes_file(path, dumps(value))


def json_file(path: str, value: Any) -> File:
    """A value that may hold nulls (a rulebook snapshot), keys sorted."""
    return bytes_file(path, json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def envelope_file(path: str, envelope: Any) -> File:
    """A signed document."""
    return bytes_file(path, envelope_text(envelope).encode())


def blob_file(path: str, blobs: LocalBlobs, name: str, *, sha256: bytes, crc: int, size: int) -> File:
    """A stored blob, streamed; digest, CRC and size as read before."""
    return File(path, size, sha256, crc, lambda: blobs.read(name))


def order(files: Iterable[File]) -> list[File]:
    """By path, as bytes. Raises ValueError for a path twice: that is a defect."""
    found = sorted(files, key=lambda file: file.path.encode())
    if len({file.path for file in found}) != len(found):
        raise ValueError("a path twice in a bundle")
    return found


def index_of(files: Sequence[File], *, profile: str, tender: str) -> dict[str, Any]:
    """The ``index`` document of ordered files."""
    document = {
        "v": 1,
        "profile": profile,
        "tender": tender,
        "files": [{"path": file.path, "sha256": b64u(file.sha256), "size": file.size} for file in files],
    }
    check_document("index", document)
    return document


def write(out: Writer, files: Iterable[File], *, profile: str, tender: str, signing: bytes) -> str:
    """Write the ZIP and return the hash of its index, for the log. ``signing``: the platform's Ed25519 secret."""
    index, pieces = prepared(files, profile=profile, tender=tender, signing=signing)
    for piece in pieces:
        out.write(piece)
    return index


def prepared(files: Iterable[File], *, profile: str, tender: str, signing: bytes) -> tuple[str, Iterator[bytes]]:
    """The hash of the index, and the ZIP piece by piece as it is asked for."""
    listed = order(files)
    index = index_of(listed, profile=profile, tender=tender)
    own = [canonical_file(INDEX, index), envelope_file(INDEX_SIGNATURE, sign_document("index", index, signing))]
    ordered = order([*own, *listed])
    return document_hash(index), _pieces(ordered)


def _pieces(ordered: Sequence[File]) -> Iterator[bytes]:
    members = [Member(file.path, file.size, file.crc) for file in ordered]
    for file, member in zip(ordered, members, strict=True):
        yield zip_layout.local(member)
        yield from _checked(file)
    yield zip_layout.tail(members)


def _checked(file: File) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in file.pieces():
        digest.update(piece)
        yield piece
    if digest.digest() != file.sha256:
        raise ValueError(f"{file.path} changed while the bundle was written")

"""bundle.zip: stored, names sorted, an index signed by the platform, the same bytes from the same files (protocol §6; docs/formats/bundle.md).

What must not be put here: what belongs into a bundle and who may see it (dossier.py). Sealed files stream from the store into the ZIP;
nothing larger than a header is held in memory.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from crypto.canonical import b64u, dumps
from crypto.documents import check_document, sign_document
from crypto.signatures import document_hash
from trading.kernel.audit import envelope_text
from trading.kernel.blobs import LocalBlobs

PROFILES = ("public", "audit")
INDEX, INDEX_SIGNATURE = "index.json", "index.dsse.json"
"""The list of all files as canonical JSON, and the DSSE envelope over the very same bytes. Neither stands in the list."""
_STAMP = (1980, 1, 1, 0, 0, 0)
_PIECE = 1 << 20


@dataclass(frozen=True)
class File:
    """One file of a bundle: its path, size and digest are known before its bytes are written."""

    path: str
    size: int
    sha256: bytes
    pieces: Callable[[], Iterable[bytes]]


def bytes_file(path: str, data: bytes) -> File:
    return File(path, len(data), hashlib.sha256(data).digest(), lambda: (data,))


def canonical_file(path: str, value: Any) -> File:
    """A value of the canonical profile. Refuses: JSON_PROFILE."""
    return bytes_file(path, dumps(value))


def json_file(path: str, value: Any) -> File:
    """A value that may hold nulls (a rulebook snapshot), keys sorted."""
    return bytes_file(path, json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def envelope_file(path: str, envelope: Any) -> File:
    """A signed document."""
    return bytes_file(path, envelope_text(envelope).encode())


def blob_file(path: str, blobs: LocalBlobs, name: str, size: int, sha256: bytes) -> File:
    """A stored blob, streamed; ``size`` and ``sha256`` as read before."""
    return File(path, size, sha256, lambda: blobs.read(name))


def order(files: Iterable[File]) -> list[File]:
    """By path, as bytes. Raises ValueError for a path twice: that is a defect."""
    found = sorted(files, key=lambda file: file.path.encode())
    if len({file.path for file in found}) != len(found):
        raise ValueError("a path twice in a bundle")
    return found


def index_of(files: Sequence[File], *, profile: str, tender: str) -> dict[str, Any]:
    """The ``index`` document of ordered files."""
    document = {"v": 1, "profile": profile, "tender": tender,
                "files": [{"path": file.path, "sha256": b64u(file.sha256), "size": file.size} for file in files]}
    check_document("index", document)
    return document


def write(out: IO[bytes], files: Iterable[File], *, profile: str, tender: str, signing: bytes) -> str:
    """Write the ZIP and return the hash of its index, for the log. ``signing``: the platform's Ed25519 secret."""
    ordered = order(files)
    index = index_of(ordered, profile=profile, tender=tender)
    own = [canonical_file(INDEX, index), envelope_file(INDEX_SIGNATURE, sign_document("index", index, signing))]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for file in order([*own, *ordered]):
            _add(archive, file)
    return document_hash(index)


def _add(archive: zipfile.ZipFile, file: File) -> None:
    info = zipfile.ZipInfo(file.path, _STAMP)
    info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, zipfile.ZIP_STORED
    info.file_size = file.size
    with archive.open(info, "w", force_zip64=file.size >= 1 << 31) as target:
        digest = hashlib.sha256()
        for piece in _cut(file.pieces()):
            digest.update(piece)
            target.write(piece)
    if digest.digest() != file.sha256:
        raise ValueError(f"{file.path} changed while the bundle was written")


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), _PIECE):
            yield piece[at:at + _PIECE]

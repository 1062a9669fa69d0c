"""Write-once bytes, named by their SHA-256 (sealed bids: by their sealed root).

Bytes come first, rows second: a blob is written, synced and named before a unit of work refers to it, so a row never points to
nothing; a blob without a row is harmless and swept. Names are hex, so no path of a person's choosing reaches the file system.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trading.kernel.errors import NotFound
from trading.kernel.faults import fault

NAME = re.compile(r"[0-9a-f]{64}\Z")
PIECE = 1 << 20


@dataclass(frozen=True)
class Blob:
    """What was stored: its name (hex SHA-256 of the bytes) and its size in bytes."""

    name: str
    size: int


class LocalBlobs:
    """Blobs in a folder. ``link`` makes the create-only step atomic; files and folders are synced before they are named."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, pieces: Iterable[bytes]) -> Blob:
        """Store a stream under the SHA-256 of its bytes; storing the same bytes again is the same blob."""
        digest, size = hashlib.sha256(), 0
        temporary = self._incoming / secrets.token_hex(16)
        with temporary.open("xb") as out:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                out.write(piece)
            fault("blob.written")
            out.flush()
            os.fsync(out.fileno())
        fault("blob.synced")
        self._name(temporary, digest.hexdigest())
        return Blob(digest.hexdigest(), size)

    def adopt(self, path: Path, name: str) -> None:
        """Take over a finished, synced file under a content name that the caller has computed (a sealed root)."""
        self._name(path, name, keep=True)

    def _name(self, temporary: Path, name: str, *, keep: bool = False) -> None:
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(temporary, target)
        except FileExistsError:
            pass
        fault("blob.linked")
        if not keep:
            temporary.unlink()
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        fault("blob.named")

    def path(self, name: str) -> Path:
        """Refuses: NotFound for a name that is no content name."""
        if not NAME.match(name):
            raise NotFound("blob.bad_name")
        return self.folder / name[:2] / name

    def open(self, name: str) -> BinaryIO:
        """Refuses: NotFound."""
        try:
            return self.path(name).open("rb")
        except FileNotFoundError as error:
            raise NotFound("blob.missing", name=name) from error

    def read(self, name: str) -> Iterator[bytes]:
        with self.open(name) as source:
            while piece := source.read(PIECE):
                yield piece

    def has(self, name: str) -> bool:
        return self.path(name).is_file()

    def names(self) -> Iterator[str]:
        """Every stored name, in order."""
        for folder in sorted(p for p in self.folder.iterdir() if p.is_dir() and len(p.name) == 2):
            yield from sorted(p.name for p in folder.iterdir())

    def remove(self, name: str) -> None:
        """Drop the bytes of a withdrawn or replaced bid (protocol §5: digests stay, chunks go)."""
        self.path(name).unlink(missing_ok=True)

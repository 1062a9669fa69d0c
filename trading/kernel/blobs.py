"""Write-once bytes, named by their SHA-256 (sealed bids: by their sealed root).

Bytes come first, rows second: a blob is written, synced and named before a unit of work refers to it, so a row never points to
nothing; a blob without a row is harmless and swept. Names are hex, so no path of a person's choosing reaches the file system.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
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

    def __init__(self, folder: Path, second: Path | None = None) -> None:
        """``second``: a folder on another disk that gets every blob too, synced there before its name counts here."""
        self.folder = folder
        self.second = LocalBlobs(second) if second is not None else None
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

    def adopt(self, path: Path, name: str, *, keep: bool = True) -> None:
        """Take over a finished, synced file under a content name that the caller has computed (a sealed root). ``keep``: it stays where it
        was too."""
        self._name(path, name, keep=keep)

    def _name(self, temporary: Path, name: str, *, keep: bool = False) -> None:
        target = self.path(name)
        if self.second is not None and not self.second.has(name):
            self.second.copy_of(temporary, name)
            fault("blob.second")
        try:
            _link(temporary, target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(temporary, target)
        fault("blob.linked")
        if not keep:
            temporary.unlink()
        sync_folder(target.parent)
        fault("blob.named")

    def copy_of(self, source: Path, name: str) -> None:
        """Copy a finished file of another disk under its content name, create-only, synced."""
        temporary = self._incoming / secrets.token_hex(16)
        with source.open("rb") as given, temporary.open("xb") as out:
            shutil.copyfileobj(given, out, PIECE)
            out.flush()
            os.fsync(out.fileno())
        self._name(temporary, name)

    def set_aside(self, name: str) -> None:
        """Move bytes that are not the ones of their name out of its way; they are kept, in the folder ``broken``. Nothing, if none are
        there."""
        aside = self.folder / "broken"
        aside.mkdir(exist_ok=True)
        try:
            os.replace(self.path(name), aside / f"{name}.{secrets.token_hex(4)}")
        except FileNotFoundError:
            return

    def bring_back(
        self, pieces: Iterable[bytes], name: str, check: Callable[[bytes], None], proven: Callable[[], bool]
    ) -> bool:
        """Put bytes from elsewhere under a content name that lost its own: ``check`` sees every piece, ``proven`` says at the end whether
        they are the ones. False, and nothing kept, if they are not."""
        temporary = self._incoming / secrets.token_hex(16)
        try:
            with temporary.open("xb") as out:
                for piece in pieces:
                    check(piece)
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            if not proven():
                return False
            self.set_aside(name)
            self._name(temporary, name, keep=True)
            return True
        finally:
            temporary.unlink(missing_ok=True)

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
        """Drop the bytes of a withdrawn or replaced bid (protocol §5: digests stay, chunks go), of the second folder too."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)
        if self.second is not None:
            self.second.remove(name)


def _link(source: Path, target: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.link(source, target)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file is safe only when its name is too (promise R4)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_below(folder: Path) -> None:
    """Make all that a folder holds durable, bytes and names."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            with path.open("rb") as written:
                os.fsync(written.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)

"""Bytes that are still arriving: one file per upload, resumable at its length.

The offset is the file's own length, never a column: what was synced is what we have. One writer at a time (a file lock); a cut
connection leaves what arrived. Nothing here knows whose bytes they are.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from shutil import disk_usage
from typing import BinaryIO

from trading.kernel.errors import Conflict, Invalid, NotFound
from trading.kernel.faults import fault

TOKEN = re.compile(r"[0-9a-f]{32,64}\Z")


RESERVE = 1 << 30
"""Bytes of the disk kept free for what was taken already, or a twentieth of it where that is less (promise R6)."""


class Spool:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, token: str) -> Path:
        """Refuses: NotFound for what is no token."""
        if not TOKEN.match(token):
            raise NotFound("upload.unknown")
        return self.folder / token

    def create(self, token: str) -> None:
        self.path(token).touch(exist_ok=False)

    def size(self, token: str) -> int:
        """Bytes that have arrived and are synced. Refuses: NotFound."""
        try:
            return self.path(token).stat().st_size
        except FileNotFoundError as error:
            raise NotFound("upload.unknown") from error

    def append(self, token: str, offset: int, pieces: Iterable[bytes], *, most: int, new: bool = False) -> int:
        """Append what arrives and return the new length, synced. ``new``: to a file made by this very call.

        Refuses: NotFound; Conflict ``upload.busy`` (another writer), ``upload.offset`` (with ``have``); Invalid ``upload.too_long``
        when more than ``most`` bytes would lie there (the excess is not kept).
        """
        try:
            line = open(self.path(token), "xb" if new else "ab", opener=os.open if new else _existing)
        except FileNotFoundError as error:
            raise NotFound("upload.unknown") from error
        with line as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("upload.busy") from error
            have = out.seek(0, os.SEEK_END)
            if have != offset:
                raise Conflict("upload.offset", have=have, offset=offset)
            excess = False
            try:
                for piece in pieces:
                    if have + len(piece) > most:
                        excess = True
                        break
                    out.write(piece)
                    fault("spool.piece")
                    have += len(piece)
                fault("spool.written")
            finally:
                out.flush()
                os.fsync(out.fileno())
            fault("spool.synced")
        if excess:
            raise Invalid("upload.too_long", most=most)
        return have

    def open(self, token: str) -> BinaryIO:
        """Refuses: NotFound."""
        try:
            return self.path(token).open("rb")
        except FileNotFoundError as error:
            raise NotFound("upload.unknown") from error

    def room(self) -> int:
        """Bytes new uploads may take: what is free beyond the reserve, 0 if the reserve is touched."""
        usage = disk_usage(self.folder)
        return max(0, usage.free - min(RESERVE, usage.total // 20))

    def older(self, moment: datetime) -> list[str]:
        """Tokens of files nobody has written to since ``moment``."""
        return sorted(
            path.name
            for path in self.folder.iterdir()
            if TOKEN.match(path.name) and path.stat().st_mtime < moment.timestamp()
        )

    def remove(self, token: str) -> None:
        self.path(token).unlink(missing_ok=True)


def _existing(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)

"""The data folder is the platform's alone: folders 0700, files 0600. In it lie sign-ins, sealed bids and the secrets of second factors.

A folder that others may not enter keeps all below it from them, so only the outermost is looked at: the data folder, that of the sealed
files, and the database where it lies elsewhere.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from trading.kernel.errors import Refusal
from web.settings import Settings

OTHERS = 0o077
SETTINGS_FILE = "settings.env"
BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps beside its file."""


def make(folder: Path) -> None:
    """A folder of ours, made where it is not there. One that is there keeps its mode (``narrow``)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def held(folder: Path, lock: str, *, busy: Refusal, unwritable: Refusal) -> Iterator[None]:
    """A folder of ours, made where it is not there, for one process at a time by a file ``lock`` in it. Raises: ``unwritable`` where it
    cannot be made, ``busy`` where another process holds it."""
    try:
        make(folder)
        door = (folder / lock).open("a+", encoding="ascii")
    except OSError as error:
        raise unwritable from error
    with door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        yield


def wide(settings: Settings) -> list[Path]:
    """What others may read, write or enter, of what is there."""
    return [path for path in _ours(settings) if _open(path) and (path == settings.data or _open(path.parent))]


def narrow(settings: Settings) -> list[Path]:
    """Take from others what they may; returns what was narrowed. What is not ours to change stays as it is: `doctor` names it."""
    return [path for path in wide(settings) if _close(path)]


def _close(path: Path) -> bool:
    try:
        path.chmod(path.stat().st_mode & ~OTHERS & 0o777)
    except PermissionError:
        return False
    return True


def _open(path: Path) -> bool:
    return bool(path.stat().st_mode & OTHERS)


def _ours(settings: Settings) -> Iterator[Path]:
    folders = [settings.data, *([] if "://" in settings.blobs else [Path(settings.blobs)])]
    url = make_url(settings.database)
    database = url.database if url.get_backend_name() == "sqlite" and url.database != ":memory:" else None
    files = [settings.data / SETTINGS_FILE, *(Path(f"{database}{end}") for end in BESIDE if database)]
    for path in (*folders, *files):
        if path.exists():
            yield path

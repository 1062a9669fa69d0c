"""What grows in the data folder and is taken away again: old letters in a folder, and drafts of files that were never finished.

What the platform signed, was handed or has promised to keep is no such thing: the log, tickets of the drop, sealed bids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from web.mail.way import DEFAULT_FOLDER
from web.settings import Settings
from web.workers.watch.process import FOLDER as WATCH

DRAFT = re.compile(r"\..+\.[a-z0-9_]{8}")
"""A file as `tempfile` names it, which is renamed once it is whole: what bears such a name a day later is of a process that died."""
UNFINISHED = timedelta(days=1)


def tidy(settings: Settings, now: datetime) -> int:
    """How many files were taken away. In a rehearsal none: its clock is not that of its files. Raises: OSError."""
    if settings.rehearses:
        return 0
    gone = 0
    for path, before in (*_drafts(settings, now), *_letters(settings, now)):
        try:
            if path.is_file() and path.stat().st_mtime < before.timestamp():
                path.unlink()
                gone += 1
        except FileNotFoundError:
            continue  # another worker was quicker
    return gone


def _drafts(settings: Settings, now: datetime) -> Iterator[tuple[Path, datetime]]:
    for folder in (settings.data, settings.data / WATCH, _mail(settings)):
        if folder.is_dir():
            yield from ((path, now - UNFINISHED) for path in folder.iterdir() if DRAFT.fullmatch(path.name))


def _letters(settings: Settings, now: datetime) -> Iterator[tuple[Path, datetime]]:
    folder = _mail(settings)
    if settings.keep_days and folder.is_dir():
        yield from ((path, now - timedelta(days=settings.keep_days)) for path in folder.glob("*.eml"))


def _mail(settings: Settings) -> Path:
    return Path(settings.mail.folder or settings.data / DEFAULT_FOLDER)

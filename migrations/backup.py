"""A copy of an SQLite database beside it, kept before its tables change. PostgreSQL has tools of its own: docs/operate/upgrade.md."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine


def wanted(engine: Engine) -> bool:
    """Whether this database is a file that can be copied."""
    return engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:")


def keep(engine: Engine, revision: str, now: datetime) -> Path:
    """Copy the database, whole and consistent, to ``<file>.<revision>-<UTC time>`` (0600), on the disk before this returns.

    Raises: OSError, sqlite3.Error; nothing is left of a copy that failed.
    """
    source = Path(str(engine.url.database))
    copy = source.with_name(f"{source.name}.{revision}-{now:%Y%m%dT%H%M%SZ}")
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        with copy.open("rb") as written:
            os.fsync(written.fileno())
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy

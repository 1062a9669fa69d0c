"""Is the database there and of this version? Apart from wiring.py, so that a desk that asks for an office does not know every table."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from migrations import backup, runner
from trading.kernel.errors import NotReady
from trading.kernel.system_clock import SystemClock

SEALED = "0028"
"""The revision that seals values which stood in the open before."""


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade does, or did. ``revisions`` as ``id: message``, oldest first; ``applied`` the revision before ("" for an empty
    database); ``keeps_copy`` whether the file is copied first; ``copy`` where to, once that is done."""

    applied: str
    head: str
    revisions: list[str]
    keeps_copy: bool
    copy: Path | None = None


def check_ready(engine: Engine) -> None:
    """Refuses: NotReady ``database.unreachable``, ``database.newer``, ``database.pending`` with the pending revisions."""
    todo = plan(engine).revisions
    if todo:
        raise NotReady("database.pending", revisions=todo)


def plan(engine: Engine) -> Upgrade:
    """What ``migrate`` would do. Refuses: NotReady ``database.unreachable``, ``database.newer``."""
    try:
        found = runner.standing(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    if not found.is_known:
        raise NotReady("database.newer", revision=found.applied, head=found.head)
    return Upgrade(
        found.applied, found.head, found.pending, bool(found.applied and found.pending) and backup.wanted(engine)
    )


def _forget_freed_pages(engine: Engine) -> None:
    """What was overwritten stays in SQLite's file and log until they are written anew."""
    line = engine.raw_connection()
    try:
        for words in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            line.cursor().execute(words).fetchall()
    finally:
        line.close()


def migrate(engine: Engine) -> Upgrade:
    """Apply what is pending, an SQLite file copied beside itself first.

    Refuses: NotReady ``database.unreachable``, ``database.newer``, ``database.no_copy`` (nothing is changed then).
    """
    todo = plan(engine)
    copy = None
    if todo.keeps_copy:
        try:
            copy = backup.keep(engine, todo.applied, SystemClock().now())
        except (OSError, sqlite3.Error) as error:
            raise NotReady("database.no_copy", database=str(engine.url.database), reason=str(error)) from error
    if not todo.revisions:
        return todo
    try:
        done = runner.upgrade(engine)
        if todo.applied < SEALED <= runner.head() and engine.dialect.name == "sqlite":
            _forget_freed_pages(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    return replace(todo, revisions=done, copy=copy)

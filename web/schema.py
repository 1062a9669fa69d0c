"""Is the database there and of this version? Apart from wiring.py, so that a desk that asks for an office does not know every table."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from migrations import backup, runner
from trading.kernel.clock import SystemClock
from trading.kernel.errors import NotReady


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
    try:
        with engine.connect().execution_options(bidhall_readonly=True) as connection:
            connection.execute(text("SELECT 1"))
        todo = plan(engine).revisions
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    if todo:
        raise NotReady("database.pending", revisions=todo)


def plan(engine: Engine) -> Upgrade:
    """What ``migrate`` would do. Refuses: NotReady ``database.unreachable``, ``database.newer``."""
    try:
        applied, head = runner.applied(engine), runner.head()
        if not runner.knows(applied):
            raise NotReady("database.newer", revision=applied, head=head)
        todo = runner.pending(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    return Upgrade(applied, head, todo, bool(applied and todo) and backup.wanted(engine))


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
    try:
        done = runner.upgrade(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    return Upgrade(todo.applied, todo.head, done, todo.keeps_copy, copy)

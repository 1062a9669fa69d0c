"""A database copied at one moment while others write, and written back: SQLite by its online backup, PostgreSQL by its own programs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from trading.kernel import at_rest
from trading.kernel.errors import NotReady

PAGES = 2000
"""Pages of SQLite copied before writers get their turn."""


@contextmanager
def copied(engine: Engine, to: Path) -> Iterator[Session]:
    """Copy the database to the file ``to``, synced, and read in that very copy's moment until the end.

    Refuses: NotReady ``backup.no_program``, ``backup.program_failed``. Raises: OSError, sqlite3.Error.
    """
    if engine.dialect.name == "sqlite":
        _copy_file(engine, to)
        with reading(to) as session:
            yield session
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        shared = str(connection.scalar(text("SELECT pg_export_snapshot()")))
        _run(
            "pg_dump",
            engine.url,
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={shared}",
            f"--file={to}",
        )
        _synced(to)
        with Session(connection) as session:
            yield session


def _copy_file(engine: Engine, to: Path) -> None:
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(str(engine.url.database))) as old, closing(sqlite3.connect(to)) as new:
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()  # what others write from now on is not in it
        old.backup(new, pages=PAGES)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
    _synced(to)


def _synced(path: Path) -> None:
    path.chmod(0o600)
    with path.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def reading(path: Path) -> Iterator[Session]:
    """A session on a copied SQLite file that changes nothing of it and sees nothing that is sealed. Raises: sqlalchemy DatabaseError."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True),
        poolclass=NullPool,
    )
    at_rest.attach(engine, at_rest.Blind())
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()


def is_sound(path: Path) -> bool:
    """Whether SQLite finds its own file whole."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as line:
            return bool(line.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    except sqlite3.Error:
        return False


def looked_through(dump: Path) -> None:
    """Whether PostgreSQL's own program can read the whole dump. Refuses: NotReady ``backup.no_program``, ``backup.program_failed``."""
    _run("pg_restore", None, "--file=/dev/null", str(dump))


def is_empty(engine: Engine) -> bool:
    """Whether a database holds no table. Raises: SQLAlchemyError."""
    return not inspect(engine).get_table_names()


def emptied(url: str) -> None:
    """Take away what was laid into a database that was empty before; one that cannot be reached stays as it is."""
    engine = create_engine(url, poolclass=NullPool)
    with suppress(SQLAlchemyError), engine.begin() as connection:
        if not inspect(connection).get_table_names():
            return
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def filled(engine: Engine, dump: Path) -> None:
    """Fill an empty PostgreSQL database from a dump, in one transaction. Refuses: NotReady as ``looked_through``."""
    _run(
        "pg_restore", engine.url, "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(dump)
    )


def _run(program: str, url: URL | None, *words: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise NotReady("backup.no_program", program=program)
    surroundings = dict(os.environ)
    named: list[str] = []
    if url is not None:
        plain, password = _for_libpq(url)
        named = [f"--dbname={plain}"]
        if password:
            surroundings["PGPASSWORD"] = password  # never among the arguments, where others could read it
    ran = subprocess.run([found, *named, *words], capture_output=True, text=True, env=surroundings, check=False)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        raise NotReady(
            "backup.program_failed", program=program, reason=(lines[-1] if lines else str(ran.returncode))[:300]
        )


def _for_libpq(url: Any) -> tuple[str, str]:
    """The address as PostgreSQL's programs write it, and the password apart."""
    one = make_url(url)
    return one.set(drivername="postgresql", password=None).render_as_string(), str(one.password or "")

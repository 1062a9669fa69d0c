"""The databases of kept worlds (tests/kit/kept.py): what one holds, a copy of it kept, and a kept one put back. On SQLite that is a file in
the folder of the kept world, on PostgreSQL a database of the same server, the template of its copies.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from trading.kernel.db import Base

FILE, NAME = "world.db", "database"
"""In the folder of a kept world: the file itself on SQLite, the address of the database on PostgreSQL."""
WAIT = 0.25
"""Seconds for connections that were given back to end."""


def where(engine: Engine) -> str:
    """Which server a database is on: a kept one can be put back there only."""
    return engine.dialect.name if engine.dialect.name == "sqlite" else repr(engine.url.set(database="postgres"))


def holds(engine: Engine) -> str:
    """All that a database holds, as a digest: two of the same answer to the same acts alike."""
    if engine.dialect.name == "sqlite":
        return _sqlite_holds(engine)
    with engine.connect() as connection:
        rows = connection.execute(sa.text(_contents())).all()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def keep(engine: Engine, folder: Path) -> bool:
    """Keep what a database holds. False where that is impossible now: on PostgreSQL, while others are connected."""
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(folder / FILE)) as kept, closing(engine.raw_connection()) as raw:
            raw.driver_connection.backup(kept)  # type: ignore[union-attr]
            kept.execute("PRAGMA journal_mode = WAL")  # as the platform opens it: a copy of the file is ready
        return True
    name = "bidhall_kept_" + hashlib.sha256(str(folder).encode()).hexdigest()[:24]
    with _alone_on(engine) as server:
        if server is None:
            return False
        server.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        server.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {engine.url.database}")
    (folder / NAME).write_text(engine.url.set(database=name).render_as_string(hide_password=False))
    return True


def put_back(engine: Engine, folder: Path) -> bool:
    """Make a database hold what is kept. False, and nothing is done, while others are connected to one on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        if (path := _left_alone(engine)) is not None:
            shutil.copyfile(folder / FILE, path)
            return True
        address = f"file:{folder / FILE}?immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as kept, closing(engine.raw_connection()) as raw:
            kept.backup(raw.driver_connection)  # type: ignore[arg-type]
        return True
    kept_name = sa.make_url((folder / NAME).read_text()).database
    with _alone_on(engine) as server:
        if server is None:
            return False
        server.exec_driver_sql(f"DROP DATABASE {engine.url.database}")
        server.exec_driver_sql(f"CREATE DATABASE {engine.url.database} TEMPLATE {kept_name}")
    return True


def forget(folder: Path) -> None:
    """Drop the databases of all worlds kept in ``folder``; a server that is gone took them with it."""
    for address in folder.glob(f"*/{NAME}"):
        url = sa.make_url(address.read_text())
        with contextlib.suppress(sa.exc.OperationalError), _server(url) as server:
            server.exec_driver_sql(f"DROP DATABASE IF EXISTS {url.database}")


# --- SQLite -------------------------------------------------------------------------------------------------------------


def _left_alone(engine: Engine) -> Path | None:
    """The file of a database that nobody has open: as long as somebody has, SQLite keeps a log beside it. To read or to replace it is ten
    times quicker than to have SQLite do so page by page."""
    path = Path(str(engine.url.database))
    return path if path.is_file() and not path.with_name(f"{path.name}-wal").exists() else None


def _sqlite_holds(engine: Engine) -> str:
    if (path := _left_alone(engine)) is not None:
        pages = path.read_bytes()
    else:
        with closing(engine.raw_connection()) as raw:
            pages = raw.driver_connection.serialize()  # type: ignore[union-attr]
    told = hashlib.sha256()
    # Of SQLite's header not the mode, the counters of changes and of schemas, and the version: a copy counts them anew.
    for begin, end in ((0, 18), (20, 24), (28, 40), (44, 92), (100, None)):
        told.update(memoryview(pages)[begin:end])
    return told.hexdigest()


# --- PostgreSQL ---------------------------------------------------------------------------------------------------------


def _contents() -> str:
    """One question for the digest of every table's rows, in no order that chance decides."""
    rows = '(SELECT md5(row::text) AS digest FROM "{name}" AS row) AS rows'
    one = f"SELECT '{{name}}', md5(string_agg(digest, '' ORDER BY digest)) FROM {rows}"
    return " UNION ALL ".join(one.format(name=name) for name in sorted(Base.metadata.tables))


@contextlib.contextmanager
def _server(url: sa.URL) -> Iterator[Connection]:
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        yield connection


@contextlib.contextmanager
def _alone_on(engine: Engine) -> Iterator[Connection | None]:
    """A connection to the server of ``engine`` while nobody is connected to its database, or None where somebody stays."""
    engine.dispose()
    with _server(engine.url) as server:
        yield server if _nobody_left(server, str(engine.url.database)) else None


def _nobody_left(server: Connection, database: str) -> bool:
    end = time.monotonic() + WAIT
    asked = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    while server.execute(asked, {"name": database}).scalar_one():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True

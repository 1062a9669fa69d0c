"""One empty database per test, copied from a template that holds the tables, on SQLite or PostgreSQL.

``BIDHALL_TEST_DB=postgres`` switches. A template is made once per process and set of tables (those of the platform, and what a test has
declared besides): copying it takes a millisecond on SQLite and some 30 on PostgreSQL, where making forty tables would take half a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from tests.kit import postgres
from trading.kernel.db import Base, open_engine


def backend() -> str:
    """``sqlite`` or ``postgres``: which database this run of the tests is about."""
    name = os.environ.get("BIDHALL_TEST_DB") or "sqlite"
    if name not in ("sqlite", "postgres"):
        raise ValueError(f"BIDHALL_TEST_DB={name}: sqlite or postgres")
    return name


class Databases(Protocol):
    def fresh(self, *, empty: bool = False) -> contextlib.AbstractContextManager[str]:
        """The URL of a database of one's own with all tables (``empty``: without any)."""
        ...


class SqliteDatabases:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates: dict[str, Path] = {}

    @contextlib.contextmanager
    def fresh(self, *, empty: bool = False) -> Iterator[str]:
        path = self.folder / f"{uuid.uuid4().hex}.db"
        if not empty:
            shutil.copyfile(self._template(), path)
        try:
            yield f"sqlite:///{path}"
        finally:
            for leftover in self.folder.glob(path.name + "*"):
                leftover.unlink()

    def _template(self) -> Path:
        key = _tables_key()
        if key not in self.templates:
            path = self.folder / f"template-{key}.db"
            engine = open_engine(f"sqlite:///{path}")
            with engine.begin() as connection:
                Base.metadata.create_all(connection)
            with engine.connect().execution_options(bidhall_readonly=True) as connection:
                connection.rollback()
            raw = engine.raw_connection()
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the one file is all there is
            raw.close()
            engine.dispose()
            self.templates[key] = path
        return self.templates[key]


class PostgresDatabases:
    def __init__(self, server_url: str) -> None:
        self.server = sa.make_url(server_url).set(drivername="postgresql+psycopg")
        self.admin = sa.create_engine(self.server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self.templates: dict[str, str] = {}

    @contextlib.contextmanager
    def fresh(self, *, empty: bool = False) -> Iterator[str]:
        name = f"bidhall_test_{uuid.uuid4().hex}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else self._template()}")
        try:
            yield self._url(name)
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        for name in self.templates.values():
            self._say(f"DROP DATABASE {name} WITH (FORCE)")
        self.admin.dispose()

    def _template(self) -> str:
        key = _tables_key()
        if key not in self.templates:
            name = f"bidhall_template_{uuid.uuid4().hex}"
            self._say(f"CREATE DATABASE {name} TEMPLATE template0")
            self.templates[key] = name
            engine = open_engine(self._url(name))
            with engine.begin() as connection:
                Base.metadata.create_all(connection)
            engine.dispose()  # a template may have no one connected
        return self.templates[key]

    def _url(self, name: str) -> str:
        return self.server.set(database=name).render_as_string(hide_password=False)

    def _say(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)


def _tables_key() -> str:
    """Which tables there are: all of the platform, and whatever a test has declared besides."""
    import migrations.tables  # noqa: F401  (only some would be there where few modules of the platform were imported)

    return hashlib.sha256("\n".join(sorted(Base.metadata.tables)).encode()).hexdigest()[:16]


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """The maker of databases for this run; ``folder`` is where SQLite's files go."""
    if backend() == "sqlite":
        yield SqliteDatabases(folder)
        return
    with postgres.server() as url:
        maker = PostgresDatabases(url)
        try:
            yield maker
        finally:
            maker.close()

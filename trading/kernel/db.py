"""The database: one metadata, SQLite and PostgreSQL, and the few column types that keep values exact.

SQLite passes NUMERIC through float and forgets time zones, so money is a BigInteger of minor units and a moment is stored as naive
UTC and handed out aware. Append-only tables refuse UPDATE and DELETE by trigger on both databases.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import DDL, DateTime, Engine, MetaData, Table, Text, create_engine, event, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from trading.kernel.errors import NotReady

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


class Moment(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, naive UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment must carry its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Json(TypeDecorator[Any]):
    """A JSON value as text, keys sorted: the same bytes on both databases. No floats may enter."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_refuse)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return _large(value) if len(value) > LARGE else json.loads(value)


LARGE = 2000
"""Longer texts (a lot's rulebook, a scheme) are the same for ever and read with every row: they are parsed once per process. What is read
from a Json column is never changed in place; the database would not see it either."""

_large = lru_cache(maxsize=512)(json.loads)


def _refuse(value: object) -> Any:
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def open_engine(url: str, *, durable: bool = True) -> Engine:
    """An engine for ``url``. SQLite: WAL, synchronous=FULL, BEGIN IMMEDIATE for units that write (a receipt must survive power loss).

    ``durable`` False, for rehearsals alone: commits do not wait for the disk. Refuses: NotReady
    ``database.driver``.
    """
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"check_same_thread": False}, **_pool(url))
        _teach_sqlite(engine, "FULL" if durable else "OFF")
        return engine
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, isolation_level="READ COMMITTED")
    except ImportError as error:
        raise NotReady("database.driver", url=shown_url(url)) from error


def _pool(url: str) -> dict[str, int]:
    """As many kept connections as a worker has threads: opening one costs as much as ten questions."""
    return {} if ":memory:" in url or url == "sqlite://" else {"pool_size": 80, "max_overflow": 0}


def shown_url(url: str) -> str:
    """The address of a database as a person may see it: no password."""
    return make_url(url).render_as_string(hide_password=True)


def in_transaction(connection: Any) -> bool:
    """Whether SQLite itself still has the transaction open."""
    return bool(connection.connection.driver_connection.in_transaction)


PATIENCE_MS = 60_000
"""How long a writer waits for its turn. As long as its entries may wait for their tick: a bid that came in time must not be turned away
because others were being taken."""


def _teach_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver begins transactions by itself
        for pragma in (
            "journal_mode=WAL",
            f"busy_timeout={PATIENCE_MS}",
            "foreign_keys=ON",
            f"synchronous={synchronous}",
        ):
            connection.execute("PRAGMA " + pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        readonly = connection.get_execution_options().get("bidhall_readonly")
        say(connection, "BEGIN" if readonly else "BEGIN IMMEDIATE")

    engine.dialect.do_savepoint = lambda connection, name: say(connection, f"SAVEPOINT {name}")  # type: ignore[method-assign]
    engine.dialect.do_release_savepoint = lambda connection, name: say(connection, f"RELEASE {name}")  # type: ignore[method-assign]
    engine.dialect.do_rollback_to_savepoint = lambda connection, name: say(connection, f"ROLLBACK TO {name}")  # type: ignore[method-assign]


def say(connection: Any, words: str) -> None:
    """A word of SQLite's about transactions, past the machinery for statements, which costs thirty times as much.
    Raises: OperationalError as that would."""
    try:
        connection.connection.driver_connection.execute(words)
    except sqlite3.Error as error:
        raise OperationalError(words, None, error) from error


APPEND_ONLY: list[Table] = []


def append_only(table: Table) -> Table:
    """Mark a table append-only: rows are written once. The triggers are made with the table, by migrations and by create_all alike."""
    APPEND_ONLY.append(table)
    for dialect, statements in append_only_ddl(table.name).items():
        for statement in statements:
            event.listen(table, "after_create", DDL(statement.replace("%", "%%")).execute_if(dialect=dialect))
    return table


def append_only_ddl(name: str) -> dict[str, list[str]]:
    """The trigger statements for one append-only table, by dialect (migrations use the same)."""
    sqlite = [
        f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, 'append-only table {name}'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    postgresql = [
        "CREATE OR REPLACE FUNCTION bidhall_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'append-only table %', TG_TABLE_NAME; END $$",
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
        "FOR EACH ROW EXECUTE FUNCTION bidhall_append_only()",
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION bidhall_append_only()",
    ]
    return {"sqlite": sqlite, "postgresql": postgresql}


def one_of(column: str, values: Iterable[str]) -> str:
    """The text of a CHECK constraint: ``column`` is one of ``values``."""
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"

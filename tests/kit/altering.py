"""What somebody with the database's own password can do to one row, undone again: guards and constraints away, one change, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Table, UniqueConstraint, select, text
from sqlalchemy.orm import Session

from tests.kit import data_keys
from tests.kit.world import World
from trading.kernel import at_rest
from trading.kernel.access import Actor, Role
from trading.kernel.db import APPEND_ONLY, Base, Json, Moment
from trading.kernel.work import View

AUDITOR = Actor(Role.AUDIT_ADMIN, name="audit")


FAR = 987_654
"""A number no row has."""


@contextmanager
def altered(world: World) -> Iterator[Connection]:
    """A connection on which rows may be changed against every guard; all of it is rolled back."""
    with world.office.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        sqlite = connection.dialect.name == "sqlite"
        for pragma in ("foreign_keys=OFF", "ignore_check_constraints=ON") if sqlite else ():
            raw.execute(f"PRAGMA {pragma}")
        try:
            for table in APPEND_ONLY:
                if sqlite:
                    for verb in ("update", "delete"):
                        connection.execute(text(f"DROP TRIGGER {table.name}_no_{verb}"))
            if not sqlite:
                connection.execute(text("SET session_replication_role = replica"))
            yield connection
        finally:
            connection.rollback()
            for pragma in ("foreign_keys=ON", "ignore_check_constraints=OFF") if sqlite else ():
                raw.execute(f"PRAGMA {pragma}")
            if not sqlite:
                connection.execute(text("SET session_replication_role = origin"))
                connection.commit()


@contextmanager
def auditor(world: World, connection: Connection) -> Iterator[View]:
    """Who looks at what the connection has changed."""
    with Session(connection, autoflush=False, join_transaction_mode="create_savepoint") as session:
        yield View(world.office, session, AUDITOR, world.now)
        session.rollback()


def first_row(connection: Connection, table: Table, column: Column[Any]) -> Any:
    """The row to be changed: the first that has a value there, else the first."""
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys)
    return (
        connection.execute(query.where(column.is_not(None)).limit(1)).first()
        or connection.execute(query.limit(1)).first()
    )


def change(connection: Connection, table: Table, column: Column[Any], row: Any) -> bool:
    """Give a column of a row another value of its kind; False where there is none."""
    value = (
        sealed_anew(table, column, row)
        if isinstance(column.type, at_rest.Sealed)
        else other(connection, column, row._mapping[column])
    )
    if value is None:
        return False
    where = [key == row._mapping[key] for key in table.primary_key.columns]
    _without_checks(connection, table)
    connection.execute(table.update().where(*where).values({column: value}))
    return True


def _without_checks(connection: Connection, table: Table) -> None:
    """PostgreSQL holds its checks whatever the session's role; its owner drops them. (SQLite's are switched off.)"""
    if connection.dialect.name == "postgresql":
        names = text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) AND contype = 'c'")
        for (name,) in connection.execute(names, {"name": table.name}).all():
            connection.execute(text(f'ALTER TABLE {table.name} DROP CONSTRAINT "{name}"'))


def sealed_anew(table: Table, column: Column[Any], row: Any) -> str:
    """Another text, as whoever holds the data key too would write it."""
    name, token = row._mapping[at_rest.HELD[table.name].row], row._mapping[column]
    plain = data_keys.RING.open(table.name, column.name, name, token) if token else ""
    return data_keys.sealed(table.name, column.name, name, plain + "x")


def other(connection: Connection, column: Column[Any], held: Any) -> Any:
    """Another value of the same kind."""
    for key in column.foreign_keys:
        if column.unique or column.primary_key or _in_unique(column):
            return FAR if column.type.python_type is int else _text(str(held))
        others = select(key.column).where(key.column != held) if held is not None else select(key.column)
        return connection.scalar(others.order_by(key.column.desc()).limit(1)) or FAR
    if isinstance(column.type, Json):
        return (
            {"changed": 1} if held is None else {**held, "changed": 1} if isinstance(held, dict) else [*held, "changed"]
        )
    if isinstance(column.type, LargeBinary):
        return bytes(32) if not held else bytes([held[0] ^ 1]) + held[1:]
    kind = column.type.python_type
    if kind is bool:
        return not held
    if kind is int:
        return (held or 0) + (FAR if column.primary_key or _in_unique(column) else 1)
    if isinstance(column.type, Moment):
        return (held or datetime.fromisoformat("2026-01-01T00:00:00+00:00")) + timedelta(hours=1)
    if kind is str:
        made, most = _text(held or ""), getattr(column.type, "length", None)
        return made if most is None or len(made) <= most else ("y" if made[0] == "x" else "x") + made[1:most]
    return date(2031, 1, 1) if held is None else held + timedelta(days=1)


def _in_unique(column: Column[Any]) -> bool:
    """Whether the column is part of a key by which another row could stand in the way."""
    constraints = [c for c in column.table.constraints if isinstance(c, UniqueConstraint)]
    return any(column.name in c.columns for c in constraints) or any(
        i.unique and column.name in i.columns for i in column.table.indexes
    )


def _text(held: str) -> str:
    """A text with one sign more, where it is no JSON; a document with one value changed else."""
    if held.startswith("{"):
        try:
            return json.dumps({**json.loads(held), "changed": 1}, ensure_ascii=False)
        except ValueError:
            pass
    return held + "x"


def tables() -> list[Table]:
    return sorted(Base.metadata.tables.values(), key=lambda table: table.name)


def rewrite(world: World, statement: str, **values: Any) -> None:
    """What somebody with the database's own password does for good: the triggers of the table go first."""
    table = statement.removeprefix("DELETE FROM ").removeprefix("UPDATE ").split()[0]
    with world.office.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_update"))
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_delete"))
        else:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        connection.execute(text(statement), values)

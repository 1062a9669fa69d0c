"""Exact values on both databases, and tables that are written once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, StatementError

from tests.kit.world import World
from trading.kernel.db import APPEND_ONLY, Json, Moment, open_engine

TABLE = sa.Table(
    "kept_values",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Moment),
    sa.Column("value", Json),
)
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def there_and_back(engine: sa.Engine, at: Any, value: Any) -> Any:
    with engine.begin() as connection:
        TABLE.create(connection, checkfirst=True)
        connection.execute(TABLE.delete())
        connection.execute(TABLE.insert().values(at=at, value=value))
        return connection.execute(sa.select(TABLE.c.at, TABLE.c.value)).one()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(-14, 14), VALUES)
def test_moments_and_values_come_back_exactly(engine: sa.Engine, at: datetime, zone: int, value: Any) -> None:
    there = at.astimezone(timezone(timedelta(hours=zone)))
    assert there_and_back(engine, there, value) == (at, value)


def test_a_moment_without_zone_and_a_float_do_not_enter(engine: sa.Engine) -> None:
    with pytest.raises(StatementError):
        there_and_back(engine, datetime(2026, 3, 1), None)
    for value in ({"a": 1j}, {"a": object()}, {1, 2}, datetime(2026, 3, 1, tzinfo=UTC)):
        with pytest.raises(StatementError):
            there_and_back(engine, None, value)


def test_every_append_only_table_refuses_update_and_delete(engine: sa.Engine, tmp_path: Any) -> None:
    """Both verbs, on every one of them that has rows by the end of an opening; the trigger itself is there on all."""
    from tests.kit import stages

    world = World(engine, tmp_path)
    stages.shared(world)
    assert len(APPEND_ONLY) >= 12
    tried = 0
    for table in APPEND_ONLY:
        with engine.connect() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0:
                connection.rollback()
                continue
            connection.rollback()
        column = next(c for c in table.columns if not c.primary_key)
        for statement in (table.delete(), table.update().values({column: column})):
            with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
                connection.execute(statement)
            tried += 1
    assert tried >= 16
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = {
                row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            }
            assert {f"{t.name}_no_{verb}" for t in APPEND_ONLY for verb in ("update", "delete")} <= found
        connection.rollback()


def test_sqlite_is_opened_for_receipts_that_survive_power_loss(tmp_path: Any) -> None:
    for durable, level in ((True, 2), (False, 0)):
        engine = open_engine(f"sqlite:///{tmp_path}/x{level}.db", durable=durable)
        with engine.connect() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys")
            asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}
            assert asked == {"journal_mode": "wal", "synchronous": level, "foreign_keys": 1}
            connection.rollback()
        engine.dispose()


def test_no_moment_and_no_money_is_kept_inexactly() -> None:
    from trading.kernel.db import Base

    for table in Base.metadata.tables.values():
        for column in table.columns:
            assert not isinstance(column.type, sa.DateTime), f"{table.name}.{column.name} is no Moment"
            exact = not isinstance(column.type, (sa.Float, sa.Numeric)) or isinstance(column.type, sa.Integer)
            assert exact, f"{table.name}.{column.name} is inexact"

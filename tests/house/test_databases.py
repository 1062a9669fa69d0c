"""The kit's databases: every test gets one of its own, with the tables, on the database this run is about."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Engine

from tests.kit.database import Databases, backend
from trading.kernel.db import Base, open_engine


def test_the_run_is_on_the_database_it_says(engine: Engine) -> None:
    assert engine.dialect.name == {"sqlite": "sqlite", "postgres": "postgresql"}[backend()]


def test_all_imported_tables_are_there_and_empty(engine: Engine) -> None:
    assert set(sa.inspect(engine).get_table_names()) == set(Base.metadata.tables)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_two_databases_do_not_see_each_other(databases: Databases) -> None:
    with databases.fresh(empty=True) as one, databases.fresh(empty=True) as two:
        first, second = open_engine(one), open_engine(two)
        with first.begin() as connection:
            connection.execute(sa.text("CREATE TABLE seen (id INTEGER)"))
        assert sa.inspect(first).get_table_names() == ["seen"]
        assert sa.inspect(second).get_table_names() == []
        first.dispose()
        second.dispose()

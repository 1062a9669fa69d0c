"""The surge again on PostgreSQL: the same bidders, deadline and machine, two web processes, every commit synced by the database.

A PostgreSQL of its own is started for it (that of the machine, or the one the tests bring along) and shares the cores too.
"""

from __future__ import annotations

from sqlalchemy import create_engine, make_url

from bench import surge
from bench.race import Row


def run(quick: bool) -> list[Row]:
    from tests.kit import postgres

    found: list[Row] = []
    with postgres.server(durable=True) as server:
        for number, (bidders, span, steady) in enumerate(
            ((40, 8.0, 20),) if quick else ((500, 60.0, 150), (2000, 60.0, 150))
        ):
            found += surge.at(bidders, span, steady, _fresh(server, f"surge{number}"))
    return [row | {"workload": "PostgreSQL: " + row["workload"]} for row in found]


def _fresh(server: str, name: str) -> str:
    """The URL of an empty database of this name."""
    home = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(home, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    engine.dispose()
    return home.set(database=name).render_as_string(hide_password=False)

"""The savings report over a million stored lots: exact sums in six dimensions and the distribution, from the database to figures.

Ours is the cube (``trading.reports.cube``), and beside it, for files, the plain reckoning. Rivals read the same rows: DuckDB and polars
from Parquet where they are installed, else pandas with Decimals from the same SQLite file. All must find the same total.
"""

from __future__ import annotations

import importlib.util
import random
import sqlite3
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine

from bench.race import Row, race, row, skipped, workshop
from trading.reports import cube as cubes
from trading.reports import savings

GOAL = ">= 1"
SQL = "select {0}, count(*), sum(budget), sum(award) from {1} group by {0}"
NAMES = ("regime", "category", "method", "region", "month", "year")
BAND = (
    "case "
    + " ".join(
        f"when (budget - award) * 100 < budget * {edge} then {number}" for number, edge in enumerate(savings.EDGES)
    )
    + f" else {len(savings.EDGES)} end"
)


def run(quick: bool) -> list[Row]:
    size = 100_000 if quick else 1_000_000
    with workshop() as folder:
        file = _stored(folder / "lots.db", size)
        return [*_race(file, folder, size), _reckoning(file, size)]


def _stored(file: Path, size: int) -> Path:
    chance = random.Random(20181231)
    words = (
        ("GP", "WORKS"),
        ("GOODS", "SERVICES", "WORKS"),
        ("M1", "M3", "M4", "M5", "M7"),
        [f"3301{number:02d}" for number in range(30)],
        [f"{year}-{month:02d}" for year in range(2022, 2027) for month in range(1, 13)],
    )

    def lot(number: int) -> tuple[Any, ...]:
        budget = int(10 ** chance.uniform(6, 11.5))
        return (
            number,
            *(chance.choice(column) for column in words),
            budget,
            max(1, budget * chance.randrange(600, 1010) // 1000),
            1,
        )

    with sqlite3.connect(file) as base:
        base.execute(
            "create table lots (id integer primary key, regime text, category text, method text, region text, month text, "
            "budget integer, award integer, in_rate integer)"
        )
        base.executemany("insert into lots values (?,?,?,?,?,?,?,?,?)", (lot(number) for number in range(size)))
    return file


def _race(file: Path, folder: Path, size: int) -> list[Row]:
    metadata = MetaData()
    lots = Table(
        "lots",
        metadata,
        Column("id", Integer, primary_key=True),
        *(Column(name, String) for name in cubes.CELL),
        *(Column(name, Integer) for name in ("budget", "award", "in_rate")),
    )
    cube = cubes.cube_table(metadata)
    engine = create_engine(f"sqlite:///{file}")
    metadata.create_all(engine)
    start = time.perf_counter()
    with engine.begin() as connection:
        cubes.refresh(connection, cube, lots)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    with engine.begin() as connection:
        cubes.refresh(connection, cube, lots, months=["2026-12"])
    month = time.perf_counter() - start

    def ours() -> int:
        with engine.connect() as connection:
            cubes.bands(connection, cube)
            return sum(group.budget for name in NAMES for group in cubes.groups(connection, cube, [name]))

    rivals = _rivals(file, folder)
    totals = {ours(), *(rival() for _, rival in rivals)}
    if len(totals) != 1:
        raise AssertionError(f"the contestants disagree: {totals}")
    mine, *theirs = race(ours, *(rival for _, rival in rivals), rounds=3)
    workload = f"{size:,} stored lots to figures: six dimensions and distribution"
    notes = f"refresh of the cube {whole:.2f} s, of one month {month:.2f} s"
    rows = [
        row(
            workload=workload,
            ours=mine,
            unit="s",
            rival=seconds,
            rival_name=name,
            ratio=seconds / mine,
            goal=GOAL,
            notes=notes,
        )
        for (name, _), seconds in zip(rivals, theirs, strict=True)
    ]
    rows += [
        skipped(
            workload=workload,
            rival_name=name,
            goal=GOAL,
            why=f"{name} is not installed (make bench installs it)",
            ours=mine,
            unit="s",
        )
        for name in ("duckdb", "polars")
        if importlib.util.find_spec(name) is None
    ]
    fits = whole <= 2
    return [
        *rows,
        row(workload=f"refresh of the cube over {size:,} lots", ours=whole, unit="s", goal="<= 2 s", met=fits),
    ]


def _rivals(file: Path, folder: Path) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    parquet = str(folder / "lots.parquet")
    if importlib.util.find_spec("polars"):
        import polars

        with sqlite3.connect(file) as base:
            frame = polars.DataFrame(
                base.execute("select *, substr(month, 1, 4) as year from lots").fetchall(),
                orient="row",
                schema=["id", *cubes.CELL, "budget", "award", "in_rate", "year"],
            )
        frame.write_parquet(parquet)
        total, money = polars.sum("budget"), polars.col("budget") - polars.col("award")

        def with_polars() -> int:
            lots = polars.read_parquet(parquet)
            lots.select(
                (money * 100 // polars.col("budget")).cut([float(edge) for edge in savings.EDGES]).value_counts()
            )
            return sum(
                int(lots.group_by(name).agg(total, polars.sum("award"), polars.len())["budget"].sum()) for name in NAMES
            )

        found.append(("polars", with_polars))
        if importlib.util.find_spec("duckdb"):
            import duckdb

            def with_duckdb() -> int:
                base = duckdb.connect()
                base.execute(f"select {BAND}, count(*) from '{parquet}' group by 1").fetchall()
                return sum(
                    int(line[-2])
                    for name in NAMES
                    for line in base.execute(SQL.format(name, f"'{parquet}'")).fetchall()
                )

            found.append(("duckdb", with_duckdb))
    if not found:
        found.append(("pandas, Decimal", _with_pandas(file)))
    return found


def _with_pandas(file: Path) -> Any:
    import pandas

    def with_pandas() -> int:
        with sqlite3.connect(file) as base:
            lots = pandas.read_sql_query("select *, substr(month, 1, 4) as year from lots", base)
        pandas.cut(
            (lots["budget"] - lots["award"]) * 100 // lots["budget"], [-(10**9), *savings.EDGES, 100]
        ).value_counts()
        for name in ("budget", "award"):
            lots[name] = [Decimal(value) for value in lots[name]]
        return sum(int(lots.groupby(name)[["budget", "award"]].sum()["budget"].sum()) for name in NAMES)

    return with_pandas


def _reckoning(file: Path, size: int) -> Row:
    """The path of files: rows in memory, all rules applied, one breakdown."""
    with sqlite3.connect(file) as base:
        rows = [
            savings.Row(str(number), budget, award, regime=regime, method=method)
            for number, regime, method, budget, award in base.execute(
                "select id, regime, method, budget, award from lots"
            )
        ]
    (mine,) = race(lambda: savings.reckon(rows, by=["regime", "method"]), rounds=3)
    return row(
        workload=f"{size:,} rows of a file reckoned by all rules",
        ours=mine,
        unit="s",
        goal="none",
        notes="no rival applies the rules",
    )

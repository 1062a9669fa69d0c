"""The cube says what the reckoning says, on any rows, and after a refresh of single months too."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, create_engine, insert, update

from trading.kernel.errors import Invalid
from trading.reports import cube as cubes
from trading.reports.savings import EDGES, Row, distribution, reckon, why_not_in_rate

METADATA = MetaData()
RESULTS = Table(
    "results", METADATA, Column("id", Integer, primary_key=True), *(Column(word, String) for word in cubes.CELL),
    Column("budget", BigInteger), Column("award", BigInteger), Column("in_rate", Integer),
)  # fmt: skip
CUBE = cubes.cube_table(METADATA)

rows = st.lists(
    st.builds(
        Row,
        id=st.uuids().map(str),
        budget=st.integers(0, 10**12),
        award=st.integers(0, 10**12),
        status=st.just("awarded"),
        price_form=st.sampled_from(["total", "total", "fee_rate"]),
        regime=st.sampled_from(["GP", "WORKS", None]),
        method=st.sampled_from(["M1", "M7"]),
        region=st.sampled_from(["x", "y"]),
        category=st.sampled_from(["GOODS", None]),
        date=st.dates(min_value=date(2018, 11, 1), max_value=date(2019, 2, 28)),
        currency=st.just("CNY"),
        discount_pct=st.none(),
    ),
    max_size=40,
)


def stored(row: Row) -> dict[str, object]:
    assert row.date is not None
    return {
        **{word: getattr(row, word) or "" for word in cubes.CELL[:-1]},
        "month": row.date.isoformat()[:7],
        "budget": row.budget,
        "award": row.award,
        "in_rate": int(why_not_in_rate(row) is None),
    }


@settings(max_examples=40)
@given(rows)
def test_law_cube_and_reckoning_agree(found: list[Row]) -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        if found:
            connection.execute(insert(RESULTS), [stored(row) for row in found])
        cubes.refresh(connection, CUBE, RESULTS)
        for by in (["regime"], ["month"], ["year", "method"], ["category", "region", "regime"]):
            assert cubes.groups(connection, CUBE, by) == list(reckon(found, by=by).groups)
        march = [row for row in found if row.date and row.date.year == 2018]
        assert cubes.groups(connection, CUBE, ["method"], year="2018") == list(reckon(march, by=["method"]).groups)
        spread = distribution((row.budget or 0, row.award or 0) for row in found if why_not_in_rate(row) is None)
        assert cubes.bands(connection, CUBE) == (
            [lots for *_, lots in spread.bins] if spread else [0] * (len(EDGES) + 1)
        )


def test_a_refresh_of_one_month_touches_that_month_only(database_url: str) -> None:
    engine = create_engine(database_url)
    METADATA.create_all(engine)
    lot = {"regime": "GP", "category": "", "method": "M1", "region": "x", "budget": 100, "award": 90, "in_rate": 1}
    with engine.begin() as connection:
        connection.execute(insert(RESULTS), [{**lot, "month": "2018-01"}, {**lot, "month": "2018-02"}])
        cubes.refresh(connection, CUBE, RESULTS)
        connection.execute(update(RESULTS).values(award=80))
        cubes.refresh(connection, CUBE, RESULTS, months=["2018-02"])
        assert [(group.by, group.award) for group in cubes.groups(connection, CUBE, ["month"])] == [
            (("2018-01",), 90),
            (("2018-02",), 80),
        ]
        assert cubes.bands(connection, CUBE, month="2018-02")[-1] == 1
        with pytest.raises(Invalid, match="unknown_dimension"):
            cubes.groups(connection, CUBE, ["purchaser"])
    engine.dispose()


@pytest.mark.parametrize("cents", [0, 1, 99, 100, 101, 1499, 1500, 1501, -1])
def test_bands_have_their_lower_edge_inside(cents: int) -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    rate = Fraction(cents, 100)
    lot = {
        "regime": "",
        "category": "",
        "method": "",
        "region": "",
        "month": "",
        "budget": 10_000,
        "award": 10_000 - cents,
        "in_rate": 1,
    }
    with engine.begin() as connection:
        connection.execute(insert(RESULTS), [lot])
        cubes.refresh(connection, CUBE, RESULTS)
        assert cubes.bands(connection, CUBE).index(1) == sum(edge <= rate for edge in EDGES)


def test_words_that_run_into_each_other_are_two_cells() -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    words = [
        ("G", "P", "", "", "2018-12"),
        ("GP", "", "", "", "2018-12"),
        ("", "GP", "", "", "2018-12"),
        ("P", "G", "", "", "2018-12"),
        ("", "G", "P", "", "2018-12"),
        (":1", "", "1", "", "2018-12"),
        (":", "1", "1", "", "2018-12"),
    ]
    with engine.begin() as connection:
        connection.execute(
            insert(RESULTS),
            [
                {**dict(zip(cubes.CELL, cell, strict=True)), "budget": 2, "award": 1, "in_rate": 1}
                for cell in words
                for _ in range(2)
            ],
        )
        cubes.refresh(connection, CUBE, RESULTS)
        found = {tuple(row[:5]): row.transactions for row in connection.execute(CUBE.select())}
    assert found == dict.fromkeys(words, 2)

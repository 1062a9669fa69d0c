"""The table by year says in each cell what a report over that cell alone says, whatever the amounts."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.reports import savings
from trading.reports.pivot import ByYear, Cell, by_year
from trading.reports.savings import Row

WORDS = st.sampled_from([None, "", "GP", "WORKS"])
AMOUNTS = st.one_of(st.none(), st.integers(0, 10**4), st.integers(10**16, 10**19))
ROWS = st.lists(
    st.builds(
        Row,
        id=st.sampled_from("abcdefgh"),
        budget=AMOUNTS,
        award=AMOUNTS,
        status=st.sampled_from([savings.AWARDED, savings.AWARDED, savings.FAILED, savings.PENDING]),
        price_form=st.sampled_from(["total", "total", "unit_price"]),
        date=st.one_of(st.none(), st.dates(date(2024, 1, 1), date(2026, 12, 31))),
        regime=WORDS,
        category=WORDS,
        discount_pct=st.none(),
    ),
    max_size=12,
)


def table(rows: list[Row], by: list[str]) -> ByYear:
    return by_year(rows, savings.treatments(rows, currency="CNY"), by)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.sampled_from([[], ["regime"], ["category", "regime"]]))
def test_each_cell_is_the_report_of_its_rows(rows: list[Row], by: list[str]) -> None:
    made = table(rows, by)
    report = savings.reckon(rows, by=[*by, "year"], currency="CNY")
    wanted: dict[tuple[str, ...], Cell] = {}
    for group in report.groups:  # a missing word and an empty one are one line here
        key = tuple(word or "" for word in group.by)
        old = wanted.get(key, Cell())
        wanted[key] = Cell(
            old.transactions + group.transactions,
            old.in_rate + group.in_rate,
            old.budget + group.budget,
            old.award + group.award,
        )
    lines = made.lines if by else [((), *line[1:]) for line in made.lines]
    body = lines[: len(made.lines) - 1] if by else lines
    found = {
        (*words, year): cell
        for words, cells, _total in body
        for year, cell in zip(made.years, cells, strict=True)
        if cell
    }
    assert found == wanted
    if made.lines:
        assert made.lines[-1][2] == Cell(report.transactions, report.in_rate, report.budget, report.award)


def test_sums_of_more_than_63_bits_are_whole() -> None:
    rows = [Row(str(n), 2**62 + 1, 2**62 - n, date=date(2025, 1, 1), regime="GP") for n in range(5)]
    rows.append(Row("x", 7, 5, date=date(2026, 1, 1), regime="WORKS"))
    made = table(rows, ["regime"])
    assert made.years == ("2025", "2026")
    assert made.lines == (
        (("GP",), (Cell(5, 5, 5 * 2**62 + 5, 5 * 2**62 - 10), None), Cell(5, 5, 5 * 2**62 + 5, 5 * 2**62 - 10)),
        (("WORKS",), (None, Cell(1, 1, 7, 5)), Cell(1, 1, 7, 5)),
        (
            ("",),
            (Cell(5, 5, 5 * 2**62 + 5, 5 * 2**62 - 10), Cell(1, 1, 7, 5)),
            Cell(6, 6, 5 * 2**62 + 12, 5 * 2**62 - 5),
        ),
    )


def test_a_year_is_no_line() -> None:
    with pytest.raises(ValueError, match="year"):
        table([], ["year"])

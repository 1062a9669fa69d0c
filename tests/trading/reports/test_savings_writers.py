"""A report written: the keys of the contract, exact money, cells that no spreadsheet runs, columns that stand."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal

import openpyxl
import pytest

from trading.reports import savings, writers
from trading.reports.savings import Row, reckon

NASTY = [
    "=1+1",
    "+1",
    "-1-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    " =1",
    "　=1",
    '=HYPERLINK("http://x")',
]
KEYS = {
    "currency",
    "transactions",
    "projects",
    "budget",
    "award",
    "saving",
    "saving_rate_pct",
    "negative_rows",
    "excluded",
    "exceptions",
    "failed",
    "terminated",
    "groups",
    "rate_if_negative_rows_are_dropped_pct",
}


def report(**more: object) -> savings.Savings:
    rows = [
        Row("a", 100_00, 90_00, regime="GP"),
        Row("b", 50_00, 60_00, regime="WORKS"),
        Row("c", 1_00, 10_01, regime="GP"),
        Row("d", 5_00, None, status="failed"),
        Row("e", 5_00, None, status="terminated"),
    ]
    return reckon(rows, **more)  # type: ignore[arg-type]


def test_document_has_the_keys_and_shapes_of_the_contract() -> None:
    made = json.loads(json.dumps(writers.document(report(by=["regime"]))))
    assert made.keys() >= KEYS
    assert {key: made[key] for key in KEYS - {"groups"}} == {
        "currency": "CNY",
        "transactions": 3,
        "projects": 3,
        "budget": "151.00",
        "award": "160.01",
        "saving": "-9.01",
        "saving_rate_pct": "-5.97",
        "negative_rows": ["b", "c"],
        "excluded": [{"id": "d", "reason": "failed"}, {"id": "e", "reason": "terminated"}],
        "exceptions": [
            {"id": "c", "reason": "award_far_from_budget", "budget": "1.00", "award": "10.01", "times": "10.0100"}
        ],
        "failed": 1,
        "terminated": 1,
        "rate_if_negative_rows_are_dropped_pct": "10.00",
    }
    assert made["groups"] == [
        {
            "by": {"regime": "GP"},
            "transactions": 2,
            "in_rate": 2,
            "budget": "101.00",
            "award": "100.01",
            "saving": "0.99",
            "saving_rate_pct": "0.98",
        },
        {
            "by": {"regime": "WORKS"},
            "transactions": 1,
            "in_rate": 1,
            "budget": "50.00",
            "award": "60.00",
            "saving": "-10.00",
            "saving_rate_pct": "-20.00",
        },
    ]
    empty = writers.document(reckon([]))
    assert (empty["budget"], empty["saving_rate_pct"], empty["rate_if_negative_rows_are_dropped_pct"]) == (
        "0.00",
        None,
        None,
    )


def test_money_is_exact_beyond_any_float() -> None:
    big = 10**17 + 1
    assert writers.document(reckon([Row("a", big, big - 1), Row("b", big, 1)]))["budget"] == "2000000000000000.02"
    assert writers.document(reckon([Row("a", 11234567, 1)], places=3))["budget"] == "11234.567"


def test_rounded_totals_explain_why_two_rates_are_right() -> None:
    """Rulebook §6.4: from 30.18 and 29.46 alone the rate reads 2.39, between 2.3529 and 2.4184."""
    made = reckon([Row("a", 301_770_000_000, 294_648_000_000)])
    assert writers.rounded_totals(made) == {
        "unit": "yi",
        "budget": "30.18",
        "award": "29.46",
        "rate_pct": "2.39",
        "min_pct": "2.3529",
        "max_pct": "2.4184",
    }
    assert any("2.39" in line and "2.36" in line for line in writers.caveats(made, "en"))
    assert writers.rounded_totals(reckon([Row("a", 3_018_000_000_00, 2_946_000_000_00)])) is None


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.promise("U3")
def test_csv_cells_are_inert_and_numbers_stay_numbers(lang: str) -> None:
    made = reckon([Row(str(n), 10_00, 20_00, region=text) for n, text in enumerate(NASTY)], by=["region"])
    text = writers.csv_text(made, lang)
    head, *lines = csv.reader(io.StringIO(text, newline=""))
    assert len(head) == 7 and len(lines) == len(NASTY) + 1
    assert all(line[0].startswith("'") for line in lines[:-1])
    assert {line[5] for line in lines[:-1]} == {"-10.00"}


@pytest.mark.promise("U3")
def test_xlsx_opens_again_as_text_and_numbers() -> None:
    rows = [Row(text, 10**18, 5_00, region=text, purchaser=text) for text in NASTY] + [
        Row("z", 10_00, 7_00, date=date(2018, 1, 2))
    ]
    made = reckon(rows, by=["region"])
    data = writers.xlsx_bytes(made, rows, "zh")
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["汇总", "分组", "分年", "例外（保留在率内）", "不计入率的", "明细"]
    cells = [cell for sheet in book for line in sheet.iter_rows() for cell in line]
    assert not [cell.value for cell in cells if cell.data_type == "f" or cell.hyperlink]
    ids = [line[0].value for line in book["明细"].iter_rows(min_row=2)]
    assert [str(found).replace("_x000D_", "\r") for found in ids][:3] == NASTY[:3]
    last = [cell.value for cell in list(book["明细"].iter_rows())[-1]]
    assert last[12:] == [10, 7, "计入率"]
    assert book["明细"].cell(2, 13).value == "10000000000000000.00"  # more digits than a float keeps: text
    assert data == writers.xlsx_bytes(made, rows, "zh")


def test_xlsx_lays_the_breakdown_out_by_year() -> None:
    rows = [
        Row("a", 100_00, 90_00, region="北区", date=date(2025, 3, 1)),
        Row("b", 200_00, 190_00, region="北区", date=date(2026, 3, 1)),
        Row("c", 50_00, 50_00, region="南区", date=date(2026, 4, 1)),
        Row("d", 10**17 + 1, 10**17 - 1, region="南区", date=date(2026, 5, 1)),
    ]
    made = reckon(rows, by=["region", "month"])
    book = openpyxl.load_workbook(io.BytesIO(writers.xlsx_bytes(made, rows, "zh")))
    lines = [[cell for cell in line if cell is not None] for line in book["分年"].iter_rows(values_only=True)]
    assert lines[:5] == [
        ["节约率 %"],
        ["地区", "2025", "2026", "合计"],
        ["北区", 10, 5, 6.67],
        ["南区", 0, 0],
        ["合计", 10, 0, 0],
    ]
    at = lines.index(["预算"])
    assert lines[at + 3] == ["南区", "1000000000000050.01", "1000000000000050.01"]  # a hole beside it, and still whole


def test_terminal_columns_stand_and_obey_no_stranger() -> None:
    made = reckon(
        [Row("a\x1b[31m\u202e红", 10_00, 200_00, region="青岚县"), Row("b", 10_00, 9_00, region="x")], by=["region"]
    )
    text = writers.table_text(made, "zh")
    assert "\x1b" not in text and "\u202e" not in text
    lines = [line for line in text.split("\n") if line.startswith(("地区", "青岚县", "x ", "合计 "))]
    assert len(lines) == 4 and len({writers.width(line) for line in lines}) == 1
    assert (writers.width("标段a"), writers.width("é")) == (5, 1)


def test_figures_show_the_mean_discount_apart() -> None:
    """Rule ST-05."""
    made = reckon(
        [
            Row("a", 10, None, price_form="fee_rate", discount_pct=Decimal("8.35")),
            Row("b", 10, None, price_form="fee_rate"),
        ]
    )
    assert made.mean_discount_pct == "8.35"
    assert ("Mean discount % of results without a total", "8.35 (1)") in writers.figures(made, "en")

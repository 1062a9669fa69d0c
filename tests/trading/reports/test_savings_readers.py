"""Files become rows exactly, or are refused with every fault, its place and its code."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.errors import Invalid
from trading.reports.readers import read
from trading.reports.savings import reckon
from trading.reports.source import Table

DATA = Path(__file__).parents[2] / "data"


def faults(data: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read(data)
    assert refused.value.code == "savings.file"
    return [(fault.where, fault.code) for fault in refused.value.faults]


def table(text: str, encoding: str = "utf-8") -> Table:
    return read(text.encode(encoding))


# --- tables -----------------------------------------------------------------------------------------------------------


def test_headings_in_any_order_and_language_units_and_encodings() -> None:
    """Rule ST-08."""
    text = "成交金额（万元）,编号,采购方式,budget(亿元),结果公告日期,制度,计价形式,状态\n"
    text += "120.5,甲-1,公开招标,0.0125,2018年3月5日,政府采购,总价,成交\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        [one] = table(text, encoding).rows
        assert (one.id, one.budget, one.award, one.method, one.date, one.regime, one.status) == (
            "甲-1",
            125_000_000,
            120_500_000,
            "公开招标",
            date(2018, 3, 5),
            "GP",
            "awarded",
        )
    assert table(text.replace(",", "\t")).rows == table(text).rows


@pytest.mark.parametrize(
    ("unit", "fen"),
    [("元", 12500), ("万元", 125_000_000), ("亿元", 1_250_000_000_000), ("", 12500), ("1", 125_000_000)],
)
def test_a_column_names_the_unit_of_each_row(unit: str, fen: int) -> None:
    assert table(f"id,budget,award,unit\na,125,125,{unit}\n").rows[0].budget == fen


def test_amounts_are_read_as_people_write_them() -> None:
    rows = table('id,budget,award\na,"1,250,000.50",¥12\nb,１２３４．５,—\nc,-,/\n').rows
    assert [(one.budget, one.award, one.status) for one in rows] == [
        (125000050, 1200, "awarded"),
        (123450, None, "pending"),
        (None, None, "pending"),
    ]


def test_finer_amounts_than_cents_stay_exact() -> None:
    found = table("id,预算金额（万元）,award\na,1.1234567,3\n")
    assert (found.places, found.rows[0].budget, found.rows[0].award) == (3, 11234567, 3000)


def test_titles_and_totals_are_passed_over_and_noted() -> None:
    found = table("2018年汇总,,\n\n编号,预算金额,成交金额\na,10,9\n合计,10,9\n")
    assert [one.id for one in found.rows] == ["a"]
    assert found.notes == (("line 1", "title_line"), ("line 5", "total_line"))


def test_discounts_of_results_without_a_total() -> None:
    """Rule ST-05."""
    rows = table("id,budget,award,price_form,下浮率\na,10,下浮12.5%,下浮率,\nb,10,,unit_price,8\n").rows
    assert [(one.award, str(one.discount_pct), one.status) for one in rows] == [
        (None, "12.5", "awarded"),
        (None, "8", "awarded"),
    ]


def test_one_category_has_one_spelling_in_a_table() -> None:
    assert {one.category for one in table("id,budget,award,category\na,1,1,货物\nb,1,1,GOODS\nc,1,1,goods\n").rows} == {
        "货物"
    }


def test_every_fault_is_named_with_its_place() -> None:
    text = (
        "id,budget,award,status,date,currency,regime,price_form,unit\n"
        "a,x,-5,流了,2018-02-30,人民,LAND,总,斤\n"
        ",1e5,1.2.3,,,,,,\n"
        "b,1,1,,,,,,,extra\n"
        "c,1000000000000000000,12,34,,,,,\n"
    )
    assert faults(text.encode()) == [
        ("line 2, price_form", "cell.unknown_word"),
        ("line 2, unit", "cell.unknown_word"),
        ("line 2, budget", "cell.not_a_number"),
        ("line 2, award", "cell.negative"),
        ("line 2, status", "cell.unknown_word"),
        ("line 2, date", "cell.bad_date"),
        ("line 2, currency", "cell.currency"),
        ("line 2, regime", "cell.unknown_word"),
        ("line 3, id", "cell.no_id"),
        ("line 3, budget", "cell.not_a_number"),
        ("line 3, award", "cell.not_a_number"),
        ("line 4", "csv.too_many_cells"),
        ("line 5, budget", "cell.too_large"),
        ("line 5, status", "cell.unknown_word"),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file.empty"),
        (b" \n ", "file.empty"),
        (b"\xff\xfe\x00", "file.encoding"),
        (b"a\0b", "file.not_text"),
        (b"\x81\xff\xff", "file.encoding"),
        (b"\xd0\xcf\x11\xe0rest", "file.old_excel"),
        (b"PK\x03\x04rest", "xlsx.broken"),
        (b"hello", "table.no_headings"),
        (b"id,budget,award\n", "table.no_rows"),
        (b"id,budget,budget,award\na,1,1,1\n", "table.heading_twice"),
        ("id,budget（斤）,award\na,1,1\n".encode(), "table.unknown_unit"),
        ("id,budget（万元）,award,unit\na,1,1,元\n".encode(), "cell.two_units"),
        (b'id,budget,award\n"a,1,1\n', "csv.broken"),
        (b"id,budget\na,1\n", "table.no_headings"),
    ],
)
def test_unfit_files(data: bytes, code: str) -> None:
    assert code in [found for _, found in faults(data)]


# --- XLSX -------------------------------------------------------------------------------------------------------------


def workbook(*rows: list[object], first: list[list[object]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if first is not None:
        for line in first:
            sheet.append(line)
        sheet = book.create_sheet("数据")
    for line in rows:
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_xlsx_numbers_dates_and_a_sheet_of_its_own() -> None:
    found = read(
        workbook(
            ["编号", "预算金额（万元）", "成交金额", "结果公告日期"],
            [17, 12.34, "1,000.10", datetime(2018, 3, 5, 12)],
            ["b", 0.29, 5, 20180306],
            first=[["封面"]],
        )
    )
    assert [(one.id, one.budget, one.award, one.date) for one in found.rows] == [
        ("17", 12340000, 100010, date(2018, 3, 5)),
        ("b", 290000, 500, date(2018, 3, 6)),
    ]


def test_xlsx_faults_name_sheet_and_cell() -> None:
    data = workbook(["id", "budget", "award"], ["a", 1234567890123.4567, True], ["b", "#DIV/0!", 1])
    assert faults(data) == [
        ("Sheet!B2", "cell.float_digits"),
        ("Sheet!C2", "cell.not_a_number"),
        ("Sheet!B3", "cell.not_a_number"),
    ]


def test_xlsx_bombs_are_not_opened() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        with parts.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as stream:
            for _ in range(1025):
                stream.write(bytes(1 << 20))
    assert faults(out.getvalue()) == [("", "xlsx.bomb")]


def test_xlsx_entities_are_not_expanded() -> None:
    source = io.BytesIO(workbook(["id", "budget", "award"], ["a", 1, 1]))
    out = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                body = data[data.index(b"<worksheet") :]
                data = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "boom">]>' + body
            new.writestr(name, data)
    assert faults(out.getvalue()) == [("", "xlsx.broken")]


# --- OCDS -------------------------------------------------------------------------------------------------------------


def process(ocid: str, budget: object, *awards: object, **more: object) -> dict[str, object]:
    return {
        "ocid": ocid,
        "id": ocid,
        "date": "2020-01-01T00:00:00Z",
        "tag": ["award"],
        "initiationType": "tender",
        "tender": {"id": "1", "value": {"amount": budget, "currency": "CNY"}},
        "awards": [
            {"id": str(n), "status": "active", "value": {"amount": award, "currency": "CNY"}}
            for n, award in enumerate(awards)
        ],
        **more,
    }


def package(*releases: object) -> bytes:
    return json.dumps({"releases": releases}).encode()


def test_public_notices_of_philgeps() -> None:
    """Ten processes of a real register: one without an award, one whose award is 24 times its budget; neither is dropped silently."""
    found = read((DATA / "philgeps" / "release_package.json").read_bytes())
    report = reckon(found.rows, places=found.places)
    assert len(found.rows) == 10
    assert (report.currency, report.transactions, report.budget, report.award) == (
        "PHP",
        9,
        12_622_402_51,
        21_673_536_53,
    )
    assert (
        [one.id for one in report.exceptions]
        == ["ocds-philgeps-poc-8602960-ministry-of-public-works"]
        == list(report.negative_rows)
    )
    assert report.excluded == (("ocds-philgeps-poc-6412776-barangay-taloto-camalig-", "no_award"),)


def test_releases_are_merged_and_planning_goes_before_the_tender() -> None:
    """The standard's own example: six releases, budget 6.7 million in planning, a pending award that becomes active."""
    [one] = read((DATA / "ocds-sample" / "ocds-213czf-000-00001.json").read_bytes()).rows
    assert (one.budget, one.award, one.currency, one.project) == (670_000_000, 1_100_000_000, "GBP", "SP001")


def test_sum_of_active_awards_only() -> None:
    release = process("o", 100, 30, 40)
    release["awards"][1]["status"] = "cancelled"  # type: ignore[index]
    [one] = read(package(release)).rows
    assert (one.award, one.status) == (3000, "awarded")
    release["awards"][0]["status"] = "pending"  # type: ignore[index]
    assert read(package(release)).rows[0].status == "pending"
    release["awards"] = [
        {"id": "1", "status": "active"},
        {"id": "2", "status": "active", "value": {"amount": 5, "currency": "CNY"}},
    ]
    assert read(package(release)).rows[0].award is None  # a sum with a gap in it is no sum


def test_a_corrected_award_replaces_the_earlier_one() -> None:
    """Rule ST-09, whatever the order in the package."""
    late = process("o", 100, 80, date="2020-03-01T00:00:00Z")
    for releases in ((process("o", 100, 90), late), (late, process("o", 100, 90))):
        [one] = read(package(*releases)).rows
        assert one.award == 8000


@pytest.mark.parametrize(
    ("status", "read_as"),
    [
        ("unsuccessful", "failed"),
        ("cancelled", "cancelled"),
        ("withdrawn", "cancelled"),
        ("active", "pending"),
        ("complete", "pending"),
    ],
)
def test_processes_without_an_award(status: str, read_as: str) -> None:
    release = process("o", 100)
    release["tender"]["status"] = status  # type: ignore[index]
    assert read(package(release)).rows[0].status == read_as


def test_two_currencies_in_one_process_do_not_meet() -> None:
    release = process("o", 100, 30)
    release["awards"][0]["value"]["currency"] = "USD"  # type: ignore[index]
    assert read(package(release)).rows[0].currency is None


def test_packages_records_lines_and_lists_say_the_same() -> None:
    one, two = process("a", 100.25, 90.5), process("b", 7, 6)
    want = read(package(one, two)).rows
    record = {"ocid": "a", "compiledRelease": {**one, "tag": ["compiled"]}}
    lines = [json.dumps(one), json.dumps(two)]
    for data in (
        "\n".join(lines),
        "\r\n".join(lines) + "\r\n\n",
        json.dumps([one, two]),
        json.dumps({"records": [record, {"ocid": "b", "releases": [two]}]}),
        json.dumps(record) + "\n" + json.dumps({"releases": [two]}),
        json.dumps({"releases": [one, two]}, indent=2),
    ):
        assert read(data.encode()).rows == want, data


def test_numbers_are_never_floats() -> None:
    [one] = read(package(process("o", 100, 30)).replace(b'"amount": 100', b'"amount": 900719925474099.37')).rows
    assert one.budget == 90071992547409937


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"releases": [1]}', ("releases[0]", "ocds.not_an_object")),
        (b'{"releases": 5}', ("releases", "ocds.not_a_list")),
        (b'{"a": 1}', ("", "ocds.not_ocds")),
        (b'{"releases": []}', ("", "ocds.nothing")),
        (b'{"releases": [{"id": "1"}]}', ("releases[0].ocid", "ocds.no_ocid")),
        (
            b'{"records": [{"ocid": "a", "releases": [{"url": "https://x"}]}]}',
            ("records[0].releases[0]", "ocds.linked_release"),
        ),
        (b'{"records": [{"ocid": "a"}]}', ("records[0]", "ocds.empty_record")),
        (b'{"ocid": "a"}\n{"ocid": ', ("line 2, column 10", "json.broken")),
        (b"{\n\n!", ("line 3, column 1", "json.broken")),
        (b'{"x": NaN}', ("", "json.broken")),
        (b"[" * 100_000, ("", "json.too_deep")),
        (package(process("o", "12", 3)), ("releases[0].tender.value.amount", "cell.not_a_number")),
        (package(process("o", -12, 3)), ("releases[0].tender.value.amount", "cell.negative")),
        (package(process("o", 1, True)), ("releases[0].awards[0].value.amount", "cell.not_a_number")),
        (
            package(process("o", 5, 3)).replace(b'"amount": 5', b'"amount": 1e999999999'),
            ("releases[0].tender.value.amount", "cell.too_large"),
        ),
        (
            package(process("o", 5, 3)).replace(b'"amount": 5', b'"amount": 1e-999999999'),
            ("releases[0].tender.value.amount", "cell.too_fine"),
        ),
    ],
)
def test_unfit_packages(data: bytes, found: tuple[str, str]) -> None:
    assert found in faults(data)


@given(st.binary(max_size=200) | st.text('{}[],:"\n ab1编号预算成交金额', max_size=80).map(str.encode))
def test_law_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    try:
        read(data)
    except Invalid as refused:
        assert refused.faults

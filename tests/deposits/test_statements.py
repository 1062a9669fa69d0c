"""Statement files as banks write them, and as they are when something is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deposits.bank import statements
from trading.kernel.errors import Invalid
from trading.kernel.money import Money

ZH = "日期,金额,对方户名,对方账号,附言,流水号,余额\n"
EN = "date,amount,name,account,text,bank_id,balance\n"


def codes(data: bytes) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refusal:
        statements.read_csv(data)
    assert refusal.value.code == "statement.file"
    return {(fault.where, fault.code) for fault in refusal.value.faults}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("head", [ZH, EN])
def test_both_languages_and_encodings(head: str, encoding: str) -> None:
    text = head + '2026-03-18 09:30:05,"50,000.00",云枢信息技术有限公司,6222 0001,保证金,B1,50000.00\n'
    text += "2026/3/19,-12.00,银行,,手续费,B2,49988\n"
    first, second = statements.read_csv(text.encode(encoding))
    assert (first.amount_minor, first.name, first.account, first.bank_id) == (
        5000000,
        "云枢信息技术有限公司",
        "62220001",
        "B1",
    )
    assert first.at == datetime(2026, 3, 18, 1, 30, 5, tzinfo=UTC) and first.row == 2
    assert (second.day, second.at, second.amount_minor, second.balance_minor) == (
        date(2026, 3, 19),
        None,
        -1200,
        4998800,
    )


def test_the_newest_first_is_turned_round_and_other_separators_are_read() -> None:
    rows = ["20260318\t100\tA\t1\t\tB1\t100", "2026年3月19日\t50\tB\t2\t\tB2\t150", "2026.03.20\t-30\tC\t3\t\tB3\t120"]
    for order in (rows, rows[::-1]):
        text = EN.replace(",", "\t") + "\n".join(order)
        assert [line.bank_id for line in statements.read_csv(text.encode())] == ["B1", "B2", "B3"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("2026-02-30,1,A,1,,B1,1", ("2.date", "statement.date")),
        ("18.3.26,1,A,1,,B1,1", ("2.date", "statement.date")),
        ("2026-03-18 25:00,1,A,1,,B1,1", ("2.date", "statement.date")),
        ("2026-03-18,1O,A,1,,B1,1", ("2.amount", "money.letters")),
        ("2026-03-18,0.005,A,1,,B1,1", ("2.amount", "money.precision")),
        ("2026-03-18,0,A,1,,B1,1", ("2.amount", "statement.nothing_moved")),
        ("2026-03-18,1,A,1,,,1", ("2.bank_id", "form.required")),
        ("2026-03-18,1,A,1,,B1,", ("2.balance", "money.empty")),
        ("2026-03-18,1,A,1,," + "9" * 65 + ",1", ("2.bank_id", "statement.cell_long")),
    ],
)
def test_a_faulty_cell_is_named(row: str, fault: tuple[str, str]) -> None:
    assert codes((EN + row).encode()) == {fault}


def test_all_faults_at_once_and_nothing_taken() -> None:
    found = codes((EN + "x,1,A,1,,B1,1\n2026-03-18,y,A,1,,,2\n").encode())
    assert found == {("2.date", "statement.date"), ("3.amount", "money.letters"), ("3.bank_id", "form.required")}


def test_a_missing_or_altered_line_shows_in_the_balance() -> None:
    rows = ["2026-03-18,100,A,1,,B1,100", "2026-03-18,50,B,2,,B2,150", "2026-03-18,30,C,3,,B3,180"]
    assert len(statements.read_csv((EN + "\n".join(rows)).encode())) == 3
    assert codes((EN + "\n".join([rows[0], rows[2]])).encode()) == {("3", "statement.balance")}
    assert codes((EN + "\n".join([rows[0], rows[1].replace("50,B", "51,B"), rows[2]])).encode()) == {
        ("3", "statement.balance")
    }
    assert codes((EN + "\n".join([rows[0], rows[1].replace("B2", "B1"), rows[2]])).encode()) == {
        ("3", "statement.id_twice")
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "statement.empty"),
        (b"\n\n", "statement.empty"),
        (EN.encode(), "statement.empty"),
        (b"\xff\xfe\x00\x01", "statement.encoding"),
        (b"date,amount\n2026-03-18,1\n", "statement.headings"),
        ((EN.strip() + ",date\n1,1,1,1,1,1,1,1").encode(), "statement.headings"),
        ((EN + '2026-03-18,"1,A,1,,B1,1').encode(), "statement.csv"),
    ],
)
def test_a_file_that_is_none(data: bytes, code: str) -> None:
    assert {found for _, found in codes(data)} == {code}


def test_the_template_is_the_headings() -> None:
    assert statements.write_csv([]).decode("utf-8-sig").strip() == ",".join(statements.HEADINGS.values())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        statements.read_csv(data)
    except Invalid:
        pass


@given(st.lists(st.integers(-(10**9), 10**9).filter(bool), min_size=1, max_size=20))
def test_what_is_written_is_read(amounts: list[int]) -> None:
    cells, balance = [], 0
    for n, amount in enumerate(amounts):
        balance += amount
        cells.append(("2026-03-18", Money(amount).text(), "名,“称”", "1", "a\nb", f"B{n}", Money(balance).text(), ""))
    assert [line.amount_minor for line in statements.read_csv(statements.write_csv(cells))] == amounts

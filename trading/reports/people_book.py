"""A workbook of organisations, people and experts becomes lines: XLSX with a sheet each, or CSV of one of them. Headings in Chinese or
English, in any order, under the names people give them; title lines above them are passed over. An empty one to fill in is written here
too.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from trading.kernel.errors import Faults
from trading.parties.bulk import FIRMS, PEOPLE, Book, Line, Sheet, folded
from trading.reports.readers import decoded
from trading.reports.source import lines_of

EXPERTS = "experts"
MOST_BYTES = 1 << 20
MOST_CELLS = 100 << 20
"""Bytes a workbook may unfold to."""
TITLES = {FIRMS: ("单位", "Organisations"), PEOPLE: ("人员", "People"), EXPERTS: ("专家", "Experts")}
HEADINGS: dict[str, dict[str, tuple[str, ...]]] = {
    FIRMS: {
        "code": ("统一社会信用代码", "Credit code", "信用代码", "单位代码", "代码", "code"),
        "name": ("单位名称", "Name", "名称", "organisation", "name"),
        "kind": ("单位性质", "Kind", "性质", "类型", "kind"),
        "region": ("地区", "District", "行政区划", "region"),
        "small": ("小微企业", "Small firm", "中小企业", "small"),
        "bank_name": ("开户行", "Bank", "开户银行", "bank_name"),
        "bank_account": ("基本户账号", "Basic account", "银行账号", "账号", "bank_account"),
    },
    PEOPLE: {
        "username": ("登录名", "Username", "用户名", "账号", "username"),
        "person": ("姓名", "Full name", "名字", "name", "person"),
        "code": ("单位代码", "Credit code", "统一社会信用代码", "信用代码", "code", "party"),
        "roles": ("身份", "Roles", "角色", "roles", "role"),
        "mail": ("邮箱", "Mail address", "电子邮箱", "邮件", "mail", "email"),
        "reason": ("授权理由", "Why this person", "理由", "事由", "reason"),
    },
    EXPERTS: {
        "username": ("登录名", "Username", "用户名", "username"),
        "code": ("专家编号", "Expert code", "编号", "code"),
        "unit": ("工作单位", "Place of work", "单位", "unit"),
        "specialties": ("专业", "Specialties", "评审专业", "specialties"),
        "region": ("地区", "District", "region"),
    },
}
"""Each with the heading of the template in both languages first."""
NEEDED = {
    FIRMS: ("code", "name", "kind"),
    PEOPLE: ("username", "person", "code", "roles", "mail"),
    EXPERTS: ("username", "code", "unit", "specialties"),
}
EXAMPLES = {
    FIRMS: (
        (
            "代码在第一列，每行一个单位；已登记的单位不必再写。",
            "One organisation a line; those entered already may be left out.",
        ),
    ),
    PEOPLE: (
        (
            "身份可写多个，用顿号隔开；持钥、保证金、监督和管理类身份须写授权理由，由另一位安全管理员确认。",
            "Several roles are parted by commas; roles of weight need a reason, and a second administrator confirms them.",
        ),
    ),
    EXPERTS: (
        ("由交易中心用 bidhall import experts 录入专家库。", "Taken into the library by bidhall import experts."),
    ),
}


def read(data: bytes) -> dict[str, Sheet]:
    """The sheets of a file by what they hold. Refuses: Invalid ``people.file`` with every fault of its form."""
    faults = Faults()
    found: dict[str, Sheet] = {}
    if len(data) > MOST_BYTES:
        faults.add("", "file.too_large", most_mib=MOST_BYTES >> 20)
    elif data.startswith(b"PK\x03\x04"):
        found = _of_workbook(data, faults)
    elif data.startswith(b"\xd0\xcf\x11\xe0"):
        faults.add("", "file.old_excel")
    elif (text := decoded(data, faults)) is not None:
        found = _of_csv(text, faults)
    if not found and not faults.found:
        faults.add("", "people.no_sheet", wanted="; ".join(_wanted(kind, NEEDED[kind]) for kind in (FIRMS, PEOPLE)))
    faults.refuse_if_any("people.file")
    return found


def book_of(sheets: Mapping[str, Sheet]) -> Book:
    return Book(sheets.get(FIRMS, Sheet()), sheets.get(PEOPLE, Sheet()))


def _of_workbook(data: bytes, faults: Faults) -> dict[str, Sheet]:
    import defusedxml  # noqa: F401  (openpyxl reads XML through it when it is there; without it this must not run)
    import openpyxl

    found: dict[str, Sheet] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_CELLS:
                faults.add("", "xlsx.bomb", most_mib=MOST_CELLS >> 20)
                return {}
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                if hasattr(sheet, "reset_dimensions"):
                    sheet.reset_dimensions()
                    rows = enumerate(sheet.iter_rows(values_only=True, max_col=50), start=1)
                    _take(found, str(sheet.title), rows, faults)
        finally:
            book.close()
    except Exception as error:  # a damaged workbook fails in many ways, and none of them is ours
        faults.add("", "xlsx.broken", detail=type(error).__name__)
    return found


def _of_csv(text: str, faults: Faults) -> dict[str, Sheet]:
    mark = max(",\t;", key=lambda one: text.split("\n", 1)[0].count(one))
    found: dict[str, Sheet] = {}
    reader = csv.reader(lines_of(text), delimiter=mark, strict=True)

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        start = 1
        for row in reader:
            yield start, row
            start = reader.line_num + 1

    try:
        _take(found, "csv", rows(), faults)
    except csv.Error as error:
        faults.add(f"line {reader.line_num}", "csv.broken", detail=str(error))
    return found


def _take(found: dict[str, Sheet], title: str, rows: Iterator[tuple[int, Sequence[Any]]], faults: Faults) -> None:
    """One sheet, if the headings of one of ours stand among its first lines; any other is left alone."""
    for number, row in rows:
        known = {kind: _heads(kind, row) for kind in HEADINGS}
        kind = max(known, key=lambda one: (title in TITLES[one], len(known[one])))
        heads = known[kind]
        if len(heads) >= 2 and len(heads) >= len(NEEDED[kind]) - 2:
            break
        if number >= 20:
            return
    else:
        return
    lacking = [name for name in NEEDED[kind] if name not in heads]
    if lacking:
        faults.add(f"{title}!{number}", "table.no_headings", wanted=_wanted(kind, lacking))
        return
    if kind in found:
        faults.add(title, "people.sheet_twice", other=found[kind].title)
        return
    lines = []
    for number, cells in rows:
        values = {name: _cell(cells[at]) for name, (at, _) in heads.items() if at < len(cells)}
        if any(values.values()):
            lines.append(Line(number, values))
    found[kind] = Sheet(title, {name: word for name, (_, word) in heads.items()}, tuple(lines))


def _heads(kind: str, row: Sequence[Any]) -> dict[str, tuple[int, str]]:
    """Field → (column, heading); of a heading that stands twice the first."""
    known = {folded(word): name for name, words in HEADINGS[kind].items() for word in (*words, name)}
    found: dict[str, tuple[int, str]] = {}
    for column, cell in enumerate(row):
        name = known.get(re.sub(r"\(.*\)$|\*", "", folded(_cell(cell))))
        if name is not None:
            found.setdefault(name, (column, _cell(cell)))
    return found


def _cell(cell: Any) -> str:
    """As it is read: numbers without a point that nobody wrote, days as days."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date)):
        return cell.isoformat()[:10]
    return str(cell).strip()


def _wanted(kind: str, names: Iterable[str]) -> str:
    return f"{TITLES[kind][0]}: " + ", ".join(HEADINGS[kind][name][0] for name in names)


def template(lang: str, kinds: Sequence[str], roles: Sequence[str]) -> bytes:
    """An empty workbook, a sheet each. ``kinds``, ``roles``: the words that may stand there."""
    import xlsxwriter

    at = 0 if lang == "zh" else 1
    out = io.BytesIO()
    # Nothing in it is ever run: no text becomes a formula or a link.
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
    bold, small = (
        book.add_format({"bold": True, "bottom": 1}),
        book.add_format({"font_color": "#666666", "italic": True}),
    )
    as_text = book.add_format({"num_format": "@"})
    for kind, titles in TITLES.items():
        sheet = book.add_worksheet(titles[at])
        sheet.write_string(0, 0, EXAMPLES[kind][0][at], small)
        for column, (name, words) in enumerate(HEADINGS[kind].items()):
            sheet.write_string(1, column, words[at] + (" *" if name in NEEDED[kind] else ""), bold)
            sheet.set_column(column, column, 24, as_text)
        sheet.freeze_panes(2, 0)
        columns = list(HEADINGS[kind])
        if kind == FIRMS:
            column = columns.index("kind")
            sheet.data_validation(2, column, 1001, column, {"validate": "list", "source": list(kinds)})
        if kind == PEOPLE:
            listed = book.add_worksheet(("可选的身份", "Roles to choose")[at])
            for line, word in enumerate(roles):
                listed.write_string(line, 0, word)
            listed.set_column(0, 0, 40)
    book.close()
    return out.getvalue()

"""CSV and XLSX tables with the headings of the savings command, in Chinese or English, in any order, become rows.

A money heading may name its unit, ``预算金额（万元）``; a column ``单位`` may name it for each row; without either it is the main
unit. Two different units for one amount are a fault, not a guess. Title lines above the headings and lines of totals below the rows
are passed over and noted.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from trading.kernel.errors import Faults
from trading.reports import savings
from trading.reports.amounts import NOTHING, UNITS, AmountFault, Scale, cell_amount, cell_percent, plain
from trading.reports.source import Table, lines_of

HEADINGS: dict[str, tuple[str, ...]] = {
    "id": ("编号", "标段编号", "包号", "采购包编号", "标段（包）编号"),
    "project": ("项目", "项目编号", "项目名称"),
    "regime": ("制度",),
    "category": ("类别",),
    "method": ("采购方式", "招标方式"),
    "date": ("结果公告日期", "结果公告日"),
    "purchaser": ("采购人", "招标人"),
    "agency": ("代理机构",),
    "region": ("地区", "区县"),
    "status": ("状态",),
    "price_form": ("计价形式",),
    "budget": ("预算金额", "预算"),
    "award": ("成交金额", "中标金额", "中标（成交）金额", "成交（中标）金额"),
    "currency": ("币种",),
    "unit": ("单位", "金额单位"),
    "discount": ("下浮率", "优惠率"),
}
REQUIRED = ("id", "budget", "award")
MONEY = ("budget", "award")

STATUSES = {
    word: status
    for status, words in {
        savings.AWARDED: "awarded 已成交 成交 中标 已中标 已定标 已完成 complete result contract filing closing archived 结果公告 合同签订 "
        "归档 收尾 合同公告与备案",
        savings.FAILED: "failed 流标 废标 失败 采购失败 招标失败 unsuccessful",
        savings.TERMINATED: "terminated 终止 已终止 取消 cancelled withdrawn",
        savings.SUPERSEDED: "superseded 已更正 被更正 已替换",
        savings.PENDING: "pending 进行中 planning planned active draft filed returned accepted intent pq_notice pq_review "
        "pq_result notice doc_issue clarify bidding opening qual_review evaluation negotiation report candidates award "
        "suspended 公告 开标 评标 评审 定标 受理 暂停 中标候选人公示",
    }.items()
    for word in words.split()
}
PRICE_FORMS = {
    word: form
    for form, words in {
        "total": "total total_price lump_sum 总价 固定总价",
        "unit_price": "unit_price 单价 固定单价 综合单价",
        "discount_rate": "discount_rate discount 下浮率 折扣率 优惠率 折扣",
        "fee_rate": "fee_rate 费率",
        "framework_ceiling": "framework_ceiling framework 框架 框架协议 框架上限 框架只有上限",
    }.items()
    for word in words.split()
}
REGIMES = {
    "gp": "GP",
    "政府采购": "GP",
    "works": "WORKS",
    "工程": "WORKS",
    "工程建设": "WORKS",
    "建设工程": "WORKS",
    "工程建设项目": "WORKS",
    "工程建设项目招标投标": "WORKS",
}
CATEGORIES = {
    "goods": "GOODS",
    "货物": "GOODS",
    "货物类": "GOODS",
    "services": "SERVICES",
    "服务": "SERVICES",
    "服务类": "SERVICES",
    "works": "WORKS",
    "工程": "WORKS",
    "工程类": "WORKS",
}
CURRENCIES = {
    "人民币": "CNY",
    "人民币元": "CNY",
    "rmb": "CNY",
    "元": "CNY",
    "美元": "USD",
    "欧元": "EUR",
    "日元": "JPY",
    "港元": "HKD",
    "港币": "HKD",
    "英镑": "GBP",
}
TOTALS = frozenset({"合计", "总计", "小计", "共计", "total", "sum", "totals", "subtotal"})
_DAY = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?:[T ].*)?", re.ASCII)
_UNIT_OF = re.compile(r"^(.*?)\s*\(\s*(?:单位[:：]?\s*)?([^()]*?)\s*\)$")

NAMES = {plain(word).lower(): field for field, words in HEADINGS.items() for word in (field, *words)}


def from_text(text: str, faults: Faults) -> Table | None:
    """Rows of a CSV text; the delimiter is the one of comma, tab and semicolon under which most headings are known."""
    head = text.split("\n", 20)[:20]
    known = {
        mark: max(
            (len(_fields(next(csv.reader([line], delimiter=mark), []))) for line in head if line.strip()), default=0
        )
        for mark in ",\t;"
    }
    mark = max(known, key=lambda one: known[one])

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        reader = csv.reader(lines_of(text), delimiter=mark, strict=True)
        try:
            start = 1
            for row in reader:
                yield start, row
                start = reader.line_num + 1
        except csv.Error as error:
            faults.add(f"line {reader.line_num}", "csv.broken", detail=str(error))

    return _rows(rows(), faults, "csv", lambda line, column, name: f"line {line}, {name}")


def from_sheets(data: bytes, faults: Faults) -> Table | None:
    """Rows of the first sheet of an XLSX workbook that has the headings."""
    import defusedxml  # noqa: F401  (openpyxl reads XML through it when it is there; without it this must not run)
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > 1 << 30:
                faults.add("", "xlsx.bomb", most_mib=1024)
                return None
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:  # a damaged workbook fails in many ways, and none of them is ours
        faults.add("", "xlsx.broken", detail=type(error).__name__)
        return None
    try:
        for sheet in book.worksheets:
            if not hasattr(sheet, "reset_dimensions"):
                continue
            sheet.reset_dimensions()
            if any(_is_head(row) for row in sheet.iter_rows(max_row=20, values_only=True)):
                break
        else:
            faults.add("", "table.no_headings", wanted=_wanted(REQUIRED))
            return None
        title = sheet.title
        return _rows(
            enumerate(sheet.iter_rows(values_only=True), start=1),
            faults,
            "xlsx",
            lambda line, column, name: f"{title}!{openpyxl.utils.get_column_letter(column + 1)}{line}",
        )
    except Exception as error:
        faults.add("", "xlsx.broken", detail=type(error).__name__)
        return None
    finally:
        book.close()


def _heading(cell: Any) -> tuple[str, str] | None:
    """(field, unit word) of a heading cell, or None."""
    text = re.sub(r"\s+", "", plain(cell)).lower() if cell is not None else ""
    if text in NAMES:
        return NAMES[text], ""
    found = _UNIT_OF.match(text)
    if found and found.group(1) in NAMES:
        return NAMES[found.group(1)], found.group(2)
    return None


def _fields(row: Sequence[Any]) -> list[tuple[int, str, str]]:
    return [(column, *known) for column, cell in enumerate(row) if (known := _heading(cell)) is not None]


def _is_head(row: Sequence[Any]) -> bool:
    names = {name for _, name, _ in _fields(row)}
    return len(names) >= 2 and bool(names & {"id", *MONEY})


def _wanted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {HEADINGS[name][0]}" for name in names)


def _rows(lines: Iterator[tuple[int, Sequence[Any]]], faults: Faults, source: str, place: Any) -> Table | None:
    columns: dict[str, int] = {}
    powers: dict[str, int] = {}
    notes: list[tuple[str, str]] = []
    for line, row in lines:
        if _is_head(row):
            for column, name, unit in _fields(row):
                if name in columns:
                    faults.add(place(line, column, name), "table.heading_twice", heading=plain(row[column]))
                columns[name] = column
                if unit and name in MONEY:
                    if unit in UNITS and unit not in ("0", "1"):
                        powers[name] = UNITS[unit]
                    else:
                        faults.add(place(line, column, name), "table.unknown_unit", value=unit)
            break
        if any(cell not in (None, "") for cell in row):
            notes.append((f"line {line}", "title_line"))
        if line > 20:
            break
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        faults.add("", "table.no_headings", wanted=_wanted(missing))
        return None
    scale, width = Scale(), len(row)
    reader = _RowReader(columns, powers, faults, place, scale)
    drafts = []
    for line, row in lines:
        kind = reader.kind(row)
        if kind == "total":
            notes.append((f"line {line}", "total_line"))
        elif kind == "row":
            if source == "csv" and any(cell.strip() for cell in row[width:]):
                faults.add(f"line {line}", "csv.too_many_cells", cells=len(row), headings=width)
            drafts.append(reader.row(line, row))
    if not drafts and not faults.found:
        faults.add("", "table.no_rows")
    if faults.found:
        return None
    return Table(
        [draft._replace(budget=scale.whole(draft.budget), award=scale.whole(draft.award)) for draft in drafts],
        scale.places,
        source,
        tuple(notes),
    )


class _RowReader:
    """Reads the cells of one table's rows; the first spelling of a category stands for the others of the table."""

    def __init__(
        self, columns: dict[str, int], powers: dict[str, int], faults: Faults, place: Any, scale: Scale
    ) -> None:
        self.columns, self.powers, self.faults, self.place, self.scale = columns, powers, faults, place, scale
        self.spelled: dict[str, str] = {}

    def cell(self, row: Sequence[Any], name: str) -> Any:
        column = self.columns.get(name)
        return row[column] if column is not None and column < len(row) else None

    def words(self, row: Sequence[Any], name: str) -> str | None:
        cell = self.cell(row, name)
        if cell is None:
            return None
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        text = str(cell).strip()
        return text if text and plain(text).lower() not in NOTHING else None

    def kind(self, row: Sequence[Any]) -> str:
        """``empty``, ``total`` or ``row``."""
        filled = [plain(cell).replace(" ", "").lower() for cell in row if cell is not None and str(cell).strip()]
        if not filled:
            return "empty"
        first = self.words(row, "id")
        if first is None:
            return "total" if TOTALS & set(filled) else "row"
        return "total" if plain(first).replace(" ", "").lower() in TOTALS else "row"

    def row(self, line: int, row: Sequence[Any]) -> Any:
        def wrong(name: str, code: str, **facts: Any) -> None:
            self.faults.add(self.place(line, self.columns.get(name, 0), name), code, **facts)

        def one_of(name: str, known: dict[str, str], default: str | None, shown: str) -> str | None:
            text = self.words(row, name)
            if text is None:
                return default
            found = known.get(re.sub(r"\s+", "", plain(text)).lower())
            if found is None:
                wrong(name, "cell.unknown_word", value=text[:60], known=shown)
            return found

        ident = self.words(row, "id")
        if ident is None:
            wrong("id", "cell.no_id")
        price_form = (
            one_of(
                "price_form",
                PRICE_FORMS,
                "total",
                "总价 total, 单价 unit_price, 下浮率 discount_rate, 费率 fee_rate, 框架 framework_ceiling",
            )
            or "total"
        )
        power = self._row_power(row, wrong)
        amounts: dict[str, Decimal | None] = {}
        discount = None
        for name in MONEY:
            cell = self.cell(row, name)
            if name == "award" and price_form != "total" and (discount := cell_percent(cell)) is not None:
                amounts[name] = None
                continue
            own = self.powers.get(name)
            if own is not None and power is not None and own != power:
                wrong(name, "cell.two_units", value=plain(self.cell(row, "unit")))
            try:
                amounts[name] = cell_amount(cell, own if own is not None else power or 0)
                self.scale.see(amounts[name])
            except AmountFault as fault:
                amounts[name] = None
                wrong(name, fault.code, value=fault.value)
        stated = self.words(row, "discount")
        if stated is not None:
            discount = cell_percent(stated if stated.endswith(("%", "％")) else f"{stated}%")
            if discount is None:
                wrong("discount", "cell.not_a_number", value=stated[:60])
        status = one_of(
            "status", STATUSES, None, "成交 awarded, 流标 failed, 终止 terminated, 已更正 superseded, 进行中 pending"
        )
        if status is None:
            status = savings.AWARDED if amounts["award"] is not None or price_form != "total" else savings.PENDING
        category = self.words(row, "category")
        if category is not None:
            category = self.spelled.setdefault(CATEGORIES.get(plain(category).lower(), category), category)
        return savings.Row(
            id=ident or "",
            budget=amounts["budget"],  # type: ignore[arg-type]
            award=amounts["award"],  # type: ignore[arg-type]
            status=status,
            price_form=price_form,
            date=self._day(row, wrong),
            currency=self._currency(row, wrong),
            project=self.words(row, "project"),
            regime=one_of("regime", REGIMES, None, "政府采购 GP, 工程 WORKS"),
            category=category,
            method=self.words(row, "method"),
            purchaser=self.words(row, "purchaser"),
            agency=self.words(row, "agency"),
            region=self.words(row, "region"),
            discount_pct=discount,
        )

    def _row_power(self, row: Sequence[Any], wrong: Any) -> int | None:
        text = self.words(row, "unit")
        if text is None:
            return None
        power = UNITS.get(plain(text).lower())
        if power is None:
            wrong("unit", "cell.unknown_word", value=text[:60], known="元, 万元, 亿元")
        return power

    def _currency(self, row: Sequence[Any], wrong: Any) -> str:
        text = self.words(row, "currency")
        if text is None:
            return "CNY"
        word = plain(text)
        found = CURRENCIES.get(word.lower()) or word.upper()
        if not re.fullmatch("[A-Z]{3}", found, re.ASCII):
            wrong("currency", "cell.currency", value=text[:40])
        return found

    def _day(self, row: Sequence[Any], wrong: Any) -> date | None:
        cell = self.cell(row, "date")
        if isinstance(cell, datetime):
            return cell.date()
        if isinstance(cell, date):
            return cell
        text = self.words(row, "date")
        if text is None:
            return None
        found = _DAY.fullmatch(plain(text))
        if found:
            try:
                return date(int(found[1]), int(found[2] or found[4]), int(found[3] or found[5]))
            except ValueError:
                pass
        wrong("date", "cell.bad_date", value=text[:40])
        return None

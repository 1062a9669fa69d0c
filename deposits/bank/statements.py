"""Bank statements as CSV files: read strictly, line by line, with a balance that must add up.

Headings (any order, Chinese or English): date 日期, amount 金额 (out: negative), name 对方户名, account 对方账号, text 附言, bank_id
流水号, balance 余额; sub_account 子账号 where the bank has such a column. UTF-8 or GB 18030, comma, semicolon or tab. Pure: bytes in, lines
out; what a line means is decided elsewhere.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trading.kernel.calendar import BEIJING
from trading.kernel.errors import Fault, Invalid
from trading.kernel.money import Money

HEADINGS = {
    "date": "日期",
    "amount": "金额",
    "name": "对方户名",
    "account": "对方账号",
    "text": "附言",
    "bank_id": "流水号",
    "balance": "余额",
    "sub_account": "子账号",
}
OPTIONAL = frozenset({"sub_account"})
MAX_LINES = 100_000
_BY_WORD = {word: key for key, zh in HEADINGS.items() for word in (key, zh)}
_DATE = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)


@dataclass(frozen=True)
class StatementLine:
    """``row``: line of the file, the heading being 1. ``day``: Beijing date; ``at``: aware UTC, where the bank names the time. Amounts in
    fen, out negative; ``balance_minor`` after the line."""

    row: int
    day: dt.date
    at: dt.datetime | None
    amount_minor: int
    name: str
    account: str
    text: str
    bank_id: str
    balance_minor: int
    sub_account: str = ""

    @property
    def opening_minor(self) -> int:
        return self.balance_minor - self.amount_minor

    @property
    def same(self) -> tuple[object, ...]:
        """What must agree when the bank sends a line again."""
        return (self.day, self.amount_minor, self.name, self.account)


def read_csv(data: bytes) -> list[StatementLine]:
    """The lines of a statement, oldest first (files that begin with the newest are turned round).

    A file is fit as a whole or not at all. Refuses: Invalid ``statement.file`` with every fault: ``statement.encoding``,
    ``statement.headings``, ``statement.empty``, ``statement.too_long``, faults of cells by their row, ``statement.id_twice``,
    ``statement.balance`` (a balance that does not follow from the line before).
    """
    rows = _rows(_decoded(data))
    found, faults = [], []
    for number, row in rows:
        line, wrong = _line(number, row)
        faults += wrong
        if line is not None:
            found.append(line)
    seen: dict[str, int] = {}
    for line in found:
        if line.bank_id in seen:
            faults.append(
                Fault(f"{line.row}", "statement.id_twice", {"bank_id": line.bank_id, "row": seen[line.bank_id]})
            )
        seen.setdefault(line.bank_id, line.row)
    if not faults and (broken := _broken(found)) is not None:
        found.reverse()
        if _broken(found) is not None:
            faults.append(Fault(f"{broken.row}", "statement.balance", {"balance": Money(broken.balance_minor)}))
    if faults:
        raise Invalid("statement.file", faults=faults, count=len(faults))
    return found


def write_csv(lines: Iterable[Sequence[str]], lang: str = "zh") -> bytes:
    """A statement file: a row of headings, then the cells in the order of HEADINGS. No lines: the template to fill in."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADINGS.values() if lang == "zh" else HEADINGS.keys())
    writer.writerows(lines)
    return out.getvalue().encode("utf-8-sig")


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Invalid("statement.file", faults=[Fault("file", "statement.encoding")], count=1)


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Invalid(
            "statement.file", faults=[Fault("file", "statement.csv", {"reason": str(error)})], count=1
        ) from error
    numbered = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(table, 1)
        if any(cell.strip() for cell in row)
    ]
    if not numbered:
        raise Invalid("statement.file", faults=[Fault("file", "statement.empty")], count=1)
    names = [_BY_WORD.get(cell.lower(), "") for cell in numbered[0][1]]
    missing = [f"{key} {zh}" for key, zh in HEADINGS.items() if key not in names and key not in OPTIONAL]
    if missing or any(names.count(key) > 1 for key in HEADINGS):
        raise Invalid("statement.file", faults=[Fault("1", "statement.headings", {"missing": missing})], count=1)
    if len(numbered) == 1:
        raise Invalid("statement.file", faults=[Fault("file", "statement.empty")], count=1)
    if len(numbered) > MAX_LINES:
        raise Invalid("statement.file", faults=[Fault("file", "statement.too_long", {"most": MAX_LINES})], count=1)
    return [(number, {key: cell for key, cell in zip(names, row, strict=False) if key}) for number, row in numbered[1:]]


def _line(number: int, row: dict[str, str]) -> tuple[StatementLine | None, list[Fault]]:
    faults: list[Fault] = []
    amounts: dict[str, int] = {}
    for key in ("amount", "balance"):
        try:
            amounts[key] = Money.parse(row.get(key, ""), negative=True).minor
        except Invalid as refusal:
            faults.append(Fault(f"{number}.{key}", refusal.code, refusal.facts))
    if amounts.get("amount") == 0:
        faults.append(Fault(f"{number}.amount", "statement.nothing_moved"))
    if not row.get("bank_id"):
        faults.append(Fault(f"{number}.bank_id", "form.required"))
    for key, most in (("bank_id", 64), ("name", 200), ("account", 64), ("text", 400), ("sub_account", 64)):
        if len(row.get(key, "")) > most:
            faults.append(Fault(f"{number}.{key}", "statement.cell_long", {"most": most}))
    day, at = _moment(row.get("date", ""))
    if day is None:
        faults.append(Fault(f"{number}.date", "statement.date", {"text": row.get("date", "")[:40]}))
    if faults or day is None:
        return None, faults
    return StatementLine(
        number,
        day,
        at,
        amounts["amount"],
        row.get("name", ""),
        "".join(row.get("account", "").split()),
        row.get("text", ""),
        row["bank_id"],
        amounts["balance"],
        "".join(row.get("sub_account", "").split()),
    ), []


def _moment(text: str) -> tuple[dt.date | None, dt.datetime | None]:
    """The Beijing date, and the moment in UTC where a time stands with it."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None, None
    year, month, day, hour, minute, second = match.groups()
    try:
        found = dt.date(int(year), int(month), int(day))
        if hour is None:
            return found, None
        clock = dt.time(int(hour), int(minute), int(second or 0))
    except ValueError:
        return None, None
    return found, dt.datetime.combine(found, clock, tzinfo=BEIJING).astimezone(dt.UTC)


def _broken(lines: list[StatementLine]) -> StatementLine | None:
    """The first line whose balance does not follow from the one before."""
    return next((after for before, after in pairwise(lines) if after.opening_minor != before.balance_minor), None)

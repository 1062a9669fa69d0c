"""A savings report as JSON, as a table for a terminal, as CSV and as XLSX.

Numbers are written from whole small units, never through a binary float that could change them. Text of strangers (names, ids) stays
text everywhere: a spreadsheet must not run it, a terminal must not obey it.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trading.kernel.exact import written, written_exactly
from trading.reports.pivot import ByYear, Cell, by_year
from trading.reports.savings import Distribution, Row, Savings, rate_pct, treatments
from trading.reports.words import reason, word

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")
_UNITS = (("亿元", "hundred million", 8), ("万元", "ten thousand", 4), ("元", "", 0))


def money(amount: int, places: int) -> str:
    """The exact amount in the main unit, with at least two decimals."""
    return written_exactly(Fraction(amount, 10**places))


def rounded_totals(report: Savings) -> dict[str, str] | None:
    """The rate that a reader gets from totals rounded to 0.01 of a large unit, and what such totals allow; None where nothing
    was rounded away. Both rates are right: one is of the sums, the other of what is left of them (the rulebook §6.4)."""
    if report.budget <= 0:
        return None
    power = _power(report)
    unit = 10 ** (report.places + power)
    shown_budget, shown_award = (written(Fraction(amount, unit)) for amount in (report.budget, report.award))
    budget, award, half = int(shown_budget.replace(".", "")) * 10, int(shown_award.replace(".", "")) * 10, 5
    if budget <= half or (
        Fraction(report.budget, unit) * 1000 == budget and Fraction(report.award, unit) * 1000 == award
    ):
        return None
    return {
        "unit": {8: "yi", 4: "wan", 0: "one"}[power],
        "budget": shown_budget,
        "award": shown_award,
        "rate_pct": rate_pct(budget, award) or "",
        "min_pct": rate_pct(budget - half, award + half, 4) or "",
        "max_pct": rate_pct(budget + half, award - half, 4) or "",
    }


def _power(report: Savings) -> int:
    """The power of ten of the unit that totals are shown in; other currencies than yuan are not counted in 万."""
    if report.currency != "CNY":
        return 0
    return next(power for _, _, power in _UNITS if report.budget >= 10 ** (power + report.places) or power == 0)


def document(report: Savings, spread: Distribution | None = None) -> dict[str, Any]:
    """The JSON document of the savings command."""
    places = report.places

    def sums(budget: int, award: int) -> dict[str, Any]:
        return {
            "budget": money(budget, places),
            "award": money(award, places),
            "saving": money(budget - award, places),
            "saving_rate_pct": rate_pct(budget, award),
        }

    answer: dict[str, Any] = {
        "currency": report.currency,
        "transactions": report.transactions,
        "projects": report.projects,
        **sums(report.budget, report.award),
        "negative_rows": list(report.negative_rows),
        "excluded": [{"id": ident, "reason": why} for ident, why in report.excluded],
        "exceptions": [
            {
                "id": one.id,
                "reason": "award_far_from_budget",
                "budget": money(one.budget, places),
                "award": money(one.award, places),
                "times": written(Fraction(one.award, one.budget), 4),
            }
            for one in report.exceptions
        ],
        "failed": report.failed,
        "terminated": report.terminated,
        "groups": [
            {
                "by": dict(zip(report.by, group.by, strict=True)),
                "transactions": group.transactions,
                **sums(group.budget, group.award),
                "in_rate": group.in_rate,
            }
            for group in report.groups
        ],
        "rate_if_negative_rows_are_dropped_pct": rate_pct(*report.without_negative),
        "rate_if_zero_and_negative_rows_are_dropped_pct": rate_pct(*report.only_positive),
        "in_rate": report.in_rate,
        "mean_discount_pct": report.mean_discount_pct,
        "from": report.since.isoformat() if report.since else None,
        "to": report.until.isoformat() if report.until else None,
        "rate_from_rounded_totals": rounded_totals(report),
    }
    if spread is not None:
        answer["distribution"] = {
            "median_pct": spread.median_pct,
            "mean_of_rates_pct": spread.mean_of_rates_pct,
            "bins": [{"from": low, "below": high, "lots": lots} for low, high, lots in spread.bins],
        }
    return answer


# --- the parts every human form shares --------------------------------------------------------------------------------


def grouped(amount: str) -> str:
    """Thousands commas: ``1234567.80`` becomes ``1,234,567.80``."""
    sign, digits = ("-", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, point, rest = digits.partition(".")
    return f"{sign}{re.sub(r'(?<=[0-9])(?=([0-9]{3})+$)', ',', whole)}{point}{rest}"


def shown(amount: int, places: int) -> str:
    """An amount for people: two decimals, half up, with commas (rule ST-11)."""
    return grouped(written(Fraction(amount, 10**places)))


def figures(report: Savings, lang: str, spread: Distribution | None = None) -> list[tuple[str, str]]:
    """The report's figures, as (word, value) for people."""
    large = _power(report)

    def total(amount: int) -> str:
        text = f"{shown(amount, report.places)} {report.currency}"
        if not large:
            return text
        name = next(zh if lang == "zh" else f"{en} yuan" for zh, en, power in _UNITS if power == large)
        return f"{text} ({grouped(written(Fraction(amount, 10 ** (report.places + large))))} {name})"

    lines = [
        ("transactions", str(report.transactions)),
        ("projects", str(report.projects)),
        ("in_rate", str(report.in_rate)),
        ("budget", total(report.budget)),
        ("award", total(report.award)),
        ("saving", total(report.budget - report.award)),
        ("saving_rate_pct", rate_pct(report.budget, report.award) or "–"),
        ("failed", str(report.failed)),
        ("terminated", str(report.terminated)),
    ]
    if report.since or report.until:
        lines.insert(0, ("period", f"{report.since or '…'} – {report.until or '…'}"))
    if spread is not None:
        lines += [("median", spread.median_pct), ("mean", spread.mean_of_rates_pct)]
    if report.mean_discount_pct is not None:
        lines.append(("mean_discount_pct", f"{report.mean_discount_pct} ({report.discounts})"))
    return [(word(key, lang), value) for key, value in lines]


def caveats(report: Savings, lang: str) -> list[str]:
    """What the figures do not say, in sentences."""
    said = [word("rate_rule", lang)]
    rounded = rounded_totals(report)
    if rounded and rounded["unit"] != "one" and rounded["rate_pct"] != rate_pct(report.budget, report.award):
        zh, en = {"yi": ("亿元", "hundred million yuan"), "wan": ("万元", "ten thousand yuan")}[rounded["unit"]]
        said.append(
            word("rounded", lang).format(
                unit=zh if lang == "zh" else en,
                budget=rounded["budget"],
                award=rounded["award"],
                rate=rounded["rate_pct"],
                low=rounded["min_pct"],
                high=rounded["max_pct"],
                exact=rate_pct(report.budget, report.award),
            )
        )
    said += [
        f"{word(key, lang)}: {rate_pct(*sums) or '–'}"
        for key, sums in (("dropped", report.without_negative), ("dropped_zero", report.only_positive))
    ]
    return [*said, word("price_rule", lang)]


def _labels(by: Sequence[str], values: Sequence[str | None], lang: str) -> list[str]:
    """The values of a line's dimensions as people read them."""
    return [
        word(value, lang) if dimension == "regime" and value else value or word("none", lang)
        for dimension, value in zip(by, values, strict=True)
    ]


def group_table(report: Savings, lang: str, *, exact: bool = False) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of the breakdown, the total last; ``exact``: amounts unrounded and without commas."""

    def amounts(budget: int, award: int) -> list[str]:
        write = money if exact else shown
        return [
            *(write(amount, report.places) for amount in (budget, award, budget - award)),
            rate_pct(budget, award) or "",
        ]

    head = [
        word(key, lang)
        for key in (*report.by, "transactions", "in_rate", "budget", "award", "saving", "saving_rate_pct")
    ]
    lines = [
        [
            *_labels(report.by, group.by, lang),
            str(group.transactions),
            str(group.in_rate),
            *amounts(group.budget, group.award),
        ]
        for group in report.groups
    ]
    labels = [word("total", lang), *[""] * (len(report.by) - 1)] if report.by else []
    return head, [
        *lines,
        [*labels, str(report.transactions), str(report.in_rate), *amounts(report.budget, report.award)],
    ]


def year_blocks(across: ByYear, report: Savings, lang: str) -> list[tuple[list[str], str]]:
    """Lines of a sheet: for each figure a block with the years across, exact amounts; beside each line whether it is a "head", a "line" or
    "space" between two blocks."""
    side = max(len(across.by), 1)
    years = [year or word("none", lang) for year in across.years]

    def name(words: tuple[str, ...], last: bool) -> list[str]:
        if last:
            return [word("total", lang), *[""] * (side - 1)]
        return _labels(across.by, words, lang)

    def figure(cell: Cell | None, measure: str) -> str:
        if cell is None:
            return ""
        if measure == "saving_rate_pct":
            return rate_pct(cell.budget, cell.award) or ""
        if measure == "transactions":
            return str(cell.transactions)
        amount = cell.budget - cell.award if measure == "saving" else getattr(cell, measure)
        return money(amount, report.places)

    found: list[tuple[list[str], str]] = []
    for measure in ("saving_rate_pct", "budget", "award", "saving", "transactions"):
        labels = [word(dimension, lang) for dimension in across.by] or [""]
        found.append(([word(measure, lang), *[""] * (side - 1)], "head"))
        found.append(([*labels, *years, word("total", lang)], "head"))
        for number, (words, cells, total) in enumerate(across.lines, start=1):
            figures = [figure(cell, measure) for cell in (*cells, total)]
            found.append(([*name(words, number == len(across.lines)), *figures], "line"))
        found.append(([], "space"))
    return found


# --- terminal ---------------------------------------------------------------------------------------------------------


def width(text: str) -> int:
    """Columns a terminal needs for the text: two for a wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def tame(text: str) -> str:
    """The text without what a terminal obeys: control and direction marks become �."""
    return "".join("�" if unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") else mark for mark in text)


def aligned(head: Sequence[str], lines: Sequence[Sequence[str]], *, right: int) -> str:
    """A table in columns; the last ``right`` columns stand to the right."""
    cells = [[tame(cell) for cell in line] for line in (head, *lines)]
    widths = [max(width(line[column]) for line in cells) for column in range(len(head))]

    def laid(line: Sequence[str]) -> str:
        return "  ".join(
            " " * (size - width(cell)) + cell if column >= len(head) - right else cell + " " * (size - width(cell))
            for column, (cell, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()

    return "\n".join([laid(cells[0]), "  ".join("-" * size for size in widths), *(laid(line) for line in cells[1:])])


def table_text(report: Savings, lang: str, spread: Distribution | None = None) -> str:
    """The report for a terminal."""
    parts = [word("title", lang), aligned(("", ""), figures(report, lang, spread), right=1).split("\n", 2)[2]]
    if report.by:
        head, lines = group_table(report, lang)
        parts.append(aligned(head, lines, right=6))
    if report.exceptions:
        parts.append(
            word("exceptions", lang)
            + "\n"
            + aligned(
                [word(key, lang) for key in ("id", "budget", "award", "times", "reason")],
                [
                    [
                        one.id,
                        shown(one.budget, report.places),
                        shown(one.award, report.places),
                        written(Fraction(one.award, one.budget), 4),
                        word("award_far_from_budget", lang),
                    ]
                    for one in report.exceptions
                ],
                right=0,
            )
        )
    if report.negative_rows:
        parts.append(
            word("negative_rows", lang) + "\n" + "\n".join("  " + tame(ident) for ident in report.negative_rows)
        )
    if report.excluded:
        parts.append(
            word("excluded", lang)
            + "\n"
            + aligned(
                [word("id", lang), word("reason", lang)],
                [[ident, reason(why, lang)] for ident, why in report.excluded],
                right=0,
            )
        )
    parts.append(word("notes", lang) + "\n" + "\n".join("  " + line for line in caveats(report, lang)))
    return "\n\n".join(parts) + "\n"


# --- CSV and XLSX -----------------------------------------------------------------------------------------------------


def inert(text: str) -> str:
    """A CSV cell no spreadsheet runs: text that begins like a formula gets an apostrophe, plain numbers stay numbers."""
    return f"'{text}" if text.lstrip(" \u00a0\u3000\ufeff").startswith(_RUNS) or text.startswith(_RUNS) else text


def csv_text(report: Savings, lang: str) -> str:
    """The breakdown and its total as CSV (RFC 4180), exact amounts. English headings are the keys of the JSON document."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    head, lines = group_table(report, lang, exact=True)
    writer.writerow(
        head
        if lang == "zh"
        else [*report.by, "transactions", "in_rate", "budget", "award", "saving", "saving_rate_pct"]
    )
    names = len(report.by)
    for line in lines:
        writer.writerow([inert(cell) if column < names else cell for column, cell in enumerate(line)])
    return out.getvalue()


def xlsx_bytes(report: Savings, rows: Sequence[Row], lang: str, spread: Distribution | None = None) -> bytes:
    """A workbook: summary, breakdown, what is not in the rate, and every row with its treatment."""
    import xlsxwriter

    out = io.BytesIO()
    # The days of creation are fixed so that the same figures give the same bytes.
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"title": word("title", lang), "created": datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)})
    bold = book.add_format({"bold": True, "bottom": 1})
    plain = book.add_format({"num_format": "#,##0.00"})
    right = book.add_format({"align": "right"})

    def put(sheet: Any, line: int, column: int, text: str, *, number: bool, head: Any = None) -> None:
        # More than 15 digits do not survive in a spreadsheet's float, so such an amount is kept as text.
        if number and _NUMBER.fullmatch(text):
            if len(text.lstrip("-").replace(".", "").lstrip("0")) <= 15:
                sheet.write_number(line, column, Decimal(text), plain if "." in text else None)
            else:
                sheet.write_string(line, column, text, right)
        else:
            sheet.write_string(line, column, text, head)

    def fill(name: str, head: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        sheet = book.add_worksheet(word(name, lang)[:31])
        for column, text in enumerate(head):
            sheet.write_string(0, column, text, bold)
        for line, cells in enumerate(lines, start=1):
            for column, text in enumerate(cells):
                put(sheet, line, column, text, number=column in numbers)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(head) - 1, 0), 22)

    fill(
        "summary",
        [word("title", lang), report.currency],
        [*figures(report, lang, spread), *(("", line) for line in caveats(report, lang))],
        (),
    )
    head, lines = group_table(report, lang, exact=True)
    fill("groups", head, lines, range(len(report.by), len(head)))
    verdicts = treatments(rows, currency=report.currency, since=report.since, until=report.until)
    across = by_year(rows, verdicts, [name for name in report.by if name not in ("month", "year")])
    if across.years:
        sheet = book.add_worksheet(word("by_year", lang))
        for line, (cells, kind) in enumerate(year_blocks(across, report, lang)):
            for column, text in enumerate(cells):
                if not text:
                    continue
                put(
                    sheet,
                    line,
                    column,
                    text,
                    number=kind == "line" and column >= len(across.by),
                    head=bold if kind == "head" else None,
                )
        sheet.freeze_panes(0, max(len(across.by), 1))
        sheet.set_column(0, max(len(across.by), 1) + len(across.years), 22)
    fill(
        "exceptions",
        [word(key, lang) for key in ("id", "budget", "award", "times", "reason")],
        [
            [
                one.id,
                money(one.budget, report.places),
                money(one.award, report.places),
                written(Fraction(one.award, one.budget), 4),
                word("award_far_from_budget", lang),
            ]
            for one in report.exceptions
        ],
        (1, 2, 3),
    )
    fill(
        "excluded",
        [word("id", lang), word("reason", lang)],
        [[ident, reason(why, lang)] for ident, why in report.excluded],
        (),
    )
    names = (
        "id",
        "project",
        "date",
        "regime",
        "category",
        "method",
        "purchaser",
        "agency",
        "region",
        "status",
        "price_form",
        "currency",
    )
    fill(
        "rows",
        [word(key, lang) for key in (*names, "budget", "award", "treatment")],
        [
            [
                *(str(getattr(row, name) or "") for name in names),
                "" if row.budget is None else money(row.budget, report.places),
                "" if row.award is None else money(row.award, report.places),
                word("in", lang) if why is None else reason(why, lang),
            ]
            for row, why in zip(rows, verdicts, strict=True)
            if why != "outside"
        ],
        (len(names), len(names) + 1),
    )
    book.close()
    return out.getvalue()

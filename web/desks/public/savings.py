"""The savings report: budget against award, from what has been published here, with what the figures do not say."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from flask import Response
from flask_babel import gettext as _

from trading.kernel.money import Money
from trading.kernel.work import View
from trading.reports import own, savings, writers
from trading.reports import words as report_words
from trading.reports.savings import Row, Savings
from trading.views import public_queries
from web import words
from web.desks.parts import charts
from web.desks.public import history
from web.desks.public.words import attachment, csv_answer, lang, page
from web.http.forms import Form
from web.http.gate import Desk, reading, request
from web.http.layout import address, page_of
from web.http.page_rules import ANYONE
from web.words import formatting
from web.words.regions import region_choices, region_name

desk = Desk("savings")
_NARROW = ("regime", "method", "category", "region", "agency")
_COLUMNS = ("id", "date", "regime", "method", "purchaser", "budget", "award", "saving_rate_pct", "treatment")
MOST_REGIONS = 14


@desk.page("/savings", needs=ANYONE)
def index() -> Any:
    with reading() as view:
        every, imported = own_rows(view), history.by_year(view)
    form, rows, since, until = _narrowed(every)
    report = savings.reckon(rows, by=("regime", "method"), since=since, until=until)
    treated = savings.treatments(rows, currency=report.currency, since=since, until=until)
    counted = [row for row, why in zip(rows, treated, strict=True) if why is None]
    spread = savings.distribution((row.budget or 0, row.award or 0) for row in counted)
    if (answer := _file(report, rows, spread)) is not None:
        return answer
    return page(
        "public/savings.html",
        form=form,
        report=report,
        spread=spread,
        choices=_choices(every),
        chosen=_chosen(),
        kpis=_kpis(report, spread, _drill),
        months=_months(report, rows, since, until),
        bands=_bands(spread),
        regions=_regions(report, counted),
        lines=_groups(report),
        unsaid=_unsaid(report),
        said=writers.caveats(report, lang()),
        any=bool(every),
        imported=imported,
        drill=_drill,
        files=[(name, address("/savings", request.args, format=name)) for name in ("csv", "xlsx", "json")],
    )


@desk.page("/savings/lots", needs=ANYONE)
def lots() -> Any:
    """Every result behind the figures, with how it was counted."""
    with reading() as view:
        every = own_rows(view)
    form, rows, since, until = _narrowed(every)
    currency = savings.main_currency(rows)
    treated = savings.treatments(rows, currency=currency, since=since, until=until)
    told = [(row, why) for row, why in zip(rows, treated, strict=True) if why != savings.OUTSIDE]
    case, band = request.args.get("case", ""), _band(str(request.args.get("band", "")))
    if case:
        told = [(row, why) for row, why in told if _is_case(row, why, case)]
    if band is not None:
        told = [(row, why) for row, why in told if why is None and _in_band(row, band)]
    told.reverse()
    pages = page_of(len(told), request.args, "/savings/lots", csv=True)
    shown = told[pages.offset : pages.offset + pages.size]
    if request.args.get("format") == "csv":
        head = [report_words.word(key, lang()) for key in _COLUMNS]
        return csv_answer("savings-lots.csv", head, [_cells(row, why) for row, why in shown])
    with reading() as view:
        papers = public_queries.notice_numbers(
            view, [row.id for row, _why in shown], ("result", "failure", "termination", "contract")
        )
    return page(
        "public/savings_lots.html",
        form=form,
        pages=pages,
        rows=[_drilled(row, why, papers.get(row.id, {})) for row, why in shown],
        choices=_choices(every),
        case=_case_words(case) or (_band_words(band) if band else ""),
        chosen=_chosen("/savings/lots"),
        total=len(told),
        back=address("/savings", request.args, case=None, band=None, page=None, rows=None, format=None),
    )


# --- rows -------------------------------------------------------------------------------------------------------------------------


def own_rows(view: View) -> list[Row]:
    return savings.own_rows(own.records(view.session))


def _narrowed(every: Sequence[Row]) -> tuple[Form, list[Row], date | None, date | None]:
    """The rows that meet the filters of the address, and the days of the period asked for."""
    form = Form.query()
    asked = {name: str(request.args.get(name, "")) for name in _NARROW}
    rows = [row for row in every if all(not value or getattr(row, name) == value for name, value in asked.items())]
    period = str(request.args.get("period", ""))
    month = re.fullmatch(r"([1-9]\d{3})-(0[1-9]|1[0-2])", period, re.ASCII)
    if month:
        first = date(int(month[1]), int(month[2]), 1)
        return form, rows, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if len(period) == 4 and period.isascii() and period.isdigit() and period > "0000":
        return form, rows, date(int(period), 1, 1), date(int(period), 12, 31)
    return form, rows, None, None


def _choices(every: Sequence[Row]) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: only what occurs."""
    speech = lang()
    found: dict[str, list[tuple[str, str]]] = {
        "period": [
            (str(year), str(year)) for year in sorted({row.date.year for row in every if row.date}, reverse=True)
        ]
    }
    for name in _NARROW:
        values = sorted({value for row in every if (value := getattr(row, name))})
        noun = {"regime": "regime", "method": "method", "category": "category"}.get(name)
        found[name] = [(value, words.state(noun, value, speech).text if noun else value) for value in values]
    found["region"] = region_choices([code for code, _same in found["region"]])
    return found


def _drill(**more: Any) -> str:
    """The rows behind a figure: the same filters, and what narrows to it."""
    return address("/savings/lots", request.args, **{"format": None, "page": None, **more})


Band = tuple[int | None, int | None]


def _band(text: str) -> Band | None:
    """``7-8``, ``-0`` (below 0) or ``15-`` of the address; None for anything else."""
    found = re.fullmatch(r"(\d{0,3})-(\d{0,3})", text, re.ASCII)
    if not found or not (found[1] or found[2]):
        return None
    return (int(found[1]) if found[1] else None), (int(found[2]) if found[2] else None)


def _band_words(band: Band) -> str:
    low, high = band
    text = f"<{high}%" if low is None else f"≥{low}%" if high is None else f"{low}%–{high}%"
    return _("Saving rate %(band)s", band=text)


def _in_band(row: Row, band: Band) -> bool:
    if not row.budget or row.award is None:
        return False
    rate = Fraction((row.budget - row.award) * 100, row.budget)
    return (band[0] is None or rate >= band[0]) and (band[1] is None or rate < band[1])


def _chosen(path: str = "/savings") -> list[tuple[str, str]]:
    speech, found = lang(), []
    for name in ("period", *_NARROW):
        if value := request.args.get(name, ""):
            label = (
                words.state(name, value, speech).text
                if name in ("regime", "method", "category")
                else region_name(value[:60])
            )
            found.append((label, address(path, request.args, **{name: None, "format": None, "page": None})))
    return found


# --- the parts of the page --------------------------------------------------------------------------------------------------------


def _kpis(report: Savings, spread: savings.Distribution | None, drill: Callable[..., str]) -> list[dict[str, Any]]:
    speech = lang()

    def sum_of(label: str, amount: int) -> dict[str, Any]:
        value, unit = formatting.big(Money(amount, report.currency), speech)
        return {
            "label": label,
            "value": value,
            "unit": unit,
            "note": formatting.money(Money(amount, report.currency), speech),
            "href": drill(),
        }

    rate = savings.rate_pct(report.budget, report.award)
    note = ""
    if spread:
        note = _(
            "median of lots %(median)s%%, mean of rates %(mean)s%%",
            median=spread.median_pct,
            mean=spread.mean_of_rates_pct,
        )
    ended = report.failed + report.terminated
    return [
        {
            "label": _("Rate of the sums"),
            "value": rate or formatting.NOTHING,
            "unit": "%" if rate else "",
            "note": note,
            "kind": "big",
            "href": drill(),
        },
        sum_of(_("Budget"), report.budget),
        sum_of(_("Award price"), report.award),
        sum_of(_("Saved"), report.budget - report.award),
        {
            "label": _("Lots in the rate"),
            "value": formatting.count(report.in_rate),
            "unit": f"/ {report.transactions:,}",
            "href": drill(),
            "note": _("%(n)s counted only, see below", n=report.transactions - report.in_rate),
        },
        {
            "label": _("Failed, terminated"),
            "value": formatting.count(ended),
            "unit": _("rounds"),
            "href": drill(case="ended") if ended else "",
            "note": _(
                "%(share)s of %(all)s rounds",
                share=formatting.percent(Fraction(ended * 100, ended + report.transactions)),
                all=ended + report.transactions,
            )
            if ended + report.transactions
            else "",
        },
    ]


def _scale(most: int, speech: str) -> tuple[int, str]:
    """(fen per unit, name of the unit) for the bars of a chart."""
    steps = ((10**10, "亿元"), (10**6, "万元")) if speech == "zh" else ((10**11, "bn yuan"), (10**8, "m yuan"))
    return next(((size, name) for size, name in steps if most >= size), (100, "元" if speech == "zh" else "yuan"))


def _months(report: Savings, rows: list[Row], since: date | None, until: date | None) -> dict[str, Any] | None:
    """Bars by month: the twelve up to the last one with a result, those without one empty; None without a month."""
    speech = lang()
    by_month = savings.reckon(rows, by=("month",), since=since, until=until, currency=report.currency).groups
    found = {str(group.by[0]): group for group in by_month if group.by[0] and group.in_rate}
    if not found:
        return None
    months = _twelve(max(found), since)
    held = [found.get(month) for month in months]
    size, unit = _scale(max(max(group.budget, group.award) for group in held if group), speech)
    labels = list(months)
    one_year = len({label[:4] for label in labels}) == 1
    if one_year:
        labels = [
            f"{int(label[5:])} 月"
            if speech == "zh"
            else formatting.day_words(date(2001, int(label[5:]), 1), "en").split(" ")[2]
            for label in labels
        ]
    chart = charts.columns(
        _("Budget, award and rate by month"),
        labels,
        [
            charts.Series(_("Budget"), [Fraction(group.budget, size) if group else None for group in held], "budget"),
            charts.Series(_("Award price"), [Fraction(group.award, size) if group else None for group in held]),
        ],
        line=charts.Series(
            _("Rate in percent (own scale, dashed: all)"),
            [Fraction((g.budget - g.award) * 100, g.budget) if g else None for g in held],
        ),
        mark=Fraction((report.budget - report.award) * 100, report.budget) if report.budget else None,
        notes=[str(group.in_rate) if group else "" for group in held],
        head=_("Month"),
        hrefs=[_drill(period=month) if group else "" for month, group in zip(months, held, strict=True)],
    )
    return {"chart": chart, "unit": unit}


def _twelve(last: str, since: date | None) -> list[str]:
    """The twelve months of the year asked for, or those up to ``last`` (``2026-11``)."""
    if since is not None:
        return [f"{since.year:04}-{month:02}" for month in range(1, 13)]
    end = int(last[:4]) * 12 + int(last[5:]) - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(end - 11, end + 1)]


def _bands(spread: savings.Distribution | None) -> Any:
    if spread is None:
        return None
    labels = [
        f"<{high}" if low is None else f"≥{low}" if high is None else f"{low}–{high}" for low, high, _n in spread.bins
    ]
    return charts.columns(
        _("Lots by saving rate"),
        labels,
        [charts.Series(_("Lots"), [n for _low, _high, n in spread.bins], places=0)],
        figures=True,
        head="%",
        height=150,
        hrefs=[
            _drill(band=f"{'' if low is None else low}-{'' if high is None else high}") if n else ""
            for low, high, n in spread.bins
        ],
    )


def _regions(report: Savings, counted: list[Row]) -> Any:
    """Districts side by side: the rate of the sums, the middle half and the tenth to ninetieth percentile of single lots."""
    held: dict[str, list[Row]] = {}
    for row in counted:
        if row.region:
            held.setdefault(row.region, []).append(row)
    if len(held) < 2:
        return None
    rows = []
    for name, lots_ in held.items():
        rates = sorted(Fraction(((r.budget or 0) - (r.award or 0)) * 100, r.budget or 1) for r in lots_)
        budget, award = sum(r.budget or 0 for r in lots_), sum(r.award or 0 for r in lots_)
        at = [rates[min(len(rates) - 1, max(0, -(-len(rates) * share // 100) - 1))] for share in (10, 25, 75, 90)]
        rows.append(charts.Row(region_name(name), at[0], at[1], Fraction((budget - award) * 100, budget), at[2], at[3]))
    rows.sort(key=lambda row: (-Fraction(row.value), row.label))
    return charts.spread(
        _("Rate by district"), rows[:MOST_REGIONS], mark=Fraction((report.budget - report.award) * 100, report.budget)
    )


def _groups(report: Savings) -> list[dict[str, Any]]:
    speech = lang()
    rates = [Fraction((g.budget - g.award) * 100, g.budget) for g in report.groups if g.budget]
    most = max([*rates, Fraction(1)])
    found = []
    for group in report.groups:
        regime, method = group.by
        rate = Fraction((group.budget - group.award) * 100, group.budget) if group.budget else None
        found.append(
            {
                "regime": regime,
                "method": method,
                "regime_words": words.state("regime", regime or "", speech).text,
                "method_words": words.state("method", method or "", speech).text,
                "in_rate": group.in_rate,
                "transactions": group.transactions,
                "budget": Money(group.budget, report.currency),
                "award": Money(group.award, report.currency),
                "saved": Money(group.budget - group.award, report.currency),
                "rate": rate,
                "share": charts.share(rate, most) if rate is not None else "0.00",
            }
        )
    return found


_UNSAID = (
    "negative",
    "price_form",
    "no_budget",
    "no_award",
    "other_currency",
    "failed",
    "terminated",
    "superseded",
    "far",
)


def _case_words(case: str) -> str:
    named = {
        "negative": _("Award above the budget"),
        "price_form": _("Unit prices, discounts, fee rates, frameworks"),
        "no_budget": _("No budget known"),
        "no_award": _("No award amount"),
        "other_currency": _("Another currency"),
        "failed": _("Failed rounds"),
        "terminated": _("Terminated"),
        "superseded": _("Replaced by a later result"),
        "ended": _("Failed and terminated rounds"),
        "far": _("Award more than ten times, or less than a tenth of, the budget"),
    }
    return named.get(case, "")


def _is_case(row: Row, why: str | None, case: str) -> bool:
    if case == "ended":
        return row.status in (savings.FAILED, savings.TERMINATED)
    if case in ("negative", "far"):
        if why is not None or not row.budget or row.award is None:
            return False
        if case == "negative":
            return row.award > row.budget
        return row.award > savings.FAR_TIMES * row.budget or row.award * savings.FAR_TIMES < row.budget
    return why == case or (case == "terminated" and why is not None and row.status == savings.CANCELLED)


def _unsaid(report: Savings) -> list[dict[str, Any]]:
    """Each exception with its number, how it is treated, and what the rate would be otherwise."""
    out = Counter(why for _id, why in report.excluded)
    numbers = {
        **{case: out.get(case, 0) for case in _UNSAID},
        "negative": len(report.negative_rows),
        "far": len(report.exceptions),
    }
    kept, aside = _("kept in the rate"), _("not in the rate, named")
    how = {
        "negative": kept,
        "far": kept,
        "price_form": _("counted only"),
        "failed": _("counted apart"),
        "terminated": _("counted apart"),
    }
    dropped = savings.rate_pct(*report.without_negative)
    otherwise = _("dropped, it would be %(rate)s%%", rate=dropped) if dropped else formatting.NOTHING
    if report.mean_discount_pct:
        how["price_form"] = _("counted only; mean discount %(pct)s%%", pct=report.mean_discount_pct)
    return [
        {
            "case": case,
            "words": _case_words(case),
            "n": numbers[case],
            "how": how.get(case, aside),
            "else": otherwise if case == "negative" and numbers[case] else formatting.NOTHING,
        }
        for case in _UNSAID
    ]


def _drilled(row: Row, why: str | None, papers: Mapping[str, int]) -> dict[str, Any]:
    rate = savings.rate_pct(row.budget, row.award) if row.budget and row.award is not None and why is None else None
    budget, award = (
        None if amount is None else Money(amount, row.currency or "CNY") for amount in (row.budget, row.award)
    )
    return {
        "row": row,
        "budget": budget,
        "award": award,
        "rate": f"{rate}%" if rate else formatting.NOTHING,
        "why": report_words.reason(why, lang()) if why else "",
        "notice": next((papers[kind] for kind in ("result", "failure", "termination") if kind in papers), None),
        "contract": "contract" in papers,
        "kind": next((kind for kind in ("result", "failure", "termination") if kind in papers), ""),
    }


def _cells(row: Row, why: str | None) -> list[str]:
    speech = lang()
    amounts = [
        "" if amount is None else Money(amount, row.currency or "CNY").text() for amount in (row.budget, row.award)
    ]
    rate = savings.rate_pct(row.budget, row.award) if row.budget and row.award is not None and why is None else None
    return [
        row.id,
        row.date.isoformat() if row.date else "",
        words.state("regime", row.regime or "", speech).text,
        words.state("method", row.method or "", speech).text,
        row.purchaser or "",
        *amounts,
        rate or "",
        report_words.reason(why, speech) if why else report_words.word("in", speech),
    ]


# --- files ------------------------------------------------------------------------------------------------------------------------


def _file(report: Savings, rows: list[Row], spread: savings.Distribution | None) -> Response | None:
    form, speech = request.args.get("format", ""), lang()
    if form == "csv":
        return attachment(
            writers.csv_text(report, speech).encode("utf-8-sig"), "savings.csv", "text/csv; charset=utf-8"
        )
    if form == "json":
        text = json.dumps(writers.document(report, spread), ensure_ascii=False, indent=1) + "\n"
        return attachment(text.encode(), "savings.json", "application/json")
    if form == "xlsx":
        return attachment(
            writers.xlsx_bytes(report, rows, speech, spread),
            "savings.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    return None

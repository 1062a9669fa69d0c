"""Results of the years before the platform on the public pages: apart from what was played here, and always said to be imported."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.kernel.money import Money
from trading.kernel.work import View
from trading.reports import history, savings
from trading.reports import words as report_words
from web import words
from web.desks.public.words import lang, page
from web.http.gate import Desk, reading, request
from web.http.layout import address, page_of
from web.http.page_rules import ANYONE
from web.words import formatting

desk = Desk("savings_history")


def by_year(view: View) -> dict[str, Any] | None:
    """The imported results by year, reckoned as the platform's own are; None where nothing was imported."""
    rows = savings.own_rows(history.records(view.session))
    if not rows:
        return None
    report = savings.reckon(rows, by=("year",))
    years = [
        {
            "year": group.by[0],
            "lots": group.in_rate,
            "all": group.transactions,
            "budget": Money(group.budget, report.currency),
            "award": Money(group.award, report.currency),
            "saved": Money(group.budget - group.award, report.currency),
            "rate": savings.rate_pct(group.budget, group.award),
            "href": address("/savings/imported", {"year": group.by[0] or ""}),
        }
        for group in report.groups
    ]
    return {"years": years, "sources": history.sources(view.session)}


@desk.page("/savings/imported", needs=ANYONE)
def rows() -> str:
    """Every imported result, with how it is counted."""
    with reading() as view:
        held, sources = savings.own_rows(history.records(view.session)), history.sources(view.session)
    year, speech = request.args.get("year", ""), lang()
    every = [row for row in held if not year or (row.date is not None and str(row.date.year) == year)]
    treated = savings.treatments(every, currency=savings.main_currency(every))
    pages = page_of(len(every), request.args, "/savings/imported")
    shown = list(zip(every, treated, strict=True))[pages.offset : pages.offset + pages.size]
    return page(
        "public/savings_imported.html",
        pages=pages,
        year=year,
        sources=sources,
        rows=[_shown(row, why, speech) for row, why in shown],
    )


def _shown(row: savings.Row, why: str | None, speech: str) -> dict[str, Any]:
    budget, award = (
        None if amount is None else Money(amount, row.currency or "CNY") for amount in (row.budget, row.award)
    )
    rate = savings.rate_pct(row.budget, row.award) if row.budget and row.award is not None and why is None else None
    return {
        "row": row,
        "budget": budget,
        "award": award,
        "rate": f"{rate}%" if rate else formatting.NOTHING,
        "regime": words.state("regime", row.regime or "", speech).text if row.regime else formatting.NOTHING,
        "why": report_words.reason(why, speech) if why else _("in the rate"),
    }

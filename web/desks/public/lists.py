"""The query form above lists of lots, and the list as CSV. Not a desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask_babel import gettext as _

from trading.kernel.errors import Invalid
from trading.procedures import REGIMES
from trading.tendering.projects import METHODS
from trading.views.public_queries import PHASES, Filters, LotLine
from web import words
from web.desks.public.words import budget_range, csv_answer, lang, zone
from web.http.forms import Form
from web.http.layout import address
from web.words import formatting
from web.words.regions import region_name

Chosen = list[tuple[str, str]]


def read_filters(form: Form, arguments: Mapping[str, Any], path: str, *, phase: str = "") -> tuple[Filters, Chosen]:
    """What the address asks for, with a way to drop each. A value that makes no sense is named beside its field and not used.

    ``phase``: the one shown where the address names none; ``phase=all`` asks for every one.
    """
    asked = form.choice("phase", (*PHASES, "all"), needed=False) or phase
    low = high = None
    try:
        low, high = budget_range(form.text("budget", needed=False, limit=40))
    except Invalid as refusal:
        form.fault("budget", refusal.code)
    filters = Filters(
        words=form.text("words", needed=False, limit=80),
        regime=form.choice("regime", REGIMES, needed=False),
        method=form.choice("method", METHODS, needed=False),
        region=form.text("region", needed=False, limit=40),
        phase="" if asked == "all" else asked,
        least=low,
        most=high,
    )
    speech = lang()
    chosen: Chosen = []

    def drop(label: str, **change: Any) -> None:
        chosen.append((label, address(path, arguments, page=None, format=None, **change)))

    if filters.words:
        drop(f"“{filters.words}”", words=None)
    for noun, value in (("regime", filters.regime), ("method", filters.method)):
        if value:
            drop(words.state(noun, value, speech).text, **{noun: None})
    if filters.region:
        drop(region_name(filters.region), region=None)
    if filters.phase:
        drop(words.state("phase", filters.phase, speech).text, phase="all")
    if low is not None or high is not None:
        drop(_("budget %(range)s", range=form.shown("budget")), budget=None)
    return filters, chosen


def lots_csv(lines: list[LotLine]) -> Response:
    """Exactly the rows shown."""
    speech = lang()
    head = [
        _("Lot"),
        _("Title"),
        _("Tender"),
        _("Transaction code"),
        _("Regime"),
        _("Method"),
        _("Purchaser"),
        _("District"),
        _("State"),
        _("Budget (yuan)"),
        _("Published"),
        _("Bid deadline"),
        _("Opening"),
    ]
    rows = [
        [
            line.ref,
            line.title,
            line.tender_title,
            line.code,
            words.state("regime", line.regime, speech).text,
            words.state("method", line.method, speech).text,
            line.purchaser,
            line.region,
            words.state("lot", line.state, speech).text,
            line.budget.text(),
            *(formatting.moment(at, speech, zone()) for at in (line.published_at, line.deadline, line.opens_at)),
        ]
        for line in lines
    ]
    return csv_answer("lots.csv", head, rows)

"""What a supervisor takes home: the papers of a lot, and the limits as a table for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from flask import Response
from flask_babel import gettext as _

from trading.disclosure import dossier
from trading.hall import papers
from trading.kernel.work import View
from trading.opening import ceremony
from trading.tendering.tenders import Lot
from trading.views.oversight import Limit
from web import words
from web.desks.public.result import scores_of
from web.desks.public.words import csv_answer
from web.http.refusals import language


def papers_of(view: View, lot: Lot) -> list[tuple[str, str]]:
    """(words, address) of what is there of a lot: papers of the opening, report, result, the bundle anybody can check."""
    found = []
    row = ceremony.find(view.session, lot)
    if row is not None and papers.of_opening(view.session, row):
        found.append((_("Papers of the opening"), f"/hall/{lot.ref}/papers"))
    if (scores := scores_of(view, lot)) is not None:
        found += [
            (_("Evaluation report (PDF)"), f"/supervisor/dossier/{lot.ref}/report.pdf"),
            (_("Prices that rank (CSV)") if scores.by_price else _("Points (CSV)"), f"/lots/{lot.ref}/result.csv"),
        ]
    if lot.state in dossier.FINISHED:
        found.append((_("Evidence bundle (ZIP)"), f"/lots/{lot.ref}/bundle.zip"))
    return found


def part_words(part: str) -> str:
    """What of a lot an entry of the audit book is about, beside its bids; "" for those."""
    if not part or part == "bid":
        return ""
    if part.startswith("draw:"):
        return _("draw of experts") if part.startswith("draw:experts") else _("draw of the coefficient")
    return {"technical": _("technical envelope"), "price": _("price envelope")}.get(part, part)


def limits_csv(rows: Iterable[Limit], at: datetime, kind_words: Callable[[str], str]) -> Response:
    """Exactly the limits chosen, all pages of them."""

    def moment(one: datetime | None) -> str:
        return one.isoformat(timespec="seconds") if one else ""

    head = [_("Last moment"), _("Limit"), _("Title"), _("Lot"), _("Rule"), _("Responsible"), _("Done"), _("State")]
    return csv_answer(
        "limits.csv",
        head,
        [
            [
                moment(one.until),
                kind_words(one.kind),
                one.title,
                one.lot,
                one.rule,
                one.owner,
                moment(one.met_at),
                words.state("limit_state", one.state(at), language()).text,
            ]
            for one in rows
        ],
    )

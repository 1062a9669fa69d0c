"""What the page of the evaluation report shows: its state, the ranking by kinds of points, prompts with what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from evaluation.panels.panels import Panel
from evaluation.reporting import conclusion, prompts, report
from evaluation.reporting.prompts import Prompts
from evaluation.reporting.queries import PUBLIC_FROM, RoomCard
from evaluation.reporting.report import Report
from evaluation.scoring import sheets
from trading.kernel.exact import exact, written_exactly
from trading.kernel.work import View
from web.desks.expert import strip
from web.desks.expert.strip import Plot


@dataclass(frozen=True)
class Ranked:
    """A row of the ranking; points by kind as text, each the sum of its parts, "" where the price alone ranks."""

    facts: dict[str, Any]
    objective: str
    subjective: str
    price: str
    evaluated: str


@dataclass(frozen=True)
class Signed:
    seat: int
    kind: str
    chair: bool
    at: datetime | None
    dissent: str


@dataclass(frozen=True)
class ReportView:
    """``state``: nothing, scored, to_sign, signed or concluded; ``again``: the recomputed outcome; ``names``: of bids in sheets → bidder;
    ``codes``: code of a bidder → bidder."""

    state: str
    row: Report | None
    again: dict[str, Any] | None
    names: dict[str, str]
    codes: dict[str, str]
    ranked: tuple[Ranked, ...]
    prompts: Prompts | None
    plots: tuple[Plot, ...]
    signed: tuple[Signed, ...]
    unsigned: tuple[int, ...]
    public: bool
    given: int

    @property
    def dissents(self) -> tuple[Signed, ...]:
        return tuple(one for one in self.signed if one.dissent)


def report_view(view: View, panel: Panel, card: RoomCard) -> ReportView:
    row = report.find(view.session, panel)
    facts = card.report_facts
    bids = sheets.names_of(view.session, panel) if card.cells or facts else {}
    names = {name: bid.party.name for name, bid in bids.items()}
    signatures = {one.seat.no: one for one in row.signatures} if row else {}
    signed = tuple(
        Signed(
            one.no,
            one.kind,
            one.is_chair,
            signatures[one.no].at if one.no in signatures else None,
            signatures[one.no].dissent if one.no in signatures else "",
        )
        for one in card.seats
    )
    return ReportView(
        state=_state(card, row),
        row=row,
        again=conclusion.recompute(view.session, panel.lot) if row and facts else None,
        names=names,
        codes={bid.party.code: bid.party.name for bid in bids.values()},
        ranked=tuple(_ranked(one) for one in facts["bids"]) if facts else (),
        prompts=prompts.of_panel(view, panel) if card.cells else None,
        plots=tuple(strip.plots(card.criteria, card.cells, names)),
        signed=signed,
        unsigned=tuple(report.unsigned(row)) if row else (),
        public=panel.lot.state in PUBLIC_FROM,
        given=sum(len(cell.points) for cell in card.cells),
    )


def _state(card: RoomCard, row: Report | None) -> str:
    if not (card.cells or row if card.scored else row or card.next_step in ("draw_up", "wait_report")):
        return "nothing"
    if row is None:
        return "scored"
    if card.panel_state == "CONCLUDED":
        return "concluded"
    return "to_sign" if report.unsigned(row) else "signed"


def _ranked(bid: dict[str, Any]) -> Ranked:
    def points(kind: str) -> str:
        return written_exactly(sum((exact(row["points"]) for row in bid["criteria"] if row["kind"] == kind), exact(0)))

    if not bid["criteria"]:
        return Ranked(bid, "", "", "", bid["total"])
    price = next(row for row in bid["criteria"] if row["kind"] == "price")
    return Ranked(bid, points("objective"), points("subjective"), price["points"], price.get("evaluated", bid["quote"]))


def state_words(view: ReportView) -> tuple[str, str]:
    """What to say of the report's state, and its tone."""
    dissents = len(view.dissents)
    told = {
        "nothing": (_("not begun"), "plain"),
        "scored": (_("draft: not drawn up yet"), "now"),
        "to_sign": (_("to be signed: seats %(list)s are missing", list=", ".join(map(str, view.unsigned))), "now"),
        "signed": (_("signed by all"), "ok"),
        "concluded": (_("concluded"), "ok"),
    }[view.state]
    if view.state in ("signed", "concluded") and dissents:
        return _("signed, with %(n)s dissent", n=dissents), "warn"
    return told


def grouped(amount: str) -> str:
    """An amount of the report, a decimal text, in groups of three: ``2,700,000.00``."""
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole.isascii() and whole.isdigit() else amount

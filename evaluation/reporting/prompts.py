"""Prompts to look again as pages and the printed report tell them: how far, how often elsewhere, whether the rank hangs on it, what came of
it (rules E-32, E-38)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluation.methods.inputs import Criterion, Inputs
from evaluation.methods.points import objective_mismatches
from evaluation.panels.panels import Panel
from evaluation.reporting import report
from evaluation.reporting.report import Report
from evaluation.scoring import flags, sheets
from evaluation.scoring.flags import Flag
from trading.kernel.errors import Refusal
from trading.kernel.work import View
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender

SPAN = timedelta(days=731)
"""How far back the base rate looks: 24 months."""
MOST_REPORTS = 200


@dataclass(frozen=True)
class Rate:
    """``flagged`` of ``cells`` subjective scores in ``lots`` lots."""

    flagged: int
    cells: int
    lots: int

    @property
    def percent(self) -> Fraction | None:
        return Fraction(self.flagged * 100, self.cells) if self.cells else None


@dataclass(frozen=True)
class Prompted:
    """A prompt and what came of it. ``kind``: ``far``, or ``objective`` for points that must be equal. ``decided``: "" while open, kept,
    dissented (``why``: the dissent) or changed (``now``: the points of this round, ``why``: the member's reason)."""

    kind: str
    bidder: str
    criterion: str
    seat: int
    points: Fraction
    band: str
    others_band: str
    flag: Flag | None
    decided: str = ""
    at: datetime | None = None
    now: Fraction | None = None
    why: str = ""


@dataclass(frozen=True)
class Prompts:
    """``threshold``: the share of the scheme; ``step``: a step of a scale, as a share of its maximum; ``here``: this lot; ``elsewhere``:
    lots concluded in the last 24 months under the same regime, by this lot's threshold."""

    threshold: Fraction
    step: Fraction
    found: tuple[Prompted, ...]
    here: Rate
    elsewhere: Rate

    @property
    def open(self) -> tuple[Prompted, ...]:
        return tuple(one for one in self.found if not one.decided)


def of_panel(view: View, panel: Panel) -> Prompts:
    """The prompts of the revealed sheets, those of earlier rounds that were mended included. Refuses: WrongStep ``sheet.not_revealed``."""
    session, row = view.session, report.find(view.session, panel)
    unpriced = report.gather_scores(session, panel)
    inputs = _priced(session, panel, row) or unpriced
    found = flags.flags(inputs, priced=inputs is not unpriced)
    told = [_standing(inputs, one, row) for one in found]
    told += _mended(session, panel, inputs, {one.key for one in found})
    subjective = sum(one.kind == "subjective" for one in inputs.scheme.scored)
    cells = len(inputs.valid) * subjective * len(inputs.scores)
    return Prompts(
        inputs.scheme.outlier,
        flags.STEP,
        tuple(told),
        Rate(len(found), cells, 1),
        elsewhere(session, panel.lot.regime, inputs.scheme.outlier, view.now, but=panel.id),
    )


def _priced(session: Session, panel: Panel, row: Report | None) -> Inputs | None:
    """The inputs of the ranking, None while prices, findings or the drawn coefficient are wanting or objective points differ."""
    try:
        inputs = report.gather(session, panel, tie_break=row.facts["tie_break"] if row else ())
    except Refusal:
        return None
    return None if objective_mismatches(inputs) else inputs


def _standing(inputs: Inputs, flag: Flag, row: Report | None) -> Prompted:
    criterion = _criterion(inputs, flag.criterion)
    told = Prompted(
        "far",
        flag.bidder,
        flag.criterion,
        flag.seat,
        flag.points,
        band(criterion, flag.points),
        band(criterion, flag.others),
        flag,
    )
    signed = next((one for one in row.signatures if one.seat.no == flag.seat), None) if row else None
    if signed is None:
        return told
    return replace(told, decided="dissented" if signed.dissent else "kept", at=signed.at, why=signed.dissent)


def _mended(session: Session, panel: Panel, inputs: Inputs, still: set[tuple[str, str, int]]) -> list[Prompted]:
    """What earlier rounds prompted and this one has otherwise, the newest round first."""
    found: list[Prompted] = []
    reasons = {one.seat.no: one for one in sheets.commits_of(session, panel).values()}
    for round_ in range(panel.round - 1, 0, -1):
        scores = sheets.scores_in(session, panel, round_)
        if not scores or set(scores) != set(inputs.scores):
            continue  # not all were revealed, or other members scored
        earlier = replace(inputs, scores=scores)
        prompted: list[tuple[str, str, str, int, Flag | None]] = [
            ("far", one.bidder, one.criterion, one.seat, one) for one in flags.flags(earlier, priced=False)
        ]
        for differing in objective_mismatches(earlier):
            prompted += [
                ("objective", differing["bidder"], differing["criterion"], each["seat"], None)
                for each in differing["given"]
            ]
        for kind, bidder, item, seat, flag in prompted:
            old, now = scores[seat][bidder][item], inputs.scores[seat][bidder][item]
            if (
                (bidder, item, seat) in still
                or old == now
                or any((bidder, item, seat) == (p.bidder, p.criterion, p.seat) for p in found)
            ):
                continue
            commit = reasons.get(seat)
            found.append(
                Prompted(
                    kind,
                    bidder,
                    item,
                    seat,
                    old,
                    "",
                    "",
                    flag,
                    "changed",
                    commit.at if commit else None,
                    now,
                    commit.reason if commit else "",
                )
            )
    return found


def _criterion(inputs: Inputs, name: str) -> Criterion:
    return next(one for one in inputs.scheme.scored if one.id == name)


def band(criterion: Criterion, points: Fraction) -> str:
    """The short name of the band points fall in, or of the next below; "" without bands."""
    below = [one for one in criterion.bands if one.low <= points]
    return max(below, key=lambda one: one.low).short if below else ""


def elsewhere(session: Session, regime: str, threshold: Fraction, now: datetime, *, but: int = 0) -> Rate:
    """How often a score is prompted in the lots of a regime concluded in the last 24 months; ``but``: a panel that is not counted."""
    query = (
        select(Report.facts)
        .join(Panel, Report.panel_id == Panel.id)
        .join(Lot, Panel.lot_id == Lot.id)
        .join(Tender, Lot.tender_id == Tender.id)
        .join(Project, Tender.project_id == Project.id)
        .where(
            Panel.state == "CONCLUDED",
            Report.round == Panel.round,
            Panel.id != but,
            Project.regime == regime,
            Report.drawn_up_at >= now - SPAN,
        )
        .order_by(Report.drawn_up_at.desc())
        .limit(MOST_REPORTS)
    )
    told = [flags.counted(facts, threshold) for facts in session.scalars(query)]
    return Rate(sum(one for one, _cells in told), sum(cells for _one, cells in told), len(told))

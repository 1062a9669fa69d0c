"""The conclusion: the chair hands the signed outcome down to the awards (rules E-07, E-08b, P-43; architecture §2).

Law of the noun: what is proposed is what the report says, and the report is what recomputing the stored inputs gives; if the two differ,
nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from evaluation.methods.points import objective_mismatches
from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW
from evaluation.reporting import report
from evaluation.reporting.report import Report
from evaluation.scoring import price_review, reviews, signed_sheets
from evaluation.scoring.reviews import NOTHING
from trading.awarding import awards
from trading.awarding.awards import Award
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Invalid, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony, technical
from trading.opening.ceremony import OpenedBid
from trading.opening.technical import TechnicalResult
from trading.tendering.tenders import LOT_FLOW, Lot


def fix_technical(work: UnitOfWork, lot: Lot) -> TechnicalResult:
    """The chair fixes the technical result of two envelopes: every technical bid has its finding, every sheet is revealed, no objective
    item differs. It is handed down, and the price envelopes of those who passed may be opened; those of the others stay sealed.

    Refuses: NotAllowed (not the chair), NotFound, WrongStep, Conflict ``technical.fixed``, as
    ``signed_sheets.require``, Invalid ``report.objective_differs``.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(lot)
    panel = panels.panel(work.session, lot)
    work.lock(panel)
    panels.require_chair(work, panel)
    signed_sheets.require_outcome(work, panel)
    reviews.settle(work, panel)
    if panel.state != "REVEALED":
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["REVEALED"])
    if differing := objective_mismatches(report.gather_scores(work.session, panel)):
        raise Invalid(
            "report.objective_differs", items=[f"{one['bidder']} {one['criterion']}" for one in differing], rule="E-01e"
        )
    valid = reviews.valid_bids(work.session, panel)
    told = [
        report.rejection(work.session, panel, bid)
        for bid in ceremony.opened_of_lot(work.session, lot)
        if bid.id not in {one.id for one in valid}
    ]
    return technical.fix(work, lot, passed=[bid.party.code for bid in valid], rejected=told)


def conclude(work: UnitOfWork, lot: Lot, *, refusals: Mapping[int, str] | None = None) -> Award:
    """The chair concludes: the report recomputed and equal, signed by every member or noted as refused (place → note), the lot in REPORT,
    the ranking proposed for award.

    Refuses: NotAllowed (not the chair), NotFound, WrongStep, TooEarly ``report.unsigned``, Conflict ``report.differs``,
    as ``signed_sheets.require``, Invalid.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(lot)
    panel = panels.panel(work.session, lot)
    work.lock(panel)
    panels.require_chair(work, panel)
    PANEL_FLOW.check(panel, "conclude")
    LOT_FLOW.check(lot, "report")
    signed_sheets.require_outcome(work, panel)
    row = report.report(work.session, panel)
    notes = dict(refusals or {})
    report.require_signed(row, notes)
    again = recompute(work.session, lot)
    if not again["same"]:
        raise Conflict("report.differs", places=again["differences"])
    for no, note in sorted(notes.items()):
        work.record("report.refused", lot.log_of, no=no, note=note.strip())
    PANEL_FLOW.take(work, panel, "conclude", report=row.hash, round=panel.round)
    LOT_FLOW.take(work, lot, "report", report=row.hash)
    return awards.propose(
        work, lot, ranking_rows(work.session, lot, row), rules_hash=row.facts["rules"], report=row.blob
    )


def ranking_rows(session: Session, lot: Lot, row: Report) -> list[dict[str, Any]]:
    """The ranking as the awards take it, best first: ``{bidder, name, party_id, total, price_minor, rank}``. ``total`` is the price that
    ranks where ``ranked_by`` says so; the contract is at the quote, or at the quote as the panel corrected it."""
    by_code = {bid.party.code: bid for bid in price_review.prices(session, lot).values()}
    changed = price_review.amounts(session, lot)
    told = {"ranked_by": row.facts["ranked_by"]} if "ranked_by" in row.facts else {}

    def price(bid: OpenedBid) -> int | None:
        if bid.price_minor is None:
            return None
        return bid.price_minor + changed.get(bid.party_id, NOTHING).arithmetic

    return [
        {
            "bidder": one["bidder"],
            "name": one["name"],
            "party_id": by_code[one["bidder"]].party_id,
            "total": one["total"],
            "price_minor": price(by_code[one["bidder"]]),
            "rank": one["rank"],
            **told,
        }
        for one in row.facts["bids"]
    ]


def recompute(session: Session, lot: Lot) -> dict[str, Any]:
    """The outcome computed anew from stored inputs and held against the report: ``{same, differences, facts, report}``; ``differences``
    names the places (``bids.0.total``). Refuses: NotFound, and what ``report.facts_of`` refuses."""
    panel = panels.panel(session, lot)
    row = report.report(session, panel)
    facts = report.facts_of(session, panel, tie_break=row.facts["tie_break"])
    found = sorted(differences(row.facts, facts))
    return {"same": not found, "differences": found, "facts": facts, "report": row.facts}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """The places at which two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(set(one) | set(other))
        return [
            place for key in keys for place in differences(one.get(key), other.get(key), f"{where}.{key}".lstrip("."))
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return [place for at, (a, b) in enumerate(pairs) for place in differences(a, b, f"{where}.{at}".lstrip("."))]
    return [] if one == other and type(one) is type(other) else [where or "report"]


def fail(work: UnitOfWork, lot: Lot, *, reason: str = "") -> None:
    """Too few conforming bids: see ``reviews.fail``; once the technical result is fixed, too few prices: see ``price_review.fail``."""
    panel = panels.panel(work.session, lot)
    (reviews if technical.find(work.session, lot) is None else price_review).fail(work, panel, reason=reason)

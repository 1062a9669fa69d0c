"""Prices of a lot, wherever they lie: in the one envelope of a bid, or in a price envelope opened after the technical result (rules C-04,
C-06, E-21, E-25; protocol §5).

Law of the noun: of two envelopes the technical one is reviewed and scored before any price is known, and that stays as it is; when the
prices are open the panel finds on each of them, with clause and reason, and who has no price that stands is not ranked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from evaluation.methods.panel_rules import finding_stands
from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW, Panel
from evaluation.scoring import reviews
from evaluation.scoring.reviews import NOTHING, Amounts, Finding
from trading import publication
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony
from trading.opening.ceremony import OpenedBid
from trading.tendering import notices
from trading.tendering.tenders import Lot

STAGE = "price"


def prices(session: Session, lot: Lot) -> dict[int, OpenedBid]:
    """party id → the opened bid its price is in; empty while the price envelopes are not open."""
    part = officers.bid_envelopes(lot)[-1]
    row = ceremony.find(session, lot, part)
    if row is None or row.opened is None:
        return {}
    return {bid.party_id: bid for bid in ceremony.opened_of_lot(session, lot, part)}


def are_open(session: Session, lot: Lot) -> bool:
    """Whether the record of the opening that holds the prices is closed."""
    row = ceremony.find(session, lot, officers.bid_envelopes(lot)[-1])
    return row is not None and row.state == "CLOSED"


def waiting(session: Session, panel: Panel) -> list[OpenedBid]:
    """Price envelopes that still need the panel's finding; none where a bid is one envelope."""
    if not panel.lot.two_envelopes:
        return []
    found = reviews.findings(session, panel.lot, STAGE)
    return [bid for bid in prices(session, panel.lot).values() if bid.id not in found]


def not_standing(session: Session, panel: Panel) -> dict[int, dict[str, Any]]:
    """party id → why a technically valid bid has no price that is ranked, as the report says it; nobody where a bid is one envelope."""
    if not panel.lot.two_envelopes or not are_open(session, panel.lot):
        return {}
    opened, found = prices(session, panel.lot), reviews.findings(session, panel.lot, STAGE)
    row = ceremony.opening(session, panel.lot, officers.PRICE)
    verdicts = {bid.party_id: bid for bid in ceremony.opened_bids(session, row)}
    told = {}
    for bid in reviews.valid_bids(session, panel):
        mine, price = verdicts.get(bid.party_id), opened.get(bid.party_id)
        if price is None:
            told[bid.party_id] = _told("", f"{mine.verdict}: {mine.cause}" if mine is not None else "", 0, 0)
        elif price.id in found and not found[price.id].ok:
            one = found[price.id]
            told[bid.party_id] = _told(one.clause, one.reason, one.votes_for, one.votes_against)
    return told


def _told(clause: str, reason: str, votes_for: int, votes_against: int) -> dict[str, Any]:
    return {"stage": STAGE, "clause": clause, "reason": reason, "votes_for": votes_for, "votes_against": votes_against}


def ranked(session: Session, panel: Panel) -> list[OpenedBid]:
    """The bids that are ranked, in the order of the set: technically valid, and with a price that stands."""
    gone: Mapping[int, Any] = not_standing(session, panel)
    return [bid for bid in reviews.valid_bids(session, panel) if bid.party_id not in gone]


def amounts(session: Session, lot: Lot) -> dict[int, Amounts]:
    """party id → what the panel's finding changes of its price; only of those it changes."""
    found = reviews.findings(session, lot, STAGE if lot.two_envelopes else "conformity")
    told = {row.bid.party_id: Amounts(row.arithmetic_minor, row.adjustment_minor) for row in found.values() if row.ok}
    return {party: one for party, one in told.items() if one}


def require_settled(session: Session, panel: Panel) -> None:
    """The ranking may be drawn up: of two envelopes, the prices are open and each has its finding.

    Refuses: WrongStep ``price.not_open``, Conflict ``review.open``.
    """
    if not panel.lot.two_envelopes:
        return
    if not are_open(session, panel.lot):
        raise WrongStep("price.not_open", ref=panel.lot.ref)
    if missing := len(waiting(session, panel)):
        raise Conflict("review.open", missing=missing)


def find_price(
    work: UnitOfWork,
    panel: Panel,
    bid_id: int,
    *,
    votes_for: int,
    clause: str = "",
    reason: str = "",
    amounts: Amounts = NOTHING,
) -> Finding:
    """The chair records the panel's vote on an opened price envelope (rule P-43); a rejection needs clause and reason, and so does a price
    that is not ranked as quoted (``amounts``). May be changed until the report is drawn up.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(panel)
    panels.require_chair(work, panel)
    reviewing(work.session, panel)
    members = len(panels.seated(panel))
    reviews.check_votes(members, votes_for)
    bid = next((one for one in prices(work.session, panel.lot).values() if one.id == bid_id), None)
    if bid is None:
        raise NotFound("review.no_bid")
    return reviews.record(
        work,
        panel.lot,
        bid,
        STAGE,
        ok=finding_stands(members, votes_for),
        clause=clause,
        reason=reason,
        votes_for=votes_for,
        votes_against=members - votes_for,
        amounts=amounts,
    )


def reviewing(session: Session, panel: Panel) -> None:
    """Refuses: WrongStep unless the prices of a two-envelope lot are open and the panel has not concluded."""
    if not panel.lot.two_envelopes or not are_open(session, panel.lot):
        raise WrongStep("price.not_open", ref=panel.lot.ref)
    if panel.state != "REVEALED":
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["REVEALED"])


def fail(work: UnitOfWork, panel: Panel, *, reason: str = "") -> notices.Notice:
    """The chair ends an evaluation in which too few prices stand (rules B-01, B-07): the lot has failed, the panel is done.

    Refuses: NotAllowed, NotFound, WrongStep, Conflict ``review.open``, ``review.enough``.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(panel.lot)
    work.lock(panel)
    panels.require_chair(work, panel)
    reviewing(work.session, panel)
    require_settled(work.session, panel)
    left = len(ranked(work.session, panel))
    if left >= reviews.least(panel.lot):
        raise Conflict("review.enough", conforming=left, least=reviews.least(panel.lot))
    PANEL_FLOW.take(work, panel, "conclude", conforming=left)
    return publication.fail(work, panel.lot, ground="few_conforming" if left else "all_rejected", reason=reason)

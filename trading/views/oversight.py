"""What the supervisor reads: every limit of the law that runs or ran on a lot, and whether it was kept; objections with their answers.

Reading only. A limit is a moment stored when its period began, with how it was counted; whether it was kept is what the procedure's own
rows say. Nothing here tells who bids before the opening list is public: names come from there, and questions have no asker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from trading.awarding import awards, contracts, disputes
from trading.kernel.access import Act
from trading.kernel.work import View
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.tendering import enquiries, terms
from trading.tendering.tenders import Lot
from trading.views.agency_queries import ObjectionCard

SOON = timedelta(hours=24)
STATES = ("late", "soon", "running", "kept", "kept_late")


@dataclass(frozen=True)
class Limit:
    """``kind``: enquiry, objection, challenge, publicise, decide, announce, contract, publish_contract, file_contract. ``of``: reference of
    what it is about; ``owner``: who must act; ``met_at``: when it was done, None while it runs; ``reason``: how it was counted."""

    kind: str
    of: str
    lot: str
    title: str
    owner: str
    rule: str
    until: datetime
    met_at: datetime | None = None
    reason: dict[str, Any] = field(default_factory=dict)

    def state(self, now: datetime) -> str:
        """``late`` (broken and still open), ``soon`` (24 hours), ``running``, ``kept``, ``kept_late`` (done after its last moment)."""
        if self.met_at is not None:
            return "kept" if self.met_at < self.until else "kept_late"
        return "late" if now >= self.until else "soon" if self.until - now <= SOON else "running"


def limits(view: View) -> list[Limit]:
    """All limits of all published lots, the nearest last moment first. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    found: list[Limit] = []
    for lot in view.session.scalars(select(Lot).where(Lot.published_at.is_not(None)).order_by(Lot.id)):
        found += _of_lot(view, lot)
    return sorted(found, key=lambda one: (one.until, one.lot, one.kind, one.of))


def _of_lot(view: View, lot: Lot) -> Iterator[Limit]:
    agency = lot.project.agency.name if lot.project.agency else lot.project.purchaser.name
    stopped = lot.failure is not None
    asked = view.session.scalars(
        select(enquiries.Enquiry).where(enquiries.Enquiry.lot_id == lot.id, enquiries.Enquiry.due_at.is_not(None))
    )
    for question in asked:
        if question.due_at is not None and not (stopped and question.answered_at is None):
            yield Limit(
                "enquiry", question.ref, lot.ref, lot.title, agency, "T-20", question.due_at, question.answered_at
            )
    for one in view.session.scalars(select(disputes.Objection).where(disputes.Objection.lot_id == lot.id)):
        if one.state != "WITHDRAWN":
            yield Limit(
                one.kind,
                one.ref,
                lot.ref,
                lot.title,
                agency,
                str(one.reason.get("rule", "")),
                one.due_at,
                one.answered_at,
                dict(one.reason),
            )
    for limit in _after_report(view, lot, agency):
        if not (stopped and limit.met_at is None):
            yield limit


def _after_report(view: View, lot: Lot, agency: str) -> Iterator[Limit]:
    row, made = awards.find(view.session, lot), contracts.find(view.session, lot)
    buyer = lot.project.purchaser.name
    if row is None:
        return

    def one(
        kind: str, owner: str, rule: str | None, until: datetime | None, met: datetime | None, reasons: dict[str, Any]
    ) -> Iterator[Limit]:
        if until is not None and rule is not None:
            yield Limit(kind, lot.ref, lot.ref, lot.title, owner, rule, until, met, dict(reasons or {}))

    reasons = dict(row.reasons)
    law = procedure_of(lot)
    if (publicity := law.award.publicity) is not None:
        period = terms.period(view.session, lot, publicity.starts, row.proposed_at)
        yield from one("publicise", agency, publicity.starts, period.ends_at, row.publicity_from, period.reason)
    yield from one("decide", buyer, law.award.decide, row.decide_by, row.decided_at, reasons.get("decide_by", {}))
    yield from one(
        "announce", agency, law.award.announce, row.announce_by, row.announced_at, reasons.get("announce_by", {})
    )
    yield from one(
        "contract",
        buyer,
        law.contract.sign,
        row.contract_by,
        made.signed_at if made else None,
        reasons.get("contract_by", {}),
    )
    if made is not None:
        reasons = dict(made.reasons)
        yield from one(
            "publish_contract",
            agency,
            law.contract.publish,
            made.publish_by,
            made.published_at,
            reasons.get("publish_by", {}),
        )
        yield from one(
            "file_contract", agency, law.contract.file, made.file_by, made.filed_at, reasons.get("file_by", {})
        )


def published_questions(view: View, lot: Lot) -> int:
    """How many questions on a lot were answered in public."""
    asked = select(func.count()).where(enquiries.Enquiry.lot_id == lot.id, enquiries.Enquiry.published)
    return int(view.session.scalar(asked) or 0)


def objections(view: View) -> list[ObjectionCard]:
    """Objections and challenges to all lots, the open ones first by their last moment. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    rows = view.session.scalars(select(disputes.Objection))
    return [
        objection_card(view, row) for row in sorted(rows, key=lambda o: (o.state not in disputes.OPEN, o.due_at, o.id))
    ]


def objection_card(view: View, row: disputes.Objection) -> ObjectionCard:
    """One of them; who objected is "" until the opening list names the bidders. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    party = row.party.name if ceremony.is_public(view.session, row.lot) else ""
    return ObjectionCard(
        row.ref,
        row.lot.ref,
        row.lot.title,
        row.lot.regime,
        row.kind,
        row.stage,
        row.state,
        row.version,
        row.text,
        party,
        row.filed_at,
        row.due_at,
        dict(row.reason),
        row.answer,
        row.upheld,
        row.answered_at,
    )

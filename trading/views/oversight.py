"""What the supervisor reads: every limit of the law that runs or ran on a lot, and whether it was kept; objections with their answers.

Reading only. A limit is a moment stored when its period began, with how it was counted; whether it was kept is what the procedure's own
rows say. Nothing here tells who bids before the opening list is public: names come from there, and questions have no asker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from trading.awarding import awards, contracts
from trading.kernel.access import Act
from trading.kernel.calendar import WorkingDayCalendar
from trading.kernel.work import View
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.remedies import disputes
from trading.rulebook import calendars
from trading.tendering import enquiries, terms
from trading.tendering.tenders import Lot
from trading.views.agency_queries import ObjectionCard
from trading.views.rows import by_lot

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


def limits(view: View, *, of: Lot | None = None, running: bool = False) -> list[Limit]:
    """All limits of all published lots (or of one lot), the nearest last moment first; ``running``: only those that nothing has met yet.
    Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    known = _known(view, of, running)
    lots = select(Lot).where(Lot.published_at.is_not(None))
    if of is not None or running:
        lots = lots.where(Lot.id.in_(known.lots))
    found = [one for lot in view.session.scalars(lots.order_by(Lot.id)) for one in _of_lot(view, lot, known)]
    found = [one for one in found if one.met_at is None] if running else found
    return sorted(found, key=lambda one: (one.until, one.lot, one.kind, one.of))


@dataclass(frozen=True)
class _Known:
    """What limits are read from, by the lot's row number."""

    questions: dict[int, list[enquiries.Enquiry]]
    objections: dict[int, list[disputes.Objection]]
    awards: dict[int, list[awards.Award]]
    contracts: dict[int, list[contracts.Contract]]
    calendar: WorkingDayCalendar

    @property
    def lots(self) -> set[int]:
        return {*self.questions, *self.objections, *self.awards}


def _known(view: View, of: Lot | None, running: bool) -> _Known:
    """``running``: without what has met every limit it can have."""

    def rows(table: Any, *where: Any) -> dict[int, list[Any]]:
        wanted = select(table).where(*where) if of is None else select(table).where(table.lot_id == of.id, *where)
        return by_lot(view.session, wanted.order_by(table.id))

    question, objection, award, made = enquiries.Enquiry, disputes.Objection, awards.Award, contracts.Contract
    open_contract = or_(made.published_at.is_(None), made.file_by.is_not(None) & made.filed_at.is_(None))
    settled = select(made.lot_id).where(~open_contract)
    return _Known(
        rows(question, question.due_at.is_not(None), *([question.answered_at.is_(None)] if running else [])),
        rows(objection, objection.state != "WITHDRAWN", *([objection.answered_at.is_(None)] if running else [])),
        rows(award, *([award.lot_id.not_in(settled)] if running else [])),
        rows(made, *([open_contract] if running else [])),
        calendars.current(view.session),
    )


def _of_lot(view: View, lot: Lot, known: _Known) -> Iterator[Limit]:
    agency = lot.project.agency.name if lot.project.agency else lot.project.purchaser.name
    stopped = lot.failure is not None
    for question in known.questions.get(lot.id, ()):
        if question.due_at is not None and not (stopped and question.answered_at is None):
            yield Limit(
                "enquiry", question.ref, lot.ref, lot.title, agency, "T-20", question.due_at, question.answered_at
            )
    for one in known.objections.get(lot.id, ()):
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
    for row in known.awards.get(lot.id, ()):
        made = next(iter(known.contracts.get(lot.id, ())), None)
        for limit in _after_report(view, lot, agency, row, made, known.calendar):
            if not (stopped and limit.met_at is None):
                yield limit


def _after_report(
    view: View,
    lot: Lot,
    agency: str,
    row: awards.Award,
    made: contracts.Contract | None,
    calendar: WorkingDayCalendar,
) -> Iterator[Limit]:
    buyer = lot.project.purchaser.name

    def one(
        kind: str, owner: str, rule: str | None, until: datetime | None, met: datetime | None, reasons: dict[str, Any]
    ) -> Iterator[Limit]:
        if until is not None and rule is not None:
            yield Limit(kind, lot.ref, lot.ref, lot.title, owner, rule, until, met, dict(reasons or {}))

    reasons = dict(row.reasons)
    law = procedure_of(lot)
    if (publicity := law.award.publicity) is not None:
        period = terms.period(view.session, lot, publicity.starts, row.proposed_at, calendar)
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


def open_objections(view: View) -> int:
    """How many want an answer. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    count = select(func.count()).select_from(disputes.Objection).where(disputes.Objection.state.in_(disputes.OPEN))
    return int(view.session.scalar(count) or 0)


def objections(view: View, *, of: Lot | None = None) -> list[ObjectionCard]:
    """Objections and challenges to all lots or to one, the open ones first by their last moment. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    rows = select(disputes.Objection)
    found = list(view.session.scalars(rows if of is None else rows.where(disputes.Objection.lot_id == of.id)))
    public = ceremony.public_among(view.session, (row.lot_id for row in found))
    return [_card(row, public) for row in sorted(found, key=lambda o: (o.state not in disputes.OPEN, o.due_at, o.id))]


def objection_card(view: View, row: disputes.Objection) -> ObjectionCard:
    """One of them; who objected is "" until the opening list names the bidders. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    return _card(row, ceremony.public_among(view.session, [row.lot_id]))


def _card(row: disputes.Objection, public: set[int]) -> ObjectionCard:
    """``public``: lots of which names may be shown."""
    party = row.party.name if row.lot_id in public else ""
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

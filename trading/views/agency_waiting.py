"""What waits for purchaser and agency. It stands beside every page of their desk, so what it reads is fetched for all lots at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import selectinload

from trading.awarding.awards import Award
from trading.awarding.contracts import Contract
from trading.custody import successions
from trading.custody.officers import PolicyChange
from trading.draws import Draw, awaits_tenderee
from trading.kernel.access import Act, may
from trading.kernel.calendar import WorkingDayCalendar
from trading.kernel.work import View
from trading.procedures import procedure_of
from trading.remedies.disputes import NEXT, OPEN, REVIEW, VOID, Objection
from trading.rulebook import calendars
from trading.tendering.enquiries import Enquiry
from trading.tendering.projects import Project
from trading.tendering.tenders import LOT_FLOW, Lot, Tender
from trading.views.agency_queries import bounds, clarify_cutoff, own_lot_ids
from trading.views.rows import by_lot

DRAWN_IN = ("ACCEPTED", "NOTICE", "BIDDING", "OPENING", "QUAL_REVIEW", "EVALUATION")
"""States of a lot in which a public draw may want its purchaser."""
CUTOFF_NEAR = timedelta(days=3)
"""How long before the last day of clarifications the home page names it."""
AWARDING = LOT_FLOW.step("review_again").origins
"""States of a lot in which an award may fall."""
UPHELD_BY = {NEXT: "B-16", REVIEW: "E-33", VOID: ""}
"""The rule of what an upheld objection leads to."""


@dataclass(frozen=True)
class Waiting:
    """One thing that waits for the one who looks. ``kind`` names the duty, ``of`` the project, lot, enquiry or objection, ``lot`` the lot's
    reference ("" for a project), ``until`` the last moment where the law names one, ``rule`` the rule it rests on."""

    kind: str
    of: str
    title: str
    lot: str = ""
    until: datetime | None = None
    rule: str = ""


def waiting(view: View) -> list[Waiting]:
    """Everything that waits for the one who looks, in the role they act in, nearest limit first."""
    lots = select(Lot).where(Lot.id.in_(own_lot_ids(view)), Lot.state.not_in(("ARCHIVED", "CLOSING")))
    return _sorted(view, [*_of_projects(view), *_of_lots(view, view.session.scalars(lots).all())])


def waiting_on(view: View, lot: Lot) -> list[Waiting]:
    """What waits on one lot for the one who looks, nearest limit first."""
    return _sorted(view, _of_lots(view, [lot]))


def _sorted(view: View, found: list[Waiting]) -> list[Waiting]:
    return sorted(found, key=lambda one: (one.until is None, one.until or view.now, one.of, one.kind))


def _of_projects(view: View) -> Iterator[Waiting]:
    own = or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id)
    has_tender = exists().where(Tender.project_id == Project.id)
    rows = select(Project.state, Project.ref, Project.name).where(
        own, or_(Project.state.in_(("DRAFT", "RETURNED")), (Project.state == "ACCEPTED") & ~has_tender)
    )
    files, drafts = may(view.actor, Act.PROJECT_FILE), may(view.actor, Act.TENDER_DRAFT)
    for state, ref, name in view.session.execute(rows):
        if state == "DRAFT" and files:
            yield Waiting("project_draft", ref, name, rule="A-01")
        elif state == "RETURNED" and files:
            yield Waiting("project_returned", ref, name, rule="A-05")
        elif state == "ACCEPTED" and drafts:
            yield Waiting("tender_missing", ref, name)


@dataclass(frozen=True)
class _Known:
    """What duties are read from, by the lot's row number."""

    enquiries: dict[int, list[Enquiry]]
    changes: dict[int, list[PolicyChange]]
    objections: dict[int, list[Objection]]
    upheld: dict[int, list[Objection]]
    draws: dict[int, list[Draw]]
    awards: dict[int, list[Award]]
    contracts: dict[int, list[Contract]]
    tendered_again: frozenset[int]
    calendar: WorkingDayCalendar


def _known(view: View, lots: Sequence[Lot]) -> _Known:
    def of(*states: str) -> list[int]:
        return [lot.id for lot in lots if not states or lot.state in states]

    def rows(table: Any, ids: list[int], *where: Any, along: Any = ()) -> dict[int, list[Any]]:
        wanted = select(table).where(table.lot_id.in_(ids), *where).options(*along).order_by(table.id)
        return by_lot(view.session, wanted) if ids else {}

    announced, drawn, failed = of("NOTICE", "BIDDING"), of(*DRAWN_IN), of("FAILED")
    contracted, all_of_them = of("CONTRACT"), of()
    again = select(Lot.predecessor_id).where(Lot.predecessor_id.in_(failed))
    return _Known(
        rows(Enquiry, announced, Enquiry.answered_at.is_(None)),
        rows(PolicyChange, announced, PolicyChange.state == "OPEN"),
        rows(Objection, all_of_them, Objection.state.in_(OPEN)),
        rows(Objection, all_of_them, Objection.effect.in_((NEXT, REVIEW, VOID)), Objection.settled_at.is_(None)),
        rows(Draw, drawn, along=[selectinload(Draw.turns)]),
        rows(Award, all_of_them),
        rows(Contract, contracted),
        frozenset(one for one in view.session.scalars(again) if one is not None) if failed else frozenset(),
        calendars.current(view.session),
    )


def _of_lots(view: View, lots: Sequence[Lot]) -> list[Waiting]:
    known = _known(view, lots)
    return [
        one for lot in lots for part in (_before_opening, _after_opening, _awarding) for one in part(view, lot, known)
    ]


def _before_opening(view: View, lot: Lot, known: _Known) -> Iterator[Waiting]:
    if lot.state == "ACCEPTED" and may(view.actor, Act.LOT_PUBLISH):
        yield Waiting("lot_prepare", lot.ref, lot.name, lot.ref)
    announced = lot.state in ("NOTICE", "BIDDING")
    if announced and may(view.actor, Act.ENQUIRY_ANSWER) and lot.deadline and view.now < lot.deadline:
        for row in known.enquiries.get(lot.id, ()):
            yield Waiting("enquiry", row.ref, row.question, lot.ref, row.due_at, "T-20")
        cutoff = clarify_cutoff(view, lot, known.calendar)
        if cutoff is not None and timedelta() < cutoff.at - view.now <= CUTOFF_NEAR:
            yield Waiting("clarify_cutoff", lot.ref, lot.name, lot.ref, cutoff.at, cutoff.rule.id)
    for change in known.changes.get(lot.id, ()):
        confirmable = change.kind == "officers" and not change.plan["confirmed_by"]
        if confirmable and may(view.actor, Act.OFFICERS_CONFIRM) and change.plan["by"] != view.actor.account_id:
            yield Waiting("officers_confirm", lot.ref, lot.name, lot.ref, change.deadline - successions.SETTLE)
    if may(view.actor, Act.OBJECTION_ANSWER):
        for one in known.objections.get(lot.id, ()):
            yield Waiting(one.kind, one.ref, lot.name, lot.ref, one.due_at, str(one.reason.get("rule", "")))


def _after_opening(view: View, lot: Lot, known: _Known) -> Iterator[Waiting]:
    if lot.state == "QUAL_REVIEW" and may(view.actor, Act.QUALIFICATION_REVIEW):
        yield Waiting("qualify", lot.ref, lot.name, lot.ref, rule="P-43")
    if may(view.actor, Act.DRAW_TAKE_PART):
        for draw in known.draws.get(lot.id, ()):
            if awaits_tenderee(draw):
                yield Waiting("draw", draw.label, lot.name, lot.ref)
    if lot.state == "FAILED" and may(view.actor, Act.TENDER_DRAFT) and lot.id not in known.tendered_again:
        yield Waiting("failed", lot.ref, lot.name, lot.ref)


def _awarding(view: View, lot: Lot, known: _Known) -> Iterator[Waiting]:
    row = next(iter(known.awards.get(lot.id, ())), None)
    if row is None:
        return
    decides, tells = may(view.actor, Act.AWARD_DECIDE), may(view.actor, Act.NOTICE_PUBLISH)
    law = procedure_of(lot)
    if (upheld := next(iter(known.upheld.get(lot.id, ())), None)) is not None and lot.state in AWARDING:
        if decides or (upheld.effect == REVIEW and may(view.actor, Act.OBJECTION_ANSWER)):
            yield Waiting("upheld", upheld.ref, lot.name, lot.ref, rule=UPHELD_BY[upheld.effect])
        return
    publicity = law.award.publicity
    if lot.state == "REPORT" and publicity is not None and tells:
        latest = bounds(view, lot, "candidates_published", {"report_received": row.proposed_at}, known.calendar).latest
        yield Waiting("publicise", lot.ref, lot.name, lot.ref, latest.at if latest else None, publicity.starts)
    elif lot.state == "REPORT" and publicity is None and decides:
        yield Waiting("decide", lot.ref, lot.name, lot.ref, row.decide_by, law.award.decide or "")
    elif lot.state == "CANDIDATES" and decides and row.publicity_until is not None and view.now >= row.publicity_until:
        yield Waiting("decide", lot.ref, lot.name, lot.ref, rule="E-07")
    elif lot.state == "AWARD" and tells:
        yield Waiting("announce", lot.ref, lot.name, lot.ref, row.announce_by, law.award.announce or "")
    elif lot.state == "RESULT" and may(view.actor, Act.CONTRACT_RECORD):
        yield Waiting("contract", lot.ref, lot.name, lot.ref, row.contract_by, law.contract.sign)
    elif lot.state == "CONTRACT" and may(view.actor, Act.CONTRACT_RECORD):
        for made in known.contracts.get(lot.id, ()):
            yield Waiting("publish_contract", lot.ref, lot.name, lot.ref, made.publish_by, law.contract.publish or "")

"""What purchaser and agency read beside lot_cards: what waits for them, lawful moments, the award, objections, the contract.

Nothing here counts bidders or names one before the opening list is published: an objection's author is shown only from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import or_, select

from trading import draws, rulebook
from trading.awarding import awards, contracts, disputes
from trading.custody import officers, successions
from trading.kernel.access import Act, Role, fitting, may
from trading.kernel.calendar import day_start, local_day
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties import parties
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.rulebook import calendars
from trading.rulebook.timetable import Bound
from trading.tendering import enquiries, planning, projects
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender

DRAWN_IN = ("NOTICE", "BIDDING", "OPENING", "QUAL_REVIEW", "EVALUATION")
"""States of a lot in which a public draw may want its purchaser."""
CUTOFF_NEAR = timedelta(days=3)
"""How long before the last day of clarifications the home page names it."""


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


@dataclass(frozen=True)
class RankRow:
    rank: int
    bidder: str
    name: str
    total: str
    price: Money
    won: bool
    by_price: bool = False
    """Whether ``total`` is the price that ranks, and no points."""


@dataclass(frozen=True)
class AwardCard:
    """``reasons``: by the name of a moment, how it was counted. ``tied``: ranks that more than one bidder holds; ``tie_rule``: who the
    tender document has settle a tie."""

    ranking: tuple[RankRow, ...]
    report: str
    proposed_at: datetime
    publicity_from: datetime | None
    publicity_until: datetime | None
    decide_by: datetime | None
    decided_at: datetime | None
    winner: str
    price: Money | None
    ground: str
    announce_by: datetime | None
    announced_at: datetime | None
    contract_by: datetime | None
    challenge_until: datetime | None
    reasons: dict[str, Any]
    tie_rule: str = ""

    @property
    def tied(self) -> tuple[int, ...]:
        ranks = [row.rank for row in self.ranking]
        return tuple(sorted({rank for rank in ranks if ranks.count(rank) > 1}))


@dataclass(frozen=True)
class ContractCard:
    number: str
    supplier: str
    amount: Money
    signed_at: datetime
    recorded_at: datetime
    publish_by: datetime | None
    file_by: datetime | None
    published_at: datetime | None
    filed_at: datetime | None
    text: str
    differences: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class ObjectionCard:
    """``party``: who objected, "" until the opening list names the bidders. ``reason``: how ``due_at`` was counted."""

    ref: str
    lot: str
    lot_title: str
    regime: str
    kind: str
    stage: str
    state: str
    version: int
    text: str
    party: str
    filed_at: datetime
    due_at: datetime
    reason: dict[str, Any]
    answer: str
    upheld: bool | None
    answered_at: datetime | None


@dataclass(frozen=True)
class Candidate:
    """A person who could be a key holder of a lot, and for which sides."""

    username: str
    name: str
    organisation: str
    sides: tuple[str, ...]


def centre_region(view: View) -> str:
    """The division the centre is in, "" where it is not known: what it was entered with, else the one its credit code was given in."""
    centre = view.session.scalar(select(Party).where(Party.kind == "centre").order_by(Party.id).limit(1))
    return (centre.region or centre.code[2:8]) if centre is not None else ""


def own_lot(view: View, ref: str) -> Lot:
    """A lot of the purchaser or agency that looks. Refuses: NotFound."""
    found = view.session.scalar(select(Lot).where(Lot.ref == ref))
    if found is None or not projects.is_of(found.project, view.actor.party_id):
        raise NotFound("lot.unknown", ref=ref)
    return found


def parties_of(view: View, kind: str) -> list[tuple[str, str]]:
    """(code, name) of all organisations of a kind, for choosing one."""
    rows = view.session.execute(
        select(parties.Party.code, parties.Party.name).where(parties.Party.kind == kind).order_by(parties.Party.name)
    )
    return [(code, name) for code, name in rows]


def candidates(view: View, lot: Lot) -> list[Candidate]:
    """Everybody who may be named key holder of a lot, by organisation and name."""
    rows = view.session.scalars(
        select(parties.Account)
        .join(parties.RoleGrant, parties.RoleGrant.account_id == parties.Account.id)
        .where(parties.RoleGrant.role == Role.OFFICER, parties.Account.disabled_at.is_(None))
        .order_by(parties.Account.id)
    )
    found = [
        Candidate(row.username, row.name, row.party.name, officers.side_of(lot, row.party))
        for row in rows
        if fitting({Role.OFFICER}, row.party.kind)
    ]
    return sorted(
        (one for one in found if one.sides), key=lambda one: (one.sides, one.organisation, one.name, one.username)
    )


def bounds(view: View, lot: Lot, act: str, plan: dict[str, Any]) -> rulebook.Window:
    """Where the moment ``act`` may lie, given the others of ``plan``, by the lot's own rulebook.

    Refuses: Invalid ``calendar.year_unknown``.
    """
    return rulebook.window(
        planning.book_of(lot, view.now),
        calendars.current(view.session),
        act,
        plan,
        method=lot.project.method,
        category=planning.rule_category(lot.project),
    )


MORNING = time(9, 30)
"""The hour of the day at which a deadline is offered."""


def earliest_deadline(view: View, lot: Lot, plan: dict[str, Any]) -> tuple[datetime, Bound] | None:
    """The first deadline on the morning of a working day that no rule forbids, were the lot published now, and the rule that binds it.

    ``plan``: the other moments by the names of the rulebook. None where no rule sets a deadline.
    Refuses: Invalid ``calendar.year_unknown``.
    """
    bound = bounds(view, lot, "bid_deadline", plan).earliest
    if bound is None:
        return None
    calendar, day = calendars.current(view.session), local_day(bound.at)
    while True:
        moment = day_start(day) + timedelta(hours=MORNING.hour, minutes=MORNING.minute)
        if moment >= bound.at and moment > view.now and calendar.is_working_day(day):
            return moment, bound
        day += timedelta(days=1)


def clarify_cutoff(view: View, lot: Lot) -> Bound | None:
    """Until when a clarification that affects bids may be issued without moving the deadline (rule T-05)."""
    return bounds(view, lot, "clarification_issued", {"bid_deadline": lot.deadline}).latest if lot.deadline else None


def award_card(view: View, lot: Lot) -> AwardCard | None:
    """The award of an own lot, None before there is a report."""
    row = awards.find(view.session, lot)
    if row is None:
        return None
    ranking = tuple(
        RankRow(
            r["rank"],
            r["bidder"],
            r["name"],
            r["total"],
            Money(r["price_minor"], lot.currency),
            r["party_id"] == row.winner_party_id,
            awards.by_price(r),
        )
        for r in row.ranking
    )
    return AwardCard(
        ranking,
        row.report,
        row.proposed_at,
        row.publicity_from,
        row.publicity_until,
        row.decide_by,
        row.decided_at,
        row.winner.name if row.winner else "",
        Money(row.price_minor, lot.currency) if row.price_minor is not None else None,
        row.ground,
        row.announce_by,
        row.announced_at,
        row.contract_by,
        row.challenge_until,
        dict(row.reasons),
        tie_rule=str((lot.scheme or {}).get("tie", "")),
    )


def contract_card(view: View, lot: Lot) -> ContractCard | None:
    row = contracts.find(view.session, lot)
    if row is None:
        return None
    return ContractCard(
        row.number,
        row.party.name,
        Money(row.amount_minor, lot.currency),
        row.signed_at,
        row.recorded_at,
        row.publish_by,
        row.file_by,
        row.published_at,
        row.filed_at,
        row.text,
        tuple(row.differences),
    )


def objection_cards(view: View) -> list[ObjectionCard]:
    """Objections and challenges to all own lots: those to be answered first, by their last moment. Refuses: NotAllowed."""
    view.require(Act.OBJECTION_ANSWER)
    rows = view.session.scalars(
        select(disputes.Objection).join(Lot, Lot.id == disputes.Objection.lot_id).where(Lot.id.in_(_own_lot_ids(view)))
    )
    return [
        _objection_card(view, row) for row in sorted(rows, key=lambda o: (o.state not in disputes.OPEN, o.due_at, o.id))
    ]


def objection_card(view: View, ref: str) -> ObjectionCard:
    """One of them. Refuses: NotAllowed, NotFound."""
    view.require(Act.OBJECTION_ANSWER)
    row = disputes.objection(view.session, ref)
    if not projects.is_of(row.lot.project, view.actor.party_id):
        raise NotFound("objection.unknown")
    return _objection_card(view, row)


def _objection_card(view: View, row: disputes.Objection) -> ObjectionCard:
    party = row.party.name if ceremony.is_public(view.session, row.lot) else ""
    return ObjectionCard(
        row.ref,
        row.lot.ref,
        row.lot.name,
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


def _own_lot_ids(view: View) -> Any:
    own = or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id)
    return (
        select(Lot.id)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .where(own)
    )


# --- what waits -------------------------------------------------------------------------------------------------------------------


def waiting(view: View) -> list[Waiting]:
    """Everything that waits for the one who looks, in the role they act in, nearest limit first."""
    own = or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id)
    found: list[Waiting] = []
    for project in view.session.scalars(select(Project).where(own, Project.state != "FILED")):
        found += _of_project(view, project)
    for lot in view.session.scalars(
        select(Lot).where(Lot.id.in_(_own_lot_ids(view)), Lot.state.not_in(("ARCHIVED", "CLOSING")))
    ):
        found += _of_lot(view, lot)
    return sorted(found, key=lambda one: (one.until is None, one.until or view.now, one.of, one.kind))


def waiting_on(view: View, lot: Lot) -> list[Waiting]:
    """What waits on one lot for the one who looks, nearest limit first."""
    return sorted(_of_lot(view, lot), key=lambda one: (one.until is None, one.until or view.now, one.of, one.kind))


def _of_project(view: View, project: Project) -> Iterator[Waiting]:
    if project.state == "DRAFT" and may(view.actor, Act.PROJECT_FILE):
        yield Waiting("project_draft", project.ref, project.name, rule="A-01")
    elif project.state == "RETURNED" and may(view.actor, Act.PROJECT_FILE):
        yield Waiting("project_returned", project.ref, project.name, rule="A-05")
    elif project.state == "ACCEPTED" and may(view.actor, Act.TENDER_DRAFT):
        if view.session.scalar(select(Tender.id).where(Tender.project_id == project.id)) is None:
            yield Waiting("tender_missing", project.ref, project.name)


def _of_lot(view: View, lot: Lot) -> Iterator[Waiting]:
    if lot.state == "ACCEPTED" and may(view.actor, Act.LOT_PUBLISH):
        yield Waiting("lot_prepare", lot.ref, lot.name, lot.ref)
    if (
        lot.state in ("NOTICE", "BIDDING")
        and may(view.actor, Act.ENQUIRY_ANSWER)
        and lot.deadline
        and view.now < lot.deadline
    ):
        asked = select(enquiries.Enquiry).where(
            enquiries.Enquiry.lot_id == lot.id, enquiries.Enquiry.answered_at.is_(None)
        )
        for row in view.session.scalars(asked):
            yield Waiting("enquiry", row.ref, row.question, lot.ref, row.due_at, "T-20")
        cutoff = clarify_cutoff(view, lot)
        if cutoff is not None and timedelta() < cutoff.at - view.now <= CUTOFF_NEAR:
            yield Waiting("clarify_cutoff", lot.ref, lot.name, lot.ref, cutoff.at, cutoff.rule.id)
    change = officers.open_change(view.session, lot) if lot.state in ("NOTICE", "BIDDING") else None
    if (
        change is not None
        and change.kind == "officers"
        and not change.plan["confirmed_by"]
        and may(view.actor, Act.OFFICERS_CONFIRM)
    ):
        if change.plan["by"] != view.actor.account_id:
            yield Waiting("officers_confirm", lot.ref, lot.name, lot.ref, change.deadline - successions.SETTLE)
    if may(view.actor, Act.OBJECTION_ANSWER):
        for one in disputes.open_on(view.session, lot):
            yield Waiting(one.kind, one.ref, lot.name, lot.ref, one.due_at, str(one.reason.get("rule", "")))
    yield from _after_opening(view, lot)


def _after_opening(view: View, lot: Lot) -> Iterator[Waiting]:
    if lot.state == "QUAL_REVIEW" and may(view.actor, Act.QUALIFICATION_REVIEW):
        yield Waiting("qualify", lot.ref, lot.name, lot.ref, rule="P-43")
    if lot.state in DRAWN_IN and may(view.actor, Act.DRAW_TAKE_PART):
        for draw in view.session.scalars(select(draws.Draw).where(draws.Draw.lot_id == lot.id).order_by(draws.Draw.id)):
            if draws.awaits_tenderee(draw):
                yield Waiting("draw", draw.label, lot.name, lot.ref)
    if lot.state == "FAILED" and may(view.actor, Act.TENDER_DRAFT):
        if view.session.scalar(select(Lot.id).where(Lot.predecessor_id == lot.id)) is None:
            yield Waiting("failed", lot.ref, lot.name, lot.ref)
    row = awards.find(view.session, lot)
    if row is None:
        return
    decides = may(view.actor, Act.AWARD_DECIDE)
    tells = may(view.actor, Act.NOTICE_PUBLISH)
    law = procedure_of(lot)
    publicity = law.award.publicity
    if lot.state == "REPORT" and publicity is not None and tells:
        latest = bounds(view, lot, "candidates_published", {"report_received": row.proposed_at}).latest
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
        made = contracts.contract(view.session, lot)
        yield Waiting("publish_contract", lot.ref, lot.name, lot.ref, made.publish_by, law.contract.publish or "")

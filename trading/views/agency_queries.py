"""What purchaser and agency read beside lot_cards and agency_waiting: lawful moments, the award, objections, the contract.

Nothing here counts bidders or names one before the opening list is published: an objection's author is shown only from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import or_, select

from trading import rulebook
from trading.awarding import awards, contracts
from trading.custody import officers
from trading.kernel.access import Act, Role, fitting
from trading.kernel.calendar import WorkingDayCalendar, day_start, local_day
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties import parties
from trading.parties.parties import Party
from trading.procedures import find
from trading.remedies import disputes
from trading.rulebook import calendars
from trading.rulebook.timetable import Bound
from trading.tendering import planning, projects
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender


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
    effect: str = ""
    settled_at: datetime | None = None


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


def invites(view: View, path: str) -> bool:
    """Whether an address below ``/agency/lots/`` is of an own lot that only the invited may take part in."""
    parts = path.split("/")
    if len(parts) < 4 or parts[2] != "lots":
        return False
    method = view.session.scalar(
        select(Project.method)
        .join(Tender)
        .join(Lot, Lot.tender_id == Tender.id)
        .where(
            Lot.ref == parts[3],
            or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id),
        )
    )
    law = find(method) if method else None
    return law is not None and law.invitation is not None


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


def bounds(
    view: View, lot: Lot, act: str, plan: dict[str, Any], calendar: WorkingDayCalendar | None = None
) -> rulebook.Window:
    """Where the moment ``act`` may lie, given the others of ``plan``, by the lot's own rulebook; ``calendar``: where it is read already.

    Refuses: Invalid ``calendar.year_unknown``.
    """
    return rulebook.window(
        planning.book_of(lot, view.now),
        calendar or calendars.current(view.session),
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


def clarify_cutoff(view: View, lot: Lot, calendar: WorkingDayCalendar | None = None) -> Bound | None:
    """Until when a clarification that affects bids may be issued without moving the deadline (rule T-05)."""
    if not lot.deadline:
        return None
    return bounds(view, lot, "clarification_issued", {"bid_deadline": lot.deadline}, calendar).latest


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
        select(disputes.Objection).join(Lot, Lot.id == disputes.Objection.lot_id).where(Lot.id.in_(own_lot_ids(view)))
    )
    found = sorted(rows, key=lambda o: (o.state not in disputes.OPEN, o.due_at, o.id))
    public = ceremony.public_among(view.session, (row.lot_id for row in found))
    return [_objection_card(row, public) for row in found]


def objection_card(view: View, ref: str) -> ObjectionCard:
    """One of them. Refuses: NotAllowed, NotFound."""
    view.require(Act.OBJECTION_ANSWER)
    row = disputes.objection(view.session, ref)
    if not projects.is_of(row.lot.project, view.actor.party_id):
        raise NotFound("objection.unknown")
    return _objection_card(row, ceremony.public_among(view.session, [row.lot_id]))


def _objection_card(row: disputes.Objection, public: set[int]) -> ObjectionCard:
    """``public``: lots of which names may be shown."""
    party = row.party.name if row.lot_id in public else ""
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
        row.effect,
        row.settled_at,
    )


def own_lot_ids(view: View) -> Any:
    own = or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id)
    return (
        select(Lot.id)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .where(own)
    )

"""Cards of projects and lots for pages: what may be shown, frozen. Nothing here knows of bidders, takers or deposits.

A card has no field for what must not leak (promise S1): no count of participants, documents taken, questions by asker, or bids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import joinedload, lazyload, load_only

from trading.custody import officers
from trading.kernel.access import Act, Role
from trading.kernel.errors import NotFound
from trading.kernel.flow import Step
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.procedures.fields import FIELDS
from trading.procedures.procedure import Words
from trading.tendering import documents, enquiries, notices, projects
from trading.tendering.projects import PROJECT_FLOW, Gap, Project
from trading.tendering.tenders import LOT_FLOW, Lot, Tender, full_name


@dataclass(frozen=True)
class ProjectCard:
    """``waiting_since``: when the filing now waiting came in. ``asked``: what this filing must hold; ``gaps``: what of it is missing now;
    ``returned``: what the last return listed."""

    ref: str
    code: str
    name: str
    regime: str
    category: str
    kind: str
    method: str
    purchaser: str
    agency: str
    region: str
    budget: Money
    funds: str
    approval_no: str
    intent_at: date | None
    ground: str
    ground_facts: str
    consent_no: str
    consent_on: date | None
    agency_agreement: str
    contact: str
    state: str
    version: int
    returns: int
    first_filed_at: datetime | None
    filed_at: datetime | None
    accepted_at: datetime | None
    asked: tuple[Gap, ...]
    gaps: tuple[Gap, ...]
    returned: tuple[Gap, ...]
    steps: tuple[Step, ...]
    tender: str


@dataclass(frozen=True)
class LotCard:
    """A lot as anybody may see it once it is published, and its own people before. ``terms``: what is bought and who may bid, as far as it
    is written. ``steps``: what the one who looks could do now."""

    ref: str
    tender: str
    no: int
    title: str
    tender_title: str
    project: str
    code: str
    regime: str
    category: str
    method: str
    purchaser: str
    agency: str
    region: str
    state: str
    version: int
    round: int
    predecessor: str
    budget: Money
    ceiling: Money
    deposit: Money
    terms: tuple[tuple[Words, str], ...]
    contact: str
    place: str
    issue_at: datetime | None
    clarify_until: datetime | None
    deadline: datetime | None
    opens_at: datetime | None
    window_minutes: int
    published_at: datetime | None
    failure: str
    failure_reason: str
    rules_version: str
    form: tuple[dict[str, Any], ...]
    scheme: dict[str, Any] | None
    coefficients: tuple[str, ...]
    steps: tuple[Step, ...]
    two_envelopes: bool = False
    co_opening: bool = False

    @property
    def name(self) -> str:
        """As ``Lot.name``."""
        return full_name(self.tender_title, self.title)

    def terms_in(self, language: str) -> list[tuple[str, str]]:
        """``terms`` with their labels in a language."""
        return [(label.text(language), text) for label, text in self.terms]


@dataclass(frozen=True)
class DocumentCard:
    id: int
    kind: str
    name: str
    version: int
    size: int
    media: str
    sha256: str
    added_at: datetime
    published_at: datetime | None


@dataclass(frozen=True)
class NoticeCard:
    id: int
    lot: str
    kind: str
    version: int
    title: str
    body: dict[str, Any]
    text: str
    published_at: datetime
    until: datetime | None
    document_hash: str


@dataclass(frozen=True)
class EnquiryCard:
    """A question without who asked it: there is no field for that."""

    ref: str
    question: str
    asked_at: datetime
    due_at: datetime | None
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True)
class OfficerCard:
    """``keyed``: has given its keys; ``signed`` and ``drilled``: envelopes done. ``fingerprint``: of the signing key, to read aloud."""

    j: int
    name: str
    organisation: str
    side: str
    keyed: bool
    fingerprint: str
    signed: tuple[str, ...]
    drilled: tuple[str, ...]


@dataclass(frozen=True)
class PolicyCard:
    envelope: str
    policy_id: str
    t: int
    n: int
    deadline: datetime
    opens_at: datetime
    complete: bool
    standing: bool
    supersedes: str


def _gaps(rows: list[dict[str, Any]]) -> tuple[Gap, ...]:
    return tuple(Gap(row["field"], row["code"], row["rule"], row["note"]) for row in rows)


def _project_card(view: View, project: Project) -> ProjectCard:
    tender = view.session.scalar(select(Tender.ref).where(Tender.project_id == project.id))
    return ProjectCard(
        ref=project.ref,
        code=project.code or "",
        name=project.name,
        regime=project.regime,
        category=project.category,
        kind=project.kind,
        method=project.method,
        purchaser=project.purchaser.name,
        agency=project.agency.name if project.agency else "",
        region=project.region,
        budget=project.budget,
        funds=project.funds,
        approval_no=project.approval_no,
        intent_at=project.intent_at,
        ground=project.ground,
        ground_facts=project.ground_facts,
        consent_no=project.consent_no,
        consent_on=project.consent_on,
        agency_agreement=project.agency_agreement,
        contact=project.contact,
        state=project.state,
        version=project.version,
        returns=project.returns,
        first_filed_at=project.first_filed_at,
        filed_at=project.filed_at,
        accepted_at=project.accepted_at,
        asked=tuple(projects.asked(project, view.now)),
        gaps=tuple(projects.gaps(project, view.now)),
        returned=_gaps(project.gaps),
        steps=PROJECT_FLOW.open_to(view.actor, project),
        tender=tender or "",
    )


def project_card(view: View, ref: str) -> ProjectCard:
    """For its own people, the centre (once filed) and the supervisor. Refuses: NotFound."""
    project = projects.project(view.session, ref)
    inside = view.actor.role in (Role.CENTRE, Role.SUPERVISOR) and project.state != "DRAFT"
    if not inside and not projects.is_of(project, view.actor.party_id):
        raise NotFound("project.unknown", ref=ref)
    return _project_card(view, project)


def own_projects(view: View) -> list[ProjectCard]:
    """The projects of the purchaser or agency that looks, newest first."""
    rows = select(Project).where(
        or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id)
    )
    return [
        _project_card(view, row)
        for row in view.session.scalars(rows.order_by(Project.made_at.desc(), Project.id.desc()))
    ]


def filings(view: View, state: str = "FILED") -> list[ProjectCard]:
    """The centre's filings in a state, longest waiting first. Refuses: NotAllowed."""
    view.require(Act.PROJECT_ACCEPT)
    rows = (
        select(Project).where(Project.state == state, Project.state != "DRAFT").order_by(Project.filed_at, Project.id)
    )
    return [_project_card(view, row) for row in view.session.scalars(rows)]


def visible_lot(view: View, ref: str) -> Lot:
    """A published lot for anybody; before that for its own people, its officers, the centre and the supervisor. Refuses: NotFound."""
    lot: Lot | None = view.session.scalar(_WHOLE, {"ref": ref})
    if lot is not None and (lot.published_at is not None or _inside(view, lot)):
        return lot
    raise NotFound("lot.unknown", ref=ref)


def held_lot(work: UnitOfWork, ref: str) -> Lot:
    """As ``visible_lot`` for one act in a rush: held with others from this very question on, without its project and the parties of that,
    which are read when asked for. Refuses: NotFound."""
    lot: Lot | None = work.session.scalar(_HELD, {"ref": ref})
    if lot is None or (lot.published_at is None and not _inside(work, lot)):
        raise NotFound("lot.unknown", ref=ref)
    work.found_held(lot, shared=True)
    return lot


_WHOLE = select(Lot).where(Lot.ref == bindparam("ref"))
_HELD = _WHOLE.options(  # what a bid depends on; the rest is read when asked for
    load_only(
        Lot.ref,
        Lot.tender_id,
        Lot.no,
        Lot.title,
        Lot.state,
        Lot.two_envelopes,
        Lot.co_opening,
        Lot.issue_at,
        Lot.deadline,
        Lot.opens_at,
        Lot.published_at,
    ),
    joinedload(Lot.tender).options(load_only(Tender.ref, Tender.project_id), lazyload(Tender.project)),
).with_for_update(read=True, of=Lot)


def _inside(view: View, lot: Lot) -> bool:
    if view.actor.role in (Role.CENTRE, Role.SUPERVISOR) or projects.is_of(lot.project, view.actor.party_id):
        return True
    return any(
        seat.account_id == view.actor.account_id
        for stage in (officers.STANDING, officers.NEXT, officers.PAST)
        for seat in officers.seats(view.session, lot, stage)
    )


def card_of(view: View, lot: Lot) -> LotCard:
    """The card of a lot the caller may see."""
    project = lot.project
    before = view.session.get(Lot, lot.predecessor_id) if lot.predecessor_id else None
    steps = LOT_FLOW.open_to(view.actor, lot) if projects.is_of(project, view.actor.party_id) else ()
    return LotCard(
        ref=lot.ref,
        tender=lot.tender.ref,
        no=lot.no,
        title=lot.title,
        tender_title=lot.tender.title,
        project=project.name,
        code=project.code or "",
        regime=project.regime,
        category=project.category,
        method=project.method,
        purchaser=project.purchaser.name,
        agency=project.agency.name if project.agency else "",
        region=project.region,
        state=lot.state,
        version=lot.version,
        round=lot.round,
        predecessor=before.ref if before else "",
        budget=lot.budget,
        ceiling=lot.ceiling,
        deposit=lot.deposit,
        terms=tuple((one.label, one.value(lot)) for one in FIELDS if one.terms and one.label and one.value(lot)),
        contact=lot.contact,
        place=lot.place,
        issue_at=lot.issue_at,
        clarify_until=lot.clarify_until,
        deadline=lot.deadline,
        opens_at=lot.opens_at,
        window_minutes=lot.window_minutes,
        published_at=lot.published_at,
        failure=lot.failure or "",
        failure_reason=lot.failure_reason,
        rules_version=lot.rules["version"] if lot.rules else "",
        form=tuple(lot.form),
        scheme=lot.scheme,
        coefficients=tuple(lot.coefficients),
        steps=steps,
        two_envelopes=lot.two_envelopes,
        co_opening=lot.co_opening,
    )


def lot_card(view: View, ref: str) -> LotCard:
    """Refuses: NotFound."""
    return card_of(view, visible_lot(view, ref))


def published_lots(
    view: View, *, states: tuple[str, ...] = (), words: str = "", limit: int = 50, skip: int = 0
) -> list[LotCard]:
    """Published lots for everybody, newest first; ``words`` are looked for in titles."""
    rows = select(Lot).join(Tender).where(Lot.published_at.is_not(None))
    if states:
        rows = rows.where(Lot.state.in_(states))
    if words.strip():
        rows = rows.where(
            or_(
                Lot.title.contains(words.strip(), autoescape=True),
                Tender.title.contains(words.strip(), autoescape=True),
            )
        )
    rows = rows.order_by(Lot.published_at.desc(), Lot.id.desc()).limit(limit).offset(skip)
    return [card_of(view, lot) for lot in view.session.scalars(rows)]


def lots_in(view: View, states: tuple[str, ...]) -> list[LotCard]:
    """Lots in some states, by the hour of their opening: for the lists of the centre, which sees every lot."""
    rows = select(Lot).where(Lot.state.in_(states)).order_by(Lot.opens_at, Lot.id)
    return [card_of(view, lot) for lot in view.session.scalars(rows)]


def own_lots(view: View) -> list[LotCard]:
    """All lots of the purchaser or agency that looks, newest first."""
    rows = (
        select(Lot)
        .join(Tender)
        .join(Project)
        .where(or_(Project.purchaser_id == view.actor.party_id, Project.agency_id == view.actor.party_id))
    )
    return [card_of(view, lot) for lot in view.session.scalars(rows.order_by(Lot.id.desc()))]


def officer_lots(view: View) -> list[LotCard]:
    """The lots on which the person who looks is an opening officer, newest first."""
    rows = (
        select(Lot)
        .join(officers.OfficerSeat, officers.OfficerSeat.lot_id == Lot.id)
        .where(officers.OfficerSeat.account_id == view.actor.account_id, officers.OfficerSeat.stage != officers.PAST)
        .distinct()
    )
    return [card_of(view, lot) for lot in view.session.scalars(rows.order_by(Lot.id.desc()))]


def document_cards(view: View, lot: Lot) -> list[DocumentCard]:
    """The standing files of a lot, to those who may take them; to others none."""
    if not documents.may_take(view, lot):
        return []
    own = projects.is_of(lot.project, view.actor.party_id)
    return [
        DocumentCard(
            row.id, row.kind, row.name, row.version, row.size, row.media, row.sha256, row.added_at, row.published_at
        )
        for row in documents.standing(view.session, lot)
        if row.published or own
    ]


def notice_cards(view: View, lot: Lot) -> list[NoticeCard]:
    """All notices of a lot, oldest first: every version, for ever."""
    return [_notice_card(row, lot.ref) for row in notices.of_lot(view.session, lot)]


def newest_notices(view: View, *, kinds: tuple[str, ...] = (), limit: int = 50, skip: int = 0) -> list[NoticeCard]:
    """Notices of all lots, newest first, for the public page."""
    rows = select(notices.Notice, Lot.ref).join(Lot, Lot.id == notices.Notice.lot_id)
    if kinds:
        rows = rows.where(notices.Notice.kind.in_(kinds))
    rows = rows.order_by(notices.Notice.published_at.desc(), notices.Notice.id.desc()).limit(limit).offset(skip)
    return [_notice_card(row, ref) for row, ref in view.session.execute(rows)]


def _notice_card(row: notices.Notice, ref: str) -> NoticeCard:
    return NoticeCard(
        row.id,
        ref,
        row.kind,
        row.version,
        row.title,
        row.body,
        row.text,
        row.published_at,
        row.until,
        row.document_hash,
    )


def enquiry_cards(view: View, lot: Lot) -> list[EnquiryCard]:
    """All questions to the agency that must answer them, unanswered first; to nobody else.

    Refuses: NotAllowed, NotFound.
    """
    view.require(Act.ENQUIRY_ANSWER)
    if not projects.is_of(lot.project, view.actor.party_id):
        raise NotFound("lot.unknown", ref=lot.ref)
    rows = view.session.scalars(select(enquiries.Enquiry).where(enquiries.Enquiry.lot_id == lot.id))
    return [
        _enquiry_card(row) for row in sorted(rows, key=lambda row: (row.answered_at is not None, row.asked_at, row.ref))
    ]


def own_enquiry_cards(view: View, lot: Lot) -> list[EnquiryCard]:
    """The questions of the party that looks."""
    return [_enquiry_card(row) for row in enquiries.own(view, lot)]


def _enquiry_card(row: enquiries.Enquiry) -> EnquiryCard:
    return EnquiryCard(row.ref, row.question, row.asked_at, row.due_at, row.answer, row.answered_at)


def policy_cards(view: View, lot: Lot) -> list[PolicyCard]:
    """The policies of a lot in the order they were drafted; complete ones are public, drafts are for the lot's own people."""
    inside = _inside(view, lot)
    rows = view.session.scalars(
        select(officers.Policy).where(officers.Policy.lot_id == lot.id).order_by(officers.Policy.id)
    )
    return [
        PolicyCard(
            row.envelope,
            row.policy_id,
            row.t,
            officers.policy_document(row)["n"],
            row.deadline,
            row.opens_at,
            row.dsse is not None,
            row.standing,
            row.supersedes,
        )
        for row in rows
        if inside or row.dsse is not None
    ]


def officer_cards(view: View, lot: Lot, stage: str = officers.STANDING) -> list[OfficerCard]:
    """The opening officers of a lot, in force or to take over next, and how far each is. Names of officers stand in the public policies."""
    policies = list(
        view.session.scalars(
            select(officers.Policy).where(officers.Policy.lot_id == lot.id).order_by(officers.Policy.id)
        )
    )
    done = {policy.id: officers.drilled(view.session, policy) for policy in policies if policy.standing}
    return [
        OfficerCard(
            j=seat.j,
            name=seat.account.name,
            organisation=seat.account.party.name,
            side=seat.side,
            keyed=bool(seat.publics),
            fingerprint=officers.fingerprint_of(seat),
            signed=tuple(
                p.envelope
                for p in policies
                if (p.standing or p.dsse is None)
                and officers.policy_document(p)["serial"] == seat.serial
                and any(row["keyid"] == seat.sign_kid for row in p.signatures)
            ),
            drilled=tuple(p.envelope for p in policies if seat.j in done.get(p.id, ())),
        )
        for seat in officers.seats(view.session, lot, stage)
    ]

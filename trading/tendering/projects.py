"""Projects: what a purchaser wants to buy, filed once for registration (受理) with the centre.

Law of the noun: acceptance looks at completeness only and is registration, never approval (rules A-01 to A-04). The centre has two
answers, accept, or return once with the full list of gaps (rule A-05); there is no step that refuses a project.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading import rulebook
from trading.files import attachments
from trading.files.attachments import Attachment
from trading.kernel import ids
from trading.kernel.access import Act, Role
from trading.kernel.blobs import Blob
from trading.kernel.calendar import day_end, day_start, local_day
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Fault, Faults, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.flow import Flow, Step, check_version, state_check
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.parties.parties import Party
from trading.procedures import PROCEDURES, REGIMES, Procedure, of_regime, procedure_of
from trading.procedures import find as find_procedure

PROJECT_FLOW = Flow(
    "project",
    "DRAFT",
    Step("file", ("DRAFT", "RETURNED"), "FILED", Act.PROJECT_FILE),
    Step("return", "FILED", "RETURNED", Act.PROJECT_ACCEPT),
    Step("accept", "FILED", "ACCEPTED", Act.PROJECT_ACCEPT),
)

CATEGORIES = tuple(dict.fromkeys(category for one in PROCEDURES for category in one.intake.categories))
KINDS = tuple(dict.fromkeys(kind for one in PROCEDURES for kind in one.intake.kinds))
METHODS = tuple(one.id for one in PROCEDURES)


class Project(Base):
    """A filed need. ``code`` is the unified transaction code, given at acceptance. Money in minor units (fen) of ``currency``.

    ``ground``: the case in law for which a method other than the open tender was chosen, with its facts; ``consent_no``, ``consent_on``:
    the authority's consent to it (rule R-08). ``gaps`` is the list last returned to the filer, ``[{field, code, rule}]``; ``returns``
    counts the returns for the service report.
    """

    __tablename__ = "project"
    __table_args__ = (
        CheckConstraint(state_check(PROJECT_FLOW), name="state"),
        CheckConstraint(one_of("regime", REGIMES), name="regime"),
        CheckConstraint(one_of("category", CATEGORIES), name="category"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("(state = 'ACCEPTED') = (accepted_at IS NOT NULL AND code IS NOT NULL)", name="accepted"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    code: Mapped[str | None] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    regime: Mapped[str] = mapped_column(String(10))
    category: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(20), default="")
    method: Mapped[str] = mapped_column(String(10))
    purchaser_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    agency_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    region: Mapped[str] = mapped_column(String(40), default="")
    budget_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3), default="CNY")
    funds: Mapped[str] = mapped_column(Text, default="")
    approval_no: Mapped[str] = mapped_column(String(120), default="")
    intent_at: Mapped[date | None] = mapped_column(Date)
    ground: Mapped[str] = mapped_column(String(30), default="")
    ground_facts: Mapped[str] = mapped_column(Text, default="")
    consent_no: Mapped[str] = mapped_column(String(120), default="")
    consent_on: Mapped[date | None] = mapped_column(Date)
    agency_agreement: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(20), default=PROJECT_FLOW.start, index=True)
    version: Mapped[int] = mapped_column(default=0)
    returns: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime] = mapped_column(Moment)
    first_filed_at: Mapped[datetime | None] = mapped_column(Moment)
    filed_at: Mapped[datetime | None] = mapped_column(Moment)
    returned_at: Mapped[datetime | None] = mapped_column(Moment)
    accepted_at: Mapped[datetime | None] = mapped_column(Moment)
    gaps: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    purchaser: Mapped[Party] = relationship(foreign_keys=[purchaser_id], lazy="joined")
    agency: Mapped[Party | None] = relationship(foreign_keys=[agency_id], lazy="joined")

    @property
    def log_of(self) -> str:
        return self.ref

    @property
    def budget(self) -> Money:
        return Money(self.budget_minor, self.currency)


# --- small rules ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """One thing missing from a filing: the field, a stable code, the rule it rests on, and a clerk's words, if any."""

    field: str
    code: str
    rule: str = "A-01"
    note: str = ""

    def as_json(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "rule": self.rule, "note": self.note}


CHECKED = (
    "approval_no",
    "budget",
    "funds",
    "agency_agreement",
    "contact",
    "region",
    "intent_at",
    "ground",
    "ground_facts",
    "consent_no",
    "consent_on",
)
"""The fields completeness is about (rule A-01); a clerk may call a paper in these unreadable, and nothing else."""


def needed_to_file(law: Procedure, budget: Money, *, by_agency: bool, ground: str, on: date) -> list[Gap]:
    """What a filing must hold by the rules in force on a day (rules A-01, A-06, R-08): each as the gap it is while it is missing."""
    wanted = law.intake.needed(
        rulebook.select(law.regime, on), Fraction(budget.minor, 100), by_agency=by_agency, ground=ground
    )
    return [Gap(one.field, one.gap, str(one.rule)) for one in wanted]


def asked(project: Project, now: datetime) -> list[Gap]:
    """What the filing of this project must hold by the rules of the day."""
    return needed_to_file(
        procedure_of(project),
        project.budget,
        by_agency=project.agency_id is not None,
        ground=project.ground,
        on=local_day(now),
    )


def gaps(project: Project, now: datetime) -> list[Gap]:
    """Everything missing, at once (rules A-01, A-05, A-06, R-08), by the rules of the day. Judges completeness only: never who files, nor
    whether the purchase is wise."""
    there = {
        "region": bool(project.region.strip()),
        "agency_agreement": bool(project.agency_agreement.strip()),
        "contact": bool(project.contact.strip()),
        "budget": project.budget_minor > 0,
        "funds": bool(project.funds.strip()),
        "approval_no": bool(project.approval_no.strip()),
        "intent_at": project.intent_at is not None,
        "ground": bool(project.ground),
        "ground_facts": bool(project.ground_facts.strip()),
        "consent_no": bool(project.consent_no.strip()),
        "consent_on": project.consent_on is not None,
    }
    return [gap for gap in asked(project, now) if not there[gap.field]]


def is_of(project: Project, party_id: int | None) -> bool:
    """Whether a party is the purchaser or the agency of the project."""
    return party_id is not None and party_id in (project.purchaser_id, project.agency_id)


def require_tie(view: View, project: Project) -> None:
    """The second lock: only the project's own purchaser and agency. Refuses: NotAllowed ``project.not_yours``."""
    if not is_of(project, view.actor.party_id):
        raise NotAllowed("project.not_yours", ref=project.ref)


def public_ref(session: Session, column: Any, prefix: str, year: int) -> str:
    """A public reference such as ``KP-2026-7F3A2C``, random so that it counts nothing, free in ``column``."""
    while True:
        ref = f"{prefix}-{year}-{secrets.token_hex(3).upper()}"
        if session.scalar(select(func.count()).where(column == ref)) == 0:
            return ref


def project(session: Session, ref: str) -> Project:
    """Refuses: NotFound."""
    found = session.scalar(select(Project).where(Project.ref == ref))
    if found is None:
        raise NotFound("project.unknown", ref=ref)
    return found


def _check(
    faults: Faults,
    *,
    name: str,
    regime: str,
    category: str,
    kind: str,
    method: str,
    budget: Money,
    ground: str,
    purchaser: Party | None,
    agency: Party | None,
) -> None:
    if not name.strip():
        faults.add("name", "form.required")
    offered, law = of_regime(regime), find_procedure(method)
    if not offered:
        faults.add("regime", "project.regime", regimes=list(REGIMES))
    elif law not in offered:
        faults.add("method", "project.method", methods=[one.id for one in offered])
        law = offered[0]
    if category not in CATEGORIES:
        faults.add("category", "project.category", categories=list(CATEGORIES))
    elif law is not None and category not in law.intake.categories:
        _refuse_category(faults, law)
    if law is not None and ground and ground not in {one.code for one in law.intake.grounds}:
        faults.add("ground", "project.ground")
    kinds = KINDS if law is None else law.intake.kinds
    if kind not in kinds:
        faults.add("kind", "project.kind", kinds=list(kinds))
    if budget.is_negative:
        faults.add("budget", "money.negative", text=budget.text())
    if purchaser is None or purchaser.kind != "purchaser":
        faults.add("purchaser", "project.purchaser")
    if agency is not None and agency.kind != "agency":
        faults.add("agency", "project.agency")


def _refuse_category(faults: Faults, law: Procedure) -> None:
    """What the method does not buy: its own article says so, or the regime."""
    if law.intake.limits:
        faults.add("category", "project.method_category", rule=law.intake.limits)
    else:
        faults.add("regime", "project.works_follow_tender_law", rule="R-03")


# --- acts -------------------------------------------------------------------------------------------------------------------------


def draft(
    work: UnitOfWork,
    *,
    name: str,
    regime: str,
    category: str,
    kind: str = "",
    method: str = "",
    purchaser: Party | None = None,
    agency: Party | None = None,
    budget: Money | None = None,
    region: str = "",
    funds: str = "",
    approval_no: str = "",
    intent_at: date | None = None,
    agency_agreement: str = "",
    contact: str = "",
    ground: str = "",
    ground_facts: str = "",
    consent_no: str = "",
    consent_on: date | None = None,
) -> Project:
    """Begin a project. A purchaser drafts its own; an agency names the purchaser and becomes the agency.

    Refuses: NotAllowed, Invalid (every field).
    """
    work.require(Act.PROJECT_DRAFT)
    own = parties.own_party(work)
    if work.actor.role is Role.PURCHASER:
        purchaser = own
    elif own.kind == "agency":
        agency = own
    else:
        purchaser = own
    budget, method = budget or Money.zero(), method or next((one.id for one in of_regime(regime)), "")
    faults = Faults()
    _check(
        faults,
        name=name,
        regime=regime,
        category=category,
        kind=kind,
        method=method,
        budget=budget,
        ground=ground,
        purchaser=purchaser,
        agency=agency,
    )
    faults.refuse_if_any()
    assert purchaser is not None
    new = Project(
        ref=public_ref(work.session, Project.ref, "P", local_day(work.now).year),
        name=name.strip(),
        regime=regime,
        category=category,
        kind=kind,
        method=method,
        purchaser_id=purchaser.id,
        agency_id=agency.id if agency else None,
        region=region.strip(),
        budget_minor=budget.minor,
        currency=budget.currency,
        funds=funds.strip(),
        approval_no=approval_no.strip(),
        intent_at=intent_at,
        agency_agreement=agency_agreement.strip(),
        contact=contact.strip(),
        ground=ground,
        ground_facts=ground_facts.strip(),
        consent_no=consent_no.strip(),
        consent_on=consent_on,
        state=PROJECT_FLOW.start,
        version=0,
        returns=0,
        made_at=work.now,
        gaps=[],
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("project.draft", new.log_of, regime=regime)
    return new


_EDITABLE = frozenset(
    "name category kind region funds approval_no intent_at agency_agreement contact budget agency"
    " ground ground_facts consent_no consent_on".split()
)


def edit(work: UnitOfWork, project: Project, *, seen: int | None = None, **changes: Any) -> None:
    """Change fields of a draft or a returned filing: ``name category kind region funds approval_no intent_at agency_agreement contact``,
    ``ground ground_facts consent_no consent_on``, ``budget`` (Money), ``agency`` (Party or None). ``seen``: the version the form showed.

    Refuses: NotAllowed, WrongStep, Conflict ``form.stale``, Invalid (every field).
    """
    _require_open(work, project)
    check_version(project, seen)
    if strange := sorted(set(changes) - _EDITABLE):
        raise Invalid("form.unknown_fields", fields=strange)
    value: dict[str, Any] = {
        "name": project.name,
        "category": project.category,
        "kind": project.kind,
        "budget": project.budget,
        "agency": project.agency,
        "ground": project.ground,
    }
    value.update({key: changes[key] for key in value if key in changes})
    faults = Faults()
    _check(faults, regime=project.regime, method=project.method, purchaser=project.purchaser, **value)
    faults.refuse_if_any()
    for key, new in changes.items():
        if key == "budget":
            project.budget_minor, project.currency = new.minor, new.currency
        elif key == "agency":
            project.agency_id = new.id if new else None
        else:
            setattr(project, key, new.strip() if isinstance(new, str) else new)
    project.version += 1
    work.session.flush()
    work.session.refresh(project)
    work.record("project.edit", project.log_of, fields=sorted(changes))


def _require_open(work: UnitOfWork, project: Project) -> None:
    """The locks of changing a filing. Refuses: NotAllowed, WrongStep."""
    work.require(Act.PROJECT_DRAFT)
    require_tie(work, project)
    work.lock(project)
    if project.state not in ("DRAFT", "RETURNED"):
        raise WrongStep("project.not_editable", ref=project.ref, state=project.state)


def attach(work: UnitOfWork, project: Project, *, name: str, blob: Blob) -> Attachment:
    """Attach a stored file to a draft or a returned filing. Refuses: NotAllowed, WrongStep, Invalid, Conflict (``attachments.put``)."""
    _require_open(work, project)
    return attachments.put(work, name=name, blob=blob, role="filing", log_of=project.log_of, project_id=project.id)


def detach(work: UnitOfWork, project: Project, number: int) -> None:
    """Take an attachment out before it is filed. Refuses: NotAllowed, WrongStep, NotFound."""
    _require_open(work, project)
    row = next((one for one in attachments.of_project(work.session, project.id) if one.id == number), None)
    if row is None:
        raise NotFound("document.unknown", id=number)
    attachments.withdraw(work, row)


def file(work: UnitOfWork, project: Project) -> None:
    """Hand the project to the centre; gaps do not stop a filing. The digests of what is attached stand in the record.

    Refuses: NotAllowed, WrongStep.
    """
    work.require(Act.PROJECT_FILE)
    require_tie(work, project)
    work.lock(project)
    PROJECT_FLOW.take(
        work, project, "file", files=[row.blob for row in attachments.of_project(work.session, project.id)]
    )
    project.filed_at = work.now
    project.first_filed_at = project.first_filed_at or work.now


def return_with_gaps(work: UnitOfWork, project: Project, *, notes: Iterable[Gap] = ()) -> list[Gap]:
    """Return a filing with the full list of gaps: those found by rule, plus a clerk's ``notes`` on papers that cannot be read.

    Refuses: NotAllowed, WrongStep, Invalid ``project.note_field`` (a note on anything but completeness, rule A-02),
    ``project.nothing_missing`` (a complete filing is accepted, rule A-04).
    """
    work.require(Act.PROJECT_ACCEPT)
    work.lock(project)
    PROJECT_FLOW.check(project, "return")
    added = list(notes)
    if strange := sorted({note.field for note in added} - set(CHECKED)):
        raise Invalid("project.note_field", fields=strange, rule="A-02")
    if silent := sorted({note.field for note in added if not note.note.strip()}):
        raise Invalid("project.note_words", fields=silent)
    found = gaps(project, work.now)
    found += [note for note in added if note.field not in {gap.field for gap in found}]
    if not found:
        raise Invalid("project.nothing_missing", ref=project.ref, rule="A-04")
    PROJECT_FLOW.take(work, project, "return", gaps=[gap.field for gap in found])
    project.gaps = [gap.as_json() for gap in found]
    project.returns += 1
    project.returned_at = work.now
    return found


def accept(work: UnitOfWork, project: Project, *, category_code: str = "") -> str:
    """Register a complete filing and give it its unified transaction code, which is returned.

    ``category_code``: the national category (``A01`` …); the open end of the regime's list if none is named. The code's platform part is
    the credit code of the centre that accepts. Refuses: NotAllowed, WrongStep, Invalid ``project.incomplete`` (all gaps), ``utc.*``.
    """
    work.require(Act.PROJECT_ACCEPT)
    work.lock(project)
    PROJECT_FLOW.check(project, "accept")
    if found := gaps(project, work.now):
        raise Invalid(
            "project.incomplete",
            faults=[Fault(gap.field, gap.code, {"rule": gap.rule}) for gap in found],
            count=len(found),
        )
    own, day = parties.own_party(work), local_day(work.now)
    work.lock(own)  # the running number of the day is taken by one acceptance at a time
    today = work.session.scalar(
        select(func.count()).where(Project.accepted_at >= day_start(day), Project.accepted_at < day_end(day))
    )
    code = ids.transaction_code(
        category_code or procedure_of(project).intake.transaction_category, own.code, day, (today or 0) + 1
    )
    project.code, project.accepted_at, project.gaps = str(code), work.now, []
    PROJECT_FLOW.take(work, project, "accept", code=str(code), returns=project.returns)
    work.session.flush()
    return str(code)

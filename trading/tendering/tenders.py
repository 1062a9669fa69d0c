"""Tenders and lots: what is bought, by which rules, until when, and in which state of the procedure.

Law of the noun: a lot is published once, with the rulebook of that day (a snapshot that never changes), a scheme of criteria and an
opening policy that every officer has signed; from then on only the steps of LOT_FLOW change it. The deadline is a moment, not a
state: acts compare it with ``work.now`` themselves (rules T-03, N-08; states of rulebook §1.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.signatures import document_hash
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.clock import floor_minute
from trading.kernel.db import Base, Json, Moment
from trading.kernel.errors import Conflict, Fault, Faults, Invalid, NotFound, WrongStep
from trading.kernel.exact import BadValue, number
from trading.kernel.flow import Flow, Step, check_version, state_check
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork
from trading.procedures import fields, procedure_of
from trading.procedures.field import COUNT, DRAFT, FORM, MONEY, NUMBERS, TEXT, TICK, Field
from trading.tendering import bid_forms
from trading.tendering.projects import Project, public_ref, require_tie

LOT_FLOW = Flow(
    "lot",
    "ACCEPTED",
    Step("publish", "ACCEPTED", "NOTICE", Act.LOT_PUBLISH),
    Step("issue", "NOTICE", "BIDDING", Act.CLOCK),
    Step("close", "BIDDING", "OPENING", Act.CLOCK),
    Step("fail_few", "OPENING", "FAILED", Act.CLOCK),
    Step("fail_opening", "OPENING", "FAILED", Act.OPENING_HOST),
    Step("fail_fault", "OPENING", "FAILED", Act.FAULT_DECIDE),
    Step("review_qualification", "OPENING", "QUAL_REVIEW", Act.OPENING_HOST),
    Step("fail_review", "QUAL_REVIEW", "FAILED", Act.QUALIFICATION_REVIEW),
    Step("qualify", "QUAL_REVIEW", "EVALUATION", Act.QUALIFICATION_REVIEW),
    Step("evaluate", "OPENING", "EVALUATION", Act.OPENING_HOST),
    Step("fail_evaluation", "EVALUATION", "FAILED", Act.REPORT_CONCLUDE),
    Step("report", "EVALUATION", "REPORT", Act.REPORT_CONCLUDE),
    Step("publicise", "REPORT", "CANDIDATES", Act.NOTICE_PUBLISH),
    Step("decide", ("REPORT", "CANDIDATES"), "AWARD", Act.AWARD_DECIDE),
    Step("announce", "AWARD", "RESULT", Act.NOTICE_PUBLISH),
    Step("decide_again", ("AWARD", "RESULT"), "AWARD", Act.AWARD_DECIDE),
    Step("review_again", ("REPORT", "CANDIDATES", "AWARD", "RESULT"), "EVALUATION", Act.OBJECTION_ANSWER),
    Step("annul", ("REPORT", "CANDIDATES", "AWARD", "RESULT"), "FAILED", Act.AWARD_DECIDE),
    Step("contract", "RESULT", "CONTRACT", Act.CONTRACT_RECORD),
    Step("file", "CONTRACT", "FILING", Act.CONTRACT_RECORD),
    Step("settle", "FILING", "CLOSING", Act.CLOCK),
    Step("archive", ("CLOSING", "FAILED", "TERMINATED"), "ARCHIVED", Act.ARCHIVE_SEAL),
    Step(
        "terminate",
        ("ACCEPTED", "NOTICE", "BIDDING", "OPENING", "QUAL_REVIEW", "EVALUATION", "REPORT", "CANDIDATES", "AWARD"),
        "TERMINATED",
        Act.TENDER_TERMINATE,
    ),
    allows=lambda lot, state, step: procedure_of(lot).path.allows(state, step),
)
"""Every step of every procedure; the procedure of a lot says which of them are its way."""

SECRET_STATES = frozenset({"ACCEPTED", "NOTICE", "BIDDING"})
"""States in which nobody may learn how many bid or who (promise S1). OPENING too, until the opening list is published."""


class Tender(Base):
    """One procurement as it is put to the market; ``ref`` stands in every signed document and in addresses."""

    __tablename__ = "tender"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(Moment)
    project: Mapped[Project] = relationship(lazy="joined")
    lots: Mapped[list[Lot]] = relationship(back_populates="tender", order_by="Lot.no")


def full_name(tender: str, lot: str) -> str:
    """A lot by its tender's title and its own, once where they are the same."""
    return lot if tender in lot else f"{tender} {lot}"


class Lot(Base):
    """One lot (标段/采购包). Money in minor units (fen) of ``currency``.

    ``rules``: rulebook snapshot, set at publication. ``scheme``: criteria as validated by evaluation.scoring.schemes. ``form``: the
    structured bid form, ``[{key, label, label_en, type, required}]``. ``coefficients``: the values a works coefficient is drawn from.
    ``two_envelopes``: a bid is a technical and a price envelope, opened one after the other; ``co_opening``: bids open only with the
    bidder's own part too (protocol §2, §5). Both are fixed with publication. ``consortium_most``: how many parties a consortium may have
    (TReg art. 37), 0 where none is accepted.
    The planned moments (``issue_at`` … ``opens_at``) are whole minutes and bind from publication on. ``ref`` is ``TENDER-no``, for
    addresses. ``failure``: ground code once FAILED.
    """

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("tender_id", "no"),
        CheckConstraint(state_check(LOT_FLOW), name="state"),
        CheckConstraint(
            "state IN ('ACCEPTED', 'TERMINATED', 'ARCHIVED') OR (published_at IS NOT NULL AND rules IS NOT NULL)",
            name="published",
        ),
        CheckConstraint("opens_at IS NULL OR deadline IS NULL OR opens_at >= deadline", name="opens_after_deadline"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tender_id: Mapped[int] = mapped_column(ForeignKey("tender.id"), index=True)
    no: Mapped[int]
    ref: Mapped[str] = mapped_column(String(60), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default=LOT_FLOW.start, index=True)
    version: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=1)
    predecessor_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    currency: Mapped[str] = mapped_column(String(3), default="CNY")
    budget_minor: Mapped[int] = mapped_column(BigInteger)
    ceiling_minor: Mapped[int] = mapped_column(BigInteger)
    deposit_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    need: Mapped[str] = mapped_column(Text, default="")
    qualification: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    place: Mapped[str] = mapped_column(String(200), default="")
    form: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    two_envelopes: Mapped[bool] = mapped_column(default=False)
    co_opening: Mapped[bool] = mapped_column(default=False)
    consortium_most: Mapped[int] = mapped_column(default=0)
    scheme: Mapped[dict[str, Any] | None] = mapped_column(Json)
    coefficients: Mapped[list[str]] = mapped_column(Json)
    rules: Mapped[dict[str, Any] | None] = mapped_column(Json)
    issue_at: Mapped[datetime | None] = mapped_column(Moment)
    clarify_until: Mapped[datetime | None] = mapped_column(Moment)
    deadline: Mapped[datetime | None] = mapped_column(Moment, index=True)
    opens_at: Mapped[datetime | None] = mapped_column(Moment)
    window_minutes: Mapped[int] = mapped_column(default=30)
    threshold: Mapped[int] = mapped_column(default=0)  # t of the opening officers, set when they are named
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    failure: Mapped[str | None] = mapped_column(String(40))
    failure_reason: Mapped[str] = mapped_column(Text, default="")
    tender: Mapped[Tender] = relationship(back_populates="lots", lazy="joined")

    @property
    def name(self) -> str:
        """What the lot is called where nothing else tells of its tender: ``第一包`` alone says nothing."""
        return full_name(self.tender.title, self.title)

    @property
    def log_of(self) -> str:
        """The lot in log records: ``TENDER/no`` (addresses use ``ref``, ``TENDER-no``)."""
        return f"{self.tender.ref}/{self.no}"

    @property
    def no_text(self) -> str:
        """The lot's name in signed documents."""
        return str(self.no)

    @property
    def regime(self) -> str:
        return self.tender.project.regime

    @property
    def method(self) -> str:
        return self.tender.project.method

    @property
    def ground(self) -> str:
        """The case in law for which the method was chosen, "" for an open tender."""
        return self.tender.project.ground

    @property
    def project(self) -> Project:
        return self.tender.project

    @property
    def budget(self) -> Money:
        return Money(self.budget_minor, self.currency)

    @property
    def ceiling(self) -> Money:
        return Money(self.ceiling_minor, self.currency)

    @property
    def deposit(self) -> Money:
        return Money(self.deposit_minor, self.currency)


@dataclass(frozen=True)
class LotFacts:
    """What the beginning of an upload depends on of a lot, as a larger question reads it along (``LOT_FACTS``)."""

    id: int
    ref: str
    state: str
    two_envelopes: bool
    issue_at: datetime | None
    deadline: datetime | None
    published_at: datetime | None


LOT_FACTS = (Lot.id, Lot.ref, Lot.state, Lot.two_envelopes, Lot.issue_at, Lot.deadline, Lot.published_at)


# --- small rules ------------------------------------------------------------------------------------------------------------------

TENDER_PREFIX = "KP"
_WRITTEN = {one.name: one for one in fields.WRITTEN}


def check_lot(faults: Faults, where: str, project: Project, value: Mapping[str, Any]) -> None:
    """Note every fault of a lot's fields under ``where`` + field."""
    for one in fields.asked():
        if one.kind == TEXT and one.needed == DRAFT and not str(value[one.name]).strip():
            faults.add(where + one.name, "form.required")
    check_amounts(faults, where, project, value["budget"], value["ceiling"], value["deposit"])
    for one in fields.asked():
        ask, count = one.ask, value[one.name]
        if one.kind != COUNT or ask is None or (ask.blank and count == 0):
            continue
        if not ask.least <= count <= ask.most:
            faults.add(where + one.name, ask.refusal, least=ask.least, most=ask.most)
    try:
        bid_forms.check_form(value["form"], two_envelopes=value["two_envelopes"])
    except Invalid as refusal:
        faults.found += [Fault(where + fault.where, fault.code, fault.facts) for fault in refusal.faults]
    for place, text in enumerate(value["coefficients"]):
        try:
            number(text, "")
        except BadValue:
            faults.add(f"{where}coefficients.{place}", "lot.coefficient", text=str(text)[:40])
    if len(set(value["coefficients"])) != len(value["coefficients"]):
        faults.add(where + "coefficients", "lot.coefficient_twice")


def check_amounts(faults: Faults, where: str, project: Project, budget: Money, ceiling: Money, deposit: Money) -> None:
    """Note what is wrong with the amounts of a lot, each for itself and against the others. A ceiling above the budget is unlawful where
    the project's procedure says so (rule C-02)."""
    if not budget.is_positive:
        faults.add(where + "budget", "lot.budget_positive")
    if len({budget.currency, ceiling.currency, deposit.currency}) > 1:
        faults.add(where + "ceiling", "money.currencies_differ", one=budget.currency, other=ceiling.currency)
    elif ceiling > budget and procedure_of(project).ceiling_within is not None:
        faults.add(where + "ceiling", "lot.ceiling_over_budget", ceiling=ceiling.text(), budget=budget.text())
    if not ceiling.is_positive:
        faults.add(where + "ceiling", "lot.ceiling_positive")
    if deposit.is_negative:
        faults.add(where + "deposit", "money.negative", text=deposit.text())


def check_total(faults: Faults, project: Project, budgets: Iterable[Money]) -> None:
    """The lots' budgets together stay within the project's. Notes a fault under ``budget``."""
    total = Money.total(budgets, project.currency)
    if total > project.budget:
        faults.add("budget", "tender.over_budget", total=total.text(), budget=project.budget.text())


def budgets_beside(session: Session, lot: Lot) -> Money:
    """The budgets of the other lots of the tender that still stand."""
    others = select(func.coalesce(func.sum(Lot.budget_minor), 0)).where(
        Lot.tender_id == lot.tender_id, Lot.id != lot.id, Lot.state.not_in(("FAILED", "TERMINATED", "ARCHIVED"))
    )
    return Money(int(session.scalar(others) or 0), lot.currency)


def lot(session: Session, ref: str) -> Lot:
    """The lot of a reference ``TENDER-no``. Refuses: NotFound."""
    found = session.scalar(select(Lot).where(Lot.ref == ref))
    if found is None:
        raise NotFound("lot.unknown", ref=ref)
    return found


def lot_of_id(session: Session, lot_id: int) -> Lot:
    """The lot a row of another table names."""
    return session.get_one(Lot, lot_id)


def tender(session: Session, ref: str) -> Tender:
    """Refuses: NotFound."""
    found = session.scalar(select(Tender).where(Tender.ref == ref))
    if found is None:
        raise NotFound("tender.unknown", ref=ref)
    return found


# --- acts -------------------------------------------------------------------------------------------------------------------------


def _complete(given: Mapping[str, Any], project: Project) -> dict[str, Any]:
    """A lot's fields with their defaults; the bid form is that of the category. Refuses: Invalid ``form.unknown_fields``."""
    if strange := sorted(set(given) - _WRITTEN.keys()):
        raise Invalid("form.unknown_fields", fields=strange)
    value = {one.name: _first(one, project) for one in fields.WRITTEN}
    return value | dict(given)


def _first(field: Field, project: Project) -> Any:
    """What a field holds before anybody writes it."""
    if field.kind == FORM:
        return bid_forms.default_form(project.category)
    if field.kind == MONEY:
        return Money.zero(project.currency)
    if field.kind == COUNT and field.ask is not None:
        return field.ask.first
    return {TEXT: "", TICK: False, NUMBERS: []}[field.kind]


def _columns(value: Mapping[str, Any]) -> dict[str, Any]:
    held = {}
    for name, new in value.items():
        field = _WRITTEN[name]
        held[field.column[1]] = new.minor if field.kind == MONEY else new.strip() if field.kind == TEXT else new
    return held


def draft_tender(work: UnitOfWork, project: Project, *, title: str, lots: Iterable[Mapping[str, Any]]) -> Tender:
    """Begin the tender of an accepted project. Each lot: the fields of ``fields.WRITTEN`` by name, amounts as Money, coefficients as
    decimal texts, the bid form as ``[{key, label, label_en, type, required}]``; what is left out is as ``_first`` has it.

    Refuses: NotAllowed, WrongStep (not accepted), Conflict ``tender.exists``, Invalid (every field).
    """
    work.require(Act.TENDER_DRAFT)
    require_tie(work, project)
    work.lock(project)
    if project.state != "ACCEPTED":
        raise WrongStep("tender.project_not_accepted", ref=project.ref, state=project.state)
    if work.session.scalar(select(Tender.id).where(Tender.project_id == project.id)) is not None:
        raise Conflict("tender.exists", ref=project.ref)
    values = [_complete(given, project) for given in lots]
    faults = Faults()
    if not title.strip():
        faults.add("title", "form.required")
    if not values:
        faults.add("lots", "form.required")
    for place, value in enumerate(values):
        check_lot(faults, f"lots.{place}.", project, value)
    faults.refuse_if_any()
    check_total(faults, project, (value["budget"] for value in values))
    faults.refuse_if_any()
    ref = public_ref(work.session, Tender.ref, TENDER_PREFIX, local_day(work.now).year)
    new = Tender(ref=ref, project_id=project.id, title=title.strip(), made_at=work.now)
    work.session.add(new)
    work.session.flush()
    for no, value in enumerate(values, start=1):
        _add_lot(work, new, no, value)
    work.session.refresh(new)
    work.record("tender.draft", new.ref, project=project.ref, lots=len(values))
    return new


def _add_lot(work: UnitOfWork, tender: Tender, no: int, value: Mapping[str, Any]) -> Lot:
    new = Lot(
        tender_id=tender.id,
        no=no,
        ref=f"{tender.ref}-{no}",
        state=LOT_FLOW.start,
        version=0,
        round=1,
        threshold=0,
        currency=value["budget"].currency,
        scheme=None,
        rules=None,
        failure=None,
        failure_reason="",
        **_columns(value),
    )
    work.session.add(new)
    work.session.flush()
    return new


def require_draft(work: UnitOfWork, lot: Lot, act: Act = Act.TENDER_DRAFT) -> None:
    """The locks of preparing a lot: act, tie, and that it is not yet published; locks the row. Refuses: NotAllowed, WrongStep."""
    work.require(act)
    require_tie(work, lot.project)
    work.lock(lot)
    if lot.state != LOT_FLOW.start:
        raise WrongStep("lot.published_already", ref=lot.ref, state=lot.state)


def edit_lot(work: UnitOfWork, lot: Lot, *, seen: int | None = None, **changes: Any) -> None:
    """Change fields (those of ``draft_tender``) of a lot that is not published. Refuses: NotAllowed, WrongStep, Conflict, Invalid."""
    require_draft(work, lot)
    check_version(lot, seen)
    value = _complete(_held(lot) | changes, lot.project)
    faults = Faults()
    check_lot(faults, "", lot.project, value)
    faults.refuse_if_any()
    check_total(faults, lot.project, [value["budget"], budgets_beside(work.session, lot)])
    faults.refuse_if_any()
    for key, new in _columns({key: value[key] for key in changes}).items():
        setattr(lot, key, new)
    lot.version += 1
    work.session.flush()
    work.record("lot.edit", lot.log_of, fields=sorted(changes))


COPIED = tuple(one.name for one in fields.WRITTEN if one.ask is None or one.ask.copied)
"""What a lot takes over from an earlier one: words, terms and the opening form; never money, dates or key holders."""


def _held(lot: Lot) -> dict[str, Any]:
    return {one.name: one.value(lot) for one in fields.WRITTEN}


def copy_terms(work: UnitOfWork, lot: Lot, source: Lot, *, seen: int | None = None) -> None:
    """Take words and terms over from another own lot of the same regime, and the opening form where the category is the same too.

    Refuses: NotAllowed (either lot somebody else's), WrongStep, Conflict, Invalid ``lot.copy_other_regime``, ``lot.copy_itself``.
    """
    require_tie(work, source.project)
    if source.id == lot.id:
        raise Invalid("lot.copy_itself", ref=lot.ref)
    if not procedure_of(lot).shares_terms_with(procedure_of(source)):
        raise Invalid("lot.copy_other_regime", ref=source.ref)
    taken = {key: getattr(source, key) for key in COPIED}
    if source.project.category != lot.project.category:
        del taken["form"]
    edit_lot(work, lot, seen=seen, **taken)


def set_scheme(work: UnitOfWork, lot: Lot, scheme: dict[str, Any]) -> None:
    """Keep the criteria of evaluation, as ``evaluation.scoring.schemes`` has validated them. Refuses: NotAllowed, WrongStep."""
    require_draft(work, lot)
    lot.scheme = scheme
    lot.version += 1
    work.session.flush()
    work.record("lot.set_scheme", lot.log_of, scheme=document_hash(scheme))


def plan(
    work: UnitOfWork,
    lot: Lot,
    *,
    deadline: datetime,
    issue_at: datetime | None = None,
    clarify_until: datetime | None = None,
    opens_at: datetime | None = None,
) -> None:
    """Set the timetable: documents from ``issue_at`` (else from publication), questions until ``clarify_until`` (else the deadline),
    bids before ``deadline``, opening from ``opens_at`` (else at the deadline, as the law wants it). Whole minutes, in this order; whether
    they are far enough apart is checked against the rulebook at publication.

    Refuses: NotAllowed, WrongStep, Invalid (every field).
    """
    require_draft(work, lot)
    opens_at = opens_at or deadline
    moments = {"issue_at": issue_at, "clarify_until": clarify_until, "deadline": deadline, "opens_at": opens_at}
    faults = Faults()
    for where, moment in moments.items():
        if moment is not None and floor_minute(moment) != moment:
            faults.add(where, "lot.whole_minute", moment=moment)
    if deadline <= work.now:
        faults.add("deadline", "lot.deadline_past", deadline=deadline, now=work.now)
    if opens_at < deadline:
        faults.add("opens_at", "lot.opens_before_deadline", opens_at=opens_at, deadline=deadline)
    if issue_at is not None and issue_at >= deadline:
        faults.add("issue_at", "lot.issue_after_deadline", issue_at=issue_at, deadline=deadline)
    if clarify_until is not None and clarify_until > deadline:
        faults.add("clarify_until", "lot.clarify_after_deadline", clarify_until=clarify_until, deadline=deadline)
    faults.refuse_if_any()
    for where, moment in moments.items():
        setattr(lot, where, moment)
    lot.version += 1
    work.session.flush()
    work.record("lot.plan", lot.log_of, deadline=deadline, opens_at=opens_at)


def retender(work: UnitOfWork, lot: Lot) -> Lot:
    """The successor of a failed lot: next round, same fields and criteria, its own officers and dates (rulebook §1.5).

    Refuses: NotAllowed, WrongStep ``lot.not_failed``, Conflict ``lot.retendered``.
    """
    work.require(Act.TENDER_DRAFT)
    require_tie(work, lot.project)
    work.lock(lot)
    if lot.failure is None:
        raise WrongStep("lot.not_failed", ref=lot.ref, state=lot.state)
    if work.session.scalar(select(Lot.id).where(Lot.predecessor_id == lot.id)) is not None:
        raise Conflict("lot.retendered", ref=lot.ref)
    number_of = work.session.scalar(select(func.max(Lot.no)).where(Lot.tender_id == lot.tender_id)) or 0
    new = _add_lot(work, lot.tender, number_of + 1, _held(lot))
    new.round, new.predecessor_id, new.scheme = lot.round + 1, lot.id, lot.scheme
    work.session.flush()
    work.session.refresh(new)
    work.record("lot.retender", new.log_of, predecessor=lot.log_of, round=new.round)
    return new

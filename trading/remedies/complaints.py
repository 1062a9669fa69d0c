"""Complaints (投诉) to the supervisory body about how an objection or challenge was answered (rules T-23, T-23b, T-27, T-27b; GPL arts. 55
to 57, TReg arts. 60 to 62).

Law of the noun: nobody complains without having objected first, nor beyond it; what the supervisory body suspends stands still until the
day it names or its decision; what it decides takes the place of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.kernel import ids, signed
from trading.kernel.access import Act
from trading.kernel.clock import floor_second, parse_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotFound, TooEarly, TooLate
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.remedies import disputes
from trading.remedies.disputes import Objection
from trading.tendering import terms
from trading.tendering.tenders import Lot

COMPLAINT_FLOW = Flow(
    "complaint",
    "FILED",
    Step("accept", "FILED", "ACCEPTED", Act.COMPLAINT_DECIDE),
    Step("refuse", "FILED", "REFUSED", Act.COMPLAINT_DECIDE),
    Step("decide", "ACCEPTED", "DECIDED", Act.COMPLAINT_DECIDE),
    Step("withdraw", ("FILED", "ACCEPTED"), "WITHDRAWN", Act.OBJECTION_FILE),
)
OPEN = ("FILED", "ACCEPTED")


class Complaint(Base):
    """``ref`` is random. ``examine_by``, ``decide_by``: last moments of the supervisory body, ``reasons`` how they were counted.
    ``suspended_until``: until when the procurement stands still at the latest, None for until the decision. ``answer``: the reasons of the
    supervisory body; ``upheld``, ``effect``: what it decided, as an answer to an objection says it."""

    __tablename__ = "complaint"
    __table_args__ = (
        CheckConstraint(state_check(COMPLAINT_FLOW), name="state"),
        CheckConstraint(one_of("effect", ("", *disputes.EFFECTS)), name="effect"),
        CheckConstraint("(state = 'DECIDED') = (upheld IS NOT NULL)", name="decided"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    objection_id: Mapped[int] = mapped_column(ForeignKey("objection.id"), unique=True)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default=COMPLAINT_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    filed_at: Mapped[datetime] = mapped_column(Moment)
    examine_by: Mapped[datetime] = mapped_column(Moment)
    examined_at: Mapped[datetime | None] = mapped_column(Moment)
    decide_by: Mapped[datetime | None] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    suspended_at: Mapped[datetime | None] = mapped_column(Moment)
    suspended_until: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(Text, default="")
    upheld: Mapped[bool | None] = mapped_column(Boolean)
    effect: Mapped[str] = mapped_column(String(10), default="")
    reasons: Mapped[dict[str, Any]] = mapped_column(Json)
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")
    objection: Mapped[Objection] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


# --- acts -------------------------------------------------------------------------------------------------------------------------


def last_moment(session: Session, objection: Objection) -> datetime | None:
    """Until when one may complain about an answer, or about none in time (that instant is late); None while the answer may still come in
    time.

    Refuses: Invalid ``calendar.year_unknown``.
    """
    remedies = procedure_of(objection.lot).remedies
    if objection.state == "ANSWERED" and remedies.complaint_from_answer and objection.answered_at is not None:
        return terms.period(session, objection.lot, remedies.complaint, objection.answered_at).ends_at
    if objection.state in ("ANSWERED", "LATE"):
        return terms.period_after(session, objection.lot, remedies.complaint, objection.due_at).ends_at
    return None


def file(work: UnitOfWork, objection: Objection, *, text: str) -> Complaint:
    """Complain about the answer to one's own objection, or about none in time.

    Refuses: NotAllowed, NotFound (somebody else's), TooEarly ``complaint.too_early``, TooLate ``complaint.too_late``, Conflict
    ``complaint.filed``, Invalid.
    """
    work.require(Act.OBJECTION_FILE)
    if objection.party_id != work.actor.party_id:
        raise NotFound("objection.unknown")
    work.lock(objection)
    if not text.strip():
        raise Invalid("form.required", field="text")
    until = last_moment(work.session, objection)
    if until is None:
        raise TooEarly("complaint.too_early", due=objection.due_at)
    if work.now >= until:
        raise TooLate("complaint.too_late", now=work.now, until=until)
    if of_objection(work.session, objection) is not None:
        raise Conflict("complaint.filed")
    lot = objection.lot
    due = terms.period(work.session, lot, procedure_of(lot).remedies.complaint_examined, work.now)
    row = Complaint(
        ref=ids.new_reference(),
        lot_id=lot.id,
        party_id=objection.party_id,
        objection_id=objection.id,
        text=text.strip(),
        filed_at=work.now,
        examine_by=due.ends_at,
        reasons={"examine_by": due.reason},
    )
    row.lot, row.objection = lot, objection
    work.session.add(row)
    work.session.flush()
    work.record("complaint.file", lot.log_of, complaint=row.ref, objection=objection.ref)
    return row


def accept(work: UnitOfWork, complaint: Complaint, *, suspend: bool, reasons: str = "") -> None:
    """The supervisory body takes it up; ``suspend``: the procurement stands still meanwhile, for as long as the rulebook allows, and why.

    Refuses: NotAllowed, WrongStep, Invalid.
    """
    work.lock(complaint)
    if suspend and not reasons.strip():
        raise Invalid("form.required", field="reasons")
    remedies = procedure_of(complaint.lot).remedies
    decided = terms.book(complaint.lot).rule(remedies.complaint_decided)
    anchor = complaint.filed_at if decided.anchor == "complaint_filed" else work.now
    due = terms.period(work.session, complaint.lot, remedies.complaint_decided, anchor)
    told = dict(complaint.reasons) | {"decide_by": due.reason}
    complaint.examined_at, complaint.decide_by = work.now, due.ends_at
    if suspend:
        complaint.suspended_at = floor_second(work.now)
        if remedies.complaint_suspends is not None:
            most = terms.period(work.session, complaint.lot, remedies.complaint_suspends, work.now)
            complaint.suspended_until, told["suspended_until"] = most.ends_at, most.reason
    complaint.reasons = told
    until = complaint.suspended_until
    COMPLAINT_FLOW.take(
        work,
        complaint,
        "accept",
        complaint=complaint.ref,
        suspend=suspend,
        suspended_until=until.isoformat() if until else "",
        reasons=reasons.strip(),
    )
    _tell(work, complaint, "complaint.suspended" if suspend else "complaint.accepted")


def refuse(work: UnitOfWork, complaint: Complaint, *, reasons: str) -> None:
    """It is not taken up: late, beyond the objection, of somebody it does not concern. Refuses: NotAllowed, WrongStep, Invalid."""
    work.lock(complaint)
    if not reasons.strip():
        raise Invalid("form.required", field="reasons")
    complaint.examined_at, complaint.answer = work.now, reasons.strip()
    COMPLAINT_FLOW.take(work, complaint, "refuse", complaint=complaint.ref, reasons=reasons.strip())
    _tell(work, complaint, "complaint.refused")


def decide(work: UnitOfWork, complaint: Complaint, *, upheld: bool, reasons: str, effect: str = "") -> None:
    """The supervisory body decides. Upheld about the result it says what that leads to, in place of the answer; purchaser or agency do it.

    Refuses: NotAllowed, WrongStep, Invalid (every field), Conflict as ``disputes.require_as_answered``.
    """
    work.lock(complaint)
    work.lock(complaint.objection)
    disputes.require_as_answered(work, complaint.lot)
    faults = Faults()
    if not reasons.strip():
        faults.add("reasons", "form.required")
    effect = disputes.read_effect(faults, complaint.objection, upheld=upheld, effect=effect)
    faults.refuse_if_any()
    complaint.answer, complaint.upheld, complaint.decided_at = reasons.strip(), upheld, work.now
    complaint.effect = effect
    COMPLAINT_FLOW.take(work, complaint, "decide", complaint=complaint.ref, upheld=upheld, effect=complaint.effect)
    if upheld:
        disputes.overrule(work, complaint.objection, complaint.effect)
    _tell(work, complaint, "complaint.decided")


def withdraw(work: UnitOfWork, complaint: Complaint) -> None:
    """Take one's own complaint back: it is over, and so is a suspension. Refuses: NotFound (somebody else's), WrongStep."""
    if complaint.party_id != work.actor.party_id:
        raise NotFound("complaint.unknown")
    work.lock(complaint)
    COMPLAINT_FLOW.take(work, complaint, "withdraw", complaint=complaint.ref)


def _tell(work: UnitOfWork, complaint: Complaint, template: str) -> None:
    """Complainant, purchaser and agency."""
    project = complaint.lot.project
    told = {complaint.party_id, project.purchaser_id, *([project.agency_id] if project.agency_id else [])}
    for party_id in sorted(told):
        work.send(
            f"{template}/{complaint.ref}/{party_id}", to=f"party:{party_id}", template=template, lot=complaint.lot.ref
        )


# --- what stands still ------------------------------------------------------------------------------------------------------------


def suspension(session: Session, lot: Lot, now: datetime) -> Complaint | None:
    """The complaint for which a lot stands still now."""
    rows = select(Complaint).where(
        Complaint.lot_id == lot.id, Complaint.state == "ACCEPTED", Complaint.suspended_at.is_not(None)
    )
    for row in session.scalars(rows.order_by(Complaint.id)):
        if row.suspended_until is None or now < row.suspended_until:
            return row
    return None


def refuse_suspended(work: UnitOfWork, lot: Lot) -> None:
    """Before a step of the procurement. Refuses: Conflict ``complaint.stands_still``, ``signed.differs``."""
    signed.refuse_first(lot.ref, differences(work, lot))
    found = suspension(work.session, lot, work.now)
    if found is not None:
        raise Conflict("complaint.stands_still", since=found.suspended_at, until=found.suspended_until or "")


def differences(view: View, lot: Lot) -> Iterator[Difference]:
    """Where complaints differ from the records of their steps."""
    told: dict[str, dict[str, Any]] = {}
    names = ("file", *(step.name for step in COMPLAINT_FLOW.steps))
    for entry, record in signed.records(view, [f"complaint.{name}" for name in names], lot.log_of):
        facts = record["facts"]
        held = told.setdefault(facts["complaint"], {"upheld": None, "effect": "", "suspended_at": None})
        held |= {"state": facts.get("after", COMPLAINT_FLOW.start), "c": entry.c}
        if facts.get("suspend"):
            held["suspended_at"] = parse_moment(record["at"])
            until = facts["suspended_until"]
            held["suspended_until"] = datetime.fromisoformat(until) if until else None
        if "upheld" in facts:
            held |= {"upheld": facts["upheld"], "effect": facts["effect"]}
    for row in view.session.scalars(select(Complaint).where(Complaint.lot_id == lot.id).order_by(Complaint.id)):
        wanted = told.pop(row.ref, None)
        if wanted is None:
            yield Difference("complaint", str(row.id), "ref", "", row.ref, "")
        else:
            c = str(wanted.pop("c"))
            yield from signed.compare(row, {"suspended_until": None, **wanted}, c)
    for ref, wanted in told.items():
        yield Difference("complaint", ref, "ref", wanted["c"])


# --- looking ----------------------------------------------------------------------------------------------------------------------


def complaint(session: Session, ref: str) -> Complaint:
    """Refuses: NotFound."""
    found = session.scalar(select(Complaint).where(Complaint.ref == ref))
    if found is None:
        raise NotFound("complaint.unknown")
    return found


def of_objection(session: Session, objection: Objection) -> Complaint | None:
    """What was complained about the answer to an objection."""
    return session.scalar(select(Complaint).where(Complaint.objection_id == objection.id))


def all_of(session: Session, lot: Lot | None = None, *, running: bool = False) -> list[Complaint]:
    """Of all lots or of one, the open ones first by their last moment; ``running``: no others."""
    rows = select(Complaint) if lot is None else select(Complaint).where(Complaint.lot_id == lot.id)
    if running:
        rows = rows.where(Complaint.state.in_(OPEN))
    return sorted(
        session.scalars(rows), key=lambda one: (one.state not in OPEN, one.decide_by or one.examine_by, one.id)
    )

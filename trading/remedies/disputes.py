"""Objections (异议, works) and challenges (质疑, GP): filed against documents, opening or result, answered in time (rules T-20 to T-26).

Law of the noun: an objection to the documents stops the opening until it is answered (TReg art. 22), one to the result the award (TReg
art. 54); a challenge that may change the result stops the contract (GPReg art. 54). The answer is the purchaser's or its agency's; nobody
else sees who objected before the award.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Select, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.bidding import participants
from trading.files import attachments
from trading.kernel import ids, signed
from trading.kernel.access import Act
from trading.kernel.blobs import Blob
from trading.kernel.clock import floor_second, parse_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Faults, NotFound, TooLate, WrongStep
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.tendering import terms
from trading.tendering.projects import require_tie
from trading.tendering.tenders import Lot

STAGES = ("documents", "opening", "result")
KINDS = ("objection", "challenge")
OBJECTION_FLOW = Flow(
    "objection",
    "FILED",
    Step("answer", ("FILED", "LATE"), "ANSWERED", Act.OBJECTION_ANSWER),
    Step("withdraw", ("FILED", "LATE"), "WITHDRAWN", Act.OBJECTION_FILE),
    Step("overrule", ("LATE", "ANSWERED"), "ANSWERED", Act.COMPLAINT_DECIDE),
    Step("fall_late", "FILED", "LATE", Act.CLOCK),
)
OPEN = ("FILED", "LATE")
NONE, NEXT, REVIEW, VOID = "none", "next", "review", "void"
EFFECTS = (NONE, NEXT, REVIEW, VOID)
"""What an upheld one about the result leads to (O94 art. 16, O87 art. 64): the result stands, another candidate is awarded, the panel
reviews again, the tender is void."""


class Objection(Base):
    """``ref`` is random. ``due_at``: the answer's last moment; ``reason``: how it was counted. ``upheld``: what the answer says;
    ``effect``: what it leads to where it is about the result; ``settled_at``: when that was done."""

    __tablename__ = "objection"
    __table_args__ = (
        CheckConstraint(state_check(OBJECTION_FLOW), name="state"),
        CheckConstraint(one_of("stage", STAGES), name="stage"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("(state = 'ANSWERED') = (answered_at IS NOT NULL)", name="answered"),
        CheckConstraint(one_of("effect", ("", *EFFECTS)), name="effect"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[str] = mapped_column(String(20))
    stage: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default=OBJECTION_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    filed_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[dict[str, Any]] = mapped_column(Json)
    answer: Mapped[str] = mapped_column(Text, default="")
    upheld: Mapped[bool | None] = mapped_column(Boolean)
    effect: Mapped[str] = mapped_column(String(10), default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


def file(
    work: UnitOfWork,
    lot: Lot,
    *,
    stage: str,
    text: str,
    until: datetime,
    files: Sequence[tuple[str, Blob]] = (),
) -> Objection:
    """File against a stage of a lot one takes part in. ``until``: the last moment (that instant is late), given by the stage's own noun;
    ``files``: names and stored bytes of what is attached, whose digests stand in the record.

    Refuses: NotAllowed, NotFound (not taking part), TooLate, Invalid (every field), Conflict (``attachments.put``).
    """
    work.require(Act.OBJECTION_FILE)
    work.lock(lot)
    participants.own(work, lot)
    faults = Faults()
    if stage not in STAGES:
        faults.add("stage", "objection.stage", stages=list(STAGES))
    if not text.strip():
        faults.add("text", "form.required")
    faults.refuse_if_any()
    if work.now >= until:
        raise TooLate("objection.too_late", now=work.now, until=until)
    remedies = procedure_of(lot).remedies
    due = terms.period(work.session, lot, remedies.answer, work.now)
    row = Objection(
        ref=ids.new_reference(),
        lot_id=lot.id,
        party_id=work.actor.party_id,
        kind=remedies.kind,
        stage=stage,
        text=text.strip(),
        filed_at=work.now,
        due_at=due.ends_at,
        reason=due.reason,
    )
    row.lot = lot
    work.session.add(row)
    work.session.flush()
    _attach(work, row, files, "objection")
    work.record(
        "objection.file", lot.log_of, kind=remedies.kind, stage=stage, files=[blob.name for _name, blob in files]
    )
    return row


def _attach(work: UnitOfWork, row: Objection, files: Sequence[tuple[str, Blob]], role: str) -> None:
    for name, blob in files:
        attachments.put(work, name=name, blob=blob, role=role, log_of=row.log_of, objection_id=row.id)


def answer(
    work: UnitOfWork,
    objection: Objection,
    *,
    text: str,
    upheld: bool,
    effect: str = "",
    files: Sequence[tuple[str, Blob]] = (),
) -> None:
    """Answer an objection, late or not. ``effect``: what an upheld one about the result leads to.

    Refuses: NotAllowed (not of this project), WrongStep, Invalid (every field), Conflict (``attachments.put``).
    """
    require_tie(work, objection.lot.project)
    work.lock(objection)
    faults = Faults()
    if not text.strip():
        faults.add("text", "form.required")
    effect = read_effect(faults, objection, upheld=upheld, effect=effect)
    faults.refuse_if_any()
    objection.answer, objection.upheld, objection.answered_at = text.strip(), upheld, work.now
    objection.effect = effect
    told = {"objection": objection.ref, "upheld": upheld, "effect": objection.effect}
    OBJECTION_FLOW.take(work, objection, "answer", files=[blob.name for _name, blob in files], **told)
    _attach(work, objection, files, "answer")


def read_effect(faults: Faults, objection: Objection, *, upheld: bool, effect: str) -> str:
    """What an answer or decision leads to: only one that upholds what was filed about the result leads to anything, and says what."""
    if not (upheld and objection.stage == "result"):
        return ""
    if effect not in EFFECTS:
        faults.add("effect", "objection.effect")
    return effect


def withdraw(work: UnitOfWork, objection: Objection) -> None:
    """Take one's own objection back. Refuses: NotFound (somebody else's), WrongStep."""
    if objection.party_id != work.actor.party_id:
        raise NotFound("objection.unknown")
    OBJECTION_FLOW.take(work, objection, "withdraw")


def open_on(session: Session, lot: Lot, stage: str | None = None) -> list[Objection]:
    """Objections that still want an answer."""
    query = select(Objection).where(Objection.lot_id == lot.id, Objection.state.in_(OPEN))
    return list(session.scalars((query.where(Objection.stage == stage) if stage else query).order_by(Objection.id)))


def refuse_stopped(view: View, lot: Lot, step: str) -> None:
    """What was filed about the result stops a step of the lot where its procedure says so, until it is answered or for good.

    Refuses: Conflict ``objection.open`` and as ``require_as_answered``, WrongStep ``objection.upheld``.
    """
    remedies = procedure_of(lot).remedies
    if step in remedies.stops:
        refuse_while_open(view.session, lot, "result")
    if step in remedies.upheld_stops:
        require_as_answered(view, lot)
        refuse_upheld(view.session, lot, "result")


def opening_waits(session: Session, lot: Lot) -> bool:
    """Whether bids stay closed because something filed about the documents is not answered (TReg art. 22)."""
    return procedure_of(lot).remedies.opening_waits and bool(open_on(session, lot, "documents"))


def refuse_opening(session: Session, lot: Lot) -> None:
    """Refuses: Conflict ``objection.open``, as ``opening_waits``."""
    if procedure_of(lot).remedies.opening_waits:
        refuse_while_open(session, lot, "documents")


def refuse_while_open(session: Session, lot: Lot, stage: str) -> None:
    """Refuses: Conflict ``objection.open``: the activity stops until every objection of the stage is answered."""
    waiting = open_on(session, lot, stage)
    if waiting:
        raise Conflict("objection.open", count=len(waiting), due=min(o.due_at for o in waiting))


def refuse_upheld(session: Session, lot: Lot, stage: str) -> None:
    """Refuses: WrongStep ``objection.upheld``: what was objected to must be mended first."""
    found = upheld_on(session, lot, stage)
    if found is not None:
        raise WrongStep("objection.upheld", ref=found.ref)


def upheld_on(session: Session, lot: Lot, stage: str) -> Objection | None:
    """An upheld objection of a stage whose effect is still to come, the first one."""
    return session.scalar(_awaited(lot, stage).limit(1))


def _awaited(lot: Lot, stage: str) -> Select[Any]:
    return (
        select(Objection)
        .where(
            Objection.lot_id == lot.id,
            Objection.stage == stage,
            Objection.upheld.is_(True),
            Objection.effect != NONE,
            Objection.settled_at.is_(None),
        )
        .order_by(Objection.id)
    )


def settle(work: UnitOfWork, lot: Lot, effect: str) -> Objection | None:
    """What an upheld one about the result led to has been done, by the act that calls this, and with it what others led to that say the
    same: the first one, None where nothing was upheld.

    Refuses: WrongStep ``objection.upheld`` where an upheld one leads to something else; Conflict as ``require_as_answered``.
    """
    require_as_answered(work, lot)
    found = upheld_on(work.session, lot, "result")
    if found is None:
        return None
    if found.effect not in ("", effect):
        raise WrongStep("objection.upheld", ref=found.ref)
    same = work.session.scalars(_awaited(lot, "result").where(Objection.effect.in_(("", effect))))
    for one in same.all():
        work.lock(one)
        one.effect, one.settled_at = effect, floor_second(work.now)
        one.version += 1
        work.record("objection.settle", lot.log_of, objection=one.ref, upheld=True, effect=effect)
    return found


def overrule(work: UnitOfWork, objection: Objection, effect: str) -> None:
    """The supervisory body's decision takes the place of the answer, also of one that never came: no later answer undoes it (called by
    complaints.decide, in its unit). Refuses: NotAllowed, WrongStep."""
    objection.upheld, objection.effect, objection.settled_at = True, effect, None
    objection.answered_at = objection.answered_at or work.now
    told = {"objection": objection.ref, "upheld": True, "effect": effect}
    OBJECTION_FLOW.take(work, objection, "overrule", **told)


def require_as_answered(view: View, lot: Lot) -> None:
    """What was upheld on a lot, and what it leads to, is what the answers of the log say. Refuses: Conflict ``signed.differs``."""
    signed.refuse_first(lot.ref, differences(view, lot))


def differences(view: View, lot: Lot) -> Iterator[Difference]:
    """Where answers differ from the records of answering and settling. A record of before these named the objection tells nothing here."""
    told: dict[str, dict[str, Any]] = {}
    unnamed = 0
    for entry, record in signed.records(
        view, ("objection.answer", "objection.settle", "objection.overrule"), lot.log_of
    ):
        facts = record["facts"]
        if "objection" not in facts:
            unnamed += 1
            continue
        done = parse_moment(record["at"]) if record["act"] == "objection.settle" else None
        wanted = {"upheld": facts["upheld"], "effect": facts["effect"], "settled_at": done, "c": entry.c}
        told[facts["objection"]] = wanted
    rows = view.session.scalars(select(Objection).where(Objection.lot_id == lot.id).order_by(Objection.id))
    for row in rows:
        if row.ref in told:
            wanted = told.pop(row.ref)
            yield from signed.compare(row, wanted, wanted.pop("c"))
        elif not unnamed:
            yield from signed.compare(row, {"upheld": None, "effect": "", "settled_at": None}, "")
    for ref, wanted in told.items():
        yield Difference("objection", ref, "ref", wanted["c"])


def overdue(session: Session, now: datetime) -> list[Objection]:
    return list(
        session.scalars(
            select(Objection).where(Objection.state == "FILED", Objection.due_at <= now).order_by(Objection.id)
        )
    )


def objection(session: Session, ref: str) -> Objection:
    """Refuses: NotFound."""
    found = session.scalar(select(Objection).where(Objection.ref == ref))
    if found is None:
        raise NotFound("objection.unknown")
    return found


def of_lot(view: View, lot: Lot) -> list[Objection]:
    """For the purchaser, the agency and the supervisor. Refuses: NotAllowed."""
    if not view.actor.role == "supervisor":
        require_tie(view, lot.project)
    return list(view.session.scalars(select(Objection).where(Objection.lot_id == lot.id).order_by(Objection.id)))


def own(view: View) -> list[Objection]:
    return list(
        view.session.scalars(
            select(Objection)
            .where(Objection.party_id == view.actor.party_id)
            .order_by(Objection.filed_at.desc(), Objection.id.desc())
        )
    )

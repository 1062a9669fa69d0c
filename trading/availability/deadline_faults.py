"""Faults of the platform before a deadline: the verdict of the probes, a person's confirmation, and what becomes of the lot (promises §C).

Law of the noun: the rule finds, a person confirms, the notice tells everybody at once. A verdict nobody has confirmed holds the opening
by itself and changes nothing else: the deadline stands until a superseding policy, signed by every officer, is logged before it (protocol
§2). After the deadline no policy can move it any more; then the supervisory body lets the opening go on, or the lot fails for a cause of
the platform (protocol §5.3). Nothing here reads, counts or tells bids.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading import publication
from trading.availability import probes
from trading.availability import verdict as availability
from trading.availability.verdict import EXTEND, NONE, SUSPEND, Settled, Terms, Verdict
from trading.bidding import closing, participants
from trading.custody.officers import current_policy, seats
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.calendar import BEIJING, local_day
from trading.kernel.clock import write_moment
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound, Refusal, TooEarly, WrongStep
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.work import UnitOfWork
from trading.parties.parties import Party
from trading.rulebook import calendars
from trading.tendering import notices
from trading.tendering.tenders import LOT_FLOW, Lot

FAULT_FLOW = Flow(
    "fault",
    "SUSPENDED",
    Step("extend", "SUSPENDED", "EXTENDED", Act.CLOCK),
    Step("replace", "SUSPENDED", "REPLACED", Act.FAULT_CONFIRM),
    Step("lift", "SUSPENDED", "LIFTED", Act.FAULT_DECIDE),
    Step("end", "SUSPENDED", "ENDED", Act.FAULT_DECIDE),
)
WATCHED = ("NOTICE", "BIDDING", "OPENING")
SOON = timedelta(days=1)


class DeadlineFault(Base):
    """A confirmed fault of one lot, which is suspended while ``state`` is SUSPENDED. ``until``: the deadline the rule gives; ``drafted``:
    the policies that move it there wait for signatures; ``evidence``: hash of the kept document with the minutes; ``judged_until``: bad
    minutes before it have had their consequence; ``reason``: of whoever decided."""

    __tablename__ = "deadline_fault"
    __table_args__ = (
        CheckConstraint(state_check(FAULT_FLOW), name="state"),
        CheckConstraint(one_of("kind", (EXTEND, SUSPEND)), name="kind"),
        Index(
            "ix_deadline_fault_open",
            "lot_id",
            unique=True,
            sqlite_where=text("state = 'SUSPENDED'"),
            postgresql_where=text("state = 'SUSPENDED'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default=FAULT_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str] = mapped_column(String(10))
    before: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment)
    bad_minutes: Mapped[int]
    drafted: Mapped[bool]
    evidence: Mapped[str] = mapped_column(String(50))
    judged_until: Mapped[datetime] = mapped_column(Moment)
    confirmed_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text, default="")
    lot: Mapped[Lot] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


@dataclass(frozen=True)
class Assessment:
    """What the samples say of one lot's deadline at one moment. ``unmeasured``: minutes of the time watched so
    far that nobody was on duty for; ``measured``: the others."""

    verdict: Verdict
    terms: Terms
    deadline: datetime
    judged_until: datetime
    unmeasured: int
    measured: int


# --- what the rule finds ----------------------------------------------------------------------------------------------


def assess(session: Session, lot: Lot, now: datetime) -> Assessment:
    """The verdict on a published lot's deadline, from the samples held now. Refuses: NotFound ``policy.missing``, Invalid
    calendar.year_unknown."""
    deadline = current_policy(session, lot).deadline
    terms = availability.terms_on(local_day(lot.published_at or now))
    begins, ends = deadline - terms.span, availability.judged_until(now, terms)
    duties = probes.duties(session, begins)
    calendar, previous = calendars.current(session), _settled(session, lot)

    def found(until: datetime) -> Verdict:
        rows = probes.samples(session, begins, until) if duties else []
        bad = availability.bad_minutes(rows, duties, begins, until, terms)
        return availability.judge(bad, now, deadline, previous, terms=terms, calendar=calendar)

    first = min(ends, deadline)
    verdict = found(first)
    if verdict.kind != NONE and ends > first:
        verdict = found(ends)  # a fault that began in time is followed to its end
    unmeasured = availability.unmeasured(duties, begins, first)
    return Assessment(
        verdict, terms, deadline, ends, unmeasured, max(0, (first - begins) // availability.MINUTE - unmeasured)
    )


def _settled(session: Session, lot: Lot) -> list[Settled]:
    rows = session.scalars(
        select(DeadlineFault).where(DeadlineFault.lot_id == lot.id, DeadlineFault.state.in_(("EXTENDED", "LIFTED")))
    )
    return [
        Settled(
            row.judged_until if row.state == "EXTENDED" else row.settled_at or row.judged_until, row.state == "EXTENDED"
        )
        for row in rows
    ]


def standing(session: Session, lot: Lot) -> DeadlineFault | None:
    """The fault a lot is suspended for now."""
    return session.scalar(
        select(DeadlineFault).where(DeadlineFault.lot_id == lot.id, DeadlineFault.state == "SUSPENDED")
    )


def of_lot(session: Session, lot: Lot) -> list[DeadlineFault]:
    """All faults of a lot, oldest first."""
    return list(session.scalars(select(DeadlineFault).where(DeadlineFault.lot_id == lot.id).order_by(DeadlineFault.id)))


def refuse_held(session: Session, lot: Lot, now: datetime) -> None:
    """What an opening asks first. Refuses: WrongStep ``fault.suspended`` while the lot is suspended, ``fault.unconfirmed`` when the probes
    found a fault that nobody has confirmed yet."""
    if (fault := standing(session, lot)) is not None:
        raise WrongStep("fault.suspended", ref=lot.ref, since=fault.confirmed_at)
    verdict = assess(session, lot, now).verdict
    if verdict.kind != NONE:
        raise WrongStep("fault.unconfirmed", ref=lot.ref, bad=verdict.bad_minutes)


def is_held(session: Session, lot: Lot, now: datetime) -> bool:
    try:
        refuse_held(session, lot, now)
    except WrongStep:
        return True
    return False


def watched(session: Session, now: datetime) -> list[Lot]:
    """Lots whose deadline the probes watch now, or whose opening they may hold: by published moments alone, nearest deadline first."""
    held = select(DeadlineFault.lot_id).where(DeadlineFault.state == "SUSPENDED")
    span = availability.terms_on(local_day(now)).span
    query = select(Lot).where(
        Lot.state.in_(WATCHED),
        Lot.deadline.is_not(None),
        or_(Lot.id.in_(held), (Lot.deadline <= now + span) & (Lot.opens_at >= now - SOON)),
    )
    return list(session.scalars(query.order_by(Lot.deadline, Lot.id)))


# --- what persons do --------------------------------------------------------------------------------------------------


def confirm(work: UnitOfWork, lot: Lot) -> DeadlineFault:
    """A person confirms what the rule finds at this moment: the lot is suspended for the fault, everybody is told, and where it can still
    be in time the policies that move the deadline are drafted for the officers to sign. A fault that has grown meanwhile is confirmed anew.

    Refuses: NotAllowed, SignInNeeded, WrongStep ``lot.not_open``, ``fault.none``, Conflict ``fault.confirmed`` (nothing has grown).
    """
    work.require(Act.FAULT_CONFIRM)
    work.lock(lot)
    if lot.state not in WATCHED or lot.closed_at is not None:
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    found = assess(work.session, lot, work.now)
    verdict, held = found.verdict, standing(work.session, lot)
    if verdict.kind == NONE or verdict.until is None:
        raise WrongStep("fault.none", ref=lot.ref)
    if held is not None:
        if verdict.bad_minutes <= held.bad_minutes:
            raise Conflict("fault.confirmed", ref=lot.ref, since=held.confirmed_at)
        FAULT_FLOW.take(work, held, "replace")
        held.settled_at = work.now
        work.session.flush()
    evidence = keep_document(work, "availability", evidence_of(work.office.platform, lot, found), signed=False)
    until = verdict.until if held is None else max(verdict.until, held.until)
    fault = DeadlineFault(
        lot_id=lot.id,
        state=FAULT_FLOW.start,
        version=0,
        kind=verdict.kind,
        before=found.deadline,
        until=until,
        bad_minutes=verdict.bad_minutes,
        drafted=False,
        evidence=evidence,
        judged_until=found.judged_until,
        confirmed_at=work.now,
        settled_at=None,
        reason="",
    )
    fault.lot = lot
    work.session.add(fault)
    fault.drafted = _draft_extension(work, lot, fault)
    work.session.flush()
    work.record(
        "fault.confirm",
        lot.log_of,
        kind=fault.kind,
        bad_minutes=fault.bad_minutes,
        before=fault.before,
        until=fault.until if fault.drafted else "",
        evidence=evidence,
    )
    body = {
        "fault": fault.kind,
        "bad_minutes": fault.bad_minutes,
        "before": write_moment(fault.before),
        "evidence": evidence,
    }
    if fault.drafted:
        body["planned"] = write_moment(fault.until)
    notices.post(
        work,
        lot,
        "correction",
        title=lot.title,
        body=body,
        text=notice_text(fault, "held" if fault.drafted else "stopped"),
    )
    _tell(work, fault, "fault.held" if fault.drafted else "fault.stopped")
    return fault


def _draft_extension(work: UnitOfWork, lot: Lot, fault: DeadlineFault) -> bool:
    """Whether the policies that move the deadline could still be drafted. A no leaves nothing behind: it is asked in a savepoint."""
    assert lot.deadline is not None and lot.opens_at is not None
    noted = len(work.pending)
    try:
        with work.session.begin_nested():
            publication.extend_deadline(
                work,
                lot,
                deadline=fault.until,
                opens_at=fault.until + (lot.opens_at - lot.deadline),
                reason=notice_text(fault, "extension"),
            )
    except Refusal:
        del work.pending[noted:]
        return False
    return True


def settle_extended(work: UnitOfWork, lot: Lot) -> bool:
    """The clock ends a suspension whose extension has been signed and logged. Refuses: NotAllowed."""
    fault = standing(work.session, lot)
    if fault is None or lot.deadline is None or lot.deadline < fault.until:
        return False
    FAULT_FLOW.take(work, fault, "extend", until=lot.deadline)
    fault.settled_at = work.now
    _tell(work, fault, "fault.extended")
    return True


def lift(work: UnitOfWork, lot: Lot, *, reason: str) -> DeadlineFault:
    """The supervisory body lets the opening go on; the deadline stands as it is. Refuses: NotAllowed, SignInNeeded, NotFound
    ``fault.not_suspended``, Invalid ``form.required``."""
    fault = _decide(work, lot, reason)
    FAULT_FLOW.take(work, fault, "lift")
    body = {"fault": "lifted", "before": write_moment(fault.before), "evidence": fault.evidence}
    notices.post(work, lot, "correction", title=lot.title, body=body, text=notice_text(fault, "lifted", work.now))
    _tell(work, fault, "fault.lifted")
    return fault


def end(work: UnitOfWork, lot: Lot, *, reason: str) -> DeadlineFault:
    """The supervisory body finds that bidders were shut out: the lot fails for a cause of the platform, envelopes stay sealed for ever
    (protocol §5.3). Refuses: as ``lift``; WrongStep before the opening's state, TooEarly ``closing.not_sealed``."""
    fault = _decide(work, lot, reason)
    if closing.find(work.session, lot) is None:
        raise TooEarly("closing.not_sealed", ref=lot.ref)
    FAULT_FLOW.take(work, fault, "end")
    LOT_FLOW.take(work, lot, "fail_fault", ground="platform_fault")
    lot.failure, lot.failure_reason, lot.closed_at = "platform_fault", fault.reason, work.now
    notices.post(
        work, lot, "failure", title=lot.title, body={"ground": "platform_fault", "round": lot.round}, text=fault.reason
    )
    _tell(work, fault, "fault.ended")
    return fault


def _decide(work: UnitOfWork, lot: Lot, reason: str) -> DeadlineFault:
    work.require(Act.FAULT_DECIDE)
    work.lock(lot)
    fault = standing(work.session, lot)
    if fault is None:
        raise NotFound("fault.not_suspended", ref=lot.ref)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    fault.reason, fault.settled_at = reason.strip(), work.now
    return fault


# --- what everybody is told -------------------------------------------------------------------------------------------


def evidence_of(platform: str, lot: Lot, found: Assessment) -> dict[str, Any]:
    """The kept document a confirmation rests on: the bad minutes and the numbers they were judged by."""
    verdict, terms = found.verdict, found.terms
    return {
        "v": 1,
        "platform": platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "deadline": write_moment(found.deadline),
        "judged_until": write_moment(found.judged_until),
        "kind": verdict.kind,
        "until": write_moment(verdict.until or found.deadline),
        "bad": [write_moment(minute) for minute in verdict.bad],
        "unmeasured": found.unmeasured,
        "windows": [{"minutes": minutes, "bad": bad, "least": least} for minutes, bad, least in verdict.windows],
        "terms": {
            "every_s": terms.every_s,
            "slow_ms": terms.slow_ms,
            "grace_s": terms.grace_s,
            "least": terms.least,
            "factor": terms.factor,
            "ahead": terms.ahead,
            "step": terms.step,
            "most": terms.most,
        },
    }


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(
        resources.files("trading").joinpath("rulebook", "fault_notice.toml").read_text(encoding="utf-8")
    )


def notice_text(fault: DeadlineFault, which: str, at: datetime | None = None) -> str:
    """The notice in both languages, Chinese first. ``which``: held, stopped, extension or lifted."""
    facts = {
        "bad": fault.bad_minutes,
        "evidence": fault.evidence,
        "at": _local(at or fault.confirmed_at),
        "before": _local(fault.before),
        "until": _local(fault.until),
        "reason": fault.reason,
    }
    words = _words()[which]
    chinese, english = (
        "".join(words["zh"].split("\n")),
        " ".join(words["en"].split()),
    )  # the lines of the file are no lines of the notice
    return "\n\n".join(text.format(**facts) for text in (chinese, english))


def _local(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def _tell(work: UnitOfWork, fault: DeadlineFault, template: str) -> None:
    """A message to every party concerned: who takes part, purchaser, agency, officers, the supervisory body. Nobody is told how many."""
    lot = fault.lot
    facts = {"lot": lot.ref, "before": _local(fault.before), "until": _local(fault.until)}
    for party in sorted(set(_concerned(work.session, lot))):
        work.send(f"{template}/{fault.id}/{party}", to=f"party:{party}", template=template, **facts)


def _concerned(session: Session, lot: Lot) -> Iterable[int]:
    yield from session.scalars(
        select(participants.Participant.party_id).where(
            participants.Participant.lot_id == lot.id, participants.Participant.withdrawn_at.is_(None)
        )
    )
    yield lot.project.purchaser_id
    if lot.project.agency_id is not None:
        yield lot.project.agency_id
    yield from (seat.account.party_id for seat in seats(session, lot))
    yield from session.scalars(select(Party.id).where(Party.kind == "supervisor"))

"""Enquiries (询问): a question about the tender documents, answered to everybody at once.

Law of the noun: who asked is never shown to anybody, the agency included, for it would name a bidder (rulebook §9.1); an answer is
published to all as a clarification; one that affects bids comes 15 days before the deadline or the deadline moves (rule T-05).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import dumps
from trading.kernel import audit, ids, signed
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate, WrongStep
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.rulebook import calendars
from trading.tendering import notices, signed_terms
from trading.tendering.planning import book_of, check_early_enough
from trading.tendering.projects import is_of, require_tie
from trading.tendering.tenders import Lot

MAX_LENGTH = 4000


class Enquiry(Base):
    """``asker_party_id`` is for the asker's own list and the law's sake only; no card carries it. ``due_at``: rule T-20."""

    __tablename__ = "enquiry"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    asker_party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    published: Mapped[bool] = mapped_column(default=False)
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notice.id"))
    lot: Mapped[Lot] = relationship(lazy="joined")


# --- small rules ------------------------------------------------------------------------------------------------------------------


def closes_at(lot: Lot) -> datetime | None:
    """Until when questions are taken: ``clarify_until``, else the deadline."""
    return lot.clarify_until or lot.deadline


def enquiry(session: Session, ref: str) -> Enquiry:
    """Refuses: NotFound."""
    found = session.scalar(select(Enquiry).where(Enquiry.ref == ref))
    if found is None:
        raise NotFound("enquiry.unknown", ref=ref)
    return found


def own(view: View, lot: Lot) -> list[Enquiry]:
    """The questions of the party that looks, oldest first."""
    rows = select(Enquiry).where(Enquiry.lot_id == lot.id, Enquiry.asker_party_id == view.actor.party_id)
    return list(view.session.scalars(rows.order_by(Enquiry.asked_at, Enquiry.id)))


def missing(view: View, lot: Lot) -> Iterator[Difference]:
    """Questions of the records that no row holds. Refuses: Conflict ``signed.altered``."""
    rows = set(view.session.scalars(select(Enquiry.ref).where(Enquiry.lot_id == lot.id)))
    for entry, record in signed.records(view, ("enquiry.ask",), lot.log_of):
        if record["facts"]["enquiry"] not in rows:
            yield Difference("enquiry", record["facts"]["enquiry"], "ref", entry.c)


def differences(view: View, row: Enquiry) -> Iterator[Difference]:
    """A question and whether it was answered, against the records of asking and answering; of before these bound the words the question
    itself is not compared. Refuses: Conflict ``signed.altered``."""
    asked = answered = ""
    for entry, record in signed.records(view, ("enquiry.ask", "enquiry.answer"), row.lot.log_of):
        if record["facts"].get("enquiry") != row.ref:
            continue
        if record["act"] == "enquiry.answer":
            answered = entry.c
            continue
        asked, text = entry.c, dumps(record).decode()
        if audit.differing(text, "bound", {"question": row.question}):
            yield Difference("enquiry", row.ref, "question", asked, row.question)
        if not audit.check_fact_of(text, "account", parties.party(view.session, row.asker_party_id).code):
            yield Difference("enquiry", row.ref, "asker_party_id", asked)
    if not asked:
        yield Difference("enquiry", row.ref, "ref", "", row.ref)
    if bool(answered) != (row.answered_at is not None):
        yield Difference("enquiry", row.ref, "answered_at", answered or asked)


# --- acts -------------------------------------------------------------------------------------------------------------------------


def ask(work: UnitOfWork, lot: Lot, *, question: str) -> Enquiry:
    """Ask about the tender documents; nobody need take part to ask (rule A-03). The term of the answer starts now (rule T-20).

    Refuses: NotAllowed (own tender), WrongStep, TooLate ``enquiry.closed``, Invalid.
    """
    work.require(Act.ENQUIRY_ASK)
    if is_of(lot.project, work.actor.party_id):
        raise NotAllowed("enquiry.own_lot", ref=lot.ref)
    if lot.state not in signed_terms.OPEN and not signed_terms.takes_bids(work, lot.id):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    until = closes_at(lot)
    if until is None or work.now >= until:
        signed.refuse_first(lot.ref, signed_terms.differences(work, lot))  # nobody is turned away by a column
        raise TooLate("enquiry.closed", until=until, now=work.now)
    question = question.strip()
    if not question:
        raise Invalid("form.required", field="question")
    if len(question) > MAX_LENGTH:
        raise Invalid("form.too_long", field="question", limit=MAX_LENGTH, length=len(question))
    rule = book_of(lot, work.now).find("T-20")
    term = rule.term(local_day(work.now), calendars.current(work.session)) if rule else None
    new = Enquiry(
        lot_id=lot.id,
        ref=ids.new_reference(),
        asker_party_id=parties.own_party(work).id,
        question=question,
        asked_at=floor_second(work.now),
        due_at=term.ends_at if term else None,
        answer="",
        answered_at=None,
        published=False,
        notice_id=None,
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record(
        "enquiry.ask",
        lot.log_of,
        enquiry=new.ref,
        account=parties.own_party(work).code,
        bound=audit.hide({"question": question}),
    )
    return new


def answer(
    work: UnitOfWork, enquiry: Enquiry, *, text: str, question: str = "", affects_bids: bool = False
) -> notices.Notice:
    """Answer a question, to everybody: question and answer are published as a clarification, without who asked. ``question``: the question
    as it is published, where its own words would give the asker away.

    Refuses: NotAllowed, Conflict ``enquiry.answered``, ``signed.differs`` (another question than was asked), WrongStep, Invalid, TooLate
    ``lot.deadline_past``, ``lot.clarification_late`` (it affects bids and comes within the days of rule T-05; ``extend_to`` is the deadline
    to extend to first).
    """
    work.require(Act.ENQUIRY_ANSWER)
    lot = enquiry.lot
    require_tie(work, lot.project)
    work.lock(lot)
    work.lock(enquiry)
    signed.refuse_first(lot.ref, differences(work, enquiry))
    if enquiry.answered_at is not None:
        raise Conflict("enquiry.answered", ref=enquiry.ref)
    if lot.state not in signed_terms.OPEN and not signed_terms.takes_bids(work, lot.id):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    if lot.deadline is None or work.now >= lot.deadline:
        raise TooLate("lot.deadline_past", deadline=lot.deadline, now=work.now)
    if not text.strip():
        raise Invalid("form.required", field="text")
    if affects_bids:
        check_early_enough(work.session, lot, work.now)
    asked = question.strip() or enquiry.question
    body = {
        "question": asked,
        "answer": text.strip(),
        "asked_at": write_moment(enquiry.asked_at),
        "affects_bids": affects_bids,
    }
    notice = notices.post(work, lot, "clarification", title=lot.title, body=body, text=text.strip())
    enquiry.answer, enquiry.answered_at, enquiry.published, enquiry.notice_id = (
        text.strip(),
        floor_second(work.now),
        True,
        notice.id,
    )
    work.session.flush()
    work.record("enquiry.answer", lot.log_of, enquiry=enquiry.ref, affects_bids=affects_bids)
    return notice

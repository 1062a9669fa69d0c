"""An organisation's name or code that was entered wrong, put right by two: one security administrator proposes, another confirms.

Law of the noun: the record of a correction holds code and name as they were and as they are from then on, so that whatever was written
under the old ones is read by who they were. A code that a key was enrolled under is never changed: signed documents bear it for
ever. The code of a bidder, whose licence a clerk has looked at, is not changed either.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, NotAllowed, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import parties
from trading.parties.enrolments import OF_THE_FIRM, EnrolledKey
from trading.parties.parties import Party

STATES = ("open", "done", "refused", "withdrawn")


class PartyCorrection(Base):
    """``old_code``, ``old_name``: as they were when it was proposed; ``code``, ``name``: as they shall be. ``reason``: where the right ones
    stand; ``answer``: why it was refused."""

    __tablename__ = "party_correction"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        Index(
            "ix_party_correction_open",
            "party_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    old_code: Mapped[str] = mapped_column(String(40), index=True)
    old_name: Mapped[str] = mapped_column(String(200))
    code: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(10), default="open")
    proposed_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    proposed_at: Mapped[datetime] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(String(500), default="")


def propose(work: UnitOfWork, firm: Party, *, code: str, name: str, reason: str) -> PartyCorrection:
    """Refuses: NotAllowed, Invalid (every field; also ``party.code_bound``, ``party.nothing_to_correct``), Conflict ``party.exists``,
    ``party.correction_open``."""
    work.require(Act.ROLE_GRANT)
    if work.actor.account_id is None:
        raise NotAllowed("account.admin_needed")
    work.lock(firm)
    code, name = _check(work, firm, code, name, reason)
    if open_for(work.session, firm) is not None:
        raise Conflict("party.correction_open")
    new = PartyCorrection(
        party_id=firm.id,
        old_code=firm.code,
        old_name=firm.name,
        code=code,
        name=name,
        reason=reason.strip(),
        state="open",
        proposed_by=work.actor.account_id,
        proposed_at=work.now,
        answer="",
    )
    work.session.add(new)
    work.session.flush()
    work.record("party.propose_correction", f"party/{firm.id}", **_facts(new))
    for other in parties.administrators(work.session):
        if other.id != work.actor.account_id:
            work.send(
                f"party.correction_proposed/{new.id}/{other.id}",
                to=f"account:{other.id}",
                template="party.correction_proposed",
                name=new.old_name,
                by=work.actor.name,
                correction=new.id,
            )
    return new


def _check(work: UnitOfWork, firm: Party, code: str, name: str, reason: str) -> tuple[str, str]:
    """The code in its one form and the name. Refuses: Invalid, Conflict ``party.exists``."""
    faults, name = Faults(), name.strip()
    same = code.strip() == firm.code  # an old code of no form may stay while the name is put right
    code = firm.code if same else parties.read_code(faults, code, firm.kind)
    if not name:
        faults.add("name", "form.required")
    if not reason.strip():
        faults.add("reason", "form.required")
    if code != firm.code and is_bound(work.session, firm):
        faults.add("code", "party.code_bound")
    if (code, name) == (firm.code, firm.name):
        faults.add("name", "party.nothing_to_correct")
    faults.refuse_if_any()
    if code != firm.code and work.session.scalar(select(Party.id).where(Party.code == code)) is not None:
        raise Conflict("party.exists", code=code)
    return code, name


def is_bound(session: Session, firm: Party) -> bool:
    """Do signed documents bear the code, or was it looked at with a licence?"""
    held = select(EnrolledKey.id).where(EnrolledKey.party_id == firm.id, EnrolledKey.role.in_(OF_THE_FIRM)).limit(1)
    return firm.kind in ("bidder", "expert") or session.scalar(held) is not None


def confirm(work: UnitOfWork, row: PartyCorrection) -> None:
    """It is done. Refuses: NotAllowed (the proposer), WrongStep, Invalid and Conflict as ``propose`` by now, Conflict
    ``party.changed_meanwhile``."""
    firm = _decide(work, row)
    work.lock(firm)
    if (firm.code, firm.name) != (row.old_code, row.old_name):
        raise Conflict("party.changed_meanwhile")
    code, name = _check(work, firm, row.code, row.name, row.reason)
    account = firm.bank_account
    if code != firm.code and account:  # sealed for the row of its code (parties.hold): taken out and sealed anew
        firm.bank_account = ""
        work.session.flush()
    firm.code, firm.name = code, name
    work.session.flush()
    if firm.bank_account != account:
        firm.bank_account = account
        work.session.flush()
    work.record("party.correct", f"party/{firm.id}", **_facts(row), account=f"account:{row.proposed_by}")
    _close(work, row, "done")


def refuse(work: UnitOfWork, row: PartyCorrection, answer: str) -> None:
    """Refuses: NotAllowed (the proposer), WrongStep, Invalid (no reason)."""
    _decide(work, row)
    if not answer.strip():
        faults = Faults()
        faults.add("answer", "form.required")
        faults.refuse_if_any()
    row.answer = answer.strip()
    _close(work, row, "refused")


def withdraw(work: UnitOfWork, row: PartyCorrection) -> None:
    """The proposer takes it back. Refuses: NotAllowed, WrongStep."""
    work.require(Act.ROLE_GRANT)
    work.lock(row)
    _still_open(row)
    if row.proposed_by != work.actor.account_id:
        raise NotAllowed("proposal.not_yours")
    _close(work, row, "withdrawn")


def find(session: Session, ident: int) -> PartyCorrection:
    """Refuses: NotFound."""
    found = session.get(PartyCorrection, ident) if 0 < ident < 2**31 else None
    if found is None:
        raise NotFound("proposal.unknown")
    return found


def open_for(session: Session, firm: Party) -> PartyCorrection | None:
    return session.scalar(
        select(PartyCorrection).where(PartyCorrection.party_id == firm.id, PartyCorrection.state == "open")
    )


def waiting(session: Session) -> list[PartyCorrection]:
    """Those that wait for a second administrator, oldest first."""
    rows = select(PartyCorrection).where(PartyCorrection.state == "open").order_by(PartyCorrection.id)
    return list(session.scalars(rows))


def decided(session: Session, party_ids: Collection[int]) -> list[PartyCorrection]:
    """What was put right at these organisations, oldest first."""
    rows = select(PartyCorrection).where(PartyCorrection.party_id.in_(party_ids), PartyCorrection.state == "done")
    return list(session.scalars(rows.order_by(PartyCorrection.id)))


def _facts(row: PartyCorrection) -> dict[str, str]:
    return {"old_code": row.old_code, "old_title": row.old_name, "code": row.code, "title": row.name}


def _still_open(row: PartyCorrection) -> None:
    if row.state != "open":
        raise WrongStep("proposal.decided", at=row.decided_at)


def _decide(work: UnitOfWork, row: PartyCorrection) -> Party:
    work.require(Act.ROLE_GRANT)
    work.lock(row)
    _still_open(row)
    if work.actor.account_id is None or row.proposed_by == work.actor.account_id:
        raise NotAllowed("proposal.own")
    return parties.party(work.session, row.party_id)


def _close(work: UnitOfWork, row: PartyCorrection, state: str) -> None:
    row.state, row.decided_by, row.decided_at = state, work.actor.account_id, work.now
    work.session.flush()
    if state != "done":
        work.record(f"party.correction_{state}", f"party/{row.party_id}")

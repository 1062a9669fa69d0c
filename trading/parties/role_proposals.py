"""Roles of weight, given by two: one security administrator proposes, another confirms or refuses with a fresh sign-in.

Law of the noun: nobody decides what they proposed themself, nor about themself; a proposal is decided once; what it would break at the
moment of deciding is asked again. The one who proposed may take it back.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import OF_WEIGHT, Act, Role
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import parties
from trading.parties.parties import Account

STATES = ("open", "granted", "refused", "withdrawn")


class RoleProposal(Base):
    """``reason``: why it is wanted; ``answer``: why it was refused."""

    __tablename__ = "role_proposal"
    __table_args__ = (
        CheckConstraint(one_of("role", list(Role)), name="role"),
        CheckConstraint(one_of("state", STATES), name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    role: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    proposed_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(10), default="open")
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str] = mapped_column(String(500), default="")


def propose(work: UnitOfWork, who: Account, role: Role, reason: str) -> RoleProposal:
    """Refuses: NotAllowed (also about oneself), Invalid (clash, misfit, no reason, a role that needs no second), Conflict
    ``proposal.open``, ``proposal.held``."""
    work.require(Act.ROLE_GRANT)
    if who.id == work.actor.account_id:
        raise NotAllowed("account.grant_self")
    if role not in OF_WEIGHT:
        raise Invalid("proposal.not_needed", role=role.value)
    held, waiting = parties.roles_of(work.session, who), open_for(work.session, who)
    faults = Faults()
    if not reason.strip():
        faults.add("reason", "form.required")
    parties.check_role(faults, "role", who.party, role, held | {Role(one.role) for one in waiting})
    faults.refuse_if_any()
    if role in held:
        raise Conflict("proposal.held", role=role.value)
    if role in {one.role for one in waiting}:
        raise Conflict("proposal.open", role=role.value)
    new = RoleProposal(
        account_id=who.id,
        role=role,
        reason=reason.strip(),
        proposed_by=work.actor.account_id or 0,
        proposed_at=work.now,
        state="open",
        answer="",
    )
    work.session.add(new)
    work.session.flush()
    work.record("role.propose", f"account/{who.id}", role=role.value, person=f"account:{who.id}")
    for other in parties.administrators(work.session):
        if other.id not in (work.actor.account_id, who.id):
            work.send(
                f"role.proposed/{new.id}/{other.id}",
                to=f"account:{other.id}",
                template="role.proposed",
                name=who.name,
                role=role.value,
                by=work.actor.name,
                proposal=new.id,
            )
    return new


def confirm(work: UnitOfWork, proposal: RoleProposal) -> None:
    """The role is granted. Refuses: NotAllowed (the proposer, the person concerned), WrongStep, Invalid (clash, misfit by now)."""
    who = _decide(work, proposal)
    if who.disabled_at is not None:
        raise Conflict("proposal.closed_account")
    parties.give(work, who, Role(proposal.role), by=work.actor.account_id)
    _close(work, proposal, "granted")


def refuse(work: UnitOfWork, proposal: RoleProposal, answer: str) -> None:
    """Refuses: NotAllowed (the proposer, the person concerned), WrongStep, Invalid (no reason)."""
    _decide(work, proposal)
    if not answer.strip():
        faults = Faults()
        faults.add("answer", "form.required")
        faults.refuse_if_any()
    proposal.answer = answer.strip()
    _close(work, proposal, "refused")


def withdraw(work: UnitOfWork, proposal: RoleProposal) -> None:
    """The proposer takes it back. Refuses: NotAllowed, WrongStep."""
    work.require(Act.ROLE_GRANT)
    work.lock(proposal)
    _still_open(proposal)
    if proposal.proposed_by != work.actor.account_id:
        raise NotAllowed("proposal.not_yours")
    _close(work, proposal, "withdrawn")


def find(session: Session, ident: int) -> RoleProposal:
    """Refuses: NotFound."""
    found = session.get(RoleProposal, ident) if 0 < ident < 2**31 else None
    if found is None:
        raise NotFound("proposal.unknown")
    return found


def open_for(session: Session, who: Account) -> list[RoleProposal]:
    return list(
        session.scalars(
            select(RoleProposal)
            .where(RoleProposal.account_id == who.id, RoleProposal.state == "open")
            .order_by(RoleProposal.id)
        )
    )


def listed(session: Session, *, waiting: bool, limit: int = 20) -> list[RoleProposal]:
    """Those that wait, oldest first, or those decided, newest first."""
    query = select(RoleProposal).where((RoleProposal.state == "open") == waiting)
    return list(
        session.scalars(query.order_by(RoleProposal.id if waiting else RoleProposal.decided_at.desc()).limit(limit))
    )


def _still_open(proposal: RoleProposal) -> None:
    if proposal.state != "open":
        raise WrongStep("proposal.decided", at=proposal.decided_at)


def _decide(work: UnitOfWork, proposal: RoleProposal) -> Account:
    """What every decision asks; returns the person concerned."""
    work.require(Act.ROLE_GRANT)
    work.lock(proposal)
    _still_open(proposal)
    if work.actor.account_id is None or proposal.proposed_by == work.actor.account_id:
        raise NotAllowed("proposal.own")
    if proposal.account_id == work.actor.account_id:
        raise NotAllowed("account.grant_self")
    return parties.account(work.session, proposal.account_id)


def _close(work: UnitOfWork, proposal: RoleProposal, state: str) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, work.actor.account_id, work.now
    work.session.flush()
    who = parties.account(work.session, proposal.account_id)
    if state != "granted":  # a grant has its own entry
        work.record(f"role.{state}", f"account/{who.id}", role=proposal.role, person=f"account:{who.id}")
    if state != "withdrawn":
        work.send(
            f"role.{state}/{proposal.id}",
            to=f"account:{proposal.proposed_by}",
            template=f"role.{state}",
            name=who.name,
            role=proposal.role,
            proposal=proposal.id,
            reason=proposal.answer,
        )

"""What two decide: roles of weight, and of accounts that hold one a new password or no second factor; opening a closed account again. One
security administrator proposes, another confirms or refuses with a fresh sign-in.

A password that an administrator has set asks for a second part (handover.py) once it is worth anything: the one who confirms is shown it.

Law of the noun: nobody decides what they proposed themself, nor about themself; a proposal is decided once; what it would break at the
moment of deciding is asked again. The one who proposed may take it back.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import passwords
from trading.kernel.access import OF_WEIGHT, Act, Role
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import handover, new_passwords, parties, recovery_codes
from trading.parties.parties import Account

STATES = ("open", "granted", "refused", "withdrawn")
DEEDS = ("grant", "password", "second_factor", "enable")


class RoleProposal(Base):
    """``reason``: why it is wanted; ``answer``: why it was refused. ``deed``: one of ``DEEDS``; of those but a grant ``role`` is the first
    role held then. ``password``: the hash of a new one, until it is decided."""

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
    deed: Mapped[str] = mapped_column(String(20), default="grant", server_default="grant")
    password: Mapped[str] = mapped_column(String(300), default="", server_default="")


def propose(work: UnitOfWork, who: Account, role: Role, reason: str) -> RoleProposal:
    """Refuses: NotAllowed (also about oneself), Invalid (clash, misfit, no reason, a role that needs no second), Conflict
    ``proposal.open``, ``proposal.held``."""
    work.require(Act.ROLE_GRANT)
    if who.id == work.actor.account_id:
        raise NotAllowed("account.grant_self")
    if role not in OF_WEIGHT:
        raise Invalid("proposal.not_needed", role=role.value)
    held = parties.roles_of(work.session, who)
    waiting = [one for one in open_for(work.session, who) if one.deed == "grant"]
    faults = Faults()
    if not reason.strip():
        faults.add("reason", "form.required")
    parties.check_role(faults, "role", who.party, role, held | {Role(one.role) for one in waiting})
    faults.refuse_if_any()
    if role in held:
        raise Conflict("proposal.held", role=role.value)
    if role in {one.role for one in waiting}:
        raise Conflict("proposal.open", role=role.value)
    new = _enter(work, who, "grant", role, reason)
    work.record("role.propose", f"account/{who.id}", role=role.value, person=f"account:{who.id}")
    _tell(work, new, who)
    return new


def propose_deed(work: UnitOfWork, who: Account, deed: str, reason: str, *, hashed: str = "") -> RoleProposal:
    """Propose a new password (``hashed``), no second factor, or a closed account opened again. Refuses: NotAllowed (also about oneself, and
    ``account.reset_administrator``), Invalid (no reason), Conflict ``proposal.deed_open``, ``proposal.nothing_to_do``."""
    work.require(Act.ROLE_GRANT)
    if who.id == work.actor.account_id:
        raise NotAllowed("account.two_for_self")
    held = parties.roles_of(work.session, who)
    if deed == "password" and Role.SECURITY_ADMIN in held:
        raise NotAllowed("account.reset_administrator")
    faults = Faults()
    if not reason.strip():
        faults.add("reason", "form.required")
    faults.refuse_if_any()
    if not _to_do(who, deed):
        raise Conflict("proposal.nothing_to_do")
    if deed in {one.deed for one in open_for(work.session, who)}:
        raise Conflict("proposal.deed_open")
    first = next((role for role in Role if role in held & OF_WEIGHT or role in held), Role.PUBLIC)
    new = _enter(work, who, deed, first, reason)
    new.password = hashed
    work.record("account.propose", f"account/{who.id}", deed=deed, person=f"account:{who.id}")
    _tell(work, new, who)
    return new


def propose_password(work: UnitOfWork, who: Account, password: str, reason: str) -> RoleProposal:
    """Propose a new password. Refuses: as ``propose_deed``, and Invalid as ``new_passwords.check``."""
    new_passwords.check(password, who.username, work.office.platform)
    return propose_deed(work, who, "password", reason, hashed=passwords.hash_password(password))


def _to_do(who: Account, deed: str) -> bool:
    """Is there anything that the deed would change?"""
    return {
        "password": who.disabled_at is None,
        "second_factor": who.totp_secret is not None,
        "enable": who.disabled_at is not None,
    }[deed]


def _enter(work: UnitOfWork, who: Account, deed: str, role: Role, reason: str) -> RoleProposal:
    new = RoleProposal(
        account_id=who.id,
        role=role,
        reason=reason.strip(),
        proposed_by=work.actor.account_id or 0,
        proposed_at=work.now,
        state="open",
        answer="",
        deed=deed,
        password="",
    )
    work.session.add(new)
    work.session.flush()
    return new


def _tell(work: UnitOfWork, new: RoleProposal, who: Account) -> None:
    """The other security administrators are asked to decide."""
    for other in parties.administrators(work.session):
        if other.id not in (work.actor.account_id, who.id):
            work.send(
                f"role.proposed/{new.id}/{other.id}",
                to=f"account:{other.id}",
                template=_template(new, "proposed"),
                name=who.name,
                role=new.role,
                by=work.actor.name,
                proposal=new.id,
            )


def _template(proposal: RoleProposal, state: str) -> str:
    return f"role.{state}" if proposal.deed == "grant" else f"account.{proposal.deed}_{state}"


def confirm(work: UnitOfWork, proposal: RoleProposal) -> str:
    """It is done. Returns the second part of the account's password, to be shown once, where one is asked for from now on; else "".

    Refuses: NotAllowed (the proposer, the person concerned), WrongStep, Invalid (clash, misfit by now), Conflict
    ``proposal.closed_account``, ``proposal.nothing_to_do``."""
    who = _decide(work, proposal)
    work.lock(who)
    part = _DOING[proposal.deed](work, proposal, who)
    proposal.password = ""
    _close(work, proposal, "granted")
    return part


def _grant(work: UnitOfWork, proposal: RoleProposal, who: Account) -> str:
    if who.disabled_at is not None:
        raise Conflict("proposal.closed_account")
    parties.give(work, who, Role(proposal.role), by=work.actor.account_id)
    if who.handed_by is None:
        return ""
    parties.end_logins(work, who)  # whoever knows a handed password may be signed in with it
    return handover.add(who)


def _new_password(work: UnitOfWork, proposal: RoleProposal, who: Account) -> str:
    if not _to_do(who, "password"):
        raise Conflict("proposal.closed_account")
    who.password, who.handed_by = proposal.password, proposal.proposed_by
    parties.end_logins(work, who)
    work.record("account.reset", f"account/{who.id}", person=f"account:{who.id}")
    return handover.add(who)


def _no_second_factor(work: UnitOfWork, proposal: RoleProposal, who: Account) -> str:
    remove_second_factor(work, who)
    return ""


def _enable(work: UnitOfWork, proposal: RoleProposal, who: Account) -> str:
    if not _to_do(who, "enable"):
        raise Conflict("proposal.nothing_to_do")
    who.disabled_at = None
    work.record("account.enable", f"account/{who.id}", person=f"account:{who.id}")
    return ""


_DOING = {"grant": _grant, "password": _new_password, "second_factor": _no_second_factor, "enable": _enable}


def reset_second_factor(work: UnitOfWork, who: Account) -> None:
    """By one administrator, of an account without a role of weight. Refuses: NotAllowed (also ``account.two_needed``), Conflict
    ``proposal.nothing_to_do``."""
    work.require(Act.ROLE_GRANT)
    if who.id == work.actor.account_id or parties.bears_weight(work.session, who):
        raise NotAllowed("account.two_needed")
    remove_second_factor(work, who)


def remove_second_factor(work: UnitOfWork, who: Account) -> None:
    """Whoever decided it; recovery codes go with it, every sign-in ends. Refuses: Conflict ``proposal.nothing_to_do``."""
    if not _to_do(who, "second_factor"):
        raise Conflict("proposal.nothing_to_do")
    who.totp_secret, who.totp_last_step = None, 0
    recovery_codes.drop(work.session, who)
    parties.end_logins(work, who)
    work.record("account.second_factor_reset", f"account/{who.id}", person=f"account:{who.id}")


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
    proposal.password = ""
    work.session.flush()
    who = parties.account(work.session, proposal.account_id)
    if state != "granted" and proposal.deed == "grant":  # what is done has its own entry
        work.record(f"role.{state}", f"account/{who.id}", role=proposal.role, person=f"account:{who.id}")
    elif state != "granted":
        work.record(f"account.{state}", f"account/{who.id}", deed=proposal.deed, person=f"account:{who.id}")
    if state != "withdrawn":
        work.send(
            f"role.{state}/{proposal.id}",
            to=f"account:{proposal.proposed_by}",
            template=_template(proposal, state),
            name=who.name,
            role=proposal.role,
            proposal=proposal.id,
            reason=proposal.answer,
        )

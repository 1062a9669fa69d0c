"""Deposit demands: what a participant must pay, and the sub-account it pays into; and the holds that keep money where it is.

Law of the noun: a demand is asked for once, with taking part, and gets a random sub-account number of its own, so a number tells neither
lot, nor bidder, nor order (rulebook §4.6). Until the opening list is published nobody but the bidder reads who has paid (rule D-12). A
hold needs a basis in writing and an owner, names the bidder, and ends by itself at its date.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, Date, ForeignKey, String, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.bidding.participants import Participant
from trading.kernel import ids
from trading.kernel.access import Act
from trading.kernel.calendar import day_end, local_day
from trading.kernel.clock import floor_second
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, Faults, NotAllowed, NotFound
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony
from trading.opening.ceremony import Opening
from trading.tendering.tenders import Lot

PIECE = 5_000
"""How many names one question to the database holds at most."""
SUB_ACCOUNT_LENGTH = 32
"""As many digits as an account field of the payment systems holds: 30 random (99 bits) and 2 check digits."""


class DepositDemand(Base):
    """``amount_minor`` in fen, as published; ``due_at``: the deadline the money must beat (rule D-13)."""

    __tablename__ = "deposit_demand"
    __table_args__ = (CheckConstraint("amount_minor > 0", name="amount"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), unique=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    sub_account: Mapped[str] = mapped_column(String(SUB_ACCOUNT_LENGTH), unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime] = mapped_column(Moment)
    made_at: Mapped[datetime] = mapped_column(Moment)
    participant: Mapped[Participant] = relationship(lazy="joined")
    lot: Mapped[Lot] = relationship(lazy="joined")


class DepositHold(Base):
    """Money that may not go back for now: ``basis`` (a written decision, a pending ground), ``owner`` (who answers for it), last day."""

    __tablename__ = "deposit_hold"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    demand_id: Mapped[int] = mapped_column(ForeignKey("deposit_demand.id"), index=True)
    basis: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(120))
    until: Mapped[date] = mapped_column(Date)
    placed_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    placed_at: Mapped[datetime] = mapped_column(Moment)
    lifted_at: Mapped[datetime | None] = mapped_column(Moment)
    lifted_why: Mapped[str] = mapped_column(Text, default="")
    demand: Mapped[DepositDemand] = relationship(lazy="joined")


# --- sub-account numbers ----------------------------------------------------------------------------------------------


def new_sub_account() -> str:
    """A random number with two check digits (ISO 7064, MOD 97-10), never beginning with a nought."""
    body = str(secrets.randbelow(9 * 10**29) + 10**29)
    return body + f"{98 - int(body + '00') % 97:02d}"


def is_sub_account(text: str) -> bool:
    """Whether a text is a well-formed number: a slip of one digit, or two changed places, is seen."""
    return len(text) == SUB_ACCOUNT_LENGTH and text.isascii() and text.isdecimal() and int(text) % 97 == 1


# --- acts -------------------------------------------------------------------------------------------------------------


def demand_for(work: UnitOfWork, participant: Participant) -> DepositDemand | None:
    """The demand of one's own participation: made once, found ever after; None where the lot asks for no deposit.

    Refuses: NotAllowed, NotFound (not one's own).
    """
    work.require(Act.LOT_TAKE_PART)
    if participant.party_id != work.actor.party_id:
        raise NotFound("deposit.unknown")
    found = of_participant(work.session, participant)
    lot = participant.lot
    if found is not None or lot.deposit_minor == 0:
        return found
    assert lot.deadline is not None
    new = DepositDemand(
        participant_id=participant.id,
        lot_id=lot.id,
        sub_account=new_sub_account(),
        amount_minor=lot.deposit_minor,
        due_at=lot.deadline,
        made_at=floor_second(work.now),
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("deposit.demand", lot.log_of, account=participant.party.code, amount=new.amount_minor)
    return new


def place_hold(work: UnitOfWork, demand: DepositDemand, *, basis: str, owner: str, until: date) -> DepositHold:
    """Keep a bidder's money for now. ``until`` is the last day (Beijing).

    Refuses: NotAllowed, NotFound (payers of the lot are still sealed), Invalid (every field).
    """
    work.require(Act.REFUND_PREPARE)
    require_public(work.session, demand)
    work.lock(demand)
    return set_hold(work, demand, basis=basis, owner=owner, until=until)


def set_hold(work: UnitOfWork, demand: DepositDemand, *, basis: str, owner: str, until: date) -> DepositHold:
    """As ``place_hold``, for an act that has taken its own locks. Refuses: Invalid (every field)."""
    faults = Faults()
    for where, value in (("basis", basis), ("owner", owner)):
        if not value.strip():
            faults.add(where, "form.required")
    if until < local_day(work.now):
        faults.add("until", "deposit.hold_past", until=until)
    faults.refuse_if_any()
    assert work.actor.account_id is not None
    new = DepositHold(
        ref=ids.new_reference(),
        demand_id=demand.id,
        basis=basis.strip(),
        owner=owner.strip(),
        until=until,
        placed_by=work.actor.account_id,
        placed_at=work.now,
    )
    work.session.add(new)
    work.session.flush()
    work.record(
        "deposit.hold",
        demand.lot.log_of,
        account=demand.participant.party.code,
        basis=new.basis,
        until=until.isoformat(),
    )
    return new


def lift_hold(work: UnitOfWork, hold: DepositHold, *, why: str) -> None:
    """End a hold before its date: by somebody else than who placed it. Refuses: NotAllowed, Conflict, Invalid."""
    work.require(Act.REFUND_APPROVE)
    if hold.placed_by == work.actor.account_id:
        raise NotAllowed("refund.same_person")
    faults = Faults()
    if not why.strip():
        faults.add("why", "form.required")
    faults.refuse_if_any()
    work.lock(hold)
    if hold.lifted_at is not None:
        raise Conflict("deposit.hold_lifted")
    hold.lifted_at, hold.lifted_why = work.now, why.strip()
    work.session.flush()
    work.record(
        "deposit.lift_hold", hold.demand.lot.log_of, account=hold.demand.participant.party.code, why=hold.lifted_why
    )


# --- looking ----------------------------------------------------------------------------------------------------------


def of_participant(session: Session, participant: Participant) -> DepositDemand | None:
    return session.scalar(select(DepositDemand).where(DepositDemand.participant_id == participant.id))


def find_by_sub_account(session: Session, sub_account: str) -> DepositDemand | None:
    return session.scalar(select(DepositDemand).where(DepositDemand.sub_account == sub_account))


def of_lot(session: Session, lot: Lot) -> Sequence[DepositDemand]:
    """All demands of a lot, by sub-account (a random order). Secret until ``is_public``."""
    return list(
        session.scalars(select(DepositDemand).where(DepositDemand.lot_id == lot.id).order_by(DepositDemand.sub_account))
    )


def is_public(session: Session, lot: Lot) -> bool:
    """Whether the money room may see who paid: from the published opening list on, or once the lot has failed or was terminated."""
    return lot.failure is not None or ceremony.is_public(session, lot)


def is_sealed() -> ColumnElement[bool]:
    """The condition on lots, as a part of a larger question: the opposite of ``is_public``."""
    return Lot.failure.is_(None) & ~exists().where(Opening.lot_id == Lot.id, Opening.part == "bid")


def publicity(session: Session) -> Callable[[DepositDemand], bool]:
    """``is_public`` for the lots of many demands, asked about at once."""
    lots = select(DepositDemand.lot_id).join(Lot, Lot.id == DepositDemand.lot_id).where(~is_sealed())
    public = set(session.scalars(lots.distinct()))
    return lambda demand: demand.lot_id in public


def require_public(session: Session, demand: DepositDemand) -> None:
    """Refuses: NotFound ``deposit.unknown`` while the lot's payers are sealed."""
    if not is_public(session, demand.lot):
        raise NotFound("deposit.unknown")


def held_demands(session: Session, now: datetime) -> set[int]:
    """The demands on which a hold is in force at a moment."""
    rows = select(DepositHold.demand_id).where(DepositHold.until >= local_day(now), DepositHold.lifted_at.is_(None))
    return set(session.scalars(rows))


def holds(session: Session, demand_id: int, now: datetime) -> list[DepositHold]:
    """The holds in force at a moment, oldest first."""
    return holds_of(session, [demand_id], now).get(demand_id, [])


def holds_of(session: Session, demand_ids: Collection[int], now: datetime) -> dict[int, list[DepositHold]]:
    """As ``holds``, of many demands at once, by demand; without those that have none."""
    found: dict[int, list[DepositHold]] = {}
    names = sorted(set(demand_ids))
    for start in range(0, len(names), PIECE):
        rows = select(DepositHold).where(
            DepositHold.demand_id.in_(names[start : start + PIECE]), DepositHold.lifted_at.is_(None)
        )
        for row in session.scalars(rows.order_by(DepositHold.id)):
            if now < day_end(row.until):
                found.setdefault(row.demand_id, []).append(row)
    return found

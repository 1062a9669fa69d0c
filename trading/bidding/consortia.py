"""Consortia: several parties that bid as one for a lot, named with their share of the work and bound by an agreement all sign.

Law of the noun: a party that is bound to a consortium bids for that lot neither alone nor in another (works: TL art. 31, TReg art. 37;
government procurement: GPL art. 24, GPReg art. 22); the lead hands in one bid for all, and only once all have signed. Who is in a
consortium is as secret as who bids: only its own members see it before the opening list. Acts stand in ``joint_bids``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, exists, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, NotFound, WrongStep
from trading.kernel.work import View
from trading.parties.parties import Party, own_party
from trading.procedures import procedure_of
from trading.tendering.tenders import Lot

STATES = ("DRAFT", "SIGNED", "DISSOLVED")
KIND = "consortium"
"""The kind of the signed agreement: ``{at, lead, lot, members: [{name, party, share, work}], platform, tender, v}``; shares in percent."""


class Consortium(Base):
    """``document``: the canonical text of the agreement all members sign; ``signed``: the envelope with all signatures, once complete."""

    __tablename__ = "consortium"
    __table_args__ = (CheckConstraint(one_of("state", STATES), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    state: Mapped[str] = mapped_column(String(20))
    document: Mapped[str] = mapped_column(Text)
    signed: Mapped[str] = mapped_column(Text, default="")
    made_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")
    lead: Mapped[Party] = relationship(lazy="joined")
    members: Mapped[list[ConsortiumMember]] = relationship(order_by="ConsortiumMember.place", lazy="selectin")


class ConsortiumMember(Base):
    """``binding``: signed, and the consortium still stands; a party is bound once a lot. ``share``: percent of the work."""

    __tablename__ = "consortium_member"
    __table_args__ = (
        UniqueConstraint("consortium_id", "party_id"),
        Index(
            "ix_consortium_member_binding",
            "lot_id",
            "party_id",
            unique=True,
            sqlite_where=text("binding"),
            postgresql_where=text("binding"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    consortium_id: Mapped[int] = mapped_column(ForeignKey("consortium.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    place: Mapped[int]
    work: Mapped[str] = mapped_column(Text)
    share: Mapped[int]
    signature: Mapped[str] = mapped_column(Text, default="")
    signed_at: Mapped[datetime | None] = mapped_column(Moment)
    binding: Mapped[bool] = mapped_column(default=False)
    party: Mapped[Party] = relationship(lazy="joined")


def agreement(row: Consortium) -> dict[str, Any]:
    """The agreement as the value all sign."""
    value: dict[str, Any] = json.loads(row.document)
    return value


def of_ref(view: View, ref: str) -> tuple[Consortium, ConsortiumMember]:
    """(consortium, own membership): nobody but a member sees it. Refuses: NotFound ``consortium.unknown``."""
    row = view.session.scalar(select(Consortium).where(Consortium.ref == ref))
    mine = next((one for one in row.members if one.party_id == view.actor.party_id), None) if row is not None else None
    if row is None or mine is None:
        raise NotFound("consortium.unknown")
    return row, mine


def own(view: View, lot: Lot | None = None) -> list[Consortium]:
    """Consortia the own party leads or is named in and that stand, newest first; of one lot if named."""
    party = own_party(view)
    query = (
        select(Consortium)
        .join(ConsortiumMember, ConsortiumMember.consortium_id == Consortium.id)
        .where(ConsortiumMember.party_id == party.id, Consortium.state != "DISSOLVED")
    )
    return list(
        view.session.scalars(
            (query.where(Consortium.lot_id == lot.id) if lot else query).order_by(Consortium.id.desc())
        ).unique()
    )


def led_by(session: Session, lot: Lot, party_id: int) -> Consortium | None:
    """The standing consortium a party leads for a lot, all signed or not yet."""
    return session.scalar(
        select(Consortium).where(
            Consortium.lot_id == lot.id, Consortium.lead_id == party_id, Consortium.state != "DISSOLVED"
        )
    )


def bound_to(session: Session, lot: Lot, party_id: int) -> Consortium | None:
    """The consortium a party has signed for on a lot."""
    return session.scalar(
        select(Consortium)
        .join(ConsortiumMember, ConsortiumMember.consortium_id == Consortium.id)
        .where(ConsortiumMember.lot_id == lot.id, ConsortiumMember.party_id == party_id, ConsortiumMember.binding)
    )


def is_there(lot_id: Any, party_id: Any) -> Any:
    """Whether any consortium of a lot concerns a party at all, as a part of a larger question: nearly always none does."""
    return or_(
        exists().where(Consortium.lot_id == lot_id, Consortium.lead_id == party_id),
        exists().where(ConsortiumMember.lot_id == lot_id, ConsortiumMember.party_id == party_id),
    )


def check_may_bid(session: Session, lot: Lot, party: Party) -> None:
    """Whether a party may hand in a bid in its own name. Refuses: Conflict ``consortium.bids_alone`` (bound as a member under another
    lead; TReg art. 37, GPReg art. 22), WrongStep ``consortium.not_signed`` (leads one that not all have signed)."""
    bound = bound_to(session, lot, party.id)
    if bound is not None and bound.lead_id != party.id:
        raise Conflict("consortium.bids_alone", lead=bound.lead.name, rule=procedure_of(lot).consortium)
    led = led_by(session, lot, party.id)
    if led is not None and led.state != "SIGNED":
        raise WrongStep(
            "consortium.not_signed", waiting=[one.party.name for one in led.members if one.signed_at is None]
        )


def opened(session: Session, lot: Lot) -> dict[str, list[ConsortiumMember]]:
    """Lead's code → members, of the consortia that all signed. For the opening list alone: the caller shows it only once the list is
    published, and only beside bids that stand in it."""
    rows = session.scalars(
        select(Consortium).where(Consortium.lot_id == lot.id, Consortium.state == "SIGNED").order_by(Consortium.id)
    )
    return {row.lead.code: list(row.members) for row in rows}

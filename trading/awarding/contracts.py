"""Contracts: recorded as tendered, published, filed (rules T-14 to T-16, T-18).

Law of the noun: the contract's price is the award's; a difference is shown, never hidden. A challenge to the result that is open stops
the signing (GPReg art. 54).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.awarding import awards
from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment
from trading.kernel.errors import Faults, NotFound
from trading.kernel.work import UnitOfWork
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.remedies import complaints, disputes
from trading.tendering import notices, terms
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot


class Contract(Base):
    """``amount_minor`` in fen; ``differences``: what departs from the award, ``[{field, award, contract}]``."""

    __tablename__ = "contract"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    number: Mapped[str] = mapped_column(String(80))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    signed_at: Mapped[datetime] = mapped_column(Moment)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    publish_by: Mapped[datetime | None] = mapped_column(Moment)
    file_by: Mapped[datetime | None] = mapped_column(Moment)
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    filed_at: Mapped[datetime | None] = mapped_column(Moment)
    text: Mapped[str] = mapped_column(Text, default="")
    differences: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    reasons: Mapped[dict[str, Any]] = mapped_column(Json)
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")


def record(
    work: UnitOfWork,
    lot: Lot,
    *,
    number: str,
    amount_minor: int,
    signed_at: datetime,
    text: str = "",
) -> Contract:
    """Record the signed contract. ``signed_at`` lies between the award notice and now.

    Refuses: NotAllowed, WrongStep, Conflict (challenge open), Invalid (every field; another price than awarded).
    """
    work.require(Act.CONTRACT_RECORD)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "contract")
    award = awards.award(work.session, lot)
    assert award.announced_at is not None and award.winner_party_id is not None
    complaints.refuse_suspended(work, lot)
    disputes.refuse_stopped(work, lot, "contract")
    faults = Faults()
    if not number.strip():
        faults.add("number", "form.required")
    if amount_minor != award.price_minor:
        faults.add("amount", "contract.other_price", award_minor=award.price_minor, contract_minor=amount_minor)
    if not award.announced_at <= signed_at <= work.now:
        faults.add("signed_at", "contract.bad_day", earliest=award.announced_at, latest=work.now)
    faults.refuse_if_any()
    reasons: dict[str, Any] = {}
    publish_by = file_by = None
    law = procedure_of(lot).contract
    if law.publish is not None:
        due = terms.period(work.session, lot, law.publish, signed_at)
        publish_by, reasons["publish_by"] = due.ends_at, due.reason
    if law.file is not None:
        due = terms.period(work.session, lot, law.file, signed_at)
        file_by, reasons["file_by"] = due.ends_at, due.reason
    late = award.contract_by is not None and signed_at >= award.contract_by
    differences = [{"field": "signed_at", "award": award.contract_by, "contract": signed_at}] if late else []
    row = Contract(
        lot_id=lot.id,
        party_id=award.winner_party_id,
        number=number.strip(),
        amount_minor=amount_minor,
        signed_at=signed_at,
        recorded_at=work.now,
        publish_by=publish_by,
        file_by=file_by,
        text=text,
        reasons=reasons,
        differences=[{**d, "award": str(d["award"]), "contract": str(d["contract"])} for d in differences],
    )
    work.session.add(row)
    LOT_FLOW.take(work, lot, "contract", number=number.strip(), amount_minor=amount_minor)
    return row


def publish_and_file(work: UnitOfWork, lot: Lot) -> Contract:
    """Publish the contract and file its copy (rules T-15, T-16; works: the written report T-18). Refuses: NotAllowed, WrongStep."""
    require_tie(work, lot.project)
    work.lock(lot)
    row = contract(work.session, lot)
    LOT_FLOW.take(work, lot, "file")
    row.published_at = row.filed_at = work.now
    body = {
        "number": row.number,
        "supplier": row.party.name,
        "amount_minor": row.amount_minor,
        "differences": row.differences,
    }
    notices.post(work, lot, "contract", title=lot.title, body=body, text=row.text)
    return row


def find(session: Session, lot: Lot) -> Contract | None:
    return session.scalar(select(Contract).where(Contract.lot_id == lot.id))


def contract(session: Session, lot: Lot) -> Contract:
    """Refuses: NotFound ``contract.not_yet``."""
    found = find(session, lot)
    if found is None:
        raise NotFound("contract.not_yet", ref=lot.ref)
    return found

"""Two envelopes: the technical result, fixed before any price is opened, and which sealed files are left unopened (protocol §5).

Law of the noun: prices are opened only after evaluation has handed down the technical result, once and for good; the set of an opening
lists every bid that stands, but who was rejected technically, or handed in one envelope of two, is left sealed: named in a signed and
logged ``bid-failed`` before any share, code ``UNAVAILABLE``, its boxes never handed out. Evaluation calls ``fix``; nothing here looks up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.bidding import bids
from trading.bidding.bids import SealedBid
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.db import Base, Json, Moment, append_only
from trading.kernel.errors import Conflict, WrongStep
from trading.kernel.work import UnitOfWork
from trading.tendering.tenders import Lot

GROUNDS = ("incomplete", "rejected", "not_opened")


class TechnicalResult(Base):
    """``passed``: the codes of the bidders whose price is opened; ``rejected``: ``[{bidder, stage, clause, reason}]``, technical bids that
    were opened and found not to conform."""

    __tablename__ = "technical_result"

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    passed: Mapped[list[str]] = mapped_column(Json)
    rejected: Mapped[list[dict[str, Any]]] = mapped_column(Json)


append_only(TechnicalResult.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Left:
    """A bid of the set that stays sealed: on which ground of ``GROUNDS``, and whose doing that is (``bidder``, ``platform``, …)."""

    bid: SealedBid
    ground: str
    cause: str


def fix(work: UnitOfWork, lot: Lot, *, passed: Sequence[str], rejected: Sequence[dict[str, Any]]) -> TechnicalResult:
    """The technical result as evaluation found it; from now on the prices of those who passed may be opened, and it does not change.

    Refuses: NotAllowed, WrongStep ``technical.one_envelope``, ``technical.lot_state``, Conflict ``technical.fixed``.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(lot)
    if not lot.two_envelopes:
        raise WrongStep("technical.one_envelope", ref=lot.ref)
    if lot.state != "EVALUATION":
        raise WrongStep("technical.lot_state", state=lot.state)
    refuse_fixed(work.session, lot)
    row = TechnicalResult(
        lot_id=lot.id,
        account_id=work.actor.account_id,
        at=work.now,
        passed=sorted(passed),
        rejected=sorted((dict(one) for one in rejected), key=lambda one: str(one["bidder"])),
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "technical.fix",
        lot.log_of,
        passed=row.passed,
        rejected=[one["bidder"] for one in row.rejected],
        clauses=[f"{one['stage']}: {one['clause']}" for one in row.rejected],
    )
    return row


def find(session: Session, lot: Lot) -> TechnicalResult | None:
    return session.scalar(select(TechnicalResult).where(TechnicalResult.lot_id == lot.id))


def refuse_fixed(session: Session, lot: Lot) -> None:
    """For whoever would change what the technical result followed from. Refuses: Conflict ``technical.fixed``."""
    row = find(session, lot)
    if row is not None:
        raise Conflict("technical.fixed", ref=lot.ref, at=row.at)


def left_sealed(session: Session, lot: Lot, part: str, causes: dict[int, str]) -> list[Left]:
    """The bids of one envelope's set that stay sealed, in the order of the set. ``causes``: party id → cause of the technical verdict, ""
    where it was opened; empty while the technical envelopes are to be opened."""
    if not lot.two_envelopes:
        return []
    whole, result = bids.complete(session, lot), find(session, lot)
    found = []
    for bid in bids.standing_bids(session, lot, part):
        if bid.party_id not in whole:
            found.append(Left(bid, "incomplete", "bidder"))
        elif part == officers.PRICE and causes.get(bid.party_id, ""):
            found.append(Left(bid, "not_opened", causes[bid.party_id]))
        elif part == officers.PRICE and (result is None or bid.party.code not in result.passed):
            found.append(Left(bid, "rejected", "bidder"))
    return found

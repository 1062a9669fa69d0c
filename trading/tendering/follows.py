"""Lots a person follows: each public event of the lot is told to them through the outbox, into their inbox.

Law of the noun: who follows is the follower's own secret. No list, count or log of followers exists for anybody, the centre included
(before the opening it would tell of interest, promise S1); following leaves no entry in the record of acts, and ending it leaves nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork, View
from trading.tendering.tenders import Lot

TOLD = ("correction", "clarification", "failure", "termination", "opening_record", "candidates", "result", "contract")
"""Kinds of notices that are told; the award notice appears with the result."""


class Follow(Base):
    __tablename__ = "lot_follow"
    __table_args__ = (UniqueConstraint("account_id", "lot_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    since: Mapped[datetime] = mapped_column(Moment)


def follow(work: UnitOfWork, lot: Lot) -> None:
    """From now on this person is told. Twice is once. Refuses: NotAllowed, NotFound (not published)."""
    work.require(Act.ACCOUNT_OWN)
    if lot.published_at is None:
        raise NotFound("lot.unknown", ref=lot.ref)
    if not follows(work, lot):
        work.session.add(Follow(account_id=work.actor.account_id, lot_id=lot.id, since=work.now))
        work.session.flush()


def unfollow(work: UnitOfWork, lot: Lot) -> None:
    """No longer; nothing is left of it. Refuses: NotAllowed."""
    work.require(Act.ACCOUNT_OWN)
    work.session.execute(delete(Follow).where(Follow.account_id == work.actor.account_id, Follow.lot_id == lot.id))


def follows(view: View, lot: Lot) -> bool:
    """Whether the person who looks follows the lot."""
    return (
        view.actor.account_id is not None
        and view.session.scalar(
            select(Follow.id).where(Follow.account_id == view.actor.account_id, Follow.lot_id == lot.id)
        )
        is not None
    )


def own(view: View) -> list[Lot]:
    """The lots this person follows, the newest first. Refuses: NotAllowed."""
    view.require(Act.ACCOUNT_OWN)
    rows = select(Lot).join(Follow, Follow.lot_id == Lot.id).where(Follow.account_id == view.actor.account_id)
    return list(view.session.scalars(rows.order_by(Follow.since.desc(), Follow.id.desc())))


def tell(work: UnitOfWork, lot: Lot, kind: str, version: int) -> None:
    """Put a message out to everybody who follows, in the unit that publishes the notice."""
    if kind not in TOLD:
        return
    for account in work.session.scalars(select(Follow.account_id).where(Follow.lot_id == lot.id).order_by(Follow.id)):
        work.send(
            f"follow/{lot.ref}/{kind}/{version}/{account}",
            to=f"account:{account}",
            template=f"follow.{kind}",
            lot=lot.ref,
            title=lot.title,
        )

"""Digest drop (摘要寄存), as the main service takes it over: the tickets a small separate process gave while we could not be reached.

Law of the noun: a ticket proves that whoever holds a key had a certain digest at a certain moment, and nothing more. It is no bid and names
no lot. Tickets are taken over as they are, each once; nobody but the holder of the key is told of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from crypto.canonical import unb64u
from crypto.drops import DropTicket as Ticket
from crypto.drops import open_ticket
from crypto.errors import CryptoError
from crypto.keys import kid
from trading.kernel import audit
from trading.kernel.access import Act
from trading.kernel.clock import parse_moment
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments
from trading.parties.parties import own_party


class DropTicket(Base):
    """``digest``: what was left (the hash of a signed submission); ``kid``: whose key signed it; ``at``: the drop's own moment."""

    __tablename__ = "drop_ticket"
    __table_args__ = (UniqueConstraint("digest", "kid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(50))
    kid: Mapped[str] = mapped_column(String(50), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    ticket: Mapped[str] = mapped_column(Text)
    taken_at: Mapped[datetime] = mapped_column(Moment)


append_only(DropTicket.__table__)  # type: ignore[arg-type]


def take_over(work: UnitOfWork, envelopes: Iterable[Any], drop_key: bytes) -> tuple[int, int]:
    """Take over tickets signed by the drop's key. Returns (new ones, those that are no ticket of this drop); the log says that it was done
    and never how many. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    new = wrong = 0
    for envelope in envelopes:
        try:
            ticket = open_ticket(envelope, drop_key, work.office.platform)
        except CryptoError:
            wrong += 1
            continue
        new += _keep(work, ticket, envelope)
    if new:
        work.record("drop.take_over", "drop", public=kid("ed25519", drop_key))
    return new, wrong


def _keep(work: UnitOfWork, ticket: Ticket, envelope: Any) -> bool:
    if (
        work.session.scalar(
            select(DropTicket.id).where(DropTicket.digest == ticket.digest, DropTicket.kid == ticket.kid)
        )
        is not None
    ):
        return False
    work.session.add(
        DropTicket(
            digest=ticket.digest,
            kid=ticket.kid,
            at=parse_moment(ticket.at),
            ticket=audit.envelope_text(envelope),
            taken_at=work.now,
        )
    )
    work.session.flush()
    return True


def own(view: View) -> Sequence[DropTicket]:
    """The tickets of one's own signing key, newest first. Refuses: NotAllowed."""
    view.require(Act.BID_LOOK)
    key = enrolments.find_key(view.session, own_party(view).code, "bidder")
    if key is None:
        return []
    mine = kid("ed25519", unb64u(key.sign_public, 32))
    return list(view.session.scalars(select(DropTicket).where(DropTicket.kid == mine).order_by(DropTicket.at.desc())))

"""Messages that leave after commit: rows of the same transaction, sent at least once, with a key that makes twice harmless.

The outbox worker (web) reads what is due and marks it sent; nothing about bids may stand in a message before the opening.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.at_rest import Sealed, hold
from trading.kernel.db import Base, Json, Moment

MAX_TRIES = 12


class Message(Base):
    """``to``: an account, an organisation or a role here; of a letter "", whose ``address`` is sealed."""

    __tablename__ = "outbox_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    channel: Mapped[str] = mapped_column(String(20))
    to: Mapped[str] = mapped_column(String(200), index=True)
    address: Mapped[str] = mapped_column(Sealed, default="")
    template: Mapped[str] = mapped_column(String(80))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(Integer, default=0)


hold(Message, row="key")


def send(session: Session, now: datetime, key: str, *, channel: str, to: str, template: str, **facts: Any) -> None:
    """Put a message out once per ``key``; a second call with the key changes nothing."""
    if session.scalar(select(Message.id).where(Message.key == key)) is None:
        to, address = ("", to) if channel == "mail" else (to, "")
        told = {"to": to, "address": address, "template": template, "facts": facts}
        session.add(Message(key=key, channel=channel, made_at=now, due_at=now, **told))
        session.flush()


def due(session: Session, now: datetime, limit: int = 50) -> list[Message]:
    """Messages to send now, oldest first."""
    query = select(Message).where(Message.sent_at.is_(None), Message.due_at <= now, Message.tries < MAX_TRIES)
    return list(session.scalars(query.order_by(Message.due_at, Message.id).limit(limit)))


@dataclass(frozen=True)
class Backlog:
    """``waiting``: is any message due now; ``retried``: has one been tried in vain; ``failed``: how many were given up after all tries. No
    queue length: it could tell what happens on a lot."""

    waiting: bool
    retried: bool
    failed: int


def backlog(session: Session, now: datetime) -> Backlog:
    unsent = Message.sent_at.is_(None)
    failed = select(func.count()).select_from(Message).where(unsent, Message.tries >= MAX_TRIES)
    retried = select(Message.id).where(unsent, Message.tries > 0, Message.tries < MAX_TRIES).limit(1)
    return Backlog(
        bool(due(session, now, limit=1)), session.scalar(retried) is not None, int(session.scalar(failed) or 0)
    )


def latest(session: Session, channel: str, limit: int = 50) -> list[Message]:
    """The messages of a channel, newest first, sent or not."""
    rows = select(Message).where(Message.channel == channel).order_by(Message.id.desc()).limit(limit)
    return list(session.scalars(rows))


def mark_sent(message: Message, now: datetime) -> None:
    message.sent_at = now


def mark_failed(message: Message, now: datetime) -> None:
    """Try again later, waiting longer each time."""
    message.tries += 1
    message.due_at = now + timedelta(seconds=30 * 2**message.tries)

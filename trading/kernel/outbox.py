"""Messages that leave after commit: rows of the same transaction, with a key that makes twice harmless.

The clock puts what is due into inboxes and on its way as mail (trading/parties/mail_queue.py); nothing about bids may stand in a message
before the opening.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.at_rest import Sealed, hold
from trading.kernel.db import Base, Json, Moment


class Message(Base):
    """``to``: an account, an organisation or a role here; of a letter "", whose ``address`` is sealed. ``sent_at``: since when it stands in
    the inbox; of a letter, when a mail server took it."""

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


hold(Message, row="key")


def send(session: Session, now: datetime, key: str, *, channel: str, to: str, template: str, **facts: Any) -> None:
    """Put a message out once per ``key``; a second call with the key changes nothing."""
    if session.scalar(select(Message.id).where(Message.key == key)) is None:
        put(session, now, key, channel=channel, to=to, template=template, facts=facts)
        session.flush()


def put(
    session: Session, now: datetime, key: str, *, channel: str, to: str, template: str, facts: dict[str, Any]
) -> None:
    """As ``send``, for a key that is new for certain; written with what else the unit writes."""
    to, address = ("", to) if channel == "mail" else (to, "")
    told = {"to": to, "address": address, "template": template, "facts": facts}
    session.add(Message(key=key, channel=channel, made_at=now, due_at=now, **told))


def latest(session: Session, channel: str, limit: int = 50) -> list[Message]:
    """The messages of a channel, newest first, sent or not."""
    rows = select(Message).where(Message.channel == channel).order_by(Message.id.desc()).limit(limit)
    return list(session.scalars(rows))

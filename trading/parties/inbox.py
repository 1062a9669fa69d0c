"""A person's inbox: the outbox messages of channel ``inbox`` sent to this account or to its organisation, and which of them the person
has read.

Law of the noun: a message is read by its addressees only; reading is each person's own and changes nothing for the others. Messages are
rows of the outbox and have no copy here, so those sent before this table stood appear too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, Select, UniqueConstraint, exists, func, select
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.access import Act, Actor
from trading.kernel.db import Base, Moment
from trading.kernel.errors import NotFound
from trading.kernel.outbox import Message
from trading.kernel.work import UnitOfWork, View

CHANNEL = "inbox"


class InboxRead(Base):
    """That a person has read a message."""

    __tablename__ = "inbox_read"
    __table_args__ = (UniqueConstraint("account_id", "message_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("outbox_message.id"))
    read_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True)
class Letter:
    """A message as its addressee sees it. ``template`` and ``facts`` are put into words by the page."""

    id: int
    template: str
    facts: dict[str, Any]
    made_at: datetime
    unread: bool


def addresses(actor: Actor) -> tuple[str, ...]:
    """Where messages to this person go: the account's own address and that of the organisation."""
    own = [f"account:{actor.account_id}"] if actor.account_id is not None else []
    return (*own, *([f"party:{actor.party_id}"] if own and actor.party_id is not None else []))


def _read(actor: Actor) -> Any:
    return exists().where(InboxRead.message_id == Message.id, InboxRead.account_id == actor.account_id)


def _mine(actor: Actor, now: datetime, *columns: Any) -> Select[Any]:
    return select(*columns).where(Message.channel == CHANNEL, Message.to.in_(addresses(actor)), Message.due_at <= now)


def unread(connection: Connection, actor: Actor, now: datetime) -> int:
    """How many messages to this person are unread: one question, asked with every page of somebody signed in."""
    return int(connection.scalar(_mine(actor, now, func.count()).where(~_read(actor))) or 0)


def own_unread(view: View) -> int:
    """The same for the person who looks, in the transaction of a page."""
    return unread(view.session.connection(), view.actor, view.now)


def letters(
    view: View, *, only_unread: bool = False, templates: Collection[str] | None = None, limit: int = 20, offset: int = 0
) -> tuple[list[Letter], int]:
    """Messages to this person, newest first, and how many the filter finds. Refuses: NotAllowed, SignInNeeded."""
    view.require(Act.ACCOUNT_OWN)

    def chosen(query: Select[Any]) -> Select[Any]:
        if only_unread:
            query = query.where(~_read(view.actor))
        return query if templates is None else query.where(Message.template.in_(templates))

    total = int(view.session.scalar(chosen(_mine(view.actor, view.now, func.count(Message.id)))) or 0)
    rows = chosen(_mine(view.actor, view.now, Message, _read(view.actor))).order_by(
        Message.made_at.desc(), Message.id.desc()
    )
    found = view.session.execute(rows.limit(limit).offset(offset))
    return [_letter(message, read) for message, read in found], total


def letter(view: View, ident: int) -> Letter:
    """One message to this person. Refuses: NotFound, also for a message to somebody else."""
    view.require(Act.ACCOUNT_OWN)
    found = view.session.execute(
        _mine(view.actor, view.now, Message, _read(view.actor)).where(Message.id == ident)
    ).one_or_none()
    if found is None:
        raise NotFound("inbox.unknown")
    return _letter(*found)


def mark_read(work: UnitOfWork, ident: int | None = None) -> int:
    """Note one message, or all there are, as read; twice is harmless. Returns how many were unread. Refuses: NotFound."""
    work.require(Act.ACCOUNT_OWN)
    if ident is not None:
        letter(work, ident)
    query = _mine(work.actor, work.now, Message.id).where(~_read(work.actor))
    found = list(work.session.scalars(query if ident is None else query.where(Message.id == ident)))
    work.session.add_all(InboxRead(account_id=work.actor.account_id, message_id=one, read_at=work.now) for one in found)
    work.session.flush()
    return len(found)


def _letter(message: Message, read: bool) -> Letter:
    return Letter(message.id, message.template, message.facts, message.made_at, not read)

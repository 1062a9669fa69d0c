"""A forgotten password: a one-time link by mail, for half an hour.

Law of the noun: asking does the same work whoever is asked for, so neither answer nor time tells which accounts exist: the wish is noted
here, and the clock looks later whose it is. The link's token is kept as its hash; a new one voids the old; using it ends every sign-in.
A second factor is asked for all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel import ids, outbox
from trading.kernel.access import Act
from trading.kernel.at_rest import Sealed, hold, of_session
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.parties.parties import Account

GOOD_FOR = timedelta(minutes=30)
FIRST_GOOD_FOR = timedelta(days=7)
TEMPLATE, FIRST = "password.link", "account.first"
MOST = 5
"""Accounts that one address of mail may belong to."""


class PasswordWish(Base):
    """What somebody typed who forgot a password, until the clock has looked whose it is. ``base``: the address of the platform."""

    __tablename__ = "password_wish"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40))
    typed: Mapped[str] = mapped_column(Sealed)
    base: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(Moment)


hold(PasswordWish, row="ref")


class PasswordLink(Base):
    __tablename__ = "password_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    until: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


def ask(work: UnitOfWork, typed: str, base: str) -> None:
    """Note that somebody forgot the password of an account, by username or address of mail. Never says whether there is one."""
    work.session.add(PasswordWish(ref=ids.new_reference(), typed=typed.strip().lower()[:254], base=base, at=work.now))
    work.session.flush()


def wished(view: View) -> bool:
    """Does any wish wait for the clock?"""
    return view.session.scalar(select(PasswordWish.id).limit(1)) is not None


def answer(work: UnitOfWork) -> int:
    """The clock's part: a link by mail to whoever has an account with an address. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    wishes = list(work.session.scalars(select(PasswordWish).order_by(PasswordWish.id).limit(50)))
    sent = 0
    for wish in wishes:
        for who in _meant(work.session, wish.typed) if wish.at + GOOD_FOR > work.now else ():
            _send(work, who, wish)
            sent += 1
    work.session.execute(delete(PasswordWish).where(PasswordWish.id.in_([one.id for one in wishes])))
    return sent


def _meant(session: Session, typed: str) -> list[Account]:
    named = parties.find_account(session, typed)
    at, known = Account.mail_index, of_session(session).indexes("account", "mail", typed)
    found = (
        [named]
        if named
        else list(session.scalars(select(Account).where(at.in_(known)).order_by(Account.id).limit(MOST)))
    )
    return [one for one in found if one.mail and one.disabled_at is None]


def _send(work: UnitOfWork, who: Account, wish: PasswordWish) -> None:
    token = secrets.token_urlsafe(32)
    work.session.execute(
        update(PasswordLink)
        .where(PasswordLink.account_id == who.id, PasswordLink.until > work.now)
        .values(until=work.now)
    )
    work.session.add(PasswordLink(account_id=who.id, token_hash=_hash(token), until=work.now + GOOD_FOR))
    work.send(
        f"{TEMPLATE}/{_hash(token)[:32]}",
        channel="mail",
        to=who.mail or "",
        template=TEMPLATE,
        username=who.username,
        link=f"{wish.base}/account/new-password/{token}",
    )
    work.record("account.password_link", f"account/{who.id}", person=f"account:{who.id}")


def invite(work: UnitOfWork, people: Iterable[Account], base: str) -> None:
    """A link to set a first password, by mail to each of several new people; it lives for a week. Nothing is asked row by row."""
    for who in people:
        token = secrets.token_urlsafe(32)
        work.session.add(PasswordLink(account_id=who.id, token_hash=_hash(token), until=work.now + FIRST_GOOD_FOR))
        facts = {
            "name": who.name,
            "username": who.username,
            "days": FIRST_GOOD_FOR.days,
            "link": f"{base}/account/new-password/{token}",
        }
        outbox.put(
            work.session,
            work.now,
            f"{FIRST}/{_hash(token)[:32]}",
            channel="mail",
            to=who.mail or "",
            template=FIRST,
            facts=facts,
        )
        work.record("account.password_link", f"account/{who.id}", person=f"account:{who.id}")
    work.session.flush()


def find(session: Session, token: str, now: datetime) -> tuple[PasswordLink, Account]:
    """Refuses: NotFound ``password.link_over`` (used, too old, replaced or never given)."""
    row = session.scalar(select(PasswordLink).where(PasswordLink.token_hash == _hash(token)))
    who = session.get(Account, row.account_id) if row is not None else None
    if row is None or who is None or row.used_at is not None or row.until <= now or who.disabled_at is not None:
        raise NotFound("password.link_over")
    return row, who


def alive(session: Session, tokens: Iterable[str], now: datetime) -> set[str]:
    """Those of the tokens that still open a door."""
    hashes = {_hash(token): token for token in tokens if token}
    found = session.scalars(
        select(PasswordLink.token_hash).where(
            PasswordLink.token_hash.in_(list(hashes)), PasswordLink.used_at.is_(None), PasswordLink.until > now
        )
    )
    return {hashes[one] for one in found}


def use(work: UnitOfWork, token: str, hashed: str, take_factor: Callable[[Account], object]) -> Account:
    """Set the new password, once; every sign-in of the account ends. ``take_factor``: takes the second factor. A password that was handed
    over stays so, with its second part (handover.py): the address may be that of whoever handed it over.

    Refuses: NotFound ``password.link_over``, Invalid ``account.code_wrong``."""
    row, _ = find(work.session, token, work.now)
    work.lock(row)
    row, who = find(work.session, token, work.now)
    work.lock(who)
    try:
        take_factor(who)
    except Invalid as refusal:
        raise Invalid("account.code_wrong", where="code") from refusal
    row.used_at, who.password = work.now, hashed
    parties.end_logins(work, who)
    work.record("account.password", f"account/{who.id}", person=f"account:{who.id}")
    work.send(f"password.changed/{row.id}", to=f"account:{who.id}", template="password.changed")
    return who


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()

"""What a person wants by mail: which messages, at once or once a day, in which language, and whether the address is known to be theirs.

Law of the noun: an address gets letters only once its owner has followed the link sent to it, and no more once a letter to it came back,
until it is confirmed anew. What tells somebody outside who bids or who evaluates comes only to whoever asked for it. The link for a
forgotten password (password_links.py) goes to an address as it stands, confirmed or not.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import CheckConstraint, ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.parties.message_groups import ABOUT, USUAL
from trading.parties.parties import Account

EACH, DAILY, NEVER = PACES = ("each", "daily", "never")
LANGS = ("zh", "en")
GOOD_FOR = timedelta(hours=24)
TEMPLATE = "mail.check"


class MailChoice(Base):
    """``groups``: keys of ``ABOUT`` parted by spaces. ``bounced_at``: when a letter to the address was refused, with what number."""

    __tablename__ = "mail_choice"
    __table_args__ = (
        CheckConstraint(one_of("pace", PACES), name="pace"),
        CheckConstraint(one_of("lang", LANGS), name="lang"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), unique=True)
    pace: Mapped[str] = mapped_column(String(10), default=EACH)
    lang: Mapped[str] = mapped_column(String(2), default="zh")
    groups: Mapped[str] = mapped_column(String(200), default=" ".join(USUAL))
    verified_at: Mapped[datetime | None] = mapped_column(Moment)
    bounced_at: Mapped[datetime | None] = mapped_column(Moment)
    bounce_code: Mapped[int] = mapped_column(default=0)

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(self.groups.split())


class MailCheck(Base):
    """A link sent to an address, by the hash of its token."""

    __tablename__ = "mail_check"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    until: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


@dataclass(frozen=True)
class Choice:
    """As a page shows it. ``lang``: "" before any was chosen; ``bounce_code``: 0 where nothing came back."""

    mail: str
    pace: str
    lang: str
    groups: frozenset[str]
    verified_at: datetime | None
    bounced_at: datetime | None
    bounce_code: int


def own(view: View) -> Choice:
    """Refuses: NotAllowed, SignInNeeded."""
    view.require(Act.ACCOUNT_OWN)
    who = parties.account(view.session, view.actor.account_id or 0)
    held = _held(view.session, who.id)
    if held is None:
        return Choice(who.mail or "", EACH, "", frozenset(USUAL), None, None, 0)
    return Choice(
        who.mail or "", held.pace, held.lang, held.wanted, held.verified_at, held.bounced_at, held.bounce_code
    )


def choose(work: UnitOfWork, *, pace: str, lang: str, groups: Iterable[str]) -> None:
    """Refuses: NotAllowed, Invalid ``mail.choice``."""
    work.require(Act.ACCOUNT_OWN)
    chosen = set(groups)
    if pace not in PACES or lang not in LANGS or not chosen <= set(ABOUT):
        raise Invalid("mail.choice")
    held = _entered(work, work.actor.account_id or 0)
    held.pace, held.lang, held.groups = pace, lang, " ".join(one for one in ABOUT if one in chosen)
    work.session.flush()


def changed(work: UnitOfWork, who: Account, lang: str = "zh") -> None:
    """Another address, or none: what was known of the old one is void, and so are links sent to it. ``lang``: of letters, for whoever has
    not chosen yet."""
    held = _entered(work, who.id, lang)
    held.verified_at = held.bounced_at = None
    held.bounce_code = 0
    _void(work, who.id)
    work.session.flush()


def ask(work: UnitOfWork, base: str) -> None:
    """Send a link to one's own address, which voids the one before. ``base``: the address of the platform. Refuses: NotAllowed,
    Conflict ``mail.none_yet``."""
    work.require(Act.ACCOUNT_OWN)
    who = parties.account(work.session, work.actor.account_id or 0)
    if not who.mail:
        raise Conflict("mail.none_yet")
    token = secrets.token_urlsafe(32)
    _void(work, who.id)
    work.session.add(MailCheck(account_id=who.id, token_hash=_hash(token), until=work.now + GOOD_FOR))
    work.send(
        f"{TEMPLATE}/{_hash(token)[:32]}",
        channel="mail",
        to=who.mail,
        template=TEMPLATE,
        name=who.name,
        link=f"{base}/account/mail/confirm/{token}",
    )


def unsent(work: UnitOfWork, key: str, code: int) -> None:
    """The letter with a link did not arrive, so the address is none; told on the owner's page unless another has been asked for since.
    ``key``: of the message, ``code``: what the server answered."""
    if not key.startswith(f"{TEMPLATE}/"):
        return
    row = work.session.scalar(
        select(MailCheck).where(MailCheck.token_hash.startswith(key.partition("/")[2]), MailCheck.until > work.now)
    )
    if row is not None and row.used_at is None:
        held = _entered(work, row.account_id)
        held.bounced_at, held.bounce_code = work.now, code


def find(session: Session, token: str, now: datetime) -> tuple[MailCheck, Account]:
    """Refuses: NotFound ``mail.link_over`` (used, too old, replaced or never given)."""
    row = session.scalar(select(MailCheck).where(MailCheck.token_hash == _hash(token)))
    who = session.get(Account, row.account_id) if row is not None else None
    if row is None or who is None or row.used_at is not None or row.until <= now or who.disabled_at is not None:
        raise NotFound("mail.link_over")
    return row, who


def confirm(work: UnitOfWork, token: str) -> None:
    """Whoever has the link has the address: it is confirmed, once. Refuses: NotFound ``mail.link_over``."""
    row, who = find(work.session, token, work.now)
    work.lock(row)
    row, who = find(work.session, token, work.now)
    row.used_at = work.now
    held = _entered(work, who.id)
    held.verified_at, held.bounced_at, held.bounce_code = work.now, None, 0
    work.record("account.mail_confirm", f"account/{who.id}", person=f"account:{who.id}")


def alive(session: Session, tokens: Iterable[str], now: datetime) -> set[str]:
    """Those of the tokens that still confirm something."""
    hashes = {_hash(token): token for token in tokens if token}
    found = session.scalars(
        select(MailCheck.token_hash).where(
            MailCheck.token_hash.in_(list(hashes)), MailCheck.used_at.is_(None), MailCheck.until > now
        )
    )
    return {hashes[one] for one in found}


def _held(session: Session, account_id: int) -> MailChoice | None:
    return session.scalar(select(MailChoice).where(MailChoice.account_id == account_id))


def _entered(work: UnitOfWork, account_id: int, lang: str = "zh") -> MailChoice:
    """The row, held until the end of the unit; the account is locked first, so that two do not enter it at once."""
    work.lock(parties.account(work.session, account_id))
    held = _held(work.session, account_id)
    if held is None:
        held = MailChoice(account_id=account_id, pace=EACH, lang=lang, groups=" ".join(USUAL), bounce_code=0)
        work.session.add(held)
        work.session.flush()
    return held


def _void(work: UnitOfWork, account_id: int) -> None:
    """Links that wait confirm nothing any more."""
    work.session.execute(
        update(MailCheck).where(MailCheck.account_id == account_id, MailCheck.until > work.now).values(until=work.now)
    )


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()

"""Sign-ins that failed: when, from which network, what was wrong in general terms. The owner of an account reads those of their own, the
administrators those of all.

Law of the noun: nothing that was typed is kept, so a username that does not exist is never known here; what was turned away unread while
a wait ran is not in it. Kept for ninety days, and of names that do not exist the latest only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Select, String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Account, Party

WAYS = ("sign_in", "confirm", "password", "link")
"""Where it was typed: the sign-in, a fresh sign-in, changing the password, the link for a forgotten one."""
WRONG = ("account", "password", "code", "closed", "no_role")
"""No such account; the password; the code of the second factor; all was right and the account is closed, or has no role in force."""
KEPT = timedelta(days=90)
MOST_OF_NOBODY = 2_000


class FailedSignIn(Base):
    """``account_id``: None where there is no such account."""

    __tablename__ = "failed_sign_in"
    __table_args__ = (
        CheckConstraint(one_of("way", WAYS), name="way"),
        CheckConstraint(one_of("wrong", WRONG), name="wrong"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    way: Mapped[str] = mapped_column(String(10))
    wrong: Mapped[str] = mapped_column(String(10))
    network: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Failure:
    """``who``: name and username of the account; "" where there is none, and where it is an expert's, whom no list shows."""

    at: datetime
    way: str
    wrong: str
    network: str
    who: str
    username: str
    account_id: int | None
    expert: bool


def note(work: UnitOfWork, account_id: int | None, *, way: str, wrong: str, network: str) -> None:
    """Write one down. Who tried is not known, so it needs no right."""
    work.session.add(FailedSignIn(account_id=account_id, at=work.now, way=way, wrong=wrong, network=network[:64]))
    work.session.flush()


def own(view: View, *, limit: int, offset: int = 0) -> tuple[list[Failure], int]:
    """Those of one's own account, the latest first, and how many there are."""
    view.require(Act.ACCOUNT_OWN)
    return _listed(view, _kept(view).where(FailedSignIn.account_id == view.actor.account_id), limit, offset)


def own_since(view: View, since: datetime) -> int:
    view.require(Act.ACCOUNT_OWN)
    query = select(func.count()).select_from(FailedSignIn)
    mine = query.where(FailedSignIn.account_id == view.actor.account_id, FailedSignIn.at > since)
    return view.session.scalar(mine) or 0


def of_all(view: View, *, wrong: str = "", limit: int, offset: int = 0) -> tuple[list[Failure], int]:
    """Those of all accounts and of none, the latest first. ``wrong``: of one kind only. Refuses: NotAllowed."""
    view.require(Act.SIGN_INS_LOOK)
    query = _kept(view)
    return _listed(view, query.where(FailedSignIn.wrong == wrong) if wrong else query, limit, offset)


def sweep(work: UnitOfWork) -> None:
    """The clock's part: drop what is too old, and of names that do not exist all but the latest."""
    work.require(Act.CLOCK)
    work.session.execute(delete(FailedSignIn).where(FailedSignIn.at <= work.now - KEPT))
    oldest = work.session.scalar(
        select(FailedSignIn.id)
        .where(FailedSignIn.account_id.is_(None))
        .order_by(FailedSignIn.id.desc())
        .offset(MOST_OF_NOBODY)
        .limit(1)
    )
    if oldest is not None:
        work.session.execute(delete(FailedSignIn).where(FailedSignIn.account_id.is_(None), FailedSignIn.id <= oldest))


def _kept(view: View) -> Select[Any]:
    return select(FailedSignIn).where(FailedSignIn.at > view.now - KEPT)


def _listed(view: View, query: Select[Any], limit: int, offset: int) -> tuple[list[Failure], int]:
    total = view.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    newest = query.order_by(FailedSignIn.at.desc(), FailedSignIn.id.desc())
    rows = list(view.session.scalars(newest.limit(limit).offset(offset)))
    people = {
        ident: (name, username, kind == "expert")
        for ident, name, username, kind in view.session.execute(
            select(Account.id, Account.name, Account.username, Party.kind)
            .join(Party, Party.id == Account.party_id)
            .where(Account.id.in_({one.account_id for one in rows if one.account_id is not None}))
        )
    }
    found = []
    for row in rows:
        name, username, expert = people.get(row.account_id or 0, ("", "", False))
        if expert:
            name, username = "", ""
        ident = None if expert else row.account_id
        found.append(Failure(row.at, row.way, row.wrong, row.network, name, username, ident, expert))
    return found, total

"""Recovery codes of a second factor: for the day the authenticator is lost.

Law of the noun: ten of them, shown once and kept as hashes; each works once, in the place of a code of the authenticator and never of the
password; new ones void the old. Whoever has none left, and no authenticator, is helped by two administrators.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from sqlalchemy import ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.access import Act
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict
from trading.kernel.work import UnitOfWork
from trading.parties import handed_codes, parties
from trading.parties.parties import Account

MANY = 10


class RecoveryCode(Base):
    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


def make(work: UnitOfWork) -> list[str]:
    """Ten new ones for oneself, to be shown now and never again; those of before are void. Refuses: Conflict
    ``recovery.no_second_factor``."""
    work.require(Act.ACCOUNT_OWN)
    who = parties.account(work.session, work.actor.account_id or 0)
    work.lock(who)
    if not who.totp_secret:
        raise Conflict("recovery.no_second_factor")
    drop(work.session, who)
    codes = [handed_codes.draw() for _ in range(MANY)]
    work.session.add_all(RecoveryCode(account_id=who.id, code_hash=_hash(who, one), made_at=work.now) for one in codes)
    work.session.flush()
    work.record("account.recovery_codes", f"account/{who.id}", person=f"account:{who.id}")
    return [handed_codes.written(one) for one in codes]


def use(work: UnitOfWork, who: Account, typed: str) -> bool:
    """Take a code once; the caller holds the account. Its owner is told."""
    code = handed_codes.read(typed)
    if code is None:
        return False
    row = work.session.scalar(
        select(RecoveryCode).where(
            RecoveryCode.account_id == who.id,
            RecoveryCode.code_hash == _hash(who, code),
            RecoveryCode.used_at.is_(None),
        )
    )
    if row is None:
        return False
    row.used_at = work.now
    work.session.flush()
    work.record_unless_still("account.recovery_used", f"account/{who.id}", person=f"account:{who.id}")
    work.send(
        f"recovery.used/{row.id}", to=f"account:{who.id}", template="recovery.used", left=left(work.session, who.id)
    )
    return True


def left(session: Session, account_id: int) -> int:
    """How many of an account's codes have not been used."""
    query = select(func.count()).select_from(RecoveryCode)
    return session.scalar(query.where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))) or 0


def drop(session: Session, who: Account) -> None:
    """All codes of an account are void."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == who.id))


def _hash(who: Account, code: str) -> str:
    return sha256(f"bidhall recovery code\0{who.id}\0{code}".encode()).hexdigest()

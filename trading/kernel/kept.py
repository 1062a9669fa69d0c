"""What somebody had typed when their sign-in was over: kept for half an hour, encrypted under a key that only their browser holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import LargeBinary, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel.db import Base, Moment

KEPT_FOR = timedelta(minutes=30)
MOST_PER_ACCOUNT = 10


class KeptForm(Base):
    """``account_id``: whose sign-in it was, where that is known; nobody else gets it back then."""

    __tablename__ = "kept_form"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int | None]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    until: Mapped[datetime] = mapped_column(Moment, index=True)


def keep(session: Session, token_hash: str, body: bytes, account_id: int | None, now: datetime) -> None:
    """Keep one more, and drop what is over, and the oldest of a person who has many."""
    session.execute(delete(KeptForm).where(KeptForm.until < now))
    if account_id is not None:
        older = list(
            session.scalars(
                select(KeptForm.token_hash)
                .where(KeptForm.account_id == account_id)
                .order_by(KeptForm.until.desc())
                .offset(MOST_PER_ACCOUNT - 1)
            )
        )
        session.execute(delete(KeptForm).where(KeptForm.token_hash.in_(older)))
    session.add(KeptForm(token_hash=token_hash, account_id=account_id, body=body, until=now + KEPT_FOR))
    session.flush()


def find(session: Session, token_hash: str, account_id: int | None, now: datetime) -> bytes | None:
    """The ciphertext, for the person it was kept for."""
    row = session.get(KeptForm, token_hash)
    if row is None or row.until < now or row.account_id not in (None, account_id):
        return None
    return row.body


def drop(session: Session, token_hash: str) -> None:
    session.execute(delete(KeptForm).where(KeptForm.token_hash == token_hash))

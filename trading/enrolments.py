"""Public keys of parties: enrolled by a signed document, with proof that the holder has the secrets (protocol §2).

Law of the noun: an enrolment is signed by its new key and by the one it replaces; an X25519 key is proved by opening a challenge; keys
never go away, they end, because old signatures must stay verifiable.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import documents, keys, signatures
from crypto.errors import CryptoError
from trading.kernel import audit
from trading.kernel.access import Act, Role
from trading.kernel.clock import write_moment
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound
from trading.kernel.work import UnitOfWork
from trading.parties import Account

KEY_ROLES = ("bidder", "officer", "expert", "supervisor")


class EnrolledKey(Base):
    """``holder`` is the name in signed documents: a bidder's credit code, else the person's username."""

    __tablename__ = "enrolled_key"
    __table_args__ = (
        CheckConstraint(one_of("role", KEY_ROLES), name="role"),
        Index("ix_enrolled_key_standing", "holder", "role", unique=True, sqlite_where=text("ended_at IS NULL"),
              postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(80), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    role: Mapped[str] = mapped_column(String(20))
    sign_kid: Mapped[str] = mapped_column(String(40), unique=True)
    sign_public: Mapped[str] = mapped_column(String(60))
    seal_public: Mapped[str] = mapped_column(String(60), default="")
    document: Mapped[str] = mapped_column(Text)
    enrolled_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


def holder_of(account: Account, role: str) -> str:
    """A bidder's key is the firm's, any other key is the person's."""
    return account.party.code if role == "bidder" else account.username


def key_role(role: Role) -> str:
    """Refuses: Invalid for a role that holds no key."""
    if role in (Role.BIDDER_SIGNER, Role.BIDDER_ADMIN):
        return "bidder"
    if role in (Role.EXPERT, Role.CHAIR):
        return "expert"
    if role in (Role.OFFICER, Role.SUPERVISOR):
        return role.value
    raise Invalid("key.no_role", role=role.value)

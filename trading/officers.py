"""Opening officers of a lot: who they are, the policies they all sign, and the drill that shows their keys work (protocol §2).

Law of the noun: no side opens alone and no side blocks alone; the platform writes each policy, signs it, and every officer signs the
same bytes; before publication each officer opens a drill bid sealed under the real policy. A policy is public and logged once the last
signature is there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trading.kernel.db import Base, Json, Moment, one_of
from trading.parties import Account
from trading.tenders import Lot

SIDES = ("platform", "tenderee", "supervisor", "notary")


class OfficerSeat(Base):
    """Officer ``j`` (from 1) of a lot. ``publics``: envelope → the officer's X25519 key for that scope (base64url), once given;
    ``sign_kid``: the enrolled signing key the officer had when giving them."""

    __tablename__ = "officer_seat"
    __table_args__ = (
        UniqueConstraint("lot_id", "j"),
        UniqueConstraint("lot_id", "account_id"),
        CheckConstraint(one_of("side", SIDES), name="side"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    j: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    side: Mapped[str] = mapped_column(String(20))
    publics: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    sign_kid: Mapped[str] = mapped_column(String(40), default="")
    sign_public: Mapped[str] = mapped_column(String(60), default="")
    account: Mapped[Account] = relationship(lazy="joined")


class Policy(Base):
    """The opening policy of one envelope. ``payload``: the canonical text all sign; ``signatures``: ``[{keyid, sig}]`` so far, the
    platform's first; ``dsse``: the complete envelope once everybody has signed, logged as ``log_c``."""

    __tablename__ = "policy"
    __table_args__ = (
        Index("ix_policy_standing", "lot_id", "envelope", unique=True, sqlite_where=text("standing"), postgresql_where=text("standing")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    envelope: Mapped[str] = mapped_column(String(128))
    policy_id: Mapped[str] = mapped_column(String(50), unique=True)
    payload: Mapped[str] = mapped_column(Text)
    signatures: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    dsse: Mapped[str | None] = mapped_column(Text)
    supersedes: Mapped[str] = mapped_column(String(50), default="")
    standing: Mapped[bool] = mapped_column(default=False)  # the newest complete policy of this envelope
    t: Mapped[int]
    deadline: Mapped[datetime] = mapped_column(Moment)
    opens_at: Mapped[datetime] = mapped_column(Moment)
    drafted_at: Mapped[datetime] = mapped_column(Moment)
    log_c: Mapped[str | None] = mapped_column(String(50))
    lot: Mapped[Lot] = relationship(lazy="joined")


class Drill(Base):
    """The drill bid of a policy: sealed by the platform; ``header`` is its header (base64url), ``blob`` the whole sealed file."""

    __tablename__ = "drill"

    id: Mapped[int] = mapped_column(primary_key=True)
    policy_id: Mapped[int] = mapped_column(ForeignKey("policy.id"), unique=True)
    header: Mapped[str] = mapped_column(Text)
    header_hash: Mapped[str] = mapped_column(String(50))
    blob: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(Moment)
    policy: Mapped[Policy] = relationship(lazy="joined")


class DrillReturn(Base):
    """Officer ``j`` opened its box of the drill bid and signed for it; logged as ``log_c``."""

    __tablename__ = "drill_return"
    __table_args__ = (UniqueConstraint("drill_id", "j"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    drill_id: Mapped[int] = mapped_column(ForeignKey("drill.id"), index=True)
    j: Mapped[int]
    document: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)
    log_c: Mapped[str] = mapped_column(String(50))

"""Public keys of parties: enrolled by a signed document, with proof that the holder has the secrets (protocol §2).

Law of the noun: an enrolment is signed by its new key and by the one it replaces (a lost key: by the supervisor's); an X25519 key is
proved by opening a challenge; keys never go away, they end, because old signatures must stay verifiable.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import hpke, keys
from crypto.canonical import b64u, parse_time, same, unb64u
from crypto.documents import open_enrolment
from crypto.errors import CryptoError
from crypto.policies import DRILL
from trading.kernel import audit
from trading.kernel.access import Act, Role
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from trading.kernel.work import UnitOfWork
from trading.parties import Account

KEY_ROLES = ("bidder", "officer", "expert", "supervisor", "tenderee", "agency")
OF_THE_FIRM = ("bidder", "tenderee", "agency")
CHALLENGE_INFO = b"bidhall/sb1/enrol"
"""The info of the challenge box. The client sets it itself: any other would let the server open other boxes (protocol §2)."""
CHALLENGE_LIVES = timedelta(minutes=10)
SKEW = timedelta(minutes=10)
"""How far the moment in an enrolment may be from the platform's clock."""
RESERVED = frozenset({DRILL, "platform"})
"""Names that stand for somebody else in signed documents."""


class EnrolledKey(Base):
    """``holder`` is the name in signed documents: the firm's code for a bidder, tenderee or agency, else the person's username."""

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


class KeyChallenge(Base):
    """A box sealed to an X25519 key about to be enrolled. Only the hash of what lies in it is kept."""

    __tablename__ = "key_challenge"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    seal_public: Mapped[str] = mapped_column(String(60))
    answer_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


# --- small rules ------------------------------------------------------------------------------------------------------------------


def holder_of(account: Account, role: str) -> str:
    """The key of a bidder, tenderee or agency is the firm's, any other key is the person's."""
    return account.party.code if role in OF_THE_FIRM else account.username


def key_role(role: Role) -> str:
    """Whose key a person in this role enrols. Refuses: Invalid for a role that holds no key."""
    if role in (Role.BIDDER_SIGNER, Role.BIDDER_ADMIN):
        return "bidder"
    if role in (Role.EXPERT, Role.CHAIR):
        return "expert"
    if role is Role.PURCHASER:
        return "tenderee"
    if role in (Role.OFFICER, Role.SUPERVISOR, Role.AGENCY):
        return role.value
    raise Invalid("key.no_role", role=role.value)


def find_key(session: Session, holder: str, role: str) -> EnrolledKey | None:
    """The standing key of a holder in a role."""
    return session.scalar(
        select(EnrolledKey).where(EnrolledKey.holder == holder, EnrolledKey.role == role, EnrolledKey.ended_at.is_(None))
    )


def standing_key(session: Session, holder: str, role: str) -> EnrolledKey:
    """Refuses: NotFound ``key.not_enrolled``."""
    found = find_key(session, holder, role)
    if found is None:
        raise NotFound("key.not_enrolled", holder=holder, role=role)
    return found


def key_by_kid(session: Session, sign_kid: str) -> EnrolledKey:
    """Any key ever enrolled, ended ones too. Refuses: NotFound."""
    found = session.scalar(select(EnrolledKey).where(EnrolledKey.sign_kid == sign_kid))
    if found is None:
        raise NotFound("key.unknown", kid=sign_kid)
    return found


def sign_bytes(key: EnrolledKey) -> bytes:
    """The 32 bytes of the Ed25519 public key."""
    return unb64u(key.sign_public, 32)


def enrolment_document(
    *, platform: str, holder: str, role: str, sign_public: bytes, seal_public: bytes | None, replaces: str, at: str
) -> dict[str, Any]:
    """The document a client signs; ``replaces``: kid of the key it ends, or ""; ``at``: protocol time."""
    return {"v": 1, "platform": platform, "party": holder, "role": role, "sign_pk": b64u(sign_public),
            "seal_pk": b64u(seal_public) if seal_public else "", "replaces": replaces, "at": at}


# --- acts -------------------------------------------------------------------------------------------------------------------------


def challenge(work: UnitOfWork, seal_public: str) -> dict[str, str]:
    """A box for the holder of an X25519 key (base64url) to open: ``{enc, ct}``, HPKE with ``CHALLENGE_INFO``. Good for ten minutes.

    Refuses: NotAllowed, Invalid ``key.bad`` (not canonical, or of small order).
    """
    work.require(Act.KEY_ENROL)
    try:
        public = unb64u(seal_public, 32)
        keys.check_x25519_public(public)
    except CryptoError as error:
        raise Invalid("key.bad", reason=error.code) from error
    answer = secrets.token_bytes(32)
    enc, ct = hpke.seal(public, CHALLENGE_INFO, answer, ikm=secrets.token_bytes(32))
    work.session.add(KeyChallenge(account_id=work.actor.account_id, seal_public=seal_public, answer_hash=sha256(answer).hexdigest(),
                                  made_at=work.now))
    work.session.flush()
    return {"enc": b64u(enc), "ct": b64u(ct)}


def _check_answer(work: UnitOfWork, seal_public: str, answer: str) -> None:
    row = work.session.scalar(
        select(KeyChallenge)
        .where(KeyChallenge.account_id == work.actor.account_id, KeyChallenge.seal_public == seal_public, KeyChallenge.used_at.is_(None))
        .order_by(KeyChallenge.id.desc())
    )
    if row is None:
        raise Invalid("key.not_challenged")
    if row.made_at + CHALLENGE_LIVES < work.now:
        raise TooLate("key.challenge_old", made_at=row.made_at, now=work.now)
    try:
        given = unb64u(answer, 32)
    except CryptoError as error:
        raise Invalid("key.wrong_answer") from error
    if not same(sha256(given).hexdigest().encode(), row.answer_hash.encode()):
        raise Invalid("key.wrong_answer")
    row.used_at = work.now


def enrol(work: UnitOfWork, account: Account, role: str, envelope: Any, *, answer: str = "") -> EnrolledKey:
    """Enrol the key of an ``enrolment`` envelope for the person who acts, in the key role of the role they act in.

    ``answer``: what the challenge box held (base64url), if the document names a ``seal_pk``.
    Refuses: NotAllowed, Invalid ``key.refused`` (``reason``: a code of the protocol), ``key.context`` (fields), ``key.not_challenged``,
    ``key.wrong_answer``, ``key.name_reserved``, TooLate ``key.challenge_old``, Conflict ``key.known``.
    """
    work.require(Act.KEY_ENROL)
    if account.id != work.actor.account_id or key_role(work.actor.role) != role:
        raise NotAllowed("key.not_yours", role=role)
    holder = holder_of(account, role)
    if holder in RESERVED:
        raise Invalid("key.name_reserved", holder=holder)
    current = find_key(work.session, holder, role)
    try:
        document, how = open_enrolment(envelope, sign_bytes(current) if current else b"", _supervisors(work, account))
    except CryptoError as error:
        raise Invalid("key.refused", reason=error.code, detail=error.detail) from error
    wanted = {"platform": work.office.platform, "party": holder, "role": role}
    wrong = sorted(name for name, value in wanted.items() if document[name] != value)
    if abs(parse_time(document["at"]) - work.now) > SKEW:
        wrong.append("at")
    if wrong:
        raise Invalid("key.context", fields=wrong)
    sign_kid = keys.kid("ed25519", unb64u(document["sign_pk"], 32))
    if work.session.scalar(select(EnrolledKey.id).where(EnrolledKey.sign_kid == sign_kid)) is not None:
        raise Conflict("key.known", kid=sign_kid)
    if document["seal_pk"]:
        _check_answer(work, document["seal_pk"], answer)
    if current is not None:
        current.ended_at = work.now
        work.session.flush()
    new = EnrolledKey(
        holder=holder, party_id=account.party_id, account_id=account.id, role=role, sign_kid=sign_kid, sign_public=document["sign_pk"],
        seal_public=document["seal_pk"], document=audit.envelope_text(envelope), enrolled_at=work.now,
    )
    work.session.add(new)
    work.session.flush()
    statement = audit.keep_document(work, "enrolment", envelope, signed=True)
    work.log("key-enrolled", statement=statement, tender="", lot="")
    work.record("key.enrol", f"key:{sign_kid}", role=role, replaces=document["replaces"], how=how)
    return new


def _supervisors(work: UnitOfWork, account: Account) -> list[bytes]:
    """The standing keys of supervisors, never the account's own: nobody vouches for their own lost key."""
    rows = work.session.scalars(
        select(EnrolledKey).where(EnrolledKey.role == "supervisor", EnrolledKey.ended_at.is_(None), EnrolledKey.account_id != account.id)
        .order_by(EnrolledKey.id)
    )
    return [sign_bytes(row) for row in rows]

"""Public keys of parties: enrolled by a signed document, with proof that the holder has the secrets (protocol §2).

Law of the noun: an enrolment is signed by its new key and by the one it replaces (a lost or revoked key: by the supervisor's, after an
application a supervisor confirms); an X25519 key is proved by opening a challenge; keys never go away, they end, because old signatures
must stay verifiable. A holder who revoked a key has none until the next is enrolled, and the next still names the one it follows: a chain
that a revocation could cut would let the platform enrol a "first" key in a bidder's name.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, and_, bindparam, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto import hpke, keys
from crypto.canonical import b64u, loads, parse_time, same, unb64u
from crypto.documents import open_document, open_enrolment
from crypto.errors import CryptoError
from crypto.policies import DRILL
from crypto.signatures import from_text, payload_of
from trading.kernel import audit
from trading.kernel.access import Act, Role
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Account

KEY_ROLES = ("bidder", "officer", "expert", "supervisor", "tenderee", "agency", "controller")
OF_THE_FIRM = ("bidder", "tenderee", "agency")
CHALLENGE_INFO = b"bidhall/sb1/enrol"
"""The info of the challenge box. The client sets it itself: any other would let the server open other boxes (protocol §2)."""
CHALLENGE_LIVES = timedelta(minutes=10)
SKEW = timedelta(minutes=10)
"""How far the moment in an enrolment may be from the platform's clock."""
REQUEST_LIVES = timedelta(days=3)
"""How long an application waits for the supervisor: what was asked for longer ago is asked anew, with the holder at hand."""
REQUEST_STATES = ("ASKED", "CONFIRMED", "REFUSED", "WITHDRAWN")
RESERVED = frozenset({DRILL, "platform"})
"""Names that stand for somebody else in signed documents."""


class EnrolledKey(Base):
    """``holder`` is the name in signed documents: the firm's code for a bidder, tenderee or agency, else the person's username."""

    __tablename__ = "enrolled_key"
    __table_args__ = (
        CheckConstraint(one_of("role", KEY_ROLES), name="role"),
        Index(
            "ix_enrolled_key_standing",
            "holder",
            "role",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
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
    end_reason: Mapped[str] = mapped_column(String(20), default="")


class KeyRequest(Base):
    """An application to replace a lost or revoked key: ``document`` is signed by the new key alone until a supervisor signs it too.

    ``state``: ASKED, CONFIRMED, REFUSED or WITHDRAWN. ``reason``: how the key was lost; ``answer``: why the supervisor refused.
    """

    __tablename__ = "key_request"
    __table_args__ = (
        CheckConstraint(one_of("state", REQUEST_STATES), name="state"),
        Index(
            "ix_key_request_open",
            "holder",
            "role",
            unique=True,
            sqlite_where=text("state = 'ASKED'"),
            postgresql_where=text("state = 'ASKED'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    sign_public: Mapped[str] = mapped_column(String(60))
    document: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20))
    answer: Mapped[str] = mapped_column(Text, default="")
    asked_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    account: Mapped[Account] = relationship(lazy="joined")


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
    if role in (Role.OFFICER, Role.SUPERVISOR, Role.AGENCY, Role.CONTROLLER):
        return role.value
    raise Invalid("key.no_role", role=role.value)


def find_key(session: Session, holder: str, role: str) -> EnrolledKey | None:
    """The standing key of a holder in a role."""
    found: EnrolledKey | None = session.scalar(_STANDING, {"holder": holder, "role": role})
    return found


def is_standing(holder: Any, role: Any) -> Any:
    """The condition for the standing key of a holder in a role, as a part of a larger question."""
    return and_(EnrolledKey.holder == holder, EnrolledKey.role == role, EnrolledKey.ended_at.is_(None))


_STANDING = select(EnrolledKey).where(is_standing(bindparam("holder"), bindparam("role")))


def last_key(session: Session, holder: str, role: str) -> EnrolledKey | None:
    """The newest key of a holder in a role, ended or not: the one the next enrolment must name."""
    return session.scalar(
        select(EnrolledKey)
        .where(EnrolledKey.holder == holder, EnrolledKey.role == role)
        .order_by(EnrolledKey.id.desc())
        .limit(1)
    )


def keys_of(session: Session, holder: str, role: str) -> list[EnrolledKey]:
    """All keys of a holder in a role, newest first."""
    return list(
        session.scalars(
            select(EnrolledKey)
            .where(EnrolledKey.holder == holder, EnrolledKey.role == role)
            .order_by(EnrolledKey.id.desc())
        )
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
    return {
        "v": 1,
        "platform": platform,
        "party": holder,
        "role": role,
        "sign_pk": b64u(sign_public),
        "seal_pk": b64u(seal_public) if seal_public else "",
        "replaces": replaces,
        "at": at,
    }


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
    work.session.add(
        KeyChallenge(
            account_id=work.actor.account_id,
            seal_public=seal_public,
            answer_hash=sha256(answer).hexdigest(),
            made_at=work.now,
        )
    )
    work.session.flush()
    return {"enc": b64u(enc), "ct": b64u(ct)}


def _check_answer(work: UnitOfWork, seal_public: str, answer: str) -> None:
    row = work.session.scalar(
        select(KeyChallenge)
        .where(
            KeyChallenge.account_id == work.actor.account_id,
            KeyChallenge.seal_public == seal_public,
            KeyChallenge.used_at.is_(None),
        )
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
    ``key.wrong_answer``, ``key.name_reserved``, ``key.revoked`` (it cannot sign its own successor),
    TooLate ``key.challenge_old``, Conflict ``key.known``.
    """
    work.require(Act.KEY_ENROL)
    if account.id != work.actor.account_id or key_role(work.actor.role) != role:
        raise NotAllowed("key.not_yours", role=role)
    holder = holder_of(account, role)
    if holder in RESERVED:
        raise Invalid("key.name_reserved", holder=holder)
    current = last_key(work.session, holder, role)
    document, how = _opened(envelope, current, _supervisors(work, account))
    if current is not None and current.ended_at is not None and how == "rotated":
        raise Invalid("key.revoked", kid=current.sign_kid, at=current.ended_at)
    _check_names(work, document, holder, role)
    if document["seal_pk"]:
        _check_answer(work, document["seal_pk"], answer)
    return _put(work, account, role, envelope, document, how, current)


def _opened(envelope: Any, current: EnrolledKey | None, supervisors: Sequence[bytes]) -> tuple[dict[str, Any], str]:
    try:
        return open_enrolment(envelope, sign_bytes(current) if current else b"", supervisors)
    except CryptoError as error:
        raise Invalid("key.refused", reason=error.code, detail=error.detail) from error


def _check_names(work: UnitOfWork, document: Mapping[str, Any], holder: str, role: str) -> None:
    wanted = {"platform": work.office.platform, "party": holder, "role": role}
    wrong = sorted(name for name, value in wanted.items() if document[name] != value)
    if abs(parse_time(document["at"]) - work.now) > SKEW:
        wrong.append("at")
    if wrong:
        raise Invalid("key.context", fields=wrong)
    sign_kid = keys.kid("ed25519", unb64u(document["sign_pk"], 32))
    if work.session.scalar(select(EnrolledKey.id).where(EnrolledKey.sign_kid == sign_kid)) is not None:
        raise Conflict("key.known", kid=sign_kid)


def _put(
    work: UnitOfWork,
    account: Account,
    role: str,
    envelope: Any,
    document: Mapping[str, Any],
    how: str,
    current: EnrolledKey | None,
) -> EnrolledKey:
    """The new key stands, the one before it has ended, the log says so; an application that waited is settled."""
    holder, sign_kid = holder_of(account, role), keys.kid("ed25519", unb64u(document["sign_pk"], 32))
    if current is not None and current.ended_at is None:
        current.ended_at, current.end_reason = work.now, "replaced" if how == "rotated" else "lost"
        work.session.flush()
    new = EnrolledKey(
        holder=holder,
        party_id=account.party_id,
        account_id=account.id,
        role=role,
        sign_kid=sign_kid,
        sign_public=document["sign_pk"],
        seal_public=document["seal_pk"],
        document=audit.envelope_text(envelope),
        enrolled_at=work.now,
    )
    work.session.add(new)
    if (waiting := open_request(work.session, holder, role)) is not None:
        waiting.state, waiting.ended_at = (
            "CONFIRMED" if waiting.sign_public == document["sign_pk"] else "WITHDRAWN",
            work.now,
        )
    work.session.flush()
    statement = audit.keep_document(work, "enrolment", envelope, signed=True)
    work.log("key-enrolled", statement=statement, tender="", lot="")
    work.record("key.enrol", f"key:{sign_kid}", role=role, replaces=document["replaces"], how=how)
    return new


def revoke(work: UnitOfWork, account: Account, role: str, *, reason: str) -> EnrolledKey:
    """The holder ends the standing key at once, because somebody else may have it. Nothing it signed before is undone.

    Until the next key is enrolled (the supervisor signs for it) nothing can be signed in this name. For a key of the firm every person of
    the firm who may enrol may also revoke.
    Refuses: NotAllowed, NotFound ``key.not_enrolled``, Invalid ``form.required`` (no reason).
    """
    work.require(Act.KEY_ENROL)
    if account.id != work.actor.account_id or key_role(work.actor.role) != role:
        raise NotAllowed("key.not_yours", role=role)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    key = standing_key(work.session, holder_of(account, role), role)
    key.ended_at, key.end_reason = work.now, "revoked"
    work.session.flush()
    work.record("key.revoke", f"key:{key.sign_kid}", role=role, reason=reason.strip())
    return key


# --- a lost key -------------------------------------------------------------------------------------------------------------------


def open_request(session: Session, holder: str, role: str) -> KeyRequest | None:
    """The application of a holder that waits for the supervisor."""
    return session.scalar(
        select(KeyRequest).where(KeyRequest.holder == holder, KeyRequest.role == role, KeyRequest.state == "ASKED")
    )


def last_request(session: Session, holder: str, role: str) -> KeyRequest | None:
    return session.scalar(
        select(KeyRequest)
        .where(KeyRequest.holder == holder, KeyRequest.role == role)
        .order_by(KeyRequest.id.desc())
        .limit(1)
    )


def ask(work: UnitOfWork, account: Account, role: str, envelope: Any, *, answer: str = "", reason: str) -> KeyRequest:
    """Apply for a new key in place of one that is lost or revoked: an enrolment that names it, signed by the new key alone; the challenge
    is answered now. It takes effect when a supervisor has made sure who asks and signs it too. Applying anew withdraws what waited.

    Refuses: as ``enrol``; NotFound ``key.not_enrolled`` where there is no key to replace; Invalid ``form.required`` (no reason).
    """
    work.require(Act.KEY_ENROL)
    if account.id != work.actor.account_id or key_role(work.actor.role) != role:
        raise NotAllowed("key.not_yours", role=role)
    holder = holder_of(account, role)
    current = last_key(work.session, holder, role)
    if current is None:
        raise NotFound("key.not_enrolled", holder=holder, role=role)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    try:
        claimed = loads(payload_of(envelope))
        public = unb64u(claimed["sign_pk"] if type(claimed) is dict else "", 32)
        keys.check_ed25519_public(public)
        document = open_document(envelope, "enrolment", public)
        if document["replaces"] != current.sign_kid:
            raise CryptoError("CONTEXT_MISMATCH", "replaces another key than the last one")
    except (CryptoError, KeyError) as error:
        raise Invalid(
            "key.refused", reason=getattr(error, "code", "JSON_PROFILE"), detail=getattr(error, "detail", "")
        ) from error
    _check_names(work, document, holder, role)
    if document["seal_pk"]:
        _check_answer(work, document["seal_pk"], answer)
    if (waiting := open_request(work.session, holder, role)) is not None:
        waiting.state, waiting.ended_at = "WITHDRAWN", work.now
        work.session.flush()
    new = KeyRequest(
        holder=holder,
        role=role,
        account_id=account.id,
        sign_public=document["sign_pk"],
        reason=reason.strip(),
        answer="",
        document=audit.envelope_text(envelope),
        state="ASKED",
        asked_at=work.now,
        ended_at=None,
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("key.ask", f"key:{current.sign_kid}", role=role)
    return new


def requests(view: View) -> list[KeyRequest]:
    """Applications that wait, oldest first, for the supervisor. Refuses: NotAllowed."""
    view.require(Act.SUPERVISE)
    return list(view.session.scalars(select(KeyRequest).where(KeyRequest.state == "ASKED").order_by(KeyRequest.id)))


def request(session: Session, ident: int) -> KeyRequest:
    """Refuses: NotFound ``key.request_unknown``."""
    found = session.get(KeyRequest, ident)
    if found is None:
        raise NotFound("key.request_unknown")
    return found


def _judge(work: UnitOfWork, row: KeyRequest) -> None:
    work.require(Act.SUPERVISE)
    if row.account_id == work.actor.account_id:
        raise NotAllowed("key.own_request")
    if row.state != "ASKED":
        raise Conflict("key.request_settled", state=row.state, at=row.ended_at)


def confirm(work: UnitOfWork, row: KeyRequest, envelope: Any) -> EnrolledKey:
    """A supervisor, sure of who asks, signs the application with the standing key of their own: the new key is enrolled at once.

    ``envelope``: the applicant's document with both signatures. Refuses: NotAllowed (role, ``key.own_request``), Conflict
    ``key.request_settled``, TooLate ``key.request_old``, Invalid ``key.refused`` (``reason``), NotFound ``key.not_enrolled`` (no own key).
    """
    _judge(work, row)
    if row.asked_at + REQUEST_LIVES < work.now:
        raise TooLate("key.request_old", asked_at=row.asked_at, now=work.now)
    vouching = find_key(work.session, work.session.get_one(Account, work.actor.account_id).username, "supervisor")
    if vouching is None:
        raise NotFound("key.not_enrolled", holder=work.actor.name, role="supervisor")
    current = last_key(work.session, row.holder, row.role)
    document, how = _opened(envelope, current, [sign_bytes(vouching)])
    if how != "replaced by supervisor" or payload_of(envelope) != payload_of(from_text(row.document)):
        raise Invalid("key.refused", reason="SIG", detail="another document than the one applied for")
    return _put(work, row.account, row.role, envelope, document, how, current)


def refuse(work: UnitOfWork, row: KeyRequest, *, reason: str) -> None:
    """A supervisor is not sure who asks. Refuses: NotAllowed, Conflict ``key.request_settled``, Invalid ``form.required``."""
    _judge(work, row)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    row.state, row.answer, row.ended_at = "REFUSED", reason.strip(), work.now
    work.session.flush()
    work.record("key.refuse", f"request:{row.id}", role=row.role)


def _supervisors(work: UnitOfWork, account: Account) -> list[bytes]:
    """The standing keys of supervisors, never the account's own: nobody vouches for their own lost key."""
    rows = work.session.scalars(
        select(EnrolledKey)
        .where(EnrolledKey.role == "supervisor", EnrolledKey.ended_at.is_(None), EnrolledKey.account_id != account.id)
        .order_by(EnrolledKey.id)
    )
    return [sign_bytes(row) for row in rows]

"""Opening officers of a lot: who they are, the policies they all sign, and the drill that shows their keys work (protocol §2).

Law of the noun: no side opens alone and no side blocks alone; the platform writes each policy, signs it, and every officer signs the
same bytes; before publication each officer opens a drill bid sealed under the real policy. A policy is public and logged once the last
signature is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto import keys, policy_lines
from crypto.canonical import unb64u
from crypto.errors import CryptoError
from crypto.headers import Header, parse_header
from crypto.policies import SIDES
from crypto.policy_lines import Generation
from trading.kernel import audit
from trading.kernel.access import Act, Role
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Faults, NotAllowed, NotFound, WrongStep
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, parties
from trading.parties.parties import Account, Party
from trading.tendering import bid_forms, invitations
from trading.tendering.tenders import Lot, LotFacts, require_draft

BID, PRICE = bid_forms.TECHNICAL_ENVELOPE, bid_forms.PRICE_ENVELOPE
"""The envelopes of bids: all of a bid or, with two envelopes, its technical part; and the price."""
MAX_PLEN = 2**31
"""Bytes a bid may have under a policy, unless the agency names another size: 2 GiB."""
SIZES = (MAX_PLEN, 2**33, 2**35)
"""The sizes an agency may name: 2, 8, 32 GiB."""
DRAW_PLEN = 65_536
DRAW_ESCROW = timedelta(hours=2)
"""How long after the opening moment the escrow of a draw may be opened where a party stays silent (protocol §6)."""


STANDING, NEXT, PAST = "standing", "next", "past"


class OfficerSeat(Base):
    """Officer ``j`` (from 1) of a lot. ``publics``: envelope → the officer's X25519 key for that scope (base64url), once given;
    ``sign_kid``: the enrolled signing key the officer had when giving them. ``serial`` counts the times the officers were named anew.
    ``stage``: after publication ``next`` officers give keys and sign before they take over from the ``standing`` ones (successions.py)."""

    __tablename__ = "officer_seat"
    __table_args__ = (
        UniqueConstraint("lot_id", "serial", "j"),
        UniqueConstraint("lot_id", "serial", "account_id"),
        CheckConstraint(one_of("side", SIDES), name="side"),
        CheckConstraint(one_of("stage", (STANDING, NEXT, PAST)), name="stage"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    j: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    side: Mapped[str] = mapped_column(String(20))
    serial: Mapped[int] = mapped_column(default=1)
    stage: Mapped[str] = mapped_column(String(10), default=STANDING)
    publics: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    sign_kid: Mapped[str] = mapped_column(String(40), default="")
    sign_public: Mapped[str] = mapped_column(String(60), default="")
    account: Mapped[Account] = relationship(lazy="joined")


class Policy(Base):
    """The opening policy of one envelope. ``payload``: the canonical text all sign; ``signatures``: ``[{keyid, sig}]`` so far, the
    platform's first; ``dsse``: the complete envelope once everybody has signed, logged as ``log_c``."""

    __tablename__ = "policy"
    __table_args__ = (
        Index(
            "ix_policy_standing",
            "lot_id",
            "envelope",
            unique=True,
            sqlite_where=text("standing"),
            postgresql_where=text("standing"),
        ),
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
    lot: Mapped[Lot] = relationship()


CHANGES = ("extension", "officers")


class PolicyChange(Base):
    """A change of policies that waits for the officers' signatures, or was made: an extension, or another set of officers.

    ``plan``, of officers: ``{t, officers: [{account, side}], by, confirmed_by, dies}``, the two persons by account (0: not yet), ``dies``:
    whether bids sealed so far die with it; ``told_at``: when everybody was told. ``state``: OPEN, DONE (the policies stand) or VOID
    (drafted anew, or too late). One lot has at most one open change.
    """

    __tablename__ = "policy_change"
    __table_args__ = (
        CheckConstraint(one_of("kind", CHANGES), name="kind"),
        CheckConstraint(one_of("state", ("OPEN", "DONE", "VOID")), name="state"),
        Index(
            "ix_policy_change_open",
            "lot_id",
            unique=True,
            sqlite_where=text("state = 'OPEN'"),
            postgresql_where=text("state = 'OPEN'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    ground: Mapped[str] = mapped_column(String(20), default="")
    reason: Mapped[str] = mapped_column(Text)
    deadline: Mapped[datetime] = mapped_column(Moment)
    opens_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(10))
    made_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    plan: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    told_at: Mapped[datetime | None] = mapped_column(Moment)
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


# --- small rules ------------------------------------------------------------------------------------------------------------------


def draw_envelope(label: str, lot: Lot, again: int = 0) -> str:
    """The envelope of a lot's public draw, ``draw:experts/1``; ``again`` counts redraws. The draw's own name is ``TENDER/`` + the part
    after the colon (protocol §6)."""
    return f"draw:{label}/{lot.no}" + (f"-{again + 1}" if again else "")


def bid_envelopes(lot: Lot | LotFacts) -> list[str]:
    """The envelopes a bid of this lot consists of, in the order they are opened."""
    return [BID, PRICE] if lot.two_envelopes else [BID]


def form_of(lot: Lot, envelope: str) -> list[dict[str, Any]]:
    """What the bid form asks for in one envelope."""
    return bid_forms.of_envelope(lot.form, envelope, two_envelopes=lot.two_envelopes)


def envelopes(lot: Lot) -> list[str]:
    """The envelopes that need a policy before publication: those of the bids, the draw of experts, and those of the coefficient and of the
    invited, where there are such."""
    return [
        *bid_envelopes(lot),
        draw_envelope("experts", lot),
        *([draw_envelope("k", lot)] if lot.coefficients else []),
        *([draw_envelope("invited", lot)] if invitations.is_drawn(lot) else []),
    ]


def side_of(lot: Lot, party: Party) -> tuple[str, ...]:
    """The sides a party's people may sit on."""
    if party.id in (lot.project.purchaser_id, lot.project.agency_id):
        return ("tenderee",)
    if party.kind in ("centre", "platform"):
        return ("platform",)
    if party.kind == "supervisor":
        return ("supervisor",)
    return ("notary",) if party.kind == "expert" else ()


def check_sides(faults: Faults, sides: Sequence[str], t: int) -> None:
    """2 ≤ t ≤ n ≤ 15, and no side opens alone or blocks alone (protocol §2)."""
    n = len(sides)
    if not 2 <= t <= n <= 15:
        faults.add("t", "officer.threshold", t=t, n=n)
        return
    for side in sorted(set(sides)):
        count = sides.count(side)
        if count >= t:
            faults.add("t", "officer.side_opens_alone", side=side, count=count, t=t)
        if n - count < t:
            faults.add("t", "officer.side_blocks_alone", side=side, left=n - count, t=t)


def moments_of(envelope: str, deadline: datetime, opens_at: datetime) -> tuple[datetime, datetime]:
    """(deadline, opens_at) of an envelope's policy, from those of the lot: a draw's escrow closes when the bids open."""
    return (deadline, opens_at) if envelope in (BID, PRICE) else (opens_at, opens_at + DRAW_ESCROW)


def seats(session: Session, lot: Lot, stage: str = STANDING) -> list[OfficerSeat]:
    """The officers in force of a lot, in order; or those who take over next, or who left."""
    rows = select(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.stage == stage)
    return list(session.scalars(rows.order_by(OfficerSeat.serial, OfficerSeat.j)))


def next_seats(session: Session, lot: Lot) -> list[OfficerSeat]:
    """The officers of a confirmed change, until they take over."""
    return seats(session, lot, NEXT)


def seats_of(session: Session, lot: Lot, serial: int) -> list[OfficerSeat]:
    """The officers of one serial, whether they sit now or not."""
    rows = select(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.serial == serial)
    return list(session.scalars(rows.order_by(OfficerSeat.j)))


def last_serial(session: Session, lot: Lot) -> int:
    """The highest serial officers of a lot have had, in a seat or in a policy that was logged; 0 before the first."""
    named = session.scalars(select(OfficerSeat.serial).where(OfficerSeat.lot_id == lot.id))
    logged = session.scalars(select(Policy).where(Policy.lot_id == lot.id))
    return max([*named, *(int(policy_document(one)["serial"]) for one in logged)], default=0)


def fingerprint_of(seat: OfficerSeat) -> str:
    """The signing key of an officer as it is read over the telephone, "" before keys are given."""
    return keys.fingerprint("ed25519", unb64u(seat.sign_public, 32)) if seat.sign_public else ""


def own_seat(view: View, lot: Lot, *stages: str, serial: int | None = None) -> OfficerSeat:
    """The tie of an officer: its seat among those in force, or in the first of ``stages`` in which it has one, or of one serial.
    Refuses: NotAllowed ``officer.not_yours``."""
    query = select(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.account_id == view.actor.account_id)
    rows = list(view.session.scalars(query.order_by(OfficerSeat.serial.desc())))
    for stage in stages or (STANDING,):
        for seat in rows:
            if (seat.serial == serial) if serial is not None else (seat.stage == stage):
                return seat
    raise NotAllowed("officer.not_yours", ref=lot.ref)


def find_policy(session: Session, lot: Lot | LotFacts, envelope: str = BID) -> Policy | None:
    """The newest complete policy of an envelope."""
    return session.scalar(select(Policy).where(Policy.lot_id == lot.id, Policy.envelope == envelope, Policy.standing))


def current_policy(session: Session, lot: Lot, envelope: str = BID) -> Policy:
    """Refuses: NotFound ``policy.missing``."""
    found = find_policy(session, lot, envelope)
    if found is None:
        raise NotFound("policy.missing", ref=lot.ref, envelope=envelope)
    return found


def open_change(session: Session, lot: Lot) -> PolicyChange | None:
    """The change of policies that still waits for signatures."""
    return session.scalar(select(PolicyChange).where(PolicyChange.lot_id == lot.id, PolicyChange.state == "OPEN"))


def changes_of(session: Session, lot: Lot) -> list[PolicyChange]:
    """All changes of the policies of a lot since its publication, oldest first."""
    return list(session.scalars(select(PolicyChange).where(PolicyChange.lot_id == lot.id).order_by(PolicyChange.id)))


def policy_document(policy: Policy) -> dict[str, Any]:
    """The policy as the value everybody signs. The same for ever, so it is parsed once: never changed in place."""
    value: dict[str, Any] = _parsed(policy.payload)
    return value


_parsed = lru_cache(maxsize=512)(json.loads)


def policy_rows(session: Session, lot: Lot, envelope: str = BID) -> list[Policy]:
    """The line of an envelope, oldest first, the standing policy last: each supersedes the one before (protocol §2). Complete policies that
    were dropped before publication are not in it."""
    rows = session.scalars(
        select(Policy).where(Policy.lot_id == lot.id, Policy.envelope == envelope, Policy.dsse.is_not(None))
    )
    by_id = {row.policy_id: row for row in rows}
    return [by_id[name] for name in line_of([(row.policy_id, row.supersedes, row.standing) for row in by_id.values()])]


def policy_chain(session: Session, lot: Lot, envelope: str = BID) -> list[dict[str, Any]]:
    """The documents of ``policy_rows``, in one question: ``crypto.policies.check_context`` and ``crypto.policy_lines.generations`` take
    them. Nobody changes them: they are kept."""
    return chain_of(session.execute(_CHAIN, {"lot": lot.id, "envelope": envelope}).all())


def chain_of(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The documents of a line, oldest first, from rows of ``LINKS``; rows of a larger question that found no policy are passed over."""
    texts = {row[0]: row[3] for row in rows if row[0] is not None}
    return [_parsed(texts[name]) for name in line_of([(row[0], row[1], row[2]) for row in rows if row[0] is not None])]


LINKS = (Policy.policy_id, Policy.supersedes, Policy.standing, Policy.payload)


def is_link(lot_id: Any, envelope: Any) -> Any:
    """The condition for ``LINKS`` as a part of a larger question."""
    return and_(Policy.lot_id == lot_id, Policy.envelope == envelope, Policy.dsse.is_not(None))


_CHAIN = select(*LINKS).where(is_link(bindparam("lot"), bindparam("envelope")))


def line_of(rows: Sequence[tuple[str, str, bool]]) -> list[str]:
    """The ids of a line, oldest first, from (id, what it supersedes, whether it stands)."""
    before = {name: supersedes for name, supersedes, _ in rows}
    at = next((name for name, _, standing in rows if standing), "")
    line: list[str] = []
    while at in before:
        line.insert(0, at)
        at = before.pop(at)
    return line


def generations(session: Session, lot: Lot, envelope: str = BID) -> tuple[Generation, ...]:
    """The generations of officers of an envelope, oldest first, and which of them are alive. Refuses: NotFound ``policy.missing``."""
    line = policy_chain(session, lot, envelope)
    if not line:
        raise NotFound("policy.missing", ref=lot.ref, envelope=envelope)
    return policy_lines.generations(line)


def drill_of(session: Session, policy: Policy) -> Drill:
    """Refuses: NotFound ``drill.missing``."""
    found = session.scalar(select(Drill).where(Drill.policy_id == policy.id))
    if found is None:
        raise NotFound("drill.missing", policy=policy.policy_id)
    return found


def drill_header(drill: Drill) -> Header:
    return parse_header(unb64u(drill.header))


def drilled(session: Session, policy: Policy) -> set[int]:
    """The officers (j) who have opened the drill bid of a policy; of an extension, whose keys are the same, that of the one it extends."""
    while policy.supersedes and session.scalar(select(Drill.id).where(Drill.policy_id == policy.id)) is None:
        before = session.scalar(select(Policy).where(Policy.policy_id == policy.supersedes))
        if before is None or policy_document(before)["serial"] != policy_document(policy)["serial"]:
            break
        policy = before
    return set(
        session.scalars(
            select(DrillReturn.j).join(Drill, Drill.id == DrillReturn.drill_id).where(Drill.policy_id == policy.id)
        )
    )


def untried(session: Session, lot: Lot | LotFacts) -> list[int]:
    """The officers (j) of a published lot who have yet to show that their keys open: until then nothing is sealed under their policy."""
    found: set[int] = set()
    for envelope in bid_envelopes(lot):
        policy = find_policy(session, lot, envelope)
        if policy is not None and policy.supersedes:  # all were tried before publication
            found |= set(range(1, policy_document(policy)["n"] + 1)) - drilled(session, policy)
    return sorted(found)


def begun_draws(session: Session, lot: Lot) -> set[str]:
    """The envelopes of draws a notice has begun: their policies, and the officers of then, stay as they are."""
    return set(
        session.scalars(
            select(audit.LogEntry.part).where(
                audit.LogEntry.event == "draw-notice",
                audit.LogEntry.tender == lot.tender.ref,
                audit.LogEntry.lot == lot.no_text,
            )
        )
    )


# --- acts -------------------------------------------------------------------------------------------------------------------------


def name_officers(work: UnitOfWork, lot: Lot, named: Iterable[tuple[Account, str]], *, t: int) -> list[OfficerSeat]:
    """Name the opening officers as (account, side), in the order j = 1, 2, …; ``t`` of them open. Naming anew voids keys and policies.

    Refuses: NotAllowed, WrongStep, Invalid (sides, roles, persons twice).
    """
    require_draft(work, lot)
    rows = list(named)
    faults = Faults()
    check_named(work.session, lot, rows, t, faults)
    faults.refuse_if_any()
    serial = last_serial(work.session, lot) + 1
    _void_policies(work, lot)
    work.session.execute(delete(OfficerSeat).where(OfficerSeat.lot_id == lot.id))
    new = [
        OfficerSeat(
            lot_id=lot.id, j=j, account_id=account.id, side=side, serial=serial, publics={}, sign_kid="", sign_public=""
        )
        for j, (account, side) in enumerate(rows, start=1)
    ]
    work.session.add_all(new)
    lot.threshold = t
    work.session.flush()
    for seat in new:
        work.session.refresh(seat)
    work.record("officer.name", lot.log_of, t=t, n=len(new), sides=[seat.side for seat in new], serial=serial)
    return new


def check_named(session: Session, lot: Lot, rows: Sequence[tuple[Account, str]], t: int, faults: Faults) -> None:
    """What officers must be: of the role, on a side of theirs, nobody twice, and no side too strong."""
    for place, (account, side) in enumerate(rows):
        where = f"officers.{place}"
        if Role.OFFICER not in parties.roles_of(session, account):
            faults.add(where, "officer.role_needed", username=account.username)
        if side not in side_of(lot, account.party):
            faults.add(where, "officer.side", side=side, sides=list(side_of(lot, account.party)))
    if len({account.id for account, _ in rows}) != len(rows):
        faults.add("officers", "officer.twice")
    check_sides(faults, [side for _, side in rows], t)


def replace_officer(work: UnitOfWork, lot: Lot, j: int, account: Account, side: str) -> OfficerSeat:
    """Before publication: another person takes seat ``j``, or the same one anew after losing a key. The others keep their seats and keys;
    every policy is void, for all sign the same bytes: drafted, signed and drilled again before publication.

    Refuses: NotAllowed, WrongStep, NotFound ``officer.no_seat``, Invalid (role, side, person twice, sides of the whole).
    """
    require_draft(work, lot)
    named = seats(work.session, lot)
    seat = next((one for one in named if one.j == j), None)
    if seat is None:
        raise NotFound("officer.no_seat", ref=lot.ref, j=j)
    faults = Faults()
    if Role.OFFICER not in parties.roles_of(work.session, account):
        faults.add("officer", "officer.role_needed", username=account.username)
    if side not in side_of(lot, account.party):
        faults.add("side", "officer.side", side=side, sides=list(side_of(lot, account.party)))
    if any(one.account_id == account.id for one in named if one.j != j):
        faults.add("officer", "officer.twice")
    check_sides(faults, [side if one.j == j else one.side for one in named], lot.threshold or 0)
    faults.refuse_if_any()
    _void_policies(work, lot)
    before, seat.account_id, seat.side = seat.account_id, account.id, side
    seat.publics, seat.sign_kid, seat.sign_public = {}, "", ""
    work.session.flush()
    work.session.refresh(seat)
    work.record("officer.replace", lot.log_of, j=j, side=side, same_person=before == account.id)
    return seat


def lost_seats(session: Session, lot: Lot) -> dict[int, str]:
    """Officers (j) who cannot open any more, as far as the platform knows, and why: the key they gave is ``lost`` or ``revoked``, or their
    account is ``closed``. A key its holder replaced is not lost: the file of before still opens."""
    rows = session.execute(
        select(OfficerSeat, enrolments.EnrolledKey.end_reason)
        .outerjoin(enrolments.EnrolledKey, enrolments.EnrolledKey.sign_kid == OfficerSeat.sign_kid)
        .where(OfficerSeat.lot_id == lot.id, OfficerSeat.stage == STANDING)
    )
    found = {seat.j: "closed" if seat.account.disabled_at is not None else reason or "" for seat, reason in rows}
    return {j: why for j, why in sorted(found.items()) if why in ("lost", "revoked", "closed")}


def _void_policies(work: UnitOfWork, lot: Lot) -> None:
    """Before publication: drop what is only drafted; a complete policy is logged and stays, but no longer stands."""
    for policy in work.session.scalars(select(Policy).where(Policy.lot_id == lot.id)):
        if policy.dsse is None:
            work.session.delete(policy)
        else:
            policy.standing = False
    work.session.flush()


def offer_keys(work: UnitOfWork, lot: Lot, publics: Mapping[str, str]) -> None:
    """An officer gives its X25519 keys (base64url), one for each scope of ``scopes_to_key``, and is bound to its signing key of now.

    Refuses: NotAllowed, WrongStep, NotFound ``key.not_enrolled``, Invalid (every key), Conflict ``officer.keys_given``.
    """
    work.require(Act.POLICY_SIGN)
    seat = own_seat(work, lot, NEXT, STANDING)
    work.lock(lot)
    if lot.state != "ACCEPTED" and seat.stage != NEXT:
        raise WrongStep("lot.published_already", ref=lot.ref, state=lot.state)
    wanted = _wanted(work.session, lot, seat)
    if seat.publics and set(wanted) <= set(seat.publics):  # a lot that got an envelope more asks again
        raise Conflict("officer.keys_given", ref=lot.ref)
    rows = work.session.scalars(select(OfficerSeat).where(OfficerSeat.lot_id == lot.id, OfficerSeat.id != seat.id))
    others = {public for other in rows for public in other.publics.values()}
    faults = Faults()
    for envelope in wanted:
        try:
            keys.check_x25519_public(unb64u(publics.get(envelope, ""), 32))
        except CryptoError as error:
            faults.add(envelope, "key.bad", reason=error.code)
    if set(publics) - set(wanted):
        faults.add("envelopes", "officer.scope_unknown", envelopes=sorted(set(publics) - set(wanted)))
    if len(set(publics.values())) != len(publics) or others & set(publics.values()):
        faults.add("keys", "officer.key_twice")
    faults.refuse_if_any()
    key = enrolments.standing_key(work.session, seat.account.username, "officer")
    seat.publics, seat.sign_kid, seat.sign_public = dict(publics), key.sign_kid, key.sign_public
    work.session.flush()
    work.record(
        "officer.offer_keys", lot.log_of, j=seat.j, kids=[keys.kid("x25519", unb64u(publics[name])) for name in wanted]
    )


def scopes_to_key(view: View, lot: Lot) -> list[dict[str, Any]]:
    """The scopes an officer derives its keys for, ``{platform, tender, lot, envelope, serial}`` (protocol §2). Refuses: NotAllowed."""
    view.require(Act.POLICY_SIGN)
    seat = own_seat(view, lot, NEXT, STANDING)
    return [
        {
            "platform": view.office.platform,
            "tender": lot.tender.ref,
            "lot": lot.no_text,
            "envelope": envelope,
            "serial": seat.serial,
        }
        for envelope in _wanted(view.session, lot, seat)
    ]


def _wanted(session: Session, lot: Lot, seat: OfficerSeat) -> list[str]:
    """The envelopes an officer gives a key for: after publication not those of draws that have begun."""
    begun = begun_draws(session, lot) if seat.stage == NEXT else set()
    return [envelope for envelope in envelopes(lot) if envelope not in begun]

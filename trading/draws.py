"""Public draws nobody can steer: of experts for a panel, of a works coefficient, of whom to invite (protocol §6; rules P-13, 2.7, M2.3).

Law of the noun: the pool is frozen and logged before anybody commits; the platform commits first; each party leaves its random bytes in
escrow with the officers, so refusing to reveal gains nothing; the result follows from public values and anybody can recompute it. The
names in a pool of experts are on no card: until the lawful hour only their order is known.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto import checkpoints
from crypto import draws as rules
from crypto.canonical import H, b64u, loads, unb64u
from crypto.documents import open_document, sign_document
from crypto.errors import CryptoError
from crypto.headers import check_share, join_shares, parse_header
from crypto.signatures import payload_of, verify_quorum
from trading.custody import officers
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, WrongStep
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import UnitOfWork
from trading.parties import enrolments
from trading.parties.parties import party as party_row
from trading.tendering import invitations
from trading.tendering.tenders import Lot

PLATFORM, TENDEREE = "platform", "tenderee"
PARTIES = (PLATFORM, TENDEREE)
STATES = ("NOTICED", "COMMITTED", "LISTED", "DRAWN", "VOID")
NEEDS = {"experts": Act.PANEL_DRAW, "k": Act.OPENING_HOST, "invited": Act.PANEL_DRAW}
"""label → the act by which the platform's side of a draw is done."""
ANNOUNCED_BY = NEEDS | {"invited": Act.TENDER_DRAFT}


class Draw(Base):
    """``draw``: its name, ``TENDER/<id>``. ``pool``, ``pool_salt``: frozen at the notice; of experts and of bidders a secret. ``listing``:
    the commit list with the signatures so far. ``root``: base64url root of the checkpoint that seals the last commit. ``result``: the
    signed outcome."""

    __tablename__ = "draw"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint(one_of("label", NEEDS), name="label"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    draw: Mapped[str] = mapped_column(String(128), unique=True)
    label: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(default=0)
    pool: Mapped[list[str]] = mapped_column(Json)
    pool_salt: Mapped[bytes] = mapped_column(LargeBinary)
    notice: Mapped[dict[str, Any]] = mapped_column(Json)
    notice_c: Mapped[str] = mapped_column(String(50))
    listing: Mapped[dict[str, Any] | None] = mapped_column(Json)
    list_c: Mapped[str | None] = mapped_column(String(50))
    root: Mapped[str | None] = mapped_column(String(50))
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result_c: Mapped[str | None] = mapped_column(String(50))
    noticed_at: Mapped[datetime] = mapped_column(Moment)
    drawn_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")
    turns: Mapped[list[DrawTurn]] = relationship(order_by="DrawTurn.id")


class DrawTurn(Base):
    """One party's part. ``own``: the platform's own random bytes, until revealed. ``escrow``: officer j → part, if it came to that."""

    __tablename__ = "draw_turn"
    __table_args__ = (UniqueConstraint("draw_id", "party"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    draw_id: Mapped[int] = mapped_column(ForeignKey("draw.id"), index=True)
    party: Mapped[str] = mapped_column(String(40))
    commit: Mapped[str] = mapped_column(String(50))
    header: Mapped[str] = mapped_column(Text)
    commit_c: Mapped[str] = mapped_column(String(50))
    own: Mapped[bytes | None] = mapped_column(LargeBinary)
    r: Mapped[str] = mapped_column(String(50), default="")
    reveal_c: Mapped[str | None] = mapped_column(String(50))
    escrow: Mapped[dict[str, str]] = mapped_column(Json, default=dict)


# --- acts, in their order ---------------------------------------------------------------------------------------------


def announce(work: UnitOfWork, lot: Lot, *, label: str, pool: Sequence[str], take: int = 1) -> Draw:
    """Freeze the pool and log the notice. Refuses: NotAllowed, Conflict ``draw.exists``, Invalid (pool), NotFound (policy)."""
    work.require(ANNOUNCED_BY[label])
    if find(work.session, lot, label) is not None:
        raise Conflict("draw.exists", label=label)
    policy = officers.current_policy(work.session, lot, officers.draw_envelope(label, lot))
    salt = secrets.token_bytes(32)
    try:
        ordered = rules.sorted_pool(pool)
        if not ordered or not 1 <= take <= len(ordered):
            raise CryptoError("JSON_PROFILE", "more to be drawn than there are")
    except CryptoError as error:
        raise Invalid("draw.bad_pool", size=len(pool), take=take, detail=error.detail) from error
    name = f"{lot.tender.ref}/{policy.envelope.removeprefix('draw:')}"
    notice = {
        "v": 1,
        "at": _at(work),
        "beacon": "",
        "draw": name,
        "label": label,
        "parties": list(PARTIES),
        "policy": policy.policy_id,
        "pool": b64u(rules.pool_hash(salt, ordered)),
        "replaces": "",
        "size": len(ordered),
        "take": take,
    }
    statement = keep_document(
        work, "draw-notice", sign_document("draw-notice", notice, work.office.keys.signing), signed=True
    )
    entry = work.log(
        "draw-notice", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=policy.envelope
    )
    row = Draw(
        lot_id=lot.id,
        draw=name,
        label=label,
        state="NOTICED",
        pool=ordered,
        pool_salt=salt,
        notice=notice,
        notice_c=entry.c,
        noticed_at=work.now,
    )
    row.lot = lot
    work.session.add(row)
    work.session.flush()
    work.record("draw.announce", lot.log_of, label=label, size=len(ordered), take=take)
    return row


def commit_platform(work: UnitOfWork, draw: Draw) -> DrawTurn:
    """The platform commits first, once the notice is sealed. Refuses: NotAllowed, WrongStep, TooEarly ``draw.notice_not_sealed``."""
    work.require(NEEDS[draw.label])
    _in_state(draw, "NOTICED")
    _sealed(work, draw.notice_c, "draw.notice_not_sealed")
    if _turn(draw, PLATFORM) is not None:
        raise Conflict("draw.committed", party=PLATFORM)
    r = secrets.token_bytes(32)
    header = rules.make_escrow(
        officers.policy_document(_policy(work.session, draw)), draw=draw.draw, party=PLATFORM, r=r
    )
    document = commit_document(draw, PLATFORM, r=r, header=header, at=_at(work))
    envelope = sign_document("draw-commit", document, work.office.keys.signing)
    return _add_turn(work, draw, PLATFORM, document, envelope, header, own=r)


def commit(work: UnitOfWork, draw: Draw, envelope: Any, *, header: bytes) -> DrawTurn:
    """The tenderee's commitment, signed by its enrolled key, with its escrow header. Refuses: NotAllowed, NotFound (tie), WrongStep,
    TooEarly, Conflict, Invalid ``draw.bad_commit``."""
    work.require(Act.DRAW_TAKE_PART)
    _tie(work, draw)
    _in_state(draw, "NOTICED")
    if _turn(draw, PLATFORM) is None:
        raise TooEarly("draw.platform_first")
    if _turn(draw, TENDEREE) is not None:
        raise Conflict("draw.committed", party=TENDEREE)
    try:
        document = open_document(envelope, "draw-commit", _key(work, draw))
        found = rules.check_escrow(header, draw=draw.draw, party=TENDEREE, policy=draw.notice["policy"])
        wanted = officers.policy_document(_policy(work.session, draw))
        if found.ctx != rules.escrow_ctx(wanted, draw=draw.draw, party=TENDEREE):
            raise CryptoError("CONTEXT_MISMATCH", "an escrow for other officers")
        if (document["draw"], document["party"], document["header_hash"]) != (
            draw.draw,
            TENDEREE,
            b64u(found.header_hash),
        ):
            raise CryptoError("CONTEXT_MISMATCH", "of another draw, party or escrow")
    except CryptoError as error:
        raise Invalid("draw.bad_commit", reason=error.code, detail=error.detail) from error
    return _add_turn(work, draw, TENDEREE, document, envelope, header)


def _add_turn(
    work: UnitOfWork,
    draw: Draw,
    party: str,
    document: dict[str, Any],
    envelope: Any,
    header: bytes,
    *,
    own: bytes | None = None,
) -> DrawTurn:
    statement = keep_document(work, "draw-commit", envelope, signed=True)
    entry = work.log(
        "draw-commit", statement=statement, tender=draw.lot.tender.ref, lot=draw.lot.no_text, envelope=_part(draw)
    )
    turn = DrawTurn(
        draw_id=draw.id, party=party, commit=document["commit"], header=b64u(header), commit_c=entry.c, own=own
    )
    draw.turns.append(turn)
    if len(draw.turns) == len(PARTIES):
        draw.state = "COMMITTED"
    draw.version += 1
    work.session.flush()
    return turn


def list_commits(work: UnitOfWork, draw: Draw) -> dict[str, Any]:
    """Once every commit is sealed: fix the root and write the commit list, signed by the platform. Refuses: WrongStep, TooEarly."""
    work.require(NEEDS[draw.label])
    _in_state(draw, "COMMITTED")
    if draw.listing is None:
        last = max(_sealed(work, turn.commit_c, "draw.commits_not_sealed") for turn in draw.turns)
        tick = work.session.get(LogTick, last)
        assert tick is not None
        root = checkpoints.verify_checkpoint(tick.checkpoint, log.log_key(work.office.platform, work.office.keys)).root
        draw.root = b64u(root)
        ordered = [_must_turn(draw, name).commit_c for name in PARTIES]
        document = {"v": 1, "at": _at(work), "entries": ordered, "of": draw.draw, "root": draw.root}
        draw.listing = dict(sign_document("commit-list", document, work.office.keys.signing))
        draw.version += 1
        work.session.flush()
    return draw.listing


def sign_list(work: UnitOfWork, draw: Draw, envelope: Any) -> None:
    """The tenderee's signature under the commit list, given before it reveals; the list is then public and logged.

    ``envelope``: the list with both signatures. Refuses: NotAllowed, WrongStep, Invalid ``draw.bad_list``."""
    work.require(Act.DRAW_TAKE_PART)
    _tie(work, draw)
    _in_state(draw, "COMMITTED")
    if draw.listing is None:
        raise TooEarly("draw.no_list")
    try:
        if payload_of(envelope) != payload_of(draw.listing):
            raise CryptoError("CONTEXT_MISMATCH", "another list")
        verify_quorum(envelope, "commit-list", (work.office.keys.public, _key(work, draw)), (), 0)
    except CryptoError as error:
        raise Invalid("draw.bad_list", reason=error.code, detail=error.detail) from error
    statement = keep_document(work, "commit-list", envelope, signed=True)
    entry = work.log(
        "commit-list", statement=statement, tender=draw.lot.tender.ref, lot=draw.lot.no_text, envelope=_part(draw)
    )
    draw.listing, draw.list_c, draw.state = dict(envelope), entry.c, "LISTED"
    draw.version += 1


def awaits_tenderee(draw: Draw) -> bool:
    """Whether the next step of a draw is the tenderee's: to commit after the platform, to sign the list, to reveal."""
    if draw.state == "NOTICED":
        return _turn(draw, PLATFORM) is not None and _turn(draw, TENDEREE) is None
    if draw.state == "COMMITTED":
        return draw.listing is not None
    turn = _turn(draw, TENDEREE)
    return draw.state == "LISTED" and turn is not None and not turn.r


def awaiting_platform(session: Session, label: str) -> list[Draw]:
    """The draws of a label that are under way and whose next step is the platform's, oldest first."""
    rows = select(Draw).where(Draw.label == label, Draw.state.in_(("NOTICED", "COMMITTED", "LISTED"))).order_by(Draw.id)
    return [one for one in session.scalars(rows) if not awaits_tenderee(one)]


def reveal_platform(work: UnitOfWork, draw: Draw) -> None:
    """The platform reveals, after its list is sealed. Refuses: NotAllowed, WrongStep, TooEarly, Conflict."""
    work.require(NEEDS[draw.label])
    turn = _must_turn(draw, PLATFORM)
    if turn.own is None:
        raise Conflict("draw.revealed", party=PLATFORM)
    document = {"v": 1, "at": _at(work), "draw": draw.draw, "party": PLATFORM, "r": b64u(turn.own)}
    _reveal(work, draw, turn, document, sign_document("draw-reveal", document, work.office.keys.signing))
    turn.own = None


def reveal(work: UnitOfWork, draw: Draw, envelope: Any) -> None:
    """The tenderee reveals. Refuses: NotAllowed, NotFound, WrongStep, TooEarly, Conflict, Invalid ``draw.bad_reveal``."""
    work.require(Act.DRAW_TAKE_PART)
    _tie(work, draw)
    turn = _must_turn(draw, TENDEREE)
    try:
        document = open_document(envelope, "draw-reveal", _key(work, draw))
        if (document["draw"], document["party"]) != (draw.draw, TENDEREE):
            raise CryptoError("CONTEXT_MISMATCH", "of another draw or party")
    except CryptoError as error:
        raise Invalid("draw.bad_reveal", reason=error.code, detail=error.detail) from error
    _reveal(work, draw, turn, document, envelope)


def _reveal(work: UnitOfWork, draw: Draw, turn: DrawTurn, document: dict[str, Any], envelope: Any) -> None:
    _in_state(draw, "LISTED")
    if turn.r:
        raise Conflict("draw.revealed", party=turn.party)
    assert draw.list_c is not None
    _sealed(work, draw.list_c, "draw.list_not_sealed")
    statement = keep_document(work, "draw-reveal", envelope, signed=True)
    entry = work.log(
        "draw-reveal", statement=statement, tender=draw.lot.tender.ref, lot=draw.lot.no_text, envelope=_part(draw)
    )
    turn.r, turn.reveal_c = document["r"], entry.c
    draw.version += 1
    work.session.flush()


def release_escrow(work: UnitOfWork, draw: Draw, envelope: Any) -> None:
    """An officer's shares of the escrows, from ``opens_at`` of the draw's policy on, where somebody did not reveal.

    Refuses: NotAllowed, WrongStep, TooEarly ``draw.escrow_closed``, Invalid ``draw.bad_shares``."""
    work.require(Act.SHARE_RELEASE)
    _in_state(draw, "LISTED")
    policy = _policy(work.session, draw)
    seat = officers.own_seat(work, draw.lot, serial=int(officers.policy_document(policy)["serial"]))
    if work.now < policy.opens_at:
        raise TooEarly("draw.escrow_closed", now=work.now, opens_at=policy.opens_at)
    assert draw.listing is not None
    try:
        document = open_document(envelope, "shares", unb64u(seat.sign_public, 32))
        if document["set"] != b64u(H("set", payload_of(draw.listing))) or document["j"] != seat.j:
            raise CryptoError("CONTEXT_MISMATCH", "shares of another set or officer")
        given = {item["header_hash"]: item["part"] for item in document["items"] if item["part"]}
        for turn in draw.turns:
            header = parse_header(unb64u(turn.header))
            part = given.get(b64u(header.header_hash))
            if part and not turn.r:
                check_share(header, seat.j, unb64u(part, 32))
                turn.escrow = {**turn.escrow, str(seat.j): part}
    except CryptoError as error:
        raise Invalid("draw.bad_shares", reason=error.code, detail=error.detail) from error
    statement = keep_document(work, "shares", envelope, signed=True)
    work.log("shares", statement=statement, tender=draw.lot.tender.ref, lot=draw.lot.no_text, envelope=_part(draw))
    draw.version += 1


def conclude(work: UnitOfWork, draw: Draw) -> list[int]:
    """Compute and sign the result: the picked positions of the pool. Refuses: NotAllowed, WrongStep, TooEarly ``draw.not_revealed``."""
    work.require(NEEDS[draw.label])
    _in_state(draw, "LISTED")
    turns = []
    for name in PARTIES:
        turn = _must_turn(draw, name)
        header = parse_header(unb64u(turn.header))
        r = unb64u(turn.r, 32) if turn.r else _from_escrow(draw, turn, header.t)
        turns.append(rules.Turn(name, unb64u(turn.commit, 32), header, r))
    document = rules.result(draw.notice, turns, root=unb64u(draw.root, 32), at=_at(work))
    envelope = sign_document("draw", document, work.office.keys.signing)
    statement = keep_document(work, "draw", envelope, signed=True)
    entry = work.log(
        "draw", statement=statement, tender=draw.lot.tender.ref, lot=draw.lot.no_text, envelope=_part(draw)
    )
    draw.result, draw.result_c, draw.state, draw.drawn_at = dict(envelope), entry.c, "DRAWN", work.now
    draw.version += 1
    work.record("draw.conclude", draw.lot.log_of, label=draw.label, picks=document["picks"], faults=document["faults"])
    if draw.label == "invited":
        invitations.draw_of(work, draw.lot, [draw.pool[pick] for pick in document["picks"]])
    return list(document["picks"])


def _from_escrow(draw: Draw, turn: DrawTurn, t: int) -> bytes:
    """The bytes the officers' shares join to; whether they count is for the common test in ``rules.result``."""
    if len(turn.escrow) < t:
        raise TooEarly("draw.not_revealed", party=turn.party, shares=len(turn.escrow), needed=t)
    header = parse_header(unb64u(turn.header))
    try:
        return join_shares(header, {int(j): unb64u(part, 32) for j, part in turn.escrow.items()})
    except CryptoError:
        return rules.NOTHING


# --- looking ----------------------------------------------------------------------------------------------------------


def find(session: Session, lot: Lot, label: str) -> Draw | None:
    """The newest draw of a label on a lot."""
    return session.scalar(
        select(Draw).where(Draw.lot_id == lot.id, Draw.label == label).order_by(Draw.id.desc()).limit(1)
    )


def draw(session: Session, lot: Lot, label: str) -> Draw:
    """Refuses: NotFound ``draw.unknown``."""
    found = find(session, lot, label)
    if found is None:
        raise NotFound("draw.unknown", label=label)
    return found


def picks(row: Draw) -> list[int]:
    """The drawn positions of a concluded draw. Refuses: WrongStep."""
    _in_state(row, "DRAWN")
    return list(loads(payload_of(row.result))["picks"])


def order(row: Draw) -> list[int]:
    """All positions in drawn order, substitutes after the picks (experts only). Refuses: WrongStep."""
    _in_state(row, "DRAWN")
    return rules.order_of(unb64u(loads(payload_of(row.result))["seed"], 32), row.notice["size"])


def commit_document(row: Draw, party: str, *, r: bytes, header: bytes, at: str) -> dict[str, Any]:
    """The document a party signs to commit; ``r``: its 32 random bytes, ``header``: the escrow made of them."""
    return {
        "v": 1,
        "at": at,
        "commit": b64u(rules.draw_commit(row.draw, party, r)),
        "draw": row.draw,
        "header_hash": b64u(parse_header(header).header_hash),
        "party": party,
    }


def reveal_document(row: Draw, party: str, *, r: bytes, at: str) -> dict[str, Any]:
    return {"v": 1, "at": at, "draw": row.draw, "party": party, "r": b64u(r)}


def _at(work: UnitOfWork) -> str:
    return write_moment(floor_second(work.now))


def _part(row: Draw) -> str:
    return officers.draw_envelope(row.label, row.lot)


def _policy(session: Session, row: Draw) -> officers.Policy:
    """The policy the draw's notice names: officers replaced since then bind other draws."""
    found = session.scalar(select(officers.Policy).where(officers.Policy.policy_id == row.notice["policy"]))
    assert found is not None, "a draw is announced under a policy in force"
    return found


def policy_of(session: Session, row: Draw) -> officers.Policy:
    """The policy of a draw, whose officers open its escrows."""
    return _policy(session, row)


def _key(work: UnitOfWork, row: Draw) -> bytes:
    firm = party_row(work.session, row.lot.project.purchaser_id)
    return enrolments.sign_bytes(enrolments.standing_key(work.session, firm.code, "tenderee"))


def _tie(work: UnitOfWork, row: Draw) -> None:
    if work.actor.party_id != row.lot.project.purchaser_id:
        raise NotFound("draw.unknown", label=row.label)


def _turn(row: Draw, party: str) -> DrawTurn | None:
    return next((turn for turn in row.turns if turn.party == party), None)


def _must_turn(row: Draw, party: str) -> DrawTurn:
    found = _turn(row, party)
    if found is None:
        raise TooEarly("draw.not_committed", party=party)
    return found


def _in_state(row: Draw, *states: str) -> None:
    if row.state not in states:
        raise WrongStep("draw.wrong_step", state=row.state, from_states=list(states))


def _sealed(work: UnitOfWork, c: str, code: str) -> int:
    """The tick an entry was sealed in. Refuses: TooEarly while it waits."""
    tick = log.tick_of(work.session, c)
    if tick is None:
        raise TooEarly(code)
    return tick.tick


def pool_document(row: Draw) -> dict[str, Any]:
    """Pool and salt, for those who may see the names and for the archive."""
    return {"pool": row.pool, "salt": b64u(row.pool_salt), "hash": row.notice["pool"]}

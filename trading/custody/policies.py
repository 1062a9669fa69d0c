"""Opening policies and drills: written and signed by the platform, signed by every officer, tried by every officer (protocol §2).

Law of the noun: everybody signs the same bytes; with the last signature a policy is public, logged and in force; before publication each
officer proves on a drill bid, sealed under the real policy, that its key opens. What must not be put here: who the officers are
(officers.py) and the opening itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import sealed_bid, signatures
from crypto.canonical import b64u, dumps, parse_time, unb64u
from crypto.documents import open_document
from crypto.errors import CryptoError
from crypto.headers import SUITE, check_share
from crypto.keys import new_secret, x25519_public
from crypto.policies import check_policy, policy_id
from crypto.ticks import tick_by
from trading.custody import successions
from trading.custody.officers import (
    BID,
    DRAW_PLEN,
    MAX_PLEN,
    NEXT,
    STANDING,
    Drill,
    DrillReturn,
    OfficerSeat,
    Policy,
    PolicyChange,
    begun_draws,
    bid_envelopes,
    current_policy,
    drill_header,
    drilled,
    envelopes,
    find_policy,
    moments_of,
    next_seats,
    offer_keys,
    open_change,
    own_seat,
    policy_document,
    seats,
    seats_of,
)
from trading.kernel import audit, log
from trading.kernel.access import Act
from trading.kernel.clock import write_moment
from trading.kernel.errors import Conflict, Faults, Invalid, NotFound, TooLate, WrongStep
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments
from trading.tendering import notices
from trading.tendering.tenders import Lot, require_draft

# --- what an officer's client asks for --------------------------------------------------------------------------------------------


def policies_to_sign(view: View) -> list[Policy]:
    """All policies that still want the signature of the officer who looks, in the order they were drafted. Refuses: NotAllowed."""
    view.require(Act.POLICY_SIGN)
    rows = view.session.execute(
        select(Policy, OfficerSeat)
        .join(OfficerSeat, OfficerSeat.lot_id == Policy.lot_id)
        .where(OfficerSeat.account_id == view.actor.account_id, Policy.dsse.is_(None))
        .order_by(Policy.id)
    )
    return [
        policy
        for policy, seat in rows
        if seat.serial == policy_document(policy)["serial"]
        and all(row["keyid"] != seat.sign_kid for row in policy.signatures)
    ]


def signing_of(session: Session, lot: Lot) -> list[tuple[OfficerSeat, bool]]:
    """Each officer who has to sign, and whether all drafts that wait now have that officer's signature."""
    drafts = list(session.scalars(select(Policy).where(Policy.lot_id == lot.id, Policy.dsse.is_(None))))
    asked = seats_of(session, lot, policy_document(drafts[0])["serial"]) if drafts else seats(session, lot)
    return [
        (seat, all(any(row["keyid"] == seat.sign_kid for row in draft.signatures) for draft in drafts))
        for seat in asked
    ]


def drills_to_open(view: View) -> list[Drill]:
    """All drill bids the officer who looks has yet to open. Refuses: NotAllowed."""
    view.require(Act.POLICY_SIGN)
    rows = view.session.execute(
        select(Drill, OfficerSeat)
        .join(Policy, Policy.id == Drill.policy_id)
        .join(OfficerSeat, OfficerSeat.lot_id == Policy.lot_id)
        .where(OfficerSeat.account_id == view.actor.account_id, Policy.standing)
        .order_by(Drill.id)
    )
    return [
        drill
        for drill, seat in rows
        if seat.serial == policy_document(drill.policy)["serial"] and seat.j not in drilled(view.session, drill.policy)
    ]


# --- acts -------------------------------------------------------------------------------------------------------------------------


def draft_policies(
    work: UnitOfWork,
    lot: Lot,
    *,
    max_plen: int = MAX_PLEN,
    file_names: bool = False,
    mirror: str = "",
    rescue: bool = True,
) -> list[Policy]:
    """Write and sign, for the platform, the policy of every envelope of the lot; the officers sign them next. Drafting anew replaces what
    is not complete, and keeps a complete policy that would not change. ``mirror``: what the mirror takes of each bid, ``none``, ``digests``
    or ``files``; by default ``files`` where there is a mirror.

    Refuses: NotAllowed, WrongStep ``officer.keys_missing``, ``lot.no_timetable``, Invalid ``policy.refused``, ``policy.no_mirror``.
    """
    require_draft(work, lot)
    mirror = mirror or default_mirror(work)
    if mirror != "none" and work.office.mirror is None:
        raise Invalid("policy.no_mirror", mirror=mirror)
    named = seats(work.session, lot)
    if lot.deadline is None or lot.opens_at is None:
        raise WrongStep("lot.no_timetable", ref=lot.ref)
    wanted = envelopes(lot)
    missing = [seat.j for seat in named if not set(wanted) <= set(seat.publics)]
    if missing or not named:
        raise WrongStep("officer.keys_missing", ref=lot.ref, officers=missing)
    kept = {
        row.policy_id for row in work.session.scalars(select(Policy).where(Policy.lot_id == lot.id, Policy.standing))
    }
    drafts = []
    for envelope in wanted:
        is_bid = envelope in bid_envelopes(lot)
        closes, opens = moments_of(envelope, lot.deadline, lot.opens_at)
        drafts.append(
            _document(
                work,
                lot,
                envelope,
                named,
                deadline=closes,
                opens_at=opens,
                max_plen=max_plen if is_bid else DRAW_PLEN,
                file_names=file_names and is_bid,
                mirror=mirror if is_bid else "none",
                rescue=rescue and is_bid,
                co_opening=lot.co_opening and is_bid,
            )
        )
    for row in work.session.scalars(select(Policy).where(Policy.lot_id == lot.id)):
        if row.dsse is None:
            work.session.delete(row)
    work.session.flush()
    new = [
        _draft(work, lot, document)
        for document in drafts
        if policy_id(document) not in kept and not _stands_again(work, lot, document)
    ]
    work.record("policy.draft", lot.log_of, policies=[row.policy_id for row in new])
    return new


def default_mirror(view: View) -> str:
    """What a mirror takes of bids unless the agency says otherwise."""
    return "files" if view.office.mirror is not None else "none"


def _stands_again(work: UnitOfWork, lot: Lot, document: dict[str, Any]) -> bool:
    """A policy that was complete before and became void stands again where nothing in it differs: a holder replaced, and replaced back."""
    row = work.session.scalar(
        select(Policy).where(Policy.lot_id == lot.id, Policy.policy_id == policy_id(document), Policy.dsse.is_not(None))
    )
    if row is None:
        return False
    if (old := find_policy(work.session, lot, row.envelope)) is not None:
        old.standing = False
        work.session.flush()
    row.standing = True
    work.session.flush()
    return True


def _document(
    work: UnitOfWork,
    lot: Lot,
    envelope: str,
    named: Sequence[OfficerSeat],
    *,
    deadline: datetime,
    opens_at: datetime,
    max_plen: int,
    file_names: bool,
    mirror: str,
    rescue: bool,
    co_opening: bool,
    supersedes: str = "",
) -> dict[str, Any]:
    return {
        "v": 1,
        "suite": SUITE,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": envelope,
        "serial": named[0].serial,
        "supersedes": supersedes,
        "t": lot.threshold,
        "n": len(named),
        "officers": _named(named, envelope),
        "co_opening": co_opening,
        "deadline": write_moment(deadline),
        "opens_at": write_moment(opens_at),
        "window": lot.window_minutes,
        "max_plen": max_plen,
        "file_names": file_names,
        "mirror": mirror,
        "rescue": rescue,
    }


def _draft(work: UnitOfWork, lot: Lot, document: dict[str, Any]) -> Policy:
    try:
        check_policy(document)
    except CryptoError as error:
        raise Invalid(
            "policy.refused", reason=error.code, detail=error.detail, envelope=document["envelope"]
        ) from error
    envelope = signatures.sign("policy", document, work.office.keys.signing)
    new = Policy(
        lot_id=lot.id,
        envelope=document["envelope"],
        policy_id=policy_id(document),
        payload=dumps(document).decode(),
        signatures=envelope["signatures"],
        dsse=None,
        supersedes=document["supersedes"],
        standing=False,
        t=document["t"],
        deadline=parse_time(document["deadline"]),
        opens_at=parse_time(document["opens_at"]),
        drafted_at=work.now,
        log_c=None,
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    return new


def draft_extension(work: UnitOfWork, lot: Lot, *, deadline: datetime, opens_at: datetime, reason: str) -> list[Policy]:
    """Write and sign, for the platform, policies that supersede the standing ones and only move their moments, which keeps earlier bids
    valid (protocol §2): that of the bids first, then those of draws no notice has begun. What waited before is void.

    The caller (``publication.extend_deadline``) has taken the locks and checked the dates. No drill is repeated: the keys are the same.
    Refuses: NotFound ``policy.missing``, Invalid ``policy.refused``.
    """
    void_waiting(work, lot)
    begun = begun_draws(work.session, lot)
    new = []
    for envelope in envelopes(lot):
        old = current_policy(work.session, lot, envelope)
        closes, opens = moments_of(envelope, deadline, opens_at)
        if envelope in begun or old.deadline > closes or old.opens_at > opens:
            continue
        new.append(
            _draft(
                work,
                lot,
                policy_document(old)
                | {"deadline": write_moment(closes), "opens_at": write_moment(opens), "supersedes": old.policy_id},
            )
        )
    work.session.add(
        PolicyChange(
            lot_id=lot.id,
            kind="extension",
            ground="",
            reason=reason,
            deadline=deadline,
            opens_at=opens_at,
            state="OPEN",
            made_at=work.now,
            ended_at=None,
        )
    )
    work.session.flush()
    work.record("policy.extend", lot.log_of, policies=[policy.policy_id for policy in new], deadline=deadline)
    return new


def void_waiting(work: UnitOfWork, lot: Lot) -> None:
    """Drop what waits for signatures: drafts, the change they belong to, and the officers who would have taken over with it."""
    for row in work.session.scalars(select(Policy).where(Policy.lot_id == lot.id, Policy.dsse.is_(None))):
        work.session.delete(row)
    if (change := open_change(work.session, lot)) is not None:
        change.state, change.ended_at = "VOID", work.now
    successions.drop_next(work.session, lot)


def sign_policies(work: UnitOfWork, lot: Lot, envelopes: Iterable[Any]) -> list[Policy]:
    """One act of signing over all policies of a lot: an envelope for each, signed by the officer alone. Returns those now complete.

    Refuses: as ``sign_policy``; one bad envelope and none is taken.
    """
    done = []
    for envelope in envelopes:
        policy = sign_policy(work, lot, envelope)
        if policy.dsse is not None:
            done.append(policy)
    return done


def sign_policy(work: UnitOfWork, lot: Lot, envelope: Any) -> Policy:
    """Take an officer's signature over a drafted policy: an envelope with the same payload and that one signature. With the last one the
    policy is complete, logged as ``policy``, and its drill bid is sealed.

    Refuses: NotAllowed, NotFound ``policy.unknown``, Conflict ``policy.signed``, Invalid ``policy.signature`` (``reason``).
    """
    work.require(Act.POLICY_SIGN)
    own_seat(work, lot, STANDING, NEXT)
    work.lock(lot)
    try:
        payload = signatures.payload_of(envelope).decode()
    except (CryptoError, UnicodeDecodeError) as error:
        raise Invalid("policy.signature", reason="SIG") from error
    policy = work.session.scalar(select(Policy).where(Policy.lot_id == lot.id, Policy.payload == payload))
    if policy is None:
        raise NotFound("policy.unknown", ref=lot.ref)
    serial = int(policy_document(policy)["serial"])
    seat = own_seat(work, lot, serial=serial)
    if policy.dsse is not None or any(row["keyid"] == seat.sign_kid for row in policy.signatures):
        raise Conflict("policy.signed", envelope=policy.envelope, j=seat.j)
    try:
        signatures.verify(envelope, "policy", unb64u(seat.sign_public, 32))
    except CryptoError as error:
        raise Invalid("policy.signature", reason=error.code, detail=error.detail) from error
    policy.signatures = [*policy.signatures, {"keyid": seat.sign_kid, "sig": envelope["signatures"][0]["sig"]}]
    work.session.flush()
    work.record("policy.sign", lot.log_of, j=seat.j, policy=policy.policy_id)
    named = seats_of(work.session, lot, serial)
    together = _signed_together(
        work.session, lot, policy
    )  # two envelopes get their new deadline, or officers, at once, or not yet
    if all(len(one.signatures) == len(named) + 1 for one in together):
        if seat.stage == NEXT:
            _hand_over(work, lot, together)
        elif policy.supersedes and policy.envelope in bid_envelopes(lot):
            _move_deadline(work, lot, together)
        elif policy.supersedes and policy.deadline != lot.opens_at:
            raise WrongStep("policy.bids_first", envelope=policy.envelope)
        for one in together:
            _complete(work, lot, one, named)
    return policy


def _signed_together(session: Session, lot: Lot, policy: Policy) -> list[Policy]:
    query = (
        select(Policy)
        .where(Policy.lot_id == lot.id, Policy.dsse.is_(None), Policy.supersedes != "")
        .order_by(Policy.id)
    )
    if next_seats(session, lot):
        return list(session.scalars(query))
    if not policy.supersedes or policy.envelope not in bid_envelopes(lot):
        return [policy]
    return list(session.scalars(query.where(Policy.envelope.in_(bid_envelopes(lot)))))


def _complete(work: UnitOfWork, lot: Lot, policy: Policy, named: Sequence[OfficerSeat]) -> None:
    envelope = signatures.sign("policy", policy_document(policy), work.office.keys.signing) | {
        "signatures": policy.signatures
    }
    signatures.verify_all(
        envelope, "policy", [work.office.keys.public, *(unb64u(seat.sign_public, 32) for seat in named)]
    )
    same_keys = False
    if old := find_policy(work.session, lot, policy.envelope):
        same_keys = policy.supersedes != "" and policy_document(old)["serial"] == policy_document(policy)["serial"]
        old.standing = False
        work.session.flush()
    statement = audit.keep_document(work, "policy", envelope, signed=True)
    entry = work.log("policy", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=policy.envelope)
    policy.dsse, policy.standing, policy.log_c = audit.envelope_text(envelope), True, entry.c
    log.announce_busy(work, policy.deadline, policy.opens_at)
    work.session.flush()
    if not same_keys:
        _seal_drill(work, policy)


def _move_deadline(work: UnitOfWork, lot: Lot, together: Sequence[Policy]) -> None:
    """The last signature under an extension: it must reach a tick before the old deadline, or the old one has passed (protocol §2)."""
    policy, change = together[0], _change_in_time(work, lot)
    before, lot.deadline, lot.opens_at = lot.deadline or policy.deadline, policy.deadline, policy.opens_at
    lot.version += 1
    change.state, change.ended_at = "DONE", work.now
    work.record("lot.extend", lot.log_of, before=before, after=policy.deadline)
    body = {
        "before": write_moment(before),
        "deadline": write_moment(policy.deadline),
        "opens_at": write_moment(policy.opens_at),
        **{"policy" if one.envelope == BID else f"policy_{one.envelope}": one.policy_id for one in together},
    }
    notices.post(work, lot, "correction", title=lot.title, body=body, text=change.reason)


def _change_in_time(work: UnitOfWork, lot: Lot) -> PolicyChange:
    assert lot.deadline is not None
    if lot.state not in ("NOTICE", "BIDDING"):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    if parse_time(tick_by(write_moment(work.now))) >= lot.deadline:
        raise TooLate("policy.extension_late", deadline=lot.deadline, now=work.now)
    change = open_change(work.session, lot)
    assert change is not None, "a superseding policy is drafted with its change"
    return change


def _hand_over(work: UnitOfWork, lot: Lot, together: Sequence[Policy]) -> None:
    """The last signature of new officers: like an extension in a tick before the deadline in force, and in good time before the new one."""
    successions.take_over(work, lot, _change_in_time(work, lot), together)


def give_keys(work: UnitOfWork, lot: Lot, publics: Mapping[str, str]) -> list[Policy]:
    """An officer gives its keys (``officers.offer_keys``); with the last ones of officers who take over next, the policies they sign are
    drafted: what superseded is theirs but officers, threshold, serial and, where the change moves them, dates. Gives the drafts.

    Refuses: as ``officers.offer_keys``, Invalid ``policy.refused``.
    """
    offer_keys(work, lot, publics)
    named, change = next_seats(work.session, lot), open_change(work.session, lot)
    if change is None or not named or not all(seat.publics for seat in named):
        return []
    new, begun = [], begun_draws(work.session, lot)
    for envelope in envelopes(lot):
        if envelope in begun:
            continue
        old = current_policy(work.session, lot, envelope)
        closes, opens = moments_of(envelope, change.deadline, change.opens_at)
        new.append(
            _draft(
                work,
                lot,
                policy_document(old)
                | {
                    "supersedes": old.policy_id,
                    "serial": named[0].serial,
                    "t": int(change.plan["t"]),
                    "n": len(named),
                    "officers": _named(named, envelope),
                    "deadline": write_moment(closes),
                    "opens_at": write_moment(opens),
                },
            )
        )
    work.record("policy.draft", lot.log_of, policies=[row.policy_id for row in new])
    return new


def _named(seats_: Sequence[OfficerSeat], envelope: str) -> list[dict[str, str]]:
    return [
        {"name": seat.account.username, "pk": seat.publics[envelope], "side": seat.side, "sign_kid": seat.sign_kid}
        for seat in seats_
    ]


def _seal_drill(work: UnitOfWork, policy: Policy) -> Drill:
    """The platform seals the drill bid under the real policy and forgets its seed."""
    out = io.BytesIO()
    asked = policy_document(policy)[
        "co_opening"
    ]  # of a drill nobody needs the bidder's part: its key is made up and forgotten too
    sealed = sealed_bid.seal(
        policy_document(policy),
        bidder="drill",
        announce={"drill": "drill"},
        files=(),
        out=out,
        drill=True,
        bidder_key=x25519_public(new_secret()) if asked else b"",
    )
    blob = work.office.blobs.put([out.getvalue()])
    drill = Drill(
        policy_id=policy.id,
        header=b64u(sealed.header.raw),
        header_hash=b64u(sealed.header.header_hash),
        blob=blob.name,
        made_at=work.now,
    )
    work.session.add(drill)
    work.session.flush()
    return drill


def return_drill(work: UnitOfWork, drill: Drill, envelope: Any, *, part: str) -> DrillReturn:
    """An officer shows that its box of the drill bid opened: the signed ``drill`` document, and the part it found (base64url), which is
    checked against the header's commitment, for a signature alone would prove nothing. Logged as ``drill``.

    Refuses: NotAllowed, Conflict ``drill.done``, Invalid ``drill.part``, ``drill.signature``, ``drill.context``.
    """
    work.require(Act.POLICY_SIGN)
    policy, lot = drill.policy, drill.policy.lot
    seat = own_seat(work, lot, serial=int(policy_document(policy)["serial"]))
    work.lock(lot)
    if not policy.standing:
        raise WrongStep("policy.superseded", policy=policy.policy_id)
    if seat.j in drilled(work.session, policy):
        raise Conflict("drill.done", j=seat.j, envelope=policy.envelope)
    try:
        check_share(drill_header(drill), seat.j, unb64u(part, 32))
    except CryptoError as error:
        raise Invalid("drill.part", reason=error.code) from error
    try:
        document = open_document(envelope, "drill", unb64u(seat.sign_public, 32))
    except CryptoError as error:
        raise Invalid("drill.signature", reason=error.code, detail=error.detail) from error
    wanted = drill_document(work.office.platform, drill, seat.j, at="")
    if wrong := sorted(name for name in wanted if name != "at" and document[name] != wanted[name]):
        raise Invalid("drill.context", fields=wrong)
    if abs(parse_time(document["at"]) - work.now) > enrolments.SKEW:
        raise Invalid("drill.context", fields=["at"])
    statement = audit.keep_document(work, "drill", envelope, signed=True)
    entry = work.log("drill", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=policy.envelope)
    row = DrillReturn(drill_id=drill.id, j=seat.j, document=audit.envelope_text(envelope), at=work.now, log_c=entry.c)
    work.session.add(row)
    work.session.flush()
    work.record("drill.return", lot.log_of, j=seat.j, policy=policy.policy_id)
    return row


def drill_document(platform: str, drill: Drill, j: int, *, at: str) -> dict[str, Any]:
    """The document officer ``j`` signs after opening its box; ``at``: protocol time."""
    lot = drill.policy.lot
    return {
        "v": 1,
        "platform": platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "envelope": drill.policy.envelope,
        "policy": drill.policy.policy_id,
        "header_hash": drill.header_hash,
        "j": j,
        "at": at,
    }


def policy_faults(session: Session, lot: Lot) -> Faults:
    """What still keeps the lot from publication on the officers' side, all at once."""
    faults = Faults()
    named = seats(session, lot)
    if not named:
        faults.add("officers", "officer.none")
        return faults
    for envelope in envelopes(lot):
        policy = find_policy(session, lot, envelope)
        if policy is None:
            faults.add(f"policy.{envelope}", "policy.not_signed", envelope=envelope)
            continue
        is_bid = envelope in bid_envelopes(lot)
        if (
            lot.deadline is None
            or lot.opens_at is None
            or (policy.deadline, policy.opens_at) != moments_of(envelope, lot.deadline, lot.opens_at)
        ):
            faults.add(f"policy.{envelope}", "policy.other_timetable", envelope=envelope)
        if is_bid and policy_document(policy)["co_opening"] is not lot.co_opening:
            faults.add(f"policy.{envelope}", "policy.other_co_opening", envelope=envelope)
        if left := sorted({seat.j for seat in named} - drilled(session, policy)):
            faults.add(f"drill.{envelope}", "drill.outstanding", envelope=envelope, officers=left)
    return faults

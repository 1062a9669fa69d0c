"""Officers' shares: each part checked against its commitment as it comes, within a window (protocol §5 step 4; rule X-08).

Law of the noun: no share is taken before claims end.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import b64u, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.opening import check_posted_shares, open_shares
from crypto.signatures import payload_of
from trading.bidding import claims, stored
from trading.custody import officers
from trading.kernel import signed
from trading.kernel.access import Act
from trading.kernel.audit import envelope_text, keep_document
from trading.kernel.clock import floor_second
from trading.kernel.errors import Conflict, Invalid, TooEarly, TooLate
from trading.kernel.faults import fault
from trading.kernel.work import UnitOfWork
from trading.opening import signed_opening
from trading.opening.ceremony import OPENING_FLOW, Opening, Share, generations, headers, shares, to_open


def accept_share(work: UnitOfWork, opening: Opening, envelope: Any) -> Share:
    """Take an officer's shares, every part checked against its commitment at once; a wrong one is answered item by item and may be
    posted again (protocol §5 step 4).

    Refuses: NotAllowed (not an officer of this lot; not freshly signed in), TooEarly before claims end, TooLate after the window,
    WrongStep, Invalid ``share.bad`` (signature, another set), ``share.wrong_parts`` (with the codes); before the first share also as
    ``stored.refuse_unready``; Conflict as ``signed_opening.require_listed``.
    """
    work.require(Act.SHARE_RELEASE)
    work.lock(opening)
    seat = officers.own_seat(work, opening.lot)
    OPENING_FLOW.check(opening, "decrypt")
    claims.require_none_open(work, opening.lot, opening.part)
    signed.refuse_first(opening.lot.ref, signed_opening.of_windows(work, opening))
    if work.now < opening.shares_from:
        raise TooEarly("share.too_early", now=work.now, shares_from=opening.shares_from)
    if work.now > opening.shares_until:
        raise TooLate("share.too_late", now=work.now, shares_until=opening.shares_until)
    if (first := _share_of(work.session, opening, seat.j)) is not None:
        if payload_of(envelope) == payload_of(json.loads(first.document)):
            return first
        raise Conflict("share.posted", j=seat.j)
    signed_opening.require_shared(work, opening)
    if not shares(work.session, opening):
        stored.refuse_unready(work, opening.lot, opening.part, to_open(work.session, opening), opening.listed_at)
    try:
        document = open_shares(envelope, unb64u(seat.sign_public, 32))
        if document["j"] != seat.j or parse_time(document["at"]) < opening.shares_from:
            raise CryptoError("CONTEXT_MISMATCH", "shares of another officer, or dated before claims end")
        answer = check_posted_shares(
            document,
            headers(work.session, opening),
            opening.set_hash,
            generations(work.session, opening),
            opening.left_sealed,
        )
    except CryptoError as error:
        raise Invalid("share.bad", reason=error.code, detail=error.detail) from error
    given = {item["header_hash"] for item in document["items"] if item["part"]}
    wrong = {
        name: code for name, (part, code) in answer.items() if name in given and not part
    }  # a complaint is no wrong part
    if wrong:
        raise Invalid("share.wrong_parts", codes=wrong)
    statement = keep_document(work, "shares", envelope, signed=True)
    entry = work.log(
        "shares", statement=statement, tender=opening.lot.tender.ref, lot=opening.lot.no_text, envelope=opening.part
    )
    share = Share(
        opening_id=opening.id,
        j=seat.j,
        document=envelope_text(envelope),
        c=entry.c,
        at=work.now,
        parts={name: b64u(part) for name, (part, _) in answer.items() if part},
        errors={name: code for name, (_, code) in answer.items() if code},
    )
    work.session.add(share)
    work.session.flush()
    fault("share.stored")
    work.record("share.release", opening.log_of, j=seat.j)
    return share


def extend_window(work: UnitOfWork, opening: Opening, *, reason: str) -> None:
    """Extend the share window once, by as much, with a reason. Refuses: NotAllowed, WrongStep, Conflict, Invalid."""
    work.require(Act.OPENING_HOST)
    work.lock(opening)
    OPENING_FLOW.check(opening, "decrypt")
    if opening.extended:
        raise Conflict("share.extended")
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    opening.shares_until += opening.shares_until - opening.shares_from
    opening.extended = reason.strip()
    work.record(
        "opening.extend", opening.log_of, until=opening.shares_until, envelope=opening.part, reason=reason.strip()
    )


def restart_window(work: UnitOfWork, opening: Opening) -> None:
    """After a claim that stopped the opening was settled: the window for shares runs anew from now, as long as the policy's."""
    window = timedelta(
        minutes=officers.policy_document(officers.current_policy(work.session, opening.lot, opening.part))["window"]
    )
    opening.shares_from = max(opening.shares_from, floor_second(work.now))
    opening.shares_until = opening.shares_from + window
    opening.version += 1


def _share_of(session: Session, row: Opening, j: int) -> Share | None:
    return session.scalar(select(Share).where(Share.opening_id == row.id, Share.j == j))

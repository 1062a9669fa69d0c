"""The opening list: every bid's verdict at once, officers' second signatures, bidders' confirmations, minutes, the end of the ceremony
(protocol §5 steps 5 and 6; rules X-09 and X-10, rulebook §5.2). How a verdict is found stands in decryption.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from crypto.canonical import unb64u
from crypto.documents import open_opened, sign_document
from crypto.errors import CryptoError
from crypto.signatures import payload_of
from trading.bidding import bids
from trading.custody import officers
from trading.kernel import audit
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.faults import fault
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork
from trading.opening import rulings, signed_opening
from trading.opening.ceremony import (
    CONFIRM,
    OPENING_FLOW,
    REMARKS,
    OpenedBid,
    Opening,
    OpeningRemark,
    answer_of,
    opened_bids,
    own_opened,
    remarks,
    signatures_wanted,
    words_of,
)
from trading.procedures import procedure_of
from trading.tendering import notices, terms
from trading.tendering.tenders import LOT_FLOW


@dataclass(frozen=True)
class BidVerdict:
    """What decryption found of one bid: everything an OpenedBid row holds."""

    header_hash: str
    verdict: str
    cause: str
    announce: dict[str, str]
    price_minor: int | None
    form_faults: list[dict[str, Any]]
    files: list[dict[str, Any]]
    seed: bytes
    item: dict[str, Any]


def record_opened(work: UnitOfWork, opening: Opening, verdicts: list[BidVerdict]) -> None:
    """Write the outcome of every bid and the signed opening list, all at once (decryption.open_bids calls it after the long work).

    Refuses: NotAllowed, WrongStep, Conflict when the list was written meanwhile.
    """
    work.require(Act.OPENING_HOST)
    work.lock(opening)
    if opening.opened is not None:
        raise Conflict("opening.opened")
    parties = bids.standing_facts(work.session, opening.lot, opening.part, bids.SealedBid.party_id)
    rows = [
        {
            "opening_id": opening.id,
            "lot_id": opening.lot_id,
            "party_id": parties[one.header_hash][0],
            "header_hash": one.header_hash,
            "verdict": one.verdict,
            "cause": one.cause,
            "announce": one.announce,
            "price_minor": one.price_minor,
            "form_faults": one.form_faults,
            "files": one.files,
            "seed": one.seed,
        }
        for one in verdicts
    ]
    if rows:
        work.session.execute(insert(OpenedBid), rows)
    document = {
        "v": 1,
        "at": write_moment(floor_second(work.now)),
        "set": opening.set_hash,
        "bids": [one.item for one in verdicts],
    }
    opening.opened = dict(sign_document("opened", document, work.office.keys.signing))
    opening.opened_at = work.now
    opening.confirm_until = work.now + CONFIRM
    fault("opening.recorded")
    OPENING_FLOW.take(
        work,
        opening,
        "decrypt",
        opened=sum(1 for one in verdicts if one.verdict == "opened"),
        failed=[one.verdict for one in verdicts if one.verdict != "opened"],
    )


def countersign(work: UnitOfWork, opening: Opening, envelope: Any) -> None:
    """An officer who came signs the opening list after its client repeated the re-derivation. ``envelope``: the list with the officer's
    signature added. Refuses: NotAllowed, WrongStep, Invalid ``opening.bad_signature``, Conflict as ``signed_opening.require_signable``."""
    work.require(Act.OPENING_SIGN)
    work.lock(opening)
    if opening.opened is None or opening.state != "OPENED":
        raise WrongStep("opening.not_opened", state=opening.state)
    signed_opening.require_signable(work, opening)
    seat = officers.own_seat(work, opening.lot)
    try:
        if payload_of(envelope) != payload_of(opening.opened):
            raise CryptoError("CONTEXT_MISMATCH", "another opening list")
        mine = [s for s in envelope["signatures"] if s["keyid"] == seat.sign_kid]
        known = {s["keyid"] for s in opening.opened["signatures"]}
        merged = {
            **opening.opened,
            "signatures": [*opening.opened["signatures"], *([] if seat.sign_kid in known else mine)],
        }
        keys = [unb64u(s.sign_public, 32) for s in officers.seats(work.session, opening.lot)]
        open_opened(merged, work.office.keys.public, keys, len(merged["signatures"]) - 1)
        if not mine:
            raise CryptoError("SIG", "your signature is not there")
    except (CryptoError, KeyError, TypeError) as error:
        raise Invalid("opening.bad_signature", reason=getattr(error, "code", "SIG")) from error
    opening.opened = merged
    opening.version += 1
    work.record("opening.countersign", opening.log_of, j=seat.j)


def sign_minutes(work: UnitOfWork, opening: Opening, *, minutes: str) -> None:
    """Close the record: enough officers have countersigned, the confirmation window is over or everybody has confirmed, every objection
    is answered. ``minutes``: blob of the minutes paper. The opening list becomes a logged, public document.

    Refuses: NotAllowed, WrongStep, TooEarly (signatures missing, window running), Conflict ``opening.unanswered``,
    ``signed.differs`` (as ``signed_opening.require_signable``, and a signature under the list that no officer of the policy gave).
    """
    work.require(Act.OPENING_SIGN)
    work.lock(opening)
    OPENING_FLOW.check(opening, "sign")
    assert opening.opened is not None and opening.confirm_until is not None
    signed_opening.require_signable(work, opening)
    _require_signatures(work, opening)
    came = len(opening.opened["signatures"]) - 1
    if came < signatures_wanted(work.session, opening):
        raise TooEarly("opening.signatures_missing", came=came, needed=signatures_wanted(work.session, opening))
    said = remarks(work.session, opening)
    waited_for = len(opened_bids(work.session, opening)) - len(opening.left_sealed)
    if work.now < opening.confirm_until and len({r.party_id for r in said}) < waited_for:
        raise TooEarly("opening.confirm_running", until=opening.confirm_until, now=work.now)
    if any(r.kind == "objection" and r.answered_at is None for r in said):
        raise Conflict("opening.unanswered")
    statement = keep_document(work, "opened", opening.opened, signed=True)
    entry = work.log(
        "opened", statement=statement, tender=opening.lot.tender.ref, lot=opening.lot.no_text, envelope=opening.part
    )
    opening.opened_c, opening.minutes = entry.c, minutes
    OPENING_FLOW.take(work, opening, "sign", minutes=minutes)


def _require_signatures(work: UnitOfWork, opening: Opening) -> None:
    """That each signature under the opening list is the platform's or an officer's of the policy in force, each once."""
    assert opening.opened is not None
    keys = [unb64u(seat.sign_public, 32) for seat in officers.seats(work.session, opening.lot)]
    try:
        open_opened(opening.opened, work.office.keys.public, keys, len(opening.opened["signatures"]) - 1)
    except CryptoError as error:
        raise Difference("opening", str(opening.id), "opened", opening.set_c, error.code, "").refusal(
            opening.lot.ref
        ) from error


def close(work: UnitOfWork, opening: Opening) -> None:
    """Publish the opening record and hand the lot on to the first review of its procedure; a tender none of whose bids is left has failed.
    After the prices of two envelopes the evaluation, which waits for them, goes on.

    Refuses: NotAllowed, WrongStep, Conflict as ``signed_opening.require_signable``.
    """
    work.require(Act.OPENING_HOST)
    lot = opening.lot
    work.lock(lot)
    OPENING_FLOW.check(opening, "close")
    signed_opening.require_signable(work, opening)
    OPENING_FLOW.take(work, opening, "close")
    body = {
        "opened": opening.opened_c or "",
        "envelope": opening.part,
        "bids": [
            {"bidder": o.party.name, "verdict": o.verdict, "announce": o.announce}
            for o in opened_bids(work.session, opening)
        ],
    }
    fault("opening.closed")
    notices.post(work, lot, "opening_record", title=lot.title, body=body)
    if opening.part != officers.BID:
        return
    if (ground := none_left(work.session, opening)) is None:
        LOT_FLOW.take(work, lot, procedure_of(lot).after_opening)
        return
    lot.failure, lot.failure_reason = ground
    LOT_FLOW.take(work, lot, "fail_opening", ground=lot.failure, rule=lot.failure_reason)
    notices.post(work, lot, "failure", title=lot.title, body={"ground": lot.failure, "rule": lot.failure_reason})


def none_left(session: Session, opening: Opening) -> tuple[str, str] | None:
    """(ground, rule) of a tender that fails with its opening, None where there is a bid to go on with. Works go on with one bid left of
    three received (B-07); where no bid could be opened there is nothing to judge, whoever's fault it was (X-09). A government procurement
    left with one or two is for the review of qualification (B-01). A lone envelope, which stays sealed, was no bid."""
    found = [bid for bid in opened_bids(session, opening) if bid.header_hash not in opening.left_sealed]
    ruled = rulings.of_opening(session, opening.id)
    causes = [ruled[bid.header_hash].cause if bid.header_hash in ruled else bid.cause for bid in found]
    minimum = procedure_of(opening.lot).minimum
    if minimum.all_revoked(terms.book(opening.lot), len(found), causes.count("bidder")):
        return "all_revoked", str(minimum.at_deadline)
    return None if any(bid.verdict == "opened" for bid in found) else ("none_opened", "X-09")


def remark(work: UnitOfWork, opening: Opening, *, kind: str, text: str = "") -> OpeningRemark:
    """A bidder confirms its line or objects, within the window. Refuses: NotAllowed, NotFound (did not bid), WrongStep, TooLate,
    Conflict (said already), Invalid (objection without words)."""
    work.require(Act.OPENING_CONFIRM)
    if own_opened(work, opening) is None:
        raise NotFound("opening.not_yours")
    if opening.confirm_until is None or opening.state != "OPENED":
        raise WrongStep("opening.not_opened", state=opening.state)
    if work.now > opening.confirm_until:
        raise TooLate("opening.confirm_over", until=opening.confirm_until, now=work.now)
    if kind not in REMARKS or (kind == "objection" and not text.strip()):
        raise Invalid("form.required", field="text")
    if any(r.party_id == work.actor.party_id and r.kind == kind for r in remarks(work.session, opening)):
        raise Conflict("opening.said")
    row = OpeningRemark(opening_id=opening.id, party_id=work.actor.party_id, kind=kind, text=text.strip(), at=work.now)
    work.session.add(row)
    work.session.flush()
    work.session.refresh(row)
    work.record(f"opening.{kind}", opening.log_of, envelope=opening.part, bound=audit.hide(words_of(row)))
    return row


def answer_remark(work: UnitOfWork, remark_row: OpeningRemark, opening: Opening, *, text: str) -> None:
    """The host answers an objection on the spot. Refuses: NotAllowed, Invalid."""
    work.require(Act.OPENING_HOST)
    if not text.strip():
        raise Invalid("form.required", field="text")
    remark_row.answer, remark_row.answered_at = text.strip(), work.now
    work.record("opening.answer", opening.log_of, envelope=opening.part, bound=audit.hide(answer_of(remark_row)))

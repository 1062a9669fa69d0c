"""Who bid is published: the opening set, signed and logged, with what of it stays sealed (protocol §5 step 1; rule X-07)."""

from __future__ import annotations

from datetime import timedelta

from crypto.canonical import unb64u
from crypto.documents import sign_document
from crypto.opening import LEFT_SEALED, make_opening_set, set_id
from trading.availability import deadline_faults
from trading.bidding import bids, claims, closing, late_close
from trading.custody import officers
from trading.kernel import log
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, NotFound, TooEarly, WrongStep
from trading.kernel.faults import fault
from trading.kernel.work import UnitOfWork
from trading.opening import signed_opening, technical
from trading.opening.ceremony import OPENS_IN, Opening, find, opened_bids
from trading.remedies import complaints, disputes
from trading.tendering.tenders import Lot


def list_bids(work: UnitOfWork, lot: Lot, part: str = officers.BID) -> Opening:
    """Publish who bid: the opening set, signed and logged (protocol §5 step 1); of two envelopes the price's only once the technical
    result is fixed. What stays sealed is named with it, each in a logged ``bid-failed``.

    Refuses: NotAllowed, WrongStep (not closed, or failed; ``opening.technical_first``; held by a fault before the deadline), TooEarly
    (closing tick not sealed, ``opens_at``, a late closing not confirmed), NotFound ``policy.missing`` (no such envelope), Conflict
    (published already; ``claim.open``: a claim of omission waits; ``objection.open``: one to the documents is not answered; and as
    ``signed_opening.require_listed``).
    """
    work.require(Act.OPENING_HOST)
    work.lock(lot)
    if part not in officers.bid_envelopes(lot):
        raise NotFound("policy.missing", ref=lot.ref, envelope=part)
    if part == officers.PRICE and technical.find(work.session, lot) is None:
        raise WrongStep("opening.technical_first", ref=lot.ref)
    if lot.state != OPENS_IN[part]:
        raise WrongStep("opening.lot_state", state=lot.state)
    if find(work.session, lot, part) is not None:
        raise Conflict("opening.listed")
    signed_opening.require_listed(work, lot)
    row = closing.closing(work.session, lot, part)
    policy = officers.current_policy(work.session, lot, part)
    if work.now < policy.opens_at:
        raise TooEarly("opening.too_early", now=work.now, opens_at=policy.opens_at)
    if log.tick_of(work.session, row.deadline_c) is None:
        raise TooEarly("closing.not_sealed", ref=lot.ref)
    claims.require_none_open(work, lot, part)
    complaints.refuse_suspended(work, lot)
    disputes.refuse_opening(work.session, lot)
    if late_close.is_awaited(work.session, lot, row, policy.deadline):
        raise TooEarly("closing.late_needs_supervisor", closing=row.tick_at, deadline=policy.deadline)
    if part != officers.PRICE:
        deadline_faults.refuse_held(work.session, lot, work.now)
    standing = bids.standing_bids(work.session, lot, part)
    listed = sorted(
        ({"entry": b.c, "header_hash": b.header_hash, "statement": b.statement} for b in standing),
        key=lambda item: unb64u(item["header_hash"]),
    )
    document = make_opening_set(
        officers.policy_document(policy),
        at=write_moment(floor_second(work.now)),
        deadline_entry=unb64u(row.deadline_c),
        bids=listed,
    )
    envelope = sign_document("opening-set", document, work.office.keys.signing)
    statement = keep_document(work, "opening-set", envelope, signed=True)
    entry = work.log("opening-set", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope=part)
    begins = max(closing.claims_end(row, policy.opens_at), floor_second(work.now))
    window = timedelta(minutes=officers.policy_document(policy)["window"])
    if officers.policy_document(policy)[
        "co_opening"
    ]:  # bidders' own parts first, for a window from the tick of the set (step 3)
        begins = max(begins, entry.tick_by + window)
    opening = Opening(
        lot_id=lot.id,
        part=part,
        opening_set=dict(envelope),
        set_hash=set_id(document),
        set_c=entry.c,
        bids=listed,
        listed_at=work.now,
        shares_from=begins,
        shares_until=begins + window,
    )
    opening.lot = lot
    opening.left_sealed = _leave_sealed(work, opening)
    work.session.add(opening)
    work.session.flush()
    fault("opening.listed")
    work.record(
        "opening.list",
        lot.log_of,
        bids=len(listed),
        envelope=part,
        left_sealed=len(opening.left_sealed),
        shares_from=begins,
        shares_until=begins + window,
    )
    return opening


def _leave_sealed(work: UnitOfWork, opening: Opening) -> dict[str, dict[str, str]]:
    """Name what of a set stays sealed, in documents of the platform that are logged before any share."""
    lot, first = opening.lot, find(work.session, opening.lot) if opening.part != officers.BID else None
    causes = {one.party_id: one.cause for one in opened_bids(work.session, first)} if first is not None else {}
    found: dict[str, dict[str, str]] = {}
    for left in technical.left_sealed(work.session, lot, opening.part, causes):
        document = {
            "v": 1,
            "at": write_moment(floor_second(work.now)),
            "set": opening.set_hash,
            "header_hash": left.bid.header_hash,
            "code": LEFT_SEALED,
            "cause": left.cause,
        }
        statement = keep_document(
            work, "bid-failed", sign_document("bid-failed", document, work.office.keys.signing), signed=True
        )
        entry = work.log(
            "bid-failed",
            statement=statement,
            tender=lot.tender.ref,
            lot=lot.no_text,
            envelope=opening.part,
            reason=LEFT_SEALED,
        )
        found[left.bid.header_hash] = {"ground": left.ground, "cause": left.cause, "c": entry.c, "statement": statement}
    return found

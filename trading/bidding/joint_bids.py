"""Acts of a consortium before its bid: named by the lead, signed by every member, left by any of them while no bid stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from crypto import signatures
from crypto.canonical import dumps
from crypto.errors import CryptoError
from trading.bidding import bids, participants
from trading.bidding.consortia import KIND, Consortium, ConsortiumMember, agreement, bound_to, led_by
from trading.custody import officers
from trading.kernel import audit, ids
from trading.kernel.access import Act
from trading.kernel.clock import write_moment
from trading.kernel.errors import Conflict, Faults, Invalid, NotFound, TooLate, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties import enrolments, parties
from trading.parties.parties import Party, own_party
from trading.procedures import procedure_of
from trading.tendering.projects import is_of
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class Named:
    """A member as the lead names it: credit code, what it does, its share of the work in whole percent."""

    code: str
    work: str
    share: int


def propose(work: UnitOfWork, lot: Lot, named: Sequence[Named]) -> Consortium:
    """The lead names the members, itself first, each with its work and share. It binds nobody before they sign; naming anew dissolves the
    lead's own draft.

    Refuses: NotAllowed, NotFound (not taking part), WrongStep, TooLate, Conflict ``consortium.elsewhere``, ``consortium.own_bid``,
    ``consortium.signed``, Invalid (every field; shares that are not 100 together).
    """
    lead = _open(work, lot)
    participants.own(work, lot)
    if lot.consortium_most < 2:
        raise WrongStep("consortium.not_accepted", ref=lot.ref)
    _check_free(work, lot, lead, None)
    found = _check_named(work, lot, lead, named)
    if (old := led_by(work.session, lot, lead.id)) is not None:
        if old.state == "SIGNED":
            raise Conflict("consortium.signed", ref=lot.ref)
        _end(work, old)
    document = {
        "v": 1,
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "lead": lead.code,
        "at": write_moment(work.now),
        "members": [
            {"party": party.code, "name": party.name, "work": one.work.strip(), "share": one.share}
            for party, one in zip(found, named, strict=True)
        ],
    }
    new = Consortium(
        lot_id=lot.id,
        lead_id=lead.id,
        ref=ids.new_reference(),
        state="DRAFT",
        document=dumps(document).decode(),
        signed="",
        made_at=work.now,
        ended_at=None,
    )
    work.session.add(new)
    work.session.flush()
    work.session.add_all(
        ConsortiumMember(
            consortium_id=new.id,
            lot_id=lot.id,
            party_id=party.id,
            place=place,
            work=one.work.strip(),
            share=one.share,
            signature="",
            signed_at=None,
            binding=False,
        )
        for place, (party, one) in enumerate(zip(found, named, strict=True))
    )
    work.session.flush()
    work.session.refresh(new)
    work.record("consortium.propose", lot.log_of, account=lead.code)
    return new


def shares_hold(shares: Sequence[int]) -> bool:
    """Whether shares of the work are whole percents of at least one that make a hundred."""
    return all(one >= 1 for one in shares) and sum(shares) == 100


def _check_named(work: UnitOfWork, lot: Lot, lead: Party, named: Sequence[Named]) -> list[Party]:
    faults = Faults()
    if not 2 <= len(named) <= lot.consortium_most:
        faults.add("members", "consortium.count", least=2, most=lot.consortium_most)
    if not named or named[0].code != lead.code:
        faults.add("members", "consortium.lead_first", lead=lead.code)
    if len({one.code for one in named}) != len(named):
        faults.add("members", "consortium.twice")
    if not shares_hold([one.share for one in named]):
        faults.add("members", "consortium.shares", total=sum(one.share for one in named))
    found = []
    for place, one in enumerate(named):
        if not one.work.strip():
            faults.add(f"work.{place}", "form.required")
        try:
            party = parties.party_by_code(work.session, one.code)
        except NotFound:
            faults.add(f"code.{place}", "consortium.no_bidder", firm=one.code)
            continue
        if party.kind != "bidder" or is_of(lot.project, party.id):
            faults.add(f"code.{place}", "consortium.no_bidder", firm=one.code)
        found.append(party)
    faults.refuse_if_any()
    return found


def sign(work: UnitOfWork, row: Consortium, envelope: object) -> Consortium:
    """A member's signer signs the agreement with the firm's enrolled key: from then on that party is bound. With the last signature the
    consortium stands and the lead may hand in its bid. ``envelope``: the agreement with that one signature.

    Refuses: NotAllowed, NotFound (not named; no key enrolled), WrongStep, TooLate, Conflict ``consortium.signed_already``,
    ``consortium.elsewhere``, ``consortium.own_bid``, Invalid ``consortium.signature``.
    """
    party = _open(work, row.lot)
    mine = _own(row, party)
    if row.state != "DRAFT" or mine.signed_at is not None:
        raise Conflict("consortium.signed_already")
    _check_free(work, row.lot, party, row)
    key = enrolments.standing_key(work.session, party.code, "bidder")
    try:
        if signatures.verify(envelope, KIND, enrolments.sign_bytes(key)) != agreement(row):
            raise CryptoError("CONTEXT_MISMATCH", "another agreement")
    except CryptoError as error:
        raise Invalid("consortium.signature", reason=error.code) from error
    mine.signature, mine.signed_at, mine.binding = json.dumps(envelope, sort_keys=True), work.now, True
    work.session.flush()
    work.record("consortium.sign", row.lot.log_of, account=party.code)
    if all(one.signed_at is not None for one in row.members):
        parts = [json.loads(one.signature) for one in row.members]
        whole = parts[0] | {"signatures": [part["signatures"][0] for part in parts]}
        row.signed, row.state = audit.envelope_text(whole), "SIGNED"
        work.session.flush()
    return row


def leave(work: UnitOfWork, row: Consortium) -> None:
    """A member, or the lead, does not go on: the consortium ends for all, who are free again. Not after a bid was handed in for it.

    Refuses: NotAllowed, NotFound, WrongStep, TooLate, Conflict ``consortium.bid_stands`` (the lead withdraws it first).
    """
    party = _open(work, row.lot)
    _own(row, party)
    if row.state == "DISSOLVED":
        raise Conflict("consortium.ended")
    if _has_bid(work, row.lot, row.lead):
        raise Conflict("consortium.bid_stands", lead=row.lead.name)
    _end(work, row)
    work.record("consortium.leave", row.lot.log_of, account=party.code)


# --- pieces -----------------------------------------------------------------------------------------------------------------------


def _open(work: UnitOfWork, lot: Lot) -> Party:
    work.require(Act.BID_SUBMIT)
    work.lock(lot)
    if lot.state not in ("NOTICE", "BIDDING"):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    if lot.deadline is None or work.now >= lot.deadline:
        raise TooLate("lot.deadline_past", deadline=lot.deadline, now=work.now)
    return own_party(work)


def _own(row: Consortium, party: Party) -> ConsortiumMember:
    found = next((one for one in row.members if one.party_id == party.id), None)
    if found is None:
        raise NotFound("consortium.unknown")
    return found


def _has_bid(work: UnitOfWork, lot: Lot, party: Party) -> bool:
    taking = participants.find(work.session, lot, party)
    return taking is not None and any(
        bids.standing(work.session, taking.id, part) for part in officers.bid_envelopes(lot)
    )


def _check_free(work: UnitOfWork, lot: Lot, party: Party, but: Consortium | None) -> None:
    """Told to the party itself alone: whether others bid alone is nobody's business before the opening."""
    bound = bound_to(work.session, lot, party.id)
    if bound is not None and bound is not but and bound.lead_id != party.id:
        raise Conflict("consortium.elsewhere", lead=bound.lead.name, rule=procedure_of(lot).consortium)
    if but is not None and bound is not None and bound is not but:
        raise Conflict("consortium.elsewhere", lead=bound.lead.name, rule=procedure_of(lot).consortium)
    if _has_bid(work, lot, party):
        raise Conflict("consortium.own_bid", rule=procedure_of(lot).consortium)


def _end(work: UnitOfWork, row: Consortium) -> None:
    row.state, row.ended_at = "DISSOLVED", work.now
    for one in row.members:
        one.binding = False
    work.session.flush()

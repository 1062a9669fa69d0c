"""What follows in law from how a bid was opened, or was not (rule X-09; rulebook §5.2; vectors ``etender.decrypt_outcome``). Reading only.

Law of the noun: a bidder's own fault counts as revocation (撤销): the deposit may be withheld, by a decision; anybody else's as withdrawal
(撤回): the deposit goes back at once and the direct loss may be claimed; while the cause is unknown the money is held and nothing follows.
Deposits, pages and papers all read it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from trading.bidding import claims
from trading.bidding.claims import Claim
from trading.custody import officers
from trading.opening import ceremony, findings, rulings
from trading.opening.findings import BoxFinding
from trading.opening.rules import DecryptOutcome, decrypt_outcome
from trading.opening.rulings import Ruling
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class Effect:
    """On one bidder. ``cause``: the decided one ("" if opened); ``since``: when it took effect; ``ruling``, ``claim``: what decided it,
    where the opening itself did not; ``awaits_finding``: the platform lost the bid and the supervisory body has not found on it yet;
    ``finding``: what it found then."""

    party_id: int
    header_hash: str
    code: str
    cause: str
    outcome: DecryptOutcome
    since: datetime
    ruling: Ruling | None = None
    claim: Claim | None = None
    awaits_finding: bool = False
    finding: BoxFinding | None = None


def of_lot(session: Session, lot: Lot, part: str = officers.BID) -> list[Effect]:
    """The effect on every bidder of the set, in its order, then on those whose omission was upheld. Empty before the verdicts are shown."""
    found: list[Effect] = []
    row = ceremony.find(session, lot, part)
    if row is not None and row.opened_at is not None:
        ruled = rulings.of_opening(session, row.id)
        lost = {bid.id: finding for _, bid, finding in findings.lost(session, lot)}
        for bid in ceremony.opened_bids(session, row):
            if bid.header_hash in row.left_sealed:
                continue  # not to be opened: nothing follows from that
            ruling = ruled.get(bid.header_hash)
            cause = ruling.cause if ruling else bid.cause
            found.append(
                Effect(
                    bid.party_id,
                    bid.header_hash,
                    bid.verdict,
                    cause,
                    decrypt_outcome(None if bid.verdict == "opened" else cause or "unknown"),
                    ruling.at if ruling else row.opened_at,
                    ruling,
                    awaits_finding=bid.id in lost and lost[bid.id] is None,
                    finding=lost.get(bid.id),
                )
            )
    shown = {one.party_id for one in found}
    for claim in claims.of_lot(session, lot, part):
        if claim.outcome == "upheld" and claim.settled_at is not None and claim.party_id not in shown:
            found.append(
                Effect(
                    claim.party_id,
                    "",
                    claim.code,
                    "platform",
                    decrypt_outcome("platform"),
                    claim.settled_at,
                    claim=claim,
                )
            )
    return found


def of_party(session: Session, lot: Lot, party_id: int | None, part: str = officers.BID) -> Effect | None:
    """The effect on one bidder, None while there is none."""
    return next((one for one in of_lot(session, lot, part) if one.party_id == party_id), None)

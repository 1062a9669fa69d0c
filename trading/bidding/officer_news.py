"""What those concerned learn of new opening officers: a message to everybody at once, and to a bidder what became of its own bid.

Law of the noun: the message goes to all who take part, whether they have bid or not, so that it tells nobody who has. What becomes of a
bid its own bidder alone is told; nobody else may learn that there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import unb64u
from crypto.headers import parse_header
from crypto.policy_lines import generation_of
from trading.bidding import bids
from trading.bidding.bids import SealedBid
from trading.bidding.participants import Participant
from trading.custody import officers
from trading.custody.officers import PAST, STANDING, PolicyChange
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Party
from trading.tendering.tenders import Lot

NEWEST, KEPT, DEAD = "newest", "kept", "dead"


@dataclass(frozen=True)
class OwnBid:
    """A bidder's own standing bid of one envelope: under the officers of now (``newest``), under earlier ones who can still open it
    (``kept``), or ``dead``."""

    part: str
    bid: SealedBid
    state: str


def own_bids(view: View, participant: Participant) -> list[OwnBid]:
    """What became of the own bids of who looks. Nothing while officers were never replaced."""
    found = []
    for part in officers.bid_envelopes(participant.lot):
        line = officers.policy_chain(view.session, participant.lot, part)
        standing = bids.standing(view.session, participant.id, part) if len(line) > 1 else None
        if standing is None:
            continue
        generations = officers.generations(view.session, participant.lot, part)
        mine = generation_of(generations, parse_header(unb64u(standing.bid.header)).ctx["policy"])
        if len(generations) > 1:
            found.append(
                OwnBid(part, standing.bid, NEWEST if mine is generations[-1] else KEPT if mine.alive else DEAD)
            )
    return found


def last_change(session: Session, lot: Lot) -> PolicyChange | None:
    """The last time officers of a lot were replaced after its publication."""
    done = [one for one in officers.changes_of(session, lot) if one.kind == "officers" and one.state == "DONE"]
    return done[-1] if done else None


def tell(work: UnitOfWork, lot: Lot) -> bool:
    """The clock tells everybody of a change that was made: who takes part, purchaser, agency, officers old and new, the supervisory body.
    Whether there was one to tell."""
    told = False
    for change in officers.changes_of(work.session, lot):
        if change.kind != "officers" or change.state != "DONE" or change.told_at is not None:
            continue
        template = "officers.changed_dead" if change.plan["dies"] else "officers.changed"
        for party in sorted(set(_concerned(work.session, lot))):
            work.send(f"officers/{change.id}/{party}", to=f"party:{party}", template=template, lot=lot.ref)
        change.told_at, told = work.now, True
    return told


def _concerned(session: Session, lot: Lot) -> Iterator[int]:
    yield from session.scalars(
        select(Participant.party_id).where(Participant.lot_id == lot.id, Participant.withdrawn_at.is_(None))
    )
    yield lot.project.purchaser_id
    if lot.project.agency_id is not None:
        yield lot.project.agency_id
    yield from (seat.account.party_id for stage in (STANDING, PAST) for seat in officers.seats(session, lot, stage))
    yield from session.scalars(select(Party.id).where(Party.kind == "supervisor"))

"""When a deposit becomes due: the facts of the procedure, pulled from below (rules D-20 to D-28). Reading only.

Law of the noun: the first event that gives money back decides, whoever notices it and whenever; an event never looks at who the bidder
is. A bid whose failure is nobody's known fault waits for a ruling (``hold``) as long as the tender lives; one that failed by the bidder's
own fault waits for the award like any other loser: whether such money is kept is a decision (forfeits.py), not a timer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from deposits.demands import DepositDemand
from deposits.refunds import rules
from trading.awarding import awards, contracts
from trading.bidding import bids, withdrawals
from trading.custody import officers
from trading.hall import legal_effects
from trading.kernel.calendar import local_day
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.procedures.procedure import ANNOUNCED, SIGNED
from trading.rulebook import calendars
from trading.tendering import notices, terms
from trading.tendering.tenders import Lot

WITHDRAWN, TERMINATED, FAILED = "withdrawn_before_deadline", "tender_terminated", "tender_failed"
WINNER = "contract_signed_winner"
DEEMED_WITHDRAWN, NOT_ADMITTED, OVERPAID, STRANGER = "deemed_withdrawn", "not_admitted", "overpaid", "stranger"
AT_ONCE = {NOT_ADMITTED: "D-28", OVERPAID: "D-29", STRANGER: "D-29"}
"""Events for which the law names no days: rule id."""


@dataclass(frozen=True)
class Due:
    """``on``: the Beijing day the time runs from; ``by``: its last day; ``interest``: bank interest is owed; ``reason``: the counting."""

    event: str
    rule: str
    on: date
    by: date
    interest: bool
    reason: dict[str, Any]


@dataclass(frozen=True)
class LotFacts:
    """What is known of a lot that moves deposits. Days are Beijing days, None: has not happened.

    ``took_back``: party → day on which it withdrew its bid, where none stands: known once names are public or the lot is over, for until
    the deadline it may bid anew.

    From the opening (rule X-09): ``not_theirs`` party → day from which the bid counts as withdrawn, by no fault of its bidder;
    ``undecided``: the cause awaits a ruling; ``revoked``: not decrypted by their own fault, the deposit may be withheld.
    """

    lot: Lot
    ended: tuple[str, date] | None = None
    listed: date | None = None
    standing: frozenset[int] = frozenset()
    took_back: dict[int, date] = field(default_factory=dict)
    not_theirs: dict[int, date] = field(default_factory=dict)
    undecided: frozenset[int] = frozenset()
    revoked: frozenset[int] = frozenset()
    announced: date | None = None
    winner: int | None = None
    signed: date | None = None

    @property
    def public_on(self) -> date | None:
        """The day from which the payers may be seen."""
        days = [day for day in (self.listed, self.ended[1] if self.ended else None) if day is not None]
        return min(days, default=None)


def facts(session: Session, lot: Lot) -> LotFacts:
    """Everything of a lot that may set a deposit free."""
    ended = None
    if lot.failure is not None:
        kind, event = ("termination", TERMINATED) if lot.failure == "terminated" else ("failure", FAILED)
        told = notices.of_lot(session, lot, kind)
        ended = (event, local_day(told[-1].published_at)) if told else None
    row = ceremony.find(session, lot)
    award, contract = awards.find(session, lot), contracts.find(session, lot)
    following = [one for part in officers.bid_envelopes(lot) for one in legal_effects.of_lot(session, lot, part)]
    return LotFacts(
        lot,
        ended,
        listed=local_day(row.listed_at) if row is not None else None,
        standing=frozenset(bid.party_id for bid in bids.standing_bids(session, lot))
        if row is not None
        else frozenset(),
        took_back={party: local_day(at) for party, at in withdrawals.taken_back(session, lot).items()}
        if row is not None or ended is not None
        else {},
        not_theirs={one.party_id: local_day(one.since) for one in following if one.outcome.deposit == "refund"},
        undecided=frozenset(one.party_id for one in following if one.outcome.result == "ruling_required"),
        revoked=frozenset(one.party_id for one in following if one.outcome.deposit == "may_be_withheld"),
        announced=local_day(award.announced_at) if award is not None and award.announced_at is not None else None,
        winner=award.winner_party_id if award is not None else None,
        signed=local_day(contract.signed_at) if contract is not None else None,
    )


def event_of(known: LotFacts, demand: DepositDemand) -> tuple[str, date] | None:
    """The first event that sets this participant's deposit free, and its day; None while there is none, or the ruling that decides is
    awaited."""
    party, left = demand.participant.party_id, demand.participant.withdrawn_at
    found: list[tuple[str, date]] = []
    if left is not None:
        found.append((WITHDRAWN, local_day(left)))
    if party in known.took_back:
        found.append((WITHDRAWN, known.took_back[party]))
    if known.ended is not None:
        found.append(known.ended)
    if known.listed is not None and party not in known.standing:
        found.append((NOT_ADMITTED, known.listed))
    if party in known.not_theirs:
        found.append((DEEMED_WITHDRAWN, known.not_theirs[party]))
    if party in known.undecided and known.ended is None:
        return min(found, key=lambda one: one[1], default=None)
    days = {ANNOUNCED: known.announced, SIGNED: known.signed}
    for refund in procedure_of(known.lot).money.refunds:
        if (day := days[refund.on]) is not None and not (refund.losers and party == known.winner):
            found.append((refund.event, day))
    return min(found, key=lambda one: one[1], default=None)


def due(session: Session, lot: Lot, event: str, on: date) -> Due:
    """The last day for a refund, by the rulebook the lot was published under and the calendar of today.

    "Promptly" is the day itself. Refuses: Invalid calendar.year_unknown.
    """
    if event in AT_ONCE:
        return at_once(event, on)
    found = rules.refund_due(
        terms.book(lot), WITHDRAWN if event == DEEMED_WITHDRAWN else event, on, calendars.current(session)
    )
    reason = {"promptly": True} if found.term is None else found.term.facts()
    return Due(event, found.rule.also or found.rule.id, on, found.day or on, found.interest, reason)


def at_once(event: str, on: date) -> Due:
    return Due(event, AT_ONCE[event], on, on, False, {"promptly": True})

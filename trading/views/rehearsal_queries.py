"""What the clock of a rehearsal may go to: the next moments of its lots, and the deadline nobody jumps over.

Only moments that are public or the procedure's own: none of them says who bids, or whether anybody does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from trading.awarding.awards import Award
from trading.kernel.calendar import BEIJING, local_day
from trading.kernel.clock import floor_minute
from trading.kernel.errors import Conflict
from trading.kernel.work import View
from trading.remedies.disputes import Objection
from trading.rulebook import calendars
from trading.tendering.tenders import Lot

BEFORE = timedelta(minutes=2)
"""So long before a deadline the clock stops: people see it come, and the log takes its last ticks before it."""
AFTER = timedelta(minutes=2)
"""So long after it the clock stays: the closing is sealed by then."""
_AWARD = {
    "publicity": Award.publicity_until,
    "decide": Award.decide_by,
    "announce": Award.announce_by,
    "challenge": Award.challenge_until,
    "contract": Award.contract_by,
}
_DONE = ("ARCHIVED", "FAILED", "TERMINATED")


@dataclass(frozen=True)
class NextMoment:
    """``kind``: issue, clarify, deadline (that long ``BEFORE`` it), opening, publicity, decide, announce, challenge, contract,
    objection."""

    at: datetime
    kind: str
    ref: str
    title: str


def next_moment(view: View) -> NextMoment | None:
    """The nearest moment of any lot that is still to come."""
    return min((one for one in _moments(view) if one.at > view.now), key=lambda one: (one.at, one.ref), default=None)


def next_working_day(view: View) -> datetime:
    """The same time of day on the next working day."""
    calendar = calendars.current(view.session)
    day = calendar.add_working_days(local_day(view.now), 1)
    local = view.now.astimezone(BEIJING)
    return floor_minute(datetime.combine(day, local.time(), BEIJING))


def not_past(view: View) -> datetime | None:
    """The moment no move goes past: shortly before the next deadline for bids; None where no lot takes bids.

    Refuses: Conflict ``rehearsal.closing`` while a deadline comes or is being sealed."""
    deadlines = _deadlines(view)
    for deadline, ref in deadlines:
        if _closes(deadline, view.now):
            raise Conflict("rehearsal.closing", ref=ref)
    return next((deadline - BEFORE for deadline, _ref in deadlines if view.now < deadline - BEFORE), None)


def is_closing(view: View) -> bool:
    """Whether a deadline for bids comes or is being sealed."""
    return any(_closes(deadline, view.now) for deadline, _ref in _deadlines(view))


def _closes(deadline: datetime, now: datetime) -> bool:
    return deadline - BEFORE <= now < deadline + AFTER


def _deadlines(view: View) -> list[tuple[datetime, str]]:
    rows = view.session.execute(
        select(Lot.deadline, Lot.ref).where(Lot.state.in_(("NOTICE", "BIDDING", "OPENING")), Lot.deadline.is_not(None))
    )
    return sorted((deadline, ref) for deadline, ref in rows if deadline is not None)


def _moments(view: View) -> Iterator[NextMoment]:
    lots = select(Lot.ref, Lot.title, Lot.issue_at, Lot.clarify_until, Lot.deadline, Lot.opens_at)
    rows = view.session.execute(lots.where(Lot.published_at.is_not(None), Lot.state.not_in(_DONE)))
    for ref, title, issue, clarify, deadline, opens in rows:
        moments = {
            "issue": issue,
            "clarify": clarify,
            "deadline": None if deadline is None else deadline - BEFORE,
            "opening": opens if opens is not None and deadline is not None and opens > deadline + AFTER else None,
        }
        yield from (NextMoment(at, kind, ref, title) for kind, at in moments.items() if at is not None)
    awards = select(Lot.ref, Lot.title, *_AWARD.values()).join(Lot, Lot.id == Award.lot_id)
    for ref, title, *found in view.session.execute(awards.where(Lot.state.not_in(_DONE))):
        yield from (NextMoment(at, kind, ref, title) for kind, at in zip(_AWARD, found, strict=True) if at is not None)
    asked = select(Lot.ref, Lot.title, Objection.due_at).join(Lot, Lot.id == Objection.lot_id)
    for ref, title, at in view.session.execute(asked.where(Objection.state == "FILED")):
        yield NextMoment(at, "objection", ref, title)

"""What the system administrator reads: steps of the clock that are overdue, and deadlines for which the platform must be well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from trading import timeline
from trading.kernel.work import View
from trading.tendering.tenders import Lot

SLACK = timedelta(seconds=30)
"""A step is overdue when the clock has not taken it for so long."""


@dataclass(frozen=True)
class OverdueStep:
    """``what`` the clock should have done ``since`` then, on the lot of this reference."""

    what: str
    lot: str
    since: datetime


@dataclass(frozen=True)
class ComingDeadline:
    ref: str
    title: str
    deadline: datetime | None


def overdue_steps(view: View) -> list[OverdueStep]:
    """Steps of the clock that should have been taken, earliest first."""
    steps = [one for one in timeline.due(view.session, view.now) if view.now - one.since > SLACK]
    if not steps:
        return []
    lots = select(Lot.id, Lot.ref).where(Lot.id.in_({one.lot_id for one in steps}))
    refs = dict(view.session.execute(lots).all())
    return [OverdueStep(one.what, refs[one.lot_id], one.since) for one in steps]


def coming_deadlines(view: View, limit: int = 8) -> list[ComingDeadline]:
    """Lots whose deadline comes next."""
    rows = (
        select(Lot.ref, Lot.title, Lot.deadline)
        .where(Lot.state.in_(("NOTICE", "BIDDING")), Lot.deadline >= view.now)
        .order_by(Lot.deadline, Lot.id)
        .limit(limit)
    )
    return [ComingDeadline(ref, title, deadline) for ref, title, deadline in view.session.execute(rows)]

"""The platform's own results as records for the savings report (rules ST-01 to ST-11): one for each announced award and each ended round.

Only what has been published counts: an award from its result notice on, a failure or termination from its notice on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from trading.awarding.awards import Award
from trading.kernel.calendar import local_day
from trading.parties.parties import Party
from trading.reports.savings import AWARDED, FAILED, TERMINATED
from trading.tendering.notices import Notice
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender

_ENDS = {"failure": FAILED, "termination": TERMINATED}


def records(session: Session) -> Iterator[dict[str, Any]]:
    """Mappings with the fields of ``savings.Row``, amounts in fen, by the day of the result. Read in one query, row by row."""
    purchaser, agency = aliased(Party), aliased(Party)
    ended = (
        select(Notice.lot_id, Notice.kind, func.min(Notice.published_at).label("at"))
        .where(Notice.kind.in_(("result", *_ENDS)))
        .group_by(Notice.lot_id, Notice.kind)
        .subquery()
    )
    rows = (
        select(
            Lot.ref,
            Lot.currency,
            Lot.budget_minor,
            Award.price_minor,
            ended.c.kind,
            ended.c.at,
            Project.code,
            Project.ref,
            Project.regime,
            Project.category,
            Project.method,
            Project.region,
            purchaser.name,
            agency.name,
        )
        .select_from(ended)
        .join(Lot, Lot.id == ended.c.lot_id)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .join(purchaser, purchaser.id == Project.purchaser_id)
        .outerjoin(agency, agency.id == Project.agency_id)
        .outerjoin(Award, and_(Award.lot_id == Lot.id, Award.announced_at.is_not(None)))
        .order_by(ended.c.at, Lot.id)
    )
    for (
        ref,
        currency,
        budget,
        price,
        kind,
        at,
        code,
        project,
        regime,
        category,
        method,
        region,
        buyer,
        agent,
    ) in session.execute(rows):
        awarded = kind == "result"
        yield {
            "id": ref,
            "budget": budget,
            "award": price if awarded else None,
            "status": AWARDED if awarded else _ENDS[kind],
            "price_form": "total",
            "date": local_day(at),
            "currency": currency,
            "project": code or project,
            "regime": regime,
            "category": category,
            "method": method,
            "purchaser": buyer,
            "agency": agent,
            "region": region or None,
        }

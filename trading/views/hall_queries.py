"""Which openings there are and at which step each stands: for the hall's lists, its key holders, and several lots opened together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import select

from trading.custody.officers import OfficerSeat
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.opening import ceremony
from trading.opening.technical import TechnicalResult
from trading.tendering.tenders import Lot, Tender
from trading.views import lot_cards
from trading.views.lot_cards import LotCard

BEFORE, SHUT, FAILED = "BEFORE", "SHUT", "FAILED"
"""Steps of a lot that has no opening: still sealed; intake is over and the set not published; it failed."""
AHEAD = timedelta(days=8)


@dataclass(frozen=True)
class OpeningHour:
    ref: str
    title: str
    state: str
    opens_at: datetime


def step_of(view: View, lot: Lot) -> str:
    """The state of the lot's opening, or one of the steps above while there is none."""
    row = ceremony.current(view.session, lot)
    if row is not None:
        return row.state
    if lot.state == "FAILED":
        return FAILED
    return SHUT if lot.state == ceremony.OPENS_IN[ceremony.current_part(view.session, lot)] else BEFORE


def openings_ahead(view: View, zone: tzinfo) -> list[tuple[LotCard, str]]:
    """Openings from this midnight to a week ahead, by their hour: (card, step). Their hour is public from the notice on."""
    midnight = view.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = select(Lot).where(
        Lot.published_at.is_not(None),
        Lot.opens_at >= midnight,
        Lot.opens_at < midnight + AHEAD,
        Lot.state != "TERMINATED",
    )
    lots = view.session.scalars(rows.order_by(Lot.opens_at, Lot.ref))
    return [(lot_cards.card_of(view, lot), step_of(view, lot)) for lot in lots]


def running_openings(view: View) -> list[tuple[LotCard, str]]:
    """Openings that are not over, whenever they began; those of prices after those of bids."""
    opening = select(Lot).where(Lot.state == "OPENING").order_by(Lot.opens_at, Lot.ref)
    priced = (
        select(Lot)
        .join(TechnicalResult, TechnicalResult.lot_id == Lot.id)
        .where(Lot.state == "EVALUATION")
        .order_by(Lot.opens_at, Lot.ref)
    )
    lots = [*view.session.scalars(opening), *view.session.scalars(priced)]
    found = [(lot_cards.card_of(view, lot), step_of(view, lot)) for lot in lots]
    return [(card, step) for card, step in found if step != "CLOSED"]


def opening_hours(view: View) -> list[OpeningHour]:
    """Lots to be opened or being opened, by their hour."""
    rows = select(Lot.ref, Lot.title, Lot.state, Lot.opens_at)
    rows = rows.where(Lot.state.in_(("NOTICE", "BIDDING", "OPENING")), Lot.opens_at.is_not(None)).order_by(Lot.opens_at)
    return [
        OpeningHour(ref, title, state, at) for ref, title, state, at in view.session.execute(rows) if at is not None
    ]


def tender_lots(view: View, tender: str) -> list[Lot]:
    """The published lots of a tender by hour and number. Refuses: NotFound; NotAllowed for members of a panel of one of them."""
    rows = (
        select(Lot).join(Tender).where(Tender.ref == tender, Lot.published_at.is_not(None), Lot.state != "TERMINATED")
    )
    lots = list(view.session.scalars(rows.order_by(Lot.opens_at, Lot.no)))
    if not lots:
        raise NotFound("tender.unknown", ref=tender)
    for lot in lots:
        ceremony.refuse_reviewer(view, lot)
    return lots


def own_seats(view: View) -> list[tuple[OfficerSeat, Lot]]:
    """Every seat the person who looks has as an opening officer, in the order they were named, with its lot."""
    rows = select(OfficerSeat, Lot).join(Lot, Lot.id == OfficerSeat.lot_id)
    rows = rows.where(OfficerSeat.account_id == view.actor.account_id).order_by(OfficerSeat.id)
    return [(seat, lot) for seat, lot in view.session.execute(rows)]

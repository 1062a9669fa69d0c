"""Where openings stand: which there are, at which step, and the mark that changes with their public face."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from trading import draws
from trading.bidding import claims, closing
from trading.hall import attendance, base_prices, readings
from trading.kernel import log
from trading.kernel.work import Look
from trading.opening import ceremony, rescue, runs
from trading.opening.ceremony import Opening
from trading.opening.technical import TechnicalResult
from trading.tendering import notices
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.lot_cards import LotCard
from web.desks.hall.lines import Progress
from web.workers import opening_run

BEFORE, SHUT, FAILED = "BEFORE", "SHUT", "FAILED"


def today(now: Look, zone: Any) -> list[tuple[LotCard, str]]:
    """Openings from yesterday's midnight to a week ahead, by their hour: (card, step). Their hour is public from the notice on."""
    midnight = now.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = now.session.scalars(select(Lot).where(
        Lot.published_at.is_not(None), Lot.opens_at >= midnight, Lot.opens_at < midnight + timedelta(days=8), Lot.state != "TERMINATED",
    ).order_by(Lot.opens_at, Lot.ref))
    return [(lot_cards.card_of(now, lot), step_of(now, lot)) for lot in rows]


def running(now: Look) -> list[tuple[LotCard, str]]:
    """Openings that are not over, whenever they began."""
    rows = now.session.scalars(select(Lot).where(Lot.state == "OPENING").order_by(Lot.opens_at, Lot.ref))
    priced = now.session.scalars(select(Lot).join(TechnicalResult, TechnicalResult.lot_id == Lot.id)
                                 .where(Lot.state == "EVALUATION").order_by(Lot.opens_at, Lot.ref))
    found = [(lot_cards.card_of(now, lot), step_of(now, lot)) for lot in (*rows, *priced)]
    return [(card, step) for card, step in found if step != "CLOSED"]


def step_of(now: Look, lot: Lot) -> str:
    row = ceremony.current(now.session, lot)
    if row is not None:
        return row.state
    if lot.state == "FAILED":
        return FAILED
    return SHUT if lot.state == ceremony.OPENS_IN[ceremony.current_part(now.session, lot)] else BEFORE


def mark(now: Look, ref: str) -> str:
    """A word that changes whenever the public face of an opening does: the id of live events. It tells nothing else: a lot that is still
    sealed has the same word from its notice to its hour, whatever arrives."""
    lot = lot_cards.visible_lot(now, ref)
    ceremony.refuse_reviewer(now, lot)
    row = ceremony.current(now.session, lot)
    drawn = [f"{one.label}{one.id}v{one.version}" for label in draws.NEEDS if (one := draws.find(now.session, lot, label))]
    drawn.append(f"p{len(attendance.officials(now.session, lot))}")  # who runs or watches it is no secret; a bidder's coming is in no mark
    if (base := base_prices.find(now.session, lot)) is not None:
        drawn.append(f"b{base.commitment[:8]}{'p' if base.published_at else ''}")
    if row is None:
        closed = closing.find(now.session, lot)
        over = "c" if closed is not None and lot.state != "BIDDING" else ""
        published = [n.version for n in notices.of_lot(now.session, lot, "correction")]
        return "-".join([lot.state, over, str(len(published)), *drawn])
    posted = ceremony.shares(now.session, row)
    said = ceremony.remarks(now.session, row)
    filed = claims.of_lot(now.session, lot, row.part)
    drawn.append(f"c{len(filed)}.{sum(bool(one.outcome) for one in filed)}")
    if (pause := rescue.pause(now.session, row)) is not None:
        drawn.append(f"w{int(pause.until.timestamp()) if pause.until else 0}{'o' if pause.is_over(now.now) else ''}")
    if (run := progress(now, row)) is not None:
        drawn.append(f"d{run.done}{'x' if run.stopped else ''}")
    sealed = sum(log.tick_of(now.session, line.c) is not None for line in posted)
    return "-".join([lot.state, row.state, str(row.version), str(int(row.shares_until.timestamp())), f"s{len(posted)}.{sealed}",
                     f"r{len(said)}.{sum(r.answered_at is not None for r in said)}", f"k{readings.position(now.session, row).turns}",
                     *drawn])


def progress(now: Look, row: Opening) -> Progress | None:
    """None before it was begun and when it has come to an end, also to a refusal."""
    found = runs.find(now.session, row) if row.state == "LISTED" else None
    if found is None or found.ended_at is not None:
        return None
    return Progress(found.done, found.total, not opening_run.is_held(now.office, row.id))

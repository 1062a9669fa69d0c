"""The mark of an opening that changes with its public face, and how far its decryption has come."""

from __future__ import annotations

from trading import draws
from trading.bidding import claims, closing
from trading.hall import attendance, base_prices, readings
from trading.kernel import log
from trading.kernel.work import View
from trading.opening import ceremony, rescue, runs
from trading.opening.ceremony import Opening
from trading.remedies import disputes
from trading.tendering import notices
from trading.views import lot_cards
from web.desks.hall.lines import Progress
from web.workers import opening_run


def mark(view: View, ref: str) -> str:
    """A word that changes whenever the public face of an opening does: the id of live events. It tells nothing else: a lot that is still
    sealed has the same word from its notice to its hour, whatever arrives."""
    lot = lot_cards.visible_lot(view, ref)
    ceremony.refuse_reviewer(view, lot)
    row = ceremony.current(view.session, lot)
    drawn = [
        f"{one.label}{one.id}v{one.version}" for label in draws.NEEDS if (one := draws.find(view.session, lot, label))
    ]
    drawn.append(
        f"p{len(attendance.officials(view.session, lot))}"
    )  # who runs or watches it is no secret; a bidder's coming is in no mark
    if (base := base_prices.find(view.session, lot)) is not None:
        drawn.append(f"b{base.commitment[:8]}{'p' if base.published_at else ''}")
    if row is None:
        closed = closing.find(view.session, lot)
        over = "c" if closed is not None and lot.state != "BIDDING" else ""
        over += "o" if over and disputes.opening_waits(view.session, lot) else ""
        published = [n.version for n in notices.of_lot(view.session, lot, "correction")]
        return "-".join([lot.state, over, str(len(published)), *drawn])
    posted = ceremony.shares(view.session, row)
    said = ceremony.remarks(view.session, row)
    filed = claims.of_lot(view.session, lot, row.part)
    drawn.append(f"c{len(filed)}.{sum(bool(one.outcome) for one in filed)}")
    if (pause := rescue.pause(view.session, row)) is not None:
        drawn.append(f"w{int(pause.until.timestamp()) if pause.until else 0}{'o' if pause.is_over(view.now) else ''}")
    if (run := progress(view, row)) is not None:
        drawn.append(f"d{run.done}{'x' if run.stopped else ''}")
    sealed = sum(log.tick_of(view.session, line.c) is not None for line in posted)
    return "-".join(
        [
            lot.state,
            row.state,
            str(row.version),
            str(int(row.shares_until.timestamp())),
            f"s{len(posted)}.{sealed}",
            f"r{len(said)}.{sum(r.answered_at is not None for r in said)}",
            f"k{readings.position(view.session, row).turns}",
            *drawn,
        ]
    )


def progress(view: View, row: Opening) -> Progress | None:
    """None before it was begun and when it has come to an end, also to a refusal."""
    found = runs.find(view.session, row) if row.state == "LISTED" else None
    if found is None or found.ended_at is not None:
        return None
    return Progress(found.done, found.total, not opening_run.is_held(view.office, row.id))

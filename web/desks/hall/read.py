"""Reading out (desks §9.2; rulebook §5.2 step 7): the host turns the lines of the opening list, the projector shows the one being read.

host      POST /hall/<ref>/acts/read       ``place``: the line, from 1; one past the last ends the reading
anybody   GET  /hall/<ref>/projector       follows the host; ``?line=3`` stands still on a line already read
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _

from trading.hall import readings
from trading.kernel.access import Act
from trading.kernel.work import UnitOfWork
from web.desks.hall.cards import hall_card
from web.desks.hall.lines import BidLine, HallCard
from web.desks.hall.room import ceremony, crumbs_of, hall, hall_lot, lot_at_market
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.http.page_rules import ANYONE


@hall.page("/<ref>/read", needs=Act.OPENING_HOST)
def reading_desk(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = hall_card(view, lot_at_market(view, ref))
    return render(
        "hall/read.html",
        card=card,
        form=form or Form.blank(),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Host's chair"), f"/hall/{ref}/host"), (_("Reading out"), "")),
    )


@hall.act("/<ref>/acts/read", needs=Act.OPENING_HOST, back=reading_desk)
def do_read(unit: UnitOfWork, form: Form, ref: str) -> str:
    place = form.whole("place", least=1)
    form.refuse_if_any()
    assert place is not None
    lot = hall_lot(unit, ref)
    readings.read_out(unit, ceremony(unit, lot), place)
    return f"/hall/{ref}/read"


@hall.page("/<ref>/projector", needs=ANYONE)
def projector(ref: str) -> str:
    """One screen for the room. Before the hour it shows what anybody sees: the hour."""
    with reading() as view:
        card = hall_card(view, lot_at_market(view, ref))
    return render("hall/projector.html", card=card, wall=wall_of(card))


ROWS = 6
"""Rows on the wall at once: the line being read with four before it and one after."""


@dataclass(frozen=True)
class WallRow:
    """A line on the wall: ``kind`` is reading, read, wait, or fail (not opened, or staying sealed)."""

    bid: BidLine
    kind: str
    objection: str = ""


@dataclass(frozen=True)
class Wall:
    """``place``: the line shown large, 0 for none; ``own``: this screen stands on a line of its own choice; ``page`` of ``pages``."""

    rows: tuple[WallRow, ...]
    place: int
    own: bool
    page: int
    pages: int


def wall_of(card: HallCard) -> Wall:
    """The rows of this moment, in the order of reading, which is that of the published list and never of price; what was not read out yet
    has no amount. A screen may stand on a line already read (``?line=``), or leaf when the reading is over (``?page=``)."""
    last = len(card.bids)
    asked = _number("line", last)
    own = asked if card.all_read or asked in card.read_moments else 0
    place = own or (card.place if card.step == "OPENED" and card.place <= last else 0)
    rows = tuple(_row(card, bid, place) for bid in card.bids)
    pages = max(1, -(-last // ROWS))
    if last <= ROWS:
        return Wall(rows, place, bool(own), 1, 1)
    page = min(max(_number("page", pages), 1), pages)
    start = (page - 1) * ROWS if not place else min(max(place - ROWS + 1, 0), last - ROWS)
    return Wall(rows[start : start + ROWS], place, bool(own), start // ROWS + 1, pages)


def _row(card: HallCard, bid: BidLine, place: int) -> WallRow:
    said = [one for one in card.remarks if one.kind == "objection" and one.name == bid.name]
    objection = "" if not said else "open" if any(one.answered_at is None for one in said) else "answered"
    if bid.no == place:
        return WallRow(bid, "reading", objection)
    if not card.all_read and bid.no not in card.read_moments:
        return WallRow(bid, "wait", objection)
    return WallRow(bid, "read" if bid.verdict == "opened" else "fail", objection)


def _number(name: str, most: int) -> int:
    """A number of the address, 0 for none or one that is too large."""
    asked = request.args.get(name, "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0
    return number if number <= most else 0

"""Reading out (desks §9.2; rulebook §5.2 step 7): the host turns the lines of the opening list, the projector shows the one being read.

    host      POST /hall/<ref>/acts/read       ``place``: the line, from 1
    anybody   GET  /hall/<ref>/projector       follows the host; ``?line=3`` stands still on a line of one's own choice
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading import readings
from trading.kernel.access import Act
from web.desks.hall_cards import hall_card
from web.desks.hall_room import ceremony, crumbs_of, hall, hall_lot, lot_at_market
from web.forms import Form
from web.gate import ANYONE, go, look, render, request, work


@hall.page("/<ref>/read", needs=Act.OPENING_HOST)
def reading_desk(ref: str, form: Form | None = None) -> str:
    with look() as now:
        card = hall_card(now, lot_at_market(now, ref))
    return render("hall/read.html", card=card, form=form or Form.blank(),
                  crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Host's chair"), f"/hall/{ref}/host"), (_("Reading out"), "")))


@hall.page("/<ref>/acts/read", needs=Act.OPENING_HOST, post=True, back=reading_desk)
def do_read(ref: str) -> Any:
    form = Form.read()
    place = form.whole("place", least=1)
    form.refuse_if_any()
    assert place is not None
    with work() as unit:
        lot = hall_lot(unit, ref)
        unit.once(form.form_id, where := f"/hall/{ref}/read")
        readings.read_out(unit, ceremony(unit, lot), place)
    return go(where)


@hall.page("/<ref>/projector", needs=ANYONE)
def projector(ref: str) -> str:
    """One screen for the room. Before the hour it shows what anybody sees: the hour."""
    with look() as now:
        card = hall_card(now, lot_at_market(now, ref))
    return render("hall/projector.html", card=card, chosen=chosen_line(len(card.bids)))


def chosen_line(last: int) -> int:
    """The line named in the address, 0 for none or one that is not there."""
    asked = request.args.get("line", "")
    place = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0
    return place if 1 <= place <= last else 0

"""The sign-in sheet of an opening: a line for oneself, and who came as far as this hour lets anybody know (rulebook §5.2 step 1).

whoever has a chair   POST /hall/<ref>/acts/sign-in     nothing more; bidders, host, key holders, purchaser, agency, supervisor
anybody               GET  /hall/<ref>/sheet
"""

from __future__ import annotations

from flask_babel import gettext as _

from trading.bidding import participants
from trading.custody import officers
from trading.hall import attendance
from trading.kernel.access import Act, Role, may
from trading.kernel.errors import NotFound, Refusal
from trading.kernel.work import UnitOfWork, View
from trading.tendering.projects import is_of
from trading.tendering.tenders import Lot
from web.desks.hall.cards import hall_card
from web.desks.hall.room import crumbs_of, hall, hall_lot, lot_at_market
from web.http.forms import Form
from web.http.gate import actor, reading, render
from web.http.page_rules import ANYONE


@hall.page("/<ref>/sheet", needs=ANYONE)
def sheet(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = lot_at_market(view, ref)
        card, mine, chair = hall_card(view, lot), attendance.own(view, lot), has_chair(view, lot)
    return render(
        "hall/sheet.html",
        card=card,
        mine=mine,
        chair=chair,
        form=form or Form.blank(),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Sign-in sheet"), "")),
    )


@hall.act("/<ref>/acts/sign-in", needs=Act.HALL_ATTEND, back=sheet)
def sign_in(unit: UnitOfWork, _form: Form, ref: str) -> str:
    lot = hall_lot(unit, ref)
    attendance.sign_in(unit, lot)
    return f"/hall/{ref}/sheet"


def has_chair(view: View, lot: Lot) -> bool:
    """Whether the one who looks may sign in to this opening: the tie alone, not the hour."""
    if not may(actor(), Act.HALL_ATTEND):
        return False
    kind = attendance.CHAIRS[actor().role]
    try:
        if kind == "bidder":
            participants.own(view, lot)
        elif kind == "officer":
            officers.own_seat(view, lot)
    except (NotFound, Refusal):
        return False
    return kind not in ("tenderee", "agency") or is_of(lot.project, actor().party_id)


def is_bidder() -> bool:
    return actor().role in (Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER)

"""Who is invited to a lot that is not open to everybody: chosen before the notice, fixed with it."""

from __future__ import annotations

from flask_babel import gettext as _

from trading import draws
from trading.kernel.access import Act, may
from trading.kernel.errors import WrongStep
from trading.kernel.work import UnitOfWork
from trading.procedures import procedure_of
from trading.tendering import invitations, planning, tenders
from trading.views import agency_queries, lot_cards
from web.desks.agency.lots import show_lot
from web.desks.agency.room import SEE, agency
from web.http.forms import Form
from web.http.gate import reading


@agency.page("/lots/<ref>/invited", needs=SEE)
def invited_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        rule = procedure_of(lot).invitation
        if rule is None:
            raise WrongStep("invitation.open_method", ref=ref)
        book, pool = planning.book_of(lot, view.now), invitations.pool(view.session, lot)
        card = lot_cards.card_of(view, lot)
        return show_lot(
            "agency/lot_invited.html",
            view,
            card,
            _("Who is invited"),
            form=form or Form.blank(version=lot.version),
            strike=Form.blank(version=lot.version),
            count=sum(row.chosen for row in pool),
            least=book.rule(rule.least).whole,
            rule=str(rule.least),
            drawn=invitations.is_drawn(lot),
            draw=draws.find(view.session, lot, "invited"),
            pool=[(row.party.code, row.party.name, row.chosen) for row in pool],
            times=book.rule(rule.pool).value if rule.pool else "",
            may_draw=may(view.actor, Act.DRAW_TAKE_PART),
        )


@agency.act("/lots/<ref>/acts/invite", needs=Act.TENDER_DRAFT, back=invited_page)
def do_invite(unit: UnitOfWork, form: Form, ref: str) -> str:
    called = form.text("called", limit=8000, lines=True)
    form.refuse_if_any()
    invitations.invite(unit, tenders.lot(unit.session, ref), called.splitlines(), seen=form.version)
    return f"/agency/lots/{ref}/invited"


@agency.act("/lots/<ref>/acts/draw-invited", needs=Act.TENDER_DRAFT, back=invited_page)
def do_draw(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Freeze the pool and announce the draw; from here on the purchaser and the centre play it."""
    take = form.whole("take", least=1, most=invitations.MOST)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    tenders.require_draft(unit, lot)
    if not invitations.is_drawn(lot):
        raise WrongStep("invitation.open_method", ref=ref)
    codes = invitations.check_pool(unit.session, lot, take or 0, unit.now)
    draws.announce(unit, lot, label="invited", pool=codes, take=take or 0)
    return f"/agency/lots/{ref}/invited"


@agency.act("/lots/<ref>/acts/strike-invitation", needs=Act.TENDER_DRAFT, back=invited_page)
def do_strike(unit: UnitOfWork, form: Form, ref: str) -> str:
    code = form.text("code", limit=60)
    form.refuse_if_any()
    invitations.take_back(unit, tenders.lot(unit.session, ref), code, seen=form.version)
    return f"/agency/lots/{ref}/invited"

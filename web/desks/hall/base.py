"""The base price (标底) of works in the tenderee's hands: bound by a hash before the deadline, published in the hall (rule C-07).

purchaser, agency   POST /hall/<ref>/acts/bind-base-price       ``commitment``: base64url of H("base-price", document)
                    POST /hall/<ref>/acts/publish-base-price    ``document``: the document itself, as text or ``document_file``
"""

from __future__ import annotations

from flask_babel import gettext as _

from trading.hall import base_prices
from trading.kernel.access import Act
from trading.kernel.work import UnitOfWork
from trading.tendering.projects import require_tie
from web.desks.hall.cards import hall_card
from web.desks.hall.room import crumbs_of, hall, hall_lot, signed
from web.http.forms import Form
from web.http.gate import office, reading, render


@hall.page("/<ref>/base-price", needs=Act.BASE_PRICE)
def base_price(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = hall_lot(view, ref)
        require_tie(view, lot.project)
        card, may_bind = hall_card(view, lot), base_prices.may_bind(view, lot)
        context = {"platform": office().platform, "tender": lot.tender.ref, "lot": lot.no_text}
    return render(
        "hall/base_price.html",
        card=card,
        may_bind=may_bind,
        context=context,
        form=form or Form.blank(),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Base price"), "")),
    )


@hall.act("/<ref>/acts/bind-base-price", needs=Act.BASE_PRICE, back=base_price)
def bind(unit: UnitOfWork, form: Form, ref: str) -> str:
    commitment = form.text("commitment", limit=60)
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    base_prices.bind(unit, lot, commitment)
    return f"/hall/{ref}/base-price"


@hall.act("/<ref>/acts/publish-base-price", needs=Act.BASE_PRICE, back=base_price)
def publish(unit: UnitOfWork, form: Form, ref: str) -> str:
    if not form.shown("document").strip():
        form.file("document_file")
    document = None if form.faults.found else signed(form, "document")
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    base_prices.publish(unit, lot, document)
    return f"/hall/{ref}/base-price"

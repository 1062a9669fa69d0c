"""A lot in preparation takes over what an earlier lot said: terms, criteria, documents. Never money, dates or key holders."""

from __future__ import annotations

from flask_babel import gettext as _

from evaluation.scoring import schemes
from trading.kernel.access import Act
from trading.kernel.errors import Invalid
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.procedures import procedure_of
from trading.tendering import documents, tenders
from trading.views import agency_queries, lot_cards
from trading.views.lot_cards import LotCard
from web.desks.agency.lots import show_lot
from web.desks.agency.room import agency
from web.http.forms import Form
from web.http.gate import reading, request

PARTS = ("terms", "criteria", "documents")


def _sources(view: View, card: LotCard) -> list[LotCard]:
    """Own lots of the same regime, newest first."""
    law = procedure_of(card)
    return [one for one in lot_cards.own_lots(view) if one.ref != card.ref and law.shares_terms_with(procedure_of(one))]


@agency.page("/lots/<ref>/copy", needs=Act.TENDER_DRAFT)
def copy_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        sources = _sources(view, card)
        asked = form.shown("source") if form else request.args.get("from", "")
        chosen = next((one for one in sources if one.ref == asked), sources[0] if len(sources) == 1 else None)
        files = lot_cards.document_cards(view, agency_queries.own_lot(view, chosen.ref)) if chosen else []
        return show_lot(
            "agency/lot_copy.html",
            view,
            card,
            _("Copy from an earlier lot"),
            sources=sources,
            chosen=chosen,
            files=[one for one in files if one.kind != "amendment"],
            form=form
            or Form.blank(
                {"source": chosen.ref if chosen else "", "parts": ["terms", "criteria"]}, version=card.version
            ),
        )


@agency.act("/lots/<ref>/acts/copy", needs=Act.TENDER_DRAFT, back=copy_page)
def do_copy(unit: UnitOfWork, form: Form, ref: str) -> str:
    source_ref, parts = form.text("source", limit=60), form.choices("parts", PARTS, least=1)
    form.refuse_if_any()
    lot, source = tenders.lot(unit.session, ref), agency_queries.own_lot(unit, source_ref)
    check_version(lot, form.version)
    if "terms" in parts:
        tenders.copy_terms(unit, lot, source)
    if "criteria" in parts:
        _copy_criteria(unit, lot, source)
    if "documents" in parts:
        documents.take_over(unit, lot, source)
    return f"/agency/lots/{ref}"


def _copy_criteria(unit: UnitOfWork, lot: tenders.Lot, source: tenders.Lot) -> None:
    """The criteria of the source by the rules of today. Refuses: Invalid ``scheme.none_to_copy``, ``scheme.copy_unlawful``."""
    if not source.scheme:
        raise Invalid("scheme.none_to_copy", ref=source.ref)
    try:
        schemes.set_scheme(unit, lot, source.scheme)
    except Invalid as refusal:
        raise Invalid("scheme.copy_unlawful", count=len(refusal.faults), ref=source.ref, where="parts") from refusal

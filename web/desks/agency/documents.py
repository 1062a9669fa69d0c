"""The documents of a lot: added, taken out, amended after publication, handed out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from flask import Response
from flask_babel import gettext as _

from trading import publication
from trading.files import file_types
from trading.kernel.access import Act, may
from trading.kernel.blobs import PIECE
from trading.kernel.errors import Fault, Invalid, TooLate
from trading.kernel.work import UnitOfWork
from trading.tendering import documents, tenders
from trading.views import agency_queries, lot_cards
from web.desks.agency.lots import show_lot
from web.desks.agency.room import SEE, agency, bound_words, labels, moved, readable
from web.http import login
from web.http.forms import Form
from web.http.gate import go, office, reading, request, saved_as, work
from web.http.page_rules import ByHand

UPLOAD_SLACK = 1_000_000
"""Bytes a form may have beside its file."""


@agency.blueprint.url_value_preprocessor
def _room_for_a_file(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A tender document may be larger than a form, when it comes from somebody who may add one."""
    if endpoint in ("agency.do_add_document", "agency.do_amend") and may(login.actor(), Act.TENDER_DRAFT):
        request.max_content_length = file_types.MAX_SIZE + UPLOAD_SLACK


@agency.page("/lots/<ref>/documents", needs=SEE)
def documents_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        cutoff = agency_queries.clarify_cutoff(view, lot) if lot.state in ("NOTICE", "BIDDING") else None
        return show_lot(
            "agency/lot_documents.html",
            view,
            card,
            _("Documents"),
            form=form or Form.blank({"kind": "tender_document"}),
            documents=lot_cards.document_cards(view, lot),
            kinds=labels("document_kind", documents.KINDS),
            cutoff=cutoff,
            accept=",".join("." + one for one in file_types.EXTENSIONS),
            remove=Form.blank(),
            cutoff_words=bound_words(cutoff),
            may_amend=lot.state in ("NOTICE", "BIDDING")
            and may(view.actor, Act.NOTICE_PUBLISH)
            and lot.deadline is not None
            and view.now < lot.deadline,
        )


def stored(form: Form, name: str) -> tuple[str, Any]:
    """(file name, blob) of an uploaded file, streamed into the store. Refuses: Invalid with every fault of the form."""
    found = form.file(name)
    form.refuse_if_any()
    assert found is not None
    plain = unicodedata.normalize("NFC", found.filename or "").replace("\\", "/").rpartition("/")[2].strip()
    return plain, office().blobs.put(_pieces(found.stream))


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _at_file(refusal: Invalid) -> Invalid:
    return moved(refusal, {"name": "file"})


@agency.page("/lots/<ref>/acts/add-document", needs=Act.TENDER_DRAFT, post=ByHand.BYTES, back=documents_page)
def do_add_document(ref: str) -> Any:
    form, where = Form.read(), f"/agency/lots/{ref}/documents"
    kind = form.choice("kind", documents.KINDS)
    with reading() as view:
        agency_queries.own_lot(view, ref)
    name, blob = stored(form, "file")
    with work() as unit:
        unit.once(form.form_id, where)
        try:
            documents.add(unit, tenders.lot(unit.session, ref), name=name, blob=blob, kind=kind)
        except Invalid as refusal:
            raise _at_file(refusal) from refusal
    return go(where)


@agency.act("/lots/<ref>/acts/remove-document", needs=Act.TENDER_DRAFT, back=documents_page)
def do_remove_document(unit: UnitOfWork, form: Form, ref: str) -> str:
    number = form.whole("document", least=1)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    documents.remove(unit, lot, documents.document(unit, lot, number or 0))
    return f"/agency/lots/{ref}/documents"


@agency.page("/lots/<ref>/acts/amend", needs=Act.NOTICE_PUBLISH, post=ByHand.BYTES, back=documents_page)
def do_amend(ref: str) -> Any:
    form, where = Form.read(), f"/agency/lots/{ref}/documents"
    text, affects = form.text("text", limit=4000, lines=True), form.choice("affects", ("yes", "no"))
    with reading() as view:
        agency_queries.own_lot(view, ref)
    name, blob = stored(form, "file")
    with work() as unit:
        unit.once(form.form_id, where)
        try:
            publication.amend(
                unit, tenders.lot(unit.session, ref), name=name, blob=blob, text=text, affects_bids=affects == "yes"
            )
        except TooLate as refusal:
            raise late_words(refusal, "affects") from refusal
        except Invalid as refusal:
            raise _at_file(refusal) from refusal
    return go(where)


def late_words(refusal: TooLate, field: str) -> Invalid | TooLate:
    """Too late only because the deadline would have to move first: a fault of the form, so that nothing typed is lost."""
    if refusal.code != "lot.clarification_late":
        return refusal
    facts = readable(refusal.facts)
    return Invalid("form.faults", faults=[Fault(field, refusal.code, facts)], count=1)


@agency.page("/lots/<ref>/documents/<int:number>", needs=SEE)
def take_document(ref: str, number: int) -> Response:
    with reading() as view:
        row = documents.document(view, agency_queries.own_lot(view, ref), number)
        name, media, blob, size = row.name, row.media, row.blob, row.size
    answer = Response(office().blobs.read(blob), mimetype=media)
    saved_as(answer, name)
    answer.headers["Content-Length"] = str(size)
    return answer

"""Files attached to a filing: added and taken out while it is a draft or returned, handed out to its own people."""

from __future__ import annotations

from typing import Any

from flask import Response

from trading.kernel.access import Act, may
from trading.kernel.errors import Conflict, Fault, Invalid
from trading.kernel.work import UnitOfWork
from trading.tendering import projects
from trading.views import lot_cards
from web.desks.agency.projects import attachments_of, editable, project_page
from web.desks.agency.room import SEE, agency
from web.http import attached
from web.http.forms import Form
from web.http.gate import actor, go, reading, request, work
from web.http.page_rules import ByHand


@agency.blueprint.url_value_preprocessor
def _room_for_an_attachment(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """An attachment may be larger than a form, when it comes from somebody who may add one."""
    if endpoint == "agency.do_attach" and may(actor(), Act.PROJECT_DRAFT):
        request.max_content_length = attached.ONE


@agency.page("/projects/<ref>/acts/attach", needs=Act.PROJECT_DRAFT, post=ByHand.BYTES, back=project_page)
def do_attach(ref: str) -> Any:
    form, where = Form.read(), f"/agency/projects/{ref}#attachments"
    editable(ref)
    form.file("files")
    files = attached.taken_in(form)
    with work() as unit:
        unit.once(form.form_id, where)
        try:
            for name, blob in files:
                projects.attach(unit, projects.project(unit.session, ref), name=name, blob=blob)
        except Invalid as refusal:
            raise attached.at_files(refusal) from refusal
        except Conflict as refusal:
            raise Invalid("form.faults", faults=[Fault("files", refusal.code, refusal.facts)], count=1) from refusal
    return go(where)


@agency.act("/projects/<ref>/acts/detach", needs=Act.PROJECT_DRAFT, back=project_page)
def do_detach(unit: UnitOfWork, form: Form, ref: str) -> str:
    number = form.whole("attachment", least=1)
    form.refuse_if_any()
    projects.detach(unit, projects.project(unit.session, ref), number or 0)
    return f"/agency/projects/{ref}#attachments"


@agency.page("/projects/<ref>/attachments/<int:number>", needs=SEE)
def take_attachment(ref: str, number: int) -> Response:
    with reading() as view:
        lot_cards.project_card(view, ref)  # the tie
        return attached.hand_out(attachments_of(view, ref), number)

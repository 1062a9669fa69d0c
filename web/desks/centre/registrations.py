"""Firms that registered themselves, for the clerk: accepted, or returned once with everything that is wanting. The proof is a stranger's
file: it waits for the scanner, and is saved, never shown."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.kernel.work import UnitOfWork, View
from trading.parties import registrations
from trading.parties.registrations import ACCEPTED, RETURNED, SENT
from web.desks.register import shown_facts
from web.http import opened
from web.http.forms import Form
from web.http.gate import Desk, office, reading, render, request
from web.http.layout import Duty
from web.http.refusals import language
from web.words import formatting

STATES = (SENT, RETURNED, ACCEPTED)
PLACE = "/centre/registrations"


def duties(view: View) -> list[Duty]:
    """A duty of the clerk for each firm that waits."""
    return [
        Duty(
            _("Check the registration of %(name)s", name=row.name),
            f"{PLACE}/{row.ref}",
            None,
            _("waiting %(time)s", time=formatting.length(view.now - row.sent_at, language())),
            row.code,
            _("Registration"),
            "warn",
        )
        for row in registrations.listed(view, SENT)
    ]


def add_pages(desk: Desk) -> None:
    """The pages, on the desk of the centre."""
    blueprint: Blueprint = desk.blueprint
    blueprint.context_processor(lambda: {"shown_facts": shown_facts})

    @desk.page("/registrations", needs=Act.FIRM_ACCEPT, endpoint="registrations")
    def registrations_page() -> str:
        asked = request.args.get("state", SENT)
        chosen = asked if asked in STATES else SENT
        with reading() as view:
            held = {state: registrations.listed(view, state) for state in STATES}
            return render(
                "centre/registrations.html",
                rows=held[chosen],
                counts={state: len(rows) for state, rows in held.items()},
                chosen=chosen,
                at=view.now,
            )

    @desk.page("/registrations/<ref>", needs=Act.FIRM_ACCEPT, endpoint="registration")
    def registration(ref: str, form: Form | None = None) -> str:
        with reading() as view:
            row = registrations.find(view.session, ref)
            return render(
                "centre/registration.html",
                row=row,
                form=form or Form.blank(version=row.version),
                standing=registrations.standing(row, scanned=opened.has_scanner()),
            )

    @desk.page("/registrations/<ref>/proof", needs=Act.FIRM_ACCEPT, endpoint="registration_proof")
    def proof(ref: str) -> Response:
        with reading() as view:
            row = registrations.find(view.session, ref)
            registrations.release(view, row, scanned=opened.has_scanner())
            blob, name, size = row.proof, row.proof_name, row.proof_size
        return opened.attachment(Response(office().blobs.read(blob), mimetype="application/octet-stream"), name, size)

    @desk.act(
        "/registrations/<ref>/acts/accept",
        needs=Act.FIRM_ACCEPT,
        back=registration,
        endpoint="accept_registration",
    )
    def do_accept(unit: UnitOfWork, form: Form, ref: str) -> str:
        form.ticked("checked", needed=True)
        form.refuse_if_any()
        registrations.accept(unit, registrations.find(unit.session, ref), version=form.version)
        return f"{PLACE}/{ref}"

    @desk.act(
        "/registrations/<ref>/acts/return",
        needs=Act.FIRM_ACCEPT,
        back=registration,
        endpoint="return_registration",
    )
    def do_return(unit: UnitOfWork, form: Form, ref: str) -> str:
        reasons = form.text("reasons", limit=2000, lines=True)
        form.refuse_if_any()
        registrations.give_back(unit, registrations.find(unit.session, ref), reasons, version=form.version)
        return f"{PLACE}/{ref}"

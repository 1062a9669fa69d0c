"""An organisation's name or code put right by two: proposed on the page of the organisation, confirmed or refused by another."""

from __future__ import annotations

from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.kernel.work import UnitOfWork
from trading.parties import corrections, parties
from trading.views import people_queries
from web.desks.admin.people import kind_words
from web.desks.admin.room import admin, crumbs_of
from web.http.forms import Form
from web.http.gate import reading, render, request

PARTIES = "/admin/parties"


@admin.page("/parties/correct", needs=Act.ROLE_GRANT)
def correct_page(form: Form | None = None) -> str:
    """Of the organisation ``?party=``, by its code: name and code as they stand, to be written over."""
    code = form.shown("party") if form else request.args.get("party", "")
    with reading() as view:
        firm = parties.party_by_code(view.session, code)
        card = people_queries.organisation(view, code)
        waits = corrections.open_for(view.session, firm)
        return render(
            "admin/correct.html",
            card=card,
            kind=kind_words(firm.kind),
            bound=corrections.is_bound(view.session, firm),
            waits=waits.id if waits else 0,
            form=form or Form.blank({"party": firm.code, "code": firm.code, "name": firm.name}),
            crumbs=crumbs_of((_("Organisations"), PARTIES), (firm.name, "")),
        )


@admin.act("/acts/correct", needs=Act.ROLE_GRANT, back=correct_page)
def do_correct(unit: UnitOfWork, form: Form) -> str:
    """Fields: ``party`` (its code as it stands), ``code``, ``name``, ``reason``."""
    code, name = form.text("code", limit=40), form.text("name")
    reason = form.text("reason", limit=500, lines=True)
    held = form.text("party", limit=40)
    form.refuse_if_any()
    firm = parties.party_by_code(unit.session, held)
    new = corrections.propose(unit, firm, code=code, name=name, reason=reason)
    return f"/admin/corrections/{new.id}"


@admin.page("/corrections/<int:ident>", needs=Act.ROLE_GRANT, fresh=True)
def correction(ident: int, form: Form | None = None) -> str:
    """The read-back: what stands, what shall stand, and who wants it."""
    with reading() as view:
        card = people_queries.correction_card(view, corrections.find(view.session, ident))
        return render(
            "admin/correction.html",
            one=card,
            kind=kind_words(card.kind),
            form=form or Form.blank(),
            crumbs=crumbs_of((_("Organisations"), PARTIES), (card.old_name, "")),
        )


@admin.act("/corrections/<int:ident>/acts/confirm", needs=Act.ROLE_GRANT, back=correction)
def do_confirm_correction(unit: UnitOfWork, _form: Form, ident: int) -> str:
    corrections.confirm(unit, corrections.find(unit.session, ident))
    return f"/admin/corrections/{ident}"


@admin.act("/corrections/<int:ident>/acts/refuse", needs=Act.ROLE_GRANT, back=correction)
def do_refuse_correction(unit: UnitOfWork, form: Form, ident: int) -> str:
    """Field: ``answer``, why not."""
    answer = form.text("answer", limit=500, lines=True)
    form.refuse_if_any()
    corrections.refuse(unit, corrections.find(unit.session, ident), answer)
    return f"/admin/corrections/{ident}"


@admin.act("/corrections/<int:ident>/acts/withdraw", needs=Act.ROLE_GRANT, back=correction)
def do_withdraw_correction(unit: UnitOfWork, _form: Form, ident: int) -> str:
    corrections.withdraw(unit, corrections.find(unit.session, ident))
    return f"/admin/corrections/{ident}"

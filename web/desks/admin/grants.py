"""Roles of weight, given by two: what is proposed waits here for another security administrator, who confirms or refuses it."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.kernel.access import Act, Role
from trading.kernel.work import UnitOfWork
from trading.parties import parties, role_proposals
from web.desks.admin.people import kind_words, told_in_words
from web.desks.admin.room import admin, crumbs_of, deed_words, role_words
from web.http.forms import Form
from web.http.gate import go, reading, render, work
from web.http.page_rules import ByHand

GRANTS = "/admin/grants"


@admin.page("/grants", needs=Act.ROLE_GRANT)
def grants() -> str:
    with reading() as view:
        waiting = role_proposals.listed(view.session, waiting=True, limit=100)
        decided = role_proposals.listed(view.session, waiting=False)
        names = parties.names_of(
            view.session,
            [ident for one in [*waiting, *decided] for ident in (one.account_id, one.proposed_by, one.decided_by)],
        )
        return render(
            "admin/grants.html",
            waiting=waiting,
            decided=decided,
            names=names,
            what=deed_words,
            me=view.actor.account_id,
            alone=len(parties.administrators(view.session)) < 2,
        )


@admin.page("/grants/<int:ident>", needs=Act.ROLE_GRANT, fresh=True)
def proposal(ident: int, form: Form | None = None) -> str:
    """The read-back: who would hold what, where, and who wants it."""
    with reading() as view:
        one = role_proposals.find(view.session, ident)
        who = parties.account(view.session, one.account_id)
        held = parties.roles_of(view.session, who)
        names = parties.names_of(view.session, [one.proposed_by, one.decided_by])
        return render(
            "admin/grant.html",
            one=one,
            who=who,
            kind=kind_words(who.party.kind),
            names=names,
            held=[role_words(role) for role in Role if role in held],
            what=deed_words(one.deed, one.role),
            handed=who.handed_by is not None or one.deed == "password",
            mine=one.proposed_by == view.actor.account_id,
            about_me=one.account_id == view.actor.account_id,
            form=form or Form.blank(),
            crumbs=crumbs_of((_("Proposed roles"), GRANTS), (who.name, "")),
        )


@admin.page("/grants/<int:ident>/acts/confirm", needs=Act.ROLE_GRANT, post=ByHand.DOCUMENT, back=proposal)
def do_confirm_grant(ident: int) -> Any:
    """Where the password asks for a second part from now on, the answer shows it, this once."""
    form = Form.read()
    with told_in_words(), work() as unit:
        unit.once(form.form_id, GRANTS)
        one = role_proposals.find(unit.session, ident)
        part = role_proposals.confirm(unit, one)
        name = parties.account(unit.session, one.account_id).name
    if not part:
        return go(GRANTS)
    crumbs = crumbs_of((_("Proposed roles"), GRANTS), (name, ""))
    return render("admin/grant_done.html", part=part, name=name, crumbs=crumbs)


@admin.act("/grants/<int:ident>/acts/refuse", needs=Act.ROLE_GRANT, back=proposal)
def do_refuse_grant(unit: UnitOfWork, form: Form, ident: int) -> str:
    """Field: ``answer``, why not."""
    answer = form.text("answer", limit=500, lines=True)
    form.refuse_if_any()
    role_proposals.refuse(unit, role_proposals.find(unit.session, ident), answer)
    return GRANTS


@admin.act("/grants/<int:ident>/acts/withdraw", needs=Act.ROLE_GRANT, back=proposal)
def do_withdraw_grant(unit: UnitOfWork, _form: Form, ident: int) -> str:
    role_proposals.withdraw(unit, role_proposals.find(unit.session, ident))
    return GRANTS

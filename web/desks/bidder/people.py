"""The people of a firm, kept by its own administrator: a bidder's roles only, of the own firm only (desks §5)."""

from __future__ import annotations

from flask_babel import gettext as _

from trading.kernel.access import Act, Role
from trading.kernel.work import UnitOfWork
from trading.parties import own_people
from web import words
from web.desks.bidder.room import bidder, crumbs, lang
from web.http.forms import Form
from web.http.gate import reading, render

PLACE = "/bidder/people"


def _roles() -> list[tuple[str, str, str]]:
    told = {
        Role.BIDDER_OPERATOR: _("prepares and uploads"),
        Role.BIDDER_SIGNER: _("signs, submits, withdraws, objects"),
        Role.BIDDER_ADMIN: _("keeps the people of the firm"),
    }
    return [(role.value, words.state("role", role.value, lang()).text, told[role]) for role in own_people.ROLES]


@bidder.page("/people", needs=Act.PEOPLE_OWN)
def people(form: Form | None = None) -> str:
    with reading() as view:
        rows = own_people.people(view)
        return render(
            "bidder/people.html",
            rows=rows,
            me=view.actor.account_id,
            form=form or Form.blank(),
            roles=_roles(),
            crumbs=crumbs((_("People"), "")),
        )


@bidder.act("/acts/invite", needs=Act.PEOPLE_OWN, back=people)
def do_invite(unit: UnitOfWork, form: Form) -> str:
    """Fields: ``username``, ``name``, ``password``, ``mail``, ``roles``."""
    username, name = form.text("username", limit=80), form.text("name", limit=80)
    mail, password = form.text("mail", needed=False, limit=254), form.password("password")
    roles = [Role(one) for one in form.choices("roles", own_people.ROLES, least=1)]
    form.refuse_if_any()
    own_people.invite(unit, username=username, name=name, password=password, mail=mail, roles=roles)
    return PLACE


@bidder.page("/people/<int:ident>", needs=Act.PEOPLE_OWN)
def one(ident: int, form: Form | None = None) -> str:
    with reading() as view:
        who = own_people.colleague(view, ident)
        held = next(roles for account, roles, _seen in own_people.people(view) if account.id == who.id)
        return render(
            "bidder/person.html",
            who=who,
            form=form or Form.blank({"roles": [role.value for role in held]}),
            roles=_roles(),
            blank_form=Form.blank,
            crumbs=crumbs((_("People"), PLACE), (who.name, "")),
        )


@bidder.act("/people/<int:ident>/acts/roles", needs=Act.PEOPLE_OWN, back=one)
def do_roles(unit: UnitOfWork, form: Form, ident: int) -> str:
    roles = [Role(role) for role in form.choices("roles", own_people.ROLES, least=1)]
    form.refuse_if_any()
    own_people.set_roles(unit, own_people.colleague(unit, ident), roles)
    return PLACE


@bidder.act("/people/<int:ident>/acts/close", needs=Act.PEOPLE_OWN, back=one)
def do_close(unit: UnitOfWork, form: Form, ident: int) -> str:
    """Field: ``sure``."""
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    own_people.close(unit, own_people.colleague(unit, ident))
    return PLACE

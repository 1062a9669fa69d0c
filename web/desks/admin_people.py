"""Security administration: people with their roles, organisations, keys by their fingerprints. Experts are the centre's: they stand on no
list here, only who knows a username finds the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import or_, select

from crypto.canonical import unb64u
from crypto.keys import fingerprint
from trading import officers, parties
from trading.enrolments import KEY_ROLES, EnrolledKey
from trading.kernel.access import CLASHES, Act, Role
from trading.kernel.errors import Fault, Invalid, NotFound
from trading.kernel.work import Look
from trading.parties import KINDS, Account, Party, RoleGrant
from trading.tenders import Lot
from web import words
from web.desks.admin_room import admin, crumbs_of, role_words
from web.forms import Form
from web.frame import page_of
from web.gate import go, look, render, request, work
from web.refusals import language

GRANTABLE = tuple(role for role in Role if role not in (Role.PUBLIC, Role.CLOCK, Role.CHAIR))
"""Leading a panel is a seat, no role one is given."""
WEIGHTY_ROLES = (Role.OFFICER, Role.CASHIER, Role.CONTROLLER, Role.PURCHASER, Role.SUPERVISOR, Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN,
                 Role.AUDIT_ADMIN)


@dataclass(frozen=True)
class PersonRow:
    """``roles``: in the order of the access table. ``second``: has a second factor."""

    id: int
    username: str
    name: str
    organisation: str
    roles: tuple[str, ...]
    second: bool
    disabled: bool
    made_at: datetime


def _row(now: Look, who: Account) -> PersonRow:
    held = parties.roles_of(now.session, who)
    return PersonRow(who.id, who.username, who.name, who.party.name, tuple(role.value for role in Role if role in held),
                     bool(who.totp_secret), who.disabled_at is not None, who.made_at)


def _account(now: Look, ident: str) -> Account:
    """Refuses: NotFound."""
    if not (ident.isascii() and ident.isdigit() and len(ident) < 10):
        raise NotFound("account.unknown")
    return parties.account(now.session, int(ident))


@contextmanager
def told_in_words() -> Iterator[None]:
    """A refusal that names roles by their codes names them in words instead."""
    try:
        yield
    except Invalid as refusal:
        faults = [Fault(one.where, one.code, _spoken(one.facts)) for one in refusal.faults]
        facts = {name: value for name, value in refusal.facts.items() if name != "where"}
        raise Invalid(refusal.code, where=refusal.facts.get("where", "role"), faults=faults, **_spoken(facts)) from refusal


def _spoken(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [role_words(one) for one in value] if name == "roles" else value for name, value in facts.items()}


@admin.page("/people", needs=Act.USER_ADMIN)
def people() -> str:
    form = Form.query()
    asked, role = form.text("q", needed=False, limit=80), form.choice("role", [one.value for one in GRANTABLE], needed=False)
    with look() as now:
        query = select(Account).join(Party, Party.id == Account.party_id)
        exact = Account.username == asked.lower()
        query = query.where(or_(Party.kind != "expert", exact) if asked else Party.kind != "expert")
        if asked:
            like = [column.contains(asked, autoescape=True) for column in (Account.username, Account.name, Party.name)]
            query = query.where(or_(*like))
        if role:
            query = query.where(Account.id.in_(select(RoleGrant.account_id).where(RoleGrant.role == role)))
        if request.args.get("second") == "no":
            query = query.where(Account.totp_secret.is_(None), Account.disabled_at.is_(None),
                                Account.id.in_(select(RoleGrant.account_id).where(RoleGrant.role.in_(WEIGHTY_ROLES))))
        found = list(now.session.scalars(query.order_by(Party.name, Account.username)))
        page = page_of(len(found), request.args, "/admin/people")
        shown = found[page.offset:page.offset + page.size]
        return render("admin/people.html", rows=[_row(now, who) for who in shown], page=page, form=form,
                      roles=[(one.value, role_words(one.value)) for one in GRANTABLE])


@admin.page("/people/new", needs=Act.USER_ADMIN)
def invite_page(form: Form | None = None) -> str:
    with look() as now:
        firms = [(one.code, f"{one.name} · {words.state('party_kind', one.kind, language()).text}")
                 for one in now.session.scalars(select(Party).order_by(Party.kind, Party.name))]
        first = {"party": request.args.get("party", "")}
        return render("admin/invite.html", form=form or Form.blank(first), firms=firms, clashes=_clashes(),
                      roles=[(one.value, role_words(one.value)) for one in GRANTABLE],
                      crumbs=crumbs_of((_("People"), "/admin/people"), (_("Invite"), "")))


def _clashes() -> list[tuple[str, ...]]:
    """The pairs of duties that never meet in one person, in words."""
    return [tuple(role_words(role.value) for role in sorted(pair, key=list(Role).index)) for pair in CLASHES]


@admin.page("/acts/invite", needs=Act.USER_ADMIN, post=True, back=invite_page)
def do_invite() -> Any:
    form = Form.read()
    username, name, password = form.text("username", limit=80), form.text("name", limit=80), form.password("password")
    code, roles = form.text("party", limit=40), form.choices("roles", [one.value for one in GRANTABLE], least=1)
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, "/admin/people")
        firm = parties.party_by_code(unit.session, code)
        with told_in_words():
            who = parties.invite(unit, firm, username=username, name=name, password=password, roles=[Role(one) for one in roles])
        where = f"/admin/people/{who.id}"
    return go(where)


@admin.page("/people/<ident>", needs=Act.USER_ADMIN)
def person(ident: str, form: Form | None = None) -> str:
    with look() as now:
        who = _account(now, ident)
        row = _row(now, who)
        grants = sorted(now.session.scalars(select(RoleGrant).where(RoleGrant.account_id == who.id)),
                        key=lambda grant: list(Role).index(Role(grant.role)))
        held = parties.roles_of(now.session, who)
        return render(
            "admin/person.html", row=row, mine=who.id == now.actor.account_id, form=form or Form.blank(),
            grants=[(one.role, one.granted_at, _name(now, one.granted_by)) for one in grants],
            offered=[(role.value, role_words(role.value) + (f"（{why}）" if why else "")) for role in GRANTABLE if role not in held
                     for why in [_why_not(held, role)]],
            crumbs=crumbs_of((_("People"), "/admin/people"), (who.username, "")), at=now.now)


def _why_not(held: frozenset[Role], role: Role) -> str:
    """With which duty a role would clash, in words."""
    return ", ".join(_("clashes with %(role)s", role=role_words(other.value)) for other in sorted(held, key=list(Role).index)
                     if frozenset({role, other}) in CLASHES)


def _name(now: Look, account_id: int | None) -> str:
    return parties.account(now.session, account_id).name if account_id is not None else _("first set-up")


@admin.page("/people/<ident>/acts/grant", needs=Act.ROLE_GRANT, post=True, back=person)
def do_grant(ident: str) -> Any:
    form, where = Form.read(), f"/admin/people/{ident}"
    role = form.choice("role", [one.value for one in GRANTABLE])
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        with told_in_words():
            parties.grant(unit, _account(unit, ident), Role(role))
    return go(where)


@admin.page("/people/<ident>/acts/revoke", needs=Act.ROLE_GRANT, post=True, back=person)
def do_revoke(ident: str) -> Any:
    form, where = Form.read(), f"/admin/people/{ident}"
    role = form.choice("role", [one.value for one in Role])
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        parties.revoke(unit, _account(unit, ident), Role(role))
    return go(where)


@admin.page("/people/<ident>/acts/disable", needs=Act.USER_ADMIN, post=True, back=person)
def do_disable(ident: str) -> Any:
    """Every sign-in of the account is dead at once. Field: ``sure``."""
    form, where = Form.read(), f"/admin/people/{ident}"
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        parties.disable(unit, _account(unit, ident))
    return go(where)


@admin.page("/people/<ident>/acts/reset", needs=Act.USER_ADMIN, post=True, back=person)
def do_reset(ident: str) -> Any:
    """A new password, to be changed by its owner; the second factor stays. Field: ``password``."""
    form, where = Form.read(), f"/admin/people/{ident}"
    password = form.password("password")
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        parties.reset_password(unit, _account(unit, ident), password)
    return go(where)


# --- organisations ----------------------------------------------------------------------------------------------------


@admin.page("/parties", needs=Act.USER_ADMIN)
def firms(form: Form | None = None) -> str:
    query = Form.query()
    asked, kind = query.text("q", needed=False, limit=80), query.choice("kind", KINDS, needed=False)
    with look() as now:
        rows = select(Party).where(Party.kind != "expert")
        if asked:
            rows = rows.where(or_(Party.name.contains(asked, autoescape=True), Party.code == asked))
        if kind:
            rows = rows.where(Party.kind == kind)
        found = list(now.session.scalars(rows.order_by(Party.kind, Party.name)))
        page = page_of(len(found), request.args, "/admin/parties")
        kinds = [(one, words.state("party_kind", one, language()).text) for one in KINDS]
        return render("admin/parties.html", rows=found[page.offset:page.offset + page.size], page=page, query=query,
                      form=form or Form.blank(), kinds=kinds)


@admin.page("/acts/register", needs=Act.USER_ADMIN, post=True, back=firms)
def do_register() -> Any:
    form = Form.read()
    code, name, kind = form.text("code", limit=40), form.text("name"), form.choice("kind", KINDS)
    region = form.text("region", needed=False, limit=40)
    bank_name, bank_account = form.text("bank_name", needed=False, limit=120), form.text("bank_account", needed=False, limit=64)
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, "/admin/parties")
        parties.register(unit, code=code, name=name, kind=kind, region=region, small=form.ticked("small"),
                         bank_account="".join(bank_account.split()), bank_name=bank_name)
    return go(f"/admin/people/new?party={code.upper()}")


# --- keys -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyRow:
    """``fingerprint`` of the public signing key, to be read aloud; there is nothing secret to show."""

    holder: str
    organisation: str
    role: str
    fingerprint: str
    enrolled_at: datetime
    ended_at: datetime | None


@admin.page("/keys", needs=Act.USER_ADMIN)
def keys() -> str:
    form = Form.query()
    role = form.choice("role", [one for one in KEY_ROLES if one != "expert"], needed=False)
    with look() as now:
        query = select(EnrolledKey, Party.name).join(Party, Party.id == EnrolledKey.party_id).where(EnrolledKey.role != "expert")
        if role:
            query = query.where(EnrolledKey.role == role)
        if request.args.get("ended") != "yes":
            query = query.where(EnrolledKey.ended_at.is_(None))
        rows = [KeyRow(key.holder, name, key.role, fingerprint("ed25519", unb64u(key.sign_public, 32)), key.enrolled_at, key.ended_at)
                for key, name in now.session.execute(query.order_by(EnrolledKey.role, EnrolledKey.holder, EnrolledKey.id))]
        page = page_of(len(rows), request.args, "/admin/keys")
        seats = _seats(now)
        return render("admin/keys.html", rows=rows[page.offset:page.offset + page.size], page=page, form=form, seats=seats,
                      ended=request.args.get("ended") == "yes",
                      roles=[(one, words.state("key_role", one, language()).text) for one in KEY_ROLES if one != "expert"])


def _seats(now: Look) -> list[dict[str, Any]]:
    """Key holders of lots not opened yet: whether they have given their keys and stood the rehearsal."""
    rows = select(Lot).where(Lot.state.in_(("ACCEPTED", "NOTICE", "BIDDING", "OPENING"))).order_by(Lot.opens_at, Lot.id)
    found = []
    for lot in now.session.scalars(rows):
        standing = [row for row in now.session.scalars(select(officers.Policy).where(officers.Policy.lot_id == lot.id)) if row.standing]
        for seat in officers.seats(now.session, lot):
            drilled = sum(1 for policy in standing if seat.j in officers.drilled(now.session, policy))
            found.append({"lot": lot.ref, "title": lot.title, "opens_at": lot.opens_at, "name": seat.account.name, "side": seat.side,
                          "keyed": bool(seat.publics), "drilled": drilled, "policies": len(standing),
                          "active": seat.account.disabled_at is None})
    return found

"""Security administration: people with their roles, organisations, keys by their fingerprints. Experts are the centre's: they stand on no
list here, only who knows a username finds the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flask_babel import gettext as _

from trading.kernel.access import CLASHES, OF_WEIGHT, Act, Role, fitting
from trading.kernel.errors import Conflict, Fault, Faults, Invalid, NotAllowed, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties, role_proposals
from trading.parties.parties import KINDS, Account, Party
from trading.views import people_queries
from web import words
from web.desks.admin.room import admin, crumbs_of, deed_words, role_words
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.http.layout import page_of
from web.http.refusals import language
from web.words.people_words import GRANTABLE


def _account(view: View, ident: str) -> Account:
    """Refuses: NotFound."""
    if not (ident.isascii() and ident.isdigit() and len(ident) < 10):
        raise NotFound("account.unknown")
    return parties.account(view.session, int(ident))


@contextmanager
def told_in_words() -> Iterator[None]:
    """A refusal that names roles by their codes names them in words instead."""
    try:
        yield
    except Invalid as refusal:
        faults = [Fault(one.where, one.code, _spoken(one.facts)) for one in refusal.faults]
        facts = {name: value for name, value in refusal.facts.items() if name != "where"}
        raise Invalid(
            refusal.code, where=refusal.facts.get("where", "role"), faults=faults, **_spoken(facts)
        ) from refusal
    except (Conflict, NotAllowed) as refusal:
        raise type(refusal)(refusal.code, **_spoken(refusal.facts)) from refusal


def _spoken(facts: Mapping[str, Any]) -> dict[str, Any]:
    said = {"role": role_words, "kind": kind_words, "roles": lambda held: [role_words(one) for one in held]}
    return {name: said[name](value) if name in said else value for name, value in facts.items()}


def kind_words(kind: str) -> str:
    return words.state("party_kind", kind, language()).text


@admin.page("/people", needs=Act.USER_ADMIN)
def people() -> str:
    form = Form.query()
    asked, role = (
        form.text("q", needed=False, limit=80),
        form.choice("role", [one.value for one in GRANTABLE], needed=False),
    )
    with reading() as view:
        no_second = request.args.get("second") == "no"
        found = people_queries.find_people(view, words=asked, role=role, no_second=no_second)
        page = page_of(len(found), request.args, "/admin/people")
        shown = found[page.offset : page.offset + page.size]
        return render(
            "admin/people.html",
            rows=people_queries.person_cards(view, shown),
            page=page,
            form=form,
            roles=[(one.value, role_words(one.value)) for one in GRANTABLE],
        )


@admin.page("/people/new", needs=Act.USER_ADMIN)
def invite_page(form: Form | None = None) -> str:
    """First the organisation (``?party=``), then the person with the roles that fit it."""
    code = form.shown("party") if form else request.args.get("party", "")
    with reading() as view:
        firm = people_queries.organisation(view, code) if code else None
        firms = (
            []
            if firm
            else [(one.code, f"{one.name} · {kind_words(one.kind)}") for one in people_queries.organisations(view)]
        )
        return render(
            "admin/invite.html",
            form=form or Form.blank({"party": code}),
            firm=firm,
            firms=firms,
            unknown=bool(code and not firm),
            kind=kind_words(firm.kind) if firm else "",
            clashes=_clashes(firm.kind if firm else ""),
            roles=_choices(fitting(GRANTABLE, firm.kind)) if firm else [],
            alone=_alone(view),
            crumbs=crumbs_of((_("People"), "/admin/people"), (_("Invite"), "")),
        )


def _choices(roles: Iterable[Role]) -> list[tuple[str, str, str]]:
    """Roles to choose from, in words; beside those of weight, that a second administrator confirms."""
    return [
        (role.value, role_words(role.value), _("a second administrator confirms it") if role in OF_WEIGHT else "")
        for role in GRANTABLE
        if role in set(roles)
    ]


def _clashes(kind: str) -> list[tuple[str, ...]]:
    """The pairs of duties that never meet in one person, in words; of those an organisation of this kind may hold, where one is named."""
    return [
        tuple(role_words(role.value) for role in sorted(pair, key=list(Role).index))
        for pair in CLASHES
        if not kind or len(fitting(pair, kind)) == len(pair)
    ]


def _alone(view: View) -> bool:
    """Is there no second security administrator who could confirm?"""
    return len(parties.administrators(view.session)) < 2


@admin.act("/acts/invite", needs=Act.USER_ADMIN, fresh=True, back=invite_page)
def do_invite(unit: UnitOfWork, form: Form) -> str:
    """A role of weight is proposed with it, the others are granted at once. Fields: see desk.py, ``reason`` for the former."""
    username, name, password = form.text("username", limit=80), form.text("name", limit=80), form.password("password")
    code, roles = (
        form.text("party", limit=40),
        [Role(one) for one in form.choices("roles", [one.value for one in GRANTABLE], least=1)],
    )
    heavy = [role for role in roles if role in OF_WEIGHT]
    reason = form.text("reason", needed=bool(heavy), limit=500)
    form.refuse_if_any()
    firm = parties.party_by_code(unit.session, code)
    with told_in_words():
        _all_fit(firm, roles)
        who = parties.invite(
            unit,
            firm,
            username=username,
            name=name,
            password=password,
            roles=[role for role in roles if role not in OF_WEIGHT],
        )
        for role in heavy:
            role_proposals.propose(unit, who, role, reason)
    return f"/admin/people/{who.id}"


def _all_fit(firm: Party, roles: Sequence[Role]) -> None:
    """Every fault of the roles chosen at once, whichever are granted and whichever proposed. Refuses: Invalid."""
    faults = Faults()
    for at, role in enumerate(roles):
        parties.check_role(faults, "roles", firm, role, roles[:at])
    faults.refuse_if_any()


@admin.page("/people/<ident>", needs=Act.USER_ADMIN)
def person(ident: str, form: Form | None = None) -> str:
    with reading() as view:
        who = _account(view, ident)
        (row,) = people_queries.person_cards(view, [who])
        grants = people_queries.grant_cards(view, who)
        held = parties.roles_of(view.session, who)
        waiting = role_proposals.open_for(view.session, who)
        proposed = {one.role for one in waiting if one.deed == "grant"}
        names = parties.names_of(
            view.session, [one.granted_by for one in grants] + [one.proposed_by for one in waiting]
        )
        return render(
            "admin/person.html",
            row=row,
            mine=who.id == view.actor.account_id,
            form=form or Form.blank(),
            alone=_alone(view),
            administrator=Role.SECURITY_ADMIN in held and who.id != view.actor.account_id,
            kind=kind_words(row.kind),
            grants=[
                (one.role, one.granted_at, names.get(one.granted_by or 0, _("first set-up")), one.fits)
                for one in grants
            ],
            waiting=[(one, deed_words(one.deed, one.role), names.get(one.proposed_by, "–")) for one in waiting],
            heavy=parties.bears_weight(view.session, who),
            deeds={one.deed for one in waiting},
            offered=[
                (role.value, role_words(role.value) + _beside(held, role))
                for role in GRANTABLE
                if role in fitting({role}, row.kind) and role not in held and role not in proposed
            ],
            crumbs=crumbs_of((_("People"), "/admin/people"), (who.username, "")),
            at=view.now,
        )


def _beside(held: frozenset[Role], role: Role) -> str:
    """What stands beside a role in the list: with which duty it would clash, and whether a second administrator is asked."""
    notes = [
        _("clashes with %(role)s", role=role_words(other.value))
        for other in sorted(held, key=list(Role).index)
        if frozenset({role, other}) in CLASHES
    ]
    notes += [_("a second administrator confirms it")] if role in OF_WEIGHT else []
    return f"（{'；'.join(notes)}）" if notes and language() == "zh" else f" ({'; '.join(notes)})" if notes else ""


@admin.act("/people/<ident>/acts/grant", needs=Act.ROLE_GRANT, back=person)
def do_grant(unit: UnitOfWork, form: Form, ident: str) -> str:
    """Grants a role, or proposes one of weight. Fields: ``role``, ``reason`` for the latter."""
    role = form.choice("role", [one.value for one in GRANTABLE])
    heavy = bool(role) and Role(role) in OF_WEIGHT
    reason = form.text("reason", needed=heavy, limit=500)
    form.refuse_if_any()
    with told_in_words():
        if heavy:
            role_proposals.propose(unit, _account(unit, ident), Role(role), reason)
        else:
            parties.grant(unit, _account(unit, ident), Role(role))
    return f"/admin/people/{ident}"


@admin.act("/people/<ident>/acts/revoke", needs=Act.ROLE_GRANT, back=person)
def do_revoke(unit: UnitOfWork, form: Form, ident: str) -> str:
    role = form.choice("role", [one.value for one in Role])
    form.refuse_if_any()
    parties.revoke(unit, _account(unit, ident), Role(role))
    return f"/admin/people/{ident}"


@admin.act("/people/<ident>/acts/disable", needs=Act.USER_ADMIN, back=person)
def do_disable(unit: UnitOfWork, form: Form, ident: str) -> str:
    """Every sign-in of the account is dead at once. Field: ``sure``."""
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    parties.disable(unit, _account(unit, ident))
    return f"/admin/people/{ident}"


@admin.act("/people/<ident>/acts/reset", needs=Act.USER_ADMIN, fresh=True, back=person)
def do_reset(unit: UnitOfWork, form: Form, ident: str) -> str:
    """A new password, to be changed by its owner; the second factor stays. Proposed where a role of weight is held. Fields: ``password``,
    ``why`` for the latter."""
    who = _account(unit, ident)
    heavy = parties.bears_weight(unit.session, who)
    password, why = form.password("password"), form.text("why", needed=heavy, limit=500)
    form.refuse_if_any()
    if heavy:
        role_proposals.propose_password(unit, who, password, why)
    else:
        parties.reset_password(unit, who, password)
    return f"/admin/people/{ident}"


@admin.act("/people/<ident>/acts/second-factor", needs=Act.ROLE_GRANT, back=person)
def do_second_factor(unit: UnitOfWork, form: Form, ident: str) -> str:
    """The second factor and its recovery codes are void: for somebody who lost them. Proposed where a role of weight is held. Field:
    ``lost``, why, for the latter."""
    who = _account(unit, ident)
    heavy = parties.bears_weight(unit.session, who)
    lost = form.text("lost", needed=heavy, limit=500)
    form.refuse_if_any()
    if heavy:
        role_proposals.propose_deed(unit, who, "second_factor", lost)
    else:
        role_proposals.reset_second_factor(unit, who)
    return f"/admin/people/{ident}"


@admin.act("/people/<ident>/acts/enable", needs=Act.ROLE_GRANT, back=person)
def do_enable(unit: UnitOfWork, form: Form, ident: str) -> str:
    """A closed account is opened again, always by two. Field: ``back``, why."""
    back = form.text("back", limit=500)
    form.refuse_if_any()
    role_proposals.propose_deed(unit, _account(unit, ident), "enable", back)
    return f"/admin/people/{ident}"


# --- organisations ----------------------------------------------------------------------------------------------------


@admin.page("/parties", needs=Act.USER_ADMIN)
def firms(form: Form | None = None) -> str:
    query = Form.query()
    asked, kind = query.text("q", needed=False, limit=80), query.choice("kind", KINDS, needed=False)
    with reading() as view:
        found = people_queries.organisations(view, words=asked, kind=kind)
        page = page_of(len(found), request.args, "/admin/parties")
        kinds = [(one, words.state("party_kind", one, language()).text) for one in KINDS]
        return render(
            "admin/parties.html",
            rows=found[page.offset : page.offset + page.size],
            page=page,
            query=query,
            form=form or Form.blank(),
            kinds=kinds,
        )


@admin.act("/acts/register", needs=Act.USER_ADMIN, back=firms)
def do_register(unit: UnitOfWork, form: Form) -> str:
    code, name, kind = form.text("code", limit=40), form.text("name"), form.choice("kind", KINDS)
    region = form.text("region", needed=False, limit=40)
    bank_name, bank_account = (
        form.text("bank_name", needed=False, limit=120),
        form.text("bank_account", needed=False, limit=64),
    )
    form.refuse_if_any()
    new = parties.register(
        unit,
        code=code,
        name=name,
        kind=kind,
        region=region,
        small=form.ticked("small"),
        bank_account="".join(bank_account.split()),
        bank_name=bank_name,
        another=form.ticked("another"),
    )
    return f"/admin/people/new?party={new.code}"

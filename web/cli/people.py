"""`bidhall user`, `bidhall role` and `bidhall party`: accounts and organisations from the command line, alone only for the first
administrators of a new platform: until there are two security administrators, who then give roles of weight together, here as on the
pages."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import select

from trading.kernel.access import OF_WEIGHT, Actor, Role
from trading.kernel.errors import NotAllowed, NotFound
from trading.kernel.work import UnitOfWork
from trading.parties import corrections, parties, role_proposals
from web.cli.common import answer, guarded, json_option, lang_option, passphrase, say
from web.cli.platform import open_ready_office

ADMINISTRATORS = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
COMMAND_LINE = Actor(Role.SECURITY_ADMIN, name="command line")


def signed_in(office: Any, as_user: str | None, password_file: str | None) -> Actor:
    """Who acts: on an empty platform the command line itself, afterwards a security administrator with password."""
    from crypto import passwords
    from crypto.errors import CryptoError

    with office.view(COMMAND_LINE) as view:
        if not parties.administrators(view.session):
            return COMMAND_LINE
        if not as_user:
            raise NotAllowed("account.admin_needed")
        who = parties.find_account(view.session, as_user)
        if who is None or who.disabled_at is not None or who.second_part is not None:
            raise NotAllowed("signin.wrong")
        try:
            passwords.verify_password(passphrase(password_file), who.password)
        except CryptoError as error:
            raise NotAllowed("signin.wrong") from error
        roles = parties.roles_of(view.session, who)
        if Role.SECURITY_ADMIN not in roles:
            raise NotAllowed("access.role", act="user.admin", role=", ".join(sorted(roles)))
        return parties.actor_for(who, Role.SECURITY_ADMIN, roles, fresh_until=view.now + parties.FRESH)


def _for_administrators(office: Any, actor: Actor, roles: tuple[str, ...]) -> Actor:
    """While there are not two security administrators, who could give a role of weight together, the first administrators come from the
    machine itself; anybody else only from the pages and by two."""
    with office.view(COMMAND_LINE) as view:
        few = len(parties.administrators(view.session)) < 2
    return COMMAND_LINE if few and set(roles) <= {role.value for role in ADMINISTRATORS} else actor


as_option = click.option(
    "--as", "as_user", metavar="USER", help="The security administrator who acts (not needed on an empty platform)."
)
password_option = click.option(
    "--passphrase-file", metavar="FILE", help="The administrator's password, first line of FILE."
)


@click.group("user")
def user() -> None:
    """Accounts. Example: bidhall user add chen --name 陈书仪 --party CODE --role security-admin"""


@user.command("add", epilog="Example: bidhall user add chen --name 陈书仪 --party CODE --role security-admin --as sec")
@click.argument("username")
@click.option("--name", required=True, help="The person's name.")
@click.option("--party", "party_code", required=True, help="Code of the organisation.")
@click.option("--party-name", default="", help="Name of a new organisation, with --kind.")
@click.option("--kind", type=click.Choice(list(parties.KINDS)), help="Kind of a new organisation.")
@click.option(
    "--role", "roles", type=click.Choice([r.value for r in Role]), multiple=True, required=True, help="First roles."
)
@click.option("--password-file", metavar="FILE", help="The new account's first password (asked for).")
@click.option("--reason", default="", help="Why, for roles that a second administrator confirms.")
@as_option
@password_option
@lang_option
@guarded
def user_add(
    username: str,
    name: str,
    party_code: str,
    party_name: str,
    kind: str | None,
    roles: tuple[str, ...],
    password_file: str | None,
    reason: str,
    as_user: str | None,
    passphrase_file: str | None,
    lang: str | None,
) -> None:
    """Add an account with its first roles."""
    office = open_ready_office()
    actor = signed_in(office, as_user, passphrase_file)
    if actor is COMMAND_LINE and not set(roles) <= {r.value for r in ADMINISTRATORS}:
        raise NotAllowed("account.first_administrators", roles=[r.value for r in ADMINISTRATORS])
    first = passphrase(password_file, confirm=True)
    actor = _for_administrators(office, actor, roles)
    wanted = [Role(r) for r in roles]
    heavy = [r for r in wanted if r in OF_WEIGHT and actor is not COMMAND_LINE]
    with office.work(actor) as work:
        party = _organisation(work, party_code, party_name, kind)
        who = parties.invite(
            work, party, username=username, name=name, password=first, roles=[r for r in wanted if r not in heavy]
        )
        for one in heavy:
            role_proposals.propose(work, who, one, reason or "bidhall user add")
    say(f"{username}: {', '.join(roles)}")
    _tell_waiting(username, heavy)


def _organisation(work: UnitOfWork, code: str, name: str, kind: str | None) -> parties.Party:
    """The one of this code; a new one only where its kind and name are given. Refuses: NotFound ``party.unknown_code``, and as
    ``parties.register``."""
    try:
        return parties.party_by_code(work.session, code)
    except NotFound:
        if kind is None:
            raise NotFound("party.unknown_code", code=code) from None
    return parties.register(work, code=code, name=name, kind=kind)


@user.command("list", epilog="Example: bidhall user list --json")
@json_option
@lang_option
@guarded
def user_list(as_json: bool, lang: str | None) -> None:
    """List accounts with their roles."""
    office = open_ready_office()
    with office.view(COMMAND_LINE) as view:
        grants: dict[int, list[str]] = {}
        for account_id, role in view.session.execute(select(parties.RoleGrant.account_id, parties.RoleGrant.role)):
            grants.setdefault(account_id, []).append(role)
        accounts = view.session.scalars(select(parties.Account).order_by(parties.Account.username))
        rows = [
            {
                "username": a.username,
                "name": a.name,
                "party": a.party.name,
                "roles": sorted(grants.get(a.id, [])),
                "disabled": a.disabled_at is not None,
            }
            for a in accounts
        ]
    if as_json:
        answer({"users": rows})
        return
    for row in rows:
        mark = "  (disabled)" if row["disabled"] else ""
        click.echo(f"{row['username']:<20} {row['name']}  {row['party']}  {', '.join(row['roles'])}{mark}")


def _account(session: Any, username: str) -> parties.Account:
    found = parties.find_account(session, username)
    if found is None:
        raise NotFound("account.unknown")
    return found


@user.command("disable", epilog="Example: bidhall user disable chen --as admin")
@click.argument("username")
@as_option
@password_option
@lang_option
@guarded
def user_disable(username: str, as_user: str | None, passphrase_file: str | None, lang: str | None) -> None:
    """Close an account; every sign-in of it ends at once."""
    office = open_ready_office()
    with office.work(signed_in(office, as_user, passphrase_file)) as work:
        parties.disable(work, _account(work.session, username))


@user.command("reset", epilog="Example: bidhall user reset chen --as admin")
@click.argument("username")
@click.option("--password-file", metavar="FILE", help="The new password (asked for).")
@click.option("--reason", default="", help="Why, where a second administrator confirms it.")
@as_option
@password_option
@lang_option
@guarded
def user_reset(
    username: str,
    password_file: str | None,
    reason: str,
    as_user: str | None,
    passphrase_file: str | None,
    lang: str | None,
) -> None:
    """Set a new password; the second factor stays. Where a role of weight is held it is proposed."""
    office = open_ready_office()
    actor = signed_in(office, as_user, passphrase_file)
    new = passphrase(password_file, confirm=True)
    with office.work(actor) as work:
        who = _account(work.session, username)
        heavy = actor is not COMMAND_LINE and parties.bears_weight(work.session, who)
        if heavy:
            role_proposals.propose_password(work, who, new, reason or "bidhall user reset")
        else:
            parties.reset_password(work, who, new)
    if heavy:
        say(f"{username}: proposed; another security administrator confirms it at /admin/grants")


@click.group("role")
def role() -> None:
    """Roles. Example: bidhall role grant chen cashier --as admin"""


def _tell_waiting(username: str, heavy: list[Role]) -> None:
    for one in heavy:
        say(
            f"{one.value}: proposed; another security administrator confirms it: bidhall role confirm {username} {one.value} --as USER"
        )


@role.command("grant", epilog="Example: bidhall role grant chen cashier --reason 'takes over from Qian' --as admin")
@click.argument("username")
@click.argument("role_name", metavar="ROLE", type=click.Choice([r.value for r in Role]))
@click.option("--reason", default="", help="Why, for roles that a second administrator confirms.")
@as_option
@password_option
@lang_option
@guarded
def role_grant(
    username: str, role_name: str, reason: str, as_user: str | None, passphrase_file: str | None, lang: str | None
) -> None:
    """Grant a role, never to oneself; a role of weight is proposed."""
    office = open_ready_office()
    asked = Role(role_name)
    actor = _for_administrators(office, signed_in(office, as_user, passphrase_file), (role_name,))
    heavy = [asked] if asked in OF_WEIGHT and actor is not COMMAND_LINE else []
    with office.work(actor) as work:
        if heavy:
            role_proposals.propose(work, _account(work.session, username), asked, reason or "bidhall role grant")
        else:
            parties.grant(work, _account(work.session, username), asked)
    _tell_waiting(username, heavy)


def _proposal(session: Any, username: str, role_name: str) -> role_proposals.RoleProposal:
    who = _account(session, username)
    found = next(
        (one for one in role_proposals.open_for(session, who) if one.role == role_name and one.deed == "grant"), None
    )
    if found is None:
        raise NotFound("proposal.unknown")
    return found


@role.command("confirm", epilog="Example: bidhall role confirm chen cashier --as second")
@click.argument("username")
@click.argument("role_name", metavar="ROLE", type=click.Choice([r.value for r in Role]))
@as_option
@password_option
@lang_option
@guarded
def role_confirm(
    username: str, role_name: str, as_user: str | None, passphrase_file: str | None, lang: str | None
) -> None:
    """Confirm a role that another security administrator proposed."""
    office = open_ready_office()
    with office.work(signed_in(office, as_user, passphrase_file)) as work:
        part = role_proposals.confirm(work, _proposal(work.session, username, role_name))
    if part:
        say(f"{username}: second part of the password, shown this once; hand it over in person: {part}")


@role.command("refuse", epilog="Example: bidhall role refuse chen cashier --reason 'Qian stays' --as second")
@click.argument("username")
@click.argument("role_name", metavar="ROLE", type=click.Choice([r.value for r in Role]))
@click.option("--reason", required=True, help="Why not; read by whoever proposed it.")
@as_option
@password_option
@lang_option
@guarded
def role_refuse(
    username: str, role_name: str, reason: str, as_user: str | None, passphrase_file: str | None, lang: str | None
) -> None:
    """Refuse a role that another security administrator proposed."""
    office = open_ready_office()
    with office.work(signed_in(office, as_user, passphrase_file)) as work:
        role_proposals.refuse(work, _proposal(work.session, username, role_name), reason)


@role.command("revoke", epilog="Example: bidhall role revoke chen cashier --as admin")
@click.argument("username")
@click.argument("role_name", metavar="ROLE", type=click.Choice([r.value for r in Role]))
@as_option
@password_option
@lang_option
@guarded
def role_revoke(
    username: str, role_name: str, as_user: str | None, passphrase_file: str | None, lang: str | None
) -> None:
    """Take a role away; sign-ins in that role end at once."""
    office = open_ready_office()
    with office.work(signed_in(office, as_user, passphrase_file)) as work:
        parties.revoke(work, _account(work.session, username), Role(role_name))


@click.group("party")
def party() -> None:
    """Organisations. Example: bidhall party correct CODE --to CODE --reason 'certificate' --as sec --second sec2"""


@party.command("list", epilog="Example: bidhall party list --json")
@json_option
@lang_option
@guarded
def party_list(as_json: bool, lang: str | None) -> None:
    """List organisations with their codes, and what they were called before a correction; experts are the centre's and stand on no list."""
    from trading.views import people_queries

    office = open_ready_office(signs=False)
    with office.view(COMMAND_LINE) as view:
        cards = people_queries.organisations(view)
    if as_json:
        answer(
            {
                "parties": [
                    {
                        "code": one.code,
                        "name": one.name,
                        "kind": one.kind,
                        "former": [list(pair) for pair in one.former],
                    }
                    for one in cards
                ]
            }
        )
        return
    for one in cards:
        click.echo(f"{one.code:<20} {one.kind:<12} {one.name}")
        for code, name in one.former:
            click.echo(f"{'':<20} {'formerly':<12} {name} ({code})")


@party.command(
    "correct", epilog="Example: bidhall party correct CODE --to CODE --reason 'certificate' --as sec --second sec2"
)
@click.argument("code")
@click.option("--to", "new_code", metavar="CODE", help="The right code.")
@click.option("--name", "new_name", help="The right name.")
@click.option("--reason", required=True, help="What the right one was taken from.")
@as_option
@password_option
@click.option(
    "--second", "second_user", metavar="USER", help="Another security administrator, who has looked there too."
)
@click.option("--second-passphrase-file", metavar="FILE", help="Their password, first line of FILE.")
@lang_option
@guarded
def party_correct(
    code: str,
    new_code: str | None,
    new_name: str | None,
    reason: str,
    as_user: str | None,
    passphrase_file: str | None,
    second_user: str | None,
    second_passphrase_file: str | None,
    lang: str | None,
) -> None:
    """Correct the name or code of an organisation, by two security administrators; the log keeps what stood before."""
    office = open_ready_office()
    first = signed_in(office, as_user, passphrase_file)
    second = signed_in(office, second_user, second_passphrase_file) if second_user else None
    if second is not None and second.account_id == first.account_id:
        raise NotAllowed("proposal.own")
    with office.work(first) as work:
        firm = parties.party_by_code(work.session, code)
        row = corrections.propose(work, firm, code=new_code or firm.code, name=new_name or firm.name, reason=reason)
        ident = row.id
    if second is None:
        say(f"{code}: proposed; another security administrator confirms it at /admin/corrections/{ident}")
        return
    with office.work(second) as work:
        corrections.confirm(work, corrections.find(work.session, ident))
    say(f"{code}: corrected")

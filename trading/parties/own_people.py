"""What people do about their own account and, as administrator of a firm, about the people of that firm: its address of mail; who acts for
the firm, in a bidder's roles only.

Law of the noun: an administrator of a firm reaches nobody outside it and never changes their own roles, so that a firm is never without
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from crypto import passwords
from trading.kernel.access import Act, Role
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import mail_choices, new_passwords, parties
from trading.parties.parties import Account, Login, RoleGrant

ROLES = (Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER, Role.BIDDER_ADMIN)
_MAIL = re.compile(r"""[^@\s,;:<>()\[\]\\"]+@[^@\s,;:<>()\[\]\\"]+\.[^@\s,;:<>()\[\]\\"]+""")
"""One address and nothing beside it."""


def is_address(mail: str) -> bool:
    """One address of mail, in small letters or not."""
    return bool(_MAIL.fullmatch(mail)) and len(mail) <= 254


def set_mail(work: UnitOfWork, mail: str, lang: str = "zh") -> None:
    """One's own address of mail; empty takes it away. ``lang``: of letters, for whoever has not chosen yet.

    Refuses: Invalid ``account.mail_bad``."""
    work.require(Act.ACCOUNT_OWN)
    mail = mail.strip().lower()
    if mail and not is_address(mail):
        raise Invalid("account.mail_bad", where="mail")
    who = parties.account(work.session, work.actor.account_id or 0)
    work.lock(who)
    if mail != (who.mail or ""):
        who.mail = mail or None
        mail_choices.changed(work, who, lang)
    work.record("account.mail", f"account/{who.id}", person=f"account:{who.id}")


def people(view: View) -> list[tuple[Account, tuple[Role, ...], datetime | None]]:
    """The people of one's own firm with roles and last sign-in. Refuses: NotAllowed."""
    view.require(Act.PEOPLE_OWN)
    found = list(
        view.session.scalars(
            select(Account).where(Account.party_id == view.actor.party_id).order_by(Account.name, Account.id)
        )
    )
    granted: dict[int, set[str]] = {}
    for ident, role in view.session.execute(
        select(RoleGrant.account_id, RoleGrant.role).where(RoleGrant.account_id.in_([one.id for one in found]))
    ):
        granted.setdefault(ident, set()).add(role)
    seen = dict(
        view.session.execute(
            select(Login.account_id, func.max(Login.made_at))
            .where(Login.account_id.in_([one.id for one in found]))
            .group_by(Login.account_id)
        ).all()
    )
    return [(one, tuple(role for role in ROLES if role in granted.get(one.id, ())), seen.get(one.id)) for one in found]


def invite(work: UnitOfWork, *, username: str, name: str, password: str, mail: str, roles: Iterable[Role]) -> Account:
    """A further person of one's own firm. Refuses: NotAllowed, Invalid with every fault, Conflict ``account.exists``."""
    work.require(Act.PEOPLE_OWN)
    faults, username, wanted = Faults(), username.strip().lower(), list(roles)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._@-]{3,79}", username):
        faults.add("username", "registration.username_bad")
    if not name.strip():
        faults.add("name", "form.required")
    new_passwords.note(faults, password, username, work.office.platform)
    if mail and not is_address(mail.strip()):
        faults.add("mail", "account.mail_bad")
    if not wanted:
        faults.add("roles", "form.required")
    for role in wanted:
        if role not in ROLES:
            faults.add("roles", "account.role_misfit", role=role.value, kind="bidder")
    faults.refuse_if_any()
    if parties.find_account(work.session, username):
        raise Conflict("account.exists", username=username)
    new = Account(
        username=username,
        name=name.strip(),
        party_id=parties.own_party(work).id,
        password=passwords.hash_password(password),
        mail=mail.strip().lower() or None,
        made_at=work.now,
        handed_by=work.actor.account_id,
    )
    work.session.add(new)
    work.session.flush()
    for role in wanted:
        parties.give(work, new, role, by=work.actor.account_id)
    work.record("account.invite", f"account/{new.id}", roles=sorted(wanted), person=f"account:{new.id}")
    return new


def colleague(view: View, ident: int) -> Account:
    """Somebody else of one's own firm. Refuses: NotFound, NotAllowed about oneself."""
    view.require(Act.PEOPLE_OWN)
    found = view.session.get(Account, ident) if 0 < ident < 2**31 else None
    if found is None or found.party_id != view.actor.party_id:
        raise NotFound("account.unknown")
    if found.id == view.actor.account_id:
        raise NotAllowed("account.grant_self")
    return found


def set_roles(work: UnitOfWork, who: Account, roles: Iterable[Role]) -> None:
    """Just these of a bidder's roles; sign-ins in a role taken away end. Refuses: Invalid ``account.role_misfit``."""
    colleague(work, who.id)
    wanted = set(roles)
    if strange := wanted - set(ROLES):
        raise Invalid("account.role_misfit", role=min(strange).value, kind="bidder", where="roles")
    held = parties.roles_of(work.session, who)
    for role in ROLES:
        if role in wanted:
            parties.give(work, who, role, by=work.actor.account_id)
        elif role in held:
            parties.take_away(work, who, role)


def close(work: UnitOfWork, who: Account) -> None:
    """Somebody no longer acts for the firm: every sign-in is dead at once."""
    colleague(work, who.id)
    who.disabled_at = work.now
    parties.end_logins(work, who)
    work.record("account.disable", f"account/{who.id}", person=f"account:{who.id}")

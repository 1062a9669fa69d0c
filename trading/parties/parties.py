"""Organisations, the people who act for them, the roles they hold, and their sign-ins.

Law of the noun: a person acts in one role at a time; a role fits the kind of organisation (access.FITS), and a grant that doesn't gives
no rights; duties that clash (access.CLASHES) never meet in one person; nobody grants to themself, and a role of weight
(access.OF_WEIGHT) is given by two administrators (role_proposals.py), alone only by the machine's own command line while there are not two
yet. Public keys stand in enrolments.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import CheckConstraint, Connection, ForeignKey, String, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto import passwords
from trading.kernel import ids, signed
from trading.kernel.access import OF_WEIGHT, Act, Actor, Role, clash, fitting
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.clock import parse_moment
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import new_passwords

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
FRESH = timedelta(minutes=10)
ALONE = "alone"
"""The fact of a record by which the machine's own command line gave a role of weight: one person did, and the log says so."""
KINDS = ("bidder", "purchaser", "agency", "centre", "supervisor", "expert", "platform")


class Party(Base):
    """An organisation (or a person standing alone, such as an expert). ``code`` is the unified social credit code where it has one."""

    __tablename__ = "party"
    __table_args__ = (CheckConstraint(one_of("kind", KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    region: Mapped[str] = mapped_column(String(40), default="")
    small: Mapped[bool] = mapped_column(default=False)  # small or micro firm, rule E-06
    bank_account: Mapped[str] = mapped_column(Sealed, default="")  # the basic account deposits must come from, D-rules
    bank_name: Mapped[str] = mapped_column(String(120), default="")


class Account(Base):
    """A person who signs in."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    password: Mapped[str] = mapped_column(String(300))
    totp_secret: Mapped[str | None] = mapped_column(Sealed)
    totp_last_step: Mapped[int] = mapped_column(default=0)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    made_at: Mapped[datetime] = mapped_column(Moment)
    mail: Mapped[str | None] = mapped_column(Sealed)  # where a link goes when the password is forgotten
    mail_index: Mapped[str | None] = mapped_column(String(43), index=True)
    """A keyed hash of it, to find the account by (trading/kernel/at_rest.py)."""
    handed_by: Mapped[int | None]
    """The administrator who set a password that took nobody else to hand over, until its owner has set one handed over by two."""
    second_part: Mapped[str | None] = mapped_column(String(64))
    """The hash of a second part that the password asks for until then (handover.py)."""
    party: Mapped[Party] = relationship(lazy="joined")


hold(Party, row="code")
hold(Account, row="username", indexes={"mail": "mail_index"})


class RoleGrant(Base):
    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "role"), CheckConstraint(one_of("role", list(Role)), name="role"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    role: Mapped[str] = mapped_column(String(20))
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    granted_at: Mapped[datetime] = mapped_column(Moment)


class Login(Base):
    """A signed-in device. The cookie holds a token; the row holds its hash, so a stolen database signs nobody in."""

    __tablename__ = "login"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    made_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    fresh_until: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    device: Mapped[str] = mapped_column(String(200), default="")


# --- small rules ------------------------------------------------------------------------------------------------------------------


def roles_of(session: Session, account: Account) -> frozenset[Role]:
    """The roles an account holds: those granted that fit its organisation."""
    granted = session.scalars(select(RoleGrant.role).where(RoleGrant.account_id == account.id))
    return fitting((Role(role) for role in granted), account.party.kind)


def made_alone(view: View) -> list[tuple[datetime, tuple[str, ...]]]:
    """When a role of weight was given at the machine by whoever runs it, and not by two administrators, and which; oldest first. Public.

    Refuses: Conflict ``signed.altered``."""
    found = signed.records_of(
        view.session, view.office.keys.public, ("account.invite", "role.grant"), saying=f'"{ALONE}":true'
    )
    return [
        (parse_moment(record["at"]), tuple(sorted(OF_WEIGHT & set(facts.get("roles", [facts.get("role")])))))
        for _entry, record in found
        if (facts := record["facts"]).get(ALONE) is True
    ]


def administrators(session: Session) -> list[Account]:
    """The security administrators in office."""
    rows = session.scalars(
        select(Account)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.role == Role.SECURITY_ADMIN, Account.disabled_at.is_(None))
        .order_by(Account.id)
    )
    return [one for one in rows if fitting({Role.SECURITY_ADMIN}, one.party.kind)]


def holders(session: Session, firm: Party, role: Role) -> list[Account]:
    """The people of an organisation, in use, who hold a role."""
    if not fitting({role}, firm.kind):
        return []
    rows = select(Account).join(RoleGrant, RoleGrant.account_id == Account.id)
    rows = rows.where(Account.party_id == firm.id, Account.disabled_at.is_(None), RoleGrant.role == role)
    return list(session.scalars(rows.order_by(Account.id)))


def check_role(faults: Faults, where: str, firm: Party, role: Role, held: Iterable[Role]) -> None:
    """What any grant must be: fit for the organisation, and no clash with what the person holds."""
    if not fitting({role}, firm.kind):
        faults.add(where, "account.role_misfit", role=role.value, kind=firm.kind)
    pair = clash(frozenset(held) | {role})
    if pair and role in pair:
        faults.add(where, "account.role_clash", roles=sorted(pair))


def actor_for(account: Account, role: Role, roles: frozenset[Role], *, fresh_until: datetime | None = None) -> Actor:
    return Actor(role, account.id, account.party_id, account.name, fresh_until, roles)


def find_account(session: Session, username: str) -> Account | None:
    return session.scalar(select(Account).where(Account.username == username.strip().lower()))


def account(session: Session, account_id: int) -> Account:
    """Refuses: NotFound."""
    found = session.get(Account, account_id)
    if found is None:
        raise NotFound("account.unknown")
    return found


def names_of(session: Session, account_ids: Iterable[int | None]) -> dict[int, str]:
    """Names of accounts by number, in one query."""
    wanted = {one for one in account_ids if one is not None}
    return dict(session.execute(select(Account.id, Account.name).where(Account.id.in_(wanted))).all())


def party(session: Session, party_id: int | None) -> Party:
    """Refuses: NotFound."""
    found = session.get(Party, party_id) if party_id is not None else None
    if found is None:
        raise NotFound("party.unknown")
    return found


def party_by_code(session: Session, code: str) -> Party:
    """Refuses: NotFound."""
    found = session.scalar(select(Party).where(Party.code == code))
    if found is None:
        raise NotFound("party.unknown", code=code)
    return found


def own_party(view: View) -> Party:
    return party(view.session, view.actor.party_id)


def name_of_the_centre(session: Session) -> str:
    """The registered name of the centre; "" where there is none, or more than one to choose from."""
    names = list(session.scalars(select(Party.name).where(Party.kind == "centre").order_by(Party.id).limit(2)))
    return names[0] if len(names) == 1 else ""


# --- acts -------------------------------------------------------------------------------------------------------------------------


def register(
    work: UnitOfWork,
    *,
    code: str,
    name: str,
    kind: str,
    region: str = "",
    small: bool = False,
    bank_account: str = "",
    bank_name: str = "",
    another: bool = False,
) -> Party:
    """Enter an organisation. ``another``: a further centre is meant, where there is one. Refuses: NotAllowed, Invalid (every field; also
    ``party.second_centre``), Conflict ``party.exists``."""
    work.require(Act.USER_ADMIN)
    faults = Faults()
    if kind not in KINDS:
        faults.add("kind", "party.kind", kinds=list(KINDS))
    if not name.strip():
        faults.add("name", "form.required")
    code = read_code(faults, code, kind)
    if (
        kind == "centre"
        and not another
        and (first := centre_of_platform(work.session)) is not None
        and first.code != code
    ):
        faults.add("kind", "party.second_centre", centre=first.name, credit_code=first.code)
    faults.refuse_if_any()
    if work.session.scalar(select(Party.id).where(Party.code == code)) is not None:
        raise Conflict("party.exists", code=code)
    new = Party(
        code=code,
        name=name.strip(),
        kind=kind,
        region=region,
        small=small,
        bank_account=bank_account,
        bank_name=bank_name,
    )
    work.session.add(new)
    work.session.flush()
    work.record("party.register", f"party/{new.id}", kind=kind)
    return new


def read_code(faults: Faults, code: str, kind: str) -> str:
    """The code of an organisation in its one form; that of a person standing alone, such as an expert, is the centre's own. What is wrong
    with it is added to ``faults``."""
    code = code.strip()
    if not code:
        faults.add("code", "form.required")
    elif kind != "expert":
        try:
            return ids.read_uscc(code)
        except Invalid as refusal:
            faults.take("code", refusal)
    return code


def centre_of_platform(session: Session) -> Party | None:
    """The trading centre, None where none is entered yet; the first one where somebody meant to have two."""
    return session.scalar(select(Party).where(Party.kind == "centre").order_by(Party.id).limit(1))


def invite(
    work: UnitOfWork, party: Party, *, username: str, name: str, password: str, roles: list[Role], hashed: str = ""
) -> Account:
    """Give a person an account and first roles. ``hashed``: the password's hash, where many are given the same at once.

    Refuses: NotAllowed (also ``account.second_needed``: a role of weight is proposed), Invalid, Conflict ``account.exists``.
    """
    work.require(Act.USER_ADMIN)
    username = username.strip().lower()
    faults = Faults()
    if not username:
        faults.add("username", "form.required")
    if not name.strip():
        faults.add("name", "form.required")
    new_passwords.note(faults, password, username, work.office.platform)
    pair = clash(frozenset(roles))
    if pair:
        faults.add("roles", "account.role_clash", roles=sorted(pair))
    for role in roles:
        if not fitting({role}, party.kind):
            faults.add("roles", "account.role_misfit", role=role.value, kind=party.kind)
    faults.refuse_if_any()
    if not _alone(work) and OF_WEIGHT & set(roles):
        raise NotAllowed("account.second_needed", roles=sorted(OF_WEIGHT & set(roles)))
    if find_account(work.session, username):
        raise Conflict("account.exists", username=username)
    new = Account(
        username=username,
        name=name.strip(),
        party_id=party.id,
        password=hashed or passwords.hash_password(password),
        made_at=work.now,
        handed_by=work.actor.account_id,
    )
    work.session.add(new)
    work.session.flush()
    for role in roles:
        work.session.add(RoleGrant(account_id=new.id, role=role, granted_by=work.actor.account_id, granted_at=work.now))
    work.session.flush()
    alone = {ALONE: True} if _alone(work) and OF_WEIGHT & set(roles) else {}
    work.record("account.invite", f"account/{new.id}", roles=sorted(roles), person=f"account:{new.id}", **alone)
    return new


def grant(work: UnitOfWork, who: Account, role: Role) -> None:
    """Grant a role. Refuses: NotAllowed (also to oneself; ``account.second_needed`` for a role of weight), Invalid ``account.role_clash``,
    ``account.role_misfit``."""
    work.require(Act.ROLE_GRANT)
    if who.id == work.actor.account_id:
        raise NotAllowed("account.grant_self")
    if role in OF_WEIGHT and not _alone(work):
        raise NotAllowed("account.second_needed", roles=[role.value])
    give(work, who, role, by=work.actor.account_id)


def give(work: UnitOfWork, who: Account, role: Role, *, by: int | None) -> None:
    """Enter a grant, whoever decided it. Refuses: Invalid ``account.role_clash``, ``account.role_misfit``."""
    held, faults = roles_of(work.session, who), Faults()
    check_role(faults, "role", who.party, role, held)
    if faults.found:
        raise Invalid(faults.found[0].code, **faults.found[0].facts)
    if role not in held:
        work.session.add(RoleGrant(account_id=who.id, role=role, granted_by=by, granted_at=work.now))
        work.session.flush()
        alone = {ALONE: True} if _alone(work) and role in OF_WEIGHT else {}
        work.record("role.grant", f"account/{who.id}", role=role.value, person=f"account:{who.id}", **alone)


def _alone(work: UnitOfWork) -> bool:
    """Does the machine's own command line act (first installation), or a person, who needs a second one?"""
    return work.actor.account_id is None


def revoke(work: UnitOfWork, who: Account, role: Role) -> None:
    """Take a role away; sign-ins in that role end at once. Refuses: NotAllowed, NotFound."""
    work.require(Act.ROLE_GRANT)
    take_away(work, who, role)


def take_away(work: UnitOfWork, who: Account, role: Role) -> None:
    """Strike a grant, whoever decided it. Refuses: NotFound."""
    found = work.session.scalar(select(RoleGrant).where(RoleGrant.account_id == who.id, RoleGrant.role == role))
    if found is None:
        raise NotFound("account.role_not_held", role=role.value)
    work.session.delete(found)
    for login in work.session.scalars(
        select(Login).where(Login.account_id == who.id, Login.role == role, Login.ended_at.is_(None))
    ):
        login.ended_at = work.now
    work.record("role.revoke", f"account/{who.id}", role=role.value, person=f"account:{who.id}")


def disable(work: UnitOfWork, who: Account) -> None:
    """Close an account: every sign-in of it is dead at once (promise N1)."""
    work.require(Act.USER_ADMIN)
    who.disabled_at = work.now
    end_logins(work, who)
    work.record("account.disable", f"account/{who.id}", person=f"account:{who.id}")


def bears_weight(session: Session, who: Account) -> bool:
    """Does an account hold a role of weight? What an administrator could get hold of there, two decide about."""
    return bool(roles_of(session, who) & OF_WEIGHT)


def reset_password(work: UnitOfWork, who: Account, password: str) -> None:
    """Set a new password; the second factor stays, every sign-in of the account ends. Where a role of weight is held it is proposed instead
    (role_proposals.py); never that of another security administrator: whoever knew both passwords would be both of the two whom a role of
    weight needs.

    Refuses: NotAllowed (also ``account.reset_administrator``, ``account.two_needed``), Invalid."""
    work.require(Act.USER_ADMIN)
    new_passwords.check(password, who.username, work.office.platform)
    if not _alone(work) and who.id != work.actor.account_id and Role.SECURITY_ADMIN in roles_of(work.session, who):
        raise NotAllowed("account.reset_administrator")
    if not _alone(work) and bears_weight(work.session, who):
        raise NotAllowed("account.two_needed")
    who.password, who.second_part, who.handed_by = passwords.hash_password(password), None, work.actor.account_id
    end_logins(work, who)
    work.record("account.reset", f"account/{who.id}", person=f"account:{who.id}")


def by_role(session: Session) -> dict[Role, list[str]]:
    """The names of who holds each role, in use and fit for their organisation, in the order in which they were entered."""
    rows = session.execute(
        select(RoleGrant.role, Party.kind, Account.name)
        .join(Account, Account.id == RoleGrant.account_id)
        .join(Party, Party.id == Account.party_id)
        .where(Account.disabled_at.is_(None))
        .order_by(Account.id)
    )
    found: dict[Role, list[str]] = {}
    for role, kind, name in rows:
        for held in fitting((Role(role),), kind):
            found.setdefault(held, []).append(name)
    return found


def shift_logins(work: UnitOfWork, by: timedelta) -> None:
    """Live sign-ins go along when the clock of a rehearsal is moved: nobody has been away so long."""
    work.require(Act.CLOCK_MOVE)
    rows = select(Login).where(Login.ended_at.is_(None), Login.seen_at > work.now - IDLE)
    for login in work.session.scalars(rows):
        login.made_at, login.seen_at, login.fresh_until = login.made_at + by, login.seen_at + by, login.fresh_until + by


def end_logins(work: UnitOfWork, who: Account) -> None:
    """Every sign-in of the account is over."""
    for login in work.session.scalars(select(Login).where(Login.account_id == who.id, Login.ended_at.is_(None))):
        login.ended_at = work.now


# --- sign-ins (web/http/login.py checks password and code, then keeps the row here) -------------------------------------------------------


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def open_login(work: UnitOfWork, who: Account, role: Role, device: str = "") -> str:
    """A new sign-in; returns the token for the cookie (256 bits, never stored)."""
    token = secrets.token_urlsafe(32)
    work.session.add(
        Login(
            token_hash=_hash(token),
            account_id=who.id,
            role=role,
            made_at=work.now,
            seen_at=work.now,
            fresh_until=work.now + FRESH,
            device=device[:200],
        )
    )
    work.session.flush()
    return token


@dataclass(frozen=True)
class SignedIn:
    """A live sign-in with its account and the roles that account holds."""

    login_id: int
    role: Role
    made_at: datetime
    seen_at: datetime
    fresh_until: datetime
    account_id: int
    username: str
    name: str
    party_id: int | None
    roles: frozenset[Role]
    handed: bool = False
    bare: bool = False
    """``handed``: the password came from two administrators: nothing may be done before its owner has set another. ``bare``: a role
    of weight is held and there is no second factor."""

    @property
    def actor(self) -> Actor:
        return Actor(self.role, self.account_id, self.party_id, self.name, self.fresh_until, self.roles)


def find_login(session: Session, token: str, now: datetime) -> Login | None:
    """The live sign-in of a token: not ended, not idle too long, not too old, its account not disabled, its role still held and fit for
    the organisation."""
    found = find_signed_in(session.connection(), token, now)
    return session.get(Login, found.login_id) if found is not None else None


def login_of(session: Session, login_id: int) -> Login | None:
    return session.get(Login, login_id)


def live_logins(session: Session, account_id: int, now: datetime) -> list[Login]:
    """The sign-ins of an account that were used of late, the latest first."""
    rows = select(Login).where(Login.account_id == account_id, Login.ended_at.is_(None), Login.seen_at > now - IDLE)
    return list(session.scalars(rows.order_by(Login.seen_at.desc(), Login.id)))


def other_logins(session: Session, account_id: int, login_id: int) -> list[Login]:
    """Every sign-in of an account that has not ended, but for one."""
    rows = select(Login).where(Login.account_id == account_id, Login.ended_at.is_(None), Login.id != login_id)
    return list(session.scalars(rows))


def account_of_token(session: Session, token: str) -> int | None:
    """Whose sign-in a token is, or was before it ended."""
    return session.scalar(select(Login.account_id).where(Login.token_hash == _hash(token)))


def find_signed_in(connection: Connection, token: str, now: datetime) -> SignedIn | None:
    """As ``find_login``, with the account and the roles it holds, in one question past any session: it is asked with every request."""
    rows = connection.execute(_SIGNED_IN, {"hash": _hash(token)}).all()
    if not rows:
        return None
    (
        login_id,
        acts_as,
        made_at,
        seen_at,
        fresh_until,
        account_id,
        username,
        name,
        party_id,
        disabled_at,
        part,
        totp,
        kind,
        _,
    ) = rows[0]
    role, roles = Role(acts_as), fitting((Role(row[13]) for row in rows if row[13] is not None), kind)
    if seen_at + IDLE < now or made_at + ABSOLUTE < now or disabled_at is not None or role not in roles:
        return None
    handed, bare = part is not None, totp is None and bool(roles & OF_WEIGHT)
    return SignedIn(
        login_id, role, made_at, seen_at, fresh_until, account_id, username, name, party_id, roles, handed, bare
    )


_login, _account, _grant, _firm = (table.__table__.c for table in (Login, Account, RoleGrant, Party))
_SIGNED_IN = (
    select(
        _login.id,
        _login.role,
        _login.made_at,
        _login.seen_at,
        _login.fresh_until,
        _account.id,
        _account.username,
        _account.name,
        _account.party_id,
        _account.disabled_at,
        _account.second_part,
        _account.totp_secret,
        _firm.kind,
        _grant.role,
    )
    .select_from(
        Login.__table__.join(Account.__table__, _account.id == _login.account_id)
        .join(Party.__table__, _firm.id == _account.party_id)
        .outerjoin(RoleGrant.__table__, _grant.account_id == _account.id)
    )
    .where(_login.token_hash == bindparam("hash"), _login.ended_at.is_(None))
)


def actor_of(session: Session, login: Login) -> Actor:
    who = account(session, login.account_id)
    return actor_for(who, Role(login.role), roles_of(session, who), fresh_until=login.fresh_until)


def touch(login: Login, now: datetime) -> None:
    login.seen_at = now


def refresh(work: UnitOfWork, login: Login) -> None:
    login.fresh_until = work.now + FRESH


def switch_role(work: UnitOfWork, login: Login, role: Role) -> None:
    """Act in another role one holds. Refuses: NotAllowed."""
    if role not in roles_of(work.session, account(work.session, login.account_id)):
        raise NotAllowed("account.role_not_held", role=role.value)
    login.role = role


def close_login(work: UnitOfWork, login: Login) -> None:
    login.ended_at = work.now

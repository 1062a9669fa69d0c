"""Who is at the door: sign-in with password and a second factor, the row that keeps it, the role in which one acts.

The signed cookie carries a token; the row `parties.Login` holds its hash, so a person can be thrown out and a stolen database signs
nobody in. A code of the second factor works once: its time step is stored and only later ones are taken.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from ipaddress import ip_address, ip_network

import pyotp
from flask import Flask, Response, after_this_request, current_app, g, has_request_context, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy.orm import Session

from crypto import passwords
from crypto.errors import CryptoError
from trading.kernel.access import PUBLIC, Actor, Role
from trading.kernel.errors import Invalid, NotAllowed
from trading.kernel.work import Office, UnitOfWork
from trading.parties import failed_sign_ins, handover, new_passwords, parties, recovery_codes, registrations
from web.http import known_devices
from web.http.rate_limits import OF_ACCOUNT, OF_DEVICE, OF_NETWORK, OF_SIGN_IN, RateLimits

LOG = logging.getLogger("bidhall.web")
TOUCH_EVERY = timedelta(minutes=1)
STEP_SECONDS = 30
_ARGON = threading.BoundedSemaphore(4)  # each check takes some 46 MiB


@dataclass
class Person(UserMixin):
    """A signed-in person, as flask-login wants one. Its id is the token of the sign-in."""

    id: str
    login_id: int
    actor: Actor
    made_at: datetime
    seen_at: datetime
    roles: tuple[Role, ...]
    username: str
    handed: bool = False
    """Nothing may be done before a password of one's own is set."""
    bare: bool = False
    """A role of weight is held without a second factor."""
    recovered: bool = False
    """A recovery code stood in for the second factor at this very sign-in."""

    @property
    def ends_at(self) -> datetime:
        """When this sign-in ends if nothing more is done."""
        return min(self.seen_at + parties.IDLE, self.made_at + parties.ABSOLUTE)


def install(app: Flask, office: Office) -> None:
    manager = LoginManager(app)
    manager.session_protection = "strong"

    @manager.user_loader
    def load(token: str) -> Person | None:
        now = office.clock.now()
        with office.glance() as connection:
            found = parties.find_signed_in(connection, token, now)
        if found is None:
            return None
        person = _person_of(token, found)
        if now - found.seen_at > TOUCH_EVERY and not request.path.startswith(("/live/", "/time")):
            after_this_request(partial(_seen, office, person))
            person.seen_at = now
        return person


def _seen(office: Office, person: Person, response: Response) -> Response:
    """That somebody was here is written down once the page is out: else whoever looks at any page would wait in line with those who hand
    in just then, and could tell by a watch that somebody does."""

    def touch() -> None:
        try:
            with office.work(person.actor, together=True) as work:
                row = parties.login_of(work.session, person.login_id)
                if row is not None and row.ended_at is None:
                    parties.touch(row, work.now)
        except Exception:
            LOG.exception("a sign-in seen was not written down")  # the next page tries again; the answer is out already

    response.call_on_close(touch)
    return response


def _person(database: Session, token: str, login: parties.Login) -> Person:
    who = parties.account(database, login.account_id)
    return _person_of(
        token,
        parties.SignedIn(
            login.id,
            Role(login.role),
            login.made_at,
            login.seen_at,
            login.fresh_until,
            who.id,
            who.username,
            who.name,
            who.party_id,
            parties.roles_of(database, who),
            who.second_part is not None,
            parties.bears_weight(database, who) and not who.totp_secret,
        ),
    )


def _person_of(token: str, found: parties.SignedIn) -> Person:
    return Person(
        token,
        found.login_id,
        found.actor,
        found.made_at,
        found.seen_at,
        tuple(r for r in Role if r in found.roles),
        found.username,
        found.handed,
        found.bare,
    )


def present() -> Person | None:
    """The person signed in on this request, or None."""
    if not has_request_context() or g.get("nobody", False):
        return None
    return current_user._get_current_object() if current_user.is_authenticated else None


OWN_PASSWORD, SECOND_FACTOR = "/account/password", "/account/second-factor"
_CONFIRM = {"account.confirm", "account.do_confirm"}
BEFORE_ANYTHING_ELSE = {
    OWN_PASSWORD: _CONFIRM | {"account.password", "account.do_password"},
    SECOND_FACTOR: _CONFIRM | {"account.second_factor", "account.do_second_factor"},
}
"""What must be done before anything else, and the pages it is done with; signing out is open to all."""


def first_duty() -> str:
    """One of ``BEFORE_ANYTHING_ELSE``: a password of one's own, then a second factor where the centre requires one; "" mostly."""
    person = present()
    if person is None:
        return ""
    if person.handed:
        return OWN_PASSWORD
    required = person.bare and current_app.extensions["bidhall"].settings.second_factor_required
    return SECOND_FACTOR if required else ""


def mark() -> str:
    """A name of this sign-in for scripts of its pages; it tells nothing of the token. "" when nobody is signed in."""
    person = present()
    return hmac.new(person.id.encode(), b"bidhall page mark", "sha256").hexdigest()[:32] if person else ""


def actor() -> Actor:
    """Who acts on this request; the public when nobody is signed in."""
    person = present()
    return person.actor if person else PUBLIC


# --- signing in ---------------------------------------------------------------------------------------------------------------------


def sign_in(office: Office, rate_limits: RateLimits, *, username: str, password: str, code: str) -> Person:
    """Checks password and second factor and opens a sign-in; one that was open in this browser ends. One refusal for every reason, after
    the same work: nobody learns which accounts exist. Refuses: Invalid ``signin.wrong``, TooEarly ``signin.wait``; NotAllowed
    ``signin.disabled``, ``signin.no_role`` (only after a right password). Raises: Applicant."""
    name = username.strip().lower()
    with office.view(PUBLIC) as view:
        known = parties.find_account(view.session, name)
        account_id, stored, part = (known.id, known.password, known.second_part) if known else (0, None, None)
        applicant = registrations.waiting_named(view.session, name)  # asked for every name: both take as long
        stored = stored or (applicant.password if applicant else None)
    device = known_devices.known_as(account_id, stored or "")
    tried = (OF_DEVICE, str(account_id), device) if device else (OF_ACCOUNT, name)
    if not device:
        rate_limits.look(OF_NETWORK, network())
    rate_limits.try_once(*tried)
    wrong = "account" if known is None else "password"
    try:
        if not _password_fits(stored, password, account_id, part) or stored is None:
            raise Invalid("signin.wrong")
        if known is None and applicant is not None:
            rate_limits.was_right(*tried)
            raise Applicant(applicant.ref)
        wrong = "code"
        again = passwords.needs_rehash(stored) and part is None
        fresh_hash = passwords.hash_password(password) if again else ""
        person = _open(office, account_id, code, fresh_hash)
    except Invalid:
        if not device:
            rate_limits.was_wrong(OF_NETWORK, network())
        note_failed(office, known.id if known else None, "sign_in", wrong)
        raise
    except NotAllowed as refusal:
        rate_limits.was_right(*tried)  # the secrets were right
        note_failed(office, account_id, "sign_in", "closed" if refusal.code == "signin.disabled" else "no_role")
        raise
    rate_limits.was_right(*tried)
    known_devices.remember(account_id, fresh_hash or stored)
    _end(office, present())
    session.clear()
    login_user(person)
    return person


def _open(office: Office, account_id: int, code: str, fresh_hash: str) -> Person:
    """After the right password: the second factor, then the row of the sign-in."""
    with office.work(PUBLIC) as work:
        who = parties.account(work.session, account_id)
        work.lock(who)
        recovered = take_factor(work, who, code)
        if who.disabled_at is not None:
            raise NotAllowed("signin.disabled")
        if fresh_hash:
            who.password = fresh_hash
        roles = parties.roles_of(work.session, who)
        if not roles:
            raise NotAllowed("signin.no_role")
        role = next(r for r in Role if r in roles)
        work.actor = parties.actor_for(who, role, roles)
        token = parties.open_login(work, who, role, device=_device())
        login = parties.find_login(work.session, token, work.now)
        assert login is not None
        person = replace(_person(work.session, token, login), recovered=recovered)
        work.record_unless_still("account.sign_in", f"account/{who.id}", person=f"account:{who.id}")
    return person


def note_failed(office: Office, account_id: int | None, way: str, wrong: str) -> None:
    """Written down in a unit of its own: that of the try is rolled back."""
    with office.work(PUBLIC, together=True) as work:
        failed_sign_ins.note(work, account_id, way=way, wrong=wrong, network=network())


def network() -> str:
    """Where this request comes from: an address, of IPv6 the network of 64 bits that one line gets."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return ""
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


class Applicant(Exception):
    """The right password of a registration that is not accepted yet: whoever has it sees its state. ``ref``: which one."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


def sign_out(office: Office) -> None:
    _end(office, present())
    logout_user()
    session.clear()


def _end(office: Office, person: Person | None) -> None:
    if person is None:
        return
    with office.work(person.actor) as work:
        row = parties.login_of(work.session, person.login_id)
        if row is not None:
            parties.close_login(work, row)
        work.record_unless_still("account.sign_out", f"account/{person.actor.account_id}", person=person.actor.person)


def confirm(office: Office, rate_limits: RateLimits, person: Person, *, password: str, code: str) -> None:
    """A fresh sign-in for an act with legal effect: both factors again. Refuses: Invalid ``signin.wrong``, TooEarly ``signin.wait``."""
    rate_limits.try_once(OF_SIGN_IN, str(person.login_id))
    with office.view(person.actor) as view:
        who = parties.account(view.session, _account_id(person))
    if not _password_fits(who.password, password, who.id, who.second_part):
        note_failed(office, _account_id(person), "confirm", "password")
        raise Invalid("signin.wrong")
    try:
        _refresh(office, person, code)
    except Invalid:
        note_failed(office, _account_id(person), "confirm", "code")
        raise
    rate_limits.was_right(OF_SIGN_IN, str(person.login_id))


def _refresh(office: Office, person: Person, code: str) -> None:
    """After the right password: the second factor, then ten minutes of a fresh sign-in."""
    with office.work(person.actor) as work:
        who = parties.account(work.session, _account_id(person))
        work.lock(who)
        take_factor(work, who, code)
        row = parties.login_of(work.session, person.login_id)
        if row is None or row.ended_at is not None:
            raise Invalid("signin.wrong")
        parties.refresh(work, row)
        work.record("account.confirm", f"account/{who.id}", person=f"account:{who.id}")


def act_as(office: Office, person: Person, role: Role) -> None:
    """Switch to another role one holds. Refuses: NotAllowed."""
    with office.work(person.actor) as work:
        row = parties.login_of(work.session, person.login_id)
        if row is None or row.ended_at is not None:
            raise NotAllowed("signin.role")
        parties.switch_role(work, row, role)
        work.record("account.role", f"account/{person.actor.account_id}", role=role.value, person=person.actor.person)


# --- second factor ------------------------------------------------------------------------------------------------------------------


def take_code(who: parties.Account, code: str, now: datetime) -> bool:
    """Takes a code once (RFC 6238, 30 s, one step of drift each way): its step must lie after the last one used."""
    typed = "".join(c for c in code if c.isdigit())
    if not who.totp_secret or len(typed) != 6:
        return False
    maker = pyotp.TOTP(who.totp_secret)
    present_step = int(now.timestamp()) // STEP_SECONDS
    for step in (present_step - 1, present_step, present_step + 1):
        if step > who.totp_last_step and hmac.compare_digest(maker.generate_otp(step), typed):
            who.totp_last_step = step
            return True
    return False


def take_factor(work: UnitOfWork, who: parties.Account, code: str) -> bool:
    """The second factor where there is one: a code of the authenticator, or a recovery code in its place; True for the latter. The caller
    holds the account. Refuses: Invalid ``signin.wrong``."""
    if not who.totp_secret or take_code(who, code, work.now):
        return False
    if not recovery_codes.use(work, who, code):
        raise Invalid("signin.wrong")
    return True


def new_secret() -> str:
    return pyotp.random_base32()


def secret_address(secret: str, username: str, issuer: str) -> str:
    """The ``otpauth:`` address an authenticator app reads from a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def enrol_code(office: Office, person: Person, secret: str, code: str) -> None:
    """Take up a second factor (or another one): the first code proves that the app works. Refuses: Invalid ``account.code_wrong``."""
    with office.work(person.actor) as work:
        who = parties.account(work.session, _account_id(person))
        work.lock(who)
        who.totp_secret, who.totp_last_step = secret, 0
        if not take_code(who, code, work.now):
            raise Invalid("account.code_wrong")
        work.record("account.second_factor", f"account/{who.id}", person=f"account:{who.id}")


def change_password(office: Office, rate_limits: RateLimits, person: Person, *, old: str, new: str) -> None:
    """Refuses: Invalid ``account.password_old`` and as ``check_strong``, TooEarly ``signin.wait``."""
    check_strong(new, office.platform, person.username, person.actor.name)
    rate_limits.try_once(OF_SIGN_IN, str(person.login_id))
    with office.view(person.actor) as view:
        who = parties.account(view.session, _account_id(person))
    if not _password_fits(who.password, old, who.id, who.second_part):
        note_failed(office, _account_id(person), "password", "password")
        raise Invalid("account.password_old")
    rate_limits.was_right(OF_SIGN_IN, str(person.login_id))
    hashed = new_hash(new, office.platform, person.username, person.actor.name)
    with office.work(person.actor) as work:
        who = parties.account(work.session, _account_id(person))
        who.password = hashed
        handover.owned(who)
        for row in parties.other_logins(work.session, who.id, person.login_id):
            row.ended_at = work.now
        work.record("account.password", f"account/{who.id}", person=f"account:{who.id}")
    known_devices.remember(_account_id(person), hashed)


def check_strong(new: str, platform: str, username: str, *known: str) -> None:
    """Refuses: Invalid ``account.password_weak``, and as ``new_passwords.check``."""
    found = new_passwords.fault_of(new, username, platform)
    if found is not None and found.code != "account.password_named":
        raise Invalid(found.code, **found.facts)
    if not strong(new, username, *known):
        raise Invalid("account.password_weak")
    new_passwords.check(new, username, platform)


def new_hash(new: str, platform: str, username: str, *known: str) -> str:
    """The hash of a new password that is hard to guess. Refuses: as ``check_strong``."""
    check_strong(new, platform, username, *known)
    with _ARGON:
        return passwords.hash_password(new)


def end_others(office: Office, person: Person) -> int:
    """Ends every other sign-in of this person; returns how many there were."""
    with office.work(person.actor) as work:
        rows = parties.other_logins(work.session, _account_id(person), person.login_id)
        for row in rows:
            parties.close_login(work, row)
        work.record("account.end_others", f"account/{person.actor.account_id}", person=person.actor.person)
    return len(rows)


def strong(password: str, *known: str) -> bool:
    """Would guessing take long? zxcvbn's score of 3 or more, knowing the person's names and the platform's words."""
    from zxcvbn import zxcvbn

    return int(zxcvbn(password[:72], user_inputs=["bidhall", "toubiao", "zhaobiao", "yangguang", *known])["score"]) >= 3


def _account_id(person: Person) -> int:
    assert person.actor.account_id is not None
    return person.actor.account_id


def _device() -> str:
    return (request.user_agent.string or "")[:200]


@cache
def _nobodys_password() -> str:
    return passwords.hash_password(secrets.token_urlsafe(24))


def _password_fits(stored: str | None, typed: str, account_id: int, second_part: str | None) -> bool:
    """Checks against a password nobody has when there is no such account, so that both take as long; so does a missing second part."""
    first = handover.first_part(account_id, second_part, typed)
    with _ARGON:
        try:
            passwords.verify_password(first or typed, stored or _nobodys_password())
        except CryptoError:
            return False
    return stored is not None and first is not None

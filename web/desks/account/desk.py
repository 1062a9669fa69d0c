"""The account desk: sign-in with a second factor, the role one acts in, devices, password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import segno
from flask import current_app, session
from flask_babel import gettext as _
from markupsafe import Markup

from trading.kernel.access import Act, Role
from trading.kernel.errors import Invalid, NotAllowed
from trading.parties import failed_sign_ins, mail_choices, parties, recovery_codes
from web.desks import register
from web.desks.account import failed, forgotten, inbox, mail, recovery
from web.desks.account.room import account, person, rate_limits
from web.http import kept, login
from web.http.forms import Form
from web.http.gate import HOMES, go, office, reading, render, request, safe_next
from web.http.page_rules import ANYONE, ByHand, open_to, role_for

__all__ = ["desk", "failed", "forgotten", "inbox", "mail", "recovery"]

desk = account

PENDING = "second_factor"
LATELY = timedelta(days=7)


@desk.page("/sign-in", needs=ANYONE)
def sign_in(form: Form | None = None) -> Any:
    """``as``: whose name stands in the form already; somebody else who is signed in here is told that this ends their sign-in."""
    present, wanted = login.present(), request.args.get("as", "")[:80]
    if present is not None and form is None and wanted in ("", present.username):
        return go(safe_next(request.args.get("next"), HOMES[login.actor().role]))
    where = safe_next(form.shown("next") if form else request.args.get("next"), "")
    return render(
        "account/sign_in.html",
        form=form or Form.blank({"next": where, "username": wanted}),
        kept=kept.waits(where),
        ended=request.args.get("ended"),
        expired=request.args.get("expired"),
        present=present is not None,
    )


@desk.page("/acts/sign-in", needs=ANYONE, post=ByHand.SIGN_IN, back=sign_in)
def do_sign_in() -> Any:
    form = Form.read()
    username, password = form.text("username", limit=80), form.password("password")
    code = form.text("code", needed=False, limit=40)
    form.refuse_if_any()
    try:
        found = login.sign_in(office(), rate_limits(), username=username, password=password, code=code)
    except login.Applicant as applicant:
        return register.welcome(applicant.ref)
    where = safe_next(form.shown("next"), "")
    if where and (wanted := role_for(where, found.roles, found.actor.role)) is not found.actor.role:
        login.act_as(office(), found, wanted)  # what one came for decides in which of one's roles one comes
    where = login.first_duty() or where or HOMES[found.actor.role]
    return go(f"{recovery.PATH}?{urlencode({'used': 'yes', 'next': where})}" if found.recovered else where)


@desk.page("/acts/sign-out", needs=ANYONE, post=ByHand.SIGN_IN)
def sign_out() -> Any:
    login.sign_out(office())
    return go("/account/signed-out")


@desk.page("/signed-out", needs=ANYONE)
def signed_out() -> str:
    return render(
        "message.html",
        title=_("Signed out"),
        sentence=_("You are signed out on this device."),
        kind="ok",
        links=[(_("Sign in again"), "/account/sign-in"), (_("To the front page"), "/")],
    )


@desk.page("/confirm", needs=Act.ACCOUNT_OWN)
def confirm(form: Form | None = None) -> str:
    where = safe_next(form.shown("next") if form else request.args.get("next"), "/account")
    return render(
        "account/confirm.html",
        form=form or Form.blank({"next": where}),
        kept=kept.waits(where),
        has_code=_own()["second_factor"],
    )


@desk.page("/acts/confirm", needs=Act.ACCOUNT_OWN, post=ByHand.SIGN_IN, back=confirm)
def do_confirm() -> Any:
    form = Form.read()
    password, code = form.password("password"), form.text("code", needed=False, limit=40)
    form.refuse_if_any()
    login.confirm(office(), rate_limits(), person(), password=password, code=code)
    return go(safe_next(form.shown("next"), "/account"))


@desk.page("", needs=Act.ACCOUNT_OWN)
def index() -> str:
    return render("account/index.html", own=_own())


@desk.page("/acts/role", needs=Act.ACCOUNT_OWN, post=ByHand.SIGN_IN)
def role() -> Any:
    asked = request.form.get("role", "")
    if asked not in set(Role):
        raise NotAllowed("signin.role")
    login.act_as(office(), person(), Role(asked))
    where = safe_next(request.form.get("next"), "")
    return go(where if open_to(where, Role(asked)) else HOMES[Role(asked)])


@desk.page("/acts/extend", needs=Act.ACCOUNT_OWN, post=ByHand.AGAIN)
def extend() -> Any:
    with office().work(login.actor()) as unit:
        row = parties.login_of(unit.session, person().login_id)
        if row is not None:
            parties.touch(row, unit.now)
    return go(safe_next(request.form.get("next"), "/account"))


@desk.page("/acts/end-others", needs=Act.ACCOUNT_OWN, post=ByHand.SIGN_IN)
def end_others() -> Any:
    login.end_others(office(), person())
    return go("/account")


@desk.page("/second-factor", needs=Act.ACCOUNT_OWN, fresh=True)
def second_factor(form: Form | None = None) -> str:
    secret = session.setdefault(PENDING, login.new_secret())
    address = login.secret_address(secret, person().username, current_app.extensions["bidhall"].settings.platform)
    picture = Markup(
        segno.make(address, error="m").svg_inline(scale=5, border=2, dark="#17211f", light="#fffefb", omitsize=False)
    )
    return render("account/second_factor.html", form=form or Form.blank(), picture=picture, secret=secret)


@desk.page("/acts/second-factor", needs=Act.ACCOUNT_OWN, post=ByHand.SIGN_IN, fresh=True, back=second_factor)
def do_second_factor() -> Any:
    form = Form.read()
    code = form.text("code", limit=10)
    form.refuse_if_any()
    secret = session.get(PENDING)
    if not isinstance(secret, str):
        raise Invalid("form.no_id")
    login.enrol_code(office(), person(), secret, code)
    session.pop(PENDING, None)
    return go(recovery.PATH)


@desk.page("/password", needs=Act.ACCOUNT_OWN, fresh=True)
def password(form: Form | None = None) -> str:
    return render("account/password.html", form=form or Form.blank())


@desk.page("/acts/password", needs=Act.ACCOUNT_OWN, post=ByHand.SIGN_IN, back=password)
def do_password() -> Any:
    form = Form.read()
    old, new = form.password("old"), form.password("new")
    form.refuse_if_any()
    login.change_password(office(), rate_limits(), person(), old=old, new=new)
    return go("/account")


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("MicroMessenger/", "WeChat"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def device_words(agent: str) -> str:
    """What a browser calls itself, short: ``Chrome · Windows``. Whatever is not known is shown as it is."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(filter(None, (browser, system))) or agent[:60]


def _own() -> dict[str, Any]:
    me = person()
    with reading() as view:
        who = parties.account(view.session, me.actor.account_id or 0)
        firm = parties.party(view.session, who.party_id)
        devices = [
            {
                "device": device_words(row.device),
                "made_at": row.made_at,
                "seen_at": row.seen_at,
                "here": row.id == me.login_id,
                "role": row.role,
            }
            for row in parties.live_logins(view.session, who.id, view.now)
        ]
        return {
            "name": who.name,
            "username": who.username,
            "party": firm.name,
            "code": firm.code,
            "roles": me.roles,
            "role": me.actor.role,
            "second_factor": bool(who.totp_secret),
            "recovery": recovery_codes.left(view.session, who.id),
            "mail": mail_choices.own(view),
            "devices": devices,
            "failed": failed_sign_ins.own_since(view, view.now - LATELY),
            "ends_at": me.ends_at,
        }

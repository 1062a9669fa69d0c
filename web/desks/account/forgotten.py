"""A forgotten password: asked for by username or mail, set anew by the link that comes by mail. The answer to asking is the same for
everybody, and takes as long. In a rehearsal the mail can be read on the platform itself."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.kernel import outbox
from trading.kernel.access import Act
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.outbox import Message
from trading.kernel.work import UnitOfWork
from trading.parties import own_people, password_links
from web import wiring, words
from web.desks.account.room import account, person, rate_limits
from web.desks.parts.letters import facts_of
from web.http import known_devices, login
from web.http.forms import Form
from web.http.gate import go, office, reading, render, request, work
from web.http.page_rules import ANYONE, ByHand
from web.http.rate_limits import FORGOTTEN_BY_ADDRESS, FORGOTTEN_BY_NAME, OF_LINK
from web.http.refusals import language

OVER = "/account/forgotten?over=yes"
"""Where a link leads that was used, is too old or was replaced: another can be asked for there."""


def rehearsal() -> bool:
    return wiring.is_rehearsal(current_app.extensions["bidhall"].settings.data)


def _base() -> str:
    """The platform's own address. What a request claims to be its host counts in a rehearsal only: a link must never lead elsewhere."""
    settings = current_app.extensions["bidhall"].settings
    return settings.base_url or (request.host_url.rstrip("/") if rehearsal() else "")


def sends_mail() -> bool:
    return bool(_base()) and (rehearsal() or bool(current_app.extensions["bidhall"].settings.mail))


@account.page("/forgotten", needs=ANYONE)
def forgotten(form: Form | None = None) -> str:
    return render(
        "account/forgotten.html", form=form or Form.blank(), sends=sends_mail(), over=request.args.get("over")
    )


@account.page("/acts/forgotten", needs=ANYONE, post=ByHand.OUTSIDE, back=forgotten)
def do_forgotten() -> Any:
    form = Form.read()
    typed = form.text("typed", limit=254)
    form.refuse_if_any()
    rate_limits().hit(FORGOTTEN_BY_ADDRESS, "forgotten", request.remote_addr or "")
    rate_limits().hit(FORGOTTEN_BY_NAME, "forgotten", typed.lower())
    if sends_mail():
        with work() as unit:
            unit.once(form.form_id, "/account/forgotten/sent")
            password_links.ask(unit, typed, _base())
    return go("/account/forgotten/sent")


@account.page("/forgotten/sent", needs=ANYONE)
def forgotten_sent() -> str:
    return render("account/forgotten_sent.html", rehearsal=rehearsal())


@account.page("/new-password/<token>", needs=ANYONE)
def new_password(token: str, form: Form | None = None) -> Any:
    with reading() as view:
        try:
            _, who = password_links.find(view.session, token, view.now)
        except NotFound:
            return go(OVER)
        return render(
            "account/new_password.html",
            form=form or Form.blank(),
            token=token,
            username=who.username,
            has_code=bool(who.totp_secret),
        )


@account.page("/new-password/<token>/acts/set", needs=ANYONE, post=ByHand.BYTES, back=new_password)
def do_new_password(token: str) -> Any:
    form = Form.read()
    new, code = form.password("new"), form.text("code", needed=False, limit=40)
    form.refuse_if_any()
    rate_limits().hit(FORGOTTEN_BY_ADDRESS, "new-password", request.remote_addr or "")
    try:
        with reading() as view:
            _, who = password_links.find(view.session, token, view.now)
        hashed = login.new_hash(new, office().platform, who.username, who.name)
        rate_limits().try_once(OF_LINK, str(who.id))
        with work() as unit:
            unit.once(form.form_id, "/account/new-password-set")
            password_links.use(unit, token, hashed, lambda one: login.take_factor(unit, one, code))
    except NotFound:
        return go(OVER)
    except Invalid as refusal:
        if refusal.code == "account.code_wrong":
            login.note_failed(office(), who.id, "link", "code")
        raise
    # Whoever has the mail, and the second factor, is the owner: strangers' guesses must not keep them waiting here.
    rate_limits().was_right(OF_LINK, str(who.id))
    known_devices.remember(who.id, hashed)
    return go("/account/new-password-set")


@account.page("/new-password-set", needs=ANYONE)
def new_password_set() -> str:
    return render(
        "message.html",
        title=_("The new password is set"),
        kind="ok",
        links=[(_("Sign in"), "/account/sign-in")],
        sentence=_("Sign in with it. Every device that was signed in before has been signed out."),
    )


# --- the address of mail ------------------------------------------------------------------------------------------------


@account.page("/mail", needs=Act.ACCOUNT_OWN, fresh=True)
def mail(form: Form | None = None) -> str:
    with reading() as view:
        held = own_people.own_mail(view)
    return render("account/mail.html", form=form or Form.blank({"mail": held}), held=held)


@account.act("/acts/mail", needs=Act.ACCOUNT_OWN, fresh=True, back=mail)
def do_mail(unit: UnitOfWork, form: Form) -> str:
    """Field: ``mail``, empty to take it away."""
    typed = form.text("mail", needed=False, limit=254)
    form.refuse_if_any()
    person()
    own_people.set_mail(unit, typed)
    return "/account"


# --- the post of a rehearsal --------------------------------------------------------------------------------------------


@account.page("/rehearsal-post", needs=ANYONE)
def rehearsal_post() -> str:
    """Mails that a rehearsal would have sent. Elsewhere there is no such page."""
    if not rehearsal():
        raise NotFound("page.not_found")
    lang = language()
    with reading() as view:
        rows = outbox.latest(view.session, "mail")
        alive = password_links.alive(view.session, [_token(one) for one in rows], view.now)
    letters = [
        {
            "to": one.address,
            "at": one.made_at,
            "subject": words.words(f"{one.template}.subject", facts_of(one.facts), lang),
            "text": words.words(one.template, facts_of({**one.facts, "link": ""}), lang),
            "over": "link" in one.facts,
            "link": _path(one.facts["link"]) if _token(one) in alive else "",
        }
        for one in rows
    ]
    return render("account/rehearsal_post.html", letters=letters)


def _token(message: Message) -> str:
    return str(message.facts.get("link", "")).rpartition("/")[2]


def _path(link: str) -> str:
    """The part of a link after the host: it is read on this very platform."""
    return "/" + link.split("/", 3)[3] if link.count("/") >= 3 else ""

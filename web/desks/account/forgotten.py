"""A forgotten password: asked for by username or mail, set anew by the link that comes by mail. The answer to asking is the same for
everybody, and takes as long. In a rehearsal the mail can be read on the platform itself."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.kernel import outbox
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.outbox import Message
from trading.parties import mail_choices, password_links
from web.desks.account.room import account, base, rate_limits, rehearsal, sends_mail
from web.http import known_devices, login
from web.http.forms import Form
from web.http.gate import go, office, reading, render, request, work
from web.http.page_rules import ANYONE, ByHand
from web.http.rate_limits import FORGOTTEN_BY_ADDRESS, FORGOTTEN_BY_NAME, OF_LINK
from web.http.refusals import language
from web.words.messages import spoken

OVER = "/account/forgotten?over=yes"
"""Where a link leads that was used, is too old or was replaced: another can be asked for there."""


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
            password_links.ask(unit, typed, base())
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


# --- the post of a rehearsal --------------------------------------------------------------------------------------------


@account.page("/rehearsal-post", needs=ANYONE)
def rehearsal_post() -> str:
    """Mails that a rehearsal would have sent. Elsewhere there is no such page."""
    if not rehearsal():
        raise NotFound("page.not_found")
    lang = language()
    with reading() as view:
        rows = outbox.latest(view.session, "mail")
        tokens = [_token(one) for one in rows]
        alive = password_links.alive(view.session, tokens, view.now) | mail_choices.alive(
            view.session, tokens, view.now
        )
    letters = [
        {
            "to": one.address,
            "at": one.made_at,
            "subject": spoken(one.template, one.facts, lang)[0],
            "text": spoken(one.template, {**one.facts, "link": ""}, lang)[1],
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

"""One's mail: the address, confirmed by a link sent to it; which messages come there, how often and in which language; what became of the
last ones."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork
from trading.parties import mail_choices, mail_queue, own_people
from trading.parties.message_groups import ABOUT, TELLING, about
from web import words
from web.desks.account.room import account, base, person, rate_limits, rehearsal
from web.http.forms import Form
from web.http.gate import go, reading, render, request, work
from web.http.page_rules import ANYONE, ByHand
from web.http.rate_limits import MAIL_CHECKS
from web.http.refusals import language

PATH = "/account/mail"
OVER = "/account/mail/over"


@account.page("/mail", needs=Act.ACCOUNT_OWN, fresh=True)
def mail(form: Form | None = None) -> str:
    with reading() as view:
        held = mail_choices.own(view)
        sent = mail_queue.own_latest(view)
    first = {"mail": held.mail, "pace": held.pace, "lang": held.lang or language(), "groups": sorted(held.groups)}
    return render(
        "account/mail.html",
        form=form or Form.blank(first),
        held=held,
        sent=[(one, _about(one.template), words.state("mail_letter", one.state, language())) for one in sent],
        asked=request.args.get("asked"),
        linked=bool(base()),
        rehearsal=rehearsal(),
        chosen=rehearsal() or current_app.extensions["bidhall"].settings.mail.chosen,
        paces=[(one, words.state("mail_pace", one, language()).text) for one in mail_choices.PACES],
        langs=[("zh", "中文"), ("en", "English")],
        kinds=[(one, words.state("letter_about", one, language()).text, _told(one)) for one in ABOUT],
    )


def _about(template: str) -> str:
    """What a letter was about, in words; never which lot."""
    if not template:
        return _("Messages of a day")
    return words.state("letter_about", about(template), language()).text


def _told(group: str) -> str:
    """What stands beside a group that tells something by merely coming."""
    telling = TELLING & set(ABOUT[group])
    if not telling:
        return ""
    if group == "panel":
        return _("A letter tells the mail servers on its way that you evaluate; it comes without content.")
    return _(
        "A letter tells the mail servers on its way that you deal with a lot; before the opening it comes without content."
    )


@account.page("/acts/mail", needs=Act.ACCOUNT_OWN, post=ByHand.OUTSIDE, fresh=True, back=mail)
def do_mail() -> Any:
    """Field: ``mail``, empty to take it away. A new one is sent a link."""
    form = Form.read()
    typed = form.text("mail", needed=False, limit=254)
    form.refuse_if_any()
    if typed:
        rate_limits().hit(MAIL_CHECKS, "mail-check", str(person().actor.account_id))
    where = f"{PATH}?asked=yes" if typed and base() else PATH
    with work() as unit:
        unit.once(form.form_id, where)
        own_people.set_mail(unit, typed, language())
        if typed and base():
            mail_choices.ask(unit, base())
    return go(where)


@account.page("/acts/mail-check", needs=Act.ACCOUNT_OWN, post=ByHand.OUTSIDE, fresh=True, back=mail)
def do_mail_check() -> Any:
    """The link once more."""
    form = Form.read()
    rate_limits().hit(MAIL_CHECKS, "mail-check", str(person().actor.account_id))
    with work() as unit:
        unit.once(form.form_id, f"{PATH}?asked=yes")
        mail_choices.ask(unit, base())
    return go(f"{PATH}?asked=yes")


@account.act("/acts/mail-choice", needs=Act.ACCOUNT_OWN, fresh=True, back=mail)
def do_mail_choice(unit: UnitOfWork, form: Form) -> str:
    """Fields: ``pace``, ``lang``, ``groups``."""
    pace, lang = form.choice("pace", mail_choices.PACES), form.choice("lang", mail_choices.LANGS)
    groups = form.choices("groups", list(ABOUT))
    form.refuse_if_any()
    mail_choices.choose(unit, pace=pace, lang=lang, groups=groups)
    return PATH


@account.page("/mail/confirm/<token>", needs=ANYONE)
def mail_confirm(token: str) -> Any:
    """A page with a button and no deed: programs that look at links on the way must not confirm anything."""
    with reading() as view:
        try:
            _row, who = mail_choices.find(view.session, token, view.now)
        except NotFound:
            return go(OVER)
        return render("account/mail_confirm.html", form=Form.blank(), token=token, mail=who.mail, username=who.username)


@account.act("/mail/confirm/<token>/acts/confirm", needs=ANYONE)
def do_mail_confirm(unit: UnitOfWork, _form: Form, token: str) -> str:
    try:
        mail_choices.confirm(unit, token)
    except NotFound:
        return OVER
    return "/account/mail/confirmed"


@account.page("/mail/confirmed", needs=ANYONE)
def mail_confirmed() -> str:
    return render(
        "message.html",
        title=_("The address is confirmed"),
        kind="ok",
        sentence=_("From now on messages come to it, as chosen in your account."),
        links=[(_("Choose what comes"), PATH)],
    )


@account.page("/mail/over", needs=ANYONE)
def mail_over() -> str:
    return render(
        "message.html",
        title=_("This link is over"),
        kind="info",
        sentence=words.words("mail.link_over", {}, language()),
        links=[(_("Have another sent"), PATH)],
    )

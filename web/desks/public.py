"""The public desk: what anybody sees without signing in. No number here tells how many bid."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, jsonify
from flask_babel import gettext as _
from sqlalchemy import text

from trading.kernel import log
from trading.kernel.clock import write_moment
from trading.kernel.errors import NotFound
from web.frame import sun_line
from web.gate import ANYONE, Desk, look, office, render

desk = Desk("public")

HELP = ("bidding", "opening", "deposits", "objections", "verify", "accessibility", "keyboard")


@desk.page("/", needs=ANYONE)
def index() -> str:
    with look() as now:
        day = sun_line(now.now, (), lang=_lang(), zone=_zone())
    return render("public/index.html", day=day)


@desk.page("/time", needs=ANYONE)
def time() -> Response:
    """The server's moment, for a browser that measures how far its own clock is off."""
    now = office().clock.now()
    return jsonify(now=write_moment(now, exact=True), ms=int(now.timestamp()) * 1000 + now.microsecond // 1000)


@desk.page("/status", needs=ANYONE)
def status() -> str:
    with look() as now:
        now.session.execute(text("SELECT 1"))
        head = log.last_tick(now.session)
    return render("public/status.html", tick=head, database=office().engine.dialect.name)


@desk.page("/help", needs=ANYONE)
def help_() -> str:
    return render("public/help.html", topics=_topics())


@desk.page("/help/components", needs=ANYONE)
def components() -> str:
    """Every part of a page on one page, for those who build them; only on a platform under rehearsal."""
    from web.specimens import specimens

    if not current_app.extensions["bidhall"].settings.test_clock:
        raise NotFound("page.not_found")
    return render("public/components.html", **specimens(office().clock.now(), _lang(), _zone()))


@desk.page("/help/<topic>", needs=ANYONE)
def help_topic(topic: str) -> str:
    if topic not in HELP:
        raise NotFound("page.not_found")
    return render("public/help_topic.html", topic=topic, title={t: label for t, label, _text in _topics()}[topic])


def _topics() -> list[tuple[str, str, str]]:
    return [
        ("bidding", _("Take part and bid"), _("Deposit, opening form, sealing on your own computer, submitting, receipts.")),
        ("opening", _("Follow an opening"), _("Who opens, when, what is read out, how to confirm or object.")),
        ("deposits", _("Deposits and refunds"), _("Sub-accounts, guarantees, when money goes back and what interest it carries.")),
        ("objections", _("Ask, object, complain"), _("Who answers, by when, and what stops while they do.")),
        ("verify", _("Verify it yourself"), _("Receipts, the audit book, the bundle of a finished tender: all without trusting us.")),
        ("accessibility", _("Accessibility"), _("How the pages work with a keyboard, a screen reader, large type and without scripts.")),
        ("keyboard", _("Keyboard"), _("The few keys worth knowing.")),
    ]


def _zone() -> Any:
    return current_app.extensions["bidhall"].zone


def _lang() -> str:
    from web.refusals import language

    return language()

"""The inbox: what the platform tells this person and their organisation. Opening a message notes it as read."""

from __future__ import annotations

import logging
from functools import partial

from flask import Response, after_this_request, g
from flask_babel import gettext as _

from trading.kernel.access import Act, Actor
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork
from trading.parties import inbox
from web import words
from web.desks.account.room import account
from web.desks.parts import letters
from web.http.forms import Form
from web.http.gate import actor, office, reading, render, request
from web.http.layout import Link, address, page_of
from web.http.refusals import language

LOG = logging.getLogger("bidhall.web")


@account.page("/inbox", needs=Act.ACCOUNT_OWN)
def inbox_page() -> str:
    form = Form.query()
    only, about = form.choice("only", ("unread",), needed=False), form.choice("about", letters.ABOUT, needed=False)
    path, filters = "/account/inbox", {"about": about}
    templates = letters.ABOUT[about] if about else None
    with reading() as view:
        total = inbox.letters(view, only_unread=bool(only), templates=templates, limit=0)[1]
        page = page_of(total, request.args, path)
        found, _total = inbox.letters(
            view, only_unread=bool(only), templates=templates, limit=page.size, offset=page.offset
        )
        waiting = inbox.own_unread(view)
        rows = [letters.shown(one, view.actor.role) for one in found]
    tabs = [
        Link(_("All"), address(path, filters), not only),
        Link(_("Unread"), address(path, filters, only="unread"), bool(only), waiting),
    ]
    kinds = [(one, words.state("letter_about", one, language()).text) for one in letters.ABOUT]
    return render(
        "account/inbox.html",
        rows=rows,
        page=page,
        form=form,
        tabs=tabs,
        kinds=kinds,
        waiting=waiting,
        only=only,
        about=about,
    )


@account.page("/inbox/<int:ident>", needs=Act.ACCOUNT_OWN)
def inbox_letter(ident: int) -> str:
    if ident > 2**31:
        raise NotFound("inbox.unknown")
    with reading() as view:
        found = inbox.letter(view, ident)
        one = letters.shown(found, view.actor.role)
    if one.unread:
        g.read_now = 1  # the bell of this very page no longer counts it
        after_this_request(partial(_note_read, actor(), ident))
    return render("account/letter.html", letter=one, about=words.state("letter_about", one.about, language()).text)


def _note_read(who: Actor, ident: int, response: Response) -> Response:
    """Written down once the page is out: nobody who only reads waits in line with those who hand in."""
    here = office()

    def note() -> None:
        try:
            with here.work(who, together=True) as unit:
                inbox.mark_read(unit, ident)
        except Exception:
            LOG.exception("a message read was not noted")  # it stays unread; opening it again notes it

    response.call_on_close(note)
    return response


@account.act("/inbox/acts/read", needs=Act.ACCOUNT_OWN)
def do_read(unit: UnitOfWork, _form: Form) -> str:
    """Note all messages as read."""
    inbox.mark_read(unit)
    return "/account/inbox"

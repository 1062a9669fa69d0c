"""Many organisations and people at once, from a workbook: checked whole, shown, and entered whole by a second step."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app
from flask_babel import gettext as _

from trading.kernel.access import Act
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.work import UnitOfWork
from trading.parties import bulk, parties, password_links
from trading.parties.bulk import Book, Plan
from trading.reports import people_book
from web import wiring
from web.desks.admin.people import kind_words, told_in_words
from web.desks.admin.room import admin, crumbs_of, role_words
from web.http.forms import Form
from web.http.gate import reading, render, request, saved_as
from web.http.page_rules import ByHand
from web.http.refusals import language
from web.words import people_words

PATH = "/admin/people/import"
MOST_SHOWN = 200
MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@admin.page("/people/import", needs=Act.ROLE_GRANT, fresh=True)
def people_import(form: Form | None = None) -> str:
    with reading() as view:
        alone = len(parties.administrators(view.session)) < 2
    return render(
        "admin/people_import.html",
        form=form or Form.blank(),
        alone=alone,
        base=_base(),
        mails=_mails(),
        done={name: _count(name) for name in ("people", "firms", "proposed")} if request.args.get("people") else None,
        crumbs=crumbs_of((_("People"), "/admin/people"), (_("Import"), "")),
    )


def _count(name: str) -> int:
    text = request.args.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _base() -> str:
    """Where links in letters lead: the platform's own address; in a rehearsal the one it is asked at."""
    return wiring.open_post(current_app.extensions["bidhall"].settings, request.host_url.rstrip("/")).base


def _mails() -> bool:
    settings = current_app.extensions["bidhall"].settings
    return settings.mail.chosen or wiring.is_rehearsal(settings.data)


@admin.page("/people/template.xlsx", needs=Act.ROLE_GRANT)
def people_template() -> Response:
    name = "单位和人员.xlsx" if language() == "zh" else "organisations-and-people.xlsx"
    return saved_as(Response(people_words.template(language()), mimetype=MEDIA), name)


@admin.page("/acts/people-check", needs=Act.ROLE_GRANT, post=ByHand.NO_UNIT, fresh=True, back=people_import)
def do_people_check() -> Any:
    """Field: ``book``, a file. Nothing is written; what would be entered is shown, with a button that enters it."""
    form = Form.read()
    file = form.file("book")
    form.refuse_if_any()
    assert file is not None
    sheets = people_book.read(file.stream.read(people_book.MOST_BYTES + 1))
    if people_book.EXPERTS in sheets and sheets[people_book.EXPERTS].lines:
        raise Invalid("people.experts_elsewhere", where="book")
    book = people_book.book_of(sheets)
    with told_in_words(), reading() as view:
        plan = bulk.check(view, book, people_words.words())
    return _preview(book, plan)


def _preview(book: Book, plan: Plan) -> str:
    return render(
        "admin/people_preview.html",
        form=Form.blank({"rows": json.dumps(book.to_json(), ensure_ascii=False, separators=(",", ":"))}),
        plan=plan,
        firms=[(one, kind_words(one.kind)) for one in plan.firms[:MOST_SHOWN]],
        people=[
            (one, [(role_words(role.value), role in one.heavy) for role in one.roles])
            for one in plan.people[:MOST_SHOWN]
        ],
        most=MOST_SHOWN,
        proposed=sum(len(one.heavy) for one in plan.people),
        days=password_links.FIRST_GOOD_FOR.days,
        crumbs=crumbs_of((_("People"), "/admin/people"), (_("Import"), PATH), (_("What would be entered"), "")),
    )


@admin.act("/acts/people-enter", needs=Act.ROLE_GRANT, fresh=True, back=people_import)
def do_people_enter(unit: UnitOfWork, form: Form) -> str:
    """Field: ``rows``, what the check was shown; it is checked anew. Everybody gets a link by mail."""
    try:
        book = bulk.of_json(json.loads(str(form.typed.get("rows", ""))))
    except ValueError as error:
        raise Invalid("people.unreadable") from error
    base = _base()
    if not base:
        raise NotReady("people.no_base")
    with told_in_words():
        plan = bulk.enter(unit, book, people_words.words(), base=base)
    proposed = sum(len(one.heavy) for one in plan.people)
    return f"{PATH}?people={len(plan.people)}&firms={len(plan.firms)}&proposed={proposed}"

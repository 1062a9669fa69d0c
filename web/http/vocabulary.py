"""Pages of a lot in the words of its procedure: what templates translate is said as the law of that procedure says it.

Which lot a page is about is read from what the page was rendered with; a list of many lots names the words of each row itself
(``| said_for(row)``). What a person wrote is never touched: the words are exchanged before facts are filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_babel import get_translations
from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from trading.procedures import find
from trading.procedures.vocabulary import USUAL, Vocabulary
from web import words
from web.words import formatting

ABOUT = ("card", "lot", "row", "data")
"""The names under which templates hold the lot that a page or paper is about."""


def install(app: Flask, language: Callable[[], str]) -> None:
    """Have the templates of ``app`` speak so."""
    environment = app.jinja_env

    @pass_context
    def said(context: Context, text: str) -> str:
        return of_page(context).said(get_translations().ugettext(text), language())

    @pass_context
    def said_of_several(context: Context, one: str, many: str, n: int) -> str:
        return of_page(context).said(get_translations().ungettext(one, many, n), language())

    @pass_context
    def said_within(context: Context, about: str, text: str) -> str:
        return of_page(context).said(get_translations().upgettext(about, text), language())

    @pass_context
    def state_text(context: Context, noun: str, code: object) -> str:
        return of_page(context).said(words.state(noun, str(code), language()).text, language())

    @pass_context
    def state(context: Context, noun: str, code: object) -> str:
        label = words.state(noun, str(code), language())
        return formatting.tag(formatting.Label(of_page(context).said(label.text, language()), label.tone))

    environment.install_gettext_callables(  # type: ignore[attr-defined]
        said,
        said_of_several,
        newstyle=True,
        pgettext=said_within,
        npgettext=lambda about, one, many, n: get_translations().unpgettext(about, one, many, n),
    )
    environment.globals.update(state_text=state_text, state=state)
    environment.filters["said_for"] = lambda text, thing: of_thing(thing).said(str(text), language())


def of_page(context: Context) -> Vocabulary:
    """The words of the lot a template was rendered for; the usual ones where it is about none."""
    for name in ABOUT:
        found = of_thing(context.get(name))
        if found is not USUAL:
            return found
    return USUAL


def of_thing(thing: Any) -> Vocabulary:
    """The words of a lot, a project, a card of one, or what holds one as ``lot``."""
    if isinstance(thing, Undefined):
        return USUAL
    for held in (thing, getattr(thing, "lot", None)):
        method = getattr(held, "method", None)
        procedure = find(method) if isinstance(method, str) else None
        if procedure is not None:
            return procedure.vocabulary
    return USUAL

"""Help by role and act: read from ``web/help/*.toml``, one file a desk, and the glossary beside them.

Each act names the pages it explains (``pages``: regular expressions over addresses), so that the title of every page leads to its own help.
Texts are in both languages; ``[[receipt]]`` in a text is a word of the glossary, ``[[receipt|a receipt]]`` the same under other letters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

FOLDER = Path(__file__).parents[1] / "help"
GLOSSARY = "glossary"
ORDER = ("bidder", "agency", "centre", "hall", "expert", "cashier", "supervisor", "admin", "public")
"""The desks in the order of a tender, the public last."""
LINK = Markup('<a class="term" href="/help/glossary#{}">{}<span class="term__tip">{}</span></a>')
_TERM = re.compile(r"\[\[([a-z-]+)(?:\|([^\]]+))?\]\]")


@dataclass(frozen=True)
class Text:
    """A text in both languages."""

    zh: str
    en: str

    def said(self, lang: str) -> str:
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True)
class HelpAct:
    """One task: what it is, what one needs, its steps in order, what there is afterwards. ``href``: where it begins, "" where a lot is
    needed first."""

    id: str
    title: Text
    needs: Text
    steps: tuple[Text, ...]
    after: Text
    href: str
    pages: tuple[re.Pattern[str], ...]


@dataclass(frozen=True)
class RoleHelp:
    """The help of one desk. ``nots``: what its people never do, and why; ``day``: hour and what is done."""

    desk: str
    title: Text
    lead: Text
    acts: tuple[HelpAct, ...]
    nots: tuple[tuple[Text, Text], ...]
    day: tuple[tuple[str, Text], ...]


@dataclass(frozen=True)
class Term:
    """A word of the trade in both languages, and what it means."""

    key: str
    name: Text
    meaning: Text


def _text(value: dict[str, str]) -> Text:
    return Text(value["zh"], value["en"])


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def role_help(desk: str) -> RoleHelp:
    """The help of a desk (one of ``ORDER``)."""
    found = _read(desk)
    acts = tuple(
        HelpAct(one["id"], _text(one["title"]), _text(one["needs"]), tuple(_text(step) for step in one["steps"]), _text(one["after"]),
                one.get("href", ""), tuple(re.compile(page) for page in one["pages"]))
        for one in found["act"])  # fmt: skip
    nots = tuple((_text(one["what"]), _text(one["why"])) for one in found["never"])
    return RoleHelp(
        desk,
        _text(found["title"]),
        _text(found["lead"]),
        acts,
        nots,
        tuple((one["at"], _text(one)) for one in found["day"]),
    )


@cache
def terms() -> dict[str, Term]:
    """The glossary, by key, in the order of its file."""
    return {one["key"]: Term(one["key"], _text(one["name"]), _text(one["meaning"])) for one in _read(GLOSSARY)["term"]}


@cache
def _pages() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(_all_pages())


def _all_pages() -> Iterator[tuple[re.Pattern[str], str]]:
    for desk in ORDER:
        for act in role_help(desk).acts:
            for page in act.pages:
                yield page, f"/help/{desk}#{act.id}"


def help_href(path: str) -> str:
    """The help of the page at an address: its act, else its desk, else the list of all."""
    for page, href in _pages():
        if page.fullmatch(path):
            return href
    desk = path.split("/")[1]
    return f"/help/{desk}" if desk in ORDER else "/help"


def marked(text: Text, lang: str) -> Markup:
    """A text with its words of the glossary as links that show what they mean when one points at them or comes to them by the keyboard."""
    said, at = text.said(lang), 0
    parts: list[Markup] = []
    for found in _TERM.finditer(said):
        term = terms()[found[1]]
        parts.append(escape(said[at : found.start()]))
        parts.append(LINK.format(term.key, found[2] or term.name.said(lang), term.meaning.said(lang)))
        at = found.end()
    return Markup("").join([*parts, escape(said[at:])])

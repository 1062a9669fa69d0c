"""Whether what a page shows is in its language. Names, titles and texts that people of the town wrote stand as they were written."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from web import catalogues
from web.words import regions

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.walk.town import Town

CHINESE = re.compile(r"[㐀-鿿]+")
ENGLISH = re.compile(r"(?<!\w)[A-Za-z][a-z]{2,}(?:[ ,]+[A-Za-z]?[a-z]{2,})+(?!\w)")
"""Two English words side by side."""
DIGEST = re.compile(r"[0-9a-f]{4}(?: [0-9a-f]{4}){7,}|(?<![\w-])[\w-]{4}(?: [\w-]{4})+ … [\w-]{3}(?![\w-])")
"""A digest in groups of four, or shortened to its first groups and last three signs: some of them look like words."""

TEXTS = """(lang) => {
  const found = new Set();
  const own = e => !e.closest('script, style, template, code, kbd, pre, svg, [translate=no], [data-words]') &&
    (e.closest('[lang]')?.lang || lang).slice(0, 2) === lang;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (text && own(e) && e.checkVisibility()) found.add(text);
  }
  for (const e of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]'))
    for (const name of ['aria-label', 'title', 'placeholder', 'alt'])
      if (e.getAttribute(name)?.trim() && own(e)) found.add(e.getAttribute(name).trim());
  found.add(document.title);
  return [...found];
}"""
BOTH = ("阳光标厅", "中文", "Bidhall", "BIDHALL")
"""What stands on pages of either language: the brand, and the name of the other language."""


@cache
def ours() -> frozenset[str]:
    """The Chinese words of the catalogues: none of them has business on an English page."""
    found: set[str] = set()
    for room in catalogues.rooms():
        for message in catalogues.read(room):
            strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
            found.update(s for s in strings if message.id and CHINESE.search(s))
    return frozenset(found)


@cache
def districts() -> frozenset[str]:
    """Names of districts, which have no English ones."""
    codes = [f"1302{n:02d}" for n in range(1, 90)]
    return frozenset(
        {name for _code, name in regions.region_choices(codes)} | {regions.full_name(code) for code in codes}
    )


def foreign(page: Page, lang: str, town: Town) -> list[str]:
    """Texts of the page that are neither in its language nor written by somebody of the town."""
    texts: list[str] = page.evaluate(TEXTS, lang)
    return [text for text in texts if (_is_chinese(text, town) if lang == "en" else _is_english(text, town))]


def _is_chinese(text: str, town: Town) -> bool:
    if text in ours() and text not in BOTH and not town.wrote(text):
        return True
    return any(
        not town.says(run) for run in CHINESE.findall(_without_brand(text)) if len(run) > 1 and run not in districts()
    )


def _is_english(text: str, town: Town) -> bool:
    found = ENGLISH.search(DIGEST.sub("", text))
    return bool(found) and not CHINESE.search(text) and not town.says(text)


def _without_brand(text: str) -> str:
    for word in BOTH:
        text = text.replace(word, "")
    return text

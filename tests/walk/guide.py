"""Walking: people in browsers who look at each page they come to, and whatever a page may not do.

    def test_the_clerk(walk: Walk) -> None:
        clerk = walk.person("clerk")                  # signed in on their desk, by the page of signing in
        clerk.follow("a[href^='/centre/filings/']")   # click; the page that comes is looked at
        clerk.press("form[action$='/acts/accept'] button")

A look fails the walk on: a status of 4xx or 5xx of anything the page asked for, a message of the console, a script's error, a report
of the content policy, a finding of axe, a page wider than its window (at 1440 and at 390 pixels, whichever the walk has), an answer that
took more than five seconds, text that is not in the walk's language, a page that leads nowhere, a grey button without its reason. At the
end of a walk every link that was shown anywhere is asked for (two of each kind and person in a town).

axe judges at the walk's own width; a page made of the same parts as one it found nothing wrong with is not judged again in a run. Who
signed in a moment ago in the same town comes back with that sign-in.

Scripts choose by address, name of a field or role, not by words: the same walk runs in both languages.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pypdfium2 as pdfium

from tests.walk import pictures, words
from tests.walk.town import SignIn, Town

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Page, Request, Response

PASSWORD = "sunny-hall-2026"
WIDTHS = (1440, 390)
SLOWEST = float(os.environ.get("BIDHALL_WALK_SECONDS", "5"))
"""Seconds an answer may take (BIDHALL_WALK_SECONDS for a machine that does other work beside)."""
AXE = (Path(__file__).parent / "vendor" / "axe-core-4.14.1.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EXAMPLES = 2
SIGNED_IN = timedelta(minutes=5)
"""How long a sign-in serves the next walks: half of what acts of weight take for fresh."""
OWN = ("/account", "/bidder", "/agency", "/centre", "/hall", "/expert", "/cashier", "/supervisor", "/admin")
"""Pages that answer each person otherwise."""
RUN_AXE = """async (rules) => {
  const found = await axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']});
  const shown = n => n.target.join(' ') + ' ' + n.html.slice(0, 160);
  return found.violations.map(v => `${v.id}: ${v.help}: ` + v.nodes.slice(0, 3).map(shown).join(' | '));
}"""
BUILT = """() => {
  const told = /^(role|type|hidden|href|for|scope|lang|disabled|open|alt|title|aria-.*)$/;
  const built = node => {
    if (node.nodeType === 3) return node.textContent.trim() ? '_' : '';
    if (node.nodeType !== 1 || /^(script|style|template|link)$/i.test(node.tagName)) return '';
    const names = [...node.attributes].map(a => a.name).filter(name => told.test(name));
    const parts = [...new Set([...node.childNodes].map(built))].filter(part => part);
    if (/^(TBODY|UL|OL|DL)$/.test(node.tagName)) parts.sort();
    return `<${node.tagName} ${node.getAttribute('class') || ''} ${node.getAttribute('role') || ''} ${names}>${parts.join('')}`;
  };
  return built(document.documentElement);
}"""
"""What a page is made of: elements, classes, names of attributes, whether there is text; what is alike once, rows in any order."""
WIDE = """() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide <= 0) return '';
  const beyond = e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('[class*=scroll]');
  const out = [...document.querySelectorAll('body *')].filter(beyond);
  return wide + ' px: ' + out.slice(-3).map(e => e.outerHTML.slice(0, 140)).join(' | ');
}"""
GREY = """() => [...document.querySelectorAll('button:disabled, [aria-disabled=true]')].filter(b => b.checkVisibility() &&
  !(b.getAttribute('aria-describedby') || '').split(' ').some(id => id && document.getElementById(id)?.textContent.trim()))
  .map(b => b.outerHTML.slice(0, 160))"""
HELP = """() => !!document.querySelector('main h1:not(.sr)') && !!document.querySelector('header nav') &&
  !document.querySelector('[data-help]')"""
DRAWN = "async () => { await document.fonts.ready; await new Promise(r => setTimeout(r, 60)); }"
WAYS = "() => document.querySelectorAll('main :is(a[href], button, input, summary, table, dl)').length"
CHOICE = re.compile(r"[?&](lang|theme)=")
"""Another language or look of the same page."""
LINKS = (
    "() => [...document.querySelectorAll('a[href]')].filter(a => a.checkVisibility())"
    ".map(a => new URL(a.getAttribute('href'), location.href).href)"
)


@dataclass
class Walk:
    """One walk through one served town, in one language; ``width`` is that of the window people work in."""

    town: Town
    browser: Browser
    lang: str
    width: int
    judged: Path
    """A folder of the run, for all its workers: names of what axe found nothing wrong with."""
    _guests: dict[str, Guest] = field(default_factory=dict)

    def person(self, username: str) -> Guest:
        """Somebody of the town, signed in, on the page their work begins with."""
        if username not in self._guests:
            self._guests[username] = self._back(username) or self._sign_in(username)
        return self._guests[username]

    def _sign_in(self, username: str) -> Guest:
        guest = Guest(self, username, self._context())
        guest.go("/account/sign-in")
        guest.page.fill("#f-username", username)
        guest.page.fill("#f-password", PASSWORD)
        guest.press("main form button")
        self.town.signed_in[username] = SignIn(guest.context.cookies(), guest.place, self.town.now + SIGNED_IN)
        return guest

    def _back(self, username: str) -> Guest | None:
        """By the sign-in of an earlier walk, where it still leads where it led then: not after another role was taken, or signing out."""
        kept = self.town.signed_in.pop(username, None)
        if kept is None or kept.until < self.town.now:
            return None
        guest = Guest(self, username, self._context())
        guest.context.add_cookies(kept.cookies)
        guest.go("/account/sign-in")
        if guest.place != kept.home:
            guest.context.close()
            return None
        self.town.signed_in[username] = kept
        return guest

    def stranger(self) -> Guest:
        """Somebody who is not signed in, on the portal; a new one each time."""
        guest = self._guests[f"stranger {len(self._guests)}"] = Guest(self, "", self._context())
        guest.go("/")
        return guest

    def _context(self) -> BrowserContext:
        context = self.browser.new_context(
            viewport={"width": self.width, "height": 900}, locale="zh-CN" if self.lang == "zh" else "en-GB", timezone_id="Asia/Shanghai",
            accept_downloads=True, reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(20_000)
        return context

    def end(self) -> None:
        """Every link that was shown must lead somewhere."""
        for guest in self._guests.values():
            guest.try_links()
            if kept := self.town.signed_in.get(guest.username):
                kept.cookies = guest.context.cookies()
            guest.context.close()
        self._guests.clear()


@dataclass
class Paper:
    """A PDF that was opened: its bytes, number of pages and text."""

    data: bytes
    pages: int
    text: str


@dataclass
class Guest:
    """A person at a browser. ``page`` is Playwright's, for typing and choosing; ``go``, ``follow``, ``press`` also look at what comes."""

    walk: Walk
    username: str
    context: BrowserContext
    page: Page = field(init=False)
    _told: list[str] = field(default_factory=list)
    _expected: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._watch(self.context.new_page())

    def _watch(self, page: Page) -> None:
        self.page = page
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._told.append(f"script: {error}"))
        page.on("response", self._response)
        page.on("requestfinished", self._finished)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not ("Failed to load resource" in message.text and self._expected):
            self._told.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self._told.append(f"{response.status} {response.request.method} {response.url}")

    def _finished(self, request: Request) -> None:
        took = request.timing["responseEnd"] / 1000
        if took > SLOWEST and request.resource_type != "eventsource":
            self._told.append(f"{took:.1f} s {request.method} {request.url}")

    @property
    def place(self) -> str:
        """The path of the page this person is on."""
        return urlsplit(self.page.url).path

    # --- moving -------------------------------------------------------------------------------------------------------

    def go(self, path: str) -> Guest:
        """As by typing an address. Prefer to follow links: a page nobody links to is a dead end too."""
        self.page.goto(urljoin(self.walk.town.base, path), wait_until="load")
        return self.look()

    def follow(self, selector: str) -> Guest:
        """Click the first such link and look at the page that comes."""
        link = self.page.locator(selector).first
        assert link.count(), f"no link {selector} on {self.page.url}: {self.links_shown()}"
        with self.page.expect_navigation(wait_until="load"):
            link.click()
        return self.look()

    def press(self, selector: str, *, stays: bool = False) -> Guest:
        """Press the first such button and look at the page that comes; ``stays``: a script answers on the same page."""
        button = self.page.locator(selector).first
        assert button.count(), f"no button {selector} on {self.page.url}"
        if stays:
            button.click()
        else:
            with self.page.expect_navigation(wait_until="load"):
                button.click()
        return self.look()

    def fill(self, **fields: str) -> Guest:
        """Type into fields by their name (``__`` stands for a dot); a select, a radio or a box is chosen by its value."""
        for name, value in fields.items():
            field_ = self.page.locator(f"main [name='{name.replace('__', '.')}']")
            kind = field_.first.evaluate("e => e.tagName === 'SELECT' ? 'select' : e.type")
            if kind == "select":
                field_.first.select_option(value)
            elif kind in ("radio", "checkbox"):
                self.page.locator(f"main [name='{name.replace('__', '.')}'][value='{value}']").first.check()
            else:
                field_.first.fill(value)
                self.walk.town.typed.add(value)
        return self

    @contextlib.contextmanager
    def expecting(self, *statuses: int) -> Iterator[None]:
        """These statuses are what the walk asks for in this block (422 for an empty form)."""
        self._expected |= set(statuses)
        yield
        self._settle()
        self._expected -= set(statuses)

    def download(self, selector: str) -> Path:
        """Click what saves a file; where it was saved."""
        with self.page.expect_download() as waiting:
            self.page.locator(selector).first.click()
        got: Download = waiting.value
        path = self.walk.town.data.parent / "downloads" / got.suggested_filename
        path.parent.mkdir(exist_ok=True)
        got.save_as(path)
        return path

    def paper(self, selector: str) -> Paper:
        """Open the PDF a link leads to, and read it."""
        href = self.page.locator(selector).first.get_attribute("href")
        assert href, selector
        answer = self.context.request.get(urljoin(self.page.url, href))
        assert answer.ok, f"{answer.status} {href}"
        return read_paper(answer.body())

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self) -> Guest:
        """Look at the page as it stands: both widths, axe, language, what it asked for. Fails with all that is wrong."""
        self._settle()
        wrong = [*self._told]
        self._told.clear()
        narrow = next(w for w in WIDTHS if w != self.walk.width)
        wrong += self._as_wide_as(self.walk.width) + self._judged()
        if self.page.locator("html[lang]").count():
            wrong += self._as_wide_as(narrow)
            self.page.set_viewport_size({"width": self.walk.width, "height": 900})
            wrong += [f"language: {text!r}" for text in words.foreign(self.page, self.walk.lang, self.walk.town)]
            wrong += [f"grey without a reason: {html}" for html in self.page.evaluate(GREY)]
            if not self.page.evaluate(WAYS):
                wrong.append("a dead end: nothing on the page leads on")
            if not self.place.startswith("/help") and self.page.evaluate(HELP):
                wrong.append("no way from the title to the help of the page")
            self._note_links()
        who = f"{self.username or 'a stranger'} ({self.walk.lang}) at {self.page.url}"
        assert not wrong, f"{who}:\n" + "\n".join(f"  {one}" for one in wrong)
        return self

    def _as_wide_as(self, width: int) -> list[str]:
        if self.page.viewport_size is None or self.page.viewport_size["width"] != width:
            self.page.set_viewport_size({"width": width, "height": 900})
        self._shot(width)
        wide = self.page.evaluate(WIDE)
        return [f"wider than {width}: {wide}"] if wide else []

    def _judged(self) -> list[str]:
        """What axe finds, at the walk's own width; nothing, where it found nothing on a page made of the same."""
        made = self.walk.judged / f"{sha256(self.page.evaluate(BUILT).encode()).hexdigest()}-{self.walk.width}"
        if made.exists():
            return []
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE + "\nundefined")
        found = self.page.evaluate(RUN_AXE, RULES)
        if not found:
            made.touch()
        return [f"axe at {self.walk.width}: {one}" for one in found]

    def _settle(self) -> None:
        with contextlib.suppress(Exception):
            self.page.wait_for_load_state("load", timeout=10_000)
        self.page.evaluate(DRAWN)

    def _shot(self, width: int) -> None:
        folder = os.environ.get("BIDHALL_WALK_SHOTS")
        if folder:
            kept = Path(folder)
            kept.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^A-Za-z0-9]+", "_", self.place).strip("_") or "portal"
            number = len(list(kept.glob(f"*-{self.walk.lang}-{width}.png")))
            whole = f"{number:03d}-{self.username or 'public'}-{name}-{self.walk.lang}-{width}.png"
            self.page.screenshot(path=kept / whole, full_page=True)

    def picture(self, name: str, place: str = "") -> None:
        """Keep a picture for the documents (only where somebody asked for them, in the language the name ends with)."""
        if os.environ.get("BIDHALL_PICTURES") and name.endswith("-" + self.walk.lang):
            pictures.take(self.page, name, place)

    def picture_of(self, paper: Paper, name: str) -> None:
        """Keep a picture of the first page of a paper, as ``picture`` does of a page."""
        if os.environ.get("BIDHALL_PICTURES") and name.endswith("-" + self.walk.lang):
            pictures.take_paper(paper.data, name)

    def links_shown(self) -> list[str]:
        """The addresses of all links of this page, without the platform's own."""
        return [link.removeprefix(self.walk.town.base) for link in self.page.evaluate(LINKS)]

    def _note_links(self) -> None:
        self.walk.town.looked.add(kind_of(self.place))
        kinds = self.walk.town.links.setdefault(self.username, {})
        for link in self.page.evaluate(LINKS):
            path = link.partition("#")[0]
            if path.startswith(self.walk.town.base + "/") and "/acts/" not in path and not CHOICE.search(path):
                shown = kinds.setdefault(kind_of(urlsplit(path).path), {})
                if len(shown) < EXAMPLES:
                    shown.setdefault(path, self.page.url)

    def try_links(self) -> None:
        """Ask for every link that was shown and not asked for yet: none may lead to an error."""
        wrong = []
        for links in self.walk.town.links.get(self.username, {}).values():
            for path, shown_on in links.items():
                asked = (self.username if urlsplit(path).path.startswith(OWN) else "", path)
                if asked in self.walk.town.tried:
                    continue
                self.walk.town.tried.add(asked)
                answer = self.context.request.get(path, max_redirects=0, timeout=30_000)
                if answer.status >= 400:
                    wrong.append(f"{answer.status} {path} (shown on {shown_on})")
                answer.dispose()
        assert not wrong, f"links that {self.username or 'a stranger'} was shown lead to errors:\n" + "\n".join(
            f"  {one}" for one in wrong
        )


def read_paper(data: bytes) -> Paper:
    """A PDF's pages and text."""
    assert data.startswith(b"%PDF-"), data[:200]
    document = pdfium.PdfDocument(data)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    return Paper(data, len(document), text)


def kind_of(path: str) -> str:
    """An address without what it is about: pages of one kind have one."""
    return re.sub(r"(?<=/)[^/]*\d[^/]*", "<id>", path)


def facts_of(guest: Guest, path: str) -> Any:
    """JSON of the platform, with a person's sign-in."""
    answer = guest.context.request.get(urljoin(guest.walk.town.base, path))
    assert answer.ok, f"{answer.status} {path}"
    return json.loads(answer.body())

"""Every form of every desk, mistreated: sent empty, filled with nonsense, doubled, from a page that is old, by the wrong role, with the
session gone.

A clear word each time, in the language of the page; what was typed is still there, after signing in anew too; never an answer of 5xx.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest

from tests.walk.guide import PASSWORD, kind_of
from tests.walk.test_homes import NO_PAGE
from tests.walk.town import Town
from web.http.kept import COOKIE
from web.rehearsal.browser import Answer, Browser

ROLES = (
    "bidder1", "bidder4", "buyer", "agent", "clerk", "host", "officer1", "expert04",
    "cashier", "controller", "supervisor", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip
PORTAL = "auditadmin"
"""Who tries the forms of pages open to all too."""
WRONG = {"bidder1": "cashier", "bidder4": "cashier"}
"""Who tries somebody else's form: a bidder, and for a bidder's the cashier."""
PAGES, EXAMPLES = 120, 4
"""Pages of one person that are looked through, and of one kind: what a page asks for depends on the step of its lot."""
DESKS = ("/bidder", "/agency", "/centre", "/hall", "/expert", "/cashier", "/supervisor", "/admin")
LEAVES_ALONE = ("/account/", "/acts/role", "/acts/sign-out")
"""A person's own sign-in: it ends the walk, and has tests of its own."""
TYPED = "原文保留"
HIDDEN = {"csrf_token", "form_id", "version", "next"}


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    value: str


@dataclass(frozen=True)
class Form:
    page: str
    action: str
    is_multipart: bool
    fields: tuple[Field, ...]

    def empty(self) -> list[tuple[str, str]]:
        return [
            (f.name, f.value if f.kind == "hidden" else "")
            for f in self.fields
            if f.kind not in ("radio", "checkbox", "file")
        ]

    def as_shown(self) -> list[tuple[str, str]]:
        return [(f.name, f.value) for f in self.fields if f.kind not in ("radio", "checkbox", "file")]

    @property
    def version(self) -> int:
        """The version of what the page showed; -1 where the form has none."""
        return next((int(f.value) for f in self.fields if f.name == "version" and f.value.isdigit()), -1)

    def nonsense(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Every field somebody types in holds a text of its own; which texts."""
        sent: list[tuple[str, str]] = []
        typed: list[str] = []
        for f in self.fields:
            value = f.value
            if f.kind in ("text", "textarea", "search"):
                value = f"{TYPED}{len(typed)}"
                typed.append(value)
            if f.kind not in ("radio", "checkbox", "file"):
                sent.append((f.name, value))
        return sent, typed


class _Reader(HTMLParser):
    """Forms with the kinds of their fields, and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self.links = page, list[Form](), list[str]()
        self._form: tuple[str, str, bool, list[Field]] | None = None
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag == "a" and a.get("href"):
            self.links.append(urljoin(self.page, a["href"]).partition("#")[0])
        if tag == "form":
            self._form = (
                urljoin(self.page, a.get("action", "")),
                a.get("method", "get").lower(),
                "multipart" in a.get("enctype", ""),
                [],
            )
        if self._form is None:
            return
        fields = self._form[3]
        if tag == "input" and a.get("name") and a.get("type") not in ("submit", "button", "image"):
            fields.append(Field(a["name"], a.get("type", "text"), a.get("value", "")))
        elif tag == "select" and a.get("name"):
            self._select = a["name"]
            fields.append(Field(a["name"], "select", ""))
        elif tag == "option" and self._select and "selected" in a:
            fields[-1] = Field(self._select, "select", a.get("value", ""))
        elif tag == "textarea" and a.get("name"):
            fields.append(Field(a["name"], "textarea", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "form" and self._form is not None:
            action, method, multipart, fields = self._form
            if method == "post" and not any(part in urlsplit(action).path for part in LEAVES_ALONE):
                self.forms.append(Form(self.page, urlsplit(action).path, multipart, tuple(fields)))
            self._form = None


def signed_in(town: Town, username: str) -> Browser:
    browser = Browser(town.base)
    browser.sign_in(username, PASSWORD)
    return browser


def forms_of(browser: Browser, *, portal: bool) -> Iterator[Form]:
    """One form of each kind on the pages a person reaches by links from their desk; ``portal``: on those open to all too."""
    home = browser._walk("GET", "/account", None, {"Accept": "text/html"})
    todo, seen, kinds = ["/account", home.path], Counter[str](), set[str]()
    asked: set[str] = set()
    while todo and len(asked) < PAGES:
        path = todo.pop(0)
        kind = kind_of(urlsplit(path).path)
        if path in asked or seen[kind] >= EXAMPLES:
            continue
        asked.add(path)
        seen[kind] += 1
        answer = browser._walk("GET", path, None, {"Accept": "text/html"})
        assert answer.status < 500, f"{answer.status} GET {path}"
        if answer.status != 200 or "text/html" not in answer.headers.get("content-type", ""):
            continue
        reader = _Reader(answer.path)
        reader.feed(answer.text)
        todo += [
            link for link in reader.links if link.startswith("/" if portal else DESKS) and not NO_PAGE.search(link)
        ]
        for form in reader.forms:
            if kind_of(form.action) not in kinds:
                kinds.add(kind_of(form.action))
                yield form


def send(browser: Browser, form: Form, fields: list[tuple[str, str]], *, page: str = "") -> Answer:
    body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    if form.is_multipart:
        mark = secrets.token_hex(8)
        parts = "".join(f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields)
        body, kind = (parts + f"--{mark}--\r\n").encode(), f"multipart/form-data; boundary={mark}"
    return browser._once("POST", form.action, body, {"Content-Type": kind, "Accept": "text/html", "Origin": browser.base,
                                                     "Referer": browser.base + (page or form.page)})  # fmt: skip


def judged(what: str, form: Form, answer: Answer, *, statuses: tuple[int, ...]) -> list[str]:
    """What is wrong with an answer: its status, no word of ours on it."""
    if answer.status not in statuses:
        return [f"{what}: {answer.status} {form.action} (on {form.page})"]
    if answer.status >= 400 and not re.search("[㐀-鿿]{4}", answer.text_of(100_000).replace(" ", "")):
        return [f"{what}: {answer.status} {form.action} says nothing in Chinese"]
    return []


def is_there(what: str, form: Form, answer: Answer, typed: list[str]) -> list[str]:
    """Which of the texts that were typed a page does not show."""
    text = unescape(answer.text)
    return [f"{what}, lost what was typed: {form.action} (on {form.page}): {one}" for one in typed if one not in text][
        :2
    ]


def after_signing_in(browser: Browser, lost: Browser, form: Form, answer: Answer, typed: list[str]) -> list[str]:
    """Where the sign-in leads on to, in the browser that sent the form, somebody signed in again finds what they typed."""
    led = urlsplit(answer.headers.get("location", ""))
    onward = dict(parse_qsl(led.query)).get("next", "")
    if answer.status != 303 or led.path != "/account/sign-in" or "kept=" not in onward:
        return [f"session gone, nothing kept: {answer.status} {form.action} (on {form.page})"]
    browser.cookies[COOKIE] = lost.cookies[COOKIE]
    shown = browser._walk("GET", onward, None, {"Accept": "text/html"})
    del browser.cookies[COOKIE]
    return is_there("session gone", form, shown, typed)


CLEAR = (200, 303, 400, 403, 404, 409, 422)


@pytest.mark.parametrize("username", ROLES)
def test_every_form_of_a_desk_mistreated(town: Town, variant: tuple[str, int], username: str) -> None:
    if variant[0] != "zh":
        pytest.skip("no browser, no width: once is enough")
    browser = signed_in(town, username)
    other = signed_in(town, WRONG.get(username, "bidder1"))
    other.get("/account")
    wrong: list[str] = []
    for form in forms_of(browser, portal=username == PORTAL):
        fields, typed = form.nonsense()
        lost = Browser(town.base)
        answer = send(lost, form, fields)
        wrong += judged("session gone", form, answer, statuses=(303, 400, 401, 403))
        if typed:
            wrong += after_signing_in(browser, lost, form, answer, typed)
        foreign = [(n, other._token if n == "csrf_token" else v) for n, v in form.as_shown()]
        if form.action.startswith(DESKS):
            wrong += judged("wrong role", form, send(other, form, foreign), statuses=(303, 403, 404, 409, 422))
        answer = send(browser, form, fields)
        wrong += judged("nonsense", form, answer, statuses=CLEAR)
        if answer.status == 422:
            wrong += is_there("nonsense", form, answer, typed)
        if form.version > 0:
            old = [
                (n, str(form.version - 1) if n == "version" else secrets.token_urlsafe(16) if n == "form_id" else v)
                for n, v in fields
            ]
            answer = send(browser, form, old)
            wrong += judged("stale", form, answer, statuses=(409, 422))
            wrong += is_there("stale", form, answer, typed)
        fresh = [(n, secrets.token_urlsafe(16) if n == "form_id" else v) for n, v in form.empty()]
        wrong += judged("empty", form, send(browser, form, fresh), statuses=CLEAR)
        wrong += judged("doubled", form, send(browser, form, fresh), statuses=CLEAR)
    assert not wrong, "\n".join(wrong)

"""A small browser for rehearsals: one person's cookies, the forms of a page, files sent with them. Standard library only.

It sends what a browser without JavaScript would send: the fields of the page's own form, hidden ones too, with what the person changed. So
whatever the demo does, a person can do with the same pages.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

Files = Mapping[str, tuple[str, bytes, str]]


_TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')


class Unexpected(Exception):
    """The platform answered otherwise than the play expects: status, address and the first words."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        super().__init__(f"{method} {path}: {answer.status} {answer.code or answer.text_of(300)}")
        self.answer = answer


@dataclass(frozen=True)
class PageForm:
    """One form of a page: where it goes, and its fields with the values the page gave them."""

    action: str
    method: str
    fields: tuple[tuple[str, str], ...]

    def filled(self, changes: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The fields to send: changed ones replaced (a list sends several), None left out, new ones added."""
        sent = [(name, value) for name, value in self.fields if name not in changes]
        for name, value in changes.items():
            for one in value if isinstance(value, list | tuple) else [value]:
                if one is not None:
                    sent.append((name, str(one)))
        return sent


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, list[tuple[str, str]]]] = []
        self._open: list[tuple[str, str]] | None = None
        self._select: str = ""
        self._chosen: str | None = None
        self._area: str = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = []
            self.forms.append((a.get("action", ""), a.get("method", "get").lower(), self._open))
        elif self._open is None:
            return
        elif tag == "input" and a.get("name") and a.get("type") not in ("submit", "button", "file", "image"):
            if a.get("type") not in ("checkbox", "radio") or "checked" in a:
                self._open.append((a["name"], a.get("value", "on" if a.get("type") == "checkbox" else "")))
        elif tag == "select":
            self._select, self._chosen = a.get("name", ""), None
        elif tag == "option" and self._select and (self._chosen is None or "selected" in a):
            self._chosen = a.get("value", "")
        elif tag == "textarea" and a.get("name"):
            self._area, self._text = a["name"], []

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif self._open is not None and tag == "select" and self._select:
            self._open.append((self._select, self._chosen or ""))
            self._select = ""
        elif self._open is not None and tag == "textarea" and self._area:
            self._open.append((self._area, "".join(self._text).removeprefix("\n")))
            self._area = ""


@dataclass(frozen=True)
class Answer:
    """What came back, after redirects: ``path`` is where the person ended up."""

    status: int
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def text_of(self, most: int) -> str:
        """The first words without markup, for messages."""
        stripper = _Text()
        stripper.feed(self.text)
        return " ".join("".join(stripper.parts).split())[:most]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The refusal's stable code, when the answer is one in JSON."""
        try:
            return str(json.loads(self.body)["code"])
        except (ValueError, KeyError, TypeError):
            return ""

    def forms(self) -> list[PageForm]:
        parser = _Forms()
        parser.feed(self.text)
        return [
            PageForm(urljoin(self.path, action) or self.path, method, tuple(fields))
            for action, method, fields in parser.forms
        ]

    def form(self, action: str) -> PageForm:
        """The form whose address ends with ``action``."""
        for one in self.forms():
            if urlsplit(one.action).path.endswith(action):
                return one
        raise LookupError(f"no form to {action} on {self.path}; there are {[f.action for f in self.forms()]}")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skip += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style", "head")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.parts.append(data + " ")


class Browser:
    """One person at one machine. ``lang`` goes as Accept-Language."""

    def __init__(self, base: str, *, lang: str = "zh") -> None:
        parts = urlsplit(base)
        self.base, self.host, self.port = base.rstrip("/"), parts.hostname or "127.0.0.1", parts.port or 80
        self.cookies: dict[str, str] = {}
        self.lang = lang
        self._line: http.client.HTTPConnection | None = None
        self._token = ""

    # --- requests -------------------------------------------------------------------------------------------------------------------

    def get(self, path: str, *, ok: Iterable[int] = (200,), accept: str = "text/html", **headers: str) -> Answer:
        """A page. Raises Unexpected for another status than ``ok``."""
        return self._expected("GET", path, self._walk("GET", path, None, {"Accept": accept, **headers}), ok)

    def json(self, path: str) -> Any:
        return self.get(path, accept="application/json").json

    def send(
        self,
        page: str | Answer,
        action: str,
        changes: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        ok: Iterable[int] = (200,),
    ) -> Answer:
        """Fill the form of a page that goes to ``action`` and send it. Raises Unexpected, LookupError (no such form).

        The answer's ``path`` says where it leads; that page is not fetched.
        """
        shown = self.get(page) if isinstance(page, str) else page
        form = shown.form(action)
        fields = form.filled(changes or {})
        body, kind = (
            _multipart(fields, files) if files else (urlencode(fields).encode(), "application/x-www-form-urlencoded")
        )
        headers = {"Content-Type": kind, "Accept": "text/html", "Referer": self.base + shown.path, "Origin": self.base}
        return self._sent(form.action, body, headers, ok)

    def _sent(self, action: str, body: bytes, headers: dict[str, str], ok: Iterable[int]) -> Answer:
        """POST; a redirect is not walked, the answer's ``path`` says where it leads. To the sign-in it may only lead from there."""
        answer = self._once("POST", action, body, headers)
        if answer.status == 303:
            led = urlsplit(urljoin(action, answer.headers.get("location", "/")))
            answer = Answer(200, led.path, answer.headers, answer.body)
            if led.path in ("/account/sign-in", "/account/confirm"):
                raise Unexpected("POST", action, Answer(403, led.path, answer.headers, answer.body))
        return self._expected("POST", action, answer, ok)

    def post(
        self,
        page: str | Answer,
        action: str,
        fields: Mapping[str, Any],
        *,
        ok: Iterable[int] = (200,),
        accept: str = "text/html",
    ) -> Answer:
        """Send fields as a page's script would: with the sign-in's token and a fresh form id, form on the page or not.
        Raises Unexpected.
        """
        where = page if isinstance(page, str) else page.path
        if not self._token:
            self.get(where)
        sent = {"csrf_token": self._token, "form_id": secrets.token_urlsafe(16), **fields}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": accept,
            "Referer": self.base + where,
            "Origin": self.base,
        }
        return self._sent(action, urlencode(sent, doseq=True).encode(), headers, ok)

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request as it is, no redirects followed (uploads)."""
        return self._once(method, path, body, {"Referer": self.base + "/", "Origin": self.base, **(headers or {})})

    def forget(self) -> None:
        """A fresh start: no cookies, no token."""
        self.cookies.clear()
        self._token = ""

    # --- signing in -----------------------------------------------------------------------------------------------------------------

    def sign_in(self, username: str, password: str) -> Answer:
        answer = self.send("/account/sign-in", "/account/acts/sign-in", {"username": username, "password": password})
        self._token = ""  # a new sign-in, a new token
        return answer

    def act_as(self, role: str) -> Answer:
        """Switch to another role one holds."""
        return self.send("/account", "/account/acts/role", {"role": role})

    def confirm(self, password: str) -> Answer:
        """A fresh sign-in before a weighty act."""
        return self.send("/account/confirm", "/account/acts/confirm", {"password": password})

    # --- the wire -------------------------------------------------------------------------------------------------------------------

    def _expected(self, method: str, path: str, answer: Answer, ok: Iterable[int]) -> Answer:
        if answer.status not in tuple(ok):
            raise Unexpected(method, path, answer)
        return answer

    def _walk(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        for _ in range(6):
            answer = self._once(method, path, body, headers)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            method, body = "GET", None
            path = (
                urlsplit(urljoin(answer.path, answer.headers.get("location", "/")))
                ._replace(scheme="", netloc="")
                .geturl()
            )
            headers = {"Accept": headers["Accept"]}
        return answer

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        sent = {"Accept-Language": "zh-CN" if self.lang == "zh" else "en", **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        for attempt in (0, 1):
            if self._line is None:
                self._line = http.client.HTTPConnection(self.host, self.port, timeout=60)
            try:
                self._line.request(method, path, body=body, headers=dict(sent))
                reply = self._line.getresponse()
                data = reply.read()
                break
            except (http.client.HTTPException, ConnectionError):
                self._line.close()
                self._line = None
                if attempt:
                    raise
        self._keep(reply.headers.get_all("Set-Cookie") or [])
        if method == "GET" and (found := _TOKEN.search(data)):
            self._token = found[1].decode()
        return Answer(reply.status, path, {name.lower(): value for name, value in reply.headers.items()}, data)

    def _keep(self, cookies: Iterable[str]) -> None:
        for line in cookies:
            pair, _, rest = line.partition(";")
            name, _, value = pair.partition("=")
            if "max-age=0" in rest.lower() or "expires=thu, 01 jan 1970" in rest.lower():
                self.cookies.pop(name.strip(), None)
            else:
                self.cookies[name.strip()] = value


def _multipart(fields: Iterable[tuple[str, str]], files: Files) -> tuple[bytes, str]:
    mark = secrets.token_hex(16)
    parts = []
    for name, value in fields:
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, (filename, data, kind) in files.items():
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"

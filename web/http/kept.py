"""What was typed is not lost with the sign-in: a form posted after it ended, before a fresh one, or from a page that had expired, is kept
and shown again once that is mended.

Kept are the fields of a form that a page shows again (``back`` of its act), never a password or a file, and nothing of /account.
They lie encrypted in the database (trading/kernel/kept.py); the key is in a cookie of the browser that sent them. Only what a page of
ours sent is kept: nobody can fill a form in somebody else's browser from outside.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.fernet import Fernet, InvalidToken
from flask import Response, after_this_request, current_app, g, request, session, url_for
from werkzeug.datastructures import MultiDict

from trading.kernel import kept
from trading.kernel.access import CLOCK
from trading.kernel.errors import TooEarly
from trading.parties import parties
from web.http import login
from web.http.forms import Form
from web.http.rate_limits import KEPT_BY_ADDRESS

COOKIE = "__Host-bidhall-kept"
ARGUMENT = "kept"
MOST_BYTES = 64_000
_NEVER = ("csrf_token", "password", "old", "new", "passphrase", "secret")


@dataclass(frozen=True)
class Kept:
    """``page``: where the form is shown again; ``files``: it had files, which must be chosen again."""

    page: str
    kept: bool
    files: bool


def page_of(back: str, arguments: dict[str, Any]) -> str:
    """The address of the page that shows a form again: that of ``back`` (an endpoint, "" for the page the form was sent from), with what
    the address had besides where the form was sent from this very page."""
    page = url_for(back, **arguments) if back else ""
    before = urlsplit((request.referrer or "") if (request.referrer or "").startswith(request.host_url) else "")
    if not page or (before.path == page and before.query):
        query = urlencode([(name, value) for name, value in parse_qsl(before.query) if name != ARGUMENT])
        page = before.path + (f"?{query}" if query else "")
    return page or "/"


def keep(back: str, arguments: dict[str, Any]) -> Kept:
    """Keep what was posted just now for the page ``back`` (an endpoint) with these arguments. Returns where to go on to afterwards."""
    page = page_of(back, arguments)
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _NEVER]
    typed = any(value.strip() for name, value in fields if name not in ("form_id", "version", "next"))
    files = any(one.filename for one in request.files.values())
    if not back or not typed or not _from_here() or back.startswith("account."):
        return Kept(page, False, files)
    body = json.dumps(
        {"back": back, "arguments": arguments, "fields": fields, "files": files}, ensure_ascii=False
    ).encode()
    if len(body) > MOST_BYTES:
        return Kept(page, False, files)
    house = current_app.extensions["bidhall"]
    try:
        house.rate_limits.hit(KEPT_BY_ADDRESS, "kept", request.remote_addr or "")
    except TooEarly:
        return Kept(page, False, files)
    token, key = secrets.token_urlsafe(16), Fernet.generate_key()
    with house.office.work(CLOCK) as work:
        kept.keep(work.session, _hash(token), Fernet(key).encrypt(body), _whose(work.session), work.now)
    _set_cookie(f"{token}.{key.decode()}")
    return Kept(f"{page}{'&' if '?' in page else '?'}{urlencode({ARGUMENT: token})}", True, files)


def restored(endpoint: str, arguments: dict[str, Any]) -> Form | None:
    """The form kept for this page, when the address asks for it and this browser has its key."""
    token, _, key = request.cookies.get(COOKIE, "").partition(".")
    if not token or request.args.get(ARGUMENT) != token:
        return None
    house, person = current_app.extensions["bidhall"], login.present()
    with house.office.view(CLOCK) as view:
        body = kept.find(view.session, _hash(token), person.actor.account_id if person else None, view.now)
    try:
        held = json.loads(Fernet(key.encode()).decrypt(body)) if body else None
    except (InvalidToken, ValueError):
        return None
    if held is None or held["back"] != endpoint or held["arguments"] != arguments:
        return None
    form = Form.blank()
    form.typed, form.sent = MultiDict(held["fields"]), True
    version = form.typed.get("version", "")
    form.form_id, form.version = form.typed.get("form_id", form.form_id), int(version) if version.isdigit() else None
    g.restored = Kept("", True, bool(held["files"]))
    return form


def forget() -> None:
    """The form was sent again from the page that showed it, and taken: it is kept no longer."""
    token = request.cookies.get(COOKIE, "").partition(".")[0]
    if not token or f"{ARGUMENT}={token}" not in (request.referrer or ""):
        return
    house = current_app.extensions["bidhall"]
    with house.office.work(CLOCK, together=True) as work:
        kept.drop(work.session, _hash(token))
    _set_cookie("")


def waits(address: str) -> bool:
    """Does the page gone on to after the sign-in hold something kept by this browser?"""
    token = request.cookies.get(COOKIE, "").partition(".")[0]
    return bool(token) and f"{ARGUMENT}={token}" in address


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _from_here() -> bool:
    """Did a page of ours send this? A browser says so itself, and no page elsewhere can make it say so."""
    site = request.headers.get("Sec-Fetch-Site", "")
    return site == "same-origin" or (not site and (request.referrer or "").startswith(request.host_url))


def _whose(database: Any) -> int | None:
    """Whose sign-in this browser has, or had until it ended."""
    token = session.get("_user_id")
    return parties.account_of_token(database, token) if isinstance(token, str) else None


def _set_cookie(value: str) -> None:
    def put(response: Response) -> Response:
        if value:
            response.set_cookie(
                COOKIE,
                value,
                max_age=int(kept.KEPT_FOR.total_seconds()),
                secure=True,
                httponly=True,
                samesite="Lax",
                path="/",
            )
        else:
            response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax", path="/")
        return response

    after_this_request(put)

"""The files host: another origin of the same server that knows one thing only, to hand out a stranger's file for a signed link.

It stands before the application: whatever comes to its name never reaches a desk, no cookie is read or set here, and what it sends can
run nothing and is no neighbour of a sign-in. A link holds for two minutes, for one file, as long as the sign-in that asked for it lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask import Response as FileResponse
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Request, Response

from trading.hall import opened_files
from trading.kernel.access import PUBLIC
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import Refusal
from trading.kernel.work import Office, View
from trading.parties import parties
from web import words
from web.http.gate import saved_as
from web.settings import Settings

GOOD_FOR = timedelta(minutes=2)
PATH = "/opened/"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def link_to(settings: Settings, app: Flask, now: datetime, *, login_id: int, bid_id: int, place: int, name: str) -> str:
    """The address of one file for the person of one sign-in."""
    token = _signer(app).dumps([login_id, bid_id, place, name, write_moment(now + GOOD_FOR)])
    return settings.files_url + PATH + (token if isinstance(token, str) else token.decode())


class FilesHost:
    """A WSGI door before the application's."""

    def __init__(self, app: Flask, settings: Settings, office: Office) -> None:
        self._app, self._inner, self._office = app, app.wsgi_app, office
        self._clamd = bool(settings.clamd)
        self._host = _netloc(settings.files_url)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        scheme, host = environ.get("wsgi.url_scheme", "http"), environ.get("HTTP_HOST", "")
        if _netloc(f"{scheme}://{host}") != self._host:
            return self._inner(environ, start_response)
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _told("page.method", 405)
        if not request.path.startswith(PATH):
            return _told("page.not_found", 404)
        try:
            login_id, bid_id, place, name, until = _signer(self._app).loads(request.path.removeprefix(PATH))
        except (BadData, ValueError, TypeError):
            return _told("page.not_found", 404)
        with self._office.view(PUBLIC) as view:
            bid = opened_files.bid_of_id(view.session, bid_id)
            if view.now > parse_moment(until) or bid is None or not _signed_in(view, login_id):
                return _told("file.link_over", 410)
            try:
                opened_files.release(view.session, bid, place, scanned=self._clamd)
            except Refusal as refusal:
                return _told(refusal.code, 409, refusal.facts)
            file = bid.files[place]
        return _sent(self._office, file, name)


def _sent(office: Office, file: dict[str, Any], name: str) -> FileResponse:
    answer = FileResponse(office.blobs.read(file["blob"]), mimetype="application/octet-stream", headers=HEADERS)
    answer.headers["Content-Length"] = str(file["size"])
    saved_as(answer, name)
    return answer


def _signed_in(view: View, login_id: int) -> bool:
    """The sign-in that asked still lives: not ended, not too long idle or too old, its account not disabled."""
    row = parties.login_of(view.session, login_id)
    if (
        row is None
        or row.ended_at is not None
        or row.seen_at + parties.IDLE < view.now
        or row.made_at + parties.ABSOLUTE < view.now
    ):
        return False
    return parties.account(view.session, row.account_id).disabled_at is None


def _told(code: str, status: int, facts: dict[str, Any] | None = None) -> Response:
    """Plain text in both languages: no cookie says here which one is wished for."""
    text = "\n".join(words.words(code, facts, lang) for lang in words.LANGS) + "\n"
    return Response(text, status, mimetype="text/plain", headers=HEADERS)


def _signer(app: Flask) -> URLSafeSerializer:
    keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.config["SECRET_KEY"]]  # the newest signs
    return URLSafeSerializer(keys, salt="opened-file")


def _netloc(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0

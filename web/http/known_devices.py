"""Devices on which somebody has signed in before: a signed cookie names them, so that strangers' wrong tries for an account never make its
owner wait (web/http/rate_limits.py, ``OF_DEVICE``). It signs nobody in and proves nothing else.

It is bound to the account and to its password as stored: a changed password makes every other device an unknown one, also that of
whoever had learned the old one.
"""

from __future__ import annotations

import hmac
import secrets
from functools import partial
from typing import Any

from flask import Response, after_this_request, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "__Host-bidhall-device"
GOOD_FOR = 180 * 24 * 3600
MOST = 12
"""Accounts known on one device; of a computer of many people the latest."""


def known_as(account_id: int, stored: str) -> str:
    """The name of this device if it is known to the account, whose password is stored as ``stored``; "" if it is not."""
    held = _held()
    return str(held["device"]) if _mark(account_id, stored) in held["accounts"] else ""


def remember(account_id: int, stored: str) -> None:
    """This device is known to the account from now on: somebody has just signed in on it, or has set the password by the link."""
    held, mark = _held(), _mark(account_id, stored)
    accounts = [*(one for one in held["accounts"] if one != mark), mark][-MOST:]
    g.device_known = {"device": held["device"] or secrets.token_urlsafe(12), "accounts": accounts}
    after_this_request(partial(_give, g.device_known))


def _give(held: dict[str, Any], response: Response) -> Response:
    response.set_cookie(
        COOKIE, _signer().dumps(held), max_age=GOOD_FOR, secure=True, httponly=True, samesite="Lax", path="/"
    )
    return response


def _held() -> dict[str, Any]:
    if "device_known" in g:
        return dict(g.device_known)
    try:
        held = _signer().loads(request.cookies.get(COOKIE, ""), max_age=GOOD_FOR)
    except BadData:
        return {"device": "", "accounts": []}
    return dict(held)


def _mark(account_id: int, stored: str) -> str:
    """What the cookie says of an account: nothing that whoever reads it could use."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, f"known device {account_id} {stored}".encode(), "sha256").hexdigest()[:20]


def _signer() -> URLSafeTimedSerializer:
    """Signs with the present key, reads what was signed with one of before."""
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    return URLSafeTimedSerializer(keys, salt="known device")

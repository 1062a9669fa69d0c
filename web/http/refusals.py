"""From a refusal to an answer: one table of statuses, one sentence, a page or JSON.

A Refusal is for something a person did; whatever else is raised is a defect of ours and answered with a request id and no detail. A
database that is locked or gone, or a disk that is full, is neither: 503 or 507, nothing was done, nothing is lost.
"""

from __future__ import annotations

import errno
import logging
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, jsonify, redirect, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response as AnyResponse

from trading.kernel import errors
from web import words
from web.http import kept, login, seen
from web.http.page_rules import PAGES, role_for

# The nearest class in a refusal's line of ancestors decides; tests/web/http/test_refusals.py holds the same table.
STATUS: dict[type[errors.Refusal], int] = {
    errors.NotFound: 404,
    errors.SignInNeeded: 403,
    errors.NotAllowed: 403,
    errors.Invalid: 422,
    errors.WrongStep: 409,
    errors.Conflict: 409,
    errors.TooEarly: 409,
    errors.TooLate: 409,
    errors.NotReady: 503,
    errors.Refusal: 409,
}
_TOO_OFTEN = ("signin.wait", "rate.wait")
_HTTP_CODES = {
    400: "page.bad_request",
    404: "page.not_found",
    405: "page.method",
    413: "page.too_large",
    415: "page.media_type",
}
RETRY_SECONDS = "3"

log = logging.getLogger("bidhall.web")


def status_of(refusal: errors.Refusal) -> int:
    if refusal.code in _TOO_OFTEN:
        return 429
    return next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)


def install(app: Flask) -> None:
    app.register_error_handler(errors.Refusal, on_refusal)
    app.register_error_handler(CSRFError, lambda _error: on_csrf())
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(OperationalError, on_database)
    app.register_error_handler(PoolTimeout, on_database)
    app.register_error_handler(DBAPIError, on_database_defect)
    app.register_error_handler(OSError, on_system)
    app.register_error_handler(Exception, on_defect)


def on_refusal(refusal: errors.Refusal) -> AnyResponse:
    if isinstance(refusal, errors.AlreadyDone) and not wants_json() and _ours(refusal.where):
        return redirect(refusal.where, 303)
    facts = dict(refusal.facts)
    faults = refusal.faults if isinstance(refusal, errors.Invalid) else ()
    status = status_of(refusal)
    if status == 503:
        g.nobody = True
    return answer(refusal.code, status, facts, faults)


def on_csrf() -> AnyResponse:
    """A page that had been open across a sign-in or a closed browser: what was typed is shown again, with new marks, to be sent again."""
    rule = PAGES.get(request.endpoint or "")
    if rule is None or wants_json() or request.endpoint is None:
        return answer("form.csrf", 400)
    if rule.endpoint == "account.do_sign_in":
        return redirect("/account/sign-in?" + urlencode({"next": request.form.get("next", ""), "expired": "yes"}), 303)
    held = kept.keep(rule.back, dict(request.view_args or {}))
    if not held.kept:
        return answer("form.csrf", 400)
    if login.present() is None:
        return redirect("/account/sign-in?" + urlencode({"next": held.page, "ended": "yes"}), 303)
    return redirect(held.page, 303)


def on_http(error: HTTPException) -> AnyResponse:
    status = error.code or 500
    if isinstance(error, SecurityError):
        return on_foreign_host()
    if 300 <= status < 400:
        return error.get_response()
    return answer(_HTTP_CODES.get(status, "page.bad_request" if status < 500 else "platform.busy"), status)


def on_foreign_host() -> AnyResponse:
    """Asked for by a name that is not the platform's: no page, whose links would be of that name, and one line of the log."""
    log.warning("unknown host %.120r %s", request.environ.get("HTTP_HOST", ""), request.path[:120])
    return Response(words.words("page.host", {}, language(), _zone()) + "\n", 400, mimetype="text/plain")


def on_database(error: Exception) -> AnyResponse:
    """Locked, full or gone: the unit was rolled back. The person may simply try again."""
    log.error("database unavailable %s %s: %s", g.get("request_id", ""), _door(), type(error).__name__)
    g.nobody = True
    response = answer("platform.busy", 503)
    response.headers["Retry-After"] = RETRY_SECONDS
    return response


def on_database_defect(error: DBAPIError) -> AnyResponse:
    return on_database(error) if error.connection_invalidated else on_defect(error)


def on_system(error: OSError) -> AnyResponse:
    """A full disk: bytes come before rows, so nothing was done, and the same act succeeds once there is room. Anything else is a defect."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return on_defect(error)
    log.error("no room on the disk %s %s", g.get("request_id", ""), _door())
    g.nobody = True
    return answer("platform.full", 507)


def _door() -> str:
    """The pattern of the address; of a door bids come through nothing, for that somebody stood there tells of a bid."""
    return str(request.url_rule) if seen.desk_of(request.endpoint) else "-"


def on_defect(error: Exception) -> AnyResponse:
    log.exception("defect %s %s %s", g.get("request_id", ""), request.method, request.url_rule, exc_info=error)
    g.nobody = True
    return answer("platform.defect", 500, {"request": g.get("request_id", "")})


def answer(
    code: str, status: int, facts: dict[str, Any] | None = None, faults: tuple[errors.Fault, ...] = ()
) -> Response:
    """The refusal as a page, or as JSON for a program."""
    lang, zone = language(), _zone()
    sentence = words.words(code, facts, lang, zone)
    told = [words.words(f.code, f.facts, lang, zone) for f in faults]
    if wants_json():
        body = {
            "code": code,
            "words": sentence,
            "request": g.get("request_id", ""),
            "faults": [{"where": f.where, "code": f.code, "words": line} for f, line in zip(faults, told, strict=True)],
        }
        response = jsonify(body)
        response.status_code = status
        return response
    try:
        page = render_template(
            "error.html",
            title=title_of(status, code),
            sentence=sentence,
            faults=told,
            code=code,
            status=status,
            request_id=g.get("request_id", ""),
            back=_back(status),
            back_label=_back_label(status),
            kept=_typed(code),
            other_roles=_other_roles(code),
        )
    except Exception:
        # Even the page of an error may fail, when the database behind its frame is gone: then the plain words.
        log.exception("the error page itself failed %s", g.get("request_id", ""))
        return Response(f"{sentence}\n{code} {g.get('request_id', '')}\n", status, mimetype="text/plain")
    return Response(page, status)


_MARKS = ("csrf_token", "form_id", "version", "next")
_MOST_KEPT = 20_000


def _typed(code: str) -> list[str]:
    """What was typed into a form that could not be taken because the sign-in or the form had run out: given back, to be copied. Only to
    a form of ours: nobody else's words are shown here."""
    if (
        code not in ("access.sign_in", "form.csrf")
        or request.method != "POST"
        or not (request.referrer or "").startswith(request.host_url)
    ):
        return []
    typed = [
        value.strip()
        for name, value in request.form.items(multi=True)
        if name not in _MARKS and not name.startswith(("password", "old", "new", "code"))
    ]
    return [value for value in typed if len(value) > 20 and len(value) <= _MOST_KEPT]


def _other_roles(code: str) -> list[tuple[str, str]]:
    """Roles of the one signed in that could see this page: (role, its words). Empty unless it was refused for the role."""
    if code != "access.role" or request.method != "GET":
        return []
    person = login.present()
    if person is None:
        return []
    role = role_for(request.path, person.roles, person.actor.role)
    return [] if role is person.actor.role else [(role.value, words.state("role", role.value, language()).text)]


def title_of(status: int, code: str) -> str:
    if code == "form.csrf":
        return _("The form has expired")
    if status in (409, 422, 400, 405, 413, 415):
        return _("This was not done")
    return {
        403: _("You may not do this here"),
        404: _("Not found"),
        429: _("Please wait a little"),
        503: _("The platform is busy"),
        507: _("The platform is busy"),
        500: _("Something failed on our side"),
    }.get(status, _("This was not done"))


def wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
    return best == "application/json" or request.is_json


def language() -> str:
    return "en" if g.get("lang") == "en" else "zh"


def _zone() -> Any:
    from flask import current_app

    return current_app.extensions["bidhall"].zone


def _ours(address: str) -> bool:
    return address.startswith("/") and not address.startswith(("//", "/\\"))


def _back(status: int) -> str:
    before = request.referrer or ""
    if status == 403 and g.get("nobody_signed_in"):
        page = (
            before.removeprefix(request.host_url.rstrip("/")).partition("#")[0]
            if before.startswith(request.host_url)
            else ""
        )
        return "/account/sign-in" + (f"?{urlencode({'next': page})}" if page else "")
    return before if before.startswith(request.host_url) and status != 404 else ""


def _back_label(status: int) -> str:
    return _("Sign in") if status == 403 and g.get("nobody_signed_in") else _("Back to the page before")

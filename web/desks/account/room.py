"""One's own account: what its modules share; `desk.py` puts them together."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.kernel.access import Act, may
from trading.kernel.errors import NotAllowed
from web import wiring
from web.http import login
from web.http.forms import Form
from web.http.gate import Desk, actor, frame_unread, request
from web.http.layout import Group, Link

account = Desk("account", prefix="/account")


@account.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"blank_form": Form.blank}


@account.rail
def rail() -> list[Group]:
    if login.present() is None:
        return []
    path = request.path
    links = [
        Link(_("My account"), "/account", path == "/account"),
        Link(_("Inbox"), "/account/inbox", path.startswith("/account/inbox"), frame_unread() or None),
        Link(_("Second factor"), "/account/second-factor", path == "/account/second-factor"),
        Link(_("Recovery codes"), "/account/recovery-codes", path == "/account/recovery-codes"),
        Link(_("Mail"), "/account/mail", path.startswith("/account/mail")),
        Link(_("Password"), "/account/password", path == "/account/password"),
        Link(_("Failed sign-ins"), "/account/sign-ins", path == "/account/sign-ins"),
    ]
    if may(actor(), Act.KEY_ENROL):
        links.append(Link(_("My keys"), "/account/keys"))
    return [Group(_("Account"), tuple(links))]


def person() -> login.Person:
    """Whoever is signed in. Refuses: NotAllowed."""
    found = login.present()
    if found is None:
        raise NotAllowed("access.sign_in")
    return found


def rate_limits() -> Any:
    return current_app.extensions["bidhall"].rate_limits


def rehearsal() -> bool:
    return wiring.is_rehearsal(current_app.extensions["bidhall"].settings.data)


def base() -> str:
    """The platform's own address. What a request claims to be its host counts in a rehearsal only: a link must never lead elsewhere."""
    settings = current_app.extensions["bidhall"].settings
    return settings.base_url or (request.host_url.rstrip("/") if rehearsal() else "")


def sends_mail() -> bool:
    return bool(base()) and (rehearsal() or current_app.extensions["bidhall"].settings.mail.chosen)

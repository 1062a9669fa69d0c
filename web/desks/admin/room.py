"""The administration (desks §7.5): three seats that never meet in one person. What their modules share; `desk.py` puts them together."""

from __future__ import annotations

from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.kernel.access import Act, Role, may
from web import words
from web.http.forms import Form
from web.http.gate import Desk, actor, request
from web.http.layout import Group, Link
from web.http.refusals import language

admin = Desk("admin", prefix="/admin")

SEATS = frozenset({Act.SYSTEM_ADMIN, Act.USER_ADMIN, Act.LOG_LOOK})


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def role_words(role: str) -> str:
    return words.state("role", role, language()).text


def deed_words(deed: str, role: str) -> str:
    """What is proposed: the role, or what else two decide."""
    return role_words(role) if deed == "grant" else words.state("account_deed", deed, language()).text


def crumbs_of(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Administration"), "/admin"), *links]


@admin.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"blank_form": Form.blank, "role_words": role_words}


@admin.rail
def rail() -> list[Group]:
    who, path = actor(), request.path
    links = [Link(_("My work"), "/admin", path == "/admin")]
    if may(who, Act.USER_ADMIN):
        links += [
            Link(_("People"), "/admin/people", path.startswith("/admin/people")),
            Link(_("Proposed roles"), "/admin/grants", path.startswith("/admin/grants")),
            Link(_("Organisations"), "/admin/parties", path.startswith("/admin/parties")),
            Link(_("Public keys"), "/admin/keys", path.startswith("/admin/keys")),
        ]
    if may(who, Act.RESTORE_CONFIRM):
        links += [Link(_("Restored"), "/admin/restored", path.startswith("/admin/restored"))]
    if may(who, Act.SYSTEM_ADMIN):
        links += [
            Link(_("Working days"), "/admin/calendar", path.startswith("/admin/calendar")),
            Link(_("Health and jobs"), "/admin/health", path.startswith("/admin/health")),
            Link(_("Mail"), "/admin/mail", path.startswith("/admin/mail")),
        ]
    if may(who, Act.LOG_LOOK):
        links += [Link(_("Log"), "/admin/log", path.startswith("/admin/log"))]
    if may(who, Act.SIGN_INS_LOOK):
        links += [Link(_("Failed sign-ins"), "/admin/sign-ins", path.startswith("/admin/sign-ins"))]
    return [Group(_("Administration"), tuple(links))] if who.role is not Role.PUBLIC else []

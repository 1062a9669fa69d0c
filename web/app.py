"""The web application: desks, frame, languages, headers. `create_app` wires it; nothing here knows a noun of the trade."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, request, url_for
from flask_babel import Babel, gettext
from flask_wtf.csrf import CSRFProtect
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from crypto import rehearsals
from evaluation.scoring import schemes
from trading.kernel.access import Act, Role, may
from trading.kernel.errors import Fault
from trading.kernel.work import Office
from trading.procedures import procedure_of
from trading.views import rehearsal_queries
from web import catalogues, release, words
from web.http import gate, login, refusals, seen, vocabulary
from web.http.addresses import AddressedApp, refuse_odd_arguments
from web.http.files_host import FilesHost
from web.http.forms import Form
from web.http.layout import Frame, Link, Mover, RoleChoice, address
from web.http.metrics import Metrics
from web.http.page_rules import PAGES
from web.http.rate_limits import RateLimits
from web.http.shedding import Shedding
from web.http.wellness import Wellness
from web.settings import Settings, old_secrets, secret_of
from web.words import formatting, helping
from web.words.citations import citation
from web.words.regions import region_name

COOKIE, LANG_COOKIE, THEME_COOKIE = "__Host-bidhall", "__Host-bidhall-lang", "__Host-bidhall-theme"
YEAR = 365 * 24 * 3600
MAX_FORM_BYTES = 2_000_000  # forms; uploads of sealed bids have a door of their own
STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": release.POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Frame-Options": "DENY",
}


@dataclass
class House:
    """What belongs to this application: kept in ``app.extensions["bidhall"]``. ``town``: it serves a rehearsal's town, which has a card."""

    settings: Settings
    office: Office
    rate_limits: RateLimits
    zone: ZoneInfo
    desks: dict[str, gate.Desk]
    town: bool = False


def create_app(settings: Settings, office: Office | None = None) -> Flask:
    """The application over an office; without one, the office of the settings (web/wiring.py)."""
    if office is None:
        wiring = importlib.import_module("web.wiring")
        office = wiring.open_office(settings)
    app = AddressedApp("web", root_path=str(Path(__file__).parent), static_url_path="/static")
    app.config.update(
        SECRET_KEY=secret_of(settings.data),
        SECRET_KEY_FALLBACKS=old_secrets(settings.data),
        TRUSTED_HOSTS=settings.hosts or None,
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=2_000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=True,
        BABEL_DEFAULT_LOCALE=catalogues.LOCALE,
        BABEL_DEFAULT_TIMEZONE=settings.zone,
        BABEL_TRANSLATION_DIRECTORIES=";".join(f"translations/{room}" for room in catalogues.rooms()) or "translations",
        SEND_FILE_MAX_AGE_DEFAULT=0,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if settings.files_url:  # inside the proxy's own door, so that the host is the one asked for
        app.wsgi_app = FilesHost(app, settings, office)  # type: ignore[method-assign]
    if settings.proxies:
        n = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    well = Wellness(Shedding(app.wsgi_app, HEADERS), office)
    app.wsgi_app = Metrics(well, settings, office)  # type: ignore[method-assign]
    zone = ZoneInfo(settings.zone)
    rate_limits = RateLimits(office.engine, office.clock, app.config["SECRET_KEY"])
    house = House(settings, office, rate_limits, zone, {}, town=is_town(settings.data))
    app.extensions["bidhall"] = house
    seen.install(app)
    app.before_request(_arrive)
    app.before_request(refuse_odd_arguments)
    app.after_request(_dress)
    CSRFProtect(app)
    Babel(app, locale_selector=lambda: "en" if _language() == "en" else catalogues.LOCALE)
    login.install(app, office)
    refusals.install(app)
    formatting.teach(app.jinja_env, lang=_language, zone=zone, now=_now, state=words.state)
    vocabulary.install(app, _language)
    app.jinja_env.filters["region"] = region_name
    app.jinja_env.filters["citation"] = lambda source: citation(source, _language())
    app.jinja_env.globals["procedure_of"] = procedure_of
    app.jinja_env.globals["method_of"] = schemes.method_of_lot
    app.jinja_env.globals.update(
        drop_url=settings.drop_url,
        asset=_asset,
        module=_module,
        script=_script,
        stylesheet=_sheet,
        sealing_workers=_sealing_workers,
        fault_words=_fault_words,
        help_href=_help_href,
        in_help=lambda text: helping.marked(text, _language()),
        sign_in_mark=login.mark,
        role_words=lambda role: words.state("role", str(role), _language()).text,
    )
    app.context_processor(lambda: {"frame": _frame(house), "preloaded": set()})
    for found in find_desks():
        house.desks[found.name] = found
        app.register_blueprint(found.blueprint)
    return app


def is_town(data: Path) -> bool:
    """Whether a data folder is one of rehearsal that holds a town."""
    return (data / "rehearsal").exists() and (data / "town.json").exists()


def find_desks() -> list[gate.Desk]:
    """Every Desk named ``desk`` of a module below web/desks, by the name of its module."""
    folders = importlib.import_module("web.desks").__path__
    names = sorted(module.name for module in pkgutil.walk_packages(folders, "web.desks."))
    found = [getattr(importlib.import_module(name), "desk", None) for name in names]
    return list(dict.fromkeys(desk for desk in found if isinstance(desk, gate.Desk)))


# --- each request ---------------------------------------------------------------------------------------------------------------------


def _arrive() -> None:
    _request_id()
    g.lang = _language()


def _request_id() -> str:
    """Made when first wanted: whoever aborts a request early still gets one."""
    if "request_id" not in g:
        name = secrets.token_hex(4)
        g.request_id = f"{name[:4]}-{name[4:]}"
    return str(g.request_id)


def _now() -> Any:
    """One present moment for all of a page."""
    if "page_now" not in g:
        g.page_now = gate.office().clock.now()
    return g.page_now


def _language() -> str:
    """``?lang=``, else the cookie, else the browser's wish, else Chinese. Locale names of the catalogues never come from outside."""
    if "lang" not in g:
        asked = request.args.get("lang", "") or request.cookies.get(LANG_COOKIE, "")
        if asked not in ("zh", "en"):
            best = request.accept_languages.best_match(
                ["zh", "zh-CN", "zh-Hans", "zh-TW", "zh-HK", "en", "en-GB", "en-US"], default="zh"
            )
            asked = "en" if str(best).startswith("en") else "zh"
        g.lang = asked
    return str(g.lang)


def _theme() -> str:
    asked = request.args.get("theme", "") or request.cookies.get(THEME_COOKIE, "")
    return asked if asked in ("light", "dark") else ""


def _dress(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
    response.headers["X-Request-Id"] = _request_id()
    if request.endpoint == "static":
        if "v" in request.args:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(("Cookie", "Accept-Language"))
    for name, cookie, allowed in (("lang", LANG_COOKIE, ("zh", "en")), ("theme", THEME_COOKIE, ("light", "dark"))):
        if request.args.get(name) in allowed:
            response.set_cookie(
                cookie, request.args[name], max_age=YEAR, secure=True, httponly=name == "lang", samesite="Lax", path="/"
            )
    return response


def _asset(name: str) -> str:
    """The address of a file of ours with its digest: it may be kept for a year, a changed one has another address."""
    return url_for("static", filename=name, v=_digest(name, release.stamp(name)))


_digests: dict[tuple[str, int], str] = {}


def _digest(name: str, changed: int) -> str:
    if (name, changed) not in _digests:
        _digests[name, changed] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return _digests[name, changed]


@pass_context
def _module(context: Context, name: str) -> Markup:
    """A module and all it imports, each with its integrity: a browser holds what it imports later to the preload of the same address, so
    each stands before what imports it, once a page (docs/decisions/0020)."""
    seen: set[str] = context["preloaded"]
    before = [one for one in release.preloads(name) if one not in seen]
    seen.update(before)
    links = Markup("\n").join(
        Markup('<link rel="modulepreload" href="{}" integrity="{}">').format(
            url_for("static", filename=one), release.integrity(one)
        )
        for one in before
    )
    return links + Markup('<script type="module" src="{}" integrity="{}"></script>').format(
        _asset(name), release.integrity(name)
    )


def _sealing_workers() -> dict[str, str]:
    """Address → integrity of the workers that seal and all they import: no attribute holds a worker, so the page asks for each itself."""
    names = dict.fromkeys(one for worker in release.WORKERS for one in (worker, *release.preloads(worker)))
    return {url_for("static", filename=name): release.integrity(name) for name in names}


def _script(name: str) -> Markup:
    return Markup('<script defer src="{}" integrity="{}"></script>').format(_asset(name), release.integrity(name))


def _sheet(name: str) -> Markup:
    return Markup('<link rel="stylesheet" href="{}" integrity="{}">').format(_asset(name), release.integrity(name))


def _fault_words(fault: Fault) -> str:
    return words.words(fault.code, fault.facts, _language(), gate.current_app.extensions["bidhall"].zone)


def _help_href() -> str:
    """The help of the page that is shown; of a form shown again, the page it stood on. "" on the pages of the help."""
    path, _asked = gate.page_shown()
    return "" if path.startswith("/help") else helping.help_href(path)


def _frame(house: House) -> Frame:
    if "frame" in g and g.frame_for == (g.get("nobody", False), _language()):
        return g.frame
    person = login.present()
    lang, (path, asked) = _language(), gate.page_shown()
    here = {k: v for k, v in asked.items() if k not in ("lang", "theme")}
    theme = _theme()
    desk = house.desks.get(request.blueprint or "")
    frame = Frame(
        lang=lang,
        theme=theme,
        place=house.settings.place,
        hotline=house.settings.hotline,
        now=_now(),
        zone=house.zone,
        here=address(path, here),
        own=g.get("page_address", ""),
        next="" if path.startswith("/account") else address(path, here),
        nav=_nav(person, path),
        rail=desk.groups() if desk and not g.get("nobody", False) and _let_in(person) else [],
        theme_href=address(path, here, theme="light" if theme == "dark" else "dark"),
        lang_href=address(path, here, lang="zh" if lang == "en" else "en"),
        rehearsal=bool(house.settings.test_clock) or rehearsals.is_name(house.office.platform),
        town=house.town,
        drill=rehearsals.site_of(house.office.platform) if rehearsals.is_name(house.office.platform) else "",
        still=house.office.trouble.code if house.office.trouble is not None else "",
        restored=g.get("restored"),
    )
    if person:
        frame.first = login.first_duty()
        frame.signed_in, frame.name, frame.session_ends = True, person.actor.name, person.ends_at
        frame.role = words.state("role", person.actor.role.value, lang).text
        frame.home, frame.unread = gate.HOMES[person.actor.role], gate.frame_unread()
        frame.roles = [
            RoleChoice(r.value, words.state("role", r.value, lang).text, r is person.actor.role) for r in person.roles
        ]
        if frame.drill and may(person.actor, Act.CLOCK_MOVE):
            with gate.reading() as view:
                frame.mover = Mover(
                    Form.blank(), rehearsal_queries.next_moment(view), rehearsal_queries.is_closing(view)
                )
    g.frame, g.frame_for = frame, (g.get("nobody", False), lang)
    return frame


def _let_in(person: login.Person | None) -> bool:
    """Whether this page is open to the role at the door: whoever is turned away is shown no rail of a desk that is not theirs."""
    rule = PAGES.get(request.endpoint or "")
    return rule is None or rule.open_to(person.actor.role if person else Role.PUBLIC)


def _nav(person: login.Person | None, path: str) -> list[Link]:
    """Four to six entries: one's own desk first."""
    entries = [
        (gettext("Notices and projects"), "/notices"),
        (gettext("Opening hall"), "/hall"),
        (gettext("Savings"), "/savings"),
        (gettext("Check a receipt"), "/check"),
        (gettext("Rules and calendar"), "/rules"),
        (gettext("Help"), "/help"),
    ]
    if person:
        home = gate.HOMES[person.actor.role]
        entries = [(gettext("My desk"), home), *(e for e in entries[:4] if e[1] != home), entries[5]]
    return [Link(label, href, here=path == href or path.startswith(href + "/")) for label, href in entries]

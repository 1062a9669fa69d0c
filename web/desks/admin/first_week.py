"""The first week: what is missing until the first tender can be published, found in the state itself; nothing to tick by hand.

What a site may do without, such as mail, is told and holds nothing up. Once all that is needed is done the page says so, and the
administrators' first page leads here no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from evaluation.panels import experts
from trading.kernel import rehearsal
from trading.kernel.access import Act, Role, may
from trading.kernel.calendar import local_day
from trading.kernel.work import View
from trading.rulebook import calendars
from trading.views import first_week
from trading.views.first_week import SIDES, Standing
from web import wiring
from web.backups import state
from web.desks.admin.people import kind_words
from web.desks.admin.room import admin, crumbs_of, role_words
from web.http.gate import office, reading, render
from web.http.refusals import language
from web.settings import Settings

WEEK = "/admin/first-week"
CALENDAR_MONTH = 11
"""From then on the notice of next year's working days is out."""


@dataclass(frozen=True)
class Step:
    """``found``: how it stands; ``why``: what it is for and what to do; ``who``: whose business it is; ``href``: the page to do it on,
    "" where it is done on the machine, open to whoever has the act it ``needs``; ``needed``: nothing is published without it."""

    name: str
    title: str
    done: bool
    found: str
    why: str
    who: str
    href: str = ""
    needed: bool = True
    needs: Act = Act.USER_ADMIN


@admin.page("/first-week", needs=frozenset({Act.USER_ADMIN, Act.SYSTEM_ADMIN}))
def first_week_page() -> str:
    with reading() as view:
        steps = steps_of(view)
        needed = [one for one in steps if one.needed]
        return render(
            "admin/first_week.html",
            steps=needed,
            better=[one for one in steps if not one.needed],
            left=sum(1 for one in needed if not one.done),
            mine=[act for act in (Act.USER_ADMIN, Act.SYSTEM_ADMIN, Act.REHEARSAL_CONFIRM) if may(view.actor, act)],
            crumbs=crumbs_of((_("First week"), "")),
        )


def left(view: View) -> int:
    """How many steps are missing, for the first page; none in a rehearsal, nor once a tender was published."""
    if wiring.is_rehearsal(_settings().data):
        return 0
    now = first_week.standing(view)
    return 0 if now.published else sum(1 for one in _steps(view, now) if one.needed and not one.done)


def steps_of(view: View) -> list[Step]:
    return list(_steps(view, first_week.standing(view)))


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidhall"].settings
    return settings


def _steps(view: View, now: Standing) -> Iterator[Step]:
    yield from _administrators(now)
    yield from _organisations(now)
    yield from _people(now)
    yield from _officers(now)
    yield _library(view)
    yield from _calendar(view)
    yield from _machine(view)


def _both() -> str:
    return _("security, and a second one confirms")


def _administrators(now: Standing) -> Iterator[Step]:
    two = now.held(Role.SECURITY_ADMIN)
    yield Step(
        "administrators",
        _("Two security administrators"),
        two >= 2,
        ngettext("%(num)s in office", "%(num)s in office", two),
        _(
            "One proposes, the other confirms. The second is made on the machine: bidhall user add … --role security-admin --as USER."
        ),
        role_words(Role.SECURITY_ADMIN),
        "/admin/people?role=security-admin",
    )
    open_ones = max(now.handed, now.bare)
    yield Step(
        "own_passwords",
        _("Passwords and second factors of their own"),
        not open_ones,
        ngettext("%(num)s person still without", "%(num)s people still without", open_ones)
        if open_ones
        else _("all have them"),
        _(
            "Keys, money, an opening or the administration want a second factor at each sign-in; a first password opens nothing else."
        ),
        _("each for themself"),
        "/admin/people?second=no",
    )


def _organisations(now: Standing) -> Iterator[Step]:
    wanted = ("centre", "purchaser", "agency", "supervisor")
    missing = [kind for kind in wanted if not now.kinds.get(kind)]
    yield Step(
        "organisations",
        _("Centre, purchaser, agency and supervisory body"),
        not missing,
        _("missing: %(what)s", what=_list(map(kind_words, missing))) if missing else _("entered"),
        _(
            "Each with its unified social credit code. Bidders register themselves, and the centre's clerk accepts them."
        ),
        role_words(Role.SECURITY_ADMIN),
        "/admin/parties",
    )


def _people(now: Standing) -> Iterator[Step]:
    wanted = (
        Role.PURCHASER,
        Role.AGENCY,
        Role.CENTRE,
        Role.HOST,
        Role.SUPERVISOR,
        Role.CASHIER,
        Role.CONTROLLER,
    )
    missing = [role for role in wanted if not now.held(role)]
    yield Step(
        "people",
        _("People for every desk"),
        not missing,
        _("missing: %(what)s", what=_list(map(role_words, missing))) if missing else _("every desk has somebody"),
        _(
            "Invite them at their organisation. Duties that clash never meet in one person: whoever prepares a refund does not approve it."
        ),
        _both(),
        "/admin/people/new",
    )


def _officers(now: Standing) -> Iterator[Step]:
    named = {side: now.held(Role.OFFICER, kinds) for side, kinds in SIDES.items()}
    keyed = {side: now.keys("officer", kinds) for side, kinds in SIDES.items()}
    words = {
        "platform": _("the centre"),
        "tenderee": _("purchaser or agency"),
        "supervisor": _("the supervisory body"),
    }
    missing = [words[side] for side, n in named.items() if not n]
    yield Step(
        "officers",
        _("Key holders from three sides"),
        not missing,
        _("nobody yet from: %(what)s", what=_list(missing))
        if missing
        else _("%(n)s from three sides", n=sum(named.values())),
        _(
            "They open the bids together: at least one from the centre, one from the purchaser or its agency, one from the supervisory "
            "body, so that no side opens alone and none can hold an opening up. Five or more are better: one may be ill."
        ),
        _both(),
        "/admin/people?role=officer",
    )
    missing = [words[side] for side, n in keyed.items() if not n]
    yield Step(
        "officer_keys",
        _("Key files of the key holders"),
        not missing,
        _("none yet from: %(what)s", what=_list(missing)) if missing else _("%(n)s enrolled", n=sum(keyed.values())),
        _(
            "Each makes a key file on a machine of their own, at My keys or by bidhall keys new --officer, prints it, and keeps it apart."
        ),
        _("each key holder"),
        "/admin/keys?role=officer",
    )
    controllers = now.keys("controller")
    yield Step(
        "controller_keys",
        _("Key of a controller"),
        controllers > 0,
        _("%(n)s enrolled", n=controllers) if controllers else _("none yet"),
        _("What a controller approves is signed by a key of their own; without it no deposit goes back."),
        role_words(Role.CONTROLLER),
        "/admin/keys?role=controller",
        needed=False,
    )


def _library(view: View) -> Step:
    there = experts.count_active(view.session) > 0
    return Step(
        "experts",
        _("Experts in the library"),
        there,
        _("there are some") if there else _("none yet"),
        _(
            "The centre takes them in from a list: bidhall import experts FILE. Panels are drawn from it, so it holds many times the seats."
        ),
        role_words(Role.CENTRE),
    )


def _calendar(view: View) -> Iterator[Step]:
    today = local_day(view.now)
    if today.month < CALENDAR_MONTH:
        return
    calendar = calendars.current(view.session)
    year = today.year + 1
    known = year in calendar.years and not calendar.is_provisional(date(year, 6, 1))
    yield Step(
        "calendar",
        _("Working days of %(year)s", year=year),
        known,
        _("announced") if known else _("provisional"),
        _("Limits that run into next year are counted in working days of the yearly notice."),
        role_words(Role.SYSTEM_ADMIN),
        "/admin/calendar",
        needed=False,
        needs=Act.SYSTEM_ADMIN,
    )


def _machine(view: View) -> Iterator[Step]:
    settings, system = _settings(), role_words(Role.SYSTEM_ADMIN)
    yield Step(
        "tls",
        _("A public address with TLS"),
        settings.secure,
        settings.base_url or _("none yet"),
        _("Set BIDHALL_BASE_URL, and put a proxy with TLS before the platform (docs/operate/service.md)."),
        system,
        "/admin/health",
        needs=Act.SYSTEM_ADMIN,
    )
    memory = office().memory
    remembers = memory is not None and bool(memory.files) and memory.trouble is None
    yield Step(
        "memory",
        _("A memory outside the data folder"),
        remembers,
        _("it remembers the log") if remembers else _("none yet"),
        _("It notices an old copy of the data. Set BIDHALL_MEMORY to a file on another disk (docs/operate/memory.md)."),
        system,
        "/admin/health",
        needs=Act.SYSTEM_ADMIN,
    )
    yield _rehearsal(view)
    held = state.read(settings.data)
    taken, checked = held.taken is not None, held.checked is not None
    yield Step(
        "backup",
        _("A backup taken and looked through"),
        taken and checked,
        _("taken and looked through")
        if taken and checked
        else _("taken, not looked through")
        if taken
        else _("none yet"),
        _(
            "bidhall backup DIR, then bidhall backup DIR --check; from then on each night. The keys' passphrase lies in a safe."
        ),
        system,
        "/admin/health",
        needs=Act.SYSTEM_ADMIN,
    )
    yield Step(
        "mail",
        _("Mail"),
        bool(settings.mail),
        _("set") if settings.mail else _("none: people read their messages here"),
        _("Links for forgotten passwords go by mail. Set BIDHALL_MAIL."),
        system,
        "/admin/health",
        needed=False,
        needs=Act.SYSTEM_ADMIN,
    )
    yield Step(
        "scanner",
        _("A virus scanner"),
        bool(settings.clamd),
        _("set") if settings.clamd else _("none: opened files say that they are unscanned"),
        _("Run clamd and set BIDHALL_CLAMD."),
        system,
        "/admin/health",
        needed=False,
        needs=Act.SYSTEM_ADMIN,
    )


def _rehearsal(view: View) -> Step:
    """Known by the signed words of two administrators, each with the checkpoint the rehearsal's log ended with."""
    said = rehearsal.words(view)
    ended = rehearsal.played(said)
    if ended is not None:
        found = _("played: %(size)s ticks", size=ended.size)
    elif said:
        found = _("one administrator has confirmed it, another is missing")
    else:
        found = _("not yet")
    return Step(
        "rehearsal",
        _("A rehearsal played"),
        ended is not None,
        found,
        _(
            "Play one tender with your own people before the first one counts: bidhall rehearse DIR, then bidhall serve DIR. Two "
            "administrators then confirm how it ended."
        ),
        _("any two administrators"),
        "/admin/rehearsed",
        needed=False,
        needs=Act.REHEARSAL_CONFIRM,
    )


def _list(words: Iterable[str]) -> str:
    return ("、" if language() == "zh" else ", ").join(words)

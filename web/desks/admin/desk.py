"""The desk of the three administrators: security (people, keys), system (calendar, jobs), audit (reads the log, changes nothing). None of
them sees bids, payers or experts' names.

Acts and their fields: /admin/people/new → /admin/acts/invite ``party``, ``username``, ``name``, ``password``, ``roles``, ``reason``; on
/admin/people/<id>: …/acts/grant ``role``, ``reason``, …/acts/revoke ``role``, …/acts/disable ``sure``, …/acts/reset ``password``, ``why``,
…/acts/second-factor ``lost``, …/acts/enable ``back``; on
/admin/grants/<id>: …/acts/confirm, …/acts/refuse ``answer``, …/acts/withdraw; /admin/restored →
…/acts/confirm ``remembered``; /admin/parties →
/admin/acts/register ``code``, ``name``, ``kind``, ``region``, ``bank_name``, ``bank_account``, ``small``, ``another``;
/admin/parties/correct → /admin/acts/correct ``party``, ``code``, ``name``, ``reason``; on /admin/corrections/<id>: …/acts/confirm,
…/acts/refuse ``answer``, …/acts/withdraw; /admin/calendar →
/admin/acts/calendar file ``calendar``; /admin/mail → /admin/acts/test-mail ``to``;
/admin/rehearsed → /admin/rehearsed/acts/confirm ``checkpoint``;
/admin/people/import → /admin/acts/people-check file ``book``, /admin/acts/people-enter ``rows``.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from trading.kernel import log
from trading.kernel.access import Act, may
from trading.kernel.calendar import day_start, local_day
from trading.kernel.work import View
from trading.parties import corrections, mail_queue, parties, role_proposals
from trading.rulebook import calendars
from trading.views import people_queries, system_queries
from web.desks.admin import corrections as admin_corrections
from web.desks.admin import failed, first_week, grants, keys, mail, people, people_book, rehearsed, restored, system
from web.desks.admin import log as admin_log
from web.desks.admin.room import SEATS, admin, deed_words, role_words, zone
from web.http.gate import office, reading, render
from web.http.layout import Duty
from web.http.refusals import language
from web.words import formatting

__all__ = [
    "admin_corrections",
    "admin_log",
    "desk",
    "failed",
    "first_week",
    "grants",
    "keys",
    "mail",
    "people",
    "people_book",
    "rehearsed",
    "restored",
    "system",
]

desk = admin


@admin.page("", needs=SEATS)
def home() -> str:
    with reading() as view:
        duties: list[Duty] = []
        figures: list[dict[str, Any]] = []
        missing = 0
        if may(view.actor, Act.USER_ADMIN) or may(view.actor, Act.SYSTEM_ADMIN):
            missing = first_week.left(view)
        if missing:
            duties.append(
                Duty(
                    ngettext(
                        "%(num)s thing is missing before the first tender",
                        "%(num)s things are missing before the first tender",
                        missing,
                    ),
                    first_week.WEEK,
                    None,
                    _("this week"),
                    _("people, keys, experts, backup: each with the page where it is done"),
                    _("First week"),
                    "warn",
                )
            )
        if may(view.actor, Act.USER_ADMIN):
            duties += _of_security(view, figures)
        if may(view.actor, Act.SYSTEM_ADMIN):
            duties += _of_system(view, figures)
        if may(view.actor, Act.LOG_LOOK):
            duties += _of_audit(view, figures)
        return render(
            "admin/home.html",
            duties=duties,
            figures=figures,
            may_people=may(view.actor, Act.USER_ADMIN),
            may_system=may(view.actor, Act.SYSTEM_ADMIN),
            may_log=may(view.actor, Act.LOG_LOOK),
        )


def _of_security(view: View, figures: list[dict[str, Any]]) -> list[Duty]:
    counts = people_queries.account_counts(view)
    bare = counts.without_second
    figures += [
        {"label": _("Accounts in use"), "value": counts.active, "note": _("one person each")},
        {
            "label": _("Weighty roles without second factor"),
            "value": bare,
            "kind": "stop" if bare else "",
            "note": _("key holders, money room, administrators"),
        },
    ]
    waiting = [
        one
        for one in role_proposals.listed(view.session, waiting=True)
        if one.proposed_by != view.actor.account_id and one.account_id != view.actor.account_id
    ]
    names = parties.names_of(view.session, [one.account_id for one in waiting])
    found = [
        Duty(
            _(
                "Decide on a role proposed for %(name)s: %(role)s",
                name=names.get(one.account_id, "–"),
                role=role_words(one.role),
            )
            if one.deed == "grant"
            else _(
                "Decide on what is proposed for %(name)s: %(deed)s",
                name=names.get(one.account_id, "–"),
                deed=deed_words(one.deed, one.role),
            ),
            f"/admin/grants/{one.id}",
            None,
            formatting.moment_short(one.proposed_at, language(), zone(), now=view.now),
            one.reason,
            _("Proposed role"),
            "warn",
        )
        for one in waiting
    ]
    found += [
        Duty(
            _("Decide on a correction proposed for %(name)s", name=one.old_name),
            f"/admin/corrections/{one.id}",
            None,
            formatting.moment_short(one.proposed_at, language(), zone(), now=view.now),
            one.reason,
            _("Organisation"),
            "warn",
        )
        for one in corrections.waiting(view.session)
        if one.proposed_by != view.actor.account_id
    ]
    if office().restored is not None and office().restored.trouble is not None:
        found.insert(
            0,
            Duty(
                _("Confirm what was lost: this platform was restored from a backup"),
                "/admin/restored",
                None,
                _("at once"),
                _("nothing is signed until two have looked"),
                _("Restored"),
                "stop",
            ),
        )
    if not bare:
        return found
    return [
        *found,
        Duty(
            _("Ask %(n)s people with weighty roles to set up a second factor", n=bare),
            "/admin/people?second=no",
            None,
            _("at once"),
            _("a password alone must not open bids or pay refunds"),
            _("Second factor"),
            "warn",
        ),
    ]


def _of_system(view: View, figures: list[dict[str, Any]]) -> list[Duty]:
    today = local_day(view.now)
    calendar = calendars.current(view.session)
    known = today.year + 1 in calendar.years
    provisional = not known or calendar.is_provisional(date(today.year + 1, 6, 1))
    steps, letters = system_queries.overdue_steps(view), mail_queue.backlog(view.session, view.now)
    last = log.last_tick(view.session)
    figures += [
        {
            "label": _("Log"),
            "value": _("ticking") if last and view.now - last.at <= system.STILL else _("stands still"),
            "kind": "" if last and view.now - last.at <= system.STILL else "stop",
            "note": formatting.moment_short(last.at, language(), zone(), now=view.now) if last else _("no tick yet"),
        },
        {
            "label": _("Steps of the clock overdue"),
            "value": len(steps),
            "kind": "stop" if steps else "",
            "note": _("taken every second"),
        },
        {
            "label": _("Letters not delivered"),
            "value": letters.failed,
            "kind": "stop" if letters.failed else "",
            "note": _("in the last seven days"),
        },
        {
            "label": _("Working days of %(year)s", year=today.year + 1),
            "value": _("provisional") if provisional else _("announced"),
            "note": _("the yearly notice comes in November"),
        },
    ]
    found = []
    if provisional and today >= date(today.year, 11, 1):
        found.append(
            Duty(
                _("Load the working days of %(year)s", year=today.year + 1),
                "/admin/calendar",
                day_start(date(today.year + 1, 1, 1)),
                "",
                _("limits of next year are counted provisionally until then"),
                _("Calendar"),
                "warn",
            )
        )
    if steps:
        found.append(
            Duty(
                _("%(n)s steps of the clock are overdue", n=len(steps)),
                "/admin/health",
                None,
                _("at once"),
                _("does the scheduler run?"),
                _("Jobs"),
                "stop",
            )
        )
    if letters.failed:
        found.append(
            Duty(
                _("%(n)s letters of the last seven days could not be delivered", n=letters.failed),
                "/admin/mail",
                None,
                _("no fixed limit"),
                _("is the way of the mail open?"),
                _("Mail"),
                "warn",
            )
        )
    return found


def _of_audit(view: View, figures: list[dict[str, Any]]) -> list[Duty]:
    last = log.last_tick(view.session)
    figures += [
        {
            "label": _("Ticks in the log"),
            "value": formatting.count(log.size(view)),
            "note": _("one a minute, whatever happens"),
        },
        {
            "label": _("Last tick"),
            "value": formatting.hour(last.at, zone()) if last else "–",
            "note": formatting.day(local_day(last.at), language()) if last else _("no tick yet"),
        },
    ]
    if last is not None and view.now - last.at > system.STILL:
        return [
            Duty(
                _("The log stands still"),
                "/admin/log",
                None,
                _("at once"),
                _("no tick for more than two minutes"),
                _("Log"),
                "stop",
            )
        ]
    return []

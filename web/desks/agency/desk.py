"""The desk of purchaser and agency: what needs me now, and the way to every page of it."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_babel import gettext as _

from deposits import forfeits
from trading.kernel.access import Act, may
from trading.kernel.calendar import day_end, local_day
from trading.kernel.work import View
from trading.rulebook import calendars
from trading.views import agency_queries, agency_waiting, lot_cards
from trading.views.agency_waiting import Waiting
from web.desks.agency import (
    answers as agency_answers,
)
from web.desks.agency import (
    awards,
    checks,
    copy,
    documents,
    invitations,
    keys,
    papers,
    reopened,
    review,
    scheme,
)
from web.desks.agency import (
    forfeits as agency_forfeits,
)
from web.desks.agency import (
    lots as agency_lots,
)
from web.desks.agency import (
    projects as agency_projects,
)
from web.desks.agency.duties import duty_of
from web.desks.agency.room import SEE, agency, zone
from web.http.gate import actor, reading, render, request
from web.http.layout import Duty, Group, Link, Tick, sorted_duties, sun_line
from web.http.refusals import language

__all__ = [
    "agency_answers",
    "agency_forfeits",
    "agency_lots",
    "agency_projects",
    "awards",
    "checks",
    "copy",
    "desk",
    "documents",
    "invitations",
    "keys",
    "papers",
    "reopened",
    "review",
    "scheme",
]

desk = agency


def _to_keep(view: View) -> list[Duty]:
    """Deposits that two persons of the centre propose to keep: the purchaser decides."""
    if not may(view.actor, Act.AWARD_DECIDE):
        return []
    return [
        Duty(
            _("Decide whether the deposit is kept: %(name)s", name=one.demand.participant.party.name),
            f"/agency/forfeits/{one.ref}",
            day_end(one.hold.until),
            "",
            " · ".join((one.demand.lot.ref, _("rule %(rule)s: heard and checked", rule=one.ground))),
            _("Deposit"),
            "warn",
        )
        for one in forfeits.of_purchaser(view)
        if one.state == "CHECKED"
    ]


def _waiting(view: View) -> list[Waiting]:
    """What waits, asked once a request: for the page and for what stands beside it."""
    if "agency_waiting" not in g:
        g.agency_waiting = agency_waiting.waiting(view)
    found: list[Waiting] = g.agency_waiting
    return found


@agency.page("", needs=SEE)
def home() -> str:
    with reading() as view:
        found = _waiting(view)
        projects, lots = lot_cards.own_projects(view), lot_cards.own_lots(view)
        working = calendars.current(view.session).day_kind(local_day(view.now)).working
        ticks = [Tick(one.until, duty_of(one).label, due=True) for one in found if one.until]
        ticks += [
            Tick(lot.deadline, _("bids close"), due=True)
            for lot in lots
            if lot.deadline and lot.state in ("NOTICE", "BIDDING")
        ]
        day = sun_line(view.now, ticks, lang=language(), zone=zone(), working=working)
        duties = sorted_duties([*(duty_of(one) for one in found), *_to_keep(view)], view.now)
        duties.sort(
            key=lambda one: (one.until is None, one.until or view.now, one.tone != "warn")
        )  # without a limit: what came back first
        following = min((lot.deadline for lot in lots if lot.deadline and lot.deadline > view.now), default=None)
    waits = [card for card in projects if card.state == "FILED"]
    running = [lot for lot in lots if lot.state not in ("ARCHIVED", "TERMINATED", "CLOSING")]
    return render(
        "agency/home.html",
        day=day,
        duties=duties,
        waits=waits,
        lots=running,
        following=following,
        figures=_figures(duties, running, waits),
    )


def _figures(duties: list[Duty], lots: list[Any], waits: list[Any]) -> list[dict[str, Any]]:
    late = sum(one.urgency == "late" for one in duties)
    return [
        {"label": _("Overdue"), "value": late, "kind": "stop" if late else "", "note": _("a legal limit has passed")},
        {
            "label": _("Within 24 hours"),
            "value": sum(one.urgency == "soon" for one in duties),
            "note": _("limits of today and tomorrow"),
        },
        {
            "label": _("Open for bids"),
            "value": sum(lot.state in ("NOTICE", "BIDDING") for lot in lots),
            "note": _("lots announced or bidding"),
        },
        {"label": _("Waiting for the centre"), "value": len(waits), "note": _("filings not yet accepted")},
    ]


@agency.rail
def rail() -> list[Group]:
    path = request.path
    with reading() as view:
        if not may(view.actor, SEE):
            return []
        found = _waiting(view)
        kept = forfeits.to_decide(view) if may(view.actor, Act.AWARD_DECIDE) else 0
        by_invitation = agency_queries.invites(view, path)
    asked = [one for one in found if one.kind == "enquiry"]
    objected = [one for one in found if one.kind in ("objection", "challenge")]

    def due(rows: list[Waiting]) -> bool:
        return any(one.until is not None and local_day(one.until) <= local_day(view.now) for one in rows)

    own = [
        Link(_("My work"), "/agency", path == "/agency", len(found) or None, due(found)),
        Link(_("Projects"), "/agency/projects", path.startswith("/agency/projects")),
        Link(_("Lots"), "/agency/lots", path == "/agency/lots"),
    ]
    answers = [
        Link(
            _("Objections"),
            "/agency/objections",
            path.startswith("/agency/objections"),
            len(objected) or None,
            due(objected),
        )
    ]
    if may(actor(), Act.ENQUIRY_ANSWER):
        answers.insert(
            0, Link(_("Questions"), "/agency/questions", path == "/agency/questions", len(asked) or None, due(asked))
        )
    if may(actor(), Act.AWARD_DECIDE) and (path.startswith("/agency/forfeits") or kept):
        own.append(Link(_("Deposits kept"), "/agency/forfeits", path.startswith("/agency/forfeits"), kept or None))
    groups = [Group(_("Purchasing"), tuple(own)), Group(_("To answer"), tuple(answers))]
    parts = path.split("/")
    if len(parts) > 3 and parts[2] == "lots":
        groups.insert(1, _of_lot(parts[3], path, invites=by_invitation))
    return groups


def _of_lot(ref: str, path: str, *, invites: bool) -> Group:
    """The pages of the lot one is at, in the order of its road; ``invites``: whether only the invited may take part."""
    base = f"/agency/lots/{ref}"
    pages = [
        (_("Overview"), base),
        (_("Content"), base + "/edit"),
        (_("Timetable"), base + "/timetable"),
        (_("Documents"), base + "/documents"),
        *([(_("Who is invited"), base + "/invited")] if invites else []),
        (_("Criteria"), base + "/scheme"),
        (_("Key holders"), base + "/keys"),
        (_("Questions and corrections"), base + "/clarify"),
        (_("Award"), base + "/award"),
        (_("Contract"), base + "/contract"),
    ]
    return Group(
        _("This lot"),
        tuple(Link(label, href, path == href or (href != base and path.startswith(href))) for label, href in pages),
    )

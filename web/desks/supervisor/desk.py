"""The supervisor's desk (desks §7.4, 9.10): limits broken and near, objections, the health of the log, whole lots on one page. It reads and
changes nothing here (what it signs at an opening stands in hall.py); it never sees a bid early, nor scores before they are
revealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Response, current_app
from flask_babel import gettext as _

from deposits import demands
from deposits.refunds import refunds
from deposits.views import limits, queries
from trading.awarding import awards, contracts
from trading.files import attachments
from trading.kernel import log
from trading.kernel.access import Act, may
from trading.kernel.calendar import day_start, local_day
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.remedies import complaints, disputes
from trading.rulebook import calendars
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from trading.views import hall_queries, log_queries, lot_cards, oversight
from trading.views.agency_queries import ObjectionCard
from trading.views.oversight import SOON, Limit
from web import words
from web.desks.agency.room import lot_stages
from web.desks.public.result import early_report
from web.desks.supervisor import figures as figures_of
from web.desks.supervisor import papers as papers_home
from web.http import attached
from web.http.forms import Form
from web.http.gate import Desk, actor, go, reading, render, request
from web.http.layout import Duty, Group, Link, Tick, address, page_of, sun_line
from web.http.refusals import language
from web.papers import printing
from web.words import formatting

desk = Desk("supervisor", prefix="/supervisor")

SEE = Act.SUPERVISE
STILL = timedelta(minutes=2)
"""Older than this the last tick says that the log stands still."""
KINDS = (
    "enquiry",
    "objection",
    "challenge",
    "publicise",
    "decide",
    "announce",
    "contract",
    "publish_contract",
    "file_contract",
    "refund",
    "complaint_examine",
    "complaint_decide",
)
SHOWN = {
    "": ("late", "soon", "running"),
    "late": ("late",),
    "soon": ("soon",),
    "kept": ("kept", "kept_late"),
    "kept_late": ("kept_late",),
    "all": oversight.STATES,
}


def _zone() -> Any:
    return current_app.extensions["bidhall"].zone


def kind_words(kind: str) -> str:
    return {
        "enquiry": _("answer to a question"),
        "objection": _("answer to an objection"),
        "challenge": _("answer to a challenge"),
        "publicise": _("candidates published"),
        "decide": _("award decided"),
        "announce": _("result announced"),
        "contract": _("contract signed"),
        "publish_contract": _("contract published"),
        "file_contract": _("contract filed"),
        "refund": _("deposit paid back"),
        "complaint_examine": _("complaint taken up or not"),
        "complaint_decide": _("complaint decided"),
    }[kind]


def count_words(count: figures_of.Count) -> str:
    """A count of limits, only what there is of it."""
    told = [
        (count.kept, _("%(n)s kept", n=count.kept)),
        (count.running, _("%(n)s running", n=count.running)),
        (count.late, _("%(n)s late", n=count.late)),
    ]
    return _(", ").join(words for n, words in told if n) or _("none")


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {
        "kind_words": kind_words,
        "count_words": count_words,
        "money_of": Money,
        "limit_state": lambda one, now: words.state("limit_state", one.state(now), language()),
    }


# --- what is looked at ------------------------------------------------------------------------------------------------


def refund_limits(view: View, *, of: Lot | None = None, running: bool = False) -> list[Limit]:
    """Refunds of lots whose payers are public, as limits like any other."""
    return [
        Limit(
            "refund",
            one.ref,
            one.lot,
            f"{one.bidder} {formatting.money(one.principal, language())}",
            _("deposit cashier of the centre"),
            one.rule,
            one.until,
            one.met_at,
            one.reason,
        )
        for one in limits.refund_limits(view, of=of, running=running)
    ]


def complaint_limits(view: View, *, of: Lot | None = None, running: bool = False) -> list[Limit]:
    """The supervisory body's own limits: to take a complaint up or not, and to decide on it."""
    owner, found = _("the supervisory body"), []
    for one in complaints.all_of(view.session, of, running=running):
        steps = [("complaint_examine", "examine_by", one.examine_by, one.examined_at)]
        if one.decide_by is not None and one.state != "WITHDRAWN":
            steps.append(("complaint_decide", "decide_by", one.decide_by, one.decided_at))
        for kind, name, until, met in steps:
            if one.state == "WITHDRAWN" and met is None:
                continue
            reason = dict(one.reasons.get(name, {}))
            found.append(
                Limit(kind, one.ref, one.lot.ref, one.lot.title, owner, str(reason.get("rule", "")), until, met, reason)
            )
    return [one for one in found if one.met_at is None] if running else found


def all_limits(view: View, *, running: bool = False) -> list[Limit]:
    found = [
        *oversight.limits(view, running=running),
        *refund_limits(view, running=running),
        *complaint_limits(view, running=running),
    ]
    return sorted(found, key=lambda one: (one.until, one.lot, one.kind, one.of))


def limit_href(one: Limit) -> str:
    if one.kind.startswith("complaint_"):
        return f"/supervisor/complaints/{one.of}"
    if one.kind in ("objection", "challenge"):
        return f"/supervisor/objections/{one.of}"
    return f"/supervisor/dossier/{one.lot}"


def _duty(one: Limit, view: View) -> Duty:
    state = words.state("limit_state", one.state(view.now), language())
    urgency = {"late": "late", "soon": "soon"}.get(one.state(view.now), "")
    basis = " · ".join((one.lot, _("rule %(rule)s", rule=one.rule), _("responsible: %(who)s", who=one.owner)))
    return Duty(
        f"{kind_words(one.kind)}：{one.title}"
        if language() == "zh"
        else f"{kind_words(one.kind).capitalize()}: {one.title}",
        limit_href(one),
        one.until,
        "",
        basis,
        state.text,
        state.tone,
        urgency,
    )


@dataclass(frozen=True)
class LogHealth:
    """``ok``: the last tick is no older than two minutes. ``head``: root of the newest leaf, shortened."""

    ok: bool
    at: Any
    tick: int
    head: str


def log_health(view: View) -> LogHealth | None:
    last = log.last_tick(view.session)
    if last is None:
        return None
    line = log_queries.tick_lines(view, limit=1)[0]
    return LogHealth(view.now - last.at <= STILL, last.at, last.tick, line.root)


# --- home -------------------------------------------------------------------------------------------------------------


@desk.page("", needs=SEE)
def home() -> str:
    with reading() as view:
        found = all_limits(view)
        running = [one for one in found if one.met_at is None]
        late, soon = ([one for one in running if one.state(view.now) == state] for state in ("late", "soon"))
        waiting = [one for one in oversight.objections(view) if one.state in disputes.OPEN]
        answered_late = [
            one
            for one in found
            if one.kind in ("objection", "challenge", "enquiry") and one.state(view.now) == "kept_late"
        ]
        health = log_health(view)
        halls = hall_queries.opening_hours(view)
        today = local_day(view.now)
        ticks = [Tick(one.until, kind_words(one.kind), due=True) for one in running]
        ticks += [Tick(one.opens_at, _("opening")) for one in halls]
        day = sun_line(
            view.now,
            ticks,
            lang=language(),
            zone=_zone(),
            working=calendars.current(view.session).day_kind(today).working,
        )
        figures = [
            {
                "label": _("Limits broken"),
                "value": len(late),
                "kind": "stop" if late else "",
                "note": _by_kind(late),
                "href": "/supervisor/deadlines?show=late",
            },
            {
                "label": _("Due within 24 hours"),
                "value": len(soon),
                "note": _by_kind(soon),
                "href": "/supervisor/deadlines?show=soon",
            },
            {
                "label": _("Open objections and challenges"),
                "value": len(waiting),
                "note": _("%(n)s past their limit", n=sum(1 for one in waiting if one.due_at <= view.now)),
                "href": "/supervisor/objections",
            },
            {
                "label": _("Answers that came late"),
                "value": len(answered_late),
                "note": _("in all"),
                "href": "/supervisor/deadlines?show=kept_late",
            },
            {
                "label": _("Audit book"),
                "value": _("ticking") if health and health.ok else _("stands still"),
                "kind": "" if health and health.ok else "stop",
                "note": _("last tick %(at)s", at=_short(health.at, view)) if health else _("no tick yet"),
                "href": "/audit",
            },
        ]
        return render(
            "supervisor/home.html",
            day=day,
            figures=figures,
            duties=[_duty(one, view) for one in running[:12]],
            more=max(0, len(running) - 12),
            waiting=waiting,
            health=health,
            **_figures(found, view),
            today=today,
            halls=[
                one for one in halls if view.now - timedelta(hours=12) <= one.opens_at <= view.now + timedelta(days=3)
            ],
        )


def _short(moment: Any, view: View) -> str:
    return formatting.moment_short(moment, language(), _zone(), now=view.now)


def _by_kind(found: list[Limit]) -> str:
    counts = [(kind, sum(1 for one in found if one.kind == kind)) for kind in KINDS]
    return " · ".join(f"{kind_words(kind)} {n}" for kind, n in counts if n) or _("none")


def _figures(found: list[Limit], view: View) -> dict[str, Any]:
    """Twelve weeks of limits: a column a week, a bar a kind, and all together."""
    columns = figures_of.weeks(found, view.now)
    since = day_start(columns[0].monday)
    of_weeks = [one for one in found if since < one.until <= day_start(columns[-1].monday + timedelta(weeks=1))]
    return {
        "weeks": columns,
        "by_kind": figures_of.kinds(of_weeks, view.now, KINDS),
        "of_weeks": figures_of.count_of(of_weeks, view.now),
    }


# --- limits -----------------------------------------------------------------------------------------------------------


@desk.page("/deadlines", needs=SEE)
def deadlines() -> Any:
    form = Form.query()
    kind, week, chosen = (
        form.choice("kind", KINDS, needed=False),
        form.day("week", needed=False),
        request.args.get("show", ""),
    )
    chosen = chosen if chosen in SHOWN else ""
    with reading() as view:
        found = all_limits(view)
        if week:
            found = [one for one in found if figures_of.in_week(one, figures_of.monday_of(week))]
        rows = [one for one in found if one.state(view.now) in SHOWN[chosen] and (not kind or one.kind == kind)]
        if chosen in ("kept", "kept_late", "all"):
            rows.reverse()
        if request.args.get("format") == "csv":
            return papers_home.limits_csv(rows, view.now, kind_words)
        page = page_of(len(rows), request.args, "/supervisor/deadlines", csv=True)
        names = {
            "": _("Running"),
            "late": _("Broken"),
            "soon": _("Within 24 hours"),
            "kept": _("Done"),
            "kept_late": _("Done late"),
            "all": _("All"),
        }
        kept = {"kind": kind, "week": week.isoformat() if week else ""}
        tabs = [
            Link(
                names[key],
                address("/supervisor/deadlines", {"show": key, **kept}),
                key == chosen,
                sum(1 for one in found if one.state(view.now) in SHOWN[key]),
                key == "late",
            )
            for key in SHOWN
        ]
        return render(
            "supervisor/deadlines.html",
            rows=rows[page.offset : page.offset + page.size],
            page=page,
            tabs=tabs,
            form=form,
            kinds=[(one, kind_words(one)) for one in KINDS],
            href=limit_href,
            at=view.now,
            chosen=chosen,
            week=figures_of.monday_of(week) if week else None,
        )


# --- objections -------------------------------------------------------------------------------------------------------


@desk.page("/objections", needs=SEE)
def objections() -> str:
    with reading() as view:
        found, complained = oversight.objections(view), list(complaints.all_of(view.session))
        public = ceremony.public_among(view.session, (one.lot_id for one in complained))
        return render(
            "supervisor/objections.html",
            open_=[one for one in found if one.state in disputes.OPEN],
            done=[one for one in found if one.state not in disputes.OPEN],
            complaints=[(one, one.party.name if one.lot_id in public else "") for one in complained],
            at=view.now,
        )


@desk.page("/objections/<ref>", needs=SEE)
def objection(ref: str) -> str:
    with reading() as view:
        row = disputes.objection(view.session, ref)
        card = oversight.objection_card(view, row)
        filed, answered = (
            attached.rows(
                attachments.of_objection(view.session, row.id, role),
                f"/supervisor/objections/{ref}/attachments",
                named=bool(card.party) or role == "answer",
            )
            for role in ("objection", "answer")
        )
        return render(
            "supervisor/objection.html",
            card=card,
            filed=filed,
            answered=answered,
            at=view.now,
            is_open=card.state in disputes.OPEN,
        )


@desk.page("/objections/<ref>/attachments/<int:number>", needs=SEE)
def take_objection_file(ref: str, number: int) -> Response:
    with reading() as view:
        row = disputes.objection(view.session, ref)
        named = bool(oversight.objection_card(view, row).party)
        for role in ("objection", "answer"):
            found = attachments.of_objection(view.session, row.id, role)
            if any(one.id == number for one in found):
                return attached.hand_out(found, number, named=named or role == "answer")
    raise NotFound("document.unknown", id=number)


# --- a whole lot on one page ------------------------------------------------------------------------------------------


@desk.page("/dossier", needs=SEE)
def dossiers() -> Any:
    form = Form.query()
    asked = form.text("lot", needed=False, limit=40)
    with reading() as view:
        if asked:
            return go(f"/supervisor/dossier/{tenders.lot(view.session, asked).ref}")
        cards = lot_cards.published_lots(view, limit=200)
        page = page_of(len(cards), request.args, "/supervisor/dossier")
        return render(
            "supervisor/dossiers.html", cards=cards[page.offset : page.offset + page.size], page=page, form=form
        )


@dataclass(frozen=True)
class Dossier:
    """What a lot's page shows beside its card. ``bids`` and ``deposits`` are empty until the opening list is public, ``ranking`` until the
    report is in."""

    limits: list[Limit]
    questions: int
    objections: list[ObjectionCard]
    bids: list[ceremony.OpenedBid] = field(default_factory=list)
    listed: int | None = None
    opened_at: Any = None
    ranking: list[dict[str, Any]] = field(default_factory=list)
    award: Any = None
    contract: Any = None
    deposits: list[dict[str, Any]] = field(default_factory=list)


@desk.page("/dossier/<ref>", needs=SEE)
def dossier(ref: str) -> str:
    with reading() as view:
        lot = tenders.lot(view.session, ref)
        if lot.published_at is None:
            raise NotFound("lot.unknown", ref=ref)
        card = lot_cards.card_of(view, lot)
        return render(
            "supervisor/dossier.html",
            card=card,
            stages=lot_stages(card, view.now),
            notices=lot_cards.notice_cards(view, lot),
            officers=lot_cards.officer_cards(view, lot),
            policies=lot_cards.policy_cards(view, lot),
            files=lot_cards.document_cards(view, lot),
            entries=log_queries.entry_lines(view, lot=lot.ref, limit=200),
            found=_dossier(view, lot),
            at=view.now,
            href=limit_href,
            papers=papers_home.papers_of(view, lot),
            part_words=papers_home.part_words,
        )


@desk.page("/dossier/<ref>/report.pdf", needs=SEE)
def report_paper(ref: str) -> Response:
    """The panel's report as supervisors read it from the moment the purchaser has it. Refuses: NotFound ``result.no_scores``."""
    with reading() as view:
        paper = early_report(view, tenders.lot(view.session, ref))
    return printing.answer(paper, f"report-{ref}")


def _dossier(view: View, lot: Lot) -> Dossier:
    of_lot = sorted(
        [
            *oversight.limits(view, of=lot),
            *refund_limits(view, of=lot),
            *complaint_limits(view, of=lot),
        ],
        key=lambda one: (one.until, one.kind, one.of),
    )
    asked, said = oversight.published_questions(view, lot), oversight.objections(view, of=lot)
    if not ceremony.is_public(view.session, lot):
        return Dossier(of_lot, asked, said)
    row, award, contract = (
        ceremony.find(view.session, lot),
        awards.find(view.session, lot),
        contracts.find(view.session, lot),
    )
    return Dossier(
        of_lot,
        asked,
        said,
        ceremony.opened_bids(view.session, row) if row and row.opened_at else [],
        len(row.bids) if row else None,
        row.opened_at if row else None,
        list(award.ranking) if award else [],
        award,
        contract,
        _deposits(view, lot),
    )


def _deposits(view: View, lot: Lot) -> list[dict[str, Any]]:
    """What each bidder paid and what became of it, after the payers are public."""
    wrong: dict[str, list[str]] = {}
    for one in queries.payer_mismatches(view.session, lot):
        wrong.setdefault(one.bidder, []).append(words.state("deposit_exception", one.kind, language()).text)
    found = []
    for demand in demands.of_lot(view.session, lot):
        back = refunds.of_demand(view.session, demand.id)
        taking = demand.participant
        name = taking.party.name
        found.append(
            {
                "name": name,
                "asked": Money(demand.amount_minor),
                "secured": taking.secured_at,
                "wrong": wrong.get(name, []),
                "states": sorted({one.state for one in back}),
                "due_on": max((one.due_on for one in back), default=None),
            }
        )
    return sorted(found, key=lambda one: str(one["name"]))


@desk.rail
def rail() -> list[Group]:
    if not may(actor(), Act.SUPERVISE):
        return []
    path = request.path
    with reading() as view:
        running = all_limits(view, running=True)
        late = sum(1 for one in running if view.now >= one.until)
        soon = sum(1 for one in running if view.now < one.until <= view.now + SOON)
        waiting = oversight.open_objections(view)
    return [
        Group(
            _("Supervision"),
            (
                Link(_("My work"), "/supervisor", path == "/supervisor", late + soon or None, late > 0),
                Link(
                    _("Limits"),
                    "/supervisor/deadlines",
                    path.startswith("/supervisor/deadlines"),
                    late or None,
                    late > 0,
                ),
                Link(
                    _("Objections and challenges"),
                    "/supervisor/objections",
                    path.startswith(("/supervisor/objections", "/supervisor/complaints")),
                    waiting or None,
                ),
                Link(_("Lots"), "/supervisor/dossier", path.startswith("/supervisor/dossier")),
                Link(_("Openings"), "/supervisor/hall", path.startswith("/supervisor/hall")),
            ),
        ),
        Group(
            _("Evidence"),
            (
                Link(_("Opening hall"), "/hall"),
                Link(_("Audit book"), "/audit"),
                Link(_("My key"), "/account/keys"),
            ),
        ),
    ]

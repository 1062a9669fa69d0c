"""The clerk's desk at the centre (desks §7.1): filings accepted or returned once with every gap, and archives sealed. Nothing is approved
here, and nothing tells how many bid."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Response, current_app
from flask_babel import gettext as _
from flask_babel import pgettext

from evaluation.panels.panels import Panel
from evaluation.reporting import queries
from trading import draws
from trading.availability import deadline_faults
from trading.awarding import archives
from trading.files import attachments
from trading.kernel.access import Act, may
from trading.kernel.calendar import local_day
from trading.kernel.errors import Invalid
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.parties import registrations
from trading.procedures import procedure_of
from trading.rulebook import calendars
from trading.tendering import projects
from trading.tendering.projects import CHECKED, Gap
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.lot_cards import ProjectCard
from web import words
from web.desks.agency.projects import field_words
from web.desks.centre import archives as centre_archives
from web.desks.centre import registrations as centre_registrations
from web.http import attached
from web.http.forms import Form
from web.http.gate import Desk, reading, render, request
from web.http.layout import Duty, Group, Link, Tick, sorted_duties, sun_line
from web.http.refusals import language
from web.words import formatting
from web.words.regions import full_name

desk = Desk("centre", prefix="/centre")
centre_registrations.add_pages(desk)
centre_archives.add_pages(desk)

STATES = ("FILED", "RETURNED", "ACCEPTED")


def _zone() -> Any:
    return current_app.extensions["bidhall"].zone


def gap_words(gap: Gap) -> str:
    return words.words(gap.code, {"rule": gap.rule}, language(), _zone())


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {
        "gap_words": gap_words,
        "blank_form": Form.blank,
        "length": lambda value: formatting.length(value, language()),
    }


@desk.page("", needs=Act.PROJECT_ACCEPT)
def home() -> str:
    with reading() as view:
        waiting = lot_cards.filings(view)
        rooms = [lot for lot in lot_cards.lots_in(view, ("NOTICE", "BIDDING", "OPENING")) if lot.opens_at]
        today = [lot for lot in rooms if local_day(lot.opens_at) == local_day(view.now)]  # type: ignore[arg-type]
        closing = lot_cards.lots_in(view, archives.READY)
        judging = lot_cards.lots_in(view, ("OPENING", "QUAL_REVIEW", "EVALUATION"))
        working = calendars.current(view.session).day_kind(local_day(view.now)).working
        day = sun_line(
            view.now,
            [Tick(lot.opens_at, _("opening"), due=True) for lot in rooms if lot.opens_at],
            lang=language(),
            zone=_zone(),
            working=working,
        )
        duties = [_filing_duty(card, view) for card in waiting] + centre_registrations.duties(view)
        duties += [_panel_duty(lot, panel) for lot, panel in queries.unseated(view)]
        duties += [
            Duty(
                _("Draw of the invited, our step: %(title)s", title=one.lot.name),
                f"/hall/{one.lot.ref}/draw/{one.label}",
                basis=one.lot.ref,
                label=_("Draw"),
                tone="now",
            )
            for one in draws.awaiting_platform(view.session, "invited")
        ]
        duties += [
            Duty(
                _("Seal the archive: %(title)s", title=lot.name),
                f"/centre/archive/{lot.ref}",
                None,
                _("no fixed limit"),
                lot.ref,
                _("Archive"),
                "info",
            )
            for lot in closing
        ]
        coming = [lot for lot in rooms if lot.opens_at and view.now <= lot.opens_at <= view.now + timedelta(days=7)]
        figures = [
            {
                "label": _("Filings waiting"),
                "value": len(waiting),
                "note": _("longest: %(time)s", time=_elapsed(waiting[0], view)) if waiting else _("none"),
            },
            {"label": _("Openings today"), "value": len(today), "note": _("by the hour on the line above")},
            {"label": _("Under evaluation"), "value": len(judging), "note": _("rooms in use or to come")},
            {"label": _("Archives to seal"), "value": len(closing), "note": _("lots that are finished")},
        ]
        return render(
            "centre/home.html",
            day=day,
            duties=sorted_duties([one for one in duties if one.until], view.now)
            + [one for one in duties if not one.until],
            coming=coming,
            judging=judging,
            figures=figures,
        )


def _elapsed(card: ProjectCard, view: View) -> str:
    return formatting.length(view.now - card.filed_at, language()) if card.filed_at else ""


def _filing_duty(card: ProjectCard, view: View) -> Duty:
    tone, label = ("warn", _("%(n)s gaps", n=len(card.gaps))) if card.gaps else ("ok", _("complete"))
    basis = " · ".join((card.purchaser, _("rules A-01 to A-05: completeness only")))
    return Duty(
        _("Look through the filing: %(title)s", title=card.name),
        f"/centre/filings/{card.ref}",
        None,
        _("waiting %(time)s", time=_elapsed(card, view)),
        basis,
        label,
        tone,
    )


def _panel_duty(lot: Lot, panel: Panel | None) -> Duty:
    """The next step towards a panel that sits."""
    if panel is None:
        text = _("Ask for a panel: %(title)s", title=lot.name)
    elif panel.state == "CALLED":
        text = _("Bring the panel together: %(title)s", title=lot.name)
    else:
        text = _("Draw the experts and call them: %(title)s", title=lot.name)
    until = panel.starts_at if panel else None
    return Duty(
        text, f"/centre/panels/{lot.ref}", until, _("no fixed limit"), lot.ref, pgettext("evaluation", "Panel"), "now"
    )


# --- filings --------------------------------------------------------------------------------------------------------------------------


@desk.page("/filings", needs=Act.PROJECT_ACCEPT)
def filings() -> str:
    asked = request.args.get("state", "FILED")
    chosen = asked if asked in STATES else "FILED"
    with reading() as view:
        held = {state: lot_cards.filings(view, state) for state in STATES}
        cards = held[chosen] if chosen == "FILED" else held[chosen][::-1]
        return render(
            "centre/filings.html",
            cards=cards,
            counts={state: len(rows) for state, rows in held.items()},
            chosen=chosen,
            at=view.now,
        )


def _shown(card: ProjectCard, field: str) -> Any:
    value = getattr(card, field)
    if field == "budget":
        return formatting.money(value, language()) if value.is_positive else ""
    if field == "region" and value:
        return full_name(value)
    if field == "ground" and value:
        return words.state("method_ground", value, language()).text
    return formatting.day(value, language()) if isinstance(value, date) else value or ""


@desk.page("/filings/<ref>", needs=Act.PROJECT_ACCEPT)
def filing(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = lot_cards.project_card(view, ref)
        missing = {gap.field: gap for gap in card.gaps}
        asked = {gap.field for gap in card.asked}
        fields = [field for field in CHECKED if field in asked]
        rows = [(field, field_words(field), _shown(card, field), missing.get(field)) for field in fields]
        files = attached.rows(
            attachments.of_project(view.session, projects.project(view.session, ref).id),
            f"/centre/filings/{ref}/attachments",
        )
        since = view.now - card.filed_at if card.filed_at and card.state == "FILED" else None
        return render(
            "centre/filing.html",
            card=card,
            rows=rows,
            files=files,
            since=since,
            form=form or Form.blank(version=card.version),
            default_code=procedure_of(card).intake.transaction_category,
        )


@desk.page("/filings/<ref>/attachments/<int:number>", needs=Act.PROJECT_ACCEPT)
def take_attachment(ref: str, number: int) -> Response:
    with reading() as view:
        lot_cards.project_card(view, ref)  # only what was filed
        return attached.hand_out(attachments.of_project(view.session, projects.project(view.session, ref).id), number)


@desk.act("/filings/<ref>/acts/accept", needs=Act.PROJECT_ACCEPT, back=filing)
def do_accept(unit: UnitOfWork, form: Form, ref: str) -> str:
    code = form.text("category_code", needed=False, limit=3).upper()
    form.refuse_if_any()
    project = projects.project(unit.session, ref)
    check_version(project, form.version)
    try:
        projects.accept(unit, project, category_code=code)
    except Invalid as refusal:
        if refusal.code.startswith("utc."):
            raise Invalid(refusal.code, where="category_code", **refusal.facts) from refusal
        raise
    return f"/centre/filings/{ref}"


@desk.act("/filings/<ref>/acts/return", needs=Act.PROJECT_ACCEPT, back=filing)
def do_return(unit: UnitOfWork, form: Form, ref: str) -> str:
    notes = [
        Gap(field, "project.gap_note", "A-05", note)
        for field in CHECKED
        if (note := form.text(f"note.{field}", needed=False, limit=500, lines=True))
    ]
    form.refuse_if_any()
    project = projects.project(unit.session, ref)
    check_version(project, form.version)
    projects.return_with_gaps(unit, project, notes=notes)
    return f"/centre/filings/{ref}"


@desk.page("/filings/<ref>/slip", needs=Act.PROJECT_ACCEPT)
def slip(ref: str) -> str:
    """The acceptance slip, or the single notice of all gaps: a paper to print."""
    with reading() as view:
        return render("centre/slip.html", card=lot_cards.project_card(view, ref))


@desk.rail
def rail() -> list[Group]:
    path = request.path
    with reading() as view:
        if not may(view.actor, Act.PROJECT_ACCEPT):
            return []
        waiting, closing = len(lot_cards.filings(view)), len(lot_cards.lots_in(view, archives.READY))
        suspended = sum(
            1 for lot in deadline_faults.watched(view.session, view.now) if deadline_faults.standing(view.session, lot)
        )
        firms = len(registrations.listed(view, registrations.SENT))
    return [
        Group(
            _("Centre"),
            (
                Link(_("My work"), "/centre", path == "/centre"),
                Link(_("Filings"), "/centre/filings", path.startswith("/centre/filings"), waiting or None),
                Link(
                    _("Registrations"),
                    centre_registrations.PLACE,
                    path.startswith(centre_registrations.PLACE),
                    firms or None,
                ),
                Link(_("Archives"), "/centre/archive", path.startswith("/centre/archive"), closing or None),
                Link(
                    _("Faults and extensions"),
                    "/centre/faults",
                    path.startswith("/centre/faults"),
                    suspended or None,
                    bool(suspended),
                ),
                Link(_("Experts and panels"), "/centre/panels", path.startswith("/centre/panels")),
            ),
        )
    ]

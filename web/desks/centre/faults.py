"""Faults before a deadline (promises, section C): what the probes found of each deadline that is near, the drafted notice, and the hands it
needs: the centre or the host confirms, the supervisory body decides what no policy can move any more. Nothing here tells of bids.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from trading.availability import deadline_faults
from trading.availability.deadline_faults import Assessment, DeadlineFault
from trading.availability.verdict import MINUTE
from trading.kernel.access import Act, may
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from web.desks.centre import desk as centre
from web.http.forms import Form
from web.http.gate import Desk, actor, reading, render, request
from web.http.layout import Group, Link
from web.http.refusals import language
from web.words import formatting

desk = Desk("centre_faults", prefix="/centre/faults")
BOTH = (Act.FAULT_CONFIRM, Act.FAULT_DECIDE)


def _lot(view: View, ref: str) -> Lot:
    """A published lot. Refuses: NotFound."""
    lot = tenders.lot(view.session, ref)
    if lot.published_at is None or lot.deadline is None:
        raise NotFound("lot.unknown", ref=ref)
    return lot


def _found(view: View, lot: Lot) -> Assessment | None:
    """The assessment, or None where it would fall into a year without a calendar."""
    try:
        return deadline_faults.assess(view.session, lot, view.now)
    except Invalid:
        return None


@desk.page("", needs=BOTH)
def faults() -> str:
    """Every deadline the probes watch now."""
    with reading() as view:
        lots = deadline_faults.watched(view.session, view.now)
        rows = [(lot, _found(view, lot), deadline_faults.standing(view.session, lot)) for lot in lots]
        return render("centre/faults.html", rows=rows)


@desk.page("/<ref>", needs=BOTH)
def fault(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = _lot(view, ref)
        over = lot.deadline is not None and view.now >= lot.deadline
        found, standing = _found(view, lot), deadline_faults.standing(view.session, lot)
        may_confirm = (
            may(view.actor, Act.FAULT_CONFIRM)
            and found is not None
            and found.verdict.until is not None
            and (standing is None or found.verdict.bad_minutes > standing.bad_minutes)
            and lot.closed_at is None
        )
        return render(
            "centre/fault.html",
            form=form or Form.blank(version=lot.version),
            lot=lot,
            found=found,
            standing=standing,
            earlier=[one for one in deadline_faults.of_lot(view.session, lot) if one.state != "SUSPENDED"],
            may_confirm=may_confirm,
            may_decide=may(view.actor, Act.FAULT_DECIDE) and standing is not None,
            draft=_draft(lot, found, view) if may_confirm else "",
            over=over,
            spans=_spans(found),
        )


def _draft(lot: Lot, found: Assessment | None, view: View) -> str:
    """The notice as it would go out; its evidence gets its name when it is confirmed."""
    if found is None or found.verdict.until is None or lot.deadline is None:
        return ""
    fault = DeadlineFault(
        kind=found.verdict.kind,
        before=found.deadline,
        until=found.verdict.until,
        bad_minutes=found.verdict.bad_minutes,
        evidence="…",
        confirmed_at=view.now,
        reason="",
    )
    return deadline_faults.notice_text(fault, "held" if view.now < lot.deadline else "stopped")


def _spans(found: Assessment | None) -> list[str]:
    """The bad minutes as stretches of local time: ``09:25–09:28 (3)``."""
    if found is None:
        return []
    zone = current_app.extensions["bidhall"].zone
    spans: list[list[datetime]] = []
    for minute in found.verdict.bad:
        if spans and spans[-1][1] == minute:
            spans[-1][1] += MINUTE
        else:
            spans.append([minute, minute + MINUTE])
    return [f"{formatting.hour(a, zone)[:5]}–{formatting.hour(b, zone)[:5]}" for a, b in spans]


@desk.act("/<ref>/acts/confirm", needs=Act.FAULT_CONFIRM, back=fault)
def do_confirm(unit: UnitOfWork, _form: Form, ref: str) -> str:
    deadline_faults.confirm(unit, _lot(unit, ref))
    return f"/centre/faults/{ref}"


@desk.act("/<ref>/acts/decide", needs=Act.FAULT_DECIDE, back=fault)
def do_decide(unit: UnitOfWork, form: Form, ref: str) -> str:
    choice, reason = form.choice("decision", ("lift", "end")), form.text("reason", limit=1000, lines=True)
    form.refuse_if_any()
    act = deadline_faults.lift if choice == "lift" else deadline_faults.end
    act(unit, _lot(unit, ref), reason=reason)
    return f"/centre/faults/{ref}"


@desk.rail
def rail() -> list[Group]:
    who, path = actor(), request.path
    if not any(may(who, act) for act in BOTH):
        return []
    if may(who, Act.PROJECT_ACCEPT):
        return centre.desk.groups()  # the clerk stays on the clerk's desk
    with reading() as view:
        held = sum(
            1 for lot in deadline_faults.watched(view.session, view.now) if deadline_faults.standing(view.session, lot)
        )
    home = "/supervisor" if may(who, Act.SUPERVISE) else "/hall/desk"
    return [
        Group(
            _("Deadlines"),
            (
                Link(_("My work"), home),
                Link(
                    _("Faults and extensions"),
                    "/centre/faults",
                    path.startswith("/centre/faults"),
                    held or None,
                    held > 0,
                ),
                Link(_("Platform status"), "/status"),
            ),
        )
    ]


def words_of_windows(found: Assessment) -> list[tuple[str, str]]:
    """The windows as lines of a description list."""
    return [
        (
            _("Last %(n)s minutes before the deadline", n=minutes),
            _("%(bad)s bad; a fault from %(least)s on", bad=bad, least=least),
        )
        for minutes, bad, least in found.verdict.windows
    ]


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"windows_of": words_of_windows, "lang": language()}

"""The page of a site's rehearsal: what it is, who does what in which order, the sample files, and the clock that is moved by a button.

GET  /rehearsal                 for everybody in the room; no password stands there
GET  /rehearsal/files/<path>    a sample file
POST /rehearsal/acts/move       ``to``: next, day, or moment with ``at``; administrators and the centre's clerk

On any other platform none of these is a page: what decides is the first record of the log.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, send_file

from crypto import rehearsals
from trading.kernel import log, rehearsal
from trading.kernel.access import Act, may
from trading.kernel.errors import Invalid, NotFound
from trading.kernel.work import UnitOfWork
from trading.parties import parties
from trading.views import rehearsal_queries
from web import words
from web.desks.public.words import lang
from web.http.forms import Form
from web.http.gate import Desk, actor, go, office, reading, render, safe_next, saved_as, work
from web.http.page_rules import ANYONE, ByHand
from web.rehearsal.site import samples
from web.rehearsal.site.course import TURNS

desk = Desk("rehearsal")
PAGE = "/rehearsal"
WAYS = ("next", "day", "moment")


@desk.page(PAGE, needs=ANYONE)
def page(form: Form | None = None) -> str:
    """The rehearsal as a whole: its course, its files, its clock, the checkpoint that says how it ended."""
    speech = lang()
    with reading() as view:
        rehearsal.require(view)
        last = log.last_tick(view.session)
        next_one = rehearsal_queries.next_moment(view)
        people = parties.by_role(view.session)
    return render(
        "rehearsal.html",
        site=rehearsals.site_of(office().platform),
        turns=[
            {
                "text": one.zh if speech == "zh" else one.en,
                "roles": [words.state("role", role.value, speech).text for role in one.roles],
                "people": [name for role in one.roles for name in people.get(role, ())],
                "path": one.path,
            }
            for one in TURNS
        ],
        files=samples.names(_folder()),
        next_one=next_one,
        may_move=may(actor(), Act.CLOCK_MOVE),
        checkpoint=last.checkpoint if last else "",
        form=form or Form.blank(),
    )


@desk.page("/rehearsal/files/<path:name>", needs=ANYONE)
def sample(name: str) -> Response:
    """One of the sample files, to be saved."""
    with reading() as view:
        rehearsal.require(view)
    if name not in samples.names(_folder()):
        raise NotFound("page.not_found")
    return saved_as(send_file(_folder() / name, max_age=0), name.replace("/", "-"))


@desk.page("/rehearsal/acts/move", needs=Act.CLOCK_MOVE, post=ByHand.OUTSIDE, back=page)
def do_move() -> Any:
    """Fields: ``to``, ``at``, ``next`` (the page to come back to). The record is signed first; then the clock follows, in all processes."""
    form = Form.read()
    where = safe_next(str(form.typed.get("next", "")), PAGE)
    with work() as unit:
        clock = rehearsal.require(unit)
        to = form.choice("to", WAYS)
        at = form.moment("at") if to == "moment" else None
        form.refuse_if_any()
        unit.once(form.form_id, where)
        before = rehearsal_queries.not_past(unit)
        moment = at if at is not None else _moment(unit, to)
        ahead = rehearsal.move(unit, moment if at or before is None else min(moment, before), before=before)
        parties.shift_logins(unit, ahead - clock.ahead())
    clock.set_ahead(ahead)
    return go(where)


def _moment(unit: UnitOfWork, to: str) -> Any:
    """Refuses: Invalid ``rehearsal.nothing_due``."""
    if to == "day":
        return rehearsal_queries.next_working_day(unit)
    found = rehearsal_queries.next_moment(unit)
    if found is None:
        raise Invalid("rehearsal.nothing_due")
    return found.at


def _folder() -> Any:
    return current_app.extensions["bidhall"].settings.data / samples.FOLDER

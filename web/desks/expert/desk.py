"""The expert's desk `/expert` (desks §7.6, §9.5): invitations, the room, scores committed before anybody sees another's, the report.

What is signed is signed by the member's own key, in the page or by the command line, and comes in as a field of JSON text (or as the file
``<field>_file``). Every act is ``POST`` with ``form_id`` and the CSRF token of any page and answers with a redirect.

    GET  /expert/<ref>/data                    tender, lot, expert, seat, chair, state, round, next_step, at, scheme, rules, bids (names in
                                               the order of sheets), items (criteria in order), reason_needed, commit, listing, list_sealed,
                                               commit_receipts, report {hash, document}, trust, seats by number
    POST /expert/calls/<panel_id>/acts/answer  answer (yes, no), no_conflict (ticked with yes), reason
    POST /expert/calls/<panel_id>/acts/recuse  reason
    POST /expert/<ref>/acts/vote               no: the place that shall lead
    POST /expert/<ref>/acts/recuse             reason
    POST /expert/<ref>/acts/conformity         chair: bid (id), votes_for, clause, reason; arithmetic and adjustment in yuan where the
                                               evaluation method has prices reviewed
    POST /expert/<ref>/acts/fail               chair: reason (too few conforming bids)
    POST /expert/<ref>/acts/competition        chair: votes_for, reason (few bids are left: on, or all rejected)
    POST /expert/<ref>/acts/commit             commit: DSSE ``sheet-commit``
    POST /expert/<ref>/acts/list               nothing; once all have committed and a tick has sealed it
    POST /expert/<ref>/acts/sign-list          listing: DSSE ``commit-list`` with the member's signature added
    POST /expert/<ref>/acts/reveal             sheet: DSSE ``sheet``; salt: base64url (a fresh sign-in)
    POST /expert/<ref>/acts/recheck            chair: ground, reason, version
    POST /expert/<ref>/acts/fix-technical      chair: nothing; of two envelopes, once every sheet is revealed
    POST /expert/<ref>/acts/price              chair: bid (id of the price envelope), votes_for, clause, reason, arithmetic, adjustment
    POST /expert/<ref>/acts/fail-prices        chair: reason (too few prices that stand)
    POST /expert/<ref>/acts/draw-up            chair: tie_break (codes of bidders still equal, best first; repeated or apart by blanks)
    POST /expert/<ref>/acts/sign-report        signature: DSSE ``report-signature``, its ``dissent`` empty or the reasons (a fresh sign-in)
    POST /expert/<ref>/acts/conclude           chair: note.<place> for each member who neither signed nor dissented
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from evaluation.panels import panels
from evaluation.reporting import queries
from evaluation.reporting.queries import CallCard
from trading.kernel.access import Act
from trading.kernel.calendar import local_day
from trading.kernel.work import UnitOfWork, View
from trading.parties import enrolments, parties
from trading.rulebook import calendars
from web.desks.expert import prices, report, seat, sheets, view
from web.desks.expert.room import crumbs_of, expert, own_to_do, room_card, step_href, zone
from web.http.forms import Form
from web.http.gate import go, reading, render
from web.http.layout import Duty, Tick, sorted_duties, sun_line
from web.http.refusals import language
from web.words import state

desk = expert
PARTS = (seat, sheets, prices, report, view)


@expert.page("", needs=Act.SEAT_ANSWER)
def home() -> str:
    with reading() as view:
        calls = queries.own_calls(view)
        rooms = [room_card(view, ref) for ref in queries.own_rooms(view)]
        account = parties.account(view.session, view.actor.account_id or 0)
        keyless = enrolments.find_key(view.session, enrolments.holder_of(account, "expert"), "expert") is None
        duties = [_call_duty(one) for one in calls if one.state == "called"]
        duties += [
            Duty(
                _("%(step)s: %(lot)s", step=state("room_step", one.next_step, language()).text, lot=one.title),
                step_href(one),
                when=_("now"),
                basis=_("seat %(no)s · %(lot)s", no=one.seat.no, lot=one.lot),
                label=_("my step"),
                tone="now",
            )
            for one in rooms
            if own_to_do(one)
        ]
        if keyless:
            duties.append(
                Duty(
                    _("Enrol a signing key"),
                    "/account/keys",
                    when=_("before the panel sits"),
                    basis=_("Sheets, lists and the report are signed with it."),
                    label=_("key"),
                    tone="warn",
                )
            )
        day = sun_line(
            view.now,
            [Tick(one.starts_at, _("review")) for one in calls],
            lang=language(),
            zone=zone(),
            working=calendars.current(view.session).day_kind(local_day(view.now)).working,
        )
        return render(
            "expert/home.html",
            day=day,
            duties=sorted_duties(duties, view.now),
            calls=calls,
            rooms=rooms,
            keyless=keyless,
        )


def _call_duty(call: CallCard) -> Duty:
    return Duty(
        _("Answer an invitation"),
        f"/expert/calls/{call.panel_id}",
        call.starts_at,
        basis=call.place,
        label=_("invited"),
        tone="now",
    )


# --- invitations ------------------------------------------------------------------------------------------------------------------


def _own_call(view: View, panel_id: int) -> CallCard | None:
    """The call to a panel, None once the panel sits. Refuses: NotFound."""
    queries.own_panel(view, panel_id)
    return next((one for one in queries.own_calls(view) if one.panel_id == panel_id), None)


@expert.page("/calls/<int:panel_id>", needs=Act.SEAT_ANSWER)
def call(panel_id: int, form: Form | None = None) -> Any:
    with reading() as view:
        card = _own_call(view, panel_id)
        ref = "" if card else queries.own_panel(view, panel_id).lot.ref
    if card is None:
        return go(f"/expert/{ref}")
    return render("expert/call.html", form=form or Form.blank(), call=card, crumbs=crumbs_of((_("Invitation"), "")))


@expert.act("/calls/<int:panel_id>/acts/answer", needs=Act.SEAT_ANSWER, back=call)
def do_answer(unit: UnitOfWork, form: Form, panel_id: int) -> str:
    answer = form.choice("answer", ("yes", "no"))
    declared, reason = (
        form.ticked("no_conflict", needed=answer == "yes"),
        form.text("reason", needed=False, limit=1000, lines=True),
    )
    form.refuse_if_any()
    panels.answer(unit, queries.own_panel(unit, panel_id), accept=answer == "yes", no_conflict=declared, reason=reason)
    return f"/expert/calls/{panel_id}" if answer == "yes" else "/expert"


@expert.act("/calls/<int:panel_id>/acts/recuse", needs=Act.SEAT_ANSWER, back=call)
def do_recuse_call(unit: UnitOfWork, form: Form, panel_id: int) -> str:
    reason = form.text("reason", limit=1000, lines=True)
    form.refuse_if_any()
    panels.recuse(unit, queries.own_panel(unit, panel_id), reason=reason)
    return "/expert"

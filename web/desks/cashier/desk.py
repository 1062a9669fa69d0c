"""The desk of deposit cashier (prepares) and controller (checks): what needs me now, and the way to every page of it.

Acts, their pages and fields (every form also carries csrf_token and form_id):

    /cashier/import            POST /cashier/acts/import            file ``statement`` (CSV)
                               POST /cashier/acts/fetch             nothing more: straight from the bank
                               POST /cashier/acts/rehearse          ``what``: in a rehearsal the simulated bank books something
    /cashier/refunds           POST /cashier/acts/due               nothing more: find what has fallen due
                               POST /cashier/acts/prepare           ``refs`` (one or more), ``value_on`` (day, may be empty: today)
    /cashier/batches/<ref>     POST /cashier/batches/<ref>/acts/pay, …/acts/take-back     nothing more
    /cashier/batches/<ref>/approve
                               POST /cashier/batches/<ref>/acts/approve    ``approval``: DSSE ``approval`` over what …/approval.json gives
                               POST /cashier/batches/<ref>/acts/send-back                ``reason``
    /cashier/refunds/<ref>     POST /cashier/refunds/<ref>/acts/convert ``rate`` (percent of the contract price), …/acts/hold ``basis``,
                               ``owner``, ``until``; …/acts/lift ``hold``, ``why``; …/acts/payee (approve the new account)
                               …/acts/decline-payee ``declined_why``; in a rehearsal …/acts/rehearse-return
    /cashier/exceptions        POST /cashier/acts/explain ``receipt``, ``account``, ``note``; /cashier/acts/charge ``line``, ``note``
    /cashier/reconcile         POST /cashier/acts/reconcile         ``note`` (needed to close an open case)
    /cashier/forfeits          POST /cashier/acts/forfeit ``account`` (sub-account), ``ground``, ``evidence``, ``hold_until``
    /cashier/forfeits/<ref>    POST /cashier/forfeits/<ref>/acts/hear   ``hearing``; …/acts/check; …/acts/drop ``why``
"""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from deposits.refunds import signed_approvals
from deposits.views import books as deposit_books
from deposits.views import queries
from deposits.views.queries import HomeCard
from trading.kernel.access import Act, may
from trading.kernel.calendar import day_end, local_day
from trading.kernel.work import View
from trading.rulebook import calendars
from web.desks.cashier import batches as cashier_batches
from web.desks.cashier import books, forfeits, refunds, rehearsal
from web.desks.cashier.figures import figures
from web.desks.cashier.room import SEE, cashier, zone
from web.http.gate import reading, render
from web.http.layout import Duty, Tick, sorted_duties, sun_line
from web.http.refusals import language
from web.words import formatting

__all__ = ["books", "cashier_batches", "desk", "forfeits", "refunds", "rehearsal"]

desk = cashier


@cashier.page("", needs=SEE)
def home() -> str:
    with reading() as view:
        card, waiting = queries.home(view), queries.queue(view)
        batches = [one for one in queries.batches(view) if one.closed_at is None and one.sent_at is None]
        pool = deposit_books.pool_card(view)
        today = local_day(view.now)
        working = calendars.current(view.session).day_kind(today).working
        last = day_end(today)
        ticks = [Tick(last, _("last moment for what is due today"), due=True)] if card.today else []
        day = sun_line(view.now, ticks, lang=language(), zone=zone(), working=working)
        duties = [*_first(card), *sorted_duties(_duties(view, card, waiting, batches), view.now)]
        return render(
            "cashier/home.html",
            day=day,
            card=card,
            duties=duties,
            figures=figures(card, waiting),
            batches=batches,
            pool=pool,
            today=today,
        )


def _first(card: HomeCard) -> list[Duty]:
    """What stops everything else."""
    if not card.case_open:
        return []
    return [
        Duty(
            _("Explain the difference between books and bank"),
            "/cashier/reconcile",
            None,
            _("at once"),
            _("while a case is open nothing is prepared, approved or paid"),
            _("On hold"),
            "stop",
            "late",
        )
    ]


def _duties(
    view: View, card: HomeCard, waiting: list[queries.RefundCard], batches: list[queries.BatchCard]
) -> list[Duty]:
    found: list[Duty] = []
    if may(view.actor, Act.REFUND_PREPARE):
        found += _to_prepare(waiting)
        if card.send_along:
            found.append(
                Duty(
                    _("Prepare a batch for sealed lots"),
                    "/cashier/refunds#along",
                    day_end(local_day(view.now)),
                    "",
                    _("every day, whether anything of them is due or not"),
                    _("Daily"),
                    "now",
                )
            )
        found += [
            Duty(
                ngettext(
                    "Pay the approved batch of %(num)s refund",
                    "Pay the approved batch of %(num)s refunds",
                    len(one.rows),
                ),
                f"/cashier/batches/{one.ref}",
                day_end(one.value_on),
                "",
                _("after its value day it must be reckoned anew"),
                _("Approved"),
                "ok",
            )
            for one in batches
            if one.approved_at is not None
        ]
    else:
        if not signed_approvals.has_key(view):
            found.append(
                Duty(
                    _("Make your key"),
                    "/account/keys",
                    None,
                    _("before the next approval"),
                    _("approvals are signed with it; it stays on your computer"),
                    _("Key"),
                    "warn",
                )
            )
        found += [
            Duty(
                ngettext("Check the batch of %(num)s refund", "Check the batch of %(num)s refunds", len(one.rows)),
                f"/cashier/batches/{one.ref}",
                day_end(one.value_on),
                "",
                _("digest %(digest)s", digest=formatting.digest(one.digest, 2)),
                _("To check"),
                "now",
            )
            for one in batches
            if one.approved_at is None
        ]
        found += [
            Duty(
                _("Approve another account for a returned refund"),
                f"/cashier/refunds/{one.ref}",
                None,
                _("no fixed limit"),
                _("two controllers, after the bank's proof"),
                _("Returned"),
                "warn",
            )
            for one in waiting
            if one.state == "RETURNED_BY_BANK" and queries.payee_change(view, one.ref) is not None
        ]
    if card.exceptions:
        found.append(
            Duty(
                ngettext("Settle %(num)s exception", "Settle %(num)s exceptions", card.exceptions),
                "/cashier/exceptions",
                None,
                _("no fixed limit"),
                _("each has one next step"),
                _("Exceptions"),
                "warn",
            )
        )
    return found


def _to_prepare(waiting: list[queries.RefundCard]) -> list[Duty]:
    """One duty for each due day that has refunds to prepare."""
    by_day: dict[object, list[queries.RefundCard]] = {}
    for one in waiting:
        if "prepare" in one.may:
            by_day.setdefault(one.due_on, []).append(one)
    return [
        Duty(
            ngettext("Prepare %(num)s refund", "Prepare %(num)s refunds", len(rows)),
            "/cashier/refunds?show=prepare",
            day_end(rows[0].due_on),
            "",
            _("rules D-20 to D-29: counted from the event and the calendar"),
            _("To prepare"),
            "now",
        )
        for rows in by_day.values()
    ]

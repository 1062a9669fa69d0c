"""The money room (desks §7.3): the desk object, the bank, and what its modules share. `desk.py` puts the modules together.

Who paid for a sealed lot is nowhere here: the cards of ``deposits.views.queries`` hold nothing of it, and no page asks the tables past
them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import pgettext

from deposits.bank.protocol import Bank
from deposits.views import queries
from deposits.views.queries import RefundCard
from trading.kernel.access import Act, Role
from trading.kernel.errors import NotReady
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.parties import parties
from web import wiring, words
from web.http.forms import Form
from web.http.gate import Desk, actor, office, reading, request
from web.http.layout import Group, Link
from web.http.refusals import language
from web.words import formatting

cashier = Desk("cashier", prefix="/cashier")

SEE = Act.DEPOSIT_LOOK
"""Both cashier and controller hold it."""


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def own_bank() -> Bank | None:
    """The bank this platform is connected with."""
    return wiring.open_bank(current_app.extensions["bidhall"].settings, office().clock)


def bank() -> Bank:
    """Refuses: NotReady ``bank.none``."""
    found = own_bank()
    if found is None:
        raise NotReady("bank.none")
    return found


def is_controller() -> bool:
    return actor().role is Role.CONTROLLER


def name_of(view: View, account_id: int | None) -> str:
    """A colleague's name; "" for nobody."""
    return parties.account(view.session, account_id).name if account_id is not None else ""


def names_of(view: View, cards: Iterable[RefundCard]) -> dict[int, str]:
    """The names of those who prepared and approved."""
    return parties.names_of(view.session, [one for card in cards for one in (card.prepared_by, card.approved_by)])


def payees_of(view: View, cards: Iterable[RefundCard]) -> dict[str, str]:
    """The name a refund goes to, where it is not the bidder's own: somebody else paid, and gets it back (rule D-05)."""
    return queries.other_payees(view, cards)


def crumbs_of(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Money room"), "/cashier"), *links]


def total(values: Iterable[Money | None]) -> Money:
    return Money.total(value for value in values if value is not None)


def counted(card: RefundCard) -> str:
    """How the due day was reached: event, its day, the length, the roll."""
    if card.event_on is None:
        return ""
    reason = card.due_reason or {}
    event = words.state("refund_event", card.event, language()).text
    if reason.get("promptly"):
        return _("%(event)s %(day)s, at once", event=event, day=_short(card.event_on))
    length = {"WD": _("+%(n)s working days"), "D": _("+%(n)s days")}[reason["unit"]] % {"n": reason["length"]}
    text = f"{event} {_short(card.event_on)}, {length}"
    if reason.get("rolled_from"):
        text += " " + _(
            "(%(day)s is no working day, moved on)", day=_short(dt.date.fromisoformat(reason["rolled_from"]))
        )
    if reason.get("provisional"):
        text += " · " + _("provisional calendar")
    return text


def _short(day: dt.date) -> str:
    return f"{day.month}-{day.day:02}"


def due_words(card: RefundCard, today: dt.date) -> str:
    """The second line under the due day."""
    if card.state == "HELD":
        return _("held")
    if card.state in ("CONFIRMED", "CONVERTED", "FORFEITED"):
        return ""
    days = (today - card.due_on).days
    if days > 0:
        return _("late by %(n)s days", n=days) if days > 1 else _("late by 1 day")
    return {"today": pgettext("day", "today"), "soon": _("within three working days")}.get(card.when, "")


def row_class(card: RefundCard) -> str:
    if card.state in ("CONFIRMED", "CONVERTED", "FORFEITED"):
        return "is-next"
    return "is-held" if card.state == "HELD" else {"overdue": "is-late", "today": "is-today"}.get(card.when, "is-next")


def pick_reason(card: RefundCard) -> str:
    """Why a row cannot be ticked for a batch; "" when it can."""
    if "prepare" in card.may:
        return ""
    if card.state == "HELD":
        return _("held, so it is not prepared")
    if card.mine and card.state == "REFUND_DRAFT":
        return _("you prepared it, so another must check it")
    if card.state in ("REFUND_DRAFT", "REFUND_CHECKED"):
        return _("in a batch already")
    if is_controller():
        return _("the cashier prepares, the controller checks")
    return _("done")


@cashier.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    """``fresh_until_ms``: until when the sign-in is fresh, so that no key work begins that could not be handed in."""
    fresh = actor().fresh_until
    return {
        "fresh_until_ms": int(fresh.timestamp() * 1000) if fresh is not None else 0,
        "blank_form": Form.blank,
        "counted": counted,
        "due_words": due_words,
        "row_class": row_class,
        "pick_reason": pick_reason,
        "controller": is_controller(),
        "day_words": lambda day: formatting.day_words(day, language()),
    }


@cashier.rail
def rail() -> list[Group]:
    path = request.path
    if actor().role not in (Role.CASHIER, Role.CONTROLLER):
        return []
    with reading() as view:
        card = queries.home(view)
    urgent = card.overdue + card.today
    return [
        Group(
            _("Deposits"),
            (
                Link(_("My work"), "/cashier", path == "/cashier", urgent or None, bool(urgent)),
                Link(_("Refund queue"), "/cashier/refunds", path.startswith("/cashier/refunds")),
                Link(_("Batches"), "/cashier/batches", path.startswith("/cashier/batches"), card.to_check or None),
                Link(_("Deposits kept"), "/cashier/forfeits", path.startswith("/cashier/forfeits")),
            ),
        ),
        Group(
            _("Bank"),
            (
                Link(_("Statements"), "/cashier/import", path.startswith(("/cashier/import", "/cashier/statements"))),
                Link(
                    _("Exceptions"),
                    "/cashier/exceptions",
                    path.startswith("/cashier/exceptions"),
                    card.exceptions or None,
                    card.exceptions > 0,
                ),
                Link(
                    _("Reconciliation"),
                    "/cashier/reconcile",
                    path.startswith("/cashier/reconcile"),
                    None,
                    card.case_open,
                ),
                Link(_("Ledger"), "/cashier/ledger", path.startswith("/cashier/ledger")),
            ),
        ),
    ]

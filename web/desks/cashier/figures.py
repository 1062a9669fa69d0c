"""The line of figures above the cashier's home and queue."""

from __future__ import annotations

from flask_babel import gettext as _

from deposits.views import queries
from deposits.views.queries import HomeCard
from trading.kernel.money import Money
from web.desks.cashier.room import total
from web.http.refusals import language
from web.words import formatting


def figures(card: HomeCard, waiting: list[queries.RefundCard]) -> list[dict[str, object]]:
    """The line of figures above home and queue, of what may be seen."""

    def sums(when: str) -> str:
        rows = [one for one in waiting if one.when == when and one.state not in ("HELD", "SENT")]
        return formatting.money(total(one.amount for one in rows), language())

    last = card.reconciled
    difference = _difference(card)
    return [
        {
            "label": _("Overdue"),
            "value": card.overdue,
            "kind": "stop" if card.overdue else "",
            "note": sums("overdue"),
            "href": _due("overdue", card.overdue),
        },
        {"label": _("Due today"), "value": card.today, "note": sums("today"), "href": _due("today", card.today)},
        {
            "label": _("Within three working days"),
            "value": card.soon,
            "note": sums("soon"),
            "href": _due("soon", card.soon),
        },
        {
            "label": _("Waiting for the check"),
            "value": card.to_check,
            "note": _("refunds in batches"),
            "href": "/cashier/refunds?show=check" if card.to_check else "",
        },
        {
            "label": _("Exceptions"),
            "value": card.exceptions,
            "kind": "stop" if card.exceptions else "",
            "note": _("wrong payers, returned, in suspense"),
            "href": "/cashier/exceptions" if card.exceptions else "",
        },
        {
            "label": _("Difference of books and bank"),
            "value": difference,
            "kind": "stop" if card.case_open else "",
            "note": _("compared %(day)s", day=last.day.isoformat()) if last else _("not compared yet"),
            "href": "/cashier/reconcile",
        },
    ]


def _difference(card: HomeCard) -> str:
    last = card.reconciled
    if last is None:
        return "–"
    return formatting.figure(Money(last.bank_minor - last.ledger_minor or last.registers_minor - last.ledger_minor))


def _due(when: str, n: int) -> str:
    """The rows a figure counts."""
    return f"/cashier/refunds?due={when}" if n else ""

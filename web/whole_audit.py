"""The audit of the whole: the log and its rows in `trading`, the panels' work in `evaluation`, the money in `deposits`."""

from __future__ import annotations

from sqlalchemy import select

from deposits.views import signed_rows as money
from evaluation.panels.panels import Panel
from evaluation.reporting import signed_rows
from trading.disclosure import audit
from trading.disclosure.audit import Audit
from trading.disclosure.rows import tried
from trading.kernel.access import Act
from trading.kernel.work import View


def verify(view: View, *, every_byte: bool = False) -> Audit:
    """Log, rows and guards; with ``every_byte`` the stored bids too, as long as that takes. Refuses: as ``audit.verify``."""
    found = audit.verify(view)
    _rooms(view, found)
    if every_byte:
        audit.stored_bytes(view, found)
    return found


def verify_rows(view: View) -> Audit:
    """The rows alone, without the log's trees: what is asked again and again of a log that has been verified."""
    view.require(Act.LOG_LOOK)
    found = Audit()
    audit.verify_rows(view, found)
    _rooms(view, found)
    return found


def _rooms(view: View, found: Audit) -> None:
    for panel in view.session.scalars(select(Panel).order_by(Panel.id)):
        for one in tried(f"panel {panel.id}", lambda panel=panel: signed_rows.differences(view, panel)):  # type: ignore[misc]
            audit.add(found, one)
    for check in money.checks(view):
        for one in tried("money -", check):
            audit.add(found, one)

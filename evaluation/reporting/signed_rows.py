"""Rows of a panel's work against what members signed and the records of its steps: the evaluation's part of the audit."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import select

from crypto.canonical import dumps, loads
from crypto.errors import CryptoError
from crypto.signatures import document_hash, payload_of
from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW, Panel
from evaluation.reporting.report import Report, ReportSignature
from evaluation.scoring import signed_sheets
from trading.kernel import signed
from trading.kernel.signed import Difference
from trading.kernel.work import View

_STEPS = tuple(f"panel.{step.name}" for step in PANEL_FLOW.steps)


def differences(view: View, panel: Panel) -> Iterator[Difference]:
    """Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    yield from signed_sheets.differences(view, panel)
    steps = signed.records(view, _STEPS, panel.log_of)
    wanted = {
        "state": steps[-1][1]["facts"]["after"] if steps else PANEL_FLOW.start,
        "round": 1 + sum(record["act"] == "panel.recheck" for _, record in steps),
    }
    yield from signed.compare(panel, wanted, steps[-1][0].c if steps else "")
    yield from _reports(view, panel)


def _reports(view: View, panel: Panel) -> Iterator[Difference]:
    rows = {row.round: row for row in view.session.scalars(select(Report).where(Report.panel_id == panel.id))}
    drawn = {
        record["facts"]["round"]: (entry.c, record)
        for entry, record in signed.records(view, ("report.draw_up",), panel.log_of)
    }
    for number, (c, record) in drawn.items():
        row = rows.pop(number, None)
        if row is None:
            yield Difference("evaluation_report", panel.log_of, "round", c, "", str(number))
            continue
        yield from signed.compare(row, {"hash": record["facts"]["report"]}, c)
        try:
            text = dumps(row.facts)
        except CryptoError:
            text = b""
        if document_hash(text) != row.hash:
            yield Difference("evaluation_report", str(row.id), "facts", c)
        if row.blob != sha256(text).hexdigest():
            yield Difference("evaluation_report", str(row.id), "blob", c)
    for row in rows.values():
        yield Difference("evaluation_report", str(row.id), "round", "", str(row.round))
    yield from _signatures(view, panel)


def _signatures(view: View, panel: Panel) -> Iterator[Difference]:
    query = (
        select(ReportSignature).join(Report, Report.id == ReportSignature.report_id).where(Report.panel_id == panel.id)
    )
    rows = {row.statement: row for row in view.session.scalars(query)}
    for entry, record in signed.records(view, ("report.sign",), panel.log_of):
        facts = record["facts"]
        row = rows.pop(facts["signature"], None)
        kept = signed.kept(view.session, facts["signature"])
        if row is None or kept is None:
            yield Difference("report_signature", facts["signature"], "statement", entry.c)
            continue
        told = loads(payload_of(kept))
        yield from signed.compare(row, {"dissent": told["dissent"].strip()}, entry.c)
        if panels.holder(row.seat) != told["expert"] or row.seat.no != facts["no"]:
            yield Difference("report_signature", str(row.id), "seat_id", entry.c)
    for row in rows.values():
        yield Difference("report_signature", str(row.id), "statement", "", row.statement)

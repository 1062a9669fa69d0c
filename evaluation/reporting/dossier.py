"""What the evaluation adds to a lot's bundle (protocol §6, claims E2 and E3): salts of the sheets, the panel, findings, report, signatures.

The signed sheets, commitments, lists and the scheme are laid out by trading.disclosure from the log; here stands what opens and joins them,
so that scores and ranking can be recomputed from the bundle alone. In profile ``public`` no single member's name, and no salt or report
before the result: the caller asks only for finished lots.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evaluation.panels import panels
from evaluation.panels.panels import Panel
from evaluation.reporting import report
from evaluation.reporting.report import Report
from evaluation.scoring import reviews, schemes, sheets
from evaluation.scoring.sheet_rows import Sheet, SheetCommit
from trading.disclosure.bundle import canonical_file, envelope_file
from trading.disclosure.dossier import Extra
from trading.kernel.audit import document
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony
from trading.tendering.tenders import Lot


def records(session: Session, lot: Lot) -> dict[str, Any]:
    """path in the bundle → canonical JSON value; empty where no panel was asked for.

    ``sheets/panel.json``: places, kinds, rounds, and who they are by the name in signed documents. ``sheets/salts.json``: commitment, sheet
    and salt of every reveal. ``sheets/findings.json``: reviews. ``sheets/blind.json``: blind name → bidder. ``ranking/inputs.json``: what
    the ranking follows from beside sheets, announced prices and scheme. ``ranking/report.json``: the facts. ``ranking/signatures.json``:
    which member's signed word on it is which document.
    """
    panel = panels.of_lot(session, lot)
    if panel is None:
        return {}
    found: dict[str, Any] = {"sheets/panel.json": _panel(panel), "sheets/salts.json": _salts(session, panel)}
    if ceremony.find(session, lot) is not None:
        found["sheets/findings.json"] = _findings(session, lot)
        if lot.scheme and schemes.of_lot(lot).blind and panel.seated_at is not None:
            labels = panels.blind_labels(panel, reviews.qualified(session, lot))
            named = {bid.id: bid.party.code for bid in reviews.qualified(session, lot)}
            found["sheets/blind.json"] = {
                "v": 1,
                "bids": [{"name": labels[at], "bidder": named[at]} for at in sorted(labels)],
            }
    row = report.find(session, panel)
    if row is not None:
        found["ranking/report.json"] = row.facts
        found["ranking/inputs.json"] = _inputs(session, panel, row)
        found["ranking/signatures.json"] = {
            "v": 1,
            "report": row.hash,
            "signatures": [{"seat": one.seat.no, "statement": one.statement} for one in row.signatures],
        }
    return found


def extra(view: View, lot: Lot, profile: str) -> Extra:
    """The same as files for ``trading.disclosure.dossier.gather``, with the signed report signatures and the keys' holders."""
    panel = panels.of_lot(view.session, lot)
    if panel is None:
        return Extra()
    shown = {
        path: value
        for path, value in records(view.session, lot).items()
        if profile == "audit" or path != "sheets/panel.json"
    }
    if profile != "audit" and panel.state != "CONCLUDED":
        shown = {}
    files = [canonical_file(path, value) for path, value in shown.items()]
    row = report.find(view.session, panel)
    for one in row.signatures if row is not None and shown else ():
        files.append(envelope_file(f"ranking/signature.{one.statement}.json", document(view.session, one.statement)))
    holders = tuple(sorted({(panels.holder(seat), "expert") for seat in panels.seated(panel)})) if shown else ()
    return Extra(files=tuple(files), holders=holders)


def _panel(panel: Panel) -> dict[str, Any]:
    seats = [
        {
            "seat": seat.no,
            "kind": seat.kind,
            "chair": seat.is_chair,
            "state": seat.state,
            "expert": panels.holder(seat),
            "code": seat.expert.code if seat.expert else "",
            "position": -1 if seat.position is None else seat.position,
            "reason": seat.reason,
        }
        for seat in panel.seats
    ]
    return {
        "v": 1,
        "members": panel.members,
        "experts": panel.experts,
        "draw": panel.draw.draw,
        "round": panel.round,
        "seats": seats,
        "avoid": [dict(one) for one in panel.avoid],
    }


def _salts(session: Session, panel: Panel) -> dict[str, Any]:
    commits = {
        (row.seat_id, row.round): row
        for row in session.scalars(select(SheetCommit).where(SheetCommit.panel_id == panel.id).order_by(SheetCommit.id))
    }
    rows = session.scalars(select(Sheet).where(Sheet.panel_id == panel.id).order_by(Sheet.round, Sheet.id))
    return {
        "v": 1,
        "sheets": [
            {
                "seat": sheet.seat.no,
                "round": sheet.round,
                "sheet": sheet.statement,
                "salt": sheet.salt,
                "commit": commits[(sheet.seat_id, sheet.round)].statement,
                "commit_entry": commits[(sheet.seat_id, sheet.round)].c,
                "sheet_entry": sheet.c,
            }
            for sheet in sorted(rows, key=lambda one: (one.round, one.seat.no))
        ],
    }


def _findings(session: Session, lot: Lot) -> dict[str, Any]:
    rows = [row for stage in reviews.STAGES for row in reviews.findings(session, lot, stage).values()]
    method = schemes.method_of(lot.scheme)

    def amounts(row: reviews.Finding) -> dict[str, str]:
        """What the panel changed of a price, in yuan, where the method has prices reviewed."""
        if method is None or not method.reviews_price:
            return {}
        return {
            "arithmetic": Money(row.arithmetic_minor, lot.currency).text(),
            "adjustment": Money(row.adjustment_minor, lot.currency).text(),
        }

    return {
        "v": 1,
        "findings": [
            {
                "bid": row.bid.header_hash,
                "bidder": row.bid.party.code,
                "stage": row.stage,
                "ok": row.ok,
                "clause": row.clause,
                "reason": row.reason,
                "votes_for": row.votes_for,
                "votes_against": row.votes_against,
                **amounts(row),
            }
            for row in sorted(rows, key=lambda one: (one.stage, one.bid.header_hash))
        ],
    }


def _inputs(session: Session, panel: Panel, row: Report) -> dict[str, Any]:
    bids = [
        {"bidder": bid.party.code, "header_hash": bid.header_hash, "small": report.small(bid)}
        for bid in ceremony.opened_of_lot(session, panel.lot)
    ]
    return {
        "v": 1,
        "round": row.round,
        "coefficient": report.coefficient(session, panel),
        "tie_break": row.facts["tie_break"],
        "ceiling": panel.lot.ceiling.text(),
        "sheets": [sheet.statement for sheet in sheets.revealed(session, panel)],
        "bids": sorted(bids, key=lambda one: str(one["bidder"])),
    }

"""Commitments, lists and sheets by what members signed, before anything is locked, revealed or reckoned.

Law of the noun: a row says which signed document belongs to which seat and round; the document itself says whose it is, and the commitment
which sheet. What a row says besides is held against them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import select

from crypto.canonical import unb64u
from crypto.draws import check_sheet
from crypto.errors import CryptoError
from evaluation.panels import panels
from evaluation.panels.panels import Panel
from evaluation.scoring.sheet_rows import Sheet, SheetCommit, SheetList
from trading.kernel import signed
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.opening import ceremony, signed_opening
from trading.tendering import signed_terms


def require(view: View, panel: Panel) -> None:
    """Before members' work is locked, shown or reckoned: criteria and terms, commitments, lists and sheets.

    Refuses: Conflict ``signed.differs``, ``signed.altered``, ``signed.missing``."""
    signed.refuse_first(panel.lot.ref, (*signed_terms.differences(view, panel.lot), *differences(view, panel)))


def require_outcome(view: View, panel: Panel) -> None:
    """As ``require``, and the verdicts and prices of the opened bids: before an outcome is drawn up or concluded."""
    require(view, panel)
    rows = view.session.scalars(select(ceremony.Opening).where(ceremony.Opening.lot_id == panel.lot_id))
    signed.refuse_first(panel.lot.ref, (one for row in rows for one in signed_opening.differences(view, row)))


def differences(view: View, panel: Panel) -> Iterator[Difference]:
    """Where the rows of a panel's sheets differ from the log. Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    lot = panel.lot
    events = ("sheet-commit", "commit-list", "sheet")
    found: dict[str, list[Proved]] = {name: [] for name in events}
    for one in signed.listed(view, events, tender=lot.tender.ref, lot=lot.no_text, part=""):
        if one.document is None:
            raise signed.missing(lot.ref, one.entry["event"], one.c)
        found[one.entry["event"]].append(one)
    commits = list(view.session.scalars(select(SheetCommit).where(SheetCommit.panel_id == panel.id)))
    yield from signed.paired("sheet_commit", commits, found["sheet-commit"], _of_commit)
    lists = [one for one in found["commit-list"] if one.payload["of"] == lot.log_of]  # not those of a draw
    rows = view.session.scalars(select(SheetList).where(SheetList.panel_id == panel.id, SheetList.c.is_not(None)))
    yield from signed.paired("sheet_list", rows, lists, partial(_of_list, {row.id: row for row in commits}))
    sheets = view.session.scalars(select(Sheet).where(Sheet.panel_id == panel.id))
    yield from signed.paired("sheet", sheets, found["sheet"], partial(_of_sheet, commits))


def _of_commit(row: SheetCommit, one: Proved) -> Iterator[Difference]:
    told = one.payload
    wanted = {
        "commit": told["commit"],
        "reason": told["reason"].strip(),
        "statement": one.entry["statement"],
    }
    yield from signed.compare(row, wanted, one.c)
    if panels.holder(row.seat) != told["expert"]:
        yield Difference("sheet_commit", str(row.id), "seat_id", one.c)


def _of_list(commits: dict[int, SheetCommit], row: SheetList, one: Proved) -> Iterator[Difference]:
    yield from signed.compare(row, {"listing": one.document, "statement": one.entry["statement"]}, one.c)
    chosen = [commits[key] for key in row.commits if key in commits]
    if len(chosen) != len(row.commits) or [commit.c for commit in chosen] != one.payload["entries"]:
        yield Difference("sheet_list", str(row.id), "commits", one.c)
    elif {commit.round for commit in chosen} != {row.round}:
        yield Difference("sheet_list", str(row.id), "round", one.c)


def _of_sheet(commits: list[SheetCommit], row: Sheet, one: Proved) -> Iterator[Difference]:
    told = one.payload
    yield from signed.compare(row, {"statement": one.entry["statement"]}, one.c)
    if panels.holder(row.seat) != told["expert"]:
        yield Difference("sheet", str(row.id), "seat_id", one.c)
        return
    held = [commit for commit in commits if (commit.seat_id, commit.round) == (row.seat_id, row.round)]
    if not held:
        yield Difference("sheet", str(row.id), "round", one.c)
    elif not _opens(told, row.salt, max(held, key=lambda commit: commit.id).commit):
        yield Difference("sheet", str(row.id), "salt", one.c)


def _opens(told: dict[str, Any], salt: str, commit: str) -> bool:
    try:
        check_sheet(told, unb64u(salt, 32), unb64u(commit, 32))
    except CryptoError:
        return False
    return True

"""What bidders and the supervisory body gave during an opening, held against the documents they signed.

Law of the noun: a part that is missing revokes a bid, a seed that is missing leaves it closed, a finding names who is at fault; so before
any bid is opened each of these rows must be what the log holds, and each entry of the log must have its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import select

from crypto.canonical import parse_time, unb64u
from crypto.opening import LEFT_SEALED
from trading.bidding import signed_bids
from trading.kernel import signed
from trading.kernel.audit import envelope_text
from trading.kernel.signed import Difference, Proved
from trading.kernel.work import View
from trading.opening.ceremony import Opening
from trading.opening.co_opening import BidderPart
from trading.opening.findings import BoxFinding
from trading.opening.rescue import BidFailure, Rescue

_TABLES: dict[str, tuple[Any, Callable[[Proved], dict[str, Any]]]] = {
    "bidder-part": (BidderPart, lambda one: {"part": one.payload["part"], "document": envelope_text(one.document)}),
    "rescue": (Rescue, lambda one: {"seed": unb64u(one.payload["seed"], 32), "at": _at(one)}),
    "bid-failed": (
        BidFailure,
        lambda one: {"code": one.payload["code"], "cause": one.payload["cause"], "at": _at(one)},
    ),
    "finding": (BoxFinding, lambda one: {"code": one.payload["code"], "j": one.payload["j"], "at": _at(one)}),
}


def require(view: View, row: Opening) -> None:
    """Before bids are opened. Refuses: Conflict ``signed.differs`` with the first row, ``signed.altered``, ``signed.missing``."""
    signed.refuse_first(row.lot.ref, differences(view, row))


def differences(view: View, row: Opening) -> Iterator[Difference]:
    """Each row that differs, is missing or is too many. Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    lot = row.lot
    found: dict[str, list[Proved]] = {event: [] for event in _TABLES}
    for one in signed.listed(view, list(_TABLES), tender=lot.tender.ref, lot=lot.no_text, part=row.part):
        if one.document is None:
            raise signed.missing(lot.ref, one.entry["event"], one.c)
        if one.entry["reason"] != LEFT_SEALED:  # of those the set itself tells
            found[one.entry["event"]].append(one)
    rows = {
        event: list(view.session.scalars(select(table).where(table.opening_id == row.id).order_by(table.id)))
        for event, (table, _) in _TABLES.items()
    }
    bids = signed_bids.accepted(view, lot, row.part)[1] if any(rows.values()) else {}
    bidders = {name: bid.bidder for name, bid in bids.items()}
    for event, (table, wanted) in _TABLES.items():
        yield from signed.paired(
            table.__tablename__, rows[event], found[event], partial(_differ, wanted=wanted, bidders=bidders)
        )


def _differ(
    held: Any, one: Proved, *, wanted: Callable[[Proved], dict[str, Any]], bidders: dict[str, str]
) -> Iterator[Difference]:
    name = one.payload["header_hash"]
    yield from signed.compare(held, wanted(one) | {"header_hash": name}, one.c)
    party = getattr(held, "party", None)
    if party is not None and party.code != bidders.get(name):
        yield Difference(held.__tablename__, str(held.id), "party_id", one.c, party.code, bidders.get(name, ""))


def _at(one: Proved) -> Any:
    return parse_time(one.entry["at"])

"""Which bids stand, by the log alone: entries the platform signed over statements their bidders signed.

Law of the noun: ``standing_bid`` is a list that is quick to read; who is counted and opened follows from the submissions, replacements and
withdrawals of the log, and a list that says otherwise stops the act. For the closing, the opening and the audit alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from crypto.canonical import H, b64u, loads, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.headers import hash_of_text
from crypto.signatures import payload_of
from trading.bidding import closing, floods
from trading.bidding.bids import SealedBid, StandingBid
from trading.bidding.closing import Closing
from trading.bidding.participants import Participant
from trading.custody import officers, signed_policies
from trading.kernel import log, signed
from trading.kernel.audit import LogDocument, LogEntry
from trading.kernel.clock import write_moment
from trading.kernel.signed import Difference, Proved, Remembered
from trading.kernel.work import View
from trading.parties.parties import Party
from trading.tendering.tenders import Lot

TAKEN = ("bid-received", "bid-replaced")
WITHDRAWN = "bid-withdrawn"


@dataclass(frozen=True)
class SignedBid:
    """An accepted submission: ``document`` as its bidder signed it, ``entry`` as the platform did."""

    document: dict[str, Any]
    entry: Proved

    @property
    def bidder(self) -> str:
        return str(self.document["bidder"])

    @property
    def at(self) -> datetime:
        return parse_time(self.entry.entry["at"])


def accepted(view: View, lot: Lot, part: str = officers.BID) -> tuple[list[SignedBid], dict[str, SignedBid]]:
    """(every accepted bid, header hash → bid of those that stand). Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    taken: list[SignedBid] = []
    last: dict[str, SignedBid] = {}
    events = (*TAKEN, WITHDRAWN)
    for one in signed.listed(view, events, tender=lot.tender.ref, lot=lot.no_text, part=part):
        if one.document is None:
            raise signed.missing(lot.ref, one.entry["event"], one.c)
        told = one.payload
        held = last.get(told["bidder"])
        if one.entry["event"] == WITHDRAWN:
            if held is None or held.entry.entry["statement"] != told["statement"]:
                raise signed.altered(f"log_entry {one.number}", one.c)
            del last[told["bidder"]]
            continue
        if told["replaces"] != (held.entry.entry["statement"] if held is not None else ""):
            raise signed.altered(f"log_entry {one.number}", one.c)  # one between was taken away
        bid = SignedBid(told, one)
        taken.append(bid)
        last[told["bidder"]] = bid
    return taken, {str(bid.document["header_hash"]): bid for bid in last.values()}


def differences(view: View, lot: Lot, part: str = officers.BID) -> Iterator[Difference]:
    """Where rows of bids and the list of those that stand differ from the log. Refuses: as ``accepted``."""
    taken, standing = accepted(view, lot, part)
    rows = {row.c: row for row in view.session.execute(_ROWS, {"lot": lot.id, "part": part})}
    asked = select(Participant.id, Participant.party_id, Participant.lot_id).where(Participant.lot_id == lot.id)
    places = {int(one[0]): (int(one[1]), int(one[2])) for one in view.session.execute(asked)}
    for bid in taken:
        row = rows.pop(bid.entry.c, None)
        if row is None:
            yield Difference("sealed_bid", bid.entry.c, "c", bid.entry.c, "", bid.entry.c)
        else:
            yield from of_bid(row, bid, places)
    for row in rows.values():
        yield Difference("sealed_bid", str(row.id), "c", "", row.c, "")
    query = (
        select(
            StandingBid.id,
            StandingBid.bid_id,
            StandingBid.participant_id,
            SealedBid.header_hash,
            SealedBid.participant_id,
        )
        .outerjoin(SealedBid, SealedBid.id == StandingBid.bid_id)
        .where(StandingBid.lot_id == lot.id, StandingBid.part == part)
    )
    left = dict(standing)
    for number, bid_id, held, name, wanted in view.session.execute(query):
        found = left.pop(name, None)
        if found is None:
            yield Difference("standing_bid", str(number), "bid_id", "", str(bid_id), "")
        elif held != wanted:
            yield Difference("standing_bid", str(number), "participant_id", found.entry.c, str(held), str(wanted))
    for bid in left.values():
        yield Difference("standing_bid", bid.entry.c, "bid_id", bid.entry.c, "", bid.entry.c)


_ROWS = (
    select(
        SealedBid.id,
        SealedBid.c,
        SealedBid.lot_id,
        SealedBid.party_id,
        SealedBid.participant_id,
        SealedBid.header,
        SealedBid.header_hash,
        SealedBid.sealed_root,
        SealedBid.size,
        SealedBid.replaces,
        SealedBid.part,
        SealedBid.statement,
        SealedBid.blob,
        SealedBid.at,
        Party.code,
    )
    .join(Party, Party.id == SealedBid.party_id)
    .where(SealedBid.lot_id == bindparam("lot"), SealedBid.part == bindparam("part"))
)
_HEADERS = Remembered()


def of_bid(row: Any, bid: SignedBid, places: dict[int, tuple[int, int]]) -> Iterator[Difference]:
    """One row of a bid (``_ROWS``) against its submission and entry; ``places``: participant → party and lot."""
    entry = bid.entry.c
    for column, value in of_document(row, bid.document):
        yield Difference("sealed_bid", str(row.id), column, entry, "", signed.shown(value))
    for column, value in (("statement", bid.entry.entry["statement"]), ("at", bid.at)):
        if getattr(row, column) != value:
            yield Difference(
                "sealed_bid", str(row.id), column, entry, signed.shown(getattr(row, column)), signed.shown(value)
            )
    if places.get(row.participant_id) != (row.party_id, row.lot_id):
        yield Difference("sealed_bid", str(row.id), "participant_id", entry)


def of_document(row: Any, told: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns of a bid's row that are not as its submission says, with what that says."""
    wanted = {
        "header_hash": told["header_hash"],
        "sealed_root": told["sealed_root"],
        "size": told["sealed_size"],
        "replaces": told["replaces"],
        "part": told["envelope"],
        "blob": unb64u(told["sealed_root"]).hex(),
    }
    yield from ((column, value) for column, value in wanted.items() if getattr(row, column) != value)
    if row.code != told["bidder"]:
        yield "party_id", told["bidder"]
    if _HEADERS.get(lambda: hash_of_text(row.header), row.header) != told["header_hash"]:
        yield "header", told["header_hash"]


def of_set(view: View, lot: Lot, part: str, listed: list[dict[str, str]], entry: str) -> Iterator[Difference]:
    """The rows of the bids that a signed opening set lists, against the submissions it names: the set vouches for the entries.

    Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    rows = {row.c: row for row in view.session.execute(_ROWS, {"lot": lot.id, "part": part})}
    names = [one["statement"] for one in listed]
    texts: dict[str, str] = {}
    for start in range(0, len(names), 500):
        asked = select(LogDocument.hash, LogDocument.text).where(LogDocument.hash.in_(names[start : start + 500]))
        texts |= {str(row[0]): str(row[1]) for row in view.session.execute(asked)}
    for one in listed:
        row, text = rows.get(one["entry"]), texts.get(one["statement"])
        if text is None:
            raise signed.missing(lot.ref, "submission", one["entry"])
        if row is None:
            yield Difference("sealed_bid", one["entry"], "c", entry, "", one["entry"])
            continue
        if (row.statement, row.header_hash) != (one["statement"], one["header_hash"]):
            yield Difference("sealed_bid", str(row.id), "statement", entry, row.statement, one["statement"])
        for column, value in of_document(row, _submission(one["statement"], text)):
            yield Difference("sealed_bid", str(row.id), column, one["entry"], "", signed.shown(value))


def _submission(name: str, text: str) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        try:
            told: dict[str, Any] = loads(payload_of(signed.read_document(name, text, True)))
        except CryptoError as error:
            raise signed.altered(f"log_document {name}") from error
        return told

    found: dict[str, Any] = _SUBMISSIONS.get(read, name, text)
    return found


_SUBMISSIONS = Remembered()


def of_closing(view: View, lot: Lot, part: str = officers.BID) -> Iterator[Difference]:
    """The row of a closing against its entry, the salted list against the hash in it, and the list against the log.

    Refuses: Conflict ``signed.altered``, ``signed.missing``."""
    row = closing.find(view.session, lot, part)
    found = signed.listed(view, "deadline", tender=lot.tender.ref, lot=lot.no_text, part=part)
    if row is None or not found:
        if row is not None:
            yield Difference("closing", str(row.id), "deadline_c", "", row.deadline_c, "")
        elif found:
            yield Difference("closing", lot.ref, "deadline_c", found[0].c, "", found[0].c)
        return
    entry = found[0]
    told = entry.document
    if told is None:
        raise signed.missing(lot.ref, "deadline", entry.c)
    wanted = {"deadline_c": entry.c, "document": entry.entry["statement"], "tick_at": parse_time(told["at"])}
    yield from signed.compare(row, wanted, entry.c)
    seat = log.seats(view.session, [entry.c]).get(entry.c)
    if seat is not None and seat.tick != row.tick:
        yield Difference("closing", str(row.id), "tick", entry.c, str(row.tick), str(seat.tick))
    yield from _of_list(view, lot, row, told, entry)
    newest = signed_policies.line(view, lot, part)
    if newest and (told["policy"], told["deadline"]) != (newest[-1].id, write_moment(newest[-1].deadline)):
        yield Difference("closing", str(row.id), "document", newest[-1].c, told["deadline"], newest[-1].id)


def _of_list(view: View, lot: Lot, row: Closing, told: dict[str, Any], entry: Proved) -> Iterator[Difference]:
    listed = row.entries if isinstance(row.entries, dict) else {}
    try:
        cs = [str(c) for c in listed["entries"]]
        hashed = b64u(H("entries", unb64u(listed["salt"]), *(unb64u(c) for c in cs)))
    except (CryptoError, KeyError, TypeError):
        cs, hashed = [], ""
    if hashed != told["entries"] or listed.get("v") != 1 or listed.keys() != {"v", "salt", "entries"}:
        yield Difference("closing", str(row.id), "entries", entry.c)
        return
    query = select(LogEntry.c).where(
        LogEntry.tender == lot.tender.ref,
        LogEntry.lot == lot.no_text,
        LogEntry.part == row.part,
        LogEntry.event.in_(closing.COUNTED),
        LogEntry.id < entry.number,
    )
    held = set(view.session.scalars(query))
    held -= floods.without_slot(view.session, list(held))
    for c in sorted(held ^ set(cs)):
        yield Difference("log_entry", c, "c", entry.c, c if c in held else "", "" if c in held else c)

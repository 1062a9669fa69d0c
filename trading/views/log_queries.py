"""What anybody may read of the log: checkpoints, ticks, tiles, and the entries and documents that are public at this hour.

Nothing is counted here: a tick is one leaf whatever it holds (protocol §4). Entries are listed for published lots only, and of the events
the protocol shows at once; documents that tell of the panel's work follow when the result is out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, cast, func, or_, select
from sqlalchemy.types import String

from crypto import checkpoints, ticks
from crypto.canonical import b64u, unb64u
from crypto.receipts import number_start
from trading.bidding import closing, floods
from trading.bidding.bids import BidReceipt, StandingBid
from trading.kernel import audit, log
from trading.kernel.audit import ActRecord, LogDocument, LogEntry
from trading.kernel.clock import parse_moment
from trading.kernel.errors import NotFound
from trading.kernel.log import LogNode, LogSeat
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import View
from trading.opening import ceremony
from trading.tendering import notices
from trading.tendering.notices import Notice
from trading.tendering.tenders import Lot, Tender

PUBLIC = tuple(sorted(ticks.PUBLIC_EVENTS))
AFTER_RESULT = ("commit-list", "finding", "ranking")
"""Public as entries at once; what they speak of is shown with the result."""
WIDTH = checkpoints.TILE_WIDTH
MOST_LEAVES = 1000


@dataclass(frozen=True)
class TickLine:
    """One leaf of the log. There is no field for how much it holds."""

    tick: int
    at: datetime
    root: str


@dataclass(frozen=True)
class EntryLine:
    """One public entry. ``tick`` and ``sealed_at`` once it is sealed; ``document``: whether what it speaks of may be read now."""

    c: str
    event: str
    at: datetime
    tick_by: datetime
    lot: str
    lot_title: str
    part: str
    statement: str
    tick: int | None
    sealed_at: datetime | None
    document: bool


@dataclass(frozen=True)
class ActLine:
    """An act on record: when, which, in which role. ``c``: the entry of the log it stands in."""

    at: datetime
    act: str
    actor: str
    c: str


# --- ticks ------------------------------------------------------------------------------------------------------------------------


def tick_lines(view: View, *, before: int | None = None, limit: int = 50) -> list[TickLine]:
    """Ticks, newest first, older than ``before`` if one is named."""
    rows = select(LogTick.tick, LogTick.at, LogTick.leaf).order_by(LogTick.tick.desc()).limit(limit)
    if before is not None:
        rows = rows.where(LogTick.tick < before)
    return [TickLine(tick, at, json.loads(leaf)["root"]) for tick, at, leaf in view.session.execute(rows)]


def days_heads(view: View, days: Sequence[tuple[datetime, datetime]]) -> list[LogTick]:
    """The last tick of each span that has one, newest first: the checkpoints of days."""
    lasts = [
        select(func.max(LogTick.tick)).where(LogTick.at >= since, LogTick.at < until).scalar_subquery()
        for since, until in days
    ]
    numbers = [number for number in view.session.execute(select(*lasts)).one() if number is not None]
    return list(view.session.scalars(select(LogTick).where(LogTick.tick.in_(numbers)).order_by(LogTick.tick.desc())))


def leaves(view: View, first: int, limit: int = MOST_LEAVES) -> list[str]:
    """The canonical texts of leaves from number ``first`` on."""
    rows = select(LogTick.leaf).where(LogTick.tick >= first).order_by(LogTick.tick).limit(min(limit, MOST_LEAVES))
    return list(view.session.scalars(rows))


def tile(view: View, level: int, index: int, width: int = WIDTH) -> bytes:
    """A tile of hashes (C2SP tlog-tiles): ``width`` node hashes of tree level 8·``level``. Refuses: NotFound while it is not complete."""
    start = index * WIDTH
    rows = view.session.scalars(
        select(LogNode.hash)
        .where(LogNode.level == 8 * level, LogNode.index >= start, LogNode.index < start + width)
        .order_by(LogNode.index)
    )
    found = [unb64u(text) for text in rows]
    if len(found) != width:
        raise NotFound("log.tile_unknown", level=level, index=index, width=width)
    return b"".join(found)


def entry_bundle(view: View, index: int, width: int = WIDTH) -> bytes:
    """A bundle of leaves (C2SP tlog-tiles). Refuses: NotFound while it is not complete."""
    start = index * WIDTH
    rows = list(
        view.session.scalars(
            select(LogTick.leaf).where(LogTick.tick >= start, LogTick.tick < start + width).order_by(LogTick.tick)
        )
    )
    if len(rows) != width:
        raise NotFound("log.tile_unknown", level=-1, index=index, width=width)
    return checkpoints.entry_bundle(row.encode() for row in rows)


@dataclass(frozen=True)
class Consistency:
    """That the log of ``size`` leaves continues an older one: the nodes of the proof, and the checkpoint of those ``size`` leaves."""

    size: int
    proof: tuple[bytes, ...]
    checkpoint: str


def consistency(view: View, old: int, size: int | None = None) -> Consistency:
    """``size``: the newest if none is named. Refuses: NotFound."""
    size = size or log.size(view)
    row = view.session.get(LogTick, size - 1) if size else None
    if row is None or not 0 < old <= size:
        raise NotFound("log.empty")
    return Consistency(size, tuple(log.consistency_proof(view.session, old, size)), row.checkpoint)


# --- entries ----------------------------------------------------------------------------------------------------------------------


def _public_rows(*what: Any) -> Any:
    """Public entries of published lots; an entry of a whole tender counts for its first published lot."""
    lot_no = cast(Lot.no, String)
    return (
        select(*what)
        .select_from(LogEntry)
        .join(Tender, Tender.ref == LogEntry.tender)
        .join(Lot, and_(Lot.tender_id == Tender.id, or_(lot_no == LogEntry.lot, and_(LogEntry.lot == "", Lot.no == 1))))
        .outerjoin(LogSeat, LogSeat.entry_id == LogEntry.id)
        .outerjoin(LogTick, LogTick.tick == LogSeat.tick)
        .where(LogEntry.event.in_(PUBLIC), Lot.published_at.is_not(None))
    )


def entry_lines(
    view: View, *, lot: str = "", events: tuple[str, ...] = (), limit: int = 50, skip: int = 0
) -> list[EntryLine]:
    """Public entries, newest first; of one lot or of a whole tender if its reference is given, of some events if they are named."""
    rows = _public_rows(
        LogEntry.c,
        LogEntry.event,
        LogEntry.at,
        LogEntry.tick_by,
        Lot.ref,
        Lot.title,
        LogEntry.part,
        LogEntry.statement,
        LogTick.tick,
        LogTick.at,
        Lot.id,
        LogDocument.id,
    )
    rows = rows.outerjoin(LogDocument, LogDocument.hash == LogEntry.statement)
    if lot:
        rows = rows.where(or_(Lot.ref == lot, Tender.ref == lot))
    if events:
        rows = rows.where(LogEntry.event.in_(events))
    found = list(view.session.execute(rows.order_by(LogEntry.at.desc(), LogEntry.id.desc()).limit(limit).offset(skip)))
    told = _told(view, {row[10] for row in found})
    return [
        EntryLine(
            c,
            event,
            at,
            by,
            ref,
            title,
            part,
            statement,
            tick,
            sealed,
            document is not None and (event not in AFTER_RESULT or lot_id in told),
        )
        for c, event, at, by, ref, title, part, statement, tick, sealed, lot_id, document in found
    ]


def _told(view: View, lot_ids: set[int]) -> set[int]:
    """Lots whose result, failure or termination has been published."""
    ended = ("result", "failure", "termination")
    return set(view.session.scalars(select(Notice.lot_id).where(Notice.lot_id.in_(lot_ids), Notice.kind.in_(ended))))


def public_entry(view: View, c: str) -> dict[str, Any]:
    """A public entry as a receipt, ``{entry}`` or ``{entry, proof}``. Refuses: NotFound for any other."""
    row = view.session.execute(_public_rows(LogEntry.envelope).where(LogEntry.c == c)).first()
    if row is None:
        raise NotFound("log.entry_unknown", c=c)
    found: dict[str, Any] = {"entry": json.loads(row[0])}
    proof = log.proof(view.session, c)
    if proof is not None:
        found["proof"] = proof
    return found


def public_document(view: View, name: str) -> tuple[str, str]:
    """(kind, text) of a document anybody may read: what a public entry speaks of, or a published notice. Refuses: NotFound."""
    row = view.session.scalar(select(LogDocument).where(LogDocument.hash == name))
    if row is not None:
        shown = view.session.execute(_public_rows(LogEntry.event, Lot.id).where(LogEntry.statement == name)).all()
        told = _told(view, {lot_id for _, lot_id in shown})
        if any(event not in AFTER_RESULT or lot_id in told for event, lot_id in shown):
            return row.kind, row.text
        if view.session.scalar(select(Notice.id).where(Notice.document_hash == name).limit(1)) is not None:
            return row.kind, row.text
    raise NotFound("log.document_unknown", hash=name)


def notice_document(view: View, notice: Notice) -> dict[str, Any]:
    """The notice word for word, as its digest was taken."""
    lot = view.session.get_one(Lot, notice.lot_id)
    return notices.document_of(notice, platform=view.office.platform, lot=lot)


def act_lines(view: View, acts: Sequence[str], limit: int) -> list[ActLine]:
    """The latest records of some acts, newest first."""
    rows = select(ActRecord.at, ActRecord.act, ActRecord.actor, ActRecord.entry_hash).where(ActRecord.act.in_(acts))
    rows = rows.order_by(ActRecord.at.desc(), ActRecord.id.desc()).limit(limit)
    return [ActLine(*row) for row in view.session.execute(rows)]


def acts_on(view: View, of: str) -> list[ActLine]:
    """The records of one thing, oldest first."""
    rows = select(ActRecord.at, ActRecord.act, ActRecord.actor, ActRecord.entry_hash).where(ActRecord.of == of)
    return [ActLine(*row) for row in view.session.execute(rows.order_by(ActRecord.at, ActRecord.id))]


# --- a receipt somebody holds -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What the platform knows of an entry whose hash somebody holds. ``state``: ``standing``, ``superseded``, ``withdrawn``, ``no_bid``
    (not the receipt of a bid) or ``sealed`` (told after the opening, before that to its own party only). ``successor``: the hash of the
    receipt that counts instead, for its own party."""

    tick: int | None
    sealed_at: datetime | None
    tick_by: datetime
    proof: dict[str, Any] | None
    state: str
    successor: str = ""


def standing_of(view: View, c: str) -> Standing:
    """For whoever holds a receipt: is it in the log, does it still stand. The hash is 256 random bits, so nobody can guess another's.

    Refuses: NotFound for a hash the log does not know.
    """
    entry = audit.entry(view.session, c)
    tick = log.tick_of(view.session, c)
    proof = log.proof(view.session, c) if tick is not None else None
    if tick is None and entry.event == "bid-refused" and (listed := floods.receipt(view.session, c)) is not None:
        leaf = listed["proof"][
            "leaf"
        ]  # one of many refusals: a list stands in the log for it, and its bidder has the proof
        return Standing(leaf["tick"], parse_moment(leaf["at"]), entry.tick_by, None, "no_bid")
    return Standing(tick.tick if tick else None, tick.at if tick else None, entry.tick_by, proof, *_stands(view, c))


def hash_of_number(view: View, number: str) -> str:
    """The hash of the bidder's receipt that has this number (crypto.receipts.number_of). Of two that share one, none is told.

    Refuses: NotFound ``receipt.unknown``; JSON_PROFILE (CryptoError) for what is no number.
    """
    start = number_start(number)
    rows = view.session.scalars(select(BidReceipt.c).where(BidReceipt.c.startswith(b64u(start)[:6], autoescape=True)))
    found = [c for c in rows if unb64u(c).startswith(start)]
    if len(found) != 1:
        raise NotFound("receipt.unknown")
    return found[0]


def _stands(view: View, c: str) -> tuple[str, str]:
    """(state, successor)."""
    receipt = view.session.scalar(select(BidReceipt).where(BidReceipt.c == c))
    if receipt is None or receipt.kind not in ("received", "replaced"):
        return "no_bid", ""
    lot = view.session.get_one(Lot, receipt.lot_id)
    closed = closing.find(view.session, lot) is not None
    open_list = closed and (lot.failure in ("few_bidders",) or ceremony.is_public(view.session, lot))
    is_own = view.actor.party_id == receipt.party_id
    if not open_list and not is_own:
        return "sealed", ""
    rows = view.session.scalars(
        select(StandingBid).where(StandingBid.lot_id == receipt.lot_id, StandingBid.part == receipt.part)
    )
    now = next((row.bid for row in rows if row.bid.party_id == receipt.party_id), None)
    if now is None:
        return "withdrawn", ""
    return ("standing", "") if now.c == c else ("superseded", now.c if is_own else "")

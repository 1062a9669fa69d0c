"""The whole log of a platform verified from its own tables: what an auditor asks before asking anything else (protocol §4).

Every leaf, every root, every checkpoint; every tick's tree rebuilt from its secret, slots and entries; every row held against the signed
entry it belongs to; every document and record against the hash in its entry. Nothing is repaired and nothing stops at the first fault.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from crypto import checkpoints, merkle, ticks
from crypto.canonical import b64u, loads, unb64u
from crypto.errors import CryptoError
from crypto.signatures import document_hash, kind_of, payload_of
from trading.bidding import floods, stored
from trading.bidding.bids import SealedBid
from trading.bidding.stored import BidErasure
from trading.custody.officers import Policy
from trading.disclosure import rows
from trading.disclosure.gaps import gaps
from trading.kernel import at_rest, guards, log
from trading.kernel.access import Act
from trading.kernel.audit import ActRecord, LogDocument, LogEntry, LogPending
from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.log_ticks import LogTick
from trading.kernel.signed import Difference
from trading.kernel.work import View

BATCH = 2000


@dataclass
class Audit:
    """``faults``: ``{code, where, what}``; ``first_bad``: the c of the earliest entry that is not what was signed or sealed."""

    ticks: int = 0
    entries: int = 0
    root: str = ""
    gaps: list[dict[str, Any]] = field(default_factory=list)
    faults: list[dict[str, str]] = field(default_factory=list)
    first_bad: str = ""

    @property
    def ok(self) -> bool:
        return not self.faults

    def fault(self, code: str, where: str, what: str) -> None:
        self.faults.append({"code": code, "where": where, "what": what})

    def bad_entry(self, c: str, what: str) -> None:
        self.first_bad = self.first_bad or c
        self.fault("ENTRY_ALTERED", f"log_entry {c}", what)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "ticks": self.ticks,
            "entries": self.entries,
            "root": self.root,
            "gaps": self.gaps,
            "faults": self.faults,
            "first_bad": self.first_bad,
        }


def verify(view: View) -> Audit:
    """The whole log. Refuses: NotAllowed (needs ``log.look`` or ``supervise.look``)."""
    view.require(Act.LOG_LOOK)
    found = Audit()
    _entries(view, found)
    _ticks(view, found)
    _documents(view, found)
    _records(view, found)
    verify_rows(view, found)
    _guards(view, found)
    return found


def _entries(view: View, found: Audit) -> None:
    """Each row against its signed envelope, by id: the first that differs is named."""
    keys = (view.office.keys.public,)
    for row in view.session.scalars(select(LogEntry).order_by(LogEntry.id).execution_options(yield_per=BATCH)):
        found.entries += 1
        try:
            value, c = ticks.open_entry(json.loads(row.envelope), keys)
        except (CryptoError, ValueError) as error:
            found.bad_entry(row.c, f"its signature or form: {error}"[:200])
            continue
        wanted = {
            "c": b64u(c),
            "event": value["event"],
            "at": parse_moment(value["at"]),
            "tick_by": parse_moment(value["tick_by"]),
            "tender": value["tender"],
            "lot": value["lot"],
            "part": value["envelope"],
            "statement": value["statement"],
        }
        if wrong := sorted(name for name, one in wanted.items() if getattr(row, name) != one):
            found.bad_entry(row.c, "the row differs from what was signed: " + ", ".join(wrong))


def _ticks(view: View, found: Audit) -> None:
    """Leaves in order, trees rebuilt, roots and checkpoints; entries that are in no tick though their time is up."""
    session, office = view.session, view.office
    key, tree = log.log_key(office.platform, office.keys), merkle.Frontier()
    leaves: list[tuple[int, str]] = []
    for number, row in enumerate(
        session.scalars(select(LogTick).order_by(LogTick.tick).execution_options(yield_per=BATCH))
    ):
        where = f"log_tick {row.tick}"
        try:
            leaf = loads(row.leaf.encode())
            ticks.check_leaf(leaf)
        except CryptoError as error:
            found.fault("LEAF_ALTERED", where, str(error))
            leaf = {"tick": row.tick, "at": write_moment(row.at), "root": ""}
        if (
            row.tick != number
            or leaf["tick"] != number
            or leaf["at"] != write_moment(row.at)
            or (leaves and leaf["at"] <= leaves[-1][1])
        ):
            found.fault("TICK_ORDER", where, "out of order, or another moment than its row's")
        leaves.append((row.tick, leaf["at"]))
        tree.append(row.leaf.encode())
        if _root_of(view, row) != leaf["root"]:
            found.fault("TICK_TREE", where, "secret, slots and entries do not give its root")
            found.first_bad = found.first_bad or _first_of(view, row.tick)
        try:
            note = checkpoints.verify_checkpoint(row.checkpoint, key)
            if (note.size, note.root) != (number + 1, tree.root()):
                raise CryptoError("TICK_PROOF", "another size or root than the log's")
        except CryptoError as error:
            found.fault("CHECKPOINT", where, str(error))
    found.ticks, found.root = len(leaves), b64u(tree.root()) if leaves else ""
    _nodes(view, found)
    found.gaps = gaps(leaves, _busy(view))
    if leaves:
        over = LogEntry.tick_by <= parse_moment(leaves[-1][1])
        waiting = select(LogEntry.c).join(LogPending, LogPending.entry_id == LogEntry.id).where(over)
        for (c,) in session.execute(waiting.order_by(LogEntry.id)):
            found.bad_entry(c, "in no tick, though its time is up")
    unseated = (
        select(LogEntry.c)
        .outerjoin(log.LogSeat, log.LogSeat.entry_id == LogEntry.id)
        .outerjoin(LogPending, LogPending.entry_id == LogEntry.id)
        .where(log.LogSeat.entry_id.is_(None), LogPending.entry_id.is_(None))
    )
    loose = [c for (c,) in session.execute(unseated.order_by(LogEntry.id))]
    listed = floods.without_slot(session, loose)
    for c in floods.badly_listed(session, sorted(listed)):
        found.bad_entry(c, "in no list of the flood it belongs to")
    for c in loose:
        if c in listed:
            continue
        found.bad_entry(c, "neither sealed nor waiting")


def _root_of(view: View, row: LogTick) -> str:
    """The root that secret, slots and entries give, "" where they give none."""
    try:
        return b64u(log.tick_tree(view.session, row).root)
    except (CryptoError, ValueError):
        return ""


def _nodes(view: View, found: Audit) -> None:
    """Every stored subtree from its children, the lowest from the leaves."""
    below: dict[int, bytes] = {}
    level = 0
    while True:
        rows = {
            index: unb64u(name)
            for index, name in view.session.execute(
                select(log.LogNode.index, log.LogNode.hash).where(log.LogNode.level == level)
            )
        }
        if level == 0:
            leaves = view.session.execute(select(LogTick.tick, LogTick.leaf))
            wanted = {tick: merkle.leaf_hash(leaf.encode()) for tick, leaf in leaves}
        else:
            wanted = {
                index: merkle.node_hash(below[2 * index], below[2 * index + 1])
                for index in range(len(below) // 2)
                if 2 * index in below and 2 * index + 1 in below
            }
        for index in sorted(set(rows) | set(wanted)):
            if rows.get(index) != wanted.get(index):
                found.fault("NODE_ALTERED", f"log_node {level}/{index}", "not the hash of what is below it")
        if not rows:
            return
        below, level = rows, level + 1


def _first_of(view: View, tick: int) -> str:
    query = (
        select(LogEntry.c)
        .join(log.LogSeat, log.LogSeat.entry_id == LogEntry.id)
        .where(log.LogSeat.tick == tick)
        .order_by(LogEntry.id)
    )
    return view.session.scalar(query.limit(1)) or ""


def _busy(view: View) -> list[tuple[int, ticks.Busy]]:
    found = []
    for row in view.session.scalars(select(Policy).where(Policy.log_c.is_not(None)).order_by(Policy.id)):
        tick = log.tick_of(view.session, row.log_c or "")
        if tick is not None:
            found.append((tick.tick, ticks.Busy(write_moment(row.deadline), write_moment(row.opens_at))))
    return found


def _documents(view: View, found: Audit) -> None:
    for row in view.session.scalars(select(LogDocument).order_by(LogDocument.id).execution_options(yield_per=BATCH)):
        try:
            name = document_hash(payload_of(json.loads(row.text)) if row.signed else row.text.encode())
        except (CryptoError, ValueError) as error:
            name = str(error)
        if row.signed and name == row.hash and kind_of(json.loads(row.text)) != row.kind:
            name = ""  # a document under another kind's name
        if name != row.hash:
            found.fault("DOCUMENT_ALTERED", f"log_document {row.hash}", f"a {row.kind} that is not the one of its hash")


def _records(view: View, found: Audit) -> None:
    """The record behind each act, against the hash its entry names."""
    rows = view.session.execute(
        select(ActRecord, LogEntry.statement)
        .outerjoin(LogEntry, LogEntry.c == ActRecord.entry_hash)
        .order_by(ActRecord.id)
    )
    for row, statement in rows:
        if statement is None or document_hash(row.payload.encode()) != statement:
            found.fault(
                "RECORD_ALTERED",
                f"act_record {row.entry_hash}",
                f"the record of {row.act} is not the one its entry names",
            )
            continue
        value = json.loads(row.payload)
        told = (value["act"], value["actor"], value["of"], parse_moment(value["at"]))
        if told != (row.act, row.actor, row.of, row.at):
            found.fault("RECORD_ALTERED", f"act_record {row.entry_hash}", "its columns differ from the record")


def verify_rows(view: View, found: Audit) -> None:
    """Values at rest that cannot be read, and every row that an entry or a signed document speaks of (``rows``)."""
    for value, refusal in at_rest.unreadable(view.session):
        found.fault("VALUE_UNREADABLE", f"{value.held.table.name} {value.key}", f"{value.column}: {refusal.code}")
    for one in rows.differences(view):
        add(found, one)


def add(found: Audit, one: Difference) -> None:
    """A difference as a finding."""
    words = f"{one.column} differs from what was signed"
    words += f": stored {one.stored or '-'}, signed {one.signed or '-'}" if one.stored or one.signed else ""
    found.fault("ROW_ALTERED", f"{one.table} {one.row}", words + (f" (entry {one.entry})" if one.entry else ""))


def _guards(view: View, found: Audit) -> None:
    """The triggers that keep append-only tables from being rewritten are there."""
    for table in guards.missing(view.session):
        found.fault("GUARD_MISSING", f"{table} -", "its triggers against rewriting are gone or switched off")


def stored_bytes(view: View, found: Audit) -> None:
    """Every stored bid read from its first byte to its last, against the root its bidder signed. As long as there are bytes."""
    erased = select(BidErasure.bid_id)
    for bid in view.session.scalars(select(SealedBid).where(SealedBid.id.not_in(erased)).order_by(SealedBid.id)):
        where = f"sealed_bid {bid.id}"
        if not view.office.blobs.has(bid.blob):
            found.fault("BYTES_MISSING", where, "its stored bytes are not there")
        elif not stored.is_good(view.office, bid):
            found.fault("BYTES_ALTERED", where, "its stored bytes do not give the root that was signed")

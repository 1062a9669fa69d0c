"""The public log: at each fixed moment all new entries are sealed into one tick, one leaf of an RFC 9162 tree (protocol §4).

The pace follows published facts only (whole minutes; every 10 s round the deadlines of published policies), never load. A missed
moment is never filled in: the gap shows the downtime and its entries go into the next tick. The secret of a tick, its slots and
its entries are kept and released only when every entry of that tick may be disclosed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, String, delete, func, insert, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import checkpoints, merkle, ticks
from crypto.canonical import b64u, dumps, unb64u
from trading.kernel.access import Act
from trading.kernel.audit import LogEntry, LogPending, PlatformKeys
from trading.kernel.clock import floor_second, parse_moment, write_moment
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import NotFound
from trading.kernel.faults import fault
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import UnitOfWork, View


class LogBusy(Base):
    """A published deadline and opening: round them the log ticks every 10 s. Written when its policy is logged."""

    __tablename__ = "log_busy"

    id: Mapped[int] = mapped_column(primary_key=True)
    deadline: Mapped[datetime] = mapped_column(Moment)
    opens_at: Mapped[datetime] = mapped_column(Moment, index=True)


class LogSeat(Base):
    """Where an entry lies: tick and slot."""

    __tablename__ = "log_seat"
    __table_args__ = (Index("ix_log_seat_tick", "tick"),)

    entry_id: Mapped[int] = mapped_column(ForeignKey("log_entry.id"), primary_key=True)
    tick: Mapped[int] = mapped_column(ForeignKey("log_tick.tick"))
    slot: Mapped[int]


class LogNode(Base):
    """A complete subtree of the log: makes roots and proofs logarithmic however long the log is."""

    __tablename__ = "log_node"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(44))


for _table in (LogBusy, LogSeat, LogNode):
    append_only(_table.__table__)  # type: ignore[arg-type]


_TOGETHER = 500
"""Keys named in one question."""
_TREES = 100
"""Trees of ticks held at once."""


def origin(platform: str) -> str:
    """The log's name in checkpoints: one log per platform for ever."""
    return f"{platform}/log"


def log_key(platform: str, keys: PlatformKeys) -> checkpoints.NoteKey:
    return checkpoints.NoteKey(origin(platform), checkpoints.LOG_KEY, keys.log_public)


def announce_busy(work: UnitOfWork, deadline: datetime, opens_at: datetime) -> None:
    """From its tick on, this deadline quickens the log (called when a policy is logged)."""
    work.session.add(LogBusy(deadline=deadline, opens_at=opens_at))
    work.session.flush()


def busy(session: Session, now: datetime) -> list[ticks.Busy]:
    """The deadlines that may quicken the log about now."""
    near = now - timedelta(days=1)
    rows = session.execute(select(LogBusy.deadline, LogBusy.opens_at).where(LogBusy.opens_at >= near).distinct()).all()
    return [ticks.Busy(write_moment(d), write_moment(o)) for d, o in rows]


def last_tick(session: Session) -> LogTick | None:
    return session.scalar(select(LogTick).order_by(LogTick.tick.desc()).limit(1))


def ticks_of(session: Session) -> int:
    """How many ticks the log has."""
    last = session.scalar(select(func.max(LogTick.tick)))
    return 0 if last is None else last + 1


def newest(session: Session) -> datetime | None:
    """The moment of the last tick."""
    return session.scalar(select(func.max(LogTick.at)))


def due_tick(session: Session, now: datetime) -> datetime | None:
    """The scheduled moment that should be sealed now, or None: the newest scheduled one ≤ ``now``, later than the last tick."""
    policies = busy(session, now)
    moment = floor_second(now)
    moment -= timedelta(seconds=moment.second % 10)
    if not ticks.is_tick(write_moment(moment), policies):
        moment = moment.replace(second=0)
    last = newest(session)
    return None if last is not None and last >= moment else moment


def seal(work: UnitOfWork, at: datetime) -> LogTick:
    """Seal every waiting entry into the tick of the moment ``at`` and sign the checkpoint. One transaction; called by the clock.

    Entries of units still open go into the next tick: each has a minute at least (``tick_by``). Refuses: NotReady as ``certain``.
    """
    work.require(Act.CLOCK)
    work.certain()
    session = work.session
    waiting = session.execute(
        select(LogEntry.id, LogEntry.c).join(LogPending, LogPending.entry_id == LogEntry.id).order_by(LogEntry.c)
    ).all()
    last = session.scalar(select(func.max(LogTick.tick)))
    number = 0 if last is None else last + 1
    sealed = ticks.seal_tick(number, write_moment(at), [unb64u(c) for _, c in waiting])
    root = append_leaf(session, number, merkle.leaf_hash(sealed.leaf_bytes))
    fault("log.leaf")
    note = checkpoints.sign_checkpoint(origin(work.office.platform), number + 1, root, work.office.keys.log)
    tick = LogTick(tick=number, at=at, leaf=sealed.leaf_bytes.decode(), secret=sealed.secret, checkpoint=note)
    session.add(tick)
    session.flush()
    if waiting:
        seats = [{"entry_id": entry_id, "tick": number, "slot": sealed.slots[unb64u(c)]} for entry_id, c in waiting]
        session.execute(insert(LogSeat), seats)
        session.execute(delete(LogPending).where(LogPending.entry_id.in_([entry_id for entry_id, _ in waiting])))
    fault("log.sealed")
    return tick


def append_leaf(session: Session, index: int, leaf: bytes) -> bytes:
    """Store the leaf's hash and every subtree it completes; returns the root of the tree that ends with it.

    One query fetches the right edge: the complete subtrees whose sizes are the bits of ``index``.
    """
    wanted = [(level, (index >> level) - 1) for level in range(index.bit_length()) if index >> level & 1]
    rows = (
        session.execute(select(LogNode.level, LogNode.hash).where(tuple_(LogNode.level, LogNode.index).in_(wanted)))
        if wanted
        else ()
    )
    edge = {level: unb64u(text) for level, text in rows}
    if len(edge) != len(wanted):
        raise NotFound("log.node_missing", level=0, index=index)
    node, level, at = leaf, 0, index
    made = [{"level": 0, "index": index, "hash": b64u(leaf)}]
    while at & 1:
        node = merkle.node_hash(edge.pop(level), node)
        level, at = level + 1, at >> 1
        made.append({"level": level, "index": at, "hash": b64u(node)})
    session.execute(insert(LogNode), made)
    for left in (edge[level] for level in sorted(edge)):
        node = merkle.node_hash(left, node)
    return node


def nodes(session: Session, walk: Callable[[merkle.NodeAt], object]) -> merkle.NodeAt:
    """The complete subtrees that ``walk`` asks for, fetched together: which ones a root or a proof needs does not depend on their hashes.

    Refuses: NotFound.
    """
    wanted: dict[tuple[int, int], None] = {}

    def note(level: int, index: int) -> bytes:
        wanted[level, index] = None
        return bytes(32)

    walk(note)
    keys = list(wanted)
    found: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(keys), _TOGETHER):
        rows = session.execute(
            select(LogNode.level, LogNode.index, LogNode.hash).where(
                tuple_(LogNode.level, LogNode.index).in_(keys[start : start + _TOGETHER])
            )
        )
        found |= {(level, index): unb64u(text) for level, index, text in rows}

    def node(level: int, index: int) -> bytes:
        if (level, index) not in found:
            raise NotFound("log.node_missing", level=level, index=index)
        return found[level, index]

    return node


def checkpoint(session: Session) -> str | None:
    """The newest signed checkpoint, or None before the first tick."""
    last = last_tick(session)
    return None if last is None else last.checkpoint


def tlog_proof(session: Session, tick: int, *, size: int | None = None) -> str:
    """The ``tlog-proof@v1`` text of a tick's leaf under the checkpoint of ``size`` leaves (the newest by default)."""
    return _tlog_proofs(session, [tick], _head(session, size))[tick]


def consistency_proof(session: Session, old: int, size: int) -> list[bytes]:
    """That the log of ``size`` leaves continues the one of ``old`` (RFC 9162 §2.1.4)."""
    return merkle.consistency_proof(old, size, nodes(session, lambda at: merkle.consistency_proof(old, size, at)))


def _head(session: Session, size: int | None) -> LogTick:
    head = last_tick(session) if size is None else session.get(LogTick, size - 1)
    if head is None:
        raise NotFound("log.empty")
    return head


def _tlog_proofs(session: Session, numbers: Sequence[int], head: LogTick) -> dict[int, str]:
    size = head.tick + 1
    node = nodes(session, lambda at: [merkle.inclusion_proof(number, size, at) for number in numbers])
    return {
        number: checkpoints.proof_text(number, merkle.inclusion_proof(number, size, node), head.checkpoint)
        for number in numbers
    }


def proof(session: Session, c: str, *, size: int | None = None) -> dict[str, object] | None:
    """The proof of an entry, or None while its tick is not sealed. Refuses: NotFound for an unknown entry."""
    found = proofs(session, [c], size=size)
    if c not in found and session.scalar(select(LogEntry.id).where(LogEntry.c == c)) is None:
        raise NotFound("log.entry_unknown", c=c)
    return found.get(c)


def proofs(session: Session, entries: Sequence[str], *, size: int | None = None) -> dict[str, dict[str, object]]:
    """Proofs of many entries at once; entries still waiting are left out. Each tick's tree is built once, each question asked for many."""
    sealed: dict[int, list[tuple[str, int]]] = {}
    for c, seat in seats(session, entries).items():
        sealed.setdefault(seat.tick, []).append((c, seat.slot))
    if not sealed:
        return {}
    head, numbers = _head(session, size), sorted(sealed)
    made: dict[str, dict[str, object]] = {}
    for start in range(0, len(numbers), _TREES):
        some = numbers[start : start + _TREES]
        texts = _tlog_proofs(session, some, head)
        for row, tree in _trees(session, some):
            leaf = json.loads(row.leaf)
            for c, slot in sealed[row.tick]:
                made[c] = ticks.make_proof(leaf, tree.path(slot), slot, texts[row.tick])
    return made


def _trees(session: Session, numbers: Sequence[int]) -> list[tuple[LogTick, ticks.TickTree]]:
    """Sealed ticks with their trees, in order."""
    held = _held(session, numbers)
    rows = session.scalars(select(LogTick).where(LogTick.tick.in_(numbers)).order_by(LogTick.tick))
    return [(row, ticks.TickTree(row.secret, held[row.tick])) for row in rows]


def tick_tree(session: Session, tick: LogTick) -> ticks.TickTree:
    """The tree of a sealed tick, rebuilt from its secret and entries."""
    return ticks.TickTree(tick.secret, _held(session, [tick.tick])[tick.tick])


def _held(session: Session, numbers: Sequence[int]) -> dict[int, dict[int, bytes]]:
    """tick → slot → entry, for each of these ticks, empty ones too."""
    held: dict[int, dict[int, bytes]] = {number: {} for number in numbers}
    rows = select(LogSeat.tick, LogSeat.slot, LogEntry.c).join(LogEntry, LogEntry.id == LogSeat.entry_id)
    for tick, slot, c in session.execute(rows.where(LogSeat.tick.in_(numbers))):
        held[tick][slot] = unb64u(c)
    return held


def tick_of(session: Session, c: str) -> LogTick | None:
    """The tick an entry was sealed in, or None while it waits."""
    return session.scalar(
        select(LogTick)
        .join(LogSeat, LogSeat.tick == LogTick.tick)
        .join(LogEntry, LogEntry.id == LogSeat.entry_id)
        .where(LogEntry.c == c)
    )


class Seat(NamedTuple):
    """Where an entry was sealed: number and moment of its tick, its slot in it."""

    tick: int
    slot: int
    at: datetime


def seats(session: Session, entries: Sequence[str]) -> dict[str, Seat]:
    """c → seat of many entries at once; those still waiting are left out."""
    found: dict[str, Seat] = {}
    for start in range(0, len(entries), _TOGETHER):
        rows = session.execute(
            select(LogEntry.c, LogSeat.tick, LogSeat.slot, LogTick.at)
            .join(LogSeat, LogSeat.entry_id == LogEntry.id)
            .join(LogTick, LogTick.tick == LogSeat.tick)
            .where(LogEntry.c.in_(list(entries[start : start + _TOGETHER])))
        )
        found |= {c: Seat(tick, slot, at) for c, tick, slot, at in rows}
    return found


def size(view: View) -> int:
    """How many ticks the log has: a function of the clock alone."""
    return int(view.session.scalar(select(func.count()).select_from(LogTick)) or 0)


def leaf_moment(leaf: str) -> datetime:
    return parse_moment(json.loads(leaf)["at"])


def leaf_text(leaf: dict[str, object]) -> str:
    return dumps(leaf).decode()

"""The log in a bundle: receipts with proofs under one checkpoint, the run of tick leaves, checkpoints, named gaps, released secrets.

The leaves start with the first tick of the lot. What lies before is given as leaf hashes, up to a million of them, and older history as
the roots of its complete subtrees: so every checkpoint somebody kept can be compared, and the root of any size be rebuilt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto import ticks
from crypto.canonical import b64u, unb64u
from trading.disclosure.bundle import File, bytes_file, canonical_file, json_file
from trading.disclosure.gaps import gaps
from trading.kernel import log, restored
from trading.kernel.audit import LogEntry
from trading.kernel.errors import TooEarly
from trading.kernel.log_ticks import LogTick
from trading.kernel.work import View

HASHES_BEFORE = 1 << 20
"""Leaf hashes of older ticks a bundle carries at most: two years of a quiet log, 32 MiB."""


def log_files(
    view: View, entries: Mapping[str, LogEntry], *, ref: str, policies: Mapping[str, Mapping[str, Any]], audit: bool
) -> list[File]:
    """Receipts, leaves, checkpoints, gaps, declared ones and (``audit``) the secrets of ticks that hold nothing but these entries.
    ``policies``: c of the entry → policy. Refuses: TooEarly ``bundle.log_waiting`` for a log without a tick."""
    session = view.session
    last = log.last_tick(session)
    if last is None:
        raise TooEarly("bundle.log_waiting", ref=ref)
    where = log.seats(session, sorted(entries))
    files = _receipts(session, entries, last.tick + 1)
    first = min((where[c].tick for c, entry in entries.items() if entry.event != "key-enrolled"), default=last.tick)
    files += _leaves(session, first, last.tick)
    rows = [(row.tick, _at(row.leaf)) for row in _ticks(session, first, last.tick)]
    busy = [
        (where[c].tick, ticks.Busy(policy["deadline"], policy["opens_at"]))
        for c, policy in policies.items()
        if c in where
    ]
    files.append(json_file("log/gaps.json", gaps(rows, busy)))
    sizes = {
        where[c].tick + 1 for c, entry in entries.items() if entry.event in ("deadline", "draw-commit", "sheet-commit")
    }
    for size in sorted(sizes | {last.tick + 1}):
        row = session.get(LogTick, size - 1)
        assert row is not None
        files.append(bytes_file(f"log/checkpoints/{size}.txt", row.checkpoint.encode()))
    if lost := restored.files(session, view.office.keys.public, size=last.tick + 1):
        files.append(json_file("log/declared.json", lost))
    if audit:
        files += _secrets(session, where)
    return files


def _receipts(session: Session, entries: Mapping[str, LogEntry], size: int) -> list[File]:
    proofs = log.proofs(session, sorted(entries), size=size)
    return [
        json_file(f"entries/{c}.json", {"entry": json.loads(entry.envelope), "proof": proofs[c]})
        for c, entry in sorted(entries.items())
    ]


def _ticks(session: Session, first: int, last: int) -> list[LogTick]:
    return list(session.scalars(select(LogTick).where(LogTick.tick.between(first, last)).order_by(LogTick.tick)))


def _leaves(session: Session, first: int, last: int) -> list[File]:
    start = max(0, first - HASHES_BEFORE)
    edge = edge_of(start)
    node = log.nodes(session, lambda at: [at(level, index) for level, index in edge])
    rows = session.execute(
        select(log.LogNode.hash)
        .where(log.LogNode.level == 0, log.LogNode.index >= start, log.LogNode.index < first)
        .order_by(log.LogNode.index)
    )
    before = b"".join(unb64u(row[0]) for row in rows)
    leaves = "".join(row.leaf + "\n" for row in _ticks(session, first, last))
    return [
        canonical_file(
            "log/start.json",
            {"v": 1, "edge": [b64u(node(level, index)) for level, index in edge], "first": first, "start": start},
        ),
        bytes_file("log/before", before),
        bytes_file("log/leaves.txt", leaves.encode()),
    ]


def edge_of(size: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees a log of ``size`` leaves is made of, largest first."""
    parts, at = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            parts.append((level, at >> level))
            at += 1 << level
    return parts


def _secrets(session: Session, where: Mapping[str, log.Seat]) -> list[File]:
    """Only ticks all of whose entries are here: a secret tells real siblings from empty ones (protocol §4)."""
    held: dict[int, list[tuple[str, int]]] = {}
    for c, seat in where.items():
        held.setdefault(seat.tick, []).append((c, seat.slot))
    files = []
    for tick in sorted(held):
        row = session.get(LogTick, tick)
        count = session.query(log.LogSeat).filter(log.LogSeat.tick == tick).count()
        if row is not None and count == len(held[tick]):
            files.append(
                canonical_file(
                    f"ticks/{tick}.json",
                    {
                        "v": 1,
                        "tick": tick,
                        "secret": b64u(row.secret),
                        "entries": [{"c": c, "slot": slot} for c, slot in sorted(held[tick])],
                    },
                )
            )
    return files


def _at(leaf: str) -> str:
    return str(json.loads(leaf)["at"])

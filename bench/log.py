"""The public log: appending, proving and checking a million ticks.

Rivals: pymerkle, the common Python library for the same tree (installed for benchmarks only), and for the full check a bare loop
of hashlib over the same bytes, which is the least that any checker must do.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import warnings
from typing import Any

from bench.race import Row, race, row, skipped
from crypto import merkle

WHY = "pymerkle is not installed (make bench installs it)"


def run(quick: bool) -> list[Row]:
    size = 100_000 if quick else 1_000_000
    entries = [b"bidhall/tick/%d\n%s\n" % (at, hashlib.sha256(b"%d" % at).hexdigest().encode()) for at in range(size)]
    rows = [_verification(entries)]
    ours = merkle.Tree()
    for entry in entries:
        ours.append(entry)
    pymerkle = _pymerkle()
    rival: Any = None if pymerkle is None else pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries if rival else ():
        rival.append_entry(entry)
    if rival is not None and rival.get_root() != ours.root():
        raise AssertionError("the two trees disagree")
    rows += [
        _append(entries, pymerkle),
        _prove("inclusion", ours, rival, size),
        _prove("consistency", ours, rival, size),
    ]
    return rows


def _append(entries: list[bytes], pymerkle: Any) -> Row:
    batch = entries[: len(entries) // 5]

    def ours() -> None:
        tree = merkle.Tree()
        for entry in batch:
            tree.append(entry)

    def rival() -> None:
        tree = pymerkle.InmemoryTree(algorithm="sha256")
        for entry in batch:
            tree.append_entry(entry)

    workload = f"append {len(batch):,} ticks"
    if pymerkle is None:
        (mine,) = race(ours, rounds=3)
        return skipped(
            workload=workload, rival_name="pymerkle", goal=">= 6", why=WHY, ours=len(batch) / mine, unit="ticks/s"
        )
    mine, theirs = race(ours, rival, rounds=3)
    return row(
        workload=workload, ours=len(batch) / mine, unit="ticks/s", rival=len(batch) / theirs, rival_name="pymerkle",
        ratio=theirs / mine, goal=">= 6",
    )  # fmt: skip


def _prove(kind: str, ours: merkle.Tree, rival: Any, size: int) -> Row:
    """Proofs at random places of the whole tree."""
    chance = random.Random(20261124)
    places = [chance.randrange(1, size) for _ in range(1000)]
    workload = f"{len(places):,} {kind} proofs among {size:,} ticks"
    if kind == "inclusion":
        mine_of, their_of = (lambda at: ours.inclusion(at - 1, size)), (lambda at: rival.prove_inclusion(at, size))
    else:
        mine_of, their_of = (lambda at: ours.consistency(at, size)), (lambda at: rival.prove_consistency(at, size))
    if rival is None:
        (mine,) = race(lambda: [mine_of(at) for at in places])
        return skipped(
            workload=workload, rival_name="pymerkle", goal=">= 6", why=WHY, ours=len(places) / mine, unit="proofs/s"
        )
    mine, theirs = race(lambda: [mine_of(at) for at in places], lambda: [their_of(at) for at in places])
    return row(
        workload=workload, ours=len(places) / mine, unit="proofs/s", rival=len(places) / theirs, rival_name="pymerkle",
        ratio=theirs / mine, goal=">= 6",
    )  # fmt: skip


def _verification(entries: list[bytes]) -> Row:
    roots: list[bytes] = []
    mine, bare = race(lambda: roots.append(merkle.root(entries)), lambda: roots.append(_bare_root(entries)), rounds=3)
    if len(set(roots)) != 1:
        raise AssertionError("the two roots disagree")
    return row(
        workload=f"check {len(entries):,} ticks against the root", ours=len(entries) / mine, unit="ticks/s", rival=len(entries) / bare,
        rival_name="bare hashlib loop", ratio=bare / mine, goal=">= 0.67", notes="0.67: at most 1.5 times as long",
    )  # fmt: skip


def _bare_root(entries: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, level by level, with nothing checked and nothing kept."""
    sha256 = hashlib.sha256
    level = [sha256(b"\0" + entry).digest() for entry in entries]
    while len(level) > 1:
        odd = level[-1:] if len(level) & 1 else []
        level = [sha256(b"\1" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)] + odd
    return level[0]


def _pymerkle() -> Any:
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="pymerkle")
    try:
        return importlib.import_module("pymerkle")
    except ImportError:
        return None

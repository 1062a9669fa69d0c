"""Claim `log`: leaves, gaps, checkpoints, proofs of one tree, lists against deadlines, rebuilt ticks (C2, C3, A2, K1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crypto import checkpoints, merkle, ticks
from crypto.canonical import b64u, later, loads, unb64u
from crypto.checkpoints import Checkpoint
from crypto.errors import CryptoError
from crypto.opening import hash_of_list
from crypto.receipts import verify_receipt
from crypto.signatures import document_hash
from trading.disclosure.gaps import gaps
from trading.kernel.declared import Gap, of_record
from web.verifier.material import BID, Material

DECLARED = "log/declared.json"
SEALED_WITHIN = 60
"""Seconds after its moment within which a tick is built: entries signed meanwhile may still go into it: the next is due then."""


@dataclass
class Log:
    """The log as the bundle shows it. ``roots``: size → root, of every size that something speaks of; ``leaves`` begin with ``first``;
    ``lost``: the gaps that were declared."""

    start: int = 0
    first: int = 0
    leaves: list[dict[str, Any]] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    shown: dict[int, Checkpoint] = field(default_factory=dict)
    lost: list[Gap] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.first + len(self.leaves)

    def leaf(self, tick: int) -> dict[str, Any]:
        """Refuses: TICK_PROOF for a tick that is not shown."""
        if not self.first <= tick < self.size:
            raise CryptoError("TICK_PROOF", f"tick {tick} is not among the leaves")
        return self.leaves[tick - self.first]

    def root_after(self, tick: int) -> bytes:
        """The root of the checkpoint that first holds a tick. Refuses: TICK_PROOF."""
        if tick + 1 not in self.roots:
            raise CryptoError("TICK_PROOF", f"no root of {tick + 1} leaves")
        return self.roots[tick + 1]


def check(material: Material, known_checkpoint: str | None = None) -> Log:
    """All of the claim. Never refuses; returns what of the log could be read, for the other claims."""
    log = Log()
    findings = material.findings
    with findings.guard("log", "B_PROOF", "log/"):
        _read(material, log, known_checkpoint)
    with findings.guard("log", "B_GAP", "log/leaves.txt"):
        ticks.check_leaves(log.leaves, log.first)
    _check_checkpoints(material, log)
    _check_proofs(material, log)
    with findings.guard("log", "B_GAP", "log/gaps.json"):
        _check_gaps(material, log)
    with findings.guard("log", "B_GAP", "entries/lists/"):
        _check_lists(material)
    _check_ticks(material)
    with findings.guard("log", "B_PROOF", DECLARED):
        log.lost = _declared(material, log)
    if known_checkpoint is not None:
        with findings.guard("log", "B_CHECKPOINT", "the checkpoint known from before"):
            _check_known(material, log, known_checkpoint)
    if log.leaves:
        words = f"{len(log.leaves)} ticks to {log.leaves[-1]['at']}, {len(material.entries)} entries proved under one checkpoint"
        findings.checked("log", words + (", unwitnessed" if material.trust.unwitnessed else ""))
    return log


def _read(material: Material, log: Log, known: str | None) -> None:
    archive, wanted = material.archive, _wanted(material, known)
    start = loads(archive.read("log/start.json"))
    log.start, log.first = start["start"], start["first"]
    edge = [unb64u(one, 32) for one in start["edge"]]
    before = archive.read("log/before")
    if (
        not 0 <= log.start <= log.first
        or len(before) != 32 * (log.first - log.start)
        or len(edge) != log.start.bit_count()
    ):
        raise CryptoError("TICK_PROOF", "the start of the log does not fit its leaves")
    raw = archive.read("log/leaves.txt")
    lines = raw.split(b"\n")
    if lines.pop() != b"":
        raise CryptoError("TICK_PROOF", "the last leaf is cut off")
    tree = _Edge(log.start, edge)
    wanted |= {log.start, log.first + len(lines)}
    log.roots[log.start] = tree.root()
    for i in range(0, len(before), 32):
        tree.append(before[i : i + 32])
        if tree.size in wanted:
            log.roots[tree.size] = tree.root()
    for line in lines:
        leaf = loads(line)
        ticks.check_leaf(leaf)
        log.leaves.append(leaf)
        tree.append(merkle.leaf_hash(line))
        if tree.size in wanted:
            log.roots[tree.size] = tree.root()


def _wanted(material: Material, known: str | None) -> set[int]:
    """The sizes whose roots something here speaks of."""
    proven = [e.proven for e in material.entries.values() if e.proven is not None]
    found = {p.tick + 1 for p in proven} | {p.checkpoint.size for p in proven}
    texts = [
        path.removeprefix("log/checkpoints/").removesuffix(".txt")
        for path in material.archive.below("log/checkpoints/")
    ]
    texts += (known or "").split("\n")[1:2]
    if DECLARED in material.archive.files:
        texts += [str(one["record"]["facts"]["ticks"]) for one in json.loads(material.archive.read(DECLARED))]
    return found | {int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 16}


class _Edge:
    """The right edge of an RFC 9162 tree that goes on from given complete subtrees (their sizes are the bits of ``size``)."""

    def __init__(self, size: int, edge: list[bytes]) -> None:
        self.size, self._edge = size, list(edge)

    def append(self, leaf: bytes) -> None:
        size = self.size
        while size & 1:
            leaf = merkle.node_hash(self._edge.pop(), leaf)
            size >>= 1
        self._edge.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self._edge:
            return merkle.EMPTY_ROOT
        value = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            value = merkle.node_hash(left, value)
        return value


def _check_checkpoints(material: Material, log: Log) -> None:
    findings, trust = material.findings, material.trust
    for path in material.archive.below("log/checkpoints/"):
        with findings.guard("log", "B_CHECKPOINT", path):
            note = material.archive.read(path, 1 << 20).decode("utf-8")
            found = checkpoints.verify_checkpoint(note, trust.log_key, trust.witnesses)
            log.shown[found.size] = found
            if path != f"log/checkpoints/{found.size}.txt":
                raise CryptoError("TICK_PROOF", "a checkpoint of another size than its name")
            if log.roots.get(found.size) != found.root:
                findings.fault("log", "B_PROOF", f"{path} is not the root of the leaves shown")
    final = log.shown.get(log.size)
    if final is None:
        findings.fault("log", "B_CHECKPOINT", "there is no checkpoint over the last leaf")
    elif len({name for name, _ in final.cosigned}) < trust.quorum:
        findings.fault("log", "B_CHECKPOINT", "the final checkpoint lacks the quorum of witnesses")


def _check_proofs(material: Material, log: Log) -> None:
    """Every proof hangs on a root the leaves give, and no entry came later than its signature promised."""
    moments = [leaf["at"] for leaf in log.leaves]
    for entry in material.of_event(*ticks.EVENTS):
        if entry.proven is None:
            continue
        with material.findings.guard("log", "B_PROOF", f"{entry.event} {entry.c}"):
            if log.roots.get(entry.proven.checkpoint.size) != entry.proven.checkpoint.root:
                raise CryptoError("TICK_PROOF", "proved under a checkpoint of another log")
            if entry.tick >= log.first and log.leaf(entry.tick) != entry.proven.leaf:
                raise CryptoError("TICK_PROOF", "proved with another leaf")
            if entry.at > later(entry.proven.at, SEALED_WITHIN):
                raise CryptoError("TICK_PROOF", "in a tick before it was signed")
            due = min((at for at in _from(moments, entry.value["tick_by"])), default="")
            if due and entry.tick >= log.first and entry.proven.at > due:
                raise CryptoError("LOG_OMISSION", f"not in the tick of {due}, in which it had to be")


def _from(moments: list[str], at: str) -> Iterator[str]:
    """The first moment at or after ``at``: moments rise."""
    from bisect import bisect_left

    place = bisect_left(moments, at)
    if place < len(moments):
        yield moments[place]


def _check_gaps(material: Material, log: Log) -> None:
    """Every tick that was due by this bundle's policies, and is not there, is named."""
    busy = []
    for entry in material.of_event("policy"):
        document = material.documents.get(entry.value["statement"])
        if document is not None and entry.proven is not None:
            busy.append((entry.tick, ticks.Busy(document.value["deadline"], document.value["opens_at"])))
    found = gaps([(leaf["tick"], leaf["at"]) for leaf in log.leaves], busy)
    named = {row["after"]: row for row in json.loads(material.archive.read("log/gaps.json"))}
    for gap in found:
        if named.get(gap["after"]) != gap:
            words = f"{gap['count']} ticks due from {gap['first']} to {gap['last']} are missing and not named"
            material.findings.fault("log", "B_GAP", words)
    if found:
        material.findings.checked("log", f"{sum(gap['count'] for gap in found)} missed ticks named as gaps")


def _check_lists(material: Material) -> None:
    """An opened list gives its deadline's hash, and every c on it is here."""
    for path in material.archive.below("entries/lists/"):
        envelope = path.removeprefix("entries/lists/").removesuffix(".json")
        listed = loads(material.archive.read(path))
        entries = material.of_event("deadline", envelope=envelope)
        if len(entries) != 1:
            material.findings.fault("log", "B_GAP", f"{len(entries)} deadline entries of {envelope} instead of one")
        for entry in entries:
            if hash_of_list(listed) != material.spoken_of(entry).value["entries"]:
                material.findings.fault("log", "B_GAP", f"{path} is not the list its deadline commits to")
        for c in listed["entries"]:
            if c not in material.entries:
                material.findings.fault("log", "B_GAP", f"listed entry {c} is missing")


def entry_list(material: Material, envelope: str = BID) -> list[str]:
    """The c of an opened list. Raises KeyError where there is none."""
    found: list[str] = loads(material.archive.read(f"entries/lists/{envelope}.json"))["entries"]
    return found


def _check_ticks(material: Material) -> None:
    for path in material.archive.below("ticks/"):
        with material.findings.guard("log", "B_TICK", path):
            released = loads(material.archive.read(path))
            held = {row["slot"]: unb64u(row["c"], 32) for row in released["entries"]}
            if len(held) != len(released["entries"]):
                raise CryptoError("TICK_PROOF", "a slot twice")
            root = ticks.rebuild_root(unb64u(released["secret"], 32), held)
            proven = [material.entries[b64u(c)].proven for c in held.values()]
            if not proven or any(
                p is None or p.tick != released["tick"] or unb64u(p.leaf["root"]) != root for p in proven
            ):
                raise CryptoError("TICK_PROOF", "secret, slots and entries do not give the tick's root")
            if path != f"ticks/{released['tick']}.json":
                raise CryptoError("TICK_PROOF", "another tick than its name")


def _declared(material: Material, log: Log) -> list[Gap]:
    """The gaps the platform declared, each proved: its record by its entry, that by the log, in the very tick after the copy; and that the
    copy was of this log. They are told, whatever else holds.

    Refuses: SIG, TICK_PROOF, CONTEXT_MISMATCH, JSON_PROFILE."""
    if DECLARED not in material.archive.files:
        return []
    found = []
    for one in json.loads(material.archive.read(DECLARED)):
        receipt = verify_receipt(
            {"entry": one["entry"], "proof": one["proof"]}, material.trust.platform_keys, material.trust.log_key
        )
        assert receipt.proven is not None
        if receipt.entry["event"] != "act" or receipt.entry["statement"] != document_hash(one["record"]):
            raise CryptoError("CONTEXT_MISMATCH", "the record is not the one its entry names")
        gap, proven = of_record(one["record"]), receipt.proven
        if log.roots.get(proven.checkpoint.size) != proven.checkpoint.root:
            raise CryptoError("TICK_PROOF", "proved under a checkpoint of another log")
        if proven.tick != gap.ticks:
            raise CryptoError("TICK_PROOF", "declared in another tick than the first after the copy")
        if gap.ticks in log.roots and gap.ticks and b64u(log.roots[gap.ticks]) != gap.root:
            raise CryptoError("TICK_PROOF", "the copy was of another log")
        found.append(gap)
        material.findings.told("log", "lost", f"{gap.lost} ticks after {gap.ticks} (restored {gap.restored_at})")
    return found


def _check_known(material: Material, log: Log, note: str) -> None:
    known = checkpoints.verify_checkpoint(note, material.trust.log_key, material.trust.witnesses)
    goes_on = known.size <= log.size and log.roots.get(known.size) == known.root
    if not goes_on and any(gap.covers(known) for gap in log.lost):
        words = f"does NOT continue the checkpoint of {known.size} ticks known from before: it lies in a gap the platform declared"
        material.findings.checked("log", words)
        material.findings.told("log", "known_lost", f"{known.size}")
        return
    if known.size > log.size:
        raise CryptoError(
            "TICK_PROOF", f"the log shown has {log.size} ticks, the known one {known.size}: it has shrunk, or is older"
        )
    if known.size < log.start:
        raise CryptoError("TICK_PROOF", f"older than the log shown, which begins with tick {log.start}")
    if log.roots.get(known.size) != known.root:
        raise CryptoError("TICK_PROOF", "the log shown does not continue the one known")
    material.findings.checked("log", f"continues the checkpoint of {known.size} ticks known from before")

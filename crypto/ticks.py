"""What goes into the public log: entries, when it ticks, the tree of one tick, and the proof of one entry.

Implements the protocol, section 4. Every tick is one leaf of the log whatever it holds: its tree is sparse, depth 24,
each entry in a random slot, and what is empty looks like what is not (a HMAC under a secret fresh for the tick). So
the log's pace, its size and the proofs bidders hold tell nothing about the number of bids.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from crypto import checkpoints, merkle
from crypto.canonical import H, b64u, dumps, format_time, later, parse_time, unb64u
from crypto.errors import CODES, CryptoError
from crypto.signatures import Envelope, payload_of, sign, verify_any

DEPTH = 24
MAX_TEXT = 128
PUBLIC_EVENTS = frozenset(
    (
        "policy",
        "drill",
        "published",
        "deadline",
        "late-close",
        "opening-set",
        "opened",
        "bid-failed",
        "finding",
        "draw-notice",
        "commit-list",
        "draw",
        "draw-void",
        "ranking",
    )
)
HIDDEN_EVENTS = frozenset(
    (
        "act",
        "key-enrolled",
        "bid-received",
        "bid-replaced",
        "bid-withdrawn",
        "bid-refused",
        "bid-refusals",
        "mirror-ack",
        "omission-claim",
        "bidder-part",
        "shares",
        "rescue",
        "draw-commit",
        "draw-reveal",
        "sheet-commit",
        "sheet",
    )
)
EVENTS = PUBLIC_EVENTS | HIDDEN_EVENTS
WITH_REASON = frozenset(("bid-refused", "bid-failed"))
ENTRY_KEYS = frozenset(
    ("v", "id", "salt", "at", "tick_by", "event", "tender", "lot", "envelope", "statement", "reason")
)
REFUSALS_WITH_SLOT = 8
_sha256 = hashlib.sha256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# entries


def tick_by(at: str) -> str:
    """The first whole minute at least 60 s after `at`: the tick by which an entry must be in the log."""
    moment = parse_time(later(at, 119))
    return format_time(moment.replace(second=0))


def make_entry(
    *, at: str, event: str, statement: str = "", tender: str = "", lot: str = "", envelope: str = "", reason: str = ""
) -> dict[str, Any]:
    """A fresh entry: id and salt from the system's generator. Refuses: JSON_PROFILE for what cannot stand in one."""
    entry = {
        "v": 1,
        "id": b64u(secrets.token_bytes(16)),
        "salt": b64u(secrets.token_bytes(32)),
        "at": at,
        "tick_by": tick_by(at),
        "event": event,
        "tender": tender,
        "lot": lot,
        "envelope": envelope,
        "statement": statement,
        "reason": reason,
    }
    check_entry(entry)
    return entry


def check_entry(entry: Any) -> None:
    """The rules of an entry. Refuses: JSON_PROFILE for other keys, events, lengths, reasons or tick_by."""
    if type(entry) is not dict or entry.keys() != ENTRY_KEYS:
        raise CryptoError("JSON_PROFILE", "an entry has exactly its eleven keys")
    if type(entry["v"]) is not int or entry["v"] != 1:
        raise CryptoError("JSON_PROFILE", "an entry of another version")
    for name in ("event", "tender", "lot", "envelope", "statement", "reason"):
        value = entry[name]
        if type(value) is not str or len(value.encode("utf-8", "surrogatepass")) > MAX_TEXT:
            raise CryptoError("JSON_PROFILE", f"{name} is a text of at most 128 bytes")
    unb64u(entry["id"], 16)
    unb64u(entry["salt"], 32)
    if entry["statement"]:
        unb64u(entry["statement"], 32)
    if entry["event"] not in EVENTS:
        raise CryptoError("JSON_PROFILE", "an event unknown to the protocol")
    if (entry["reason"] not in CODES) if entry["event"] in WITH_REASON else entry["reason"] != "":
        raise CryptoError("JSON_PROFILE", "a reason where none belongs, or none where one does")
    if entry["tick_by"] != tick_by(entry["at"]):
        raise CryptoError("JSON_PROFILE", "tick_by does not follow from at")


def commitment(entry: Any) -> bytes:
    """c, the 32 bytes that stand for an entry in the log (its value, or its canonical bytes)."""
    return H("log", bytes(entry) if isinstance(entry, (bytes, bytearray)) else dumps(entry))


def sign_entry(entry: Mapping[str, Any], secret: bytes) -> Envelope:
    """The entry signed by the platform."""
    check_entry(entry)
    return sign("entry", dict(entry), secret)


def open_entry(envelope: Any, platform_keys: Iterable[bytes]) -> tuple[dict[str, Any], bytes]:
    """(entry, c) of an entry signed by a key of the platform. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    entry, _ = verify_any(envelope, "entry", platform_keys)
    check_entry(entry)
    return entry, commitment(payload_of(envelope))


# schedule


@dataclass(frozen=True)
class Busy:
    """The deadline and opening of a policy already sealed: round them the log ticks every 10 s."""

    deadline: str
    opens_at: str

    @cached_property
    def span(self) -> tuple[int, int]:
        """First and last unix second of the busy time, both included."""
        return unix(self.deadline) - 3600, unix(self.opens_at) + 7200


def is_tick(at: str, policies: Iterable[Busy]) -> bool:
    """Whether the schedule has a tick at this second."""
    second = unix(at)
    return second % 60 == 0 or (second % 10 == 0 and any(p.span[0] <= second <= p.span[1] for p in policies))


def next_tick(after: str, policies: Sequence[Busy]) -> str:
    """The first scheduled moment strictly later than `after`."""
    start = unix(after)
    moments = _moments(start + 1, start + 60, policies)
    return _text(moments[0])


def schedule(start: str, end: str, policies: Sequence[Busy]) -> list[str]:
    """Every scheduled moment from `start` to `end`, both included."""
    return [_text(moment) for moment in _moments(unix(start), unix(end), policies)]


def due(start: str, end: str, policies: Sequence[Busy]) -> tuple[int, str, str]:
    """How many moments `schedule` gives, the first and the last of them: a long downtime is not written out. ValueError for none."""
    moments = _moments(unix(start), unix(end), policies)
    if not moments:
        raise ValueError("no moment was scheduled")
    return len(moments), _text(moments[0]), _text(moments[-1])


def _moments(first: int, last: int, policies: Iterable[Busy]) -> list[int]:
    moments = set(range(first + -first % 60, last + 1, 60))
    for low, high in {policy.span for policy in policies}:
        low, high = max(low, first), min(high, last)
        moments.update(range(low + -low % 10, high + 1, 10))
    return sorted(moments)


def _text(second: int) -> str:
    return format_time(_EPOCH + timedelta(seconds=second))


def missing_ticks(ticks: Iterable[str], policies: Sequence[Busy]) -> list[str]:
    """Scheduled moments between the first and the last tick at which there is none: the downtime, named."""
    have = set(ticks)
    return [m for m in schedule(min(have), max(have), policies) if m not in have] if have else []


def closing_tick(ticks: Iterable[str], deadline: str) -> str:
    """The `at` of the first tick at least 60 s after the deadline; "" as long as there is none."""
    return min((at for at in ticks if at >= later(deadline, 60)), default="")


def is_late_close(closing: str, deadline: str) -> bool:
    """Whether the closing tick came more than 10 minutes after the deadline, so that a `late-close` is due."""
    return closing > later(deadline, 600)


# the tree of a tick


class TickTree:
    """The sparse tree of one tick. `entries`: slot -> c. Secret, slots and all c rebuild it: nothing else can hide."""

    def __init__(self, secret: bytes, entries: Mapping[int, bytes]) -> None:
        if len(secret) != 32:
            raise ValueError("a tick secret has 32 bytes")
        if any(not 0 <= slot < 1 << DEPTH or len(c) != 32 for slot, c in entries.items()):
            raise ValueError("a slot beyond the tree, or a commitment that is not 32 bytes")
        self.secret = secret
        row = {slot: _sha256(b"\0" + c).digest() for slot, c in entries.items()}
        self._rows = [row]
        for level in range(DEPTH):
            above: dict[int, bytes] = {}
            for index, value in row.items():
                parent = index >> 1
                if parent in above:
                    continue
                sibling = row.get(index ^ 1)
                if sibling is None:
                    sibling = empty_node(secret, level, index ^ 1)
                left, right = (sibling, value) if index & 1 else (value, sibling)
                above[parent] = _sha256(b"\1" + left + right).digest()
            row = above
            self._rows.append(row)
        self.root = row[0] if row else empty_node(secret, DEPTH, 0)

    def path(self, slot: int) -> bytes:
        """The 24 siblings of an entry, lowest first: 768 bytes."""
        if slot not in self._rows[0]:
            raise KeyError(slot)
        parts = []
        for level in range(DEPTH):
            index = (slot >> level) ^ 1
            found = self._rows[level].get(index)
            parts.append(empty_node(self.secret, level, index) if found is None else found)
        return b"".join(parts)


def empty_node(secret: bytes, level: int, index: int) -> bytes:
    """What stands for a maximal empty subtree: looks like any node to whoever lacks the secret."""
    return hmac.digest(secret, b"bidhall/sb1/empty\0" + bytes((level,)) + index.to_bytes(4, "big"), "sha256")


def random_slots(count: int) -> list[int]:
    """Fresh, unique, uniformly random slots."""
    if count > 1 << (DEPTH - 1):
        raise ValueError("more entries than a tick may hold")
    found: dict[int, None] = {}
    while len(found) < count:
        found[secrets.randbelow(1 << DEPTH)] = None
    return list(found)


@dataclass(frozen=True)
class SealedTick:
    """One tick, sealed: its secret (keep it), the slot of each commitment, its tree and its leaf in the log."""

    secret: bytes
    slots: dict[bytes, int]
    tree: TickTree
    leaf: dict[str, Any]

    @property
    def leaf_bytes(self) -> bytes:
        """The log's entry: the canonical bytes of the leaf."""
        return dumps(self.leaf)


def seal_tick(tick: int, at: str, commitments: Iterable[bytes]) -> SealedTick:
    """Seals all commitments of a tick under a fresh secret. Two equal commitments are a defect: ValueError."""
    found = list(commitments)
    slots = dict(zip(found, random_slots(len(found)), strict=True))
    if len(slots) != len(found):
        raise ValueError("a commitment stands twice in one tick")
    secret = secrets.token_bytes(32)
    tree = TickTree(secret, {slot: c for c, slot in slots.items()})
    return SealedTick(secret, slots, tree, make_leaf(tick, at, tree.root))


def make_leaf(tick: int, at: str, root: bytes) -> dict[str, Any]:
    """The log's leaf for a tick."""
    leaf = {"at": at, "root": b64u(root), "tick": tick, "v": 1}
    check_leaf(leaf)
    return leaf


def check_leaf(leaf: Any) -> None:
    """Refuses: JSON_PROFILE unless it is exactly {at, root, tick, v}."""
    if (
        type(leaf) is not dict
        or leaf.keys() != {"at", "root", "tick", "v"}
        or type(leaf["v"]) is not int
        or leaf["v"] != 1
        or type(leaf["tick"]) is not int
        or leaf["tick"] < 0
    ):
        raise CryptoError("JSON_PROFILE", "a tick leaf is exactly at, root, tick, v")
    parse_time(leaf["at"])
    unb64u(leaf["root"], 32)


def check_leaves(leaves: Sequence[Any], first: int = 0) -> None:
    """Consecutive leaves of a log: tick = index, `at` strictly rising. Refuses: JSON_PROFILE."""
    before = ""
    for number, leaf in enumerate(leaves, first):
        check_leaf(leaf)
        if leaf["tick"] != number or leaf["at"] <= before:
            raise CryptoError("JSON_PROFILE", f"leaf {number} is out of order")
        before = leaf["at"]


def rebuild_root(secret: bytes, entries: Mapping[int, bytes]) -> bytes:
    """The root that a released secret, the slots and all c give; compare it with the leaf's."""
    return TickTree(secret, entries).root


# proofs


@dataclass(frozen=True)
class ProvenTick:
    """What a proof has shown: the tick's leaf, and the checkpoint of the log that holds it."""

    leaf: dict[str, Any]
    checkpoint: checkpoints.Checkpoint

    @property
    def at(self) -> str:
        return str(self.leaf["at"])

    @property
    def tick(self) -> int:
        return int(self.leaf["tick"])


def make_proof(leaf: Mapping[str, Any], path: bytes, slot: int, tlog: str) -> dict[str, Any]:
    """The proof of one entry. `tlog`: the tlog-proof@v1 text for the leaf."""
    return {"leaf": dict(leaf), "path": b64u(path), "slot": b64u(slot.to_bytes(3, "big")), "tlog": tlog, "v": 1}


def verify_proof(
    proof: Any, c: bytes, log_key: checkpoints.NoteKey, witnesses: Sequence[checkpoints.NoteKey] = ()
) -> ProvenTick:
    """That the entry with commitment `c` is in the tick and the tick in the log. Refuses: TICK_PROOF for any flaw."""
    try:
        return _verify_proof(proof, c, log_key, witnesses)
    except CryptoError as error:
        raise CryptoError("TICK_PROOF", error.detail) from error


def _verify_proof(
    proof: Any, c: bytes, log_key: checkpoints.NoteKey, witnesses: Sequence[checkpoints.NoteKey]
) -> ProvenTick:
    if (
        type(proof) is not dict
        or proof.keys() != {"leaf", "path", "slot", "tlog", "v"}
        or type(proof["v"]) is not int
        or proof["v"] != 1
        or type(proof["tlog"]) is not str
    ):
        raise CryptoError("TICK_PROOF", "a proof is exactly leaf, path, slot, tlog, v")
    path, slot = unb64u(proof["path"], 32 * DEPTH), int.from_bytes(unb64u(proof["slot"], 3), "big")
    value = _sha256(b"\0" + c).digest()
    for level in range(DEPTH):
        sibling = path[32 * level : 32 * level + 32]
        left, right = (sibling, value) if slot >> level & 1 else (value, sibling)
        value = _sha256(b"\1" + left + right).digest()
    leaf = proof["leaf"]
    check_leaf(leaf)
    if unb64u(leaf["root"]) != value:
        raise CryptoError("TICK_PROOF", "the path does not lead to the tick's root")
    return verify_leaf(leaf, proof["tlog"], log_key, witnesses)


def verify_leaf(
    leaf: Any, tlog: str, log_key: checkpoints.NoteKey, witnesses: Sequence[checkpoints.NoteKey] = ()
) -> ProvenTick:
    """That a tick leaf is in the log of the checkpoint inside `tlog`. Refuses: TICK_PROOF."""
    try:
        check_leaf(leaf)
        index, nodes, note = checkpoints.parse_proof(tlog)
        if index != leaf["tick"]:
            raise CryptoError("TICK_PROOF", "the proof is of another leaf")
        checkpoint = checkpoints.verify_checkpoint(note, log_key, witnesses)
        merkle.verify_inclusion(merkle.leaf_hash(dumps(leaf)), index, checkpoint.size, nodes, checkpoint.root)
    except CryptoError as error:
        raise CryptoError("TICK_PROOF", error.detail) from error
    return ProvenTick(leaf, checkpoint)


def unix(at: str) -> int:
    """A time text as unix seconds, to compare with cosignatures."""
    return int((parse_time(at) - _EPOCH).total_seconds())

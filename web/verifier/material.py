"""What a bundle holds, once it is read (`reading.py`): signed entries with their ticks, documents by hash, enrolled keys, policies.

A document is found by its hash, never by its file's name: what an entry's statement does not name proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crypto.errors import CryptoError
from crypto.opening import LEFT_SEALED
from crypto.policies import policy_id
from crypto.policy_lines import Generation, generations
from crypto.ticks import ProvenTick
from crypto.trust import Trust
from trading.rulebook import Rulebook
from web.verifier.archive import Archive
from web.verifier.findings import Findings

BID, PRICE = "bid", "price"
"""The envelopes of bids: all of a bid or, of two envelopes, the technical one; and the price."""


@dataclass(frozen=True)
class Entry:
    """A signed entry of the log; ``proven``: its tick and the checkpoint it was proved under."""

    c: str
    value: dict[str, Any]
    proven: ProvenTick | None

    @property
    def event(self) -> str:
        return str(self.value["event"])

    @property
    def at(self) -> str:
        return str(self.value["at"])

    @property
    def tick(self) -> int:
        """Refuses: TICK_PROOF for an entry without a proof."""
        return self.shown.tick

    @property
    def shown(self) -> ProvenTick:
        """Its tick and the checkpoint it was proved under. Refuses: TICK_PROOF for an entry without a proof."""
        if self.proven is None:
            raise CryptoError("TICK_PROOF", f"entry {self.c} is not shown to be in the log")
        return self.proven


@dataclass(frozen=True)
class Document:
    """A document by its hash; ``envelope`` where somebody signs it."""

    hash: str
    kind: str
    value: dict[str, Any]
    envelope: Any
    path: str


@dataclass(frozen=True)
class Key:
    """An enrolled Ed25519 key, with the entry of its enrolment."""

    public: bytes
    entry: Entry


@dataclass
class Material:
    """Everything read, by name. ``keys``: (party, role) → enrolled Ed25519 keys, oldest first."""

    archive: Archive
    findings: Findings
    trust: Trust
    enclosed: bool
    lot: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[tuple[str, str], list[Key]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    _events: dict[str, list[Entry]] = field(default_factory=dict)
    _kinds: dict[str, dict[str, Document]] = field(default_factory=dict)
    _speaking: dict[str, list[Entry]] = field(default_factory=dict)
    _chains: dict[str, list[dict[str, Any]]] | None = None
    _lines: dict[str, tuple[Generation, ...]] = field(default_factory=dict)

    @property
    def audit(self) -> bool:
        return self.archive.index.get("profile") == "audit"

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rules the lot was published under. Refuses: Invalid ``rulebook.snapshot_altered``, ``rulebook.snapshot_format``."""
        return Rulebook.from_snapshot(json.loads(self.archive.read("rules/rulebook.json")))

    def of_event(self, *events: str, envelope: str | None = None) -> list[Entry]:
        """Entries by event (of one envelope), in the order of their ticks."""
        rows = [
            e
            for event in events
            for e in self._events.get(event, ())
            if envelope is None or e.value["envelope"] == envelope
        ]
        return sorted(rows, key=lambda e: (e.proven.tick if e.proven else -1, e.at, e.c))

    def of_kind(self, kind: str) -> list[Document]:
        return [document for _, document in sorted(self._kinds.get(kind, {}).items())]

    def take_entry(self, entry: Entry) -> None:
        before = self.entries.get(entry.c)
        for rows in (self._events.setdefault(entry.event, []), self._speaking.setdefault(entry.value["statement"], [])):
            if before is not None:
                rows[:] = [one for one in rows if one is not before]
            rows.append(entry)
        self.entries[entry.c] = entry

    def take_document(self, document: Document) -> None:
        before = self.documents.get(document.hash)
        if before is not None:
            del self._kinds[before.kind][before.hash]
        self._kinds.setdefault(document.kind, {})[document.hash] = document
        self.documents[document.hash] = document

    def settle(self) -> None:
        """Everything is read: from now on chains of policies stay as they are found."""
        self._chains = {}

    def spoken_of(self, entry: Entry) -> Document:
        """The document an entry names. Refuses: CONTEXT_MISMATCH where it is not here."""
        found = self.documents.get(entry.value["statement"])
        if found is None:
            raise CryptoError("CONTEXT_MISMATCH", f"the document of {entry.event} {entry.c} is not here")
        return found

    def logged(self, document: Document) -> list[Entry]:
        return list(self._speaking.get(document.hash, ()))

    def chain(self, envelope: str = BID) -> list[dict[str, Any]]:
        """The line of an envelope from the published policy on, the newest last: each supersedes the one before. Before publication
        officers may be named anew: the policies of then stand in the log and bind nobody."""
        if self._chains is not None:
            if envelope not in self._chains:
                self._chains[envelope] = self._chain(envelope)
            return list(self._chains[envelope])
        return self._chain(envelope)

    def _chain(self, envelope: str) -> list[dict[str, Any]]:
        found = [
            self.spoken_of(e).value
            for e in self.of_event("policy", envelope=envelope)
            if e.value["statement"] in self.documents
        ]
        named = {
            one
            for e in self.of_event("published")[:1]
            if e.value["statement"] in self.documents
            for one in self.spoken_of(e).value["policies"]
        }
        roots = [p for p in found if policy_id(p) in named] or [p for p in found if p["supersedes"] == ""][-1:]
        line: list[dict[str, Any]] = roots[:1]
        while line and (after := [p for p in found if p["supersedes"] == policy_id(line[-1])]):
            line.append(after[0])
        return line

    def generations(self, envelope: str = BID) -> tuple[Generation, ...]:
        """The generations of officers of an envelope. Refuses: CONTEXT_MISMATCH for policies that are no line."""
        if envelope not in self._lines:
            self._lines[envelope] = generations(self.chain(envelope))
        return self._lines[envelope]

    def opened_under(self, envelope: str) -> str:
        """The id of the policy whose officers open an envelope: the newest; of a draw the one its notice names."""
        notices = [
            self.spoken_of(e).value["policy"]
            for e in self.of_event("draw-notice", envelope=envelope)
            if e.value["statement"] in self.documents
        ]
        return str(notices[-1]) if notices else policy_id(self.chain(envelope)[-1])

    def parts(self) -> list[str]:
        """The envelopes a bid of this lot consists of: those whose policies the publication names; before one, just the first."""
        named = {
            one
            for entry in self.of_event("published")
            if entry.value["statement"] in self.documents
            for one in self.spoken_of(entry).value["policies"]
        }
        return [BID, *([PRICE] if any(policy_id(policy) in named for policy in self.chain(PRICE)) else [])]

    def set_of(self, part: str) -> Document | None:
        """The opening set of an envelope, if it was published."""
        return next((d for d in self.of_kind("opening-set") if d.value["envelope"] == part), None)

    def lists_of(self, part: str) -> list[Document]:
        """The opening lists the log speaks of for an envelope."""
        return [d for d in self.of_kind("opened") if any(e.value["envelope"] == part for e in self.logged(d))]

    def left_sealed(self, opening_set: str) -> dict[str, str]:
        """header_hash → cause of what the platform said stays sealed of a set."""
        return {
            d.value["header_hash"]: d.value["cause"]
            for d in self.of_kind("bid-failed")
            if d.value["set"] == opening_set and d.value["code"] == LEFT_SEALED
        }

    def public_keys(self, party: str, roles: Sequence[str], entry: Entry | None = None) -> list[bytes]:
        """A party's enrolled keys, newest first; with an entry those that stood when it was made: enrolled by its tick, and not replaced
        before it. A key that was lost or stolen signs nothing any more once its successor is in the log."""
        return [
            key.public
            for role in roles
            for key, after in _with_successors(self.keys.get((party, role), []))
            if entry is None or _stood(key, after, entry)
        ]

    def enrolled_by(self, party: str, role: str, entry: Entry) -> list[bytes]:
        """A party's keys enrolled by the tick of an entry, replaced ones too: an officer is bound to the key it gave for a policy."""
        return [
            key.public
            for key in self.keys.get((party, role), [])
            if entry.proven is None or key.entry.tick <= entry.tick
        ]


def _with_successors(chain: list[Key]) -> list[tuple[Key, Key | None]]:
    """Newest first, each with the key that replaced it."""
    return list(zip(reversed(chain), [None, *reversed(chain[1:])], strict=True)) if chain else []


def _stood(key: Key, after: Key | None, entry: Entry) -> bool:
    """``at`` counts too: an act that was under way when the key was replaced may be committed after the replacement. Of an entry without a
    proof, which is told elsewhere, nothing is known."""
    if entry.proven is None:
        return True
    if key.entry.tick > entry.tick:
        return False
    return after is None or entry.tick <= after.entry.tick or entry.at <= after.entry.at

"""What a bundle holds, read once: signed entries with their ticks, documents by hash, enrolled keys, policies (claims A1, K1).

A document is found by its hash, never by its file's name: what an entry's statement does not name proves nothing. Signatures are checked
here, by the keys of those who should have signed, so that the other claims may take every document for genuine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto import signatures
from crypto.canonical import b64u, dumps, loads, unb64u
from crypto.documents import check_document, open_document, open_enrolment, open_opened, open_policy
from crypto.errors import CryptoError
from crypto.keys import kid
from crypto.opening import LEFT_SEALED
from crypto.policies import policy_id
from crypto.policy_lines import Generation, generations
from crypto.receipts import verify_receipt
from crypto.signatures import document_hash, kind_of, payload_of, verify_all, verify_quorum
from crypto.ticks import ProvenTick, verify_proof
from crypto.trust import Trust, trust_of
from web.verifier.archive import INDEX_SIGNATURE, Archive
from web.verifier.findings import DAMAGE, Findings

BID, PRICE = "bid", "price"
"""The envelopes of bids: all of a bid or, of two envelopes, the technical one; and the price."""
LOT_FACTS = ("platform", "tender", "lot", "regime", "ceiling", "state", "failure", "purchaser")
PLAIN = ("deadline", "attempt", "refusal-list", "act", "notice")
_LOGGED = re.compile(
    r"(policy/|bids/[a-z]|opening/|draw/[a-z-]+\.[A-Za-z0-9_-]{43}\.json|sheets/(sheet|commit)|ranking/ranking|acts/[A-Za-z0-9_-]{43}\.json)")
"""Files that stand in a bundle only because an entry of the log names them."""
_EVENT_KIND = {
    "bid-received": "submission", "bid-replaced": "submission", "bid-withdrawn": "withdrawal", "key-enrolled": "enrolment",
    "bid-refusals": "refusal-list", "act": "act",
}
"""Which kind of document an event speaks of, where the two differ in name."""


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

    def of_event(self, *events: str, envelope: str | None = None) -> list[Entry]:
        """Entries by event (of one envelope), in the order of their ticks."""
        rows = [e for event in events for e in self._events.get(event, ()) if envelope is None or e.value["envelope"] == envelope]
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
        if self._chains is not None:  # everything is read: the answer stays
            if envelope not in self._chains:
                self._chains[envelope] = self._chain(envelope)
            return list(self._chains[envelope])
        return self._chain(envelope)

    def _chain(self, envelope: str) -> list[dict[str, Any]]:
        found = [self.spoken_of(e).value for e in self.of_event("policy", envelope=envelope) if e.value["statement"] in self.documents]
        named = {one for e in self.of_event("published")[:1] if e.value["statement"] in self.documents
                 for one in self.spoken_of(e).value["policies"]}
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
        notices = [self.spoken_of(e).value["policy"] for e in self.of_event("draw-notice", envelope=envelope)
                   if e.value["statement"] in self.documents]
        return str(notices[-1]) if notices else policy_id(self.chain(envelope)[-1])

    def parts(self) -> list[str]:
        """The envelopes a bid of this lot consists of: those whose policies the publication names; before one, just the first."""
        named = {one for entry in self.of_event("published") if entry.value["statement"] in self.documents
                 for one in self.spoken_of(entry).value["policies"]}
        return [BID, *([PRICE] if any(policy_id(policy) in named for policy in self.chain(PRICE)) else [])]

    def set_of(self, part: str) -> Document | None:
        """The opening set of an envelope, if it was published."""
        return next((d for d in self.of_kind("opening-set") if d.value["envelope"] == part), None)

    def lists_of(self, part: str) -> list[Document]:
        """The opening lists the log speaks of for an envelope."""
        return [d for d in self.of_kind("opened") if any(e.value["envelope"] == part for e in self.logged(d))]

    def left_sealed(self, opening_set: str) -> dict[str, str]:
        """header_hash → cause of what the platform said stays sealed of a set."""
        return {d.value["header_hash"]: d.value["cause"] for d in self.of_kind("bid-failed")
                if d.value["set"] == opening_set and d.value["code"] == LEFT_SEALED}

    def public_keys(self, party: str, roles: Sequence[str], entry: Entry | None = None) -> list[bytes]:
        """A party's enrolled keys, newest first; with an entry those that stood when it was made: enrolled by its tick, and not replaced
        before it. A key that was lost or stolen signs nothing any more once its successor is in the log."""
        return [key.public for role in roles for key, after in _with_successors(self.keys.get((party, role), []))
                if entry is None or _stood(key, after, entry)]

    def enrolled_by(self, party: str, role: str, entry: Entry) -> list[bytes]:
        """A party's keys enrolled by the tick of an entry, replaced ones too: an officer is bound to the key it gave for a policy."""
        return [key.public for key in self.keys.get((party, role), [])
                if entry.proven is None or key.entry.tick <= entry.tick]


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


def read(archive: Archive, findings: Findings, trust: Trust | None) -> Material:
    """Read and prove everything that stands in a bundle's JSON files. Never refuses: what is wrong becomes a fault."""
    enclosed = trust is None
    if trust is None:
        with findings.guard("manifest", "B_SIG", "keys/trust.json"):
            trust = trust_of(json.loads(archive.read("keys/trust.json")))
    if trust is None:
        trust = _nobody()
    material = Material(archive, findings, trust, enclosed)
    _read_signature(material)
    with findings.guard("manifest", "B_INDEX", "rules/lot.json"):
        lot = loads(archive.read("rules/lot.json"))
        if type(lot) is not dict or any(type(lot.get(name)) is not str for name in LOT_FACTS):
            raise CryptoError("JSON_PROFILE", "not the facts of a lot")
        material.lot = lot
        if archive.index.get("tender") != f"{material.lot['tender']}/{material.lot['lot']}":
            findings.fault("manifest", "B_INDEX", "rules/lot.json is of another lot than the index")
    _read_entries(material)
    _read_keys(material)
    _read_documents(material)
    material._chains = {}
    findings.checked("manifest", f"{len(material.entries)} entries and {len(material.documents)} documents signed as they must be")
    return material


def _nobody() -> Trust:
    """A trust under which nothing verifies: for a bundle whose own keys cannot be read."""
    from crypto.checkpoints import LOG_KEY, NoteKey

    return Trust(NoteKey("nobody", LOG_KEY, bytes(32)), (bytes(32),))


def _read_signature(material: Material) -> None:
    with material.findings.guard("manifest", "B_SIG", INDEX_SIGNATURE):
        envelope = json.loads(material.archive.read(INDEX_SIGNATURE))
        index, _ = signatures.verify_any(envelope, "index", material.trust.platform_keys)
        if dumps(index) != material.archive.read("index.json"):
            material.findings.fault("manifest", "B_SIG", "the signature is of another index")


def _read_entries(material: Material) -> None:
    for path in material.archive.below("entries/"):
        if path.startswith("entries/lists/"):
            continue
        with material.findings.guard("manifest", "B_SIG", path):
            receipt = json.loads(material.archive.read(path))
            found = verify_receipt({"entry": receipt["entry"]}, material.trust.platform_keys)
            proven = None
            with material.findings.guard("log", "B_PROOF", path):
                if receipt.keys() != {"entry", "proof"}:
                    raise CryptoError("TICK_PROOF", "no proof of its own")
                proven = verify_proof(receipt["proof"], found.c, material.trust.log_key, material.trust.witnesses)
            c = b64u(found.c)
            material.take_entry(Entry(c, found.entry, proven))
            if path != f"entries/{c}.json":
                material.findings.fault("manifest", "B_INDEX", f"{path} holds entry {c}")


def _read_keys(material: Material) -> None:
    """Every chain of enrolments from its first key on, in the order of their ticks."""
    ticks = {e.value["statement"]: e for e in material.of_event("key-enrolled")}
    rows = []
    for path in material.archive.below("keys/"):
        if path == "keys/trust.json":
            continue
        with material.findings.guard("manifest", "B_SIG", path):
            envelope = json.loads(material.archive.read(path))
            name = document_hash(payload_of(envelope))
            entry = ticks.get(name)
            if entry is None:
                raise CryptoError("SIG", "an enrolment that is not in the log")
            rows.append((entry.tick, entry.at, path, name, envelope, entry))
    for _, _, path, name, envelope, entry in sorted(rows, key=lambda row: row[:3]):
        with material.findings.guard("manifest", "B_SIG", path):
            claimed = loads(payload_of(envelope))
            chain = material.keys.setdefault((claimed["party"], claimed["role"]), [])
            document, _ = open_enrolment(envelope, chain[-1].public if chain else b"", material.trust.supervisor_keys)
            chain.append(Key(unb64u(document["sign_pk"], 32), entry))
            material.take_document(Document(name, "enrolment", document, envelope, path))


def _read_documents(material: Material) -> None:
    """Files that an entry's statement names, held to the kind of the event and to the signers of that kind."""
    wanted = {e.value["statement"]: e for e in material.entries.values() if e.value["statement"]}
    found: set[str] = set()
    for path in sorted(material.archive.below(""), key=_rank):
        if not path.endswith(".json") or path.startswith(("entries/", "keys/", "log/", "ticks/", "rules/", "index.")):
            continue
        value, name = _parse(material, path)
        if value is None:
            continue
        found.add(name)
        if name not in wanted:
            _unnamed(material, path, name, value)
            continue
        with material.findings.guard("manifest", "B_SIG", path):
            material.take_document(_document(material, path, name, value, wanted[name]))
    _check_notices(material)
    _check_missing(material, found)
    for kind in ("policy", "opened", "commit-list"):
        for document in material.of_kind(kind):
            with material.findings.guard("manifest", "B_SIG", document.path):
                _check_many(material, document)


def _rank(path: str) -> tuple[int, str]:
    """Policies, publication and draws first: by them the officers who sign the rest are known."""
    for rank, start in enumerate(("policy/policy.", "policy/", "draw/")):
        if path.startswith(start):
            return rank, path
    return 9, path


def _unnamed(material: Material, path: str, name: str, value: Any) -> None:
    """A file no entry speaks of: a notice (named by the record of its act), or one of the files a claim binds in its own way."""
    if path.startswith("acts/notices/"):
        material.take_document(Document(name, "notice", value, None, path))
    elif _LOGGED.match(path):
        material.findings.fault("manifest", "B_SIG", f"{path} is named by no entry of the log")


def _check_notices(material: Material) -> None:
    named = {d.value["facts"].get("document") for d in material.of_kind("act") if d.value["act"] == "notice.publish"}
    here = {document.hash: document.path for document in material.of_kind("notice")}
    for name, path in here.items():
        if name not in named:
            material.findings.fault("manifest", "B_SIG", f"{path} is the notice of no logged act")
    for name in sorted(str(one) for one in named.difference(here)):
        material.findings.fault("manifest", "B_INDEX", f"the notice {name} is missing")


def _check_missing(material: Material, found: set[str]) -> None:
    """Among the documents found (good or bad) is the record of every act that is here as an entry; in an archive whatever any speaks of."""
    there = found | material.documents.keys()
    for entry in material.entries.values():
        if entry.value["statement"] and entry.value["statement"] not in there and (entry.event == "act" or material.audit):
            material.findings.fault("manifest", "B_INDEX", f"what {entry.event} {entry.c} speaks of is missing")


def _parse(material: Material, path: str) -> tuple[Any, str]:
    """(value, hash): of an envelope the hash of its payload, of anything else that of its canonical bytes."""
    try:
        data = material.archive.read(path)
        value = json.loads(data)
        if type(value) is dict and value.keys() == {"payload", "payloadType", "signatures"}:
            return value, document_hash(payload_of(value))
        return value, document_hash(data)
    except DAMAGE as error:
        material.findings.fault("manifest", "B_SIG", f"{path}: cannot be read: {error}"[:300])
        material.broken.add(path)
        return None, ""


def _document(material: Material, path: str, name: str, value: Any, entry: Entry) -> Document:
    kind = _EVENT_KIND.get(entry.event, entry.event)
    if "payload" not in value:
        if kind == "bid-refused":
            kind = "attempt"
        if kind not in PLAIN:
            raise CryptoError("SIG", f"a {kind} that nobody signed")
        plain = loads(material.archive.read(path))
        check_document(kind, plain)
        return Document(name, kind, plain, None, path)
    if kind == "bid-refused":  # a refused submission or withdrawal may be signed by anybody, or badly: that is why it was refused
        return Document(name, "refused", loads(payload_of(value)), value, path)
    if kind_of(value) != kind:
        raise CryptoError("SIG_TYPE", f"{kind_of(value)} where the log speaks of a {kind}")
    claimed = loads(payload_of(value))
    check_document(kind, claimed)
    if kind not in ("policy", "opened", "commit-list"):
        _check_signers(material, kind, claimed, value, entry)
    return Document(name, kind, claimed, value, path)


def _check_signers(material: Material, kind: str, claimed: dict[str, Any], envelope: Any, entry: Entry) -> None:
    trust = material.trust
    if kind in ("published", "opening-set", "bid-failed", "draw-notice", "draw", "ranking"):
        signatures.verify_any(envelope, kind, trust.platform_keys)
    elif kind in ("bidder-part", "rescue"):
        bidder = _bidder_of(material, claimed["header_hash"])
        signatures.verify_any(envelope, kind, material.public_keys(bidder, ("bidder",), entry))
    elif kind in ("submission", "withdrawal", "omission-claim"):
        signatures.verify_any(envelope, kind, material.public_keys(claimed["bidder"], ("bidder",), entry))
    elif kind in ("late-close", "finding", "mirror-ack"):
        signatures.verify_any(envelope, kind, trust.supervisor_keys)
    elif kind in ("drill", "shares"):
        part = entry.value["envelope"]
        officer = officer_key(material, part, claimed["j"], claimed["policy"] if kind == "drill" else material.opened_under(part))
        open_document(envelope, kind, officer)
    elif kind in ("draw-commit", "draw-reveal"):
        signatures.verify_any(envelope, kind, _party_keys(material, claimed["party"], entry))
    elif kind in ("sheet-commit", "sheet"):
        signatures.verify_any(envelope, kind, material.public_keys(claimed["expert"], ("expert", "tenderee"), entry))
    elif kind == "draw-void":
        _by_a_platform_key(trust, lambda key: verify_quorum(envelope, kind, (key,), trust.supervisor_keys, 1))
    else:
        raise CryptoError("SIG", f"nobody is known to sign a {kind}")


def _bidder_of(material: Material, header_hash: str) -> str:
    return next((str(d.value["bidder"]) for d in material.of_kind("submission") if d.value["header_hash"] == header_hash), "")


def officer_key(material: Material, envelope: str, j: int, policy: str) -> bytes:
    """The signing key of officer j under the named policy. Refuses: SIG."""
    for entry in material.of_event("policy", envelope=envelope):
        document = material.documents.get(entry.value["statement"])
        if document is None or policy_id(document.value) != policy or not 1 <= j <= document.value["n"]:
            continue
        return _key_of(material, document.value["officers"][j - 1], entry)
    raise CryptoError("SIG", f"no enrolled key of officer {j}")


def _key_of(material: Material, officer: Mapping[str, Any], entry: Entry) -> bytes:
    """The key a policy binds an officer to: the officer's own, enrolled by the tick of the policy. Refuses: SIG."""
    for public in material.enrolled_by(officer["name"], "officer", entry):
        if kid("ed25519", public) == officer["sign_kid"]:
            return public
    raise CryptoError("SIG", f"no key of officer {officer['name']} that was enrolled by then")


def _party_keys(material: Material, party: str, entry: Entry) -> Iterable[bytes]:
    """A draw's parties: the platform; the tenderee (its purchaser's key); a supervisor; or a bidder by its code."""
    if party == "platform":
        return material.trust.platform_keys
    if party == "tenderee":
        return material.public_keys(str(material.lot.get("purchaser", "")), ("tenderee",), entry)
    if party == "supervisor":
        return material.trust.supervisor_keys
    return material.public_keys(party, ("bidder",), entry)


def _check_many(material: Material, document: Document) -> None:
    """Documents with several signers: policies, opening lists, commit lists."""
    trust = material.trust
    if document.kind == "policy":
        entries = [e for e in material.logged(document) if e.event == "policy"]
        for entry in entries:
            officers = {one["sign_kid"]: _key_of(material, one, entry) for one in document.value["officers"]}
            _by_a_platform_key(trust, lambda key, officers=officers: open_policy(document.envelope, key, officers))
    elif document.kind == "opened":
        part = next((str(e.value["envelope"]) for e in material.logged(document)), BID)
        policy = material.chain(part)[-1]
        keys = [officer_key(material, part, j, policy_id(policy)) for j in range(1, policy["n"] + 1)]
        came = len(material.of_event("shares", envelope=part))
        least = min(policy["t"], came) or 1
        _by_a_platform_key(trust, lambda key: open_opened(document.envelope, key, keys, least))
    else:
        others = _list_signers(material, document)
        _by_a_platform_key(trust, lambda key: verify_all(document.envelope, "commit-list", [key, *others]))


def _list_signers(material: Material, document: Document) -> list[bytes]:
    """Of a draw its parties but the platform, of score sheets the experts: those whose commitments stand in the list, their key of then."""
    keys: list[bytes] = []
    (listed,) = material.logged(document)
    for c in document.value["entries"]:
        entry = material.entries.get(c)
        if entry is None:
            raise CryptoError("SIG", f"a listed commitment that is not here: {c}")
        claimed = material.spoken_of(entry).value
        if entry.event == "sheet-commit":
            found = material.public_keys(claimed["expert"], ("expert", "tenderee"), listed)
        elif claimed["party"] == "platform":
            continue
        else:
            found = list(_party_keys(material, claimed["party"], listed))
        signed = signatures.signers(document.envelope, found)
        if not signed:
            raise CryptoError("SIG", "a commit list that a party did not sign")
        keys.append(signed[0])
    return list(dict.fromkeys(keys))


def _by_a_platform_key(trust: Trust, check: Any) -> None:
    fault = CryptoError("SIG", "no platform key")
    for key in trust.platform_keys:
        try:
            check(key)
            return
        except CryptoError as error:
            fault = error
    raise fault

"""Reads what stands in a bundle's JSON files, and proves whose it is (claims A1, K1).

Signatures are checked here (`signers.py`), by the keys of those who should have signed, so that the claims may take every document for
genuine.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crypto import signatures
from crypto.canonical import b64u, dumps, loads, unb64u
from crypto.checkpoints import LOG_KEY, NoteKey
from crypto.documents import check_document, open_enrolment
from crypto.errors import CryptoError
from crypto.receipts import verify_receipt
from crypto.signatures import document_hash, kind_of, payload_of
from crypto.ticks import verify_proof
from crypto.trust import Trust, trust_of
from web.verifier.archive import INDEX_SIGNATURE, Archive
from web.verifier.findings import DAMAGE, Findings
from web.verifier.material import Document, Entry, Key, Material
from web.verifier.signers import check_many, check_signers

LOT_FACTS = ("platform", "tender", "lot", "regime", "ceiling", "state", "failure", "purchaser")
PLAIN = ("deadline", "attempt", "refusal-list", "act", "notice")
_LOGGED = re.compile(
    r"(policy/|bids/[a-z]|opening/|draw/[a-z-]+\.[A-Za-z0-9_-]{43}\.json|sheets/(sheet|commit)|ranking/ranking|acts/[A-Za-z0-9_-]{43}\.json)"
)
"""Files that stand in a bundle only because an entry of the log names them."""
_EVENT_KIND = {
    "bid-received": "submission",
    "bid-replaced": "submission",
    "bid-withdrawn": "withdrawal",
    "key-enrolled": "enrolment",
    "bid-refusals": "refusal-list",
    "act": "act",
}
"""Which kind of document an event speaks of, where the two differ in name."""


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
    material.settle()
    findings.checked(
        "manifest", f"{len(material.entries)} entries and {len(material.documents)} documents signed as they must be"
    )
    return material


def _nobody() -> Trust:
    """A trust under which nothing verifies: for a bundle whose own keys cannot be read."""
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
                check_many(material, document)


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
        if (
            entry.value["statement"]
            and entry.value["statement"] not in there
            and (entry.event == "act" or material.audit)
        ):
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
    if (
        kind == "bid-refused"
    ):  # a refused submission or withdrawal may be signed by anybody, or badly: that is why it was refused
        return Document(name, "refused", loads(payload_of(value)), value, path)
    if kind_of(value) != kind:
        raise CryptoError("SIG_TYPE", f"{kind_of(value)} where the log speaks of a {kind}")
    claimed = loads(payload_of(value))
    check_document(kind, claimed)
    if kind not in ("policy", "opened", "commit-list"):
        check_signers(material, kind, claimed, value, entry)
    return Document(name, kind, claimed, value, path)

"""Who approved money: a controller, by the signature of a key of their own, over the digest that holds the refund; and who decided to keep
it: the purchaser, by the key of their firm (claim `deposits`).

The platform's record of an approval is held against the signed document it names, the document against the record of who prepared it, and
each refund against the digest, so that neither record can be written by the platform alone.
"""

from __future__ import annotations

import json
from typing import Any

from crypto.canonical import loads, parse_time
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.signatures import document_hash, payload_of, verify_any
from deposits.refunds.batch_digest import RowProof, digest_by
from web.verifier.deposit_acts import Acts, hidden_of
from web.verifier.material import Document, Entry, Material

FOLDER = "acts/approvals/"
KIND, ROLE = "approval", "controller"
DECIDE, DECIDER, DECIDES = "forfeit.decide", "tenderee", "decides"
SKEW = 600
"""Seconds between a signature and the record of its act at most."""
LINE = ("amount", "converted", "interest", "fee", "payee", "payee_name")


def check_all(material: Material, book: Acts) -> dict[str, dict[str, Any]]:
    """Every approval in the log: what was signed, by the name of its thing (of another account by one of two). Faults go to the findings;
    what an older release recorded without a signature is told."""
    named: set[str] = set()
    found: dict[str, dict[str, Any]] = {}
    hands: dict[tuple[str, str], set[str]] = {}
    seconds: list[tuple[str, str]] = []
    with material.findings.guard("deposits", "B_DEPOSIT", "approvals"):
        for record in sorted(material.of_kind("act"), key=lambda one: one.hash):
            if record.value["act"] not in book.APPROVALS:
                continue
            of = thing_of(record)
            name = record.value["facts"].get("signature")
            with material.findings.guard("deposits", "B_DEPOSIT", f"approval of {of}"):
                if name is None and record.value["act"] == DECIDE:
                    continue  # after the checks, which say whether it had to be signed
                if name is None:
                    _unsigned(material, record, of)
                    continue
                named.add(name)
                signed = _signed(material, record, of, name)
                found[of] = signed
                hands.setdefault((of, signed["prepared"]), set()).add(signed["approver"])
                if record.value["facts"].get("second") is True:
                    seconds.append((of, signed["prepared"]))
    for of, prepared in seconds:
        if len(hands[of, prepared]) < 2:
            material.findings.fault(
                "deposits", "B_DEPOSIT", f"{of}: another account that two controllers did not sign for"
            )
    _without_check(material, book)
    _undecided(material, book, found)
    for path in material.archive.below(FOLDER):
        if path.removeprefix(FOLDER).removesuffix(".json") not in named:
            material.findings.fault("deposits", "B_DEPOSIT", f"{path}: an approval of no act")
    return found


def _without_check(material: Material, book: Acts) -> None:
    """Decisions to keep money that no check went before: by older releases they are told, by this one they are none."""
    checked = {
        one.value["facts"].get("forfeit") for one in material.of_kind("act") if one.value["act"] == "forfeit.check"
    }
    for record in {one.hash: one for one in book.kept().values()}.values():
        if (name := record.value["facts"].get("forfeit")) not in checked:
            with material.findings.guard("deposits", "B_DEPOSIT", f"forfeit {name}"):
                _unsigned(material, record, f"forfeit/{name}")


def _undecided(material: Material, book: Acts, found: dict[str, dict[str, Any]]) -> None:
    """Decisions without the purchaser's signature: a fault where the controller's signed check asks for one, else told."""
    for record in {one.hash: one for one in book.kept().values()}.values():
        of = thing_of(record)
        told = found.get(of.removesuffix(DECISION))
        if of in found or record.value["facts"].get("signature") is not None:
            continue
        if told is not None and DECIDES in told["facts"]:
            material.findings.fault("deposits", "B_DEPOSIT", f"approval of {of}: SIG: the purchaser did not sign it")
        else:
            material.findings.told("deposits", "unsigned", of)


DECISION = "/decision"


def thing_of(record: Document) -> str:
    """The name of what an act approves, as it stands in the signed document."""
    act, name = record.value["act"], f"forfeit/{record.value['facts'].get('forfeit', '')}"
    return {"forfeit.check": name, DECIDE: name + DECISION}.get(act, str(record.value["of"]))


def _entry_of(material: Material, record: Document) -> Entry:
    return material.logged(record)[0]


def _unsigned(material: Material, record: Document, of: str) -> None:
    """Nobody signs before there are keys; afterwards nobody approves without. Refuses: SIG."""
    entry = _entry_of(material, record)
    keys = [key for (_party, role), chain in material.keys.items() if role == ROLE for key in chain]
    if any(key.entry.tick <= entry.tick for key in keys):
        raise CryptoError("SIG", "no controller signed it, though there were keys to sign with")
    material.findings.told("deposits", "unsigned", of)


def _signed(material: Material, record: Document, of: str, name: str) -> dict[str, Any]:
    """The signed document an act names. Refuses: SIG, JSON_PROFILE, CONTEXT_MISMATCH."""
    envelope = json.loads(material.archive.read(f"{FOLDER}{name}.json"))
    if document_hash(payload_of(envelope)) != name:
        raise CryptoError("CONTEXT_MISMATCH", "another document than the one its act names")
    claimed: dict[str, Any] = loads(payload_of(envelope))
    check_document(KIND, claimed)
    entry = _entry_of(material, record)
    told = record.value
    role = DECIDER if told["act"] == DECIDE else ROLE
    verify_any(envelope, KIND, material.public_keys(claimed["approver"], (role,), entry))
    if claimed["what"] != _WHAT[told["act"]]:
        raise CryptoError("CONTEXT_MISMATCH", "signed as something else")
    where = (told["platform"], material.trust.origin, of)
    if (claimed["platform"], claimed["log"], claimed["of"]) != where:
        raise CryptoError("CONTEXT_MISMATCH", "signed for another platform, log or thing")
    if abs((parse_time(claimed["at"]) - parse_time(told["at"])).total_seconds()) > SKEW:
        raise CryptoError("CONTEXT_MISMATCH", "signed at another time")
    if hidden_of(record, "person", claimed["person"]) != told["facts"].get("person"):
        raise CryptoError("CONTEXT_MISMATCH", "another person than the one who acted")
    prepared = material.documents.get(material.entries[claimed["prepared"]].value["statement"])
    if prepared is None or hidden_of(prepared, "person", claimed["person"]) == prepared.value["facts"].get("person"):
        raise CryptoError("CONTEXT_MISMATCH", "prepared by the person who approved it")
    _PREPARED[claimed["what"]](claimed, record, prepared)
    return claimed


def _of_batch(claimed: dict[str, Any], record: Document, prepared: Document) -> None:
    facts, before = claimed["facts"], prepared.value
    same = (before["act"], before["of"], before["facts"].get("digest"), before["facts"].get("value_on"))
    if same != ("batch.prepare", claimed["of"], facts["digest"], facts["value_on"]):
        raise CryptoError("CONTEXT_MISMATCH", "another batch than the one that was prepared")
    if record.value["facts"].get("digest") != facts["digest"]:
        raise CryptoError("CONTEXT_MISMATCH", "another digest than the one that was signed")


def _of_forfeit(claimed: dict[str, Any], record: Document, prepared: Document) -> None:
    facts, before = claimed["facts"], prepared.value
    same = (before["act"], before["of"], before["facts"].get("forfeit"), before["facts"].get("ground"))
    if same != ("forfeit.draft", record.value["of"], record.value["facts"].get("forfeit"), facts["ground"]):
        raise CryptoError("CONTEXT_MISMATCH", "another proposal than the one that was made")


def _of_decision(claimed: dict[str, Any], record: Document, prepared: Document) -> None:
    facts, before = record.value["facts"], prepared.value
    if (before["act"], before["of"], before["facts"].get("forfeit")) != (
        "forfeit.check",
        record.value["of"],
        facts.get("forfeit"),
    ):
        raise CryptoError("CONTEXT_MISMATCH", "another check than the one that was made")
    if claimed["facts"] != _kept_of(record) | {"proposal": claimed["facts"]["proposal"]}:
        raise CryptoError("CONTEXT_MISMATCH", "other money was kept than the purchaser signed for")


def _kept_of(record: Document) -> dict[str, Any]:
    """What a decision kept, as it stands in the documents that are signed of it."""
    facts = record.value["facts"]
    receipts = sorted(one["receipt"] for one in facts["kept"])
    return {"amount": facts["amount"], "ground": facts["ground"], "to": facts["to"], "receipts": receipts}


def _of_payee(claimed: dict[str, Any], record: Document, prepared: Document) -> None:
    facts, before, bound = claimed["facts"], prepared.value, record.value["facts"].get("bound", {})
    if (before["act"], before["of"], before["facts"].get("proof")) != ("payee.ask", claimed["of"], facts["proof"]):
        raise CryptoError("CONTEXT_MISMATCH", "another request than the one that was made")
    if bound.get("payee") != hidden_of(record, "payee", facts["payee"]):
        raise CryptoError("CONTEXT_MISMATCH", "another account than the one that was signed")


_PREPARED = {"batch": _of_batch, "forfeit": _of_forfeit, "decision": _of_decision, "payee": _of_payee}
_WHAT = {"batch.approve": "batch", "forfeit.check": "forfeit", DECIDE: "decision", "payee.approve": "payee"}


def of_decisions(material: Material, book: Acts, signed: dict[str, dict[str, Any]]) -> list[str]:
    """What was kept without a controller's signature over just that money, ground and destination, and the purchaser's over the same."""
    found = []
    for record in {one.hash: one for one in book.kept().values()}.values():
        facts = record.value["facts"]
        told = signed.get(f"forfeit/{facts['forfeit']}")
        if told is None:
            continue  # unsigned: told or a fault already; a decision without any check is found by its hands
        if {key: told["facts"][key] for key in ("amount", "ground", "to", "receipts")} != _kept_of(record):
            found.append(f"forfeit {facts['forfeit']}: other money was kept than a controller signed for")
        decided = signed.get(thing_of(record))
        if decided is not None and (told["facts"].get(DECIDES, decided["approver"]), told["facts"]["proposal"]) != (
            decided["approver"],
            decided["facts"]["proposal"],
        ):
            found.append(f"forfeit {facts['forfeit']}: not decided by the purchaser, or not as it was checked")
    return found


def of_refund(record: dict[str, Any], row: dict[str, Any], book: Acts, signed: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with an approved refund: its line must lie in the digest that was signed."""
    if not row["approved"]:
        return []
    found = next(
        (one for one in signed.values() if one["what"] == "batch" and one["facts"]["digest"] == row["batch"]), None
    )
    if found is None:
        return []  # an unsigned approval is told or a fault already, a missing one is found by its acts
    ref = found["of"].removeprefix("batch/")
    steps = [
        one for one in book.about(f"refund/{row['refund']}", "refund.approve") if one.value["facts"].get("batch") == ref
    ]
    for step in steps:
        shown = step.value["facts"].get("line")
        if shown is None:
            continue
        line = {"refund": row["refund"], "receipt": record["receipt"], **{key: row[key] for key in LINE}}
        proof = RowProof(shown["salt"], shown["index"], tuple(shown["path"]))
        if digest_by(ref, found["facts"]["value_on"], line, proof) == row["batch"]:
            return []
    return ["it is no line of the batch that the controller signed"]

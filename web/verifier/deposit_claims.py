"""Claim `deposits`: all money is accounted for, and what went back went once, to where it came from, by two people's hands (E5).

Each value is held against the act that made it (deposit_acts.py); what no act binds is told, and said to be told.
"""

from __future__ import annotations

from typing import Any

from crypto.canonical import loads
from web.verifier import approval_claims, deposit_acts
from web.verifier.deposit_acts import Acts
from web.verifier.material import Document, Material

FOLDER = "acts/deposits/"
PAID = ("SENT", "CONFIRMED", "CONVERTED")


def check(material: Material) -> None:
    """The claim; nothing to check where the profile shows no money. Never refuses."""
    findings = material.findings
    paths = material.archive.below(FOLDER)
    if not material.audit:
        if paths:
            findings.fault("deposits", "B_DEPOSIT", "records of money in a public bundle")
        return
    acts, book = _acts(material), Acts(material)
    signed = approval_claims.check_all(material, book)
    seen: set[str] = set()
    records: list[dict[str, Any]] = []
    amounts = dict.fromkeys(("received", "refunded", "forfeited", "converted", "held"), 0)
    for path in paths:
        with findings.guard("deposits", "B_DEPOSIT", path):
            record = loads(material.archive.read(path))
            records.append(record)
            for key in amounts:
                amounts[key] += record[key]
            for what in [*_faults(record, acts, seen), *_by_acts(material, record, book, signed)]:
                findings.fault("deposits", "B_DEPOSIT", f"{record['receipt']}: {what}")
    with findings.guard("deposits", "B_DEPOSIT", "forfeits"):
        for what in approval_claims.of_decisions(material, book, signed):
            findings.fault("deposits", "B_DEPOSIT", what)
    with findings.guard("deposits", "B_DEPOSIT", "payees"):
        for refund in _redirected(records, material):
            findings.fault("deposits", "B_DEPOSIT", f"refund {refund} went to another account than the paying one")
    known = {path.removeprefix(FOLDER).removesuffix(".json") for path in paths}
    for receipt in sorted(set(acts.get("receipt.record", {})) - known):
        findings.fault("deposits", "B_DEPOSIT", f"{receipt}: received, as the log says, and not accounted for")
    back = {row["refund"] for record in records for row in record["refunds"]}
    kept = set(book.kept())
    with findings.guard("deposits", "B_DEPOSIT", "refunds"):
        for refund, act in sorted(book.due().items()):
            steps = [one.value["act"] for one in book.of[act.value["of"]]]
            if refund not in back and not (kept and "refund.forfeit" in steps):
                findings.fault(
                    "deposits", "B_DEPOSIT", f"refund {refund}: fell due, as the log says, and is not accounted for"
                )
    if paths:
        for what in ("hidden", "later"):
            findings.told("deposits", what)
        findings.checked("deposits", ", ".join(f"{key} {_yuan(value)}" for key, value in amounts.items()))
        if signed:
            names = ", ".join(sorted({one["approver"] for one in signed.values()}))
            findings.checked("deposits", f"approvals signed with their own keys by {names}")


def _by_acts(material: Material, record: dict[str, Any], book: Acts, signed: dict[str, dict[str, Any]]) -> list[str]:
    """Everything in the record that is not what its acts bind; what none binds is noted as told."""
    found = [] if record["v"] == 1 else ["not a record of version 1"]
    faults, paid = deposit_acts.of_payment(record, book)
    found, bound = found + faults, paid
    converted = 0
    for row in record["refunds"]:
        faults, known, sent = deposit_acts.of_refund(record, row, book, paid=paid)
        faults += approval_claims.of_refund(record, row, book, signed)
        found += [f"refund {row['refund']}: {what}" for what in faults]
        converted += row["converted"] if sent else 0
        bound = bound and known
    faults, known = deposit_acts.of_kept(record, book)
    found += faults
    if not (bound and known):
        material.findings.told("deposits", "before", record["receipt"])
    elif record["converted"] != converted:
        found.append("converted is not the sum of what was converted with the refunds that were sent")
    return found


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _acts(material: Material) -> dict[str, dict[str, list[Document]]]:
    """act → thing (a receipt's reference, a batch's digest) → its records."""
    found: dict[str, dict[str, list[Document]]] = {}
    for document in material.of_kind("act"):
        act, of, facts = document.value["act"], document.value["of"], document.value["facts"]
        if act == "receipt.record":
            found.setdefault(act, {}).setdefault(of.removeprefix("receipt/"), []).append(document)
        elif act.startswith("batch."):
            found.setdefault(act, {}).setdefault(str(facts.get("digest")), []).append(document)
    return found


def _faults(record: dict[str, Any], acts: dict[str, dict[str, list[Document]]], seen: set[str]) -> list[str]:
    """Everything that is wrong with the account of one payment."""
    found = []
    refunds = record["refunds"]
    if (
        record["received"] != record["refunded"] + record["forfeited"] + record["converted"] + record["held"]
        or record["held"] < 0
    ):
        found.append("received is not refunded + forfeited + converted + held")
    logged = acts.get("receipt.record", {}).get(record["receipt"], [])
    if len(logged) != 1 or logged[0].value["facts"].get("amount") != record["received"]:
        found.append("the log does not say that this amount was received")
    if sum(row["amount"] for row in refunds) > record["received"]:
        found.append("more was to go back than came")
    if sum(row["amount"] - row["converted"] for row in refunds if row["state"] == "CONFIRMED") != record["refunded"]:
        found.append("refunded is not the sum of the refunds that were paid")
    if len({row["part"] for row in refunds}) != len(refunds):
        found.append("a part was refunded twice")
    for row in refunds:
        if row["refund"] in seen:
            found.append(f"refund {row['refund']} stands twice")
        seen.add(row["refund"])
        found += _refund_faults(row, acts)
    if record["forfeited"]:
        found += _forfeit_faults(record.get("forfeit"))
    return found


def _refund_faults(row: dict[str, Any], acts: dict[str, dict[str, list[Document]]]) -> list[str]:
    found: list[str] = []
    if row["state"] not in PAID:
        return found
    if not row["prepared"] or not row["approved"] or row["prepared"] == row["approved"]:
        found.append(f"refund {row['refund']} was not prepared by one and approved by another")
    if row["state"] != "CONVERTED":
        for act in ("batch.prepare", "batch.approve", "batch.pay"):
            if not row["batch"] or row["batch"] not in acts.get(act, {}):
                found.append(f"refund {row['refund']}: no {act} of its batch in the log")
    return found


def _redirected(records: list[dict[str, Any]], material: Material) -> list[str]:
    """Refunds to another account than the paying one. Only a refund the bank had returned may get one, after two approvals in the log."""
    found = [
        row["refund"]
        for record in records
        for row in record["refunds"]
        if row["state"] in PAID and row["payee"] != record["payer"]
    ]
    approved = [
        d
        for d in material.of_kind("act")
        if d.value["act"] == "payee.approve" and d.value["facts"].get("second") is True
    ]
    return found if len(found) > len(approved) else []


def _forfeit_faults(forfeit: Any) -> list[str]:
    if not forfeit or not forfeit["ground"] or not forfeit["decided"] or not forfeit["decided_at"]:
        return ["money was kept without a decision and its ground"]
    if len({forfeit["drafted"], forfeit["checked"], forfeit["decided"]}) < 3:
        return ["money was kept by fewer than three people's hands"]
    return []

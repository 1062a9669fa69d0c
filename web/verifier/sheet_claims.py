"""Claim `score_sheets`: what each member scored was fixed before anybody saw another's sheet (E2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crypto.canonical import b64u, loads, unb64u
from crypto.draws import check_sheet
from crypto.errors import CryptoError
from web.verifier.log_claims import Log
from web.verifier.material import Document, Entry, Material

SALTS = "sheets/salts.json"


@dataclass(frozen=True)
class Round:
    """One scoring of the panel: the signed list of commitments, and the sheets that were revealed to it, by expert."""

    entry: Entry
    commits: dict[str, Document]
    sheets: dict[str, Document]


def check(material: Material, log: Log) -> list[Round]:
    """Every round, the one that counts last. Never refuses."""
    findings = material.findings
    rounds: list[Round] = []
    lot = f"{material.lot.get('tender')}/{material.lot.get('lot')}"
    salts: dict[str, Any] = {}
    with findings.guard("score_sheets", "B_SHEET", SALTS):
        if SALTS in material.archive.files:
            salts = {row["sheet"]: row for row in loads(material.archive.read(SALTS))["sheets"]}
    lists = [d for d in material.of_kind("commit-list") if d.value["of"] == lot]
    for document in lists:
        with findings.guard("score_sheets", "B_SHEET", document.path):
            rounds.append(_round(material, log, document, salts))
    rounds.sort(key=lambda one: one.entry.tick)
    revealed = {d.hash for one in rounds for d in one.sheets.values()}
    for entry in material.of_event("sheet"):
        if entry.value["statement"] not in revealed:
            findings.fault("score_sheets", "B_SHEET", f"a logged sheet that opens no listed commitment: {entry.c}")
    for entry in material.of_event("sheet-commit", "commit-list"):
        if entry.value["statement"] not in material.documents:
            findings.fault("score_sheets", "B_SHEET", f"the document of {entry.event} {entry.c} is missing")
    if (
        material.of_event("ranking")
        and _is_scored(material)
        and (not rounds or set(rounds[-1].sheets) != set(rounds[-1].commits))
    ):
        findings.fault("score_sheets", "B_SHEET", "a ranking, but not every listed sheet of the last round is revealed")
    if rounds:
        findings.checked(
            "score_sheets",
            f"{len(rounds[-1].sheets)} sheets of {len(rounds)} round(s) open the commitments listed before",
        )
    return rounds


def _is_scored(material: Material) -> bool:
    """Whether members give points by this scheme; one that cannot be read is no excuse for missing sheets."""
    try:
        scheme = json.loads(material.archive.read("rules/scheme.json"))
        return any(one["kind"] != "price" for one in scheme["criteria"])
    except (CryptoError, KeyError, TypeError, ValueError):
        return True


def _round(material: Material, log: Log, document: Document, salts: dict[str, Any]) -> Round:
    entries = material.logged(document)
    if len(entries) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"the list is logged {len(entries)} times")
    listed, when = entries[0], entries[0].tick
    commits: dict[str, Document] = {}
    held = [material.entries[c] for c in document.value["entries"]]
    for entry in held:
        commit = material.spoken_of(entry)
        expert = commit.value["expert"]
        if entry.event != "sheet-commit" or expert in commits:
            raise CryptoError("CONTEXT_MISMATCH", "the list holds something else than one commitment of each expert")
        commits[expert] = commit
    if list(commits) != sorted(commits, key=lambda name: name.encode()):
        raise CryptoError("CONTEXT_MISMATCH", "the list is not in the order of the experts")
    last = max(entry.tick for entry in held)
    with material.findings.guard("score_sheets", "B_SHEET", document.path):
        if document.value["root"] != b64u(log.root_after(last)):
            raise CryptoError(
                "TICK_PROOF", "the list names another root than the checkpoint's over the last commitment"
            )
        if when <= last:
            raise CryptoError("TICK_PROOF", "the list is not later than the commitments")
    _check_newest(material, held, last)
    return Round(listed, commits, _revealed(material, document, listed, commits, salts))


def _check_newest(material: Material, held: list[Entry], last: int) -> None:
    """A changed sheet needs a new commitment with a reason, and then that one counts."""
    for entry in held:
        expert = material.spoken_of(entry).value["expert"]
        for other in material.of_event("sheet-commit"):
            said = material.spoken_of(other).value
            if said["expert"] == expert and entry.tick < other.tick <= last:
                raise CryptoError("CONTEXT_MISMATCH", f"{expert} had committed anew before the list was made")


def _revealed(
    material: Material, document: Document, listed: Entry, commits: dict[str, Document], salts: dict[str, Any]
) -> dict[str, Document]:
    by_hash = {commit.hash: expert for expert, commit in commits.items()}
    found: dict[str, Document] = {}
    for sheet in material.of_kind("sheet"):
        row = salts.get(sheet.hash)
        if row is None or row["commit"] not in by_hash:
            continue
        expert = by_hash[row["commit"]]
        with material.findings.guard("score_sheets", "B_SHEET", f"the sheet of {expert}"):
            if sheet.value["expert"] != expert or expert in found:
                raise CryptoError("CONTEXT_MISMATCH", "a sheet of another expert, or a second one")
            check_sheet(sheet.value, unb64u(row["salt"], 32), unb64u(commits[expert].value["commit"], 32))
            for entry in material.logged(sheet):
                if entry.tick <= listed.tick:
                    raise CryptoError("TICK_PROOF", "revealed before the list of commitments was in the log")
            found[expert] = sheet
    return found

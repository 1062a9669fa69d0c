"""One verification from beginning to end: the archive, what it holds, every claim, and the answer as commands.md wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crypto import rehearsals
from crypto.trust import Trust, trust_of
from web.verifier import (
    archive,
    award_claims,
    bid_claims,
    deposit_claims,
    draw_claims,
    log_claims,
    material,
    mirror_claims,
    opening_claims,
    procedure_claims,
    reading,
    score_claims,
    sheet_claims,
)
from web.verifier.archive import NotABundle
from web.verifier.findings import CLAIMS, DAMAGE, Findings

__all__ = ["NotABundle", "verify_bundle"]
WHERE_THERE_IS_ONE = ("procedure", "expert_draw", "coefficient_draw", "invitation_draw")


def verify_bundle(
    path: str | Path, trust: Mapping[str, Any] | Trust | None = None, known_checkpoint: str | None = None
) -> dict[str, Any]:
    """Re-prove a bundle. ``trust``: keys kept from an earlier day (a ticket's ``trust``), else those in the bundle serve and the answer
    says so; ``known_checkpoint``: the text of a checkpoint of the same log seen before.

    Returns ``{ok, rehearsal, tender, profile, trust, claims: [{name, ok, codes, detail}], told: [{claim, what, of}], summary}``; a claim's
    ok is null where there is nothing to check; ``told`` is what the bundle says and does not prove; ``rehearsal``: it is of a tender that
    was played, and proves none, whatever holds of it; under the trust of a real platform its manifest is broken (``B_REHEARSAL``).
    Refuses: NotABundle for what is no ZIP; JSON_PROFILE, SIG for a trust that is none.
    """
    given = trust if trust is None or isinstance(trust, Trust) else trust_of(trust)
    findings = Findings()
    with archive.open_path(path) as source:
        opened = archive.open_archive(source, findings)
        archive.check_index(opened, findings)
        held = reading.read(opened, findings, given)
        rehearsal = _is_rehearsal(held)
        if rehearsal and not held.enclosed and not rehearsals.is_origin(held.trust.origin):
            findings.fault("manifest", "B_REHEARSAL", "a rehearsal proves no tender of a real platform")
        _check_claims(held, known_checkpoint)
    claims = [
        findings.claims[name]
        for name in CLAIMS
        if name not in WHERE_THERE_IS_ONE or findings.claims[name].ok is not None
    ]
    broken = [claim.name for claim in claims if claim.ok is False]
    return {
        "ok": not broken,
        "rehearsal": rehearsal,
        "tender": str(opened.index.get("tender", "")),
        "profile": str(opened.index.get("profile", "")),
        "trust": "enclosed" if held.enclosed else "given",
        "unwitnessed": held.trust.unwitnessed,
        "claims": [claim.to_json() for claim in claims],
        "told": findings.told_to_json(),
        "summary": _summary(held, broken, [c.name for c in claims if c.ok is None]),
    }


def _is_rehearsal(held: material.Material) -> bool:
    """Whether whoever signed this calls itself a rehearsal: by the lot's facts, by the log that is trusted, by the keys that came with it.
    Each of them is enough: what is a rehearsal's says so everywhere, and who wanted to hide it would have to sign all of it anew."""
    named = [rehearsals.is_name(str(held.lot.get("platform", ""))), rehearsals.is_origin(held.trust.origin)]
    try:
        enclosed = json.loads(held.archive.read("keys/trust.json"))
        named.append(rehearsals.is_origin(str(enclosed["origin"])))
    except DAMAGE:
        pass  # what is damaged is told as such where it is read
    return any(named)


def _check_claims(held: material.Material, known_checkpoint: str | None) -> None:
    """Every claim in turn. A damaged part may make another trip where it did not look for damage: that is a fault too, and the next
    claims are still looked at."""
    findings, log = held.findings, log_claims.Log()
    rounds: list[sheet_claims.Round] = []
    with findings.guard("log", "B_PROOF", "log/"):
        log = log_claims.check(held, known_checkpoint)
    with findings.guard("procedure", "B_METHOD", "acts/"):
        procedure_claims.check(held)
    with findings.guard("sealed_bids", "B_BID", "bids/"):
        bid_claims.check(held, log)
    with findings.guard("opening", "B_SHARE", "opening/"):
        opening_claims.check(held, log)
    with findings.guard("expert_draw", "B_DRAW", "draw/"):
        draw_claims.check(held, log)
    with findings.guard("score_sheets", "B_SHEET", "sheets/"):
        rounds = sheet_claims.check(held, log)
    with findings.guard("ranking", "B_RANK", "ranking/"):
        score_claims.check(held, rounds)
    with findings.guard("award", "B_AWARD", "acts/"):
        award_claims.check(held)
    with findings.guard("deposits", "B_DEPOSIT", "acts/deposits/"):
        deposit_claims.check(held)
    with findings.guard("sealed_bids", "B_BID", "the mirror"):
        mirror_claims.check(held)


def _summary(held: material.Material, broken: list[str], empty: list[str]) -> str:
    if broken:
        return "broken: " + ", ".join(broken)
    stage = held.lot.get("failure") or held.lot.get("state", "")
    words = [f"every claim this bundle can prove holds (state {stage})"]
    if empty:
        words.append("nothing to check for " + ", ".join(empty))
    if held.enclosed:
        words.append("by the keys that came with it")
    if held.trust.unwitnessed:
        words.append("unwitnessed")
    return "; ".join(words)

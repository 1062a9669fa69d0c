"""Claim `procedure`: what the method of a lot asks for beside its course, by the declaration of the method and the rules of the lot.

The ground in law where the tender is not open to everybody, the authority's consent before the notice (rules R-07, R-08; TReg art. 8),
and that nobody bid who was not invited (rules M2.3, M9.3).
"""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from typing import Any

from crypto.canonical import b64u, parse_time, unb64u
from trading import procedures
from trading.kernel.calendar import local_day
from trading.kernel.exact import number
from trading.procedures import Procedure
from web.verifier import course
from web.verifier.draw_claims import pool_of
from web.verifier.material import Document, Material

CLAIM, CODE = "procedure", "B_METHOD"


def check(material: Material) -> None:
    """The claim. Never refuses."""
    findings = material.findings
    law = procedures.find(material.lot.get("method", ""))
    if law is None:
        findings.fault(CLAIM, CODE, f"a procedure that is not known here: {material.lot.get('method')}")
        return
    told = [d.value for d in material.of_kind("notice") if d.value["kind"] == "tender"]
    if not told:
        return
    first = min(told, key=lambda one: one["version"])
    with findings.guard(CLAIM, CODE, "the method"):
        _check_method(material, law, first)
    with findings.guard(CLAIM, CODE, "the invitations"):
        if law.invitation is not None:
            _check_invited(material, law)


def _check_method(material: Material, law: Procedure, notice: dict[str, Any]) -> None:
    """The notice names the method, its ground and, where it needs one, the consent."""
    findings, body = material.findings, notice["body"]
    if body.get("method") != law.id:
        findings.fault(CLAIM, CODE, f"the notice names the method {body.get('method')}, the lot {law.id}")
    if not law.intake.grounds:
        return
    ground = next((one for one in law.intake.grounds if one.code == body.get("ground")), None)
    if ground is None:
        findings.fault(CLAIM, CODE, f"{law.id} is chosen without a ground in law")
        return
    needed = {
        one.field
        for one in law.intake.needed(
            material.rulebook, number(body["budget"], "budget"), by_agency=True, ground=ground.code
        )
    }
    consent = ""
    if "consent_no" in needed:
        if not body.get("consent_no") or not body.get("consent_on"):
            findings.fault(CLAIM, CODE, f"{law.id} without the consent it needs")
            return
        if dt.date.fromisoformat(body["consent_on"]) > local_day(parse_time(notice["at"])):
            findings.fault(CLAIM, CODE, f"the consent is dated {body['consent_on']}, after the notice")
        consent = f", consent {body['consent_no']} of {body['consent_on']}"
    findings.checked(CLAIM, f"{law.id} on the ground {ground.code} ({ground.basis}){consent}")


def _check_invited(material: Material, law: Procedure) -> None:
    """Whoever bid was invited, and enough were. The record is in the archive alone: elsewhere this is told and not proved."""
    findings = material.findings
    records = course.acts(material, "invitation.send")
    if not records:
        if material.audit:
            findings.fault(CLAIM, CODE, "the record of the invitations is missing")
        return
    assert law.invitation is not None
    count, least = len(records[0].value["facts"]["invited"]), material.rulebook.rule(law.invitation.least).whole
    if len(records) > 1:
        findings.fault(CLAIM, CODE, "invited more than once")
    if count < least:
        findings.fault(CLAIM, CODE, f"{count} invited, rule {law.invitation.least} asks for {least}")
    if law.invitation.pool is not None:
        _check_drawn(material, records[0])
    salt, named = unb64u(records[0].value["salt"]), records[0].value["facts"]["invited"]
    bidders = {d.value["bidder"] for d in material.of_kind("submission")}
    for bidder in sorted(bidders):
        if _hidden(salt, bidder) not in named:
            findings.fault(CLAIM, CODE, f"{bidder} bid without an invitation")
    findings.checked(CLAIM, f"{count} invited, and nobody else among {len(bidders)} who bid")


def _check_drawn(material: Material, record: Document) -> None:
    """The invited are those whom the draw picked from its pool before the invitations went out (GPL art. 34)."""
    results = [d for d in material.of_kind("draw") if d.value["label"] == "invited"]
    notices = [d for d in material.of_kind("draw-notice") if d.value["label"] == "invited"]
    if len(results) != 1 or len(notices) != 1 or results[0].value["at"] > record.value["at"]:
        material.findings.fault(CLAIM, CODE, f"{len(results)} draws before the invitations, and they are to be drawn")
        return
    pool = pool_of(material, notices[0])
    if pool is None:
        return  # in the archive alone
    drawn = {_hidden(unb64u(record.value["salt"]), pool[pick]) for pick in results[0].value["picks"]}
    if drawn != set(record.value["facts"]["invited"]):
        material.findings.fault(CLAIM, CODE, "others were invited than were drawn")


def _hidden(salt: bytes, code: str) -> str:
    """A credit code as the record of the invitations holds it."""
    return b64u(sha256(salt + b"\0" + code.encode()).digest())

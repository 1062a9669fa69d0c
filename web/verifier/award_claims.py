"""Claim `award`: the award is the ranking's or names its ground, and its notices came within their terms (E4)."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

from crypto.canonical import parse_time
from crypto.errors import CryptoError
from trading import procedures
from trading.kernel.calendar import local_day, packaged_calendar
from trading.kernel.errors import Refusal
from trading.kernel.exact import number
from web.verifier import course
from web.verifier.material import Document, Material
from web.verifier.score_claims import price_changes

DECIDED = ("AWARD", "RESULT", "CONTRACT", "FILING", "CLOSING")


def check(material: Material) -> None:
    """The claim. Never refuses."""
    findings = material.findings
    announced = course.since_taken_back(material, "lot.announce")
    line: list[Document] = []
    with findings.guard("award", "B_AWARD", "the decision"):
        line = course.decisions(material)
        if line:
            _check_decisions(material, line)
    with findings.guard("award", "B_AWARD", "what was upheld"):
        _check_upheld(material)
    if not line:
        if announced or material.lot.get("state") in DECIDED:
            findings.fault("award", "B_AWARD", "an award was announced, but no decision stands in the log")
        return
    with findings.guard("award", "B_AWARD", "the notices"):
        _check_notices(material, line[-1], [one for one in announced if one.value["at"] >= line[-1].value["at"]])
    with findings.guard("award", "B_AWARD", "the contract"):
        _check_contract(material, line[-1])


def _notices(material: Material, kind: str) -> list[dict[str, Any]]:
    return sorted((d.value for d in material.of_kind("notice") if d.value["kind"] == kind), key=lambda n: n["version"])


def _check_decisions(material: Material, line: list[Document]) -> None:
    """Each is of a bidder of the ranking, in its order after the first, with its ground where the first of it is passed over."""
    standing = course.rankings(material)[-1:]
    if not standing:
        raise CryptoError("CONTEXT_MISMATCH", "0 rankings to decide from")
    rows = {row["bidder"]: row["rank"] for row in standing[0].value["ranking"]}
    logged = material.logged(standing[0])
    if not logged or logged[0].at > line[0].value["at"]:
        raise CryptoError("CONTEXT_MISMATCH", "decided before there was a ranking")
    passed: set[str] = set()
    for place, decision in enumerate(line):
        facts = decision.value["facts"]
        winner, rank = facts["winner"], facts["rank"]
        if rows.get(winner) != rank:
            raise CryptoError("CONTEXT_MISMATCH", f"{winner} is not the one ranked {rank}")
        if place and rank != min(at for bidder, at in rows.items() if bidder not in passed):
            raise CryptoError("CONTEXT_MISMATCH", f"{winner} is not the next in the order of the ranking")
        shared = list(rows.values()).count(rank) > 1
        if (place or rank != 1 or shared) and not facts["ground"].strip():
            raise CryptoError("CONTEXT_MISMATCH", f"rank {rank} was chosen without a ground")
        passed.add(winner)
    ground = f", ground: {facts['ground']}" if facts["ground"] else ""
    material.findings.checked("award", f"{winner}, rank {rank} of the ranking{ground}")


EFFECTS = {"next": ("lot.decide", "lot.decide_again"), "review": ("lot.review_again",), "void": ("lot.annul",)}
"""By which act of the lot an upheld objection or challenge is followed, by what its answer says it leads to."""


def _check_upheld(material: Material) -> None:
    """No contract before that is done to which an upheld objection or challenge leads (GPReg art. 54, TReg art. 54, O94 art. 16)."""
    contracts = course.acts(material, "lot.contract")
    for answer in course.acts(material, "objection.answer", "complaint.decide"):
        wanted = EFFECTS.get(answer.value["facts"].get("effect", ""), ())
        done = [one for one in course.acts(material, *wanted) if one.value["at"] >= answer.value["at"]]
        if wanted and contracts and not done:
            material.findings.fault(
                "award", "B_AWARD", f"upheld at {answer.value['at']}, and a contract without what it leads to"
            )


def _check_notices(material: Material, decision: Document, announced: list[Document]) -> None:
    """Winner and dates of the notices; the candidates' publicity where the regime asks for one (rules T-12, T-13, T-17)."""
    findings, winner, law = (
        material.findings,
        decision.value["facts"]["winner"],
        procedures.find(material.lot.get("method", "")),
    )
    if law is None:
        findings.fault("award", "B_AWARD", f"a procedure that is not known here: {material.lot.get('method')}")
        return
    if law.award.publicity is not None:
        shown = _notices(material, "candidates")
        if not shown:
            findings.fault("award", "B_AWARD", "no notice of the candidates")
        else:
            period = law.award.publicity.lasts
            _check_term(
                material,
                period,
                shown[-1]["at"],
                shown[-1]["until"],
                least=True,
                what="the publicity of the candidates",
            )
            if decision.value["at"] < shown[-1]["until"]:
                findings.fault(
                    "award",
                    "B_AWARD",
                    f"decided at {decision.value['at']}, while the publicity ran until {shown[-1]['until']}",
                )
    if not announced:
        return
    for kind in ("result", "award"):
        found = _notices(material, kind)
        if not found:
            findings.fault("award", "B_AWARD", f"no {kind} notice")
            continue
        if found[-1]["body"]["winner"]["bidder"] != winner:
            findings.fault("award", "B_AWARD", f"the {kind} notice names another winner")
        if kind == "result" and law.award.announce is not None:
            _check_term(
                material,
                law.award.announce,
                decision.value["at"],
                next((one["at"] for one in found if one["at"] >= decision.value["at"]), found[-1]["at"]),
                least=False,
                what="the result notice",
            )
        if kind == "result" and law.award.shown is not None:
            _check_term(
                material,
                law.award.shown,
                found[-1]["at"],
                found[-1]["until"],
                least=True,
                what="the time the result is shown",
            )
        _check_price(material, winner, found[-1]["body"]["winner"].get("price_minor"))
    findings.checked("award", "notices of the result stand in the log, within their terms")


def _check_term(material: Material, rule: str, since: str, until: str, *, least: bool, what: str) -> None:
    """``until`` must be before the end of the rule's period (``least``: not before it). A year with no calendar here is not judged."""
    book = material.rulebook
    try:
        term = book.term(rule, local_day(_moment(since)), packaged_calendar())
    except Refusal as refusal:
        material.findings.checked("award", f"{what} was not judged: {refusal.code}")
        return
    if term is None:
        return
    wrong = _moment(until) < term.ends_at if least else _moment(until) >= term.ends_at
    if wrong:
        material.findings.fault("award", "B_AWARD", f"{what}: {until}, rule {rule} gives {term.ends_at.isoformat()}")


def _moment(text: str) -> dt.datetime:
    return parse_time(text)


def _check_price(material: Material, winner: str, price_minor: Any) -> None:
    bidders = {d.value["header_hash"]: d.value["bidder"] for d in material.of_kind("submission")}
    corrected = price_changes(material).get(winner, (Fraction(0), Fraction(0)))[0]
    for document in material.lists_of(material.parts()[-1]):
        for row in document.value["bids"]:
            if bidders.get(row["header_hash"]) == winner and price_minor is not None:
                if (number(row["announce"]["price"], "price") + corrected) * 100 != price_minor:
                    told = "the one that was read out" + (", as the panel corrected it" if corrected else "")
                    material.findings.fault("award", "B_AWARD", f"the price of the award is not {told}")


def _check_contract(material: Material, decision: Document) -> None:
    for record in course.acts(material, "lot.contract"):
        _check_price(material, decision.value["facts"]["winner"], record.value["facts"]["amount_minor"])
        if record.value["at"] < decision.value["at"]:
            raise CryptoError("CONTEXT_MISMATCH", "a contract before the decision")
        material.findings.checked("award", "the contract is over the awarded price")

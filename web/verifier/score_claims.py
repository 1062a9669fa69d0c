"""Claims `arithmetic` and `ranking`: every number reckoned again from sheets, announced prices, coefficient and scheme (E3).

The formulas are those of ``evaluation.methods``, which are pure and exact; how a scheme is read and its parts put together is written
here once more, so that a slip of the platform is seen. The schema of a method is asked only for the names of its parameters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from crypto.canonical import loads
from crypto.errors import CryptoError
from crypto.signatures import document_hash, payload_of, verify_any
from evaluation.methods import registry
from evaluation.methods.declared import BY_POINTS, BY_PRICE
from evaluation.methods.expert_scores import is_consistent, trimmed
from evaluation.methods.price_scores import low_price_first
from evaluation.methods.ranking import rank
from evaluation.methods.works_prices import benchmark_deviation, scheme_from
from trading.kernel.exact import BadValue, Rounding, mean, number, rounded, written_exactly
from web.verifier import course
from web.verifier.bid_claims import technical_result
from web.verifier.draw_claims import coefficient
from web.verifier.material import BID, PRICE, Material
from web.verifier.sheet_claims import Round

SCHEME, REPORT, INPUTS, FINDINGS, BLIND = (
    "rules/scheme.json",
    "ranking/report.json",
    "ranking/inputs.json",
    "sheets/findings.json",
    "sheets/blind.json",
)
COMMON = {"v", "method", "criteria", "tie"}
"""What every scheme may say, whatever its method."""
SCORING = {"rounding", "outlier", "blind"}
"""What it may say beside where members give points."""
_FORMULA = {
    "above": "E1_above",
    "below": "E2_below",
    "k": "K",
    "n": "N",
    "m": "M",
    "q1": "Q1",
    "q2": "Q2",
    "k1": "K1",
    "k2": "K2",
    "c": "C",
}
"""Names of a scheme's benchmark and of the formula where they differ."""


@dataclass
class Reckoned:
    """What follows from the inputs: points by bidder and criterion, ranks; ``totals``: what ranks, total points or a price; ``corrected``:
    the prices as the panel corrected them."""

    points: dict[str, dict[str, Fraction]] = field(default_factory=dict)
    totals: dict[str, Fraction] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    corrected: dict[str, Fraction] = field(default_factory=dict)


def check(material: Material, rounds: list[Round]) -> None:
    """Both claims. Never refuses."""
    findings = material.findings
    rankings = course.rankings(material)
    if not rankings:
        for entry in material.of_event("ranking"):
            findings.fault("ranking", "B_RANK", f"the ranking of entry {entry.c} is missing")
        return
    if len(rankings) > 1 + len(course.acts(material, "lot.review_again")):
        findings.fault("ranking", "B_RANK", "two rankings, and no review again between them")
    said = rankings[-1].value
    with findings.guard("ranking", "B_RANK", "the scheme"):
        if document_hash(loads(material.archive.read(SCHEME))) != said["rules"]:
            raise CryptoError("CONTEXT_MISMATCH", "the ranking is of another scheme")
    if len(material.parts()) > 1:
        with findings.guard("ranking", "B_RANK", "the technical result"):
            _check_technical(material)
    with findings.guard("arithmetic", "B_SCORE", "the report"):
        _check_report(material, rounds)
    found = None
    with findings.guard("arithmetic", "B_SCORE", "the scores"):
        found = reckon(material, rounds)
        _compare_scores(material, found, said)
    if found is None:
        findings.fault("ranking", "B_RANK", "the scores it follows from cannot be reckoned")
        return
    with findings.guard("ranking", "B_RANK", "the ranking"):
        _compare_ranks(material, found, said)


# --- reckoning ------------------------------------------------------------------------------------------------------------------------


def reckon(material: Material, rounds: list[Round]) -> Reckoned:
    """Points, totals and ranks from the last round. Refuses: BadValue, CryptoError, KeyError."""
    scheme = json.loads(material.archive.read(SCHEME))
    inputs = loads(material.archive.read(INPUTS))
    announced = _announced(material)
    rejected = _rejected(material)
    valid = sorted(bidder for bidder in announced if bidder not in rejected)
    said = _prices_said(material)
    quotes = {bidder: number(said[bidder], f"{bidder}.price") for bidder in valid}
    small = {row["bidder"] for row in inputs["bids"] if row["small"]}
    if any(announced[bidder].get("small_firm") != "yes" for bidder in small):
        raise BadValue("small_firm", "inputs", "the deduction only for who declared it")
    _check_keys(scheme)
    place = {bidder: Fraction(at) for at, bidder in enumerate(inputs["tie_break"])}
    last = Fraction(len(place))
    if registry.method(scheme["method"]).ranks_by == BY_PRICE:
        found = _reckon_prices(material, scheme, quotes, small & set(valid))
        found.ranks = rank({b: (price, place.get(b, last)) for b, price in found.totals.items()}).ranks
        return found
    scored = sorted(bidder for bidder in announced if bidder not in _rejected(material, "qualification", "conformity"))
    scores = _scores(material, rounds[-1], scheme, scored) if rounds else {}
    prices = _prices(material, scheme, quotes, small & set(valid))
    found = Reckoned()
    for bidder in valid:
        points = {}
        for one in scheme["criteria"]:
            given = [rows[bidder][one["id"]] for rows in scores.values()] if one["kind"] != "price" else []
            points[one["id"]] = prices[bidder] if one["kind"] == "price" else _points(scheme, one, given)
        found.points[bidder], found.totals[bidder] = points, sum(points.values(), Fraction(0))
    found.ranks = rank({b: (-t, quotes[b], place.get(b, last)) for b, t in found.totals.items()}).ranks
    return found


def _check_keys(scheme: Mapping[str, Any]) -> None:
    """Nothing in the scheme that its method does not know. Refuses: BadValue."""
    method = registry.method(scheme.get("method"))
    known = COMMON | method.own_keys | (SCORING if method.ranks_by == BY_POINTS else set())
    if strange := set(scheme) - known:
        raise BadValue("unknown_keys", ", ".join(sorted(strange)), "parameters of the method")


def _reckon_prices(
    material: Material, scheme: Mapping[str, Any], quotes: Mapping[str, Fraction], small: set[str]
) -> Reckoned:
    """The prices that rank: the quote less the deduction for small firms, or the quote as the panel corrected and adjusted it."""
    if scheme["criteria"]:
        raise BadValue("scored", "criteria", "no criteria where the price alone ranks")
    found = Reckoned(points={bidder: {} for bidder in quotes})
    if scheme["method"] == "GP_LOWEST":
        share = number(scheme.get("small_firm", "0"), "small_firm")
        found.totals = {b: quote * (1 - share) if b in small else quote for b, quote in quotes.items()}
        return found
    if scheme["method"] != "WK_LOWEST":
        raise BadValue("unknown_method", "method", "a method whose prices are known here")
    if scheme.get("common") is not True:
        raise BadValue("missing", "common", "works of common technology alone may rank by price")
    for bidder, (arithmetic, adjustment) in price_changes(material).items():
        if adjustment and not scheme.get("adjustments", "").strip():
            raise BadValue("not_priced", bidder, "an adjustment that the documents name")
        if bidder in quotes:
            found.corrected[bidder] = quotes[bidder] + arithmetic
            found.totals[bidder] = quotes[bidder] + arithmetic + adjustment
    if set(found.totals) != set(quotes):
        raise BadValue("missing", "findings", "a finding on each price that is ranked")
    return found


def price_changes(material: Material) -> dict[str, tuple[Fraction, Fraction]]:
    """bidder → (arithmetic correction, adjustment) in yuan, as the finding on its price says; empty where prices rank as quoted."""
    if FINDINGS not in material.archive.files or SCHEME not in material.archive.files:
        return {}
    if json.loads(material.archive.read(SCHEME)).get("method") != "WK_LOWEST":
        return {}
    stage = "price" if len(material.parts()) > 1 else "conformity"
    return {
        row["bidder"]: (number(row["arithmetic"], "arithmetic"), number(row["adjustment"], "adjustment"))
        for row in loads(material.archive.read(FINDINGS))["findings"]
        if row["stage"] == stage
    }


def _announced(material: Material) -> dict[str, dict[str, str]]:
    """bidder → what its opened bid announces, of two envelopes the technical one."""
    return _announced_in(material, BID)


def _announced_in(material: Material, part: str) -> dict[str, dict[str, str]]:
    bidders = {d.value["header_hash"]: d.value["bidder"] for d in material.of_kind("submission")}
    opened = material.lists_of(part)
    if len(opened) != 1:
        raise CryptoError("CONTEXT_MISMATCH", f"{len(opened)} opening lists")
    return {
        bidders[row["header_hash"]]: row["announce"] for row in opened[0].value["bids"] if row["verdict"] == "opened"
    }


def _prices_said(material: Material) -> dict[str, str]:
    """bidder → the price as announced in the last envelope."""
    return {bidder: told["price"] for bidder, told in _announced_in(material, material.parts()[-1]).items()}


def _rejected(material: Material, *stages: str) -> set[str]:
    """Who was rejected, in any stage or those named; of two envelopes also who passed technically and has no opened price."""
    found = loads(material.archive.read(FINDINGS))["findings"]
    rejected = {row["bidder"] for row in found if not row["ok"] and row["stage"] in (stages or (row["stage"],))}
    if len(material.parts()) > 1 and not stages:
        rejected |= set(_announced(material)) - set(_announced_in(material, PRICE))
    return rejected


def _check_technical(material: Material) -> None:
    """Of two envelopes: who passed is who was not rejected, and every sheet was revealed before it was fixed; prices came after."""
    fixed = technical_result(material)
    if fixed is None:
        raise CryptoError("CONTEXT_MISMATCH", "a ranking of two envelopes without a technical result")
    entry, passed = fixed
    if passed != set(_announced(material)) - _rejected(material, "qualification", "conformity"):
        raise CryptoError("CONTEXT_MISMATCH", "the technical result is not that of the findings")
    if any(sheet.at > entry.at or sheet.tick > entry.tick for sheet in material.of_event("sheet")):
        raise CryptoError("CONTEXT_MISMATCH", "a score sheet was revealed after the technical result")
    material.findings.checked("ranking", f"{len(passed)} bids passed technically before any price was opened")


def _scores(
    material: Material, last: Round, scheme: Mapping[str, Any], valid: list[str]
) -> dict[str, dict[str, dict[str, Fraction]]]:
    """expert → bidder → criterion → points, every item of every valid bid once, within its limits."""
    names = {bidder: bidder for bidder in valid}
    if scheme.get("blind"):
        names = {row["name"]: row["bidder"] for row in loads(material.archive.read(BLIND))["bids"]}
    scored = {one["id"]: one for one in scheme["criteria"] if one["kind"] != "price"}
    found: dict[str, dict[str, dict[str, Fraction]]] = {}
    for expert, sheet in sorted(last.sheets.items()):
        rows = {
            names[bid["bidder"]]: {item["id"]: number(item["score"], f"{expert}.{item['id']}") for item in bid["items"]}
            for bid in sheet.value["bids"]
        }
        if (
            set(rows) != set(valid)
            or any(set(row) != set(scored) for row in rows.values())
            or len(rows) != len(sheet.value["bids"])
        ):
            raise BadValue("missing", f"sheet of {expert}", "every item of every valid bid, once")
        for bidder, row in rows.items():
            for name, points in row.items():
                if not _allowed(scored[name], points):
                    raise BadValue(
                        "out_of_range", f"{expert}.{bidder}.{name}", "points within the criterion and its bands"
                    )
        found[expert] = rows
    return found


def _allowed(criterion: Mapping[str, Any], points: Fraction) -> bool:
    bands = criterion.get("bands") or []
    most = number(criterion["max"], "max")
    inside = any(number(band["low"], "low") <= points <= number(band["high"], "high") for band in bands)
    return 0 <= points <= most and (not bands or inside)


def _points(scheme: Mapping[str, Any], criterion: Mapping[str, Any], given: list[Fraction]) -> Fraction:
    """An objective item is what all gave; a subjective one the mean, trimmed where the documents say so (rules E-01e, E-30, E-31)."""
    rounding = scheme["rounding"]
    mode = Rounding(rounding.get("mode", "HALF_UP"))
    if not given:
        raise BadValue("missing", criterion["id"], "points of every member")
    if criterion["kind"] == "objective":
        if not is_consistent({str(at): points for at, points in enumerate(given)}):
            raise BadValue("objective_differs", criterion["id"], "equal points of every member")
        return rounded(given[0], rounding.get("points", 2), mode)
    left = trimmed(given, scheme["trim_from"])[0] if scheme.get("trim_from") else given
    return rounded(mean(left), rounding.get("mean", 2), mode)


def _prices(
    material: Material, scheme: Mapping[str, Any], quotes: Mapping[str, Fraction], small: set[str]
) -> dict[str, Fraction]:
    rounding = scheme["rounding"]
    places, mode = rounding.get("points", 2), Rounding(rounding.get("mode", "HALF_UP"))
    (full,) = (one["max"] for one in scheme["criteria"] if one["kind"] == "price")
    weight = number(full, "weight")
    if scheme["method"] == "GP_SCORE":
        share = number(scheme.get("small_firm", "0"), "small_firm")
        return low_price_first(
            quotes, weight, deduction_rates={b: share for b in small if share}, places=places, mode=mode
        ).points
    given = dict(scheme["benchmark"])
    drawn = given.pop("coefficient", "")
    params: dict[str, Any] = {_FORMULA.get(str(key), str(key)): value for key, value in given.items()}
    above, below = params.pop("E1_above", None), params.pop("E2_below", None)
    if drawn:
        params["K"] = coefficient(material)
    params |= {"control_price": material.lot["ceiling"], "points_places": places, "rounding": mode.value}
    formula = scheme_from(params, {"full_points": written_exactly(weight), "E1_above": above, "E2_below": below})
    return benchmark_deviation(quotes, formula).points


# --- comparing ------------------------------------------------------------------------------------------------------------------------


def _check_report(material: Material, rounds: list[Round]) -> None:
    """The report is the one the log names, of just these sheets, and signed by the members whose signatures are here."""
    report = loads(material.archive.read(REPORT))
    name = document_hash(report)
    for path in material.archive.below("ranking/signature."):
        with material.findings.guard("manifest", "B_SIG", path):
            envelope = json.loads(material.archive.read(path))
            claimed = loads(payload_of(envelope))
            verify_any(envelope, "report-signature", material.public_keys(claimed["expert"], ("expert", "tenderee")))
            if claimed["report"] != name:
                raise CryptoError("SIG", "a signature under another report")
    concluded = [d.value["facts"].get("report") for d in course.acts(material, "lot.report")]
    if concluded and concluded[-1] != name:
        raise CryptoError("CONTEXT_MISMATCH", "another report than the one concluded")
    if rounds and set(report["sheets"]) != {sheet.hash for sheet in rounds[-1].sheets.values()}:
        raise CryptoError("CONTEXT_MISMATCH", "the report is of other sheets")
    rejected = {row["bidder"] for row in report["rejected"]}
    if rejected != _rejected(material) & set(_announced(material)):
        raise CryptoError("CONTEXT_MISMATCH", "the report rejects other bids than the findings")


def _compare_scores(material: Material, found: Reckoned, said: Mapping[str, Any]) -> None:
    findings, report = material.findings, loads(material.archive.read(REPORT))
    rows = {row["bidder"]: row for row in report["bids"]}
    scores = {row["bidder"]: row.get("score", row.get("price", "")) for row in said["ranking"]}
    if set(rows) != set(found.totals) or set(scores) != set(found.totals):
        raise CryptoError("CONTEXT_MISMATCH", "other bidders than those who are to be scored")
    for bidder, total in found.totals.items():
        for one in rows[bidder]["criteria"]:
            if number(one["points"], one["id"]) != found.points[bidder][one["id"]]:
                mine = written_exactly(found.points[bidder][one["id"]])
                findings.fault(
                    "arithmetic", "B_SCORE", f"{bidder}, {one['id']}: {one['points']} reported, {mine} reckoned"
                )
        if bidder in found.corrected and number(rows[bidder]["corrected"], "corrected") != found.corrected[bidder]:
            mine = written_exactly(found.corrected[bidder])
            findings.fault(
                "arithmetic", "B_SCORE", f"{bidder}: {rows[bidder]['corrected']} as corrected price, {mine} reckoned"
            )
        for what, value in (("report", rows[bidder]["total"]), ("ranking", scores[bidder])):
            if number(value, "total") != total:
                findings.fault(
                    "arithmetic", "B_SCORE", f"{bidder}: {value} in the {what}, {written_exactly(total)} reckoned"
                )
    what = "points and totals" if any(found.points.values()) else "prices that rank"
    where = "from the sheets" if any(found.points.values()) else "from the announced prices and the findings"
    findings.checked("arithmetic", f"{what} of {len(found.totals)} bids reckoned anew {where}")


def _compare_ranks(material: Material, found: Reckoned, said: Mapping[str, Any]) -> None:
    ranks = {row["bidder"]: row["rank"] for row in said["ranking"]}
    for bidder in sorted(set(ranks) | set(found.ranks)):
        if ranks.get(bidder) != found.ranks.get(bidder):
            material.findings.fault(
                "ranking", "B_RANK", f"{bidder} is ranked {ranks.get(bidder)}, reckoned {found.ranks.get(bidder)}"
            )
    order = [row["rank"] for row in said["ranking"]]
    if order != sorted(order) or len(ranks) != len(order):
        material.findings.fault("ranking", "B_RANK", "the ranking is out of order, or names a bidder twice")
    material.findings.checked("ranking", f"{len(ranks)} bids ranked as reckoned")

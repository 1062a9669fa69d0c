"""Schemes: the criteria and formulas a lot is evaluated by, validated before publication (rules E-00 to E-06, E-08b, E-31, rulebook 2.7).

Law of the noun: nothing may score that the scheme does not name; its parts sum to 100; the price is computed by the platform alone; what
is wrong is said all at once. A scheme holds texts for numbers, and no fractions of the machine's kind.

    {"v": 1, "method": an id of evaluation.methods.registry,
     "criteria": [{"id", "title", "title_en"?, "kind": "objective" | "subjective" | "price", "max": "40",
                   "bands"?: [{"low": "0", "high": "10", "label": "…"}]}],         [] where the price alone ranks
     "tie": "purchaser" | "panel" | "draw",
     "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"}, "outlier": "0.30", "blind": false      where points are given
     "small_firm": "0.10", "uniform": true                  GP: price deduction for small and micro firms (E-06)
     "trim_from": 7                                         works: drop one highest and one lowest score from so many members on (E-31)
     "benchmark": {"above": "1", "below": "0.5", "drop_rule", "coefficient": "draw K"?, "k" | "n" | "float"?, "mix", …}    works (2.7)}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from crypto.canonical import dumps
from crypto.errors import CryptoError
from crypto.signatures import document_hash
from evaluation.methods import registry
from evaluation.methods.declared import BY_POINTS, SHARE, TICK, WHOLE, WORDS, EvaluationMethod, Parameter, Setting
from evaluation.methods.inputs import Band, Criterion, Scheme
from trading.kernel.errors import Fault, Faults, Invalid
from trading.kernel.exact import (
    BadValue,
    Rounding,
    between,
    boolean,
    count,
    number,
    rate,
    take,
    text,
    word,
    written_exactly,
)
from trading.kernel.work import UnitOfWork
from trading.procedures import Procedure, procedure_of
from trading.rulebook import Rulebook
from trading.tendering import planning, tenders
from trading.tendering.tenders import Lot

KINDS = ("objective", "subjective", "price")
TIES = ("purchaser", "panel", "draw")
MOST_CRITERIA = 100
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
FULL_POINTS = Fraction(100)
READ: Mapping[str, Any] = {SHARE: rate, WHOLE: count(7), TICK: boolean, WORDS: text}
"""How a top parameter of a kind is read; the whole number is a number of members (rule E-31)."""
LEAST_OUTLIER = Fraction(5, 100)
"""The least share a prompt may go by (rule E-38): below it nearly every score is far from the mean of the others."""
_POINTS = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?\Z", re.ASCII)
HINTS = {
    "scheme.hint_region": ("本市", "本地", "本省", "本区", "本县", "省内", "市内", "当地", "行政区域", "local firm"),
    "scheme.hint_industry": ("特定行业", "行业协会", "本行业业绩", "本系统"),
    "scheme.hint_scale": (
        "注册资本",
        "注册资金",
        "资产总额",
        "营业收入",
        "营业额",
        "从业人员",
        "利润",
        "纳税额",
        "turnover",
        "registered capital",
    ),
}
"""Words that often stand for something the law forbids to score: regions and industries (E-01d), the scale of a firm (E-01b)."""


# --- small rules ------------------------------------------------------------------------------------------------------------------


def rules_hash(scheme: Mapping[str, Any]) -> str:
    """The hash by which a ranking names the scheme its scores follow from."""
    return document_hash(dict(scheme))


def method_of(scheme: Mapping[str, Any] | None) -> EvaluationMethod | None:
    """The declared method of a scheme as a lot holds it, None where there is none yet."""
    return registry.method(scheme["method"]) if scheme else None


class HasScheme(Protocol):
    """A lot, or a card of one."""

    @property
    def scheme(self) -> Mapping[str, Any] | None: ...


def method_of_lot(lot: HasScheme) -> EvaluationMethod | None:
    """As ``method_of``, of a lot or a card of it."""
    return method_of(lot.scheme)


def points(value: object, where: str) -> Fraction:
    """Points as text or whole number: 0 to 999, three decimals at most. Refuses: BadValue ``bad_points``."""
    if not isinstance(value, str) or not _POINTS.match(value):
        raise BadValue("bad_points", where, "a decimal text such as 8.50")
    return number(value, where)


def read(scheme: Mapping[str, Any]) -> Scheme:
    """A scheme that has been validated, for calculating. Refuses: BadValue for one that has not."""
    method = registry.method(scheme["method"])
    rounding = scheme["rounding"] if method.ranks_by == BY_POINTS else {}
    return Scheme(
        method=scheme["method"],
        criteria=tuple(_criterion(one, f"criteria.{at}") for at, one in enumerate(scheme["criteria"])),
        points_places=take(rounding, "points", count(0), "rounding", default=2),
        mean_places=take(rounding, "mean", count(0), "rounding", default=2),
        mode=Rounding(take(rounding, "mode", word(*Rounding), "rounding", default="HALF_UP")),
        outlier=take(scheme, "outlier", between(above=0), default=Fraction(30, 100)),
        tie=scheme["tie"],
        blind=bool(scheme.get("blind", False)),
        trim_from=take(scheme, "trim_from", count(3), default=0),
        own={key: scheme[key] for key in sorted(method.own_keys) if key in scheme},
    )


def _criterion(value: Mapping[str, Any], where: str) -> Criterion:
    bands = tuple(
        Band(take(band, "low", points, where), take(band, "high", points, where), str(band.get("label", "")))
        for band in value.get("bands") or ()
    )
    most = take(value, "max", points, where)
    return Criterion(value["id"], value["title"], value.get("title_en") or value["title"], value["kind"], most, bands)


def sheet_faults(scheme: Scheme, bidders: Sequence[str], sheet: Mapping[str, Any]) -> list[Fault]:
    """Everything wrong with a sheet of scores ``{bids: [{bidder, items: [{id, score, reason?}]}]}``: every bidder and every item just once,
    in order, within maximum and bands, a reason with each subjective score (rules E-01, E-32)."""
    faults = Faults()
    given = [str(bid.get("bidder")) for bid in sheet["bids"]]
    if given != list(bidders):
        faults.add("bids", "sheet.other_bids", expected=list(bidders), found=given)
        return faults.found
    for bid in sheet["bids"]:
        named = [str(item.get("id")) for item in bid["items"]]
        if named != [one.id for one in scheme.scored]:
            faults.add(
                f"bids.{bid['bidder']}", "sheet.other_items", expected=[one.id for one in scheme.scored], found=named
            )
            continue
        for one, item in zip(scheme.scored, bid["items"], strict=True):
            where = f"bids.{bid['bidder']}.{one.id}"
            try:
                score = points(item.get("score"), where)
            except BadValue:
                faults.add(where, "sheet.bad_score", score=str(item.get("score"))[:40])
                continue
            if not one.allows(score):
                faults.add(
                    where, "sheet.out_of_range", score=str(item["score"]), most=written_exactly(one.max), rule="E-32"
                )
            if one.kind == "subjective" and not str(item.get("reason", "")).strip():
                faults.add(where, "sheet.no_reason")
    return faults.found


# --- validation -------------------------------------------------------------------------------------------------------------------


def validate(
    scheme: Mapping[str, Any],
    *,
    law: Procedure,
    category: str,
    book: Rulebook,
    coefficients: Sequence[str] = (),
    ceiling: Fraction | None = None,
) -> list[Fault]:
    """Check a scheme against the rulebook of the day; returns warnings: words that often hide a forbidden criterion (E-01b, E-01d).

    ``category``: GOODS, SERVICES, or what ``planning.rule_category`` says of works; ``coefficients``: what a drawn K may be; ``ceiling``:
    yuan.
    Refuses: Invalid ``scheme.faults`` with every fault at once.
    """
    faults = Faults()
    wanted = scheme.get("method") if scheme.get("method") in law.evaluation else law.evaluation[0]
    method = registry.method(wanted)
    if scheme.get("v") != 1:
        faults.add("v", "scheme.version")
    if scheme.get("method") not in law.evaluation:
        faults.add("method", "scheme.method", method=str(scheme.get("method")), allowed=list(law.evaluation))
    if strange := sorted(set(scheme) - method.keys):
        faults.add("scheme", "scheme.unknown_keys", keys=strange)
    if method.ranks_by == BY_POINTS:
        _check_criteria(faults, scheme.get("criteria"), category, law.id, book)
        _check_scoring(faults, scheme)
    elif scheme.get("criteria") != []:
        faults.add("criteria", "scheme.no_points", rule=method.rules[0])
    if scheme.get("tie") not in TIES:
        faults.add("tie", "scheme.tie", allowed=list(TIES), rule="E-07")
    for one in method.parameters:
        _check_parameter(faults, scheme, one)
    if not (method.last and faults.found):
        method.check(faults, scheme, Setting(law.id, category, book, coefficients, ceiling))
    try:
        dumps(dict(scheme))
    except CryptoError as error:
        faults.add("scheme", "scheme.not_canonical", detail=error.detail)
    faults.refuse_if_any("scheme.faults")
    return hints(scheme)


def hints(scheme: Mapping[str, Any]) -> list[Fault]:
    """Words in titles and bands that a person should look at twice."""
    found = []
    for at, one in enumerate(scheme["criteria"]):
        told = " ".join(
            [one["title"], one.get("title_en") or "", *(str(band.get("label", "")) for band in one.get("bands") or ())]
        )
        for code, forbidden in HINTS.items():
            if words := [each for each in forbidden if each in told]:
                rule = "E-01b" if code == "scheme.hint_scale" else "E-01d"
                found.append(Fault(f"criteria.{at}.title", code, {"words": words, "rule": rule}))
    return found


def _check(faults: Faults, where: str, code: str, reading: Any) -> Any:
    try:
        return reading()
    except BadValue as error:
        faults.add(where, code, reason=error.code, expected=error.expected)
        return None


def _points(faults: Faults, where: str, code: str, held: Mapping[str, Any], key: str) -> Fraction | None:
    found: Fraction | None = _check(faults, where, code, lambda: take(held, key, points, where))
    return found


def _check_criteria(faults: Faults, criteria: Any, category: str, method: str, book: Rulebook) -> None:
    if (
        not isinstance(criteria, list)
        or not 1 <= len(criteria) <= MOST_CRITERIA
        or not all(isinstance(one, dict) for one in criteria)
    ):
        faults.add("criteria", "scheme.criteria", most=MOST_CRITERIA)
        return
    total: Fraction | None = Fraction(0)
    seen: set[str] = set()
    for at, one in enumerate(criteria):
        where = f"criteria.{at}"
        name = one.get("id")
        if not isinstance(name, str) or not _ID.match(name):
            faults.add(f"{where}.id", "scheme.bad_id", id=str(name)[:60])
        elif name in seen:
            faults.add(f"{where}.id", "scheme.id_twice", id=name)
        seen.add(str(name))
        if not isinstance(one.get("title"), str) or not one["title"].strip():
            faults.add(f"{where}.title", "form.required")
        if one.get("kind") not in KINDS:
            faults.add(f"{where}.kind", "scheme.kind", kind=str(one.get("kind")), allowed=list(KINDS), rule="E-01e")
        most = _points(faults, f"{where}.max", "scheme.bad_max", one, "max")
        if most is not None and most <= 0:
            faults.add(f"{where}.max", "scheme.bad_max", reason="too_small", expected="more than 0")
        total = None if most is None or total is None else total + most
        if most is not None:
            _check_bands(faults, one, where, most)
    prices = [one for one in criteria if one.get("kind") == "price"]
    if len(prices) != 1:
        faults.add("criteria", "scheme.one_price", found=len(prices), rule="E-01e")
    elif prices[0].get("bands"):
        faults.add("criteria", "scheme.price_bands")
    if total is not None and total != FULL_POINTS:
        faults.add("criteria", "scheme.sum", total=written_exactly(total), rule="E-01")
    if len(prices) == 1 and isinstance(prices[0].get("max"), str) and _POINTS.match(prices[0]["max"]):
        _check_weight(faults, number(prices[0]["max"], "max"), category, method, book)


def _check_bands(faults: Faults, one: Mapping[str, Any], where: str, most: Fraction) -> None:
    bands = one.get("bands") or []
    if not isinstance(bands, list) or not all(isinstance(band, dict) for band in bands):
        faults.add(f"{where}.bands", "scheme.bands")
        return
    for at, band in enumerate(bands):
        place = f"{where}.bands.{at}"
        low, high = (_points(faults, f"{place}.{key}", "scheme.bad_band", band, key) for key in ("low", "high"))
        if low is not None and high is not None and not low <= high <= most:
            faults.add(
                place, "scheme.band_limits", low=band["low"], high=band["high"], most=written_exactly(most), rule="E-01"
            )


def _check_weight(faults: Faults, weight: Fraction, category: str, method: str, book: Rulebook) -> None:
    """Rule E-03: the lower limit of the price's weight, and an upper one where the law has one."""
    for rule in book.about("price_weight", method=method, category=category):
        if (rule.kind == "MIN" and weight < rule.number) or (rule.kind == "MAX" and weight > rule.number):
            faults.add(
                "criteria",
                "scheme.price_weight",
                weight=written_exactly(weight),
                limit=written_exactly(rule.number),
                direction=rule.kind.lower(),
                rule=rule.id,
            )


def _check_scoring(faults: Faults, scheme: Mapping[str, Any]) -> None:
    """How members' points are rounded, prompted for and given."""
    _check_rounding(faults, scheme.get("rounding"))
    share = _check(
        faults,
        "outlier",
        "scheme.outlier",
        lambda: take(scheme, "outlier", between(above=0), default=Fraction(30, 100)),
    )
    if share is not None and not LEAST_OUTLIER <= share <= 1:
        faults.add(
            "outlier",
            "scheme.outlier_range",
            percent=written_exactly(share * 100, 0),
            least=written_exactly(LEAST_OUTLIER * 100, 0),
        )
    if not isinstance(scheme.get("blind", False), bool):
        faults.add("blind", "scheme.blind")


def _check_rounding(faults: Faults, rounding: Any) -> None:
    if not isinstance(rounding, dict) or set(rounding) - {"points", "mean", "mode"}:
        faults.add("rounding", "scheme.rounding")
        return
    for key in ("points", "mean"):
        places = rounding.get(key, 2)
        if not isinstance(places, int) or isinstance(places, bool) or not 0 <= places <= 4:
            faults.add(f"rounding.{key}", "scheme.rounding")
    _check(
        faults, "rounding.mode", "scheme.rounding", lambda: take(rounding, "mode", word(*Rounding), default="HALF_UP")
    )


def _check_parameter(faults: Faults, scheme: Mapping[str, Any], one: Parameter) -> None:
    """A parameter of the method that this schema reads itself; what is nested is read by the method's own formula."""
    if one.refusal and scheme.get(one.key) is not None:
        reading = READ[one.kind]
        _check(faults, one.key, one.refusal, lambda: take(scheme, one.key, reading))


# --- acts -------------------------------------------------------------------------------------------------------------------------


def set_scheme(work: UnitOfWork, lot: Lot, scheme: dict[str, Any]) -> list[Fault]:
    """Validate a scheme against the lot and the rules of the day, and keep it with the lot; returns the warnings.

    Refuses: NotAllowed, WrongStep (published), Invalid ``scheme.faults`` (every fault).
    """
    tenders.require_draft(work, lot)
    warnings = check_for(lot, scheme, planning.book_of(lot, work.now))
    tenders.set_scheme(work, lot, scheme)
    return warnings


def check_for(lot: Lot, scheme: Mapping[str, Any], book: Rulebook) -> list[Fault]:
    """``validate`` with what a lot says of itself."""
    return validate(
        scheme,
        law=procedure_of(lot),
        category=planning.rule_category(lot.project),
        book=book,
        coefficients=lot.coefficients,
        ceiling=Fraction(lot.ceiling_minor, 100),
    )


def of_lot(lot: Lot) -> Scheme:
    """The scheme of a lot. Refuses: Invalid ``scheme.unusable`` where none, or none that was validated, was set."""
    try:
        if not lot.scheme:
            raise BadValue("missing", "scheme", "a scheme")
        return read(lot.scheme)
    except (BadValue, KeyError, TypeError, StopIteration, ValueError) as error:
        raise Invalid("scheme.unusable", ref=lot.ref) from error

"""The criteria of a lot: the evaluation method, a table of criteria where points are given, the parameters of the method. Offered to start
from, checked whole, fixed at publication. Another method may be chosen while typing: what it can use of what was typed stays."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from flask_babel import gettext as _

from evaluation.methods import declared, registry
from evaluation.methods.declared import BY_POINTS, EvaluationMethod, Parameter
from evaluation.scoring import schemes
from trading.kernel.access import Act
from trading.kernel.errors import Fault, Invalid
from trading.kernel.exact import written_exactly
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork
from trading.procedures import procedure_of
from trading.tendering import planning
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web import words
from web.desks.agency.lots import show_lot
from web.desks.agency.room import SEE, agency, said
from web.http.forms import Form
from web.http.gate import reading, request
from web.http.page_rules import ByHand
from web.http.refusals import language

BLANK_ROWS = 3
MOST_ROWS = 40
_BAND = re.compile(r"(?P<low>\d+(?:\.\d+)?)\s*[-–—~至]\s*(?P<high>\d+(?:\.\d+)?)\s+(?P<label>.+)", re.ASCII | re.DOTALL)


def start_from(lot: Lot, method: EvaluationMethod) -> dict[str, Any]:
    """The scheme offered to a lot that has none by a method: one that is lawful as it stands, for the agency to change."""
    scheme = copy.deepcopy(dict(method.offered))
    for one in method.parameters:
        if one.kind == declared.DRAW and lot.coefficients:
            put(scheme, one.key, declared.DRAWN)
    return scheme


def method_for(lot: Lot) -> EvaluationMethod:
    """The evaluation method of a lot's scheme, or the first one its procedure allows."""
    allowed = procedure_of(lot).evaluation
    held = (lot.scheme or {}).get("method")
    return registry.method(held if held in allowed else allowed[0])


def method_typed(form: Form, lot: Lot) -> EvaluationMethod:
    """The method chosen in the form, or that of the lot where the form says none its procedure allows."""
    typed = form.shown("method")
    return registry.method(typed) if typed in procedure_of(lot).evaluation else method_for(lot)


def put(scheme: dict[str, Any], key: str, value: Any) -> None:
    """Write a parameter at its place in a scheme."""
    outer, _dot, inner = key.partition(".")
    if inner:
        scheme.setdefault(outer, {})[inner] = value
    else:
        scheme[outer] = value


def held_at(scheme: Mapping[str, Any], key: str) -> Any:
    outer, _dot, inner = key.partition(".")
    return (scheme.get(outer) or {}).get(inner) if inner else scheme.get(outer)


def _first(scheme: dict[str, Any]) -> dict[str, Any]:
    method = registry.method(scheme["method"])
    first: dict[str, Any] = {"method": method.id, "tie": scheme.get("tie", "")}
    if method.ranks_by == BY_POINTS:
        first["outlier"] = _percent(scheme.get("outlier", "0.30"))
    if scheme.get("blind"):
        first["blind"] = "yes"
    for at, one in enumerate(scheme["criteria"]):
        where = f"criteria.{at}."
        first |= {where + key: one.get(key, "") for key in ("id", "title", "title_en", "kind", "max")}
        first[where + "bands"] = "\n".join(
            f"{band['low']}-{band['high']} {band.get('label', '')}" for band in one.get("bands") or ()
        )
    for one in method.parameters:
        value = held_at(scheme, one.key)
        if one.kind == declared.SHARE:
            first[one.form] = _percent(value or "0")
        elif one.kind in (declared.DRAW, declared.TICK):
            first |= {one.form: "yes"} if value else {}
        elif one.form:
            first[one.form] = "" if value is None else value
    return first


def _percent(share: str) -> str:
    return written_exactly(Fraction(share) * 100)


@agency.page("/lots/<ref>/scheme", needs=SEE)
def scheme_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        method = method_typed(form, lot) if form else method_for(lot)
        held = card.scheme or start_from(lot, method)
        fresh = card.scheme is None or request.args.get("start") == "offered"
        shown = form or Form.blank(_first(start_from(lot, method) if fresh else held), version=card.version)
        book = planning.book_of(lot, view.now)
        weights = book.about("price_weight", method=lot.project.method, category=lot.project.category)
        rows = max(len(held["criteria"]), _rows_typed(form)) + BLANK_ROWS
        hints = [said(one) for one in schemes.hints(card.scheme)] if card.scheme else []
        return show_lot(
            "agency/lot_scheme.html",
            view,
            card,
            _("Criteria"),
            form=shown,
            rows=min(rows, MOST_ROWS),
            scheme=card.scheme,
            fresh=fresh,
            weights=weights,
            hints=hints,
            criterion_kinds=_kinds(),
            ties=_ties(),
            method=method,
            methods=[(one, words.state("scheme_method", one, language()).text) for one in procedure_of(lot).evaluation],
            scored=method.ranks_by == BY_POINTS,
            kept=_kept(shown, method),
            parameters=[one for one in method.parameters if one.form],
            choices_of=lambda one: [(value, words.text(language())) for value, words in one.choices],
            total=total_of(shown),
        )


def _kept(form: Form, method: EvaluationMethod) -> list[tuple[str, str]]:
    """Fields of the other methods that the form holds and this one does not show: they go along, so that they are there again when the
    first method is chosen again."""
    own = {one.form for one in method.parameters} | {"method", "tie"}
    held = [name for name in (*form.first, *form.typed) if name not in own and name not in _MARKS]
    if method.ranks_by == BY_POINTS:
        held = [name for name in held if not name.startswith("criteria.") and name not in ("outlier", "blind")]
    return [(name, form.shown(name)) for name in dict.fromkeys(held) if form.shown(name)]


_MARKS = ("csrf_token", "form_id", "version")


def _rows_typed(form: Form | None) -> int:
    return sum(bool(form.shown(f"criteria.{at}.title")) for at in range(MOST_ROWS)) if form else 0


def total_of(form: Form) -> str:
    """The sum of the maxima as the table shows them, "" where one cannot be read."""
    found = [form.shown(f"criteria.{at}.max") for at in range(MOST_ROWS)]
    try:
        return written_exactly(sum((Fraction(text) for text in found if text), Fraction(0)))
    except (ValueError, ZeroDivisionError):
        return ""


def _kinds() -> list[tuple[str, str]]:
    return [("objective", _("objective")), ("subjective", _("subjective")), ("price", _("price"))]


def _ties() -> list[tuple[str, str]]:
    return [
        ("purchaser", _("the purchaser decides by the document")),
        ("panel", _("the panel votes")),
        ("draw", _("a public draw")),
    ]


def _read_criteria(form: Form) -> tuple[list[dict[str, Any]], list[int]]:
    """(the criteria typed, the row of the table each came from); a row without title and points is no criterion."""
    found, rows = [], []
    for at in range(MOST_ROWS):
        where = f"criteria.{at}."
        title, most = form.text(where + "title", needed=False), form.text(where + "max", needed=False, limit=20)
        if not title and not most:
            continue
        one: dict[str, Any] = {
            "id": form.text(where + "id", needed=False, limit=40) or f"c{at + 1}",
            "title": title,
            "kind": form.choice(where + "kind", schemes.KINDS),
            "max": most,
        }
        if english := form.text(where + "title_en", needed=False):
            one["title_en"] = english
        if bands := _read_bands(form, where + "bands"):
            one["bands"] = bands
        found.append(one)
        rows.append(at)
    return found, rows


def _read_bands(form: Form, where: str) -> list[dict[str, str]]:
    bands = []
    for line in form.text(where, needed=False, limit=2000, lines=True).splitlines():
        if not line.strip():
            continue
        match = _BAND.fullmatch(line.strip())
        if match is None:
            form.fault(where, "scheme.band_line", line=line.strip()[:60])
            continue
        bands.append({"low": match["low"], "high": match["high"], "label": match["label"].strip()})
    return bands


def read_scheme(form: Form, lot: Lot) -> tuple[dict[str, Any], list[int]]:
    """The scheme typed, by the method chosen; nothing but what that method knows. Also the row of the table of each criterion."""
    method, scoring = method_typed(form, lot), {}
    criteria: list[dict[str, Any]] = []
    rows: list[int] = []
    if method.ranks_by == BY_POINTS:
        criteria, rows = _read_criteria(form)
        outlier = form.number("outlier", least=0)
        scoring = {
            "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
            "outlier": written_exactly((outlier or Fraction(30)) / 100),
            "blind": form.ticked("blind"),
        }
    scheme: dict[str, Any] = {
        "v": 1,
        "method": method.id,
        "criteria": criteria,
        "tie": form.choice("tie", schemes.TIES),
        **scoring,
    }
    for one in method.parameters:
        if one.form and (value := _read_parameter(form, one)) is not None:
            put(scheme, one.key, value)
    return scheme, rows


def _read_parameter(form: Form, one: Parameter) -> Any:
    """What the form says of a parameter, as a scheme holds it; None for nothing."""
    if one.kind == declared.SHARE:
        share = form.number(one.form, needed=one.needed, least=one.least, most=one.most)
        return written_exactly(share / 100) if share else None
    if one.kind == declared.WHOLE:
        return form.whole(one.form, needed=one.needed, least=one.least, most=one.most)
    if one.kind == declared.CHOICE:
        return form.choice(one.form, [value for value, _words in one.choices])
    if one.kind == declared.DRAW:
        return declared.DRAWN if form.ticked(one.form) else None
    if one.kind == declared.TICK:
        return True if form.ticked(one.form) else None
    if one.kind == declared.WORDS:
        return form.text(one.form, needed=one.needed, limit=4000, lines=True) or None
    points = form.number(one.form, needed=one.needed, least=one.least)
    return written_exactly(points) if points is not None else ""


@agency.act("/lots/<ref>/acts/scheme", needs=Act.TENDER_DRAFT, back=scheme_page)
def do_scheme(unit: UnitOfWork, form: Form, ref: str) -> str:
    lot = agency_queries.own_lot(unit, ref)
    scheme, rows = read_scheme(form, lot)
    form.refuse_if_any()
    check_version(lot, form.version)
    try:
        schemes.set_scheme(unit, lot, scheme)
    except Invalid as refusal:
        raise Invalid(
            refusal.code,
            faults=[Fault(criteria_fields(one.where, rows), one.code, one.facts) for one in refusal.faults],
        ) from refusal
    return f"/agency/lots/{ref}/scheme"


@agency.page("/lots/<ref>/acts/choose-method", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT, back=scheme_page)
def choose_method(ref: str) -> Any:
    """The page again as it was typed, for the method now chosen; what is not filled in yet is as offered. Nothing is saved."""
    form = Form.read()
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        method = method_typed(form, lot)
        offered = _first(start_from(lot, method))
    typed = {name: form.shown(name) for name in form.typed if name not in _MARKS and form.shown(name)}
    if any(name.startswith("criteria.") for name in typed):
        offered = {name: value for name, value in offered.items() if not name.startswith("criteria.")}
    return scheme_page(ref=ref, form=Form.blank(offered | typed | {"method": method.id}, version=form.version))


def criteria_fields(where: str, rows: list[int]) -> str:
    """The field of the table that a fault of the scheme is about."""
    parts = where.split(".")
    if parts[0] == "criteria" and len(parts) > 1:
        return f"criteria.{rows[int(parts[1])]}.{'bands' if 'bands' in parts else parts[-1]}"
    drawn = {
        one.key: one.form
        for method in registry.METHODS_OF_LOTS
        for one in method.parameters
        if one.kind == declared.DRAW
    }
    if where in drawn:
        return drawn[where]
    return "criteria.0.title" if where == "criteria" and rows else where

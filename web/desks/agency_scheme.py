"""The criteria of a lot: a table of criteria, and the formula of the price. Offered to start from, checked whole, fixed at publication."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from flask_babel import gettext as _

from evaluation import schemes
from evaluation.methods.works_prices import DropRule
from trading import agency_queries, lot_cards, planning, tenders
from trading.kernel.access import Act
from trading.kernel.errors import Fault, Invalid
from trading.kernel.exact import written_exactly
from trading.kernel.flow import check_version
from trading.tenders import Lot
from web.desks.agency_lots import show_lot
from web.desks.agency_room import SEE, agency, said
from web.forms import Form
from web.gate import go, look, request, work

BLANK_ROWS = 3
MOST_ROWS = 40
_BAND = re.compile(r"(?P<low>\d+(?:\.\d+)?)\s*[-–—~至]\s*(?P<high>\d+(?:\.\d+)?)\s+(?P<label>.+)", re.ASCII | re.DOTALL)

GP_GOODS: dict[str, Any] = {
    "v": 1,
    "method": "GP_SCORE",
    "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
    "outlier": "0.30",
    "tie": "purchaser",
    "blind": False,
    "small_firm": "0.10",
    "criteria": [
        {
            "id": "price",
            "title": "投标报价（低价优先法）",
            "title_en": "Price (lowest price first)",
            "kind": "price",
            "max": "30",
        },
        {"id": "response", "title": "技术参数响应", "title_en": "Technical response", "kind": "objective", "max": "35"},
        {
            "id": "delivery",
            "title": "供货与安装方案",
            "title_en": "Delivery and installation",
            "kind": "subjective",
            "max": "15",
            "bands": [
                {"low": "0", "high": "5", "label": "有缺项"},
                {"low": "5.01", "high": "10", "label": "完整可行"},
                {"low": "10.01", "high": "15", "label": "完整可行且有针对性"},
            ],
        },
        {"id": "record", "title": "同类业绩", "title_en": "Similar contracts", "kind": "objective", "max": "8"},
        {
            "id": "service",
            "title": "售后服务",
            "title_en": "After-sales service",
            "kind": "subjective",
            "max": "12",
            "bands": [
                {"low": "0", "high": "4", "label": "有缺项"},
                {"low": "4.01", "high": "8", "label": "响应明确"},
                {"low": "8.01", "high": "12", "label": "响应明确且有保障措施"},
            ],
        },
    ],
}
WORKS: dict[str, Any] = {
    "v": 1,
    "method": "WK_SCORE",
    "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
    "outlier": "0.30",
    "tie": "panel",
    "blind": True,
    "trim_from": 7,
    "benchmark": {
        "above": "1",
        "below": "0.5",
        "drop_rule": "high_low_from_5",
        "benchmark_places": 2,
        "deviation_places": 4,
    },
    "criteria": [
        {
            "id": "price",
            "title": "投标报价（基准价偏差法）",
            "title_en": "Price (deviation from the benchmark)",
            "kind": "price",
            "max": "60",
        },
        {"id": "design", "title": "施工组织设计", "title_en": "Construction plan", "kind": "subjective", "max": "25"},
        {"id": "team", "title": "项目管理机构", "title_en": "Project team", "kind": "objective", "max": "10"},
        {"id": "record", "title": "类似工程业绩", "title_en": "Similar works", "kind": "objective", "max": "5"},
    ],
}


def start_from(lot: Lot) -> dict[str, Any]:
    """The scheme offered to a lot that has none: one that is lawful as it stands, for the agency to change."""
    if lot.regime == "WORKS":
        benchmark = WORKS["benchmark"] | ({"coefficient": schemes.DRAWN} if lot.coefficients else {})
        return WORKS | {"benchmark": benchmark}
    return GP_GOODS


def _first(scheme: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = {"tie": scheme.get("tie", ""), "outlier": _percent(scheme.get("outlier", "0.30"))}
    if scheme.get("blind"):
        first["blind"] = "yes"
    for at, one in enumerate(scheme["criteria"]):
        where = f"criteria.{at}."
        first |= {where + key: one.get(key, "") for key in ("id", "title", "title_en", "kind", "max")}
        first[where + "bands"] = "\n".join(
            f"{band['low']}-{band['high']} {band.get('label', '')}" for band in one.get("bands") or ()
        )
    first["small_firm"] = _percent(scheme.get("small_firm", "0"))
    first["trim_from"] = scheme.get("trim_from", "")
    first |= {f"benchmark.{key}": value for key, value in (scheme.get("benchmark") or {}).items()}
    if (scheme.get("benchmark") or {}).get("coefficient"):
        first["drawn"] = "yes"
    return first


def _percent(share: str) -> str:
    return written_exactly(Fraction(share) * 100)


@agency.page("/lots/<ref>/scheme", needs=SEE)
def scheme_page(ref: str, form: Form | None = None) -> str:
    with look() as now:
        lot = agency_queries.own_lot(now, ref)
        card = lot_cards.card_of(now, lot)
        held = card.scheme or start_from(lot)
        fresh = card.scheme is None or request.args.get("start") == "offered"
        shown = form or Form.blank(_first(start_from(lot) if fresh else held), version=card.version)
        book = planning.book_of(lot, now.now)
        weights = book.about("price_weight", method=lot.project.method, category=lot.project.category)
        rows = max(len(held["criteria"]), _rows_typed(form)) + BLANK_ROWS
        hints = [said(one) for one in schemes.hints(card.scheme)] if card.scheme else []
        return show_lot(
            "agency/lot_scheme.html",
            now,
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
            drop_rules=_drop_rules(),
            total=total_of(shown),
        )


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


def _drop_rules() -> list[tuple[str, str]]:
    words = {
        "none": _("all quotes enter the mean"),
        "high_low_from_5": _("from 5 quotes: without the highest and the lowest"),
        "high_6_high_low_from_7": _("6 quotes: without the highest; from 7: without highest and lowest"),
        "floor_sixth": _("without a sixth at each end, rounded down"),
        "fifth_keep_edge_ties": _("without a fifth at each end, equal quotes at the edge kept"),
    }
    return [(one.value, words[one.value]) for one in DropRule]


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
    criteria, rows = _read_criteria(form)
    outlier = form.number("outlier", least=0)
    scheme: dict[str, Any] = {
        "v": 1,
        "method": schemes.METHODS[lot.regime],
        "criteria": criteria,
        "rounding": {"points": 2, "mean": 2, "mode": "HALF_UP"},
        "outlier": written_exactly((outlier or Fraction(30)) / 100),
        "tie": form.choice("tie", schemes.TIES),
        "blind": form.ticked("blind"),
    }
    if lot.regime == "GP":
        share = form.number("small_firm", needed=False, least=0, most=100)
        if share:
            scheme["small_firm"] = written_exactly(share / 100)
        return scheme, rows
    if (trim := form.whole("trim_from", needed=False)) is not None:
        scheme["trim_from"] = trim
    benchmark: dict[str, Any] = {"drop_rule": form.choice("benchmark.drop_rule", [one.value for one in DropRule])}
    for key in ("above", "below"):
        value = form.number(f"benchmark.{key}", least=0)
        benchmark[key] = written_exactly(value) if value is not None else ""
    for key in ("benchmark_places", "deviation_places"):
        if (places := form.whole(f"benchmark.{key}", needed=False, least=0, most=6)) is not None:
            benchmark[key] = places
    if form.ticked("drawn"):
        benchmark["coefficient"] = schemes.DRAWN
    return scheme | {"benchmark": benchmark}, rows


@agency.page("/lots/<ref>/acts/scheme", needs=Act.TENDER_DRAFT, post=True, back=scheme_page)
def do_scheme(ref: str) -> Any:
    form, where = Form.read(), f"/agency/lots/{ref}/scheme"
    with look() as now:
        scheme, rows = read_scheme(form, agency_queries.own_lot(now, ref))
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        lot = tenders.lot(unit.session, ref)
        check_version(lot, form.version)
        try:
            schemes.set_scheme(unit, lot, scheme)
        except Invalid as refusal:
            raise Invalid(
                refusal.code, faults=[Fault(criteria_fields(one.where, rows), one.code, one.facts) for one in refusal.faults]
            ) from refusal
    return go(where)


def criteria_fields(where: str, rows: list[int]) -> str:
    """The field of the table that a fault of the scheme is about."""
    parts = where.split(".")
    if parts[0] == "criteria" and len(parts) > 1:
        return f"criteria.{rows[int(parts[1])]}.{'bands' if 'bands' in parts else parts[-1]}"
    if where == "benchmark.coefficient":
        return "drawn"
    return "criteria.0.title" if where == "criteria" and rows else where

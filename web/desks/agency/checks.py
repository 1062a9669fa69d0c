"""What the rules say of a form while it is filled in: divisions to choose from, amounts of lots, points of criteria. Nothing is saved here;
the same rules are asked again when the form is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from evaluation.methods.declared import BY_PRICE
from evaluation.scoring import schemes
from trading.kernel.access import Act
from trading.kernel.errors import Fault, Faults, Invalid
from trading.kernel.money import Money
from trading.rulebook import Rulebook
from trading.tendering import planning, projects, tenders
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web.desks.agency.projects import MOST_LOTS
from web.desks.agency.room import SEE, agency, said
from web.desks.agency.scheme import criteria_fields, method_typed, read_scheme, total_of
from web.http.forms import Form
from web.http.gate import reading
from web.http.page_rules import ByHand
from web.http.refusals import language
from web.words import formatting
from web.words.regions import divisions

AMOUNTS = ("budget", "ceiling", "deposit")


@agency.page("/regions.json", needs=SEE)
def regions() -> Response:
    """Every division one can choose, as a field shows it."""
    return jsonify([f"{code} {name}" for code, name in divisions()])


def _line(text: str, tone: str) -> dict[str, str]:
    return {"text": text, "tone": tone}


def _money(amount: Money) -> str:
    return str(formatting.money(amount, language()))


def amount_lines(
    form: Form, project: Project, places: Sequence[str], book: Rulebook, *, beside: Money | None = None
) -> dict[str, Any]:
    """What stands under each amount of the lots at ``places`` (prefixes of their fields), and under their sum. ``beside``: the budgets of
    other lots of the tender."""
    lines, budgets = {}, [beside or Money.zero(project.currency)]
    for where in places:
        typed = {name: form.money(where + name, needed=False) for name in AMOUNTS}
        budget, ceiling, deposit = (typed[name] or Money.zero(project.currency) for name in AMOUNTS)
        faults = Faults()
        tenders.check_amounts(faults, where, project, budget, ceiling, deposit)
        planning.check_deposit(faults, where, project, budget, deposit, book)
        cap, rule = planning.deposit_cap(project, budget, book)
        if typed["budget"]:
            budgets.append(budget)
            text = _("At most %(cap)s (rule %(rule)s).", cap=_money(cap), rule=rule)
            lines[where + "deposit"] = _line(text, "ok" if deposit.is_positive else "")
            if typed["ceiling"]:
                lines[where + "ceiling"] = (
                    _line(_("Within the budget."), "ok")
                    if ceiling <= budget
                    else _line(_("Above the budget: an award at this price is not paid for yet."), "warn")
                )
        for fault in (*faults.found, *form.faults.found):
            if form.shown(fault.where) and fault.where.startswith(where):
                lines[fault.where] = _line(said(fault), "stop")
    total = Money.total(budgets, project.currency)
    text = _("All lots: %(total)s of %(budget)s", total=_money(total), budget=_money(project.budget))
    return {"fields": lines, "sum": _line(text, "stop" if total > project.budget else "ok")}


@agency.page("/projects/<ref>/acts/check-lots", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT)
def check_lots(ref: str) -> Response:
    form = Form.read()
    with reading() as view:
        lot_cards.project_card(view, ref)
        project = projects.project(view.session, ref)
        count = form.whole("count", needed=False, least=1, most=MOST_LOTS) or 1
        places = [f"lots.{place}." for place in range(count)]
        return jsonify(amount_lines(form, project, places, planning.book_in_force(project, view.now)))


@agency.page("/lots/<ref>/acts/check-amounts", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT)
def check_amounts(ref: str) -> Response:
    form = Form.read()
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        beside = tenders.budgets_beside(view.session, lot)
        return jsonify(amount_lines(form, lot.project, [""], planning.book_of(lot, view.now), beside=beside))


@agency.page("/lots/<ref>/acts/check-scheme", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT)
def check_scheme(ref: str) -> Response:
    """The sum of the points and the fault of every field of the criteria, as they stand in the form."""
    form = Form.read()
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        scheme, rows = read_scheme(form, lot)
        found = [*form.faults.found, *_faults(lot, scheme, rows, planning.book_of(lot, view.now))]
    if not scheme["criteria"] and method_typed(form, lot).ranks_by == BY_PRICE:
        lines = {fault.where: _line(said(fault), "stop") for fault in reversed(found)}
        told = _("No rule is broken.") if not found else ""
        return jsonify({"fields": lines, "sum": _line(told, "ok" if not found else "warn")})
    total = total_of(form)
    lines = {fault.where: _line(said(fault), "stop") for fault in reversed(found)}
    right = bool(total) and Fraction(total) == schemes.FULL_POINTS
    text = _("Sum: %(total)s of 100", total=total or "–")
    if right and not found:
        text = _("Sum: 100 of 100; no rule is broken.")
    return jsonify({"fields": lines, "sum": _line(text, "ok" if right and not found else "warn")})


def _faults(lot: Lot, scheme: dict[str, Any], rows: list[int], book: Rulebook) -> list[Fault]:
    try:
        schemes.check_for(lot, scheme, book)
    except Invalid as refusal:
        return [Fault(_place(one, scheme, rows), one.code, one.facts) for one in refusal.faults]
    return []


def _place(fault: Fault, scheme: dict[str, Any], rows: list[int]) -> str:
    """Where a fault is told: the weight of the price at its points, what is about all criteria below them."""
    if fault.where != "criteria":
        return criteria_fields(fault.where, rows)
    price = next((rows[at] for at, one in enumerate(scheme["criteria"]) if one["kind"] == "price"), None)
    return f"criteria.{price}.max" if fault.code == "scheme.price_weight" and price is not None else "criteria"

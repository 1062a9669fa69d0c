"""The room of purchaser and agency (desks §6): the desk object, and what its modules share. `desk.py` puts the modules together."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import pgettext

from trading.kernel.access import Act, may
from trading.kernel.errors import Fault, Invalid, Refusal
from trading.kernel.work import View
from trading.procedures import fields, procedure_of
from trading.rulebook import Bound, Finding
from trading.tendering.projects import Gap
from trading.views.lot_cards import LotCard
from web import words
from web.http.forms import Form
from web.http.gate import Desk
from web.http.refusals import language
from web.words import formatting
from web.words.citations import citation
from web.words.formatting import Label

agency = Desk("agency", prefix="/agency")

SEE = Act.PROJECT_DRAFT
"""The act both purchaser and agency hold: whoever has it may see the pages of own projects and lots."""

_AMOUNT = re.compile(r"\d{4,}\.\d\d", re.ASCII)


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def labels(noun: str, codes: Iterable[str]) -> list[tuple[str, str]]:
    """(code, words) for a field that offers a choice."""
    return [(code, words.state(noun, code, language()).text) for code in codes]


def said(refusal: Refusal | Fault) -> str:
    """The sentence of a refusal or fault, with moments the rulebook wrote as text put into words like any other moment."""
    return words.words(refusal.code, readable(refusal.facts), language(), zone())


def readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the rulebook with their texts read back: days as days, moments as moments, amounts with their thousands apart."""
    return {name: _moment(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}


def _moment(text: str) -> Any:
    if _AMOUNT.fullmatch(text):
        return f"{Decimal(text):,}"
    if not (10 <= len(text) <= 35 and text[:4].isdigit() and text[4] == "-"):
        return text
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return text


def moved(refusal: Invalid, where: Mapping[str, str]) -> Invalid:
    """The same refusal with its faults at the fields of a page; what has no field stands above the form."""
    faults = [Fault(where.get(one.where, one.where), one.code, readable(one.facts)) for one in refusal.faults]
    return Invalid(refusal.code, faults=faults, **refusal.facts)


def rule_words(rule: Any) -> str:
    """A rule in the language of the page."""
    return str(rule.zh if language() == "zh" else rule.en)


def bound_words(bound: Bound | None) -> str:
    """Why a moment may not lie earlier or later: the rule, its length, its source, the calendar it was counted with."""
    if bound is None:
        return ""
    rule, term = bound.rule, bound.term
    units = {"D": _("days"), "WD": _("working days"), "h": _("hours")}
    text = _(
        "%(what)s: %(value)s %(unit)s (rule %(rule)s, %(source)s)",
        what=rule_words(rule),
        value=rule.value or "",
        unit=units.get(rule.unit, rule.unit),
        rule=rule.id,
        source=citation(rule.source, language()),
    )
    if term is not None and term.rolled_from is not None:
        text += " · " + _("%(day)s is no working day, moved on", day=term.rolled_from.isoformat())
    if term is not None and term.provisional:
        text += " · " + _("provisional calendar")
    return text


def finding_tag(finding: Finding) -> Label:
    return Label(_("unlawful"), "stop") if finding.severity == "breach" else Label(_("take note"), "warn")


def lot_stages(card: LotCard, now: datetime) -> list[dict[str, Any]]:
    """The road of a lot with the present step, for the part ``stages``."""
    law = procedure_of(card)
    road = [
        (_("Preparation"), ("ACCEPTED",), []),
        (_("Notice"), ("NOTICE",), [_short(card.published_at, now)]),
        (_("Bidding"), ("BIDDING",), [_("until %(at)s", at=_short(card.deadline, now)) if card.deadline else ""]),
        (_("Opening"), ("OPENING",), [_short(card.opens_at, now)]),
        *([(_("Qualification review"), ("QUAL_REVIEW",), [])] if law.qualifies else []),
        (_("Evaluation"), ("EVALUATION",), []),
        (
            pgettext("award", "Decision"),
            ("REPORT", "CANDIDATES", "AWARD"),
            [_("≤ 5 working days") if law.award.publicity is None else _("candidates ≥ 3 days")],
        ),
        (_("Result"), ("RESULT",), []),
        (_("Contract"), ("CONTRACT", "FILING"), [_("≤ 30 days")]),
        (_("Archive"), ("CLOSING", "ARCHIVED"), []),
    ]
    at = next((place for place, (_label, states, _lines) in enumerate(road) if card.state in states), -1)
    left = (
        formatting.left(card.deadline, now, language()) if card.state in ("NOTICE", "BIDDING") and card.deadline else ""
    )
    return [
        {
            "label": label,
            "state": "done" if place < at or card.state == "ARCHIVED" else "here" if place == at else "",
            "lines": [line for line in lines if line],
            "left": left if place == at else "",
        }
        for place, (label, _states, lines) in enumerate(road)
    ]


def _short(moment: datetime | None, now: datetime) -> str:
    return formatting.moment_short(moment, language(), zone(), now=now) if moment else ""


def crumbs_of(*links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Purchasing desk"), "/agency"), *links]


def frozen(card: LotCard, view: View) -> str:
    """Why a page of preparation cannot be changed by the one who looks, "" if it can."""
    if card.state != "ACCEPTED":
        return _("Published and therefore fixed. What is wrong is put right by a correction notice.")
    if not may(view.actor, Act.TENDER_DRAFT):
        return _("The agency prepares this page; you read it.")
    return ""


def gap_words(gap: Gap) -> str:
    """One gap of a filing as a sentence."""
    return words.words(gap.code, {"rule": gap.rule}, language(), zone())


@agency.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {
        "gap_words": gap_words,
        "blank_form": Form.blank,
        "asked": fields.asked,
        "cap": lambda text: text[:1].upper() + text[1:],
    }

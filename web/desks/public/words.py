"""Words of the public pages: the limits of the law, the facts of a notice, the range of a filter. Not a desk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, current_app
from flask_babel import gettext as _
from markupsafe import Markup

from trading.kernel.clock import parse_moment
from trading.kernel.errors import Invalid, NotReady
from trading.kernel.exact import written
from trading.kernel.money import Money
from trading.procedures import REGIMES, fields
from trading.procedures.field import DAY, DIGEST, FAULT, MINOR, MOMENT, MONEY, NUMBERS, REGION, STATE, Field
from trading.reports.savings import rate_pct
from trading.reports.writers import inert
from trading.rulebook import Rule
from trading.tendering.projects import METHODS
from trading.views.public_queries import PHASES, LotLine
from web import words
from web.http.gate import render, saved_as
from web.http.refusals import language
from web.http.vocabulary import of_thing
from web.words import formatting
from web.words.formatting import Label
from web.words.regions import full_name

_UNITS = {
    "D": ("日", "days"),
    "WD": ("个工作日", "working days"),
    "h": ("小时", "hours"),
    "Y": ("年", "years"),
    "yuan": ("元", "yuan"),
}
_SIGNS = {"MIN": "≥", "MAX": "≤", "BEFORE": "≥", "NOT_EARLIER": "≤"}


def lang() -> str:
    return language()


def zone() -> Any:
    return current_app.extensions["bidhall"].zone


def amount_of(rule: Rule, speech: str) -> str:
    """The number of a rule with its unit: ``20 日``, ``2%``, ``3``; nothing where the rule has none."""
    if rule.unit == "prompt":
        return "及时" if speech == "zh" else "promptly"
    if rule.value is None:
        return ""
    if rule.unit in ("rate", "percent"):
        number = rule.number * 100 if rule.unit == "rate" else rule.number
        return rule.value if number.denominator != 1 else f"{number}%"
    unit = _UNITS.get(rule.unit)
    digits = f"{rule.whole:,}" if rule.number.denominator == 1 else written(rule.number)
    return f"{digits} {unit[speech != 'zh']}" if unit else digits


def limit(rule: Rule, speech: str) -> str:
    """What a rule asks, short: ``≥5 个工作日``, ``与截止同时``."""
    if rule.kind in ("SAME", "WORKDAY", "ODD", "FORBIDDEN"):
        if rule.kind == "SAME":
            return "与投标截止同时" if speech == "zh" else "at the bid deadline"
        return words.state("limit", rule.kind, speech).text
    text = f"{_SIGNS.get(rule.kind, '')}{amount_of(rule, speech)}"
    if rule.act == "bidders_at_deadline":
        return f"不足 {rule.whole} 家即流标" if speech == "zh" else f"fails with fewer than {rule.whole}"
    return text


def line_state(line: LotLine, now: datetime, speech: str) -> Label:
    """The state of a lot in a list; between the deadline and the opening it is sealed."""
    if line.state in ("NOTICE", "BIDDING") and line.deadline is not None and line.deadline <= now:
        return words.state("phase", "sealed", speech)
    return words.state("lot", line.state, speech)


def budget_range(text: str) -> tuple[int | None, int | None]:
    """``100-5000`` in ten thousand yuan → fen, either end may be missing. Refuses: Invalid ``filter.bad_budget``."""
    plain = (
        text.strip()
        .replace("–", "-")
        .replace("—", "-")
        .replace("~", "-")
        .replace("～", "-")
        .replace("至", "-")
        .replace("－", "-")
    )
    if not plain:
        return None, None
    low, dash, high = plain.partition("-")
    try:
        least = Money.parse(low, unit="万元").minor if low.strip() else None
        most = Money.parse(high, unit="万元").minor if high.strip() else None
    except Invalid as refusal:
        raise Invalid("filter.bad_budget") from refusal
    if least is None and most is None:
        raise Invalid("filter.bad_budget")
    return least, most if dash else least


def ten_thousands(amount: Money) -> str:
    """An amount in ten thousand yuan with two decimals, for a column that names the unit."""
    return (
        f"{formatting.money(amount, 'en').split(' ')[0]}"
        if amount.currency != "CNY"
        else _grouped(written(amount.fraction / 10_000))
    )


def _grouped(text: str) -> str:
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest}"


def page(template: str, **values: Any) -> str:
    """A public page with the words its templates use."""
    speech = lang()

    def choices(noun: str, codes: Iterable[str]) -> list[tuple[str, str]]:
        return [(code, words.state(noun, code, speech).text) for code in codes]

    helpers: dict[str, Any] = {
        "regimes": choices("regime", REGIMES),
        "methods": choices("method", METHODS),
        "phases": choices("phase", PHASES),
        "fen": lambda minor: formatting.money(Money(minor), speech),
        "rate": lambda budget, award: f"{rate_pct(budget, award) or formatting.NOTHING}%",
        "last_day": last_day,
        "label": lambda name: fields.label(name).text(speech),
        "limit": lambda rule: limit(rule, speech),
        "rule_words": lambda rule: rule.zh if speech == "zh" else rule.en,
        "wan": ten_thousands,
        "amount": lambda rule: amount_of(rule, speech),
        "money_of": Money,
        "cap": lambda text: text[:1].upper() + text[1:],
        "figure_of": lambda minor: formatting.figure(Money(minor)),
        "money_of_text": Money.parse,
        "feast_name": feast_name,
    }
    return render(template, **(helpers | values))


def feast_name(name: str) -> str:
    """A feast of the calendar in the language of the page; what no law names stands as the notice has it."""
    return {
        "元旦": _("New Year's Day"),
        "春节": _("Spring Festival"),
        "清明节": _("Qingming Festival"),
        "劳动节": _("Labour Day"),
        "端午节": _("Dragon Boat Festival"),
        "中秋节": _("Mid-Autumn Festival"),
        "国庆节": _("National Day"),
        "weekend": words.state("day", "weekend", lang()).text,
    }.get(name, name)


def last_day(until: datetime) -> str:
    """The last day of a period that ends at 24:00 (``until`` itself is late), or the moment where it ends within a day."""
    local = until.astimezone(zone())
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{local.date() - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Response:
    """A CSV file with the mark Excel wants; no cell runs as a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([inert(cell) for cell in head])
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return attachment(out.getvalue().encode("utf-8-sig"), name, "text/csv; charset=utf-8")


def attachment(data: bytes | Iterable[bytes], name: str, media: str) -> Response:
    """A download under a name: never shown in the page, never sniffed."""
    answer = Response(data, mimetype=media.split(";")[0], content_type=media)
    saved_as(answer, name)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def digest(value: str) -> Markup:
    """A digest behind a word: opened on a screen by whoever wants it, whole on paper."""
    return Markup(
        '<details class="digest noprint"><summary class="small">{}</summary><code>{}</code></details>'
        '<code class="onlyprint">{}</code>'
    ).format(_("show"), value, value)


def notice_facts(kind: str, body: Mapping[str, Any], of: Any) -> list[tuple[str, str]]:
    """The facts of a notice in words, in the order of their declaration, as the procedure of the lot ``of`` calls them; what has a table of
    its own (candidates, ranking, files) is left to the page."""
    speech, shown, vocabulary = lang(), [], of_thing(of)
    for field in fields.of_notice(kind):
        value = body.get(field.name)
        if field.label is not None and value not in (None, "", []):
            label = vocabulary.said(field.label.text(speech), speech)
            shown.append((label, field_text(field, value, speech, str(body.get("currency", "CNY")))))
    return shown


def field_text(field: Field, value: Any, speech: str, currency: str = "CNY") -> str:
    """A fact as a notice holds it, in words."""
    if field.kind in (STATE, FAULT):
        lifted = field.kind == FAULT and value == "lifted"
        noun = field.words or ("fault" if lifted else "fault_kind")
        return words.state(noun, "LIFTED" if lifted else str(value), speech).text
    if field.kind == REGION:
        return full_name(str(value))
    if field.kind == MONEY:
        return formatting.money(Money.parse(str(value), currency), speech)
    if field.kind == MINOR:
        return formatting.money(Money(int(value)), speech)
    if field.kind == DAY:
        return formatting.day(date.fromisoformat(str(value)), speech)
    if field.kind == MOMENT:
        return _moment(str(value), speech)
    if field.kind == DIGEST:
        return digest(str(value))
    if field.kind == NUMBERS:
        return " · ".join(value)
    said = field.said if value or field.unsaid is None else field.unsaid
    if said is not None:
        return said.text(speech).format(n=value)
    unit = field.ask.unit if field.ask else None
    return f"{value} {unit.text(speech)}" if unit else str(value)


def _moment(text: str, speech: str) -> str:
    try:
        return formatting.moment(parse_moment(text), speech, zone())
    except NotReady:
        return text

"""What a page or paper of the hall says of the law: the source of a rule, by its id and the regime of the lot, from the rulebook of the
day the lot was published. A procurement and a works lot do the same things by different law."""

from __future__ import annotations

from datetime import date

from trading.kernel.errors import Invalid
from trading.rulebook import select
from trading.views.lot_cards import LotCard
from web.http.refusals import language
from web.words.citations import citation

OBJECTION, UNDECRYPTED, RECORD, BASE_PRICE, DOCUMENTS = "X-08.objection", "X-09", "X-10", "C-07", "T-26"


def law_of(lot: LotCard, rule: str, lang: str = "") -> str:
    """``政府采购法第36条第1项``, in the language of the page; "" where the lot's rulebook has no such rule."""
    day = lot.rules_version.partition("@")[2][:10]
    if not day:
        return ""
    try:
        found = select(lot.regime, date.fromisoformat(day)).find(rule)
    except Invalid:
        return ""
    return citation(found.source, lang or language()) if found is not None else ""


def with_law(lot: LotCard, rule: str) -> str:
    """The source and the rule's id: ``政府采购法第36条第1项，规则 B-01``. A part after the dot, which tells rows of one rule apart, is not
    said."""
    zh, name = language() == "zh", rule.partition(".")[0]
    return ("，" if zh else ", ").join(filter(None, (law_of(lot, rule), f"规则 {name}" if zh else f"rule {name}")))

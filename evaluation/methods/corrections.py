"""Price conflicts inside one bid: which of two figures prevails (rules E-20, E-21), and amounts in words (大写金额).

The bidder must confirm a corrected price, else the bid is invalid; that is procedure and not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from trading.kernel import amount_words
from trading.kernel.errors import Invalid
from trading.kernel.exact import (
    Answer,
    BadValue,
    amount,
    boolean,
    cases,
    list_of,
    price,
    record,
    take,
    text,
    written,
)


@dataclass(frozen=True)
class Correction:
    """The total that holds, unrounded, why, and the unit price where that was the figure that had to change."""

    total: Fraction
    rule: str
    unit_price: Fraction | None = None


def amount_in_words(value: Fraction) -> str:
    """Yuan in capital figures, such as 壹佰万元整. Refuses: `not_whole_fen`, `too_large` (10^16 yuan and more),
    `too_small`.
    """
    fen = value * 100
    if fen < 0:
        raise BadValue("too_small", "amount", "at least 0")
    if fen.denominator != 1:
        raise BadValue("not_whole_fen", "amount", "at most 2 decimals")
    if fen >= amount_words.LIMIT:
        raise BadValue("too_large", "amount", "less than 10000000000000000")
    return _plain(amount_words.write(fen.numerator))


def _plain(words: str) -> str:
    """The words without 整 after 角, where it may be written but need not be: one amount has one answer."""
    return words.removesuffix("整") if words.endswith("角整") else words


def words_value(words: str) -> Fraction:
    """The yuan that capital figures say, read strictly: 圆 is 元, 正 is 整, a closing 整 may be missing and every 零
    is passed over; otherwise they must be exactly the words of their value. Refuses: `bad_words`.
    """
    bare = words.replace("圆", "元").replace("正", "整").removesuffix("整")
    bones = bare.replace("零", "")
    if bones == "元" and bare.startswith("零"):
        return Fraction(0)
    try:
        fen = amount_words.read(bones)  # kinder than the rule, so the words are written back and compared
    except Invalid:
        fen = 0
    if fen <= 0 or amount_words.write(fen).removesuffix("整").replace("零", "") != bones:
        raise BadValue("bad_words", "words", "an amount in capital figures such as 壹佰元整")
    return Fraction(fen, 100)


def words_against_figures(words: str, figures: Fraction) -> Correction:
    """Words prevail over figures."""
    value = words_value(words)
    return Correction(value, "no_conflict" if value == figures else "words_prevail")


def opening_form_against_body(opening_form_total: Fraction, bid_body_total: Fraction) -> Correction:
    """The opening form prevails over the body of the bid."""
    same = opening_form_total == bid_body_total
    return Correction(opening_form_total, "no_conflict" if same else "opening_form_prevails")


def total_against_items(stated_total: Fraction, items: Sequence[tuple[Fraction, Fraction]]) -> Correction:
    """The sum of quantity x unit price prevails over the stated total; `items` are (quantity, unit price)."""
    total = sum((quantity * unit_price for quantity, unit_price in items), Fraction(0))
    return Correction(total, "no_conflict" if total == stated_total else "unit_price_sum_prevails")


def misplaced_point(stated_total: Fraction, quantity: Fraction) -> Correction:
    """The point of the one unit price is obviously misplaced: the total holds and the unit price is changed."""
    return Correction(stated_total, "opening_total_prevails_fix_unit", stated_total / quantity)


# --- asked as test vectors --------------------------------------------------------------------------------------------


def _asked_words(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"words": [amount_in_words(value) for value in take(inputs, "amounts", list_of(amount))]}


def _correct(case: Mapping[str, Any], where: str) -> Correction:
    def given(key: str) -> bool:
        return case.get(key) is not None

    if given("words_total") and given("figures_total"):
        return words_against_figures(take(case, "words_total", text, where), take(case, "figures_total", amount, where))
    if given("bid_body_total") and given("opening_form_total"):
        return opening_form_against_body(
            take(case, "opening_form_total", amount, where), take(case, "bid_body_total", amount, where)
        )
    stated_key = "opening_form_total" if given("opening_form_total") else "stated_total"
    if not given("items") or not given(stated_key):
        raise BadValue("no_conflict_named", where, "two figures that can be compared")
    stated = take(case, stated_key, amount, where)
    items = [
        (take(item, "qty", price, where), take(item, "unit_price", amount, where))
        for item in take(case, "items", list_of(record, at_least=1), where)
    ]
    if not take(case, "unit_decimal_misplaced", boolean, where, default=False):
        return total_against_items(stated, items)
    if len(items) != 1:
        raise BadValue("one_item_only", f"{where}.items", "exactly one item whose point is misplaced")
    return misplaced_point(stated, items[0][0])


def _asked_correction(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    answers = []
    for position, case in enumerate(cases(inputs)):
        found = _correct(case, f"cases[{position}]")
        unit = {} if found.unit_price is None else {"unit_price": written(found.unit_price)}
        answers.append({"total": written(found.total), **unit, "rule": found.rule})
    return {"corrected": answers}


METHODS: dict[str, Answer] = {
    "common.rmb_words": _asked_words,
    "gp.price_correction": _asked_correction,
}

"""Prices read out, as bars against the ceiling and, in works, the base price: in the order of the list, never of price, from nought on, so
that a small difference looks small. Exact: every figure stands beside its bar and in the table below."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flask_babel import gettext as _

from trading.kernel.exact import written
from trading.kernel.money import Money
from web.desks.hall.lines import HallCard
from web.http.refusals import language
from web.words import formatting


@dataclass(frozen=True)
class Bar:
    """``width``: percent of the chart's width; ``of_ceiling``: percent of the ceiling; ``below``: what is left to it, negative above;
    ``to_base``: against the base price, None without one."""

    no: int
    name: str
    price: Money
    width: str
    of_ceiling: str
    below: Money
    to_base: Money | None
    over: bool


@dataclass(frozen=True)
class Bars:
    spoken: str
    bars: tuple[Bar, ...]
    ceiling: Money
    ceiling_at: str
    base: Money | None
    base_at: str
    left_out: int

    @property
    def height(self) -> int:
        return 52 * len(self.bars) + 30


def price_bars(card: HallCard) -> Bars | None:
    """None before the reading is over, and where fewer than one price can be drawn."""
    priced = [bid for bid in card.bids if bid.price is not None]
    ceiling = card.lot.ceiling
    if not card.all_read or not priced or not ceiling.minor:
        return None
    base = card.base.price if card.base is not None else None
    most = max(
        [bid.price.minor for bid in priced if bid.price is not None] + [ceiling.minor] + ([base.minor] if base else [])
    )
    lang = language()

    def at(money: Money) -> str:
        return written(Fraction(money.minor * 100, most), 2)

    def percent(money: Money) -> str:
        return formatting.percent(Fraction(money.minor * 100, ceiling.minor))

    bars = tuple(
        Bar(
            bid.no,
            bid.name,
            bid.price,
            at(bid.price),
            percent(bid.price),
            Money(ceiling.minor - bid.price.minor, ceiling.currency),
            Money(bid.price.minor - base.minor, base.currency) if base else None,
            bid.over_ceiling,
        )
        for bid in priced
        if bid.price is not None
    )
    named = "；" if lang == "zh" else "; "
    spoken = named.join(
        [_("Ceiling %(amount)s", amount=formatting.money(ceiling, lang))]
        + ([_("base price %(amount)s", amount=formatting.money(base, lang))] if base else [])
        + [f"{one.name} {formatting.money(one.price, lang)}, {one.of_ceiling}" for one in bars]
    )
    return Bars(spoken, bars, ceiling, at(ceiling), base, at(base) if base else "", len(card.bids) - len(bars))


def facts(card: HallCard) -> list[dict[str, Any]]:
    """The same for programs: amounts and percent as texts."""
    found = price_bars(card)
    return (
        []
        if found is None
        else [
            {
                "no": one.no,
                "price": one.price.text(),
                "of_ceiling": one.of_ceiling,
                "below_ceiling": one.below.text(),
                "to_base_price": one.to_base.text() if one.to_base else "",
            }
            for one in found.bars
        ]
    )

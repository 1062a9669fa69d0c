"""The two pictures of a result: stacked points by bidder, and prices against ceiling and budget. Exact geometry in percent; not a desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from trading.kernel.exact import written
from trading.kernel.money import Money

KINDS = ("objective", "subjective", "price")
_NARROW = Fraction(7)  # a segment of less than this many percent has no room for its figure
_QUARTER = Fraction(1, 4)  # percent left free between two segments


@dataclass(frozen=True)
class Segment:
    kind: str
    points: str
    x: str
    width: str
    middle: str
    roomy: bool


def stacked(parts: Mapping[str, Fraction], most: Fraction) -> list[Segment]:
    """Points by kind as pieces of one bar of ``most`` points, in the order of KINDS."""
    found, at = [], Fraction(0)
    for kind in KINDS:
        if kind not in parts:
            continue
        wide = parts[kind] * 100 / most if most else Fraction(0)
        found.append(
            Segment(
                kind,
                written(parts[kind]),
                written(at),
                written(max(wide - _QUARTER, Fraction(0))),
                written(at + wide / 2),
                wide >= _NARROW,
            )
        )
        at += wide
    return found


@dataclass(frozen=True)
class Prices:
    """Rows of one scale that holds every quote, the ceiling and the budget. ``ceiling`` and ``budget`` are places in percent."""

    rows: tuple[dict[str, Any], ...]
    ceiling: str
    ceiling_room: str
    budget: str


def prices(quotes: Sequence[tuple[str, int, bool]], *, ceiling: int, budget: int) -> Prices | None:
    """``quotes``: (name, fen, won). None without a quote: there is nothing to compare."""
    if not quotes:
        return None
    every = [fen for _name, fen, _won in quotes] + [ceiling, budget]
    low, high = min(every), max(every)
    span = Fraction(high - low) or Fraction(1)
    edge = span / 20
    low_at, whole = Fraction(low) - edge, span + 2 * edge

    def x(fen: int) -> Fraction:
        return (Fraction(fen) - low_at) * 100 / whole

    rows = tuple(
        {
            "name": name,
            "won": won,
            "amount": Money(fen),
            "at": written(x(fen)),
            "over": fen > ceiling,
            "saved_from": written(min(x(fen), x(budget))),
            "saved_to": written(max(x(fen), x(budget))),
        }
        for name, fen, won in quotes
    )
    return Prices(rows, written(x(ceiling)), written(100 - x(ceiling)), written(x(budget)))

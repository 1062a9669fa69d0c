"""What an evaluation method declares: its parameters as a typed schema, its checks against the rulebook, its price points with their lines.

The schema says which parameters a scheme may hold; the agency's form, the check of a scheme and the reference page are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from trading.kernel.errors import Faults
from trading.kernel.exact import Rounding
from trading.procedures.procedure import Words
from trading.rulebook import Rulebook

SHARE, POINTS, WHOLE, CHOICE, DRAW, TEXT = "share", "points", "whole", "choice", "draw", "text"
"""A share of 1, typed in percent; points; a whole number; one of some words; whether a number is drawn in public; an exact number."""
DRAWN = "draw K"
"""The word for a K drawn in public from the lot's coefficients."""


@dataclass(frozen=True)
class Parameter:
    """``key``: its place in the scheme, ``benchmark.above``. ``form``: its name in the form, "" where the form does not offer it;
    ``least``, ``most``: of the form; ``refusal``: the code for a value that cannot be read, where this schema reads it."""

    key: str
    kind: str
    label: Words
    hint: Words | None = None
    rule: str = ""
    form: str = ""
    needed: bool = False
    least: int | None = None
    most: int | None = None
    choices: tuple[tuple[str, Words], ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class PriceInputs:
    """What price points follow from. ``quotes``: of the valid bidders, in yuan; ``small``: those a price deduction applies to;
    ``parameters``: the method's own, as the scheme holds them; ``coefficient``: the drawn K, "" if none; ``ceiling`` in yuan."""

    quotes: Mapping[str, Fraction]
    small: frozenset[str]
    weight: Fraction
    places: int
    mode: Rounding
    parameters: Mapping[str, Any]
    coefficient: str = ""
    ceiling: Fraction | None = None


@dataclass(frozen=True)
class Prices:
    """Price points of the valid bidders with their lines; ``facts``: what led there, ``lines`` per bidder, texts."""

    points: dict[str, Fraction]
    lines: dict[str, str]
    evaluated: dict[str, str]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """The lot a scheme is checked for: its method and category in the words of the rulebook, coefficients to draw from, ceiling in yuan."""

    method: str
    category: str
    book: Rulebook
    coefficients: Sequence[str] = ()
    ceiling: Fraction | None = None


@dataclass(frozen=True)
class EvaluationMethod:
    """``check``: what the rules say of a scheme whose parameters have been read, called when nothing else is wrong where ``last`` is set.
    ``offered``: a scheme that is lawful as it stands, to start from."""

    id: str
    name: Words
    rules: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    prices: Callable[[PriceInputs], Prices]
    check: Callable[[Faults, Mapping[str, Any], Setting], None]
    offered: Mapping[str, Any]
    recompute: str
    last: bool = False

    @property
    def keys(self) -> frozenset[str]:
        """The keys of a scheme that are this method's own."""
        return frozenset(one.key.partition(".")[0] for one in self.parameters)

    def below(self, key: str) -> frozenset[str]:
        """The keys a nested parameter may have."""
        return frozenset(one.key.partition(".")[2] for one in self.parameters if one.key.startswith(key + "."))

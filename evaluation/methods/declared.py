"""What an evaluation method declares: its parameters as a typed schema, its checks against the rulebook, how a lot is ranked and the
arithmetic of that in words.

The schema says which parameters a scheme may hold; the agency's form, the check of a scheme and the reference page are made from it. What
ranks is total points or a price; every page, paper and signed document asks the declaration which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from evaluation.methods.inputs import DRAWN as DRAWN
from evaluation.methods.inputs import Inputs
from evaluation.methods.ranking import Ranking
from trading.kernel.errors import Faults
from trading.procedures.procedure import Words
from trading.rulebook import Rulebook

SHARE, POINTS, WHOLE, CHOICE, DRAW, TEXT = "share", "points", "whole", "choice", "draw", "text"
"""A share of 1, typed in percent; points; a whole number; one of some words; whether a number is drawn in public; an exact number."""
TICK, WORDS = "tick", "words"
"""Whether something is so; what somebody writes."""
EVALUATED = Words("评审价", "Evaluated price")
BY_POINTS, BY_PRICE = "points", "price"
"""What ranks: the most points first, or the lowest price first."""
COMMON = frozenset({"v", "method", "criteria", "tie"})
"""What every scheme may say, whatever its method."""
SCORING = frozenset({"rounding", "outlier", "blind"})
"""What a scheme may say beside where points are given."""


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
class Prices:
    """What a method makes of the prices, with its lines: ``points`` of the valid bidders, none where the price itself ranks; ``facts``:
    what led there, ``lines`` and ``evaluated`` per bidder, texts."""

    points: dict[str, Fraction]
    lines: dict[str, str]
    evaluated: dict[str, str]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a lot is ranked. ``figures``: what ranks, total points or a price; ``rows``: by bidder, what the
    lines are made of beside."""

    inputs: Inputs
    figures: dict[str, Fraction]
    ranking: Ranking
    prices: Prices
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)


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
    """``outcome``: pure and exact, refuses BadValue; ``lines``: what the report says of each ranked bid, best first, every number with its
    arithmetic. ``check``: what the rules say of a scheme whose parameters have been read, called when nothing else is wrong where ``last``
    is set. ``offered``: a scheme that is lawful as it stands, to start from. ``recompute``: the calculation that reckons the prices anew.
    ``note``: how it ranks, in a sentence or two. ``reviews_price``: the panel corrects and adjusts each price before it ranks;
    ``price_name``: what the price that ranks is called."""

    id: str
    name: Words
    rules: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    outcome: Callable[[Inputs], Outcome]
    lines: Callable[[Outcome], list[dict[str, Any]]]
    check: Callable[[Faults, Mapping[str, Any], Setting], None]
    offered: Mapping[str, Any]
    recompute: str
    note: Words
    ranks_by: str = BY_POINTS
    reviews_price: bool = False
    price_name: Words = EVALUATED
    last: bool = False

    @property
    def own_keys(self) -> frozenset[str]:
        """The keys of a scheme that are this method's own."""
        return frozenset(one.key.partition(".")[0] for one in self.parameters)

    @property
    def keys(self) -> frozenset[str]:
        """Every key a scheme of this method may have."""
        return COMMON | self.own_keys | (SCORING if self.ranks_by == BY_POINTS else frozenset())

    def below(self, key: str) -> frozenset[str]:
        """The keys a nested parameter may have."""
        return frozenset(one.key.partition(".")[2] for one in self.parameters if one.key.startswith(key + "."))

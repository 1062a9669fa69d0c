"""What an evaluation follows from, read and checked: the scheme, the opened bids, the members' points. Data alone; every method reckons
from this and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from trading.kernel.exact import BadValue, Rounding

DRAWN = "draw K"
"""The word for a K drawn in public from the lot's coefficients."""
_NAME = re.compile("[：:]")


@dataclass(frozen=True)
class Band:
    """Points from ``low`` to ``high``, limits included, for what ``label`` says (rule E-01)."""

    low: Fraction
    high: Fraction
    label: str

    @property
    def short(self) -> str:
        """The label's name, without what it asks: ``优`` of ``优：计划到日``."""
        return _NAME.split(self.label)[0].strip()


@dataclass(frozen=True)
class Criterion:
    """One criterion; ``max`` in points of 100. Without bands every number of points up to ``max`` may be given."""

    id: str
    title: str
    title_en: str
    kind: str
    max: Fraction
    bands: tuple[Band, ...]

    def allows(self, points: Fraction) -> bool:
        """Whether points lie within the criterion and one of its bands (rules E-01, E-32)."""
        return 0 <= points <= self.max and (
            not self.bands or any(band.low <= points <= band.high for band in self.bands)
        )


@dataclass(frozen=True)
class Scheme:
    """A validated scheme, read for calculating. ``criteria``: none where the price alone ranks; ``trim_from``: 0 for never; ``own``: the
    parameters of its method, as they stand there."""

    method: str
    criteria: tuple[Criterion, ...]
    points_places: int
    mean_places: int
    mode: Rounding
    outlier: Fraction
    tie: str
    blind: bool
    trim_from: int
    own: Mapping[str, Any]

    @property
    def price(self) -> Criterion:
        """The criterion of the price, of a method that ranks by points."""
        return next(one for one in self.criteria if one.kind == "price")

    @property
    def scored(self) -> tuple[Criterion, ...]:
        """What members give points for: every criterion but the price."""
        return tuple(one for one in self.criteria if one.kind != "price")

    @property
    def draws_coefficient(self) -> bool:
        return (self.own.get("benchmark") or {}).get("coefficient") == DRAWN


@dataclass(frozen=True)
class BidIn:
    """One opened bid: ``bidder`` its code, ``quote`` in yuan (None if its form could not be read), ``small``: the deduction for small firms
    applies; ``finding`` empty while valid, else ``{stage, clause, reason, votes_for, votes_against}``. ``arithmetic`` and ``adjustment``:
    what the panel found of the price, in yuan, where the method has it reviewed (rulebook 2.8)."""

    bidder: str
    name: str
    quote: Fraction | None
    small: bool = False
    finding: Mapping[str, Any] = field(default_factory=dict)
    arithmetic: Fraction = Fraction(0)
    adjustment: Fraction = Fraction(0)

    @property
    def valid(self) -> bool:
        return not self.finding


@dataclass(frozen=True)
class Inputs:
    """Everything the outcome follows from. ``scores``: seat number → bidder → criterion → points. ``tie_break``: bidders in the order the
    panel chose among equals. ``coefficient``: the drawn K, "" if none; ``ceiling`` in yuan."""

    scheme: Scheme
    bids: Sequence[BidIn]
    scores: Mapping[int, Mapping[str, Mapping[str, Fraction]]]
    coefficient: str = ""
    ceiling: Fraction | None = None
    tie_break: Sequence[str] = ()

    @property
    def valid(self) -> list[BidIn]:
        """The bids that are ranked, by bidder."""
        return sorted((bid for bid in self.bids if bid.valid), key=lambda bid: bid.bidder)

    @property
    def quotes(self) -> dict[str, Fraction]:
        """The quotes of the bids that are ranked. Refuses: BadValue ``missing``."""
        found = {}
        for bid in self.valid:
            if bid.quote is None or bid.quote <= 0:
                raise BadValue("missing", f"quotes.{bid.bidder}", "a price above 0")
            found[bid.bidder] = bid.quote
        return found

    @property
    def places(self) -> dict[str, Fraction]:
        """Of the ranked bidders, their place in the panel's order among equals; who is not in it comes after all that are."""
        at = {bidder: Fraction(place) for place, bidder in enumerate(self.tie_break)}
        return {bid.bidder: at.get(bid.bidder, Fraction(len(at))) for bid in self.valid}


def given(inputs: Inputs, criterion: Criterion, bidder: str) -> dict[str, Fraction]:
    """Points by seat number (as text), in the order of seats. Refuses: BadValue ``missing``."""
    found = {}
    for no in sorted(inputs.scores):
        try:
            found[str(no)] = inputs.scores[no][bidder][criterion.id]
        except KeyError as error:
            raise BadValue("missing", f"scores.{no}.{bidder}.{criterion.id}", "points of every member") from error
    if not found:
        raise BadValue("missing", f"scores.{bidder}.{criterion.id}", "points of every member")
    return found

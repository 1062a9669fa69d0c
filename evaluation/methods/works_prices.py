"""Works: benchmark formulas (评标基准价) and points by deviation from the benchmark (rulebook 2.7, 2.12).

No national law fixes a formula; the tender document does. A `BenchmarkScheme` is such a formula in parts: which
quotes enter the mean, which are dropped, how the mean becomes the benchmark, what a percent above or below costs, and
where rounding happens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, Protocol

from evaluation.methods.vectors import known_ids, written_map
from trading.kernel.exact import (
    Answer,
    BadValue,
    Rounding,
    amount,
    between,
    decimals,
    list_of,
    map_of,
    mean,
    price,
    rate,
    rounded,
    rounding_mode,
    take,
    word,
    written,
    written_exactly,
)

# --- the parts of a formula -------------------------------------------------------------------------------------------


class DropRule(StrEnum):
    """How many of the highest and lowest quotes stay out of the mean."""

    NONE = "none"
    HIGH_LOW_FROM_5 = "high_low_from_5"
    HIGH_6_HIGH_LOW_FROM_7 = "high_6_high_low_from_7"
    FLOOR_SIXTH = "floor_sixth"
    FIFTH_KEEP_EDGE_TIES = "fifth_keep_edge_ties"


class Mix(Protocol):
    """How the mean of the quotes becomes the benchmark; None where the mean is of nothing and the formula needs one."""

    def benchmark(self, average: Fraction | None) -> Fraction | None: ...


@dataclass(frozen=True)
class Factor:
    """Mean x factor: K, 1 - N or 1 + float; 1 without a coefficient."""

    factor: Fraction = Fraction(1)

    def benchmark(self, average: Fraction | None) -> Fraction | None:
        return None if average is None else average * self.factor


@dataclass(frozen=True)
class WarningLine:
    """Mean x M + warning line x (1 - M)."""

    line: Fraction
    mean_share: Fraction

    def benchmark(self, average: Fraction | None) -> Fraction | None:
        return None if average is None else average * self.mean_share + self.line * (1 - self.mean_share)


@dataclass(frozen=True)
class TwoWeights:
    """Mean x K1 x Q1 + control price x K2 x (1 - Q1)."""

    control_price: Fraction
    k1: Fraction
    k2: Fraction
    q1: Fraction

    def benchmark(self, average: Fraction | None) -> Fraction | None:
        if average is None:
            return None
        return average * self.k1 * self.q1 + self.control_price * self.k2 * (1 - self.q1)


@dataclass(frozen=True)
class ControlPrice:
    """Control price x K x (1 - C) + mean x C; control price x K where no quote enters the mean."""

    control_price: Fraction
    k: Fraction
    mean_share: Fraction

    def benchmark(self, average: Fraction | None) -> Fraction | None:
        if average is None:
            return self.control_price * self.k
        return self.control_price * self.k * (1 - self.mean_share) + average * self.mean_share


@dataclass(frozen=True)
class BenchmarkScheme:
    """One version of a benchmark method. Points per percent; `price_range` is in yuan, limits included."""

    full_points: Fraction
    above: Fraction
    below: Fraction
    drop_rule: DropRule = DropRule.NONE
    mix: Mix = field(default_factory=Factor)
    price_range: tuple[Fraction, Fraction] | None = None
    max_deduction: Fraction | None = None
    benchmark_places: int | None = None
    deviation_places: int | None = None
    points_places: int = 2
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True)
class BenchmarkScores:
    """What a benchmark formula found: benchmark and deviations (percent) as used, the mean unrounded, the points
    rounded.
    """

    mean: Fraction | None
    mean_members: list[Fraction]
    dropped_high: int
    dropped_low: int
    benchmark: Fraction | None
    deviation_pct: dict[str, Fraction]
    points: dict[str, Fraction]


# --- the rule ---------------------------------------------------------------------------------------------------------


def drops(ordered: list[Fraction], rule: DropRule) -> tuple[int, int]:
    """How many high and low quotes the rule drops from the ascending list."""
    n = len(ordered)
    if rule is DropRule.HIGH_LOW_FROM_5:
        return (1, 1) if n >= 5 else (0, 0)
    if rule is DropRule.HIGH_6_HIGH_LOW_FROM_7:
        return int(n >= 6), int(n >= 7)
    if rule is DropRule.FLOOR_SIXTH:
        return n // 6, n // 6
    if rule is DropRule.FIFTH_KEEP_EDGE_TIES:
        if n < 7:
            return int(n >= 4), 0
        high = low = int(rounded(Fraction(n, 5), 0))
        while high and ordered[n - high] == ordered[n - high - 1]:
            high -= 1
        while low and ordered[low - 1] == ordered[low]:
            low -= 1
        return high, low
    return 0, 0


def loss_points(deviation_pct: Fraction, above: Fraction, below: Fraction) -> Fraction:
    """Points lost at a deviation in percent: `above` per percent over the benchmark, `below` per percent under it."""
    return abs(deviation_pct) * (above if deviation_pct > 0 else below)


def deviation_from(quote: Fraction, benchmark: Fraction) -> Fraction:
    """(quote - benchmark) / benchmark in percent, unrounded."""
    return (quote - benchmark) / benchmark * 100


def benchmark_deviation(
    quotes: Mapping[str, Fraction], scheme: BenchmarkScheme, *, invalid: Collection[str] = ()
) -> BenchmarkScores:
    """Points by deviation from the benchmark. Every valid bidder is scored, also one whose quote is dropped or out of
    range.

    Refuses: `no_quote_in_mean` (there are valid bidders, but none enters the mean and the formula needs it),
    `benchmark_zero`.
    """
    valid = {bidder: quote for bidder, quote in quotes.items() if bidder not in invalid}
    low, high = scheme.price_range or (None, None)
    inside = sorted(
        quote for quote in valid.values() if (low is None or quote >= low) and (high is None or quote <= high)
    )
    dropped_high, dropped_low = drops(inside, scheme.drop_rule)
    members = inside[dropped_low : len(inside) - dropped_high]
    average = mean(members) if members else None
    if not valid:
        return BenchmarkScores(None, [], 0, 0, None, {}, {})
    benchmark = scheme.mix.benchmark(average)
    if benchmark is None:
        raise BadValue("no_quote_in_mean", "quotes", "at least one quote that enters the mean")
    if scheme.benchmark_places is not None:
        benchmark = rounded(benchmark, scheme.benchmark_places, scheme.rounding)
    if benchmark <= 0:
        raise BadValue("benchmark_zero", "benchmark_places", "places that keep the benchmark above 0")
    deviations = {bidder: deviation_from(quote, benchmark) for bidder, quote in valid.items()}
    if scheme.deviation_places is not None:
        deviations = {
            bidder: rounded(value, scheme.deviation_places, scheme.rounding) for bidder, value in deviations.items()
        }
    points = {}
    for bidder, value in deviations.items():
        loss = loss_points(value, scheme.above, scheme.below)
        if scheme.max_deduction is not None:
            loss = min(loss, scheme.max_deduction)
        points[bidder] = rounded(max(scheme.full_points - loss, Fraction(0)), scheme.points_places, scheme.rounding)
    return BenchmarkScores(average, members, dropped_high, dropped_low, benchmark, deviations, points)


def points_above(
    quote: Fraction,
    benchmark: Fraction,
    full_points: Fraction,
    per_pct: Fraction,
    step: Callable[[Fraction], Fraction | int] = lambda value: value,
) -> Fraction:
    """Points where only a quote above the benchmark loses, unrounded. `step` turns percents into whole ones:
    math.ceil, math.floor.
    """
    percent = step(max(deviation_from(quote, benchmark), Fraction(0)))
    return max(full_points - percent * per_pct, Fraction(0))


# --- asked as test vectors --------------------------------------------------------------------------------------------

_FULL = between(above=0, high=100)
_ABOVE_0 = between(above=0)
_SHARE = between(0, 1)
_COEFFICIENTS: dict[str, tuple[Callable[[object, str], Fraction], Callable[[Fraction], Fraction]]] = {
    "K": (_ABOVE_0, lambda k: k),
    "N": (rate, lambda n: 1 - n),
    "float": (between(above=-1, below=1), lambda shift: 1 + shift),
}


def scheme_from(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> BenchmarkScheme:
    """A scheme from the JSON names of the tender document: K, N, float, mix, M, Q1, range and the rest.

    Refuses: a missing or malformed value, `one_coefficient` (too many or too few of K, N, float), `weights_sum` (Q2
    is not 1 - Q1).
    """
    limits = take(params, "range", list_of(amount), default=None)
    price_range = None
    if limits is not None:
        if len(limits) != 2 or limits[0] > limits[1]:
            raise BadValue("bad_range", "range", "[lowest, highest]")
        control = take(params, "control_price", price)
        price_range = limits[0] * control, limits[1] * control
    return BenchmarkScheme(
        full_points=take(inputs, "full_points", _FULL),
        above=take(inputs, "E1_above", amount),
        below=take(inputs, "E2_below", amount),
        drop_rule=DropRule(take(params, "drop_rule", word(*DropRule), default="none")),
        mix=_mix_from(params),
        price_range=price_range,
        max_deduction=take(params, "max_deduction", amount, default=None),
        benchmark_places=take(params, "benchmark_places", decimals, default=None),
        deviation_places=take(params, "deviation_places", decimals, default=None),
        points_places=take(params, "points_places", decimals, default=2),
        rounding=rounding_mode(params),
    )


def _mix_from(params: Mapping[str, Any]) -> Mix:
    named = take(params, "mix", word("none", "warning_line", "two_weights", "control_price"), default="none")
    factors = {
        key: to_factor(take(params, key, read))
        for key, (read, to_factor) in _COEFFICIENTS.items()
        if params.get(key) is not None
    }
    allowed = {"none": len(factors) <= 1, "control_price": set(factors) == {"K"}}.get(named, not factors)
    if not allowed:
        raise BadValue(
            "one_coefficient", "params", "at most one of K, N, float; K with control_price; none with other mixes"
        )
    if named == "warning_line":
        return WarningLine(take(params, "warning_line", price), take(params, "M", _SHARE))
    if named == "two_weights":
        q1 = take(params, "Q1", _SHARE)
        if take(params, "Q2", _SHARE, default=1 - q1) != 1 - q1:
            raise BadValue("weights_sum", "Q2", "1 - Q1")
        return TwoWeights(
            take(params, "control_price", price), take(params, "K1", _ABOVE_0), take(params, "K2", _ABOVE_0), q1
        )
    if named == "control_price":
        return ControlPrice(take(params, "control_price", price), factors["K"], take(params, "C", _SHARE))
    return Factor(*factors.values())


def _asked_benchmark(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quotes = take(inputs, "quotes", map_of(price))
    excluded, scheme = known_ids(inputs, "invalid", quotes), scheme_from(params, inputs)
    found = benchmark_deviation(quotes, scheme, invalid=excluded)
    benchmark_places = 2 if scheme.benchmark_places is None else scheme.benchmark_places
    deviation_places = 4 if scheme.deviation_places is None else scheme.deviation_places
    return {
        "mean": None if found.mean is None else written(found.mean),
        "mean_members": [written_exactly(quote) for quote in found.mean_members],
        "dropped_high": found.dropped_high,
        "dropped_low": found.dropped_low,
        "benchmark": None if found.benchmark is None else written(found.benchmark, benchmark_places),
        "deviation_pct": written_map(found.deviation_pct, deviation_places),
        "price_scores": written_map(found.points, scheme.points_places),
        "excluded": excluded,
    }


def _asked_rounding(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    quote, benchmark = take(inputs, "quote", price), take(inputs, "benchmark", price)
    full = take(inputs, "full_points", _FULL)
    above, below = take(inputs, "E1_above", amount), take(inputs, "E2_below", amount)
    deviation = deviation_from(quote, benchmark)

    def answer(used: Fraction, places: int) -> dict[str, str]:
        return {
            "deviation_pct": written(used, places),
            "score": written(max(full - loss_points(used, above, below), Fraction(0))),
        }

    return {
        "unrounded": answer(deviation, 6),
        "deviation_2dp_pct": answer(rounded(deviation, 2), 2),
        "deviation_1dp_pct": answer(rounded(deviation, 1), 1),
    }


def _asked_step(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    given = (
        take(inputs, "quote", price),
        take(inputs, "benchmark", price),
        take(inputs, "full_points", _FULL),
        take(inputs, "per_pct_above", amount),
    )
    return {
        "interpolated": written(points_above(*given)),
        "ceil_pct": written(points_above(*given, step=math.ceil)),
        "floor_pct": written(points_above(*given, step=math.floor)),
    }


METHODS: dict[str, Answer] = {
    "works.benchmark_deviation": _asked_benchmark,
    "works.deviation_rounding": _asked_rounding,
    "works.benchmark_step": _asked_step,
}

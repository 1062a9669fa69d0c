"""Where the bars and lines of a chart stand. Exact whole-number geometry: the same figures always draw the same picture.

Widths are percent of the chart's width (it fits any screen), heights are pixels. templates/parts/charts.html draws what is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from trading.kernel.exact import written

Number = Fraction | int


@dataclass
class Columns:
    """Bars by label with an optional line above them on its own scale."""

    spoken: str
    height: int
    base: str
    left: str
    legend: list[tuple[str, str]] = field(default_factory=list)
    axis: list[dict[str, Any]] = field(default_factory=list)
    bars: list[dict[str, Any]] = field(default_factory=list)
    segments: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    dots: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    mark: str | None = None
    table: list[list[str]] = field(default_factory=list)
    hrefs: Sequence[str] = ()
    """The rows behind each label, linked from the table: a picture holds no links."""


WIDEST = Fraction(8)
"""A group of bars is at most twice this many percent wide, however few there are: two months are no two blocks."""


@dataclass(frozen=True)
class Series:
    """One set of bars: its name, its values (None: no bar), its tone (budget, award, neg, sun, sealed, ok)."""

    name: str
    values: Sequence[Number | None]
    tone: str = "award"
    places: int = 2


def columns(
    spoken: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    line: Series | None = None,
    mark: Number | None = None,
    notes: Sequence[str] = (),
    head: str = "",
    figures: bool = False,
    height: int = 190,
    hrefs: Sequence[str] = (),
) -> Columns:
    """A bar chart. ``line`` runs above the bars on its own scale, ``mark`` is a dashed level of that scale; ``notes`` stand under the
    labels; ``figures`` writes each bar's value above it; ``hrefs``: the rows behind each label, ""
    for none. Bars start at zero; a negative value is drawn down from it in its own tone."""
    top = 110 if line else 24
    left = Fraction(7, 2) if not figures else Fraction(0)
    values = [Fraction(v) for s in series for v in s.values if v is not None]
    step = _step(max([*values, Fraction(1, 100)]) - min([*values, Fraction(0)]))
    high = _ceil(max([*values, Fraction(0)]), step) or step
    low = min(_floor(min([*values, Fraction(0)]), step), Fraction(0))
    floor = top + height - 50

    def y(value: Number) -> Fraction:
        return top + (high - Fraction(value)) * (floor - top) / (high - low)

    chart = Columns(spoken, int(floor) + (36 if notes or (figures and len(labels) > 8) else 22), _px(y(0)), _pc(left))
    if not figures:
        level = low
        while level <= high:
            chart.axis.append({"x": _pc(left - Fraction(1, 2)), "y": _number(y(level)), "text": _short(level)})
            level += step
    slot = (100 - left) / max(len(labels), 1)
    width = (
        min(slot * Fraction(4, 5) / len(series), WIDEST) if len(series) > 1 else min(slot * Fraction(17, 20), WIDEST)
    )
    for at, label in enumerate(labels):
        start = left + slot * at
        middle = start + slot / 2
        for which, one in enumerate(series):
            value = one.values[at]
            if value is None:
                continue
            x = middle + width * (Fraction(which) - Fraction(len(series), 2))
            upper, lower = sorted((y(value), y(0)))
            chart.bars.append(
                {
                    "tone": "neg" if value < 0 else one.tone,
                    "x": _pc(x),
                    "width": _pc(width * Fraction(24, 25)),
                    "y": _number(upper),
                    "height": int(lower) - int(upper),
                    "middle": _pc(x + width / 2),
                    "text": written(Fraction(value), one.places) if figures else "",
                }
            )
        below = 16 if not (figures and len(labels) > 8 and at % 2) else 30
        chart.labels.append(
            {"x": _pc(middle), "y": int(floor) + below, "text": label, "spare": len(labels) > 8 and at % 2 == 1}
        )
        if notes:
            chart.labels.append({"x": _pc(middle), "y": int(floor) + 30, "text": notes[at], "spare": True})
    if line:
        _draw_line(chart, line, mark, left, slot)
    if len(series) > 1 or line:
        chart.legend = [(s.tone, s.name) for s in series] + ([("line", line.name)] if line else [])
    chart.hrefs = tuple(hrefs)
    every = [*series, *([line] if line else [])]
    chart.table = [[head, *(s.name for s in every)]]
    for at, label in enumerate(labels):
        chart.table.append(
            [label, *("–" if s.values[at] is None else written(Fraction(s.values[at] or 0), s.places) for s in every)]
        )
    return chart


def _draw_line(chart: Columns, line: Series, mark: Number | None, left: Fraction, slot: Fraction) -> None:
    known = [Fraction(v) for v in line.values if v is not None] + ([Fraction(mark)] if mark is not None else [])
    if not known:
        return
    least, most = min(known), max(known)
    span = (most - least) or Fraction(1)

    def y(value: Number) -> Fraction:
        return 28 + (most - Fraction(value)) * 44 / span

    middle = (least + most) / 2
    previous: dict[str, Any] | None = None
    for at, value in enumerate(line.values):
        if value is None:
            previous = None
            continue
        here = {
            "x": _pc(left + slot * at + slot / 2),
            "y": _px(y(value)),
            "text": written(Fraction(value), line.places),
            "text_y": _px(y(value) + (18 if value < middle else -9)),
        }
        if previous:
            chart.segments.append((previous, here))
        chart.dots.append(here)
        previous = here
    if mark is not None:
        chart.mark = _px(y(mark))


@dataclass(frozen=True)
class Row:
    """One row of a spread: low and high ends, the middle half, and the value itself."""

    label: str
    low: Number
    q1: Number
    value: Number
    q3: Number
    high: Number


@dataclass
class Spread:
    spoken: str
    height: int
    base: int
    axis: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    mark: str | None


def spread(spoken: str, rows: Sequence[Row], *, mark: Number | None = None, unit: str = "%", places: int = 2) -> Spread:
    """Rows of a distribution side by side on one scale."""
    low = min([Fraction(r.low) for r in rows] + [Fraction(0)])
    high = max([Fraction(r.high) for r in rows] + [Fraction(1, 100)])
    step = _step(high - low)
    low, high = _floor(low, step), _ceil(high, step)

    def x(value: Number) -> Fraction:
        return 27 + (Fraction(value) - low) * 58 / (high - low)

    base = 16 + 30 * len(rows)
    drawn = [
        {
            "label": r.label,
            "y": 20 + 30 * at,
            "low": _pc(x(r.low)),
            "high": _pc(x(r.high)),
            "q1": _pc(x(r.q1)),
            "wide": _pc(x(r.q3) - x(r.q1)),
            "at": _pc(x(r.value)),
            "text": written(Fraction(r.value), places) + unit,
        }
        for at, r in enumerate(rows)
    ]
    axis, level = [], low
    while level <= high:
        axis.append({"x": _pc(x(level)), "text": _short(level) + unit})
        level += step
    return Spread(spoken, base + 24, base, axis, drawn, _pc(x(mark)) if mark is not None else None)


def share(value: Number, most: Number) -> str:
    """A bar's length in percent of the longest, for a bar in a table cell."""
    return _pc(max(Fraction(0), min(Fraction(100), Fraction(value) * 100 / Fraction(most)))) if most else "0.00"


def _step(span: Fraction) -> Fraction:
    """A round distance of grid lines (1, 2 or 5 times a power of ten) that gives at most five."""
    step = Fraction(1, 1000)
    while True:
        for times in (1, 2, 5):
            if span <= step * times * 5:
                return step * times
        step *= 10


def _ceil(value: Fraction, step: Fraction) -> Fraction:
    return -(-value // step) * step


def _floor(value: Fraction, step: Fraction) -> Fraction:
    return value // step * step


def _short(value: Fraction) -> str:
    text = written(value, 3).rstrip("0").rstrip(".")
    return "−" + text[1:] if text.startswith("-") else text


def _pc(value: Number) -> str:
    return written(Fraction(value), 2)


def _px(value: Number) -> str:
    return written(Fraction(value), 1)


def _number(value: Fraction) -> int:
    """Whole pixels where a template adds to them."""
    return int(value)

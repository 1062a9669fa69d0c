"""How the members scored, as strips: a row a bid, a dot a seat, the mean as a line, the limits of the bands above. Plain geometry; the
template draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from evaluation.methods.inputs import Criterion
from evaluation.reporting.queries import CellCard
from trading.kernel.exact import exact, mean, written, written_exactly

LEFT, RIGHT = 16, 97
HEAD, ROW = 36, 26


@dataclass(frozen=True)
class Dot:
    """``x`` in percent of the width, ``y`` in pixels; ``out``: flagged."""

    x: str
    y: int
    seat: int
    points: str
    out: bool


@dataclass(frozen=True)
class Strip:
    """One bid: its dots, the mean at ``x``, ``y`` of its line."""

    bid: str
    y: int
    mean_x: str
    mean: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Plot:
    """One criterion. ``ticks``: (x in percent, label) of nought, the band limits and the maximum."""

    criterion: Criterion
    height: int
    ticks: tuple[tuple[str, str], ...]
    strips: tuple[Strip, ...]
    told: str


def plots(criteria: Iterable[Criterion], cells: Iterable[CellCard], names: Mapping[str, str]) -> list[Plot]:
    """A plot of each subjective criterion, in the order of the scheme."""
    held = list(cells)
    return [
        _plot(one, [cell for cell in held if cell.criterion == one.id], names)
        for one in criteria
        if one.kind == "subjective"
    ]


def _plot(criterion: Criterion, cells: list[CellCard], names: Mapping[str, str]) -> Plot:
    marks = {Fraction(0): "0", criterion.max: written_exactly(criterion.max, 0)}
    for band in criterion.bands:
        if 0 < band.low < criterion.max:
            marks[band.low] = f"{band.short[:8]} {written_exactly(band.low, 0)}".strip()
    ticks = tuple((_x(at, criterion), label) for at, label in sorted(marks.items()))
    strips = tuple(
        _strip(criterion, cell, names.get(cell.bid, cell.bid), HEAD + ROW * at + ROW // 2)
        for at, cell in enumerate(cells)
    )
    told = "; ".join(f"{one.bid}: {', '.join(dot.points for dot in one.dots)}" for one in strips)
    return Plot(criterion, HEAD + ROW * len(strips) + 8, ticks, strips, told)


def _strip(criterion: Criterion, cell: CellCard, name: str, y: int) -> Strip:
    given = [(no, exact(points)) for no, points in cell.points]
    stacked: dict[Fraction, int] = {}
    dots = []
    for no, points in given:
        above = stacked.get(points, 0)
        stacked[points] = above + 1
        dots.append(Dot(_x(points, criterion), y - 4 * above, no, written_exactly(points, 0), no in cell.outliers))
    average = mean(points for _no, points in given)
    return Strip(name, y, _x(average, criterion), written(average), tuple(dots))


def _x(points: Fraction, criterion: Criterion) -> str:
    return written(LEFT + points / criterion.max * (RIGHT - LEFT))

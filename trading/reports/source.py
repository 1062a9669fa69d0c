"""What a reader makes of one file, whatever its form was."""

from __future__ import annotations

import io
from dataclasses import dataclass

from trading.reports.savings import Row


@dataclass(frozen=True)
class Table:
    """Rows of one file; ``places``: decimals of their small unit. ``notes``: what was passed over, as (where, code)."""

    rows: list[Row]
    places: int
    source: str
    notes: tuple[tuple[str, str], ...] = ()


def lines_of(text: str) -> io.StringIO:
    """The text as lines, line ends untouched, as the csv module wants them."""
    return io.StringIO(text, newline="")

"""Rows of many lots, fetched with one question."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session


class _OfLot(Protocol):
    lot_id: Any


Row = TypeVar("Row", bound=_OfLot)


def by_lot(session: Session, rows: Select[Row]) -> dict[int, list[Row]]:
    """Rows by their lot's row number, in the order of the statement."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in session.scalars(rows):
        found[row.lot_id].append(row)
    return dict(found)

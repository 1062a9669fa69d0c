"""What the calculation rules of this folder share when they are asked as test vectors: lists of ids, rates, answers.

The rules themselves are plain functions over `Fraction`s; a function named `_asked_*` beside them only reads JSON
values, calls the rule and writes the answer. Nothing is calculated in an `_asked_*` function.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import Any

from trading.kernel.exact import BadValue, Rounding, list_of, map_of, rate, take, text, written


def known_ids(inputs: Mapping[str, Any], key: str, known: Collection[str]) -> list[str]:
    """The optional list of ids under `key`, sorted and without doubles. Refuses: `unknown_id`."""
    named = take(inputs, key, list_of(text), default=[])
    refuse_unknown(named, known, key)
    return sorted(set(named))


def refuse_unknown(ids: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuses: `unknown_id` for the first id that is not known."""
    for one in ids:
        if one not in known:
            raise BadValue("unknown_id", f"{where}.{one}", "an id that has a bid")


def rates_of(
    inputs: Mapping[str, Any], key: str, known: Collection[str], *, optional: bool = False
) -> dict[str, Fraction]:
    """A map of ids to rates, which may be empty; every id must have a bid."""
    read = map_of(rate, may_be_empty=True)
    rates = take(inputs, key, read, default={}) if optional else take(inputs, key, read)
    refuse_unknown(rates, known, key)
    return rates


def written_map(values: Mapping[str, Fraction], places: int = 2, mode: Rounding = Rounding.HALF_UP) -> dict[str, str]:
    """Every value of the map rounded and written."""
    return {key: written(value, places, mode) for key, value in values.items()}

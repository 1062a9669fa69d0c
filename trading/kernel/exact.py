"""Exact numbers: how values are read, calculated, rounded and written.

Scores, prices and percentages are `Fraction`s from the moment they are read to the moment they are written, so a mean
of three experts is a third and not something near it. Rounding happens only where a rule names it, with the places
and the mode it names (rules E-05, E-30). A binary float is refused by every function here.

This file knows no noun of the trade and reads no clock. The readers take a value as JSON gives it and the place it
stands at, and return the value or raise `BadValue`; `take` fetches a field of an object, where `null` means absent.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any, TypeVar

T = TypeVar("T")
Reader = Callable[[object, str], T]
Answer = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""A calculation rule as the recompute command calls it: (params, inputs) -> outputs."""

MAX_PLACES = 10_000
"""More decimals than this are refused: nobody can mean them, and they would only fill the memory."""

_LONG = 10**4000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class BadValue(ValueError):
    """A value that a calculation cannot use: a stable code, the place it stands at, and what was expected."""

    def __init__(self, code: str, where: str = "", expected: str = "") -> None:
        self.code = code
        self.where = where
        self.expected = expected
        super().__init__(code + (f" at {where}" if where else "") + (f": {expected}" if expected else ""))


class Rounding(StrEnum):
    """How the last digit is decided: halves away from zero, halves to the even digit, or cut."""

    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"
    DOWN = "DOWN"


# --- calculating ------------------------------------------------------------------------------------------------------


def exact(value: int | Decimal | Fraction | str) -> Fraction:
    """The exact value of an integer, a decimal or a decimal string; a float or a bool is a defect of the caller."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str):
        return number(value, "")
    if isinstance(value, (bool, float)) or not isinstance(value, (int, Decimal)):
        raise TypeError(f"not an exact number: {type(value).__name__}")
    return Fraction(value)


def rounded(value: Fraction | int, places: int = 2, mode: Rounding = Rounding.HALF_UP) -> Fraction:
    """`value` with at most `places` decimals, as an exact number again. Halves go away from zero unless `mode` says
    else.
    """
    return Fraction(_scaled(value, places, mode), 10**places)


def mean(values: Iterable[Fraction]) -> Fraction:
    """The arithmetic mean, unrounded. The caller sees to it that there is a value."""
    held = list(values)
    below = lcm(*(value.denominator for value in held))  # one fraction at the end, not one for each value
    return Fraction(sum(value.numerator * (below // value.denominator) for value in held), below * len(held))


def _scaled(value: Fraction | int, places: int, mode: Rounding) -> int:
    """`value` x 10^places as a whole number."""
    above, below = value.numerator * 10**places, value.denominator
    whole, rest = divmod(abs(above), below)
    twice = 2 * rest - below
    if mode is Rounding.HALF_UP:
        whole += twice >= 0
    elif mode is Rounding.HALF_EVEN:
        whole += twice > 0 or (twice == 0 and whole % 2 == 1)
    return -whole if above < 0 else whole


# --- writing ----------------------------------------------------------------------------------------------------------


def written(value: Fraction | int, places: int = 2, mode: Rounding = Rounding.HALF_UP) -> str:
    """`value` rounded and written with exactly `places` decimals; zero never carries a sign."""
    scaled = _scaled(value, places, mode)
    whole = abs(scaled)
    digits = (str(whole) if whole < _LONG else str(Decimal(whole))).rjust(
        places + 1, "0"
    )  # str(int) stops at 4300 digits
    sign = "-" if scaled < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def written_exactly(value: Fraction | int, at_least: int = 2) -> str:
    """`value` with all its decimals, at least `at_least`. A repeating fraction is a defect of the caller."""
    return _exactly(value.numerator, value.denominator, at_least)


@lru_cache(maxsize=4096)  # points repeat: a panel writes the same few hundred again and again
def _exactly(above: int, below: int, at_least: int) -> str:
    rest = below
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueError(f"{above}/{below} has no finite decimal form")
    return written(Fraction(above, below), max(twos, fives, at_least))


# --- reading ----------------------------------------------------------------------------------------------------------

_NOTHING = object()


def take(record: Mapping[str, Any], key: str, read: Reader[T], where: str = "", default: Any = _NOTHING) -> T:
    """The field `key` of a JSON object. `null` is absent; an absent field is its `default`, or an error without one."""
    place = f"{where}.{key}" if where else key
    value = record.get(key)
    if value is None:
        if default is _NOTHING:
            raise BadValue("missing", place, "a value is required")
        return default
    return read(value, place)


def number(value: object, where: str) -> Fraction:
    """NUM: a plain decimal string such as "-12.30", or a whole JSON number. Never a float, a sign of plus or an
    exponent.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Fraction(Decimal(value))  # Decimal reads any number of digits, int() stops at 4300
    raise BadValue("bad_number", where, 'a decimal string such as "12.30" or a whole number')


def between(
    low: Fraction | int | str | None = None,
    high: Fraction | int | str | None = None,
    *,
    above: Fraction | int | None = None,
    below: Fraction | int | None = None,
) -> Reader[Fraction]:
    """A reader of numbers from `low` to `high`, limits included; `above` and `below` are limits that are left out."""
    least, most = (None if edge is None else exact(edge) for edge in (low, high))

    def read(value: object, where: str) -> Fraction:
        found = number(value, where)
        if (least is not None and found < least) or (above is not None and found <= above):
            raise BadValue("too_small", where, f"more than {above}" if least is None else f"at least {low}")
        if (most is not None and found > most) or (below is not None and found >= below):
            raise BadValue("too_large", where, f"less than {below}" if most is None else f"at most {high}")
        return found

    return read


price = between(above=0)
"""PRICE: a number above 0."""
amount = between(0)
"""AMOUNT: a number of 0 or more."""
rate = between(0, below=1)
"""RATE: 0 <= x < 1."""


def count(at_least: int) -> Reader[int]:
    """COUNT(k): a whole JSON number of k or more. A string is an error."""

    def read(value: object, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadValue("bad_count", where, "a whole JSON number")
        if value < at_least:
            raise BadValue("too_small", where, f"at least {at_least}")
        return value

    return read


def decimals(value: object, where: str) -> int:
    """A number of decimal places: COUNT(0), within reason."""
    found = count(0)(value, where)
    if found > MAX_PLACES:
        raise BadValue("too_large", where, f"at most {MAX_PLACES} places")
    return found


def boolean(value: object, where: str) -> bool:
    """BOOL: true or false, and no word or number for them."""
    if not isinstance(value, bool):
        raise BadValue("bad_boolean", where, "true or false")
    return value


def day(value: object, where: str) -> dt.date:
    """DATE: `YYYY-MM-DD`, a day that exists."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return dt.date(int(value[:4]), int(value[5:7]), int(value[8:]))
        except ValueError:
            pass
    raise BadValue("bad_date", where, "a date that exists, YYYY-MM-DD")


def text(value: object, where: str) -> str:
    """Any string, the empty one too."""
    if not isinstance(value, str):
        raise BadValue("bad_text", where, "a string")
    return value


def word(*allowed: str) -> Reader[str]:
    """WORD: one of the strings listed."""

    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise BadValue("unknown_word", where, "one of " + ", ".join(allowed))
        return value

    return read


def record(value: object, where: str) -> Mapping[str, Any]:
    """A JSON object with named fields."""
    if not isinstance(value, dict):
        raise BadValue("bad_object", where, "an object")
    return value


def list_of(read: Reader[T], *, at_least: int = 0) -> Reader[list[T]]:
    """LIST: an array of `at_least` or more values, each read by `read`."""

    def read_list(value: object, where: str) -> list[T]:
        if not isinstance(value, list):
            raise BadValue("bad_list", where, "an array")
        if len(value) < at_least:
            raise BadValue("too_short", where, f"at least {at_least} elements")
        return [read(element, f"{where}[{position}]") for position, element in enumerate(value)]

    return read_list


def map_of(read: Reader[T], *, may_be_empty: bool = False) -> Reader[dict[str, T]]:
    """MAP: an object from ids to values; a `null` under an id is an error, not an absence."""

    def read_map(value: object, where: str) -> dict[str, T]:
        if not isinstance(value, dict):
            raise BadValue("bad_object", where, "an object")
        if not value and not may_be_empty:
            raise BadValue("empty", where, "at least one entry")
        return {key: read(held, f"{where}.{key}") for key, held in value.items()}

    return read_map


def cases(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The required list `cases` of objects; no cases give empty answers, one bad case spoils the whole."""
    return take(inputs, "cases", list_of(record))


def rounding_params(params: Mapping[str, Any], places: int = 2) -> tuple[int, Rounding]:
    """The params `places` and `rounding` that many rules share, with their defaults."""
    return take(params, "places", decimals, default=places), rounding_mode(params)


def rounding_mode(params: Mapping[str, Any]) -> Rounding:
    """The param `rounding`, half up if it is absent."""
    return Rounding(take(params, "rounding", word(*Rounding), default="HALF_UP"))

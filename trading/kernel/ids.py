"""Identifiers: public codes with a check character, random references, and the numbers of projects and lots.

Codes that others assign (unified social credit code, unified transaction identifier, rulebook §5.5) are checked by
their standard. References of ours to anything secret are random, 128 bits, so that neither order nor number can be
read from them; only projects and lots carry a running number, because their notices are public from the start.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.kernel import exact
from trading.kernel.errors import Faults, Invalid

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100: no I, O, S, V, Z."""
MOD37_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
REFERENCE_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Base 32 without i, l, o, u: nothing is mistaken when read aloud."""
REFERENCE_LENGTH = 26
"""26 characters of 5 bits hold 128 random bits."""

_CATEGORY = re.compile(r"[A-Z][0-9]{2}", re.ASCII)
_PLATFORM = re.compile(r"[0-9A-Z]{18}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{6}", re.ASCII)
_FIRST17 = re.compile(f"[{USCC_ALPHABET}]{{17}}", re.ASCII)
_REFERENCE = re.compile(f"[{REFERENCE_ALPHABET}]{{26}}", re.ASCII)
_PROJECT = re.compile(r"(GP|WK)-([0-9]{4})-([0-9]{4,6})", re.ASCII)
_LOT = re.compile(r"(GP|WK)-([0-9]{4})-([0-9]{4,6})-([0-9]{2,3})", re.ASCII)
_PREFIX = {"GP": "GP", "WORKS": "WK"}


# --- unified social credit code (统一社会信用代码) ---------------------------------------------------------------------


def uscc_check(first17: str) -> str:
    """The check character of the first 17 (MOD 31, weights 3^k). Refuses: Invalid uscc.malformed."""
    if not isinstance(first17, str) or not _FIRST17.fullmatch(first17):
        raise Invalid("uscc.malformed", text=first17)
    total = sum(USCC_ALPHABET.index(letter) * pow(3, place, 31) for place, letter in enumerate(first17))
    return USCC_ALPHABET[-total % 31]


def read_uscc(text: str) -> str:
    """A code as typed, in its one form: without spaces, upper case, ASCII, its check character proved.

    Refuses: Invalid uscc.length, uscc.letters, uscc.check, uscc.placeholder. The wrong check character is named, never the right one: a
    code is looked up again, not repaired.
    """
    code = re.sub(r"[\s\u3000]", "", text).translate(_NARROW).upper()
    if len(code) != 18:
        raise Invalid("uscc.length", text=text, length=len(code))
    if strange := [letter for letter in code if letter not in USCC_ALPHABET]:
        raise Invalid("uscc.letters", text=text, letters="".join(strange))
    if uscc_check(code[:17]) != code[17]:
        raise Invalid("uscc.check", text=text, found=code[17])
    if code[0] == "0" or len(set(code)) < 3:  # no registering department has the number 0
        raise Invalid("uscc.placeholder", text=text)
    return code


def is_invented(code: str) -> bool:
    """Whether a well-formed code names nobody: an organisation's own part of nothing but noughts, as in examples and in the demo town."""
    return set(code[8:17]) == {"0"}


_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF10, 0xFF5B)}
"""Full-width digits and letters to ASCII."""


# --- unified transaction identifier (统一交易标识码) -------------------------------------------------------------------


@dataclass(frozen=True)
class TransactionCode:
    """The parts of a unified transaction identifier; `sequence` is the running number of the platform on that day."""

    category: str
    platform_code: str
    date: dt.date
    sequence: int
    check: str

    def __str__(self) -> str:
        return f"{self.category}-{self.platform_code}-{_compact(self.date)}-{self.sequence:06d}-{self.check}"


def mod37_check(text: str) -> str:
    """ISO 7064 MOD 37-2 over digits and upper-case letters; * stands for 36. Computed stepwise, so no length can
    overflow."""
    value = 0
    for letter in text:
        value = (value + MOD37_ALPHABET.index(letter)) * 2 % 37
    return MOD37_ALPHABET[(1 - value) % 37]


def transaction_code(category: str, platform_code: str, date: dt.date, sequence: int) -> TransactionCode:
    """The identifier of one transaction (rulebook §5.5). Refuses: Invalid utc.category, utc.platform, utc.sequence."""
    if not _CATEGORY.fullmatch(category):
        raise Invalid("utc.category", category=category)
    if not _PLATFORM.fullmatch(platform_code):
        raise Invalid("utc.platform", platform_code=platform_code)
    if not 0 <= sequence <= 999_999:
        raise Invalid("utc.sequence", sequence=sequence)
    body = f"{category}{platform_code}{_compact(date)}{sequence:06d}"
    return TransactionCode(category, platform_code, date, sequence, mod37_check(body))


def read_transaction_code(text: str) -> TransactionCode:
    """A printed identifier, its check character proved. Refuses: Invalid utc.shape with all faulty parts, utc.check."""
    parts = text.strip().split("-")
    faults = Faults()
    if len(parts) != 5:
        raise Invalid("utc.shape", text=text)
    for name, part, shape in zip(("category", "platform_code", "date", "sequence"), parts, _SHAPES, strict=False):
        if not shape.fullmatch(part) or (name == "date" and _compact_day(part) is None):
            faults.add(name, f"utc.{name.split('_', maxsplit=1)[0]}", found=part)
    faults.refuse_if_any("utc.shape")
    day = _compact_day(parts[2])
    assert day is not None
    code = transaction_code(parts[0], parts[1], day, int(parts[3]))
    if code.check != parts[4]:
        raise Invalid("utc.check", text=text, found=parts[4])
    return code


_SHAPES = (_CATEGORY, _PLATFORM, _DATE, _SEQUENCE)


def _compact(day: dt.date) -> str:
    return day.isoformat().replace("-", "")  # strftime leaves out the noughts of early years


def _compact_day(text: str) -> dt.date | None:
    """`YYYYMMDD` as a day, None if there is no such day."""
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


# --- references of ours -----------------------------------------------------------------------------------------------


def new_reference() -> str:
    """A random reference of 128 bits: 26 characters, safe in an address and in a file name (promise: references tell
    nothing)."""
    number, letters = secrets.randbits(128), []
    for _ in range(REFERENCE_LENGTH):
        number, letter = divmod(number, 32)
        letters.append(REFERENCE_ALPHABET[letter])
    return "".join(reversed(letters))


def read_reference(text: str) -> str:
    """A reference as typed or read aloud: groups, capitals and look-alikes (I, L, O) are put right. Refuses: Invalid
    ref.malformed."""
    bare = re.sub(r"[\s-]", "", text).translate(_NARROW).lower().translate(str.maketrans("ilo", "110"))
    if not _REFERENCE.fullmatch(bare):
        raise Invalid("ref.malformed", ref=text)
    return bare


def short_reference(ref: str) -> str:
    """How a reference is shown to people, `7kq4-m2xp`: the first 40 bits, for the eye only. Look-ups take the whole."""
    return f"{ref[:4]}-{ref[4:8]}"


# --- projects and lots ------------------------------------------------------------------------------------------------


def project_ref(regime: str, year: int, number: int) -> str:
    """`GP-2026-0117`: the running number of accepted projects of a regime (GP | WORKS) in a year."""
    if regime not in _PREFIX:
        raise ValueError(f"no such regime: {regime}")
    if not (1 <= number <= 999_999 and 1000 <= year <= 9999):
        raise ValueError(f"no such project number: {year}, {number}")
    return f"{_PREFIX[regime]}-{year}-{number:04d}"


def lot_ref(project: str, lot: int) -> str:
    """`GP-2026-0117-02`: the second lot of a project. Refuses: Invalid project.ref_malformed."""
    if not _PROJECT.fullmatch(project):
        raise Invalid("project.ref_malformed", ref=project)
    if not 1 <= lot <= 999:
        raise ValueError(f"no such lot number: {lot}")
    return f"{project}-{lot:02d}"


@dataclass(frozen=True)
class LotRef:
    """The parts of a lot's reference."""

    regime: str
    year: int
    number: int
    lot: int

    @property
    def project(self) -> str:
        return project_ref(self.regime, self.year, self.number)

    def __str__(self) -> str:
        return lot_ref(self.project, self.lot)


def read_lot_ref(text: str) -> LotRef:
    """A lot's reference as typed. Refuses: Invalid lot.ref_malformed (also for one not in its one form, such as too
    many noughts)."""
    bare = text.strip().translate(_NARROW | {0xFF0D: "-"}).upper()
    match = _LOT.fullmatch(bare)
    if match is None:
        raise Invalid("lot.ref_malformed", ref=text)
    regime = next(name for name, prefix in _PREFIX.items() if prefix == match[1])
    found = LotRef(regime, int(match[2]), int(match[3]), int(match[4]))
    if not (found.number and found.lot and found.year >= 1000) or str(found) != bare:
        raise Invalid("lot.ref_malformed", ref=text)
    return found


# --- recompute --------------------------------------------------------------------------------------------------------


def _shaped(shape: re.Pattern[str], expected: str) -> exact.Reader[str]:
    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise exact.BadValue("bad_code", where, expected)
        return value

    return read


def _unified_transaction_code(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    codes = []
    for place, case in enumerate(exact.cases(inputs)):
        where = f"cases[{place}]"
        category = exact.take(case, "category", _shaped(_CATEGORY, "a letter and two digits"), where)
        platform = exact.take(case, "platform_code", _shaped(_PLATFORM, "18 of 0-9A-Z"), where)
        day = _compact_day(exact.take(case, "date", _shaped(_DATE, "8 digits"), where))
        if day is None:
            raise exact.BadValue("bad_date", f"{where}.date", "a date that exists, YYYYMMDD")
        sequence = exact.take(case, "sequence", _shaped(_SEQUENCE, "6 digits"), where)
        codes.append(transaction_code(category, platform, day, int(sequence)))
    return {"check": [code.check for code in codes], "code": [str(code) for code in codes]}


def _uscc(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    first17 = exact.take(inputs, "first17", _shaped(_FIRST17, f"17 of {USCC_ALPHABET}"))
    check = uscc_check(first17)
    return {"check": check, "code": first17 + check}


METHODS: dict[str, exact.Answer] = {
    "id.unified_transaction_code": _unified_transaction_code,
    "id.uscc": _uscc,
}

"""Amounts as files write them, read exactly: plain and grouped digits, full-width digits, floats of a spreadsheet.

A `Scale` sees every amount of a table and then turns all of them into whole numbers of the same small unit.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Context, Decimal

UNITS = {"元": 0, "yuan": 0, "0": 0, "万元": 4, "万": 4, "wan_yuan": 4, "1": 4, "亿元": 8, "亿": 8, "yi_yuan": 8}
"""Money units as powers of ten; 0 and 1 are the codes of the data standard's PRICE_UNIT (rule ST-08)."""
NOTHING = frozenset({"", "-", "--", "—", "——", "–", "/", "\\", "无", "n/a", "null", "none"})
MOST = Decimal(10) ** 18
MOST_PLACES = 20
MOST_DIGITS = 60
EXACT = Context(prec=200, Emax=10**6, Emin=-(10**6))
"""Digits enough that no sum or shift of amounts is ever rounded."""
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)


class AmountFault(ValueError):
    """An amount that cannot be used: a stable code, and the text as it stood."""

    def __init__(self, code: str, value: object) -> None:
        super().__init__(code)
        self.code, self.value = code, str(value)[:60]


class Scale:
    """The small unit of a table: as many decimals as its finest amount has, and at least two."""

    def __init__(self) -> None:
        self.places = 2

    def see(self, amount: Decimal | None) -> None:
        """Notes the decimals of an amount that will be turned."""
        if amount is not None:
            exponent = amount.as_tuple().exponent
            if isinstance(exponent, int) and -exponent > self.places:
                self.places = -exponent

    def whole(self, amount: Decimal | int | None) -> int | None:
        """The amount in small units."""
        return None if amount is None else int(Decimal(amount).scaleb(self.places, EXACT))


def plain(text: object) -> str:
    """Text in one shape: full-width forms made half-width, spaces around it dropped."""
    return unicodedata.normalize("NFKC", str(text)).strip()


def json_amount(value: object) -> Decimal | None:
    """An amount of a JSON document whose numbers were read as Decimal; None where there is none."""
    if value is None:
        return None
    if not isinstance(value, Decimal):
        raise AmountFault("cell.not_a_number", value)
    return checked(value)


def checked(value: Decimal) -> Decimal:
    """The amount without needless zeros, if it can be one: not negative, of a size and fineness that somebody can mean."""
    if not value.is_finite():
        raise AmountFault("cell.not_a_number", value)
    if value < 0:
        raise AmountFault("cell.negative", value)
    if value >= MOST:
        raise AmountFault("cell.too_large", value)
    if value and value.adjusted() < -MOST_PLACES:
        raise AmountFault("cell.too_fine", value)
    if len(value.as_tuple().digits) > MOST_DIGITS:
        raise AmountFault("cell.too_fine", value)
    value = value.normalize(EXACT) if value else Decimal(0)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MOST_PLACES:
        raise AmountFault("cell.too_fine", value)
    return value


def cell_amount(cell: object, power: int = 0) -> Decimal | None:
    """The amount of a table cell in the main unit; ``power``: the heading's unit as a power of ten.

    A spreadsheet's floats are taken by their shortest form; above 15 digits they no longer hold what was typed and are refused.
    """
    if cell is None or isinstance(cell, bool):
        if isinstance(cell, bool):
            raise AmountFault("cell.not_a_number", cell)
        return None
    if isinstance(cell, int):
        if abs(cell) >= MOST:
            raise AmountFault("cell.too_large", "more than 18 digits")
        return checked(Decimal(cell).scaleb(power, EXACT))
    if isinstance(cell, float):
        value = Decimal(repr(cell))
        if not value.is_finite():
            raise AmountFault("cell.not_a_number", cell)
        if len(value.normalize().as_tuple().digits) > 15:
            raise AmountFault("cell.float_digits", cell)
        return checked(value.scaleb(power, EXACT))
    text = plain(cell)
    if text.lower() in NOTHING:
        return None
    text = text.removeprefix("¥").removeprefix("￥").strip()
    negative = text.startswith("-")
    digits = text.removeprefix("-")
    if not (_PLAIN.fullmatch(digits) or _GROUPED.fullmatch(digits)):
        raise AmountFault("cell.not_a_number", cell)
    if negative:
        raise AmountFault("cell.negative", cell)
    if len(digits) > MOST_DIGITS:
        raise AmountFault("cell.too_large", cell)
    return checked(Decimal(digits.replace(",", "")).scaleb(power, EXACT))


def cell_percent(cell: object) -> Decimal | None:
    """A discount such as ``12%`` or ``下浮 12%`` in percent; None if the cell is not written as one."""
    found = re.search(r"([0-9]{1,3}(\.[0-9]{1,8})?)\s*%$", plain(cell), re.ASCII) if isinstance(cell, str) else None
    return Decimal(found.group(1)) if found else None

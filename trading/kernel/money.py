"""Money: a whole number of minor units (fen) and a currency, exact from the form to the ledger.

No binary float ever enters: an amount is read from text by strict rules, calculated as an integer or a fraction, and
rounded only where a rule names it (rulebook §2.12: 0.01 yuan, half up; caps are cut). What must not be put here:
rates, caps, interest, or anything that knows why money moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trading.kernel import exact
from trading.kernel.errors import Invalid
from trading.kernel.exact import Rounding

MAX_MINOR = 2**63 - 1
"""The largest amount a database column of minor units holds."""

WITHOUT_MINOR = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
WITH_THREE = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
CHINESE_NAMES = {"CNY": "元", "USD": "美元", "EUR": "欧元", "HKD": "港元", "JPY": "日元", "GBP": "英镑"}
UNITS = {"元": 1, "圆": 1, "万": 10**4, "万元": 10**4, "亿": 10**8, "亿元": 10**8}
"""Units an amount may be written in, in main units of the currency."""

ENGLISH_UNITS = {"": 1, "million": 10**6, "billion": 10**9}

_FULL_WIDTH = str.maketrans("０１２３４５６７８９，．－＋￥　", "0123456789,.-+¥ ")
_SUFFIX = re.compile(r"^(?P<rest>.*?)\s*(?P<unit>亿元|万元|亿|万|元|圆)整?$", re.DOTALL)
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. ``minor`` counts minor units (fen); ``currency`` is the ISO 4217 code.

    Always true in a condition, zero too: ask `is_zero`, so that an absent amount and an amount of nothing are never
    confused.
    """

    minor: int
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"minor units are a whole number, not {type(self.minor).__name__}")
        minor_digits(self.currency)

    # --- made from something else -------------------------------------------------------------------------------------

    @classmethod
    def zero(cls, currency: str = "CNY") -> Money:
        return cls(0, currency)

    @classmethod
    def parse(cls, text: str, currency: str = "CNY", *, unit: str = "元", negative: bool = False) -> Money:
        """What a person typed, or a cell of a table, as money.

        Takes thousands separators, full-width digits, a leading ¥ or the currency code, and 元, 万元, 亿元 after the
        number; `unit` is meant where the text names none (a column headed 万元). Letters are never guessed at: an O
        is not a nought.
        Refuses: Invalid money.empty, money.letters, money.characters, money.grouping, money.malformed,
        money.precision (more decimals than the currency has), money.negative (unless `negative`), money.too_large.
        """
        if unit not in UNITS:
            raise ValueError(f"no such unit: {unit}")
        number, named = _number_and_unit(text, currency)
        sign = 1
        if number[:1] in "+-" and number:
            sign, number = (-1 if number[0] == "-" else 1), number[1:].lstrip()
        _check_number(number, text)
        factor = UNITS[named or unit]
        amount = cls.exactly(sign * factor * Fraction(Decimal(number.replace(",", ""))), currency, text=text)
        if amount.minor < 0 and not negative:
            raise Invalid("money.negative", text=text)
        return amount

    @classmethod
    def exactly(cls, value: int | str | Decimal | Fraction, currency: str = "CNY", *, text: str | None = None) -> Money:
        """A number of main units (yuan) that needs no rounding, such as the decimal string of a JSON file.

        Refuses: Invalid money.malformed, money.precision (a part of a fen), money.too_large.
        """
        shown = str(value) if text is None else text
        try:
            scaled = exact.exact(value) * 10 ** minor_digits(currency)
        except exact.BadValue as fault:
            raise Invalid("money.malformed", text=shown) from fault
        if scaled.denominator != 1:
            raise Invalid("money.precision", text=shown, places=minor_digits(currency))
        if abs(scaled.numerator) > MAX_MINOR:
            raise Invalid("money.too_large", text=shown)
        return cls(scaled.numerator, currency)

    @classmethod
    def rounded(
        cls, value: int | Decimal | Fraction, currency: str = "CNY", mode: Rounding = Rounding.HALF_UP
    ) -> Money:
        """A calculated number of main units, rounded to the minor unit: half up, or cut (`DOWN`) for caps."""
        digits = minor_digits(currency)
        return cls((exact.rounded(exact.exact(value), digits, mode) * 10**digits).numerator, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str = "CNY") -> Money:
        """The sum; of nothing, zero. Refuses: Invalid money.currencies_differ."""
        found = cls(0, currency)
        for amount in amounts:
            found = found + amount
        return found

    @classmethod
    def from_amount_words(cls, text: str) -> Money:
        """Yuan written in capital figures (大写), as a bid letter states its price.

        Reads 元 or 圆, 整 or 正, and the noughts people leave out or add. Refuses: Invalid money.capitals_malformed.
        """
        from trading.kernel import amount_words

        return cls(amount_words.read(text), "CNY")

    # --- calculating --------------------------------------------------------------------------------------------------

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency) if isinstance(other, Money) else NotImplemented

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency) if isinstance(other, Money) else NotImplemented

    def __mul__(self, times: int) -> Money:
        if isinstance(times, bool) or not isinstance(times, int):
            return NotImplemented
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def portion(self, rate: Fraction | Decimal | int | str, mode: Rounding = Rounding.HALF_UP) -> Money:
        """This amount times an exact rate, rounded once to the minor unit."""
        return Money.rounded(self.fraction * exact.exact(rate), self.currency, mode)

    def split(self, weights: list[int]) -> list[Money]:
        """Shares in proportion to `weights` that add up to this amount exactly; a left-over fen goes to the largest
        remainder, then to the earlier share."""
        whole = sum(weights)
        if whole <= 0 or any(weight < 0 for weight in weights):
            raise ValueError("weights are not negative and not all zero")
        sign, amount = (-1 if self.minor < 0 else 1), abs(self.minor)
        parts = [amount * weight // whole for weight in weights]
        rest = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % whole), at))
        for at in rest[: amount - sum(parts)]:
            parts[at] += 1
        return [Money(sign * part, self.currency) for part in parts]

    # --- comparing ----------------------------------------------------------------------------------------------------

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    @property
    def is_zero(self) -> bool:
        return self.minor == 0

    @property
    def is_positive(self) -> bool:
        return self.minor > 0

    @property
    def is_negative(self) -> bool:
        return self.minor < 0

    def _same(self, other: Any) -> int:
        """The minor units of an amount in the same currency. Refuses: Invalid money.currencies_differ."""
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise Invalid("money.currencies_differ", one=self.currency, other=other.currency)
        return other.minor

    # --- writing ------------------------------------------------------------------------------------------------------

    @property
    def fraction(self) -> Fraction:
        """The amount in main units, exact, for calculating."""
        return Fraction(self.minor, 10 ** minor_digits(self.currency))

    @property
    def decimal(self) -> Decimal:
        """The amount in main units, with all decimals of the currency."""
        return Decimal(self.text())

    def text(self) -> str:
        """Main units as a plain decimal string, "12622402.51": the form of JSON and CSV files."""
        return exact.written(self.fraction, minor_digits(self.currency))

    def full(self, lang: str = "zh") -> str:
        """Every digit: "12,622,402.51 元", or "CNY 12,622,402.51" in English."""
        return self._dressed(_grouped(self.text()), "", lang)

    def short(self, lang: str = "zh", *, unit: str | None = None, places: int = 2) -> str:
        """A readable size with at most `places` decimals: "30.18 亿元", "CNY 3.02 billion".

        It is rounded (half up): show the full amount beside it. `unit` forces a unit ("万元", or "million" in English).
        """
        units = {"元": 1, "万元": 10**4, "亿元": 10**8} if lang.startswith("zh") else ENGLISH_UNITS
        if unit is None:
            unit = [name for name, size in units.items() if size == 1 or abs(self.fraction) >= size][-1]
        size = units[unit]
        if size == 1:
            return self.full(lang)
        digits = exact.written(self.fraction / size, places)
        if "." in digits:
            digits = digits.rstrip("0").rstrip(".")
        return self._dressed(_grouped(digits), unit, lang)

    def amount_words(self) -> str:
        """Capital figures (大写) as cheques and bid letters carry them: "捌佰壹拾捌万元整". Yuan only.

        Refuses: Invalid money.capitals_currency, money.too_large (10^16 yuan or more).
        """
        from trading.kernel import amount_words

        if self.currency != "CNY":
            raise Invalid("money.capitals_currency", currency=self.currency)
        return amount_words.write(self.minor)

    def __str__(self) -> str:
        return f"{self.currency} {self.text()}"

    def _dressed(self, digits: str, unit: str, lang: str) -> str:
        if lang.startswith("zh"):
            name = CHINESE_NAMES.get(self.currency, self.currency)
            return f"{digits} {unit.removesuffix('元')}{name}"
        return f"{self.currency} {digits}" + (f" {unit}" if unit else "")


def minor_digits(currency: str) -> int:
    """How many decimals the currency has: 2, but for a few. Refuses: Invalid money.currency_malformed."""
    if not (
        isinstance(currency, str)
        and len(currency) == 3
        and currency.isascii()
        and currency.isalpha()
        and currency.isupper()
    ):
        raise Invalid("money.currency_malformed", currency=currency)
    return 0 if currency in WITHOUT_MINOR else 3 if currency in WITH_THREE else 2


def _grouped(digits: str) -> str:
    whole, point, part = digits.partition(".")
    return re.sub(r"(?<=[0-9])(?=([0-9]{3})+$)", ",", whole) + point + part


def _number_and_unit(text: str, currency: str) -> tuple[str, str]:
    """The bare number and the unit after it, "" if none is named."""
    if not isinstance(text, str):
        raise TypeError(f"money is read from text, not from {type(text).__name__}")
    bare = text.translate(_FULL_WIDTH).replace("\u00a0", " ").replace("\u2212", "-").strip()
    prefixes = ("人民币", "CNY", "RMB", "¥") if currency == "CNY" else (currency,)
    sign = ""
    if bare[:1] in ("-", "+"):
        sign, bare = bare[0], bare[1:].lstrip()
    while found := next((word for word in prefixes if bare.startswith(word)), None):
        bare = bare[len(found) :].lstrip(" :：")
    unit = ""
    if match := _SUFFIX.match(bare):
        bare, unit = match["rest"], match["unit"]
    if sign and bare[:1] in ("-", "+"):
        raise Invalid("money.malformed", text=text)
    return sign + bare, unit


def _check_number(number: str, text: str) -> None:
    """Refuses whatever is not digits, well-placed commas and at most one point, saying which of these is wrong."""
    if not number:
        raise Invalid("money.empty", text=text)
    if strange := [letter for letter in number if letter not in "0123456789,."]:
        if any(letter.isalpha() for letter in strange):
            raise Invalid("money.letters", text=text, letters="".join(letter for letter in strange if letter.isalpha()))
        raise Invalid("money.characters", text=text, characters="".join(strange))
    if "," in number and not _GROUPED.fullmatch(number):
        raise Invalid("money.grouping", text=text)
    if "," not in number and not _PLAIN.fullmatch(number):
        raise Invalid("money.malformed", text=text)

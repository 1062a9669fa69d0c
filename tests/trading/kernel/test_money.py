"""Money is exact from the form to the ledger: what is read, calculated and written."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import cn2an  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.errors import Invalid
from trading.kernel.exact import Rounding
from trading.kernel.money import UNITS, Money

minors = st.integers(min_value=-(10**17) + 1, max_value=10**17 - 1)


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("12622402.51", 1262240251),
        ("12,622,402.51", 1262240251),
        ("0", 0),
        (" 7 ", 700),
        ("7.5", 750),
        ("0.05", 5),
        ("１２，３４５．６０元", 1234560),
        ("￥1,000", 100000),
        ("¥ 1000 元", 100000),
        ("人民币 1000元整", 100000),
        ("CNY 1,000", 100000),
        ("1.5万元", 1500000),
        ("1.5万", 1500000),
        ("30.18亿元", 301800000000),
        ("30.18 亿", 301800000000),
        ("0.000001万元", 1),
        ("００１", 100),
    ],
)
def test_what_people_type_is_read(text: str, minor: int) -> None:
    assert Money.parse(text) == Money(minor)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "money.empty"),
        ("  ", "money.empty"),
        ("元", "money.empty"),
        ("¥", "money.empty"),
        ("1O0", "money.letters"),
        ("l00", "money.letters"),
        ("1e6", "money.letters"),
        ("NaN", "money.letters"),
        ("壹佰", "money.letters"),
        ("5元元", "money.letters"),
        ("X5", "money.letters"),
        ("5X5", "money.letters"),
        ("RMBX5", "money.letters"),
        ("1\n2元", "money.characters"),
        ("USD 5", "money.letters"),
        ("１Ｏ", "money.letters"),
        ("$5", "money.characters"),
        ("1 000", "money.characters"),
        ("٣", "money.characters"),
        ("1_000", "money.characters"),
        ("²", "money.characters"),
        ("1,00", "money.grouping"),
        ("12,34", "money.grouping"),
        ("1,0000", "money.grouping"),
        (",100", "money.grouping"),
        ("1,000,00.5", "money.grouping"),
        ("1000,000", "money.grouping"),
        ("1.2.3", "money.malformed"),
        (".5", "money.malformed"),
        ("5.", "money.malformed"),
        ("--5", "money.malformed"),
        ("1.234", "money.precision"),
        ("0.0000001万元", "money.precision"),
        ("-1", "money.negative"),
        ("-¥1", "money.negative"),
        ("9" * 40, "money.too_large"),
        ("92233720368547758.08", "money.too_large"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Money.parse(text)
    assert refusal.value.code == code and refusal.value.facts["text"] == text


def test_a_column_may_name_the_unit_and_a_cell_may_overrule_it() -> None:
    assert Money.parse("227957.45", unit="万元") == Money(227957450000)
    assert Money.parse("5元", unit="万元") == Money(500)
    with pytest.raises(ValueError, match="no such unit"):
        Money.parse("5", unit="吨")


def test_a_negative_amount_must_be_asked_for() -> None:
    assert Money.parse("-1,000.50", negative=True) == Money(-100050)
    assert Money.parse("－¥1", negative=True) == Money(-100)


def test_other_currencies_have_their_own_decimals() -> None:
    assert Money.parse("1,000", "JPY") == Money(1000, "JPY")
    assert Money.exactly("1.234", "KWD").minor == 1234
    with pytest.raises(Invalid) as refusal:
        Money.parse("1.5", "JPY")
    assert refusal.value.code == "money.precision"
    with pytest.raises(Invalid, match=r"money\.currency_malformed"):
        Money(1, "rmb")
    with pytest.raises(Invalid, match=r"money\.currencies_differ"):
        Money(1) + Money(1, "USD")
    with pytest.raises(Invalid, match=r"money\.currencies_differ"):
        assert Money(1) < Money(2, "USD")
    assert Money(1) != Money(1, "USD")


@pytest.mark.parametrize("value", [1.0, True, "1", None, Decimal(1)])
def test_nothing_but_whole_minor_units_makes_money(value: object) -> None:
    with pytest.raises(TypeError):
        Money(value)  # type: ignore[arg-type]


def test_a_binary_float_never_enters() -> None:
    untyped: Any = Money
    for attempt in (
        lambda: untyped(1) * 1.5,
        lambda: untyped.exactly(1.5),
        lambda: untyped.rounded(1.5),
        lambda: untyped(1).portion(0.5),
        lambda: untyped(1) + 1,
        lambda: untyped.parse(15),
    ):
        with pytest.raises(TypeError):
            attempt()


def test_rounding_is_half_up_and_caps_are_cut() -> None:
    assert Money.rounded(Fraction(25005, 1000)).minor == 2501
    assert Money.rounded(Fraction(-25005, 1000)).minor == -2501
    assert Money.rounded(Fraction(25005, 1000), mode=Rounding.HALF_EVEN).minor == 2500
    assert Money.exactly("333333.33").portion("0.02", Rounding.DOWN).text() == "6666.66"


@pytest.mark.parametrize(
    ("minor", "zh", "en", "full_zh", "full_en"),
    [
        (301800000000, "30.18 亿元", "CNY 3.02 billion", "3,018,000,000.00 元", "CNY 3,018,000,000.00"),
        (
            285911690000000,
            "28,591.17 亿元",
            "CNY 2,859.12 billion",
            "2,859,116,900,000.00 元",
            "CNY 2,859,116,900,000.00",
        ),
        (818000000, "818 万元", "CNY 8.18 million", "8,180,000.00 元", "CNY 8,180,000.00"),
        (999999, "9,999.99 元", "CNY 9,999.99", "9,999.99 元", "CNY 9,999.99"),
        (-1500050, "-1.5 万元", "CNY -15,000.50", "-15,000.50 元", "CNY -15,000.50"),
        (0, "0.00 元", "CNY 0.00", "0.00 元", "CNY 0.00"),
    ],
)
def test_short_and_full_forms(minor: int, zh: str, en: str, full_zh: str, full_en: str) -> None:
    amount = Money(minor)
    assert (amount.short("zh"), amount.short("en"), amount.full("zh"), amount.full("en")) == (zh, en, full_zh, full_en)


def test_a_unit_can_be_forced_and_other_currencies_are_named() -> None:
    assert Money(285911690000).short("zh_Hans_CN", unit="万元") == "285,911.69 万元"
    assert (
        Money(150000000, "USD").short("zh") == "150 万美元" and Money(150000000, "USD").full("en") == "USD 1,500,000.00"
    )
    assert Money(12345678).short(unit="万元", places=6) == "12.345678 万元"


@pytest.mark.parametrize(
    ("minor", "words"),
    [
        # the worked examples of the People's Bank rules for filling in cheques
        (140950, "壹仟肆佰零玖元伍角整"),
        (600714, "陆仟零柒元壹角肆分"),
        (168032, "壹仟陆佰捌拾元叁角贰分"),
        (10700053, "壹拾万柒仟元零伍角叁分"),
        (1640902, "壹万陆仟肆佰零玖元零贰分"),
        (32504, "叁佰贰拾伍元零肆分"),
    ],
)
def test_capital_figures_follow_the_cheque_rules(minor: int, words: str) -> None:
    written = Money(minor).amount_words()
    assert written.replace("元零伍角", "元伍角") == words.replace(
        "元零伍角", "元伍角"
    )  # that nought is optional in the rules
    assert Money.from_amount_words(words) == Money(minor)


def test_capital_figures_at_the_edges() -> None:
    assert [Money(minor).amount_words() for minor in (0, 5, 50, 1000, 818000000, -320, 10**16)] == [
        "零元整",
        "伍分",
        "伍角整",
        "壹拾元整",
        "捌佰壹拾捌万元整",
        "负叁元贰角整",
        "壹佰万亿元整",
    ]
    assert (
        Money(10**18 - 1).amount_words() == "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"
    )
    for minor in (10**18, -(10**18)):
        with pytest.raises(Invalid, match=r"money\.too_large") as refusal:
            Money(minor).amount_words()
        assert refusal.value.code == "money.too_large" and refusal.value.facts == {"text": str(minor)}
    with pytest.raises(Invalid, match=r"money\.capitals_malformed") as refusal:
        Money.from_amount_words("壹")
    assert refusal.value.facts == {"text": "壹"}
    with pytest.raises(Invalid, match=r"money\.capitals_malformed") as refusal:
        Money.from_amount_words("壹亿万元")
    assert refusal.value.facts == {"text": "壹亿万元"}
    with pytest.raises(Invalid, match=r"money\.capitals_currency"):
        Money(1, "USD").amount_words()


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("人民币捌佰壹拾捌万圆整", 818000000),
        ("捌佰壹拾捌萬圓正", 818000000),
        ("人民币：壹万零伍佰元零角零分", 1050000),
        ("壹万伍佰元整", 1050000),
        ("零元伍角", 50),
        ("叁元零伍分", 305),
        ("负叁元贰角整", -320),
        ("壹万零壹亿元", 100010000000000),
        (" 人民币: 壹 拾元\t整\n", 1000),
        ("弍千參百零玖萬零陸億零柒元捌角", 230900060000000780),
        ("貳佰叄拾弎元", 23300),
        ("弍佰參拾陸元", 23600),
        ("壹千贰百叁十元", 123000),
        ("叁億肆萬圓", 30004000000),
        ("〇元伍分", 5),
        ("零壹元", 100),
        ("玖分整", 9),
        ("负伍分", -5),
    ],
)
def test_capital_figures_as_people_write_them(text: str, minor: int) -> None:
    assert Money.from_amount_words(text) == Money(minor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "元",
        "整",
        "壹",
        "拾元整",
        "壹壹元",
        "壹拾佰元",
        "壹貳叄元",
        "壹百贰十叁千元",
        "伍分叁角",
        "壹万亿亿元",
        "一百元",
        "100元",
        "壹元贰",
        "佰元",
        "壹亿亿元整",
        "壹元壹元",
        "零",
        "人民币",
        "亿元",
    ],
)
def test_malformed_capital_figures_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Money.from_amount_words(text)
    assert refusal.value.code == "money.capitals_malformed"


@pytest.mark.parametrize(("yuan", "words"), [
    (10_000, "壹万"), (10_001, "壹万零壹"), (10_999, "壹万零玖佰玖拾玖"), (11_000, "壹万壹仟"), (11_200, "壹万壹仟贰佰"),
    (11_001, "壹万壹仟零壹"),
    (10**8, "壹亿"), (10**8 + 1, "壹亿零壹"), (10**8 + 10**4, "壹亿零壹万"), (109_999_999, "壹亿零玖佰玖拾玖万玖仟玖佰玖拾玖"),
    (110_000_000, "壹亿壹仟万"), (115_000_000, "壹亿壹仟伍佰万"), (110_000_001, "壹亿壹仟万零壹"), (100_101_000, "壹亿零壹拾万壹仟"),
    (20_305, "贰万零叁佰零伍"), (1_000_001, "壹佰万零壹"), (2_000, "贰仟"), (3_040, "叁仟零肆拾"),
])  # fmt: skip
def test_a_nought_stands_for_places_left_out(yuan: int, words: str) -> None:
    assert Money(yuan * 100).amount_words() == f"{words}元整"
    assert Money.from_amount_words(f"{words}元整") == Money(yuan * 100)


@given(minors)
def test_every_written_form_reads_back(minor: int) -> None:
    amount = Money(minor)
    assert Money.parse(amount.full("zh"), negative=True) == amount
    assert Money.parse(amount.full("en"), negative=True) == amount
    assert Money.exactly(amount.text()) == amount == Money.exactly(amount.decimal) == Money.rounded(amount.fraction)
    assert Money.from_amount_words(amount.amount_words()) == amount
    assert Money.parse(amount.short(places=10, unit="亿元"), negative=True) == amount


@given(st.integers(min_value=0, max_value=10**15))
def test_capital_figures_agree_with_an_independent_writer(minor: int) -> None:
    def plain(words: str) -> str:  # an optional nought after 亿, 万 and 元, and the closing 整
        return re.sub("(?<=[亿万元])零", "", words).rstrip("整")

    assert plain(Money(minor).amount_words()) == plain(cn2an.an2cn(f"{minor // 100}.{minor % 100:02d}", "rmb"))


@given(minors, minors, minors)
def test_sums_do_not_depend_on_order_and_lose_nothing(a: int, b: int, c: int) -> None:
    assert (
        Money.total([Money(a), Money(b), Money(c)]) == Money.total([Money(c), Money(a), Money(b)]) == Money(a + b + c)
    )
    assert Money(a) + Money(b) - Money(b) == Money(a) and Money.zero() - (-Money(a)) == Money(a)
    assert (Money(a) < Money(b)) == (a < b) and Money(a) * 3 == 3 * Money(a) == Money(3 * a)


@given(minors, st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any))
def test_shares_add_up_and_are_within_a_fen(minor: int, weights: list[int]) -> None:
    shares = Money(minor).split(weights)
    assert Money.total(shares) == Money(minor)
    assert all(
        abs(share.minor - Fraction(minor * weight, sum(weights))) < 1
        for share, weight in zip(shares, weights, strict=True)
    )


@given(st.decimals(min_value=0, max_value=10**8, places=4), st.sampled_from(sorted(UNITS)))
def test_units_scale_exactly_or_refuse(value: Decimal, unit: str) -> None:
    exact_fen = Fraction(value) * UNITS[unit] * 100
    if exact_fen.denominator == 1:
        assert Money.parse(f"{value}{unit}") == Money(exact_fen.numerator)
    else:
        with pytest.raises(Invalid, match=r"money\.precision"):
            Money.parse(f"{value}{unit}")


def test_every_comparison() -> None:
    less, same, more = Money(1), Money(2), Money(3)
    assert [same < one for one in (less, same, more)] == [False, False, True]
    assert [same <= one for one in (less, same, more)] == [False, True, True]
    assert [same > one for one in (less, same, more)] == [True, False, False]
    assert [same >= one for one in (less, same, more)] == [True, True, False]
    for minor in (-1, 0, 1):
        money = Money(minor)
        assert (money.is_zero, money.is_positive, money.is_negative) == (minor == 0, minor > 0, minor < 0)
        assert abs(money) == Money(abs(minor)) and -money == Money(-minor)
    with pytest.raises(TypeError):
        assert Money(1) < 2  # type: ignore[operator]


def test_a_currency_stays_with_what_is_reckoned() -> None:
    dollars = Money(700, "USD")
    assert dollars + dollars - dollars == dollars == abs(-dollars)
    assert -dollars == Money(-700, "USD")
    assert dollars * 2 == 2 * dollars == Money(1400, "USD")
    assert dollars.portion("0.5") == Money(350, "USD")
    assert dollars.split([1, 1]) == [Money(350, "USD")] * 2
    assert Money.zero("USD") == Money.total([], "USD") == Money(0, "USD") and Money.total([dollars], "USD") == dollars
    assert Money.zero() == Money.total([]) == Money(0)
    assert Money.rounded(7, "USD") == Money.exactly("7.00", "USD") == dollars
    assert str(dollars) == "USD 7.00" and str(Money(-5)) == "CNY -0.05"
    for untyped in (True, "2", 1.5):
        with pytest.raises(TypeError):
            dollars * untyped  # type: ignore[operator]
    with pytest.raises(TypeError):
        dollars - 1  # type: ignore[operator]
    with pytest.raises(Invalid, match="money.currencies_differ") as refusal:
        dollars - Money(1)
    assert refusal.value.code == "money.currencies_differ"
    assert refusal.value.facts == {"one": "USD", "other": "CNY"}


def test_what_mixes_with_money_is_for_the_other_side_to_say() -> None:
    class Other:
        def __radd__(self, money: Money) -> tuple[str, Money]:
            return "+", money

        def __rsub__(self, money: Money) -> tuple[str, Money]:
            return "-", money

    assert (Money(1) + Other(), Money(1) - Other()) == (("+", Money(1)), ("-", Money(1)))


WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split()
THREE = "BHD IQD JOD KWD LYD OMR TND".split()


@pytest.mark.parametrize(
    ("currency", "text"),
    [(one, "1234") for one in WITHOUT] + [(one, "1.234") for one in THREE] + [("CNY", "12.34"), ("EUR", "12.34")],
)
def test_each_currency_has_its_decimals(currency: str, text: str) -> None:
    assert Money(1234, currency).text() == text
    assert Money(1234, currency).decimal == Decimal(text)
    assert Money.exactly(text, currency) == Money(1234, currency)
    assert Money.parse(f"{currency} {text}", currency) == Money(1234, currency)


@pytest.mark.parametrize("currency", ["", "CN", "CNYY", "cny", "CNy", "C1Y", "ÄÖÜ", None, 156, ("C", "N", "Y")])
def test_what_no_currency_is(currency: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        Money(1, currency)
    assert refusal.value.code == "money.currency_malformed" and refusal.value.facts == {"currency": currency}


@pytest.mark.parametrize(
    ("currency", "name"),
    [("CNY", "元"), ("USD", "美元"), ("EUR", "欧元"), ("HKD", "港元"), ("GBP", "英镑"), ("CHF", "CHF")],
)
def test_currencies_by_their_chinese_names(currency: str, name: str) -> None:
    assert Money(1000005, currency).full() == f"10,000.05 {name}"
    assert Money(1000000, currency).short() == f"1 万{name}"
    assert Money(100, "JPY").full() == "100 日元"


@pytest.mark.parametrize(("text", "minor"), [
    ("+5", 500), ("＋5", 500), ("- 5", -500), ("-5", -500), ("\u22125", -500), ("－5", -500), ("-¥ 5", -500), ("¥-5", -500),
    ("¥- 5", -500), ("- ¥5", -500), ("RMB\u00a05", 500),
    ("-RMB5", -500), ("RMB：5", 500), ("RMB: 5", 500), ("CNY¥5", 500), ("5\u00a0元", 500), ("5\u3000元", 500), ("5圆", 500), ("5圆整", 500),
    ("5万整", 5000000), ("5亿元整", 50000000000), ("6，７８９．0", 678900), ("92233720368547758.07", 2**63 - 1),
    ("-92233720368547758.07", -(2**63) + 1),
])  # fmt: skip
def test_signs_prefixes_and_units_as_people_put_them(text: str, minor: int) -> None:
    assert Money.parse(text, negative=True) == Money(minor)


@pytest.mark.parametrize(("text", "code", "facts"), [
    ("--5", "money.malformed", {}), ("-¥-5", "money.malformed", {}), ("+-5", "money.malformed", {}), ("-+5", "money.malformed", {}),
    ("-", "money.empty", {}),
    ("1a2b", "money.letters", {"letters": "ab"}), ("1$2a", "money.letters", {"letters": "a"}),
    ("1$ 2", "money.characters", {"characters": "$ "}),
    ("1.234", "money.precision", {"places": 2}), ("-92233720368547758.08", "money.too_large", {}),
])  # fmt: skip
def test_a_refusal_says_what_was_wrong(text: str, code: str, facts: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refusal:
        Money.parse(text, negative=True)
    assert refusal.value.code == code and refusal.value.facts == {"text": text, **facts}


def test_a_json_number_says_itself_what_was_wrong() -> None:
    with pytest.raises(Invalid) as refusal:
        Money.exactly("1e3")
    assert refusal.value.code == "money.malformed" and refusal.value.facts == {"text": "1e3"}
    with pytest.raises(Invalid) as refusal:
        Money.exactly(Fraction(1, 3), "KWD")
    assert refusal.value.code == "money.precision" and refusal.value.facts == {"text": "1/3", "places": 3}
    with pytest.raises(Invalid) as refusal:
        Money(1, "USD").amount_words()
    assert refusal.value.code == "money.capitals_currency" and refusal.value.facts == {"currency": "USD"}


def test_the_left_over_fen_goes_to_the_largest_remainder_then_to_the_earlier() -> None:
    def split(minor: int, *weights: int) -> list[int]:
        return [part.minor for part in Money(minor).split(list(weights))]

    assert split(100, 1, 1, 1) == [34, 33, 33]
    assert split(101, 1, 1, 1) == [34, 34, 33]
    assert split(10, 1, 5, 3) == [1, 6, 3] and split(5, 2, 1) == [3, 2]
    assert split(-100, 1, 1, 1) == [-34, -33, -33]
    assert split(5, 0, 1) == [0, 5] and split(1, 1) == [1]
    for weights in ([], [0, 0], [2, -1]):
        with pytest.raises(ValueError, match="not negative and not all zero"):
            Money(1).split(weights)


@pytest.mark.parametrize(("minor", "zh", "en"), [
    (999999, "9,999.99 元", "CNY 9,999.99"),
    (1000000, "1 万元", "CNY 10,000.00"),
    (99999999, "100 万元", "CNY 999,999.99"),
    (100000000, "100 万元", "CNY 1 million"),
    (9999999999, "10,000 万元", "CNY 100 million"),
    (10000000000, "1 亿元", "CNY 100 million"),
    (99999999999, "10 亿元", "CNY 1,000 million"),
    (100000000000, "10 亿元", "CNY 1 billion"),
    (-123456789012, "-12.35 亿元", "CNY -1.23 billion"),
])  # fmt: skip
def test_the_unit_a_size_is_told_in(minor: int, zh: str, en: str) -> None:
    assert (Money(minor).short(), Money(minor).short("en")) == (zh, en)


def test_a_size_in_a_unit_of_ones_own() -> None:
    assert Money(12345678).short("en", unit="million") == "CNY 0.12 million"
    assert Money(12345678).short("en", unit="") == "CNY 123,456.78"
    assert Money(12345678).short(unit="元") == "123,456.78 元"
    assert Money(120000000).short(unit="万元", places=0) == "120 万元"

"""Sources of the law read well in both languages; nothing of the rulebook is left half translated."""

from __future__ import annotations

import re

import pytest

from trading.rulebook import REGIMES, change_days, select
from web.words.citations import citation


@pytest.mark.parametrize(
    ("short", "zh", "en"),
    [
        (
            "GPL art. 36(1); O87 art. 43",
            "政府采购法第36条第1项；财政部令第87号第43条",
            "Government Procurement Law art. 36(1); Finance Order 87 art. 43",
        ),
        ("GPReg art. 43", "政府采购法实施条例第43条", "Government Procurement Regulation art. 43"),
        ("O74 arts. 29, 45", "财政部令第74号第29、45条", "Finance Order 74 arts. 29, 45"),
        (
            "treated as termination, TReg art. 31",
            "比照终止办理；招标投标法实施条例第31条",
            "treated as termination, Tendering Regulation art. 31",
        ),
        (
            "GPL art. 27: set by the province",
            "政府采购法第27条；由省级规定",
            "Government Procurement Law art. 27: set by the province",
        ),
        ("Caiku [2020] 46 art. 9", "财库〔2020〕46号第9条", "Caiku [2020] 46 art. 9"),
    ],
)
def test_a_source_in_both_languages(short: str, zh: str, en: str) -> None:
    assert citation(short, "zh") == zh
    assert citation(short, "en") == en


def test_every_source_of_the_rulebook_is_chinese_on_a_chinese_page() -> None:
    sources = {rule.source for regime in REGIMES for day in change_days(regime) for rule in select(regime, day).rules}
    assert len(sources) > 30
    assert [s for s in sorted(sources) if re.search(r"[A-Za-z]", citation(s, "zh"))] == []

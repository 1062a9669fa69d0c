"""Identifiers: check characters against outside implementations, references without order, references of lots."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc as outside_uscc
from stdnum.iso7064 import mod_37_2 as outside_mod37

from tests.trading.vectors import agree, vectors
from trading.kernel import ids
from trading.kernel.errors import Invalid
from trading.kernel.exact import BadValue

PLATFORM = "12130205000000000E"
letters17 = st.text(ids.USCC_ALPHABET, min_size=17, max_size=17)


@pytest.mark.parametrize("vector", vectors("id"))
def test_vectors(vector: dict[str, Any]) -> None:
    assert agree(ids.METHODS[vector["method"]](vector.get("params") or {}, vector["inputs"]), vector["expected"])


@given(letters17)
def test_a_social_credit_code_proves_itself_and_one_wrong_letter_breaks_it(first17: str) -> None:
    code = first17 + ids.uscc_check(first17)
    assume(code[0] != "0" and len(set(code)) > 2)  # examples, nobody's: below
    assert ids.read_uscc(code) == code == ids.read_uscc(f" {code[:8].lower()} {code[8:]}\u3000")
    for place in range(18):
        other = ids.USCC_ALPHABET[(ids.USCC_ALPHABET.index(code[place]) + 7) % 31]
        with pytest.raises(Invalid, match=r"uscc\.check"):
            ids.read_uscc(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize("code", ["0" * 18, "012130205MA000001" + ids.uscc_check("012130205MA000001")])
def test_a_code_of_noughts_passes_its_check_and_is_nobodys(code: str) -> None:
    with pytest.raises(Invalid, match=r"uscc\.placeholder"):
        ids.read_uscc(code)


@given(
    st.sampled_from("159"),
    st.sampled_from("123"),
    st.from_regex(r"[1-6][0-9]{5}", fullmatch=True),
    st.text(ids.USCC_ALPHABET, min_size=9, max_size=9),
)
def test_the_check_agrees_with_an_outside_library(office: str, kind: str, district: str, body: str) -> None:
    first17 = office + kind + district + body
    assert outside_uscc.calc_check_digit(first17) == ids.uscc_check(first17)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "uscc.length"),
        ("91110000600037341", "uscc.length"),
        ("91110000600037341LL", "uscc.length"),
        ("9111000060003734IL", "uscc.letters"),
        ("91110000600037341O", "uscc.letters"),
        ("91110000600037341M", "uscc.check"),
    ],
)
def test_a_wrong_social_credit_code_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        ids.read_uscc(text)
    assert refusal.value.code == code


def test_a_code_in_full_width_is_read() -> None:
    assert ids.read_uscc("９１１１００００６０００３７３４１Ｌ") == "91110000600037341L"


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=60))
def test_mod_37_agrees_with_an_outside_library_at_every_length(text: str) -> None:
    check = ids.mod37_check(text)
    assert outside_mod37.calc_check_digit(text) == check and outside_mod37.is_valid(text + check)


@given(st.from_regex(r"[A-Z][0-9]{2}", fullmatch=True), st.dates(), st.integers(0, 999_999))
def test_a_transaction_code_reads_back(category: str, day: dt.date, sequence: int) -> None:
    code = ids.transaction_code(category, PLATFORM, day, sequence)
    assert ids.read_transaction_code(str(code)) == code and len(str(code).replace("-", "")) == 3 + 33


def test_faulty_parts_of_a_transaction_code_are_all_named() -> None:
    with pytest.raises(Invalid) as refusal:
        ids.read_transaction_code("AA1-12130205000000000E-20260231-1-R")
    assert [(fault.where, fault.code) for fault in refusal.value.faults] == [
        ("category", "utc.category"),
        ("date", "utc.date"),
        ("sequence", "utc.sequence"),
    ]
    with pytest.raises(Invalid, match=r"utc\.check"):
        ids.read_transaction_code(f"A01-{PLATFORM}-20180615-000001-S")
    with pytest.raises(Invalid, match=r"utc\.shape"):
        ids.read_transaction_code("A01")


@pytest.mark.parametrize(
    "change",
    [
        {"category": "a01"},
        {"category": "A1"},
        {"category": "Ａ01"},
        {"platform_code": PLATFORM[:-1]},
        {"platform_code": PLATFORM.lower()},
        {"date": "20260230"},
        {"date": "2026-3-2"},
        {"date": "00000101"},
        {"date": "２0260302"},
        {"date": 20260302},
        {"sequence": "12"},
        {"sequence": 123},
        {"sequence": None},
        {"category": "A01\n"},
    ],
)
def test_a_malformed_case_is_an_error(change: dict[str, Any]) -> None:
    case = {"category": "A02", "platform_code": PLATFORM, "date": "20260302", "sequence": "000123"} | change
    with pytest.raises(BadValue):
        ids.METHODS["id.unified_transaction_code"]({}, {"cases": [case]})
    assert ids.METHODS["id.unified_transaction_code"]({}, {"cases": []}) == {"check": [], "code": []}


@pytest.mark.parametrize(
    "first17", ["1213020500000000", "12130205000000000E", "1213020500000000I", "1213020500000000a", 1, None]
)
def test_a_malformed_first17_is_an_error(first17: object) -> None:
    with pytest.raises(BadValue):
        ids.METHODS["id.uscc"]({}, {"first17": first17})


def test_references_are_random_and_hold_128_bits() -> None:
    refs = [ids.new_reference() for _ in range(500)]
    assert len(set(refs)) == 500 and all(len(ref) == 26 for ref in refs)
    assert refs != sorted(refs)
    assert 5 * 26 >= 128 and {ref[0] for ref in refs} == set("01234567")  # 130 bits written, the first two are nought
    for place in range(1, 26):
        assert len({ref[place] for ref in refs}) > 25


@pytest.mark.parametrize("ref", ["7kq4m2xp" + "0" * 18])
def test_a_reference_survives_being_typed(ref: str) -> None:
    assert ids.short_reference(ref) == "7kq4-m2xp"
    assert ids.read_reference("7KQ4-M2XP OOOO oooo 0000 0000 00") == ref == ids.read_reference(ref)
    for bad in ("", "7kq4-m2xp", ref + "0", ref[:-1] + "u"):
        with pytest.raises(Invalid, match=r"ref\.malformed"):
            ids.read_reference(bad)


@given(st.sampled_from(["GP", "WORKS"]), st.integers(2018, 2099), st.integers(1, 999_999), st.integers(1, 999))
def test_a_lot_reference_reads_back(regime: str, year: int, number: int, lot: int) -> None:
    ref = ids.lot_ref(ids.project_ref(regime, year, number), lot)
    found = ids.read_lot_ref(f" {ref.lower()} ")
    assert (found.regime, found.year, found.number, found.lot, str(found)) == (regime, year, number, lot, ref)
    assert found.project == ids.project_ref(regime, year, number) and ref.startswith(found.project + "-")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GP-2026-0117",
        "XX-2026-0117-02",
        "GP-2026-117-02",
        "GP-2026-00117-02",
        "GP-2026-0117-2",
        "GP-2026-0000-01",
        "GP-2026-0117-00",
        "GP-2026-0117-002",
        "GP-0000-0117-01",
    ],
)
def test_what_is_no_lot_reference_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"lot\.ref_malformed"):
        ids.read_lot_ref(text)


def test_the_mockup_forms() -> None:
    assert ids.lot_ref(ids.project_ref("GP", 2026, 117), 2) == "GP-2026-0117-02"
    assert ids.lot_ref(ids.project_ref("WORKS", 2026, 71), 1) == "WK-2026-0071-01"
    with pytest.raises(Invalid, match=r"project\.ref_malformed"):
        ids.lot_ref("GP-2026-0117-02", 1)
    with pytest.raises(ValueError, match="regime"):
        ids.project_ref("gp", 2026, 1)

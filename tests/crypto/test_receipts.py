"""Receipts, omissions, claims and check words (protocol section 4)."""

import copy
from typing import Any

import pytest

from crypto import checkpoints, merkle, receipts
from crypto.canonical import dumps, loads
from crypto.errors import CryptoError
from tests.crypto.vectors import vec

CASE = vec("receipt")
LOG = checkpoints.parse_vkey(CASE["vkey_log"])
WITNESS = checkpoints.parse_vkey(CASE["vkey_witness"])
PLATFORM = [bytes.fromhex(vec("keys")["platform_sign"]["pk"])]


def test_good_receipts() -> None:
    before = receipts.verify_receipt(CASE["before"], PLATFORM, LOG)
    after = receipts.verify_receipt(CASE["after"], PLATFORM, LOG, [WITNESS])
    small = receipts.verify_receipt(CASE["after_small_log"], PLATFORM, LOG)
    flood = receipts.verify_receipt(CASE["refused_many"], PLATFORM, LOG)
    assert [r.state for r in (before, after, small, flood)] == ["submitted", "in_log", "in_log", "in_log"]
    assert before.c.hex() == after.c.hex() == CASE["commitment"]
    assert dumps(before.entry) == CASE["entry_jcs"].encode()
    assert after.proven and len(after.proven.checkpoint.cosigned) == 1 and after.proven.checkpoint.size == 7
    assert small.proven and small.proven.checkpoint.size == 3
    assert flood.entry["event"] == "bid-refused"
    tree = merkle.Tree(merkle.leaf_hash(leaf.encode()) for leaf in CASE["leaves"])
    receipts.check_extends(after.proven.checkpoint, small.proven.checkpoint, tree.consistency(3, 7))
    with pytest.raises(CryptoError) as refused:
        receipts.check_extends(small.proven.checkpoint, after.proven.checkpoint, tree.consistency(3, 7))
    assert refused.value.code == "TICK_PROOF"


@pytest.mark.parametrize("case", vec("bad_receipts"), ids=lambda c: c["id"])
def test_bad_receipts(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        receipts.verify_receipt(case["receipt"], PLATFORM, LOG)
    assert refused.value.code == case["expect"]


def test_a_proof_without_the_logs_key_proves_nothing() -> None:
    with pytest.raises(CryptoError) as refused:
        receipts.verify_receipt(CASE["after"], PLATFORM)
    assert refused.value.code == "TICK_PROOF"
    with pytest.raises(CryptoError) as refused:
        receipts.verify_receipt({**copy.deepcopy(CASE["before"]), "proof": None}, PLATFORM, LOG)
    assert refused.value.code == "TICK_PROOF"
    shapes: tuple[Any, ...] = ({}, [], {"proof": {}}, {"entry": {}, "x": 1})
    for shape in shapes:
        with pytest.raises(CryptoError):
            receipts.verify_receipt(shape, PLATFORM, LOG)


def test_fresh() -> None:
    entry = loads(CASE["entry_jcs"].encode())
    receipts.check_fresh(entry, "2026-03-01T00:32:05Z", entry["statement"])
    receipts.check_fresh(entry, "2026-03-01T00:28:05Z", entry["statement"])
    for now, statement in (
        ("2026-03-01T00:32:06Z", entry["statement"]),
        ("2026-03-01T00:28:04Z", entry["statement"]),
        ("2026-03-01T00:30:05Z", ""),
    ):
        with pytest.raises(CryptoError) as refused:
            receipts.check_fresh(entry, now, statement)
        assert refused.value.code == "CONTEXT_MISMATCH"


@pytest.mark.parametrize("case", vec("omission"), ids=lambda c: c["id"])
def test_omission(case: dict[str, Any]) -> None:
    args = (case["tick_by"], case["ticks"], case["sealed_at"])
    if case["expect"] == "LOG_OMISSION":
        with pytest.raises(CryptoError) as refused:
            receipts.omission_state(*args)
        assert refused.value.code == "LOG_OMISSION"
    else:
        assert receipts.omission_state(*args) == case["expect"]


@pytest.mark.parametrize("case", vec("claims"), ids=lambda c: f"{c['id']}-{c['opens_at'][11:16]}")
def test_claims(case: dict[str, Any]) -> None:
    assert receipts.claims_end(case["closing"], case["opens_at"]) == case["end"]
    assert (
        receipts.claim_counts(**{k: case[k] for k in ("closing", "opens_at", "proof_at", "filed_at", "anchored_at")})
        is case["counts"]
    )


@pytest.mark.parametrize("case", vec("check_words"), ids=lambda c: c["en"][0])
def test_check_words(case: dict[str, Any]) -> None:
    payload = case["payload_jcs"].encode()
    from crypto.canonical import H

    assert H("words", payload)[:6].hex() == case["first_48_bits"]
    assert receipts.check_words(payload, "zh") == case["zh"]
    assert receipts.check_words(loads(payload), "en") == case["en"]


# --- a number to say, and the forms a receipt is kept in ------------------------------------------------------------------

SIGNS = receipts.NUMBER_ALPHABET


def test_a_number_is_the_beginning_of_the_hash_and_no_look_alike_is_in_it() -> None:
    for c in (bytes(32), bytes(range(32)), bytes([255]) * 32, bytes.fromhex(CASE["commitment"])):
        number = receipts.number_of(c)
        assert len(number) == 10 and set(number) <= set(SIGNS) and not set(number) & set("0O1I")
        assert receipts.number_start(number) == c[:5]
    assert (
        receipts.number_of(bytes(32)) == "2222222222"
        and receipts.number_of(bytes(4) + b"\x01" + bytes(27)) == "2222222333"
    )


def test_one_or_two_wrong_signs_and_two_changed_about_are_always_noticed() -> None:
    number = receipts.number_of(bytes.fromhex(CASE["commitment"]))

    def stands(other: str) -> bool:
        try:
            receipts.number_start(other)
        except CryptoError as error:
            assert error.code == "JSON_PROFILE"
            return False
        return True

    def put(text: str, at: int, sign: str) -> str:
        return text[:at] + sign + text[at + 1 :]

    ones = [put(number, at, sign) for at in range(10) for sign in SIGNS if sign != number[at]]
    twos = [put(one, at, sign) for one in ones[::7] for at in range(10) for sign in SIGNS[::3]]
    swapped = [put(put(number, a, number[b]), b, number[a]) for a in range(10) for b in range(a)]
    assert not [one for one in {*ones, *twos, *swapped} - {number} if stands(one)]
    assert not [one for one in ("", number[:9], number + "2", number.lower(), "0" + number[1:]) if stands(one)]


def test_a_receipt_in_any_form_it_is_handed_out_in() -> None:
    bare, entry = CASE["after"], {"entry": CASE["before"]["entry"]}
    assert receipts.unwrap(bare) == receipts.Kept(bare)
    kept = receipts.unwrap({**bare, "statement": {"v": 1}, "trust": {"origin": "x"}, "log": [1]})
    assert kept == receipts.Kept(bare, {"v": 1}, {"origin": "x"}, [1])
    assert receipts.unwrap({"c": "x", "accepted": True, "receipt": entry}) == receipts.Kept(entry)
    assert receipts.unwrap({"document": {"v": 2}, "receipt": bare}) == receipts.Kept(bare, {"v": 2})
    assert (
        receipts.verify_receipt(receipts.unwrap({**CASE["refused_many"], "trust": {}}).receipt, PLATFORM, LOG).state
        == "in_log"
    )
    junk: Any
    for junk in (None, 5, [], [bare], {}, {"receipt": 5}, {"receipt": {}}, {"proof": bare["proof"]}):
        with pytest.raises(CryptoError) as refused:
            receipts.unwrap(junk)
        assert refused.value.code == "JSON_PROFILE"

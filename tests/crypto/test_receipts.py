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
    for now, statement in (("2026-03-01T00:32:06Z", entry["statement"]), ("2026-03-01T00:28:04Z", entry["statement"]),
                           ("2026-03-01T00:30:05Z", "")):
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
    assert receipts.claim_counts(**{k: case[k] for k in ("closing", "opens_at", "proof_at", "filed_at", "anchored_at")}) \
        is case["counts"]


@pytest.mark.parametrize("case", vec("check_words"), ids=lambda c: c["en"][0])
def test_check_words(case: dict[str, Any]) -> None:
    payload = case["payload_jcs"].encode()
    from crypto.canonical import H
    assert H("words", payload)[:6].hex() == case["first_48_bits"]
    assert receipts.check_words(payload, "zh") == case["zh"]
    assert receipts.check_words(loads(payload), "en") == case["en"]

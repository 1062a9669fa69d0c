"""Signed documents: DSSE vectors, good and bad, and several signers (protocol section 4)."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import signatures
from crypto.canonical import dumps, loads
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from tests.crypto.vectors import vec

BIDDER = bytes.fromhex(vec("keys")["bidder_sign"]["pk"])


def test_submission() -> None:
    case = vec("submission")
    statement = loads(case["statement_jcs"].encode())
    payload = case["statement_jcs"].encode()
    assert signatures.pae(signatures.payload_type("submission"), payload).hex() == case["pae"]
    assert signatures.document_hash(statement) == signatures.document_hash(payload)
    from crypto.canonical import unb64u

    assert unb64u(signatures.document_hash(statement)).hex() == case["statement_hash"]
    assert signatures.sign("submission", statement, bytes.fromhex(vec("keys")["bidder_sign"]["sk"])) == case["envelope"]
    assert signatures.verify(case["envelope"], "submission", BIDDER) == statement
    assert signatures.kind_of(case["envelope"]) == "submission"
    assert signatures.from_text(signatures.to_text(case["envelope"])) == case["envelope"]


@pytest.mark.parametrize("case", vec("good_envelopes"), ids=lambda c: c["id"])
def test_good_envelopes(case: dict[str, Any]) -> None:
    assert signatures.verify(case["envelope"], "submission", BIDDER)["v"] == 1


@pytest.mark.parametrize("case", vec("bad_envelopes"), ids=lambda c: c["id"])
def test_bad_envelopes(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        signatures.verify(case["envelope"], "submission", BIDDER)
    assert refused.value.code == case["expect"]


@pytest.mark.parametrize("case", vec("multi"), ids=lambda c: c["id"])
def test_several_signers(case: dict[str, Any]) -> None:
    publics = [bytes.fromhex(k) for k in case["keys"]]
    if case["expect"]:
        with pytest.raises(CryptoError) as refused:
            signatures.verify_all(case["envelope"], case["kind"], publics)
        assert refused.value.code == case["expect"]
    else:
        assert signatures.verify_all(case["envelope"], case["kind"], publics)["n"] == 5


@pytest.mark.parametrize("case", vec("commit_lists"), ids=lambda c: c["id"])
def test_commit_lists_are_signed_by_all(case: dict[str, Any]) -> None:
    publics = [bytes.fromhex(k) for k in case["keys"]]
    signatures.verify_all(case["envelope"], "commit-list", publics)
    with pytest.raises(CryptoError) as refused:
        signatures.verify_all(case["envelope"], "commit-list", publics[:-1])
    assert refused.value.code == "SIG"


def test_quorum_counts_each_officer_once() -> None:
    secrets = [bytes([i]) * 32 for i in range(1, 7)]
    publics = [ed25519_public(s) for s in secrets]
    document = {"v": 1}
    good = signatures.sign("opened", document, *secrets[:4])
    assert signatures.verify_quorum(good, "opened", publics[:1], publics[1:], 3) == document
    assert signatures.signers(good, publics) == publics[:4]
    twice = signatures.sign("opened", document, secrets[0], secrets[1], secrets[1], secrets[2])
    few = signatures.sign("opened", document, *secrets[:3])
    without_platform = signatures.sign("opened", document, *secrets[1:5])
    for envelope in (twice, few, without_platform):
        with pytest.raises(CryptoError) as refused:
            signatures.verify_quorum(envelope, "opened", publics[:1], publics[1:], 3)
        assert refused.value.code == "SIG"


def test_countersigning_adds_one_signature() -> None:
    a, b = b"\1" * 32, b"\2" * 32
    envelope = signatures.countersign(signatures.sign("draw-void", {"v": 1}, a), b)
    assert signatures.verify_all(envelope, "draw-void", [ed25519_public(b), ed25519_public(a)]) == {"v": 1}
    assert signatures.verify_any(
        signatures.sign("draw", {"v": 1}, b), "draw", [ed25519_public(a), ed25519_public(b)]
    ) == ({"v": 1}, ed25519_public(b))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"payload":"","payload":"","payloadType":"x","signatures":[]}', "nul"]
)
def test_text_that_is_no_envelope(text: str) -> None:
    with pytest.raises(CryptoError) as refused:
        signatures.from_text(text)
    assert refused.value.code == "SIG"


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_any_flipped_bit_of_the_payload_is_a_bad_signature(where: int, bit: int) -> None:
    import base64

    envelope = copy.deepcopy(vec("submission")["envelope"])
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[where % len(payload)] ^= 1 << bit
    envelope["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(CryptoError) as refused:
        signatures.verify(envelope, "submission", BIDDER)
    assert refused.value.code == "SIG"


def test_payload_must_be_an_object() -> None:
    envelope = signatures.sign("submission", [1], b"\1" * 32)
    with pytest.raises(CryptoError) as refused:
        signatures.verify(envelope, "submission", ed25519_public(b"\1" * 32))
    assert refused.value.code == "JSON_PROFILE"
    assert dumps({"v": 1}) == signatures.payload_of(signatures.sign("x", {"v": 1}, b"\1" * 32))

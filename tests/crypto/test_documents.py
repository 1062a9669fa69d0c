"""Kinds of documents, policies, enrolments: vectors, and every field broken once (protocol sections 2 and 4)."""

import copy
import json
from typing import Any

import pytest

from crypto import documents, policies, signatures
from crypto.canonical import b64u, dumps, loads, unb64u
from crypto.errors import CryptoError
from crypto.headers import parse_header
from crypto.keys import ed25519_public
from tests.crypto.vectors import vec

DOCUMENTS = vec("documents")
POLICY = json.loads(vec("policies")[0]["policy_jcs"])


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_kind(kind: str) -> None:
    case = DOCUMENTS[kind]
    document = loads(case["payload_jcs"].encode())
    documents.check_document(kind, document)
    assert sorted(documents.KINDS[kind].keys) == case["keys"] == sorted(document)
    assert documents.KINDS[kind].signed_by == case["signed_by"]
    assert signatures.payload_type(kind) == case["payload_type"]
    assert signatures.document_hash(document) == case["hash"]
    envelope = documents.sign_document(kind, document, b"\1" * 32)
    assert documents.open_document(envelope, kind, ed25519_public(b"\1" * 32)) == document
    if "set" in case:
        from crypto.opening import set_id

        assert set_id(document) == case["set"]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_key_is_needed_and_no_other_is_taken(kind: str) -> None:
    document = loads(DOCUMENTS[kind]["payload_jcs"].encode())
    broken = [{**document, "another": ""}, [document], {**document, "v": 2}, {**document, "v": True}]
    broken += [{k: v for k, v in document.items() if k != key} for key in document]
    broken += [
        {**document, key: value}
        for key in document
        if key != "v"
        for value in (3.5, [None], {"a": 1.5}, -1)
        if not (kind == "act" and key == "facts")
    ]
    for case in broken:
        with pytest.raises(CryptoError) as refused:
            documents.check_document(kind, case)
            dumps(case)
        assert refused.value.code == "JSON_PROFILE"


def test_the_kinds_of_the_vectors_and_the_ticket_are_all_there_are() -> None:
    assert set(documents.KINDS) == {*DOCUMENTS, "ticket", "approval"}, "an approval is of money, not of the sealed bid"


APPROVED: dict[str, dict[str, Any]] = {
    "batch": {"digest": "0" * 64, "value_on": "2026-03-02"},
    "forfeit": {
        "amount": 1,
        "ground": "D-41",
        "proposal": b64u(bytes(32)),
        "receipts": ["a"],
        "to": "forfeited_treasury",
    },
    "payee": {"payee": b64u(bytes(32)), "proof": "0" * 64},
}


@pytest.mark.parametrize("what", APPROVED)
def test_an_approval_has_the_facts_of_what_it_approves(what: str) -> None:
    document = {
        "v": 1,
        "at": "2026-03-02T01:00:00Z",
        "platform": "test",
        "log": "test/log",
        "approver": "controller",
        "person": "account:7",
        "what": what,
        "of": "batch/TF-20260302-7KQ4",
        "prepared": b64u(bytes(32)),
        "facts": APPROVED[what],
    }
    envelope = documents.sign_document("approval", document, b"\1" * 32)
    assert documents.open_document(envelope, "approval", ed25519_public(b"\1" * 32)) == document
    broken = [{**document, "more": ""}, {**document, "what": "order"}, {**document, "prepared": ""}]
    broken += [{k: v for k, v in document.items() if k != key} for key in document]
    broken += [{**document, "facts": facts} for other, facts in APPROVED.items() if other != what]
    broken += [
        {**document, "facts": {**APPROVED[what], key: value}} for key in APPROVED[what] for value in (None, "", [1], -1)
    ]
    for case in broken:
        with pytest.raises(CryptoError) as refused:
            documents.check_document("approval", case)
        assert refused.value.code == "JSON_PROFILE"


def test_ticket() -> None:
    ticket = {
        "v": 1,
        "platform": "p",
        "tender": "t",
        "lot": "1",
        "envelope": "price",
        "title": "一标段",
        "policy": "{}",
        "form": [{"key": "price", "label": "报价", "type": "money", "required": True}],
        "trust": {
            "origin": "p/log",
            "log_key": "vkey",
            "platform_keys": [b64u(bytes(32))],
            "supervisor_keys": [],
            "witnesses": [],
            "quorum": 0,
        },
    }
    documents.check_document("ticket", ticket)
    with pytest.raises(CryptoError):
        documents.check_document("ticket", {**ticket, "form": [{"key": "price"}]})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "opening-set", "bids": "reversed"},
        {"kind": "entry-list", "entries": "reversed"},
        {"kind": "refusal-list", "entries": "reversed"},
        {"kind": "entry-list", "entries": "twice"},
        {"kind": "refusal-list", "entries": "many"},
    ],
)
def test_lists_are_sorted_and_bounded(change: dict[str, Any]) -> None:
    kind = change.pop("kind")
    ((key, how),) = change.items()
    document = loads(DOCUMENTS[kind]["payload_jcs"].encode())
    rows = document[key]
    document[key] = {
        "reversed": rows[::-1],
        "twice": [rows[0], *rows],
        "many": [b64u(i.to_bytes(32, "big")) for i in range(1001)],
    }[how]
    with pytest.raises(CryptoError) as refused:
        documents.check_document(kind, document)
    assert refused.value.code == "JSON_PROFILE"


def test_policies() -> None:
    for case in vec("policies"):
        policy = loads(case["policy_jcs"].encode())
        policies.check_policy(policy)
        assert policies.policy_id(policy) == case["policy_id"]


def sides(*names: str) -> list[dict]:
    return [{**o, "side": s} for o, s in zip(POLICY["officers"], names, strict=True)]


BAD_POLICIES = [
    {"t": 1},
    {"t": 6},
    {"n": 4},
    {"t": True},
    {"window": 0},
    {"window": 1441},
    {"mirror": "all"},
    {"v": 2},
    {"deadline": "2026-03-01T01:30:01Z"},
    {"opens_at": "2026-03-01T01:29:00Z"},
    {"max_plen": 2**40 + 1},
    {"serial": -1},
    {"supersedes": "x"},
    {"rescue": 1},
    {"lot": ""},
    {"tender": "x" * 129},
    {"officers": POLICY["officers"][:4]},
    {"officers": sides("platform", "platform", "platform", "tenderee", "supervisor")},
    {"officers": sides("platform", "tenderee", "tenderee", "tenderee", "supervisor")},
    {"t": 4},  # 2 of one side: n - count = 3 < 4, that side could block alone
    {"officers": [*POLICY["officers"][:4], POLICY["officers"][0]]},
    {"officers": [*POLICY["officers"][:4], {**POLICY["officers"][4], "pk": b64u(bytes(32))}]},
    {"officers": [*POLICY["officers"][:4], {**POLICY["officers"][4], "side": "bidder"}]},
    {"officers": [*POLICY["officers"][:4], {**POLICY["officers"][4], "more": ""}]},
]


@pytest.mark.parametrize("change", BAD_POLICIES, ids=lambda c: "-".join(c))
def test_bad_policies(change: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        policies.check_policy({**POLICY, **change})
    assert refused.value.code == "JSON_PROFILE"


def test_unknown_suite() -> None:
    with pytest.raises(CryptoError) as refused:
        policies.check_policy({**POLICY, "suite": "sb1-sm2-sm3-sm4gcm"})
    assert refused.value.code == "SUITE_UNKNOWN"


def test_an_extension_keeps_bids_and_any_other_change_does_not() -> None:
    first = policies.policy_id(POLICY)
    later = {**POLICY, "supersedes": first, "deadline": "2026-03-02T01:30:00Z", "opens_at": "2026-03-02T01:30:00Z"}
    assert policies.policy_chain([POLICY, later]) == [first, policies.policy_id(later)]
    for change in (
        {"t": 2},
        {"window": POLICY["window"] + 1},
        {"deadline": "2026-02-01T01:30:00Z"},
        {"max_plen": POLICY["max_plen"] - 1},
        {"supersedes": ""},
        {"serial": 9},
    ):
        other = {**later, **change}
        assert policies.policy_chain([POLICY, other]) == [policies.policy_id(other)], change


def test_context_of_a_header() -> None:
    case = vec("sealed")[0]
    header = parse_header(case["header_jcs"].encode())
    policies.check_context(header, [POLICY], bidder=case["ctx"]["bidder"])
    wrong = [
        ({**POLICY, "lot": "2"}, {}),
        ({**POLICY, "t": 2}, {}),
        ({**POLICY, "window": 7}, {}),
        (POLICY, {"bidder": "other"}),
    ]
    for policy, args in wrong:
        with pytest.raises(CryptoError) as refused:
            policies.check_context(header, [policy], **{"bidder": case["ctx"]["bidder"], **args})
        assert refused.value.code == "CONTEXT_MISMATCH"
    smaller = {**POLICY, "supersedes": policies.policy_id(POLICY), "max_plen": POLICY["max_plen"]}
    policies.check_context(header, [POLICY, smaller], bidder=case["ctx"]["bidder"])
    # the size is asked for last: a policy whose only fault is its bound cannot be in the chain, so bend the header
    big = copy.copy(header)
    object.__setattr__(big, "ctx", {**header.ctx, "plen": 2 * POLICY["max_plen"]})
    with pytest.raises(CryptoError) as refused:
        policies.check_context(big, [POLICY], bidder=case["ctx"]["bidder"])
    assert refused.value.code == "TOO_LARGE"
    joint = vec("sealed")[2]
    policy = json.loads(next(p for p in vec("policies") if p["policy_id"] == joint["ctx"]["policy"])["policy_jcs"])
    header = parse_header(joint["header_jcs"].encode())
    policies.check_context(
        header, [policy], bidder=joint["ctx"]["bidder"], bidder_key=unb64u(joint["ctx"]["bidder_key"])
    )
    with pytest.raises(CryptoError):
        policies.check_context(header, [policy], bidder=joint["ctx"]["bidder"], bidder_key=bytes(32))


@pytest.mark.parametrize("case", vec("enrolments"), ids=lambda c: c["id"])
def test_enrolments(case: dict[str, Any]) -> None:
    supervisor = bytes.fromhex(vec("keys")["supervisor_sign"]["pk"])
    args = (case["envelope"], bytes.fromhex(case["current"]), [supervisor])
    if case["expect"].isupper():
        with pytest.raises(CryptoError) as refused:
            documents.open_enrolment(*args)
        assert refused.value.code == case["expect"]
    else:
        assert documents.open_enrolment(*args)[1] == case["expect"]


def test_a_policy_is_signed_by_all_its_officers() -> None:
    case = next(c for c in vec("multi") if c["id"] == "policy-all")
    from crypto.keys import kid

    platform, *officers = [bytes.fromhex(k) for k in case["keys"]]
    enrolled = {kid("ed25519", k): k for k in officers}
    assert documents.open_policy(case["envelope"], platform, enrolled) == POLICY
    enrolled.popitem()
    with pytest.raises(CryptoError) as refused:
        documents.open_policy(case["envelope"], platform, enrolled)
    assert refused.value.code == "SIG"

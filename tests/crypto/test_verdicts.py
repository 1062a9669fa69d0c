"""Verdicts: who is at fault, in which order; rescue and arbiter; submissions at the counter (protocol section 5)."""

import io
from typing import Any

import pytest

from crypto import headers, opening, sealed_bid, submissions, verdicts
from crypto.canonical import b64u, dumps, loads
from crypto.documents import open_opened, sign_document
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from tests.crypto import ceremony
from tests.crypto.ceremony import OFFICERS, PLATFORM, SIDES, bidder_secret, signing_keys
from tests.crypto.test_sealed_bid import JOINT, JOINT_MADE, SMALL, SMALL_MADE, rebuilt
from tests.crypto.vectors import vec

PARTS = headers.make_parts(SMALL_MADE.seed, SMALL_MADE.header.ctx)
COMPLAINTS = {4: "SHARE_OPEN", 5: "SHARE_COMMIT"}


def verdict(data: bytes = SMALL, made: sealed_bid.Sealed = SMALL_MADE, **kwargs: object) -> verdicts.Verdict:
    args = {"sealed_root": made.sealed_root, "parts": PARTS, "sides": SIDES, **kwargs}
    return verdicts.open_bid(io.BytesIO(data), made.header, **args)  # type: ignore[arg-type]


def test_opened() -> None:
    found = verdict()
    assert (found.code, found.cause, found.seed) == ("opened", "", SMALL_MADE.seed)
    item = found.to_json(file_names=True)
    assert item["announce"] == {"price": "1.00"} and [f["name"] for f in item["files"]] == ["a"]
    assert found.to_json(file_names=False)["files"][0]["name"] == ""
    document = verdicts.make_opened([found], set_=b64u(bytes(32)), at="2026-03-01T02:05:00Z", file_names=False)
    secrets = [PLATFORM, *(s for s, _ in OFFICERS[:3])]
    envelope = sign_document("opened", document, *secrets)
    assert open_opened(envelope, ed25519_public(PLATFORM), [ed25519_public(s) for s, _ in OFFICERS], 3) == document
    verdicts.check_opened_item(item, found.opened.header, found.seed)  # type: ignore[union-attr]
    with pytest.raises(CryptoError) as refused:
        verdicts.check_opened_item(item, SMALL_MADE.header, bytes(32))
    assert refused.value.code == "REDERIVE"
    with pytest.raises(CryptoError) as refused:
        verdicts.check_opened_item({**item, "verdict": "REDERIVE"}, SMALL_MADE.header, SMALL_MADE.seed)
    assert refused.value.code == "FALSE_COMPLAINT"
    verdicts.check_opened_item({**item, "verdict": "REDERIVE"}, SMALL_MADE.header, bytes(32))


def only(*js: int) -> dict[int, bytes]:
    return {j: PARTS[j] for j in js}


@pytest.mark.parametrize(
    ("kwargs", "code", "cause"),
    [
        ({"data": SMALL[:-1] + bytes([SMALL[-1] ^ 1])}, "SEALED_ROOT", "platform"),
        ({"data": SMALL[:-1]}, "SEALED_ROOT", "platform"),
        ({"data": b"BIDSEAL2" + SMALL[8:]}, "SEALED_ROOT", "platform"),
        ({"data": SMALL[:-1], "parts": {}}, "SEALED_ROOT", "platform"),
        ({"parts": only(1, 2)}, "TOO_FEW_SHARES", "unknown"),
        ({"parts": only(2, 3, 5), "data": SMALL}, "opened", ""),
        (
            {"parts": only(2, 5), "sides": ("platform", "tenderee", "platform", "platform", "tenderee")},
            "TOO_FEW_SHARES",
            "platform",
        ),
        (
            {"parts": only(1, 4), "sides": ("platform", "tenderee", "tenderee", "platform", "tenderee")},
            "TOO_FEW_SHARES",
            "tenderee",
        ),
        ({"parts": {}}, "TOO_FEW_SHARES", "unknown"),
        ({"parts": only(1, 2), "complaints": COMPLAINTS}, "UNRESOLVED", "unknown"),
        ({"parts": {**only(1, 2), 3: bytes(32)}}, "SHARE_COMMIT", "unknown"),
        ({"parts": {**only(1, 3), 2: bytes(32)}}, "SHARE_COMMIT", "tenderee"),
        ({"parts": {**only(1, 3, 4), 2: bytes(32)}}, "opened", ""),
    ],
    ids=range(13),
)
def test_faults_in_order(kwargs: dict[str, Any], code: str, cause: str) -> None:
    found = verdict(**kwargs)
    assert (found.code, found.cause) == (code, cause)
    if code != "opened":
        assert found.to_json(True)["announce"] == {} and not found.to_json(True)["files"] and not found.seed


def test_the_bidders_own_part() -> None:
    parts = headers.make_parts(JOINT_MADE.seed, JOINT_MADE.header.ctx)
    officers = {j: p for j, p in parts.items() if j}
    for given, outage, code, cause in (
        (officers, False, "BIDDER_PART_MISSING", "bidder"),
        (officers, True, "BIDDER_PART_MISSING", "platform"),
        ({0: bytes(32), 1: bytes(32)}, False, "SHARE_COMMIT", "bidder"),
        ({}, False, "BIDDER_PART_MISSING", "bidder"),
        (parts, False, "opened", ""),
        ({0: parts[0]}, False, "TOO_FEW_SHARES", "unknown"),
    ):
        found = verdict(JOINT, JOINT_MADE, parts=given, outage=outage)
        assert (found.code, found.cause) == (code, cause)


@pytest.mark.parametrize(
    "case",
    [c for c in vec("bad") if c["expect"] in ("REDERIVE", "CHUNK_AUTH", "MANIFEST", "PADDING")],
    ids=lambda c: c["id"],
)
def test_a_bid_that_was_bad_when_it_was_signed_is_its_bidders_fault(case: dict[str, Any]) -> None:
    data = rebuilt(case)
    seen = sealed_bid.inspect(io.BytesIO(data))
    parts = {int(j): bytes.fromhex(p) for j, p in case["shares"].items()}
    found = verdicts.open_bid(
        io.BytesIO(data),
        seen.header,
        sealed_root=seen.sealed_root,
        parts=parts,
        sides=SIDES,
        complaints={5: "SHARE_OPEN"},
    )
    assert (found.code, found.cause) == (case["expect"], case["fault_if_root_is_the_signed_one"])
    assert found.false_complaints == (() if case["expect"] == "REDERIVE" else (5,))


def test_false_complaints_are_seen_once_the_seed_is_known() -> None:
    assert verdict(parts=only(1, 2, 3), complaints=COMPLAINTS).false_complaints == (4, 5)


def test_rescue() -> None:
    header = SMALL_MADE.header
    verdicts.check_rescue("TOO_FEW_SHARES", header, SMALL_MADE.seed)
    verdicts.check_rescue("UNRESOLVED", header, SMALL_MADE.seed)
    found = verdicts.open_with_seed(io.BytesIO(SMALL), header, SMALL_MADE.seed, sealed_root=SMALL_MADE.sealed_root)
    assert found.code == "opened"
    for code, seed, expect in (
        ("REDERIVE", SMALL_MADE.seed, "CONTEXT_MISMATCH"),
        ("TOO_FEW_SHARES", bytes(32), "REDERIVE"),
    ):
        with pytest.raises(CryptoError) as refused:
            verdicts.check_rescue(code, header, seed)
        assert refused.value.code == expect


def test_arbiter() -> None:
    sk = {o["index"]: bytes.fromhex(o["sk"]) for o in vec("keys")["officers"]}
    assert verdicts.judge_box(SMALL_MADE.header, 4, sk[4]) == ("FALSE_COMPLAINT", PARTS[4])
    with pytest.raises(CryptoError) as refused:
        verdicts.judge_box(SMALL_MADE.header, 4, sk[5])
    assert refused.value.code == "CONTEXT_MISMATCH"
    for name, code in (("garbage-box-5", "SHARE_OPEN"), ("wrong-share-in-box-5", "SHARE_COMMIT")):
        data = rebuilt(next(c for c in vec("bad") if c["id"] == name))
        assert verdicts.judge_box(sealed_bid.inspect(io.BytesIO(data)).header, 5, sk[5]) == (code, b"")


def test_a_whole_ceremony() -> None:
    hall, package = ceremony.played()
    shares = []
    for j, (sign, seal) in enumerate(OFFICERS[:3], 1):
        checked = ceremony.check(package)
        found = opening.take_headers(checked, [hall.made[b["header_hash"]].header.raw for b in checked.bids])

        def secrets(_policy: object, seal: bytes = seal) -> bytes:
            return seal

        document = opening.release_shares(checked, found, j=j, secrets=secrets, now="2026-03-01T01:40:00Z")
        shares.append(opening.open_shares(sign_document("shares", document, sign), ed25519_public(sign)))
    prices = {}
    for bid in checked.bids:
        name = bid["header_hash"]
        parts = {
            s["j"]: opening.check_posted_shares(s, found, checked.set, checked.generations)[name][0] for s in shares
        }
        files: dict[str, io.BytesIO] = {}

        def sink(item: dict[str, Any], files: dict[str, io.BytesIO] = files) -> io.BytesIO:
            return files.setdefault(item["name"], io.BytesIO())

        root = checked.statements[bid["statement"]]["sealed_root"]
        from crypto.canonical import unb64u

        made = verdicts.open_bid(
            io.BytesIO(hall.files[name]), found[name], sealed_root=unb64u(root), parts=parts, sides=SIDES, sink=sink
        )
        prices[checked.statements[bid["statement"]]["bidder"]] = made.opened.announce["price"]  # type: ignore[union-attr]
        assert files["offer.txt"].getvalue() == b"offer"
    assert prices == {"A": "1.50", "B": "2.00"}


# the counter

STATEMENT = submissions.make_submission(SMALL_MADE, sealed_at="2026-03-01T00:30:00Z", tool="test/1")
POLICY = loads(vec("policies")[0]["policy_jcs"].encode())
SEEN = sealed_bid.inspect(io.BytesIO(SMALL))


def hand_in(statement: dict = STATEMENT, kind: str = "submission", signer: str = "B", **kwargs: object) -> dict:
    from crypto.signatures import sign

    args = {"bidder": "B", "signing_keys": signing_keys("B"), **kwargs}
    return submissions.check_submission(sign(kind, statement, bidder_secret(signer)), SEEN, [POLICY], **args)  # type: ignore[arg-type]


def test_a_good_submission() -> None:
    assert hand_in() == STATEMENT
    other = b64u(b"\1" * 32)
    assert hand_in({**STATEMENT, "replaces": other}, current=other)["replaces"] == other


@pytest.mark.parametrize(
    ("kwargs", "code"),
    [
        ({"bidder": "C"}, "CONTEXT_MISMATCH"),
        ({"signer": "C"}, "SIG"),
        ({"kind": "sheet"}, "SIG_TYPE"),
        ({"statement": {**STATEMENT, "more": ""}}, "JSON_PROFILE"),
        ({"current": b64u(bytes(32))}, "CONTEXT_MISMATCH"),
        ({"statement": {**STATEMENT, "replaces": b64u(bytes(32))}}, "CONTEXT_MISMATCH"),
        ({"statement": {**STATEMENT, "sealed_root": b64u(bytes(32))}}, "SEALED_ROOT"),
        ({"statement": {**STATEMENT, "sealed_size": 1}}, "CONTEXT_MISMATCH"),
        ({"statement": {**STATEMENT, "header_hash": b64u(bytes(32))}}, "CONTEXT_MISMATCH"),
        ({"statement": {**STATEMENT, "lot": "2"}}, "CONTEXT_MISMATCH"),
    ],
    ids=range(10),
)
def test_bad_submissions(kwargs: dict[str, Any], code: str) -> None:
    with pytest.raises(CryptoError) as refused:
        hand_in(**kwargs)
    assert refused.value.code == code


def test_withdrawals() -> None:
    withdrawal = submissions.make_withdrawal(STATEMENT, at="2026-03-01T00:40:00Z")
    current = withdrawal["statement"]

    def check(document: dict = withdrawal, signer: str = "B", current: str = current, bidder: str = "B") -> dict:
        return submissions.check_withdrawal(
            sign_document("withdrawal", document, bidder_secret(signer)),
            [POLICY],
            bidder=bidder,
            signing_keys=signing_keys("B"),
            current=current,
        )

    assert check() == withdrawal and dumps(withdrawal)
    for args, code in (
        ({"signer": "A"}, "SIG"),
        ({"current": ""}, "CONTEXT_MISMATCH"),
        ({"bidder": "A"}, "CONTEXT_MISMATCH"),
        ({"document": {**withdrawal, "lot": "2"}}, "CONTEXT_MISMATCH"),
        ({"current": b64u(bytes(32))}, "CONTEXT_MISMATCH"),
    ):
        with pytest.raises(CryptoError) as refused:
            check(**args)
        assert refused.value.code == code


def test_the_exact_second_is_late() -> None:
    submissions.check_in_time("2026-03-01T01:29:59Z", "2026-03-01T01:30:00Z")
    for at in ("2026-03-01T01:30:00Z", "2026-03-01T01:30:01Z"):
        with pytest.raises(CryptoError) as refused:
            submissions.check_in_time(at, "2026-03-01T01:30:00Z")
        assert refused.value.code == "LATE"

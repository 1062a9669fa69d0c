"""Draws and score commitments (protocol section 6)."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import draws
from crypto.canonical import b64u, dumps, loads, unb64u
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.headers import make_parts, parse_header
from tests.crypto.vectors import vec

DRAWS = {case["id"]: case for case in vec("draws")}


@pytest.mark.parametrize("name", DRAWS)
def test_draws(name: str) -> None:
    case = DRAWS[name]
    pool = draws.pool_hash(bytes.fromhex(case["pool_salt"]), case["pool"])
    assert pool.hex() == case["pool_hash"] and b64u(pool) == case["notice"]["pool"]
    turns, values = [], []
    for party in case["parties"]:
        header = draws.check_escrow(
            party["escrow_jcs"].encode(), draw=case["draw"], party=party["party"], policy=case["policy"]
        )
        assert header.header_hash.hex() == party["header_hash"] and header.ctx == party["ctx"]
        turn = draws.Turn(party["party"], bytes.fromhex(party["commit"]), header, bytes.fromhex(party["reveal"]))
        value = draws.counted(header, turn.commit, draw=case["draw"], party=turn.party, r=turn.r)
        assert (value[0].hex(), value[1]) == (party["counts_as"], party["fault"])
        if not party["fault"]:
            assert draws.draw_commit(case["draw"], turn.party, turn.r) == turn.commit
            parts = dict(list(make_parts(turn.r, header.ctx).items())[:3])
            assert (
                draws.counted_from_escrow(header, turn.commit, draw=case["draw"], party=turn.party, parts=parts)
                == value
            )
        turns.append(turn)
        values.append(value[0])
    root = bytes.fromhex(case["log_root"])
    seed = draws.draw_seed(
        beacon=case["beacon"],
        commits=[t.commit for t in turns],
        draw=case["draw"],
        pool=pool,
        reveals=values,
        root=root,
    )
    assert seed.hex() == case["seed"]
    assert draws.picks(seed, case["label"], len(case["pool"]), case["take"]) == case["picks"]
    if case["label"] == "experts":
        assert draws.order_of(seed, len(case["pool"])) == case["permutation"]
    assert [case["pool"][i] for i in case["picks"]] == case["picked"]
    for kind, document in (("draw-notice", "notice"), ("commit-list", "commit_list"), ("draw", "result")):
        check_document(kind, case[document])
    assert case["commit_list"]["entries"] == [b64u(bytes.fromhex(p["entry"])) for p in case["parties"]]
    made = draws.result(case["notice"], turns, root=root, at=case["result"]["at"], beacon=case["beacon"])
    assert made == case["result"]
    for asked, beacon in ((turns[::-1], case["beacon"]), (turns, "" if case["beacon"] else "1")):
        with pytest.raises(CryptoError) as refused:
            draws.result(case["notice"], asked, root=root, at="", beacon=beacon)
        assert refused.value.code == "CONTEXT_MISMATCH"


@pytest.mark.parametrize("case", vec("bad_escrows"), ids=lambda c: c["id"])
def test_bad_escrows(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        draws.check_escrow(case["header"].encode(), draw=case["draw"], party=case["party"], policy=case["policy"])
    assert refused.value.code == case["expect"]


def test_below() -> None:
    case = vec("below")
    stream = draws.Stream(bytes.fromhex(case["seed"]), case["label"])
    assert [stream.below(case["m"]) for _ in case["first_8"]] == case["first_8"]
    assert stream.counter > 8, "numbers beyond the limit were drawn again"


def test_silence_counts_as_zeros_and_is_a_fault() -> None:
    case = DRAWS["coefficient/1"]
    party = case["parties"][1]
    header = parse_header(party["escrow_jcs"].encode())
    for r in (b"", bytes(31), bytes(32), bytes(33)):
        assert draws.counted(header, bytes.fromhex(party["commit"]), draw=case["draw"], party=party["party"], r=r) == (
            bytes(32),
            "DRAW_ESCROW",
        )


def test_an_escrow_is_made_for_its_draw() -> None:
    import json

    policy = {**json.loads(vec("policies")[0]["policy_jcs"]), "envelope": "draw:experts/1"}
    raw = draws.make_escrow(policy, draw="KP-2026-0031/experts/1", party="tenderee", r=b"\3" * 32)
    from crypto.policies import policy_id

    header = draws.check_escrow(raw, draw="KP-2026-0031/experts/1", party="tenderee", policy=policy_id(policy))
    commit = draws.draw_commit("KP-2026-0031/experts/1", "tenderee", b"\3" * 32)
    assert draws.counted(header, commit, draw="KP-2026-0031/experts/1", party="tenderee", r=b"\3" * 32) == (
        b"\3" * 32,
        "",
    )
    with pytest.raises(CryptoError):
        draws.make_escrow(policy, draw="KP-2026-0031/experts/2", party="tenderee", r=b"\3" * 32)


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 60))
def test_a_permutation_holds_everybody_once(seed: bytes, n: int) -> None:
    assert sorted(draws.Stream(seed, "x").permutation(n)) == list(range(n))


def test_every_place_is_equally_likely() -> None:
    found = Counter(draws.picks(i.to_bytes(32, "big"), "k", 5, 1)[0] for i in range(5000))
    assert all(850 < found[i] < 1150 for i in range(5)), found


def test_pools_are_sorted_by_bytes_and_hold_no_name_twice() -> None:
    assert draws.sorted_pool(["é", "z", "a", "专"]) == ["a", "z", "é", "专"]
    for pool in (["b", "a"], ["a", "a"]):
        with pytest.raises(CryptoError):
            draws.pool_hash(bytes(32), pool)
    for wrong in (("experts", 3, 4), ("experts", 3, 0), ("k", 3, 2), ("other", 3, 1)):
        with pytest.raises(CryptoError):
            draws.picks(bytes(32), *wrong)


def test_score_commit() -> None:
    case = vec("score_commit")
    sheet, salt = loads(case["sheet_jcs"].encode()), bytes.fromhex(case["salt"])
    assert draws.score_commit(salt, sheet).hex() == case["commit"]
    draws.check_sheet(sheet, salt, bytes.fromhex(case["commit"]))
    for other, s in (({**sheet, "expert": "E008"}, salt), (sheet, bytes(32)), (sheet, b"")):
        with pytest.raises(CryptoError):
            draws.check_sheet(other, s, bytes.fromhex(case["commit"]))
    assert unb64u(b64u(salt)) == salt and dumps(sheet) == case["sheet_jcs"].encode()

"""Entries, the schedule, tick trees and their proofs: vectors, laws and tampering (protocol section 4)."""

import copy
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import checkpoints, merkle, ticks
from crypto.canonical import b64u, dumps, loads, unb64u
from crypto.errors import CryptoError
from crypto.keys import ed25519_public
from tests.crypto.vectors import vec

RECEIPT = vec("receipt")
LOG = checkpoints.parse_vkey(RECEIPT["vkey_log"])
PLATFORM = bytes.fromhex(vec("keys")["platform_sign"]["pk"])


@pytest.mark.parametrize("entry", vec("good_entries"), ids=lambda e: f"{e['event']}-{e['reason']}")
def test_good_entries(entry: dict[str, Any]) -> None:
    ticks.check_entry(entry)
    envelope = ticks.sign_entry(entry, b"\1" * 32)
    assert ticks.open_entry(envelope, [ed25519_public(b"\1" * 32)]) == (entry, ticks.commitment(entry))


@pytest.mark.parametrize("case", vec("bad_entries"), ids=lambda c: c["id"])
def test_bad_entries(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        ticks.check_entry(case["entry"])
    assert refused.value.code == case["expect"]


def test_a_fresh_entry_is_never_the_same() -> None:
    made = [ticks.make_entry(at="2026-03-01T00:30:05Z", event="act", statement="") for _ in range(2)]
    assert made[0]["id"] != made[1]["id"] and made[0]["salt"] != made[1]["salt"]
    assert ticks.commitment(made[0]) != ticks.commitment(made[1])
    with pytest.raises(CryptoError):
        ticks.make_entry(at="2026-03-01T00:30:05Z", event="bid-refused", reason="NO_REASON")


def test_commitment_of_the_receipt() -> None:
    payload = RECEIPT["entry_jcs"].encode()
    assert ticks.commitment(payload).hex() == ticks.commitment(loads(payload)).hex() == RECEIPT["commitment"]


def test_schedule() -> None:
    case = vec("schedule")
    policies = [ticks.Busy(**p) for p in case["policies"]]
    assert ticks.schedule(case["from"], case["to"], policies) == case["moments"]
    assert ticks.due(case["from"], case["to"], policies) == (
        len(case["moments"]),
        case["moments"][0],
        case["moments"][-1],
    )
    with pytest.raises(ValueError):
        ticks.due("2026-01-01T00:00:01Z", "2026-01-01T00:00:09Z", ())
    have = [loads(leaf.encode())["at"] for leaf in RECEIPT["leaves"]]
    assert ticks.missing_ticks(have, policies) == case["missing"]
    for item in case["is_tick"]:
        assert ticks.is_tick(item["t"], policies) is item["tick"], item
    for item in case["tick_by"]:
        assert ticks.tick_by(item["at"]) == item["tick_by"]
    assert ticks.next_tick("2026-03-01T00:29:00Z", policies) == "2026-03-01T00:30:00Z"
    assert ticks.next_tick("2026-03-01T00:30:00Z", policies) == "2026-03-01T00:30:10Z"
    assert ticks.missing_ticks([], policies) == []


@pytest.mark.parametrize("case", vec("closing"), ids=lambda c: c["id"])
def test_closing(case: dict[str, Any]) -> None:
    closing = ticks.closing_tick(case["ticks"], case["deadline"])
    assert closing == case["closing"]
    assert (bool(closing) and ticks.is_late_close(closing, case["deadline"])) is case["late_close"]


@pytest.mark.parametrize("case", vec("ticks"), ids=lambda c: c["id"])
def test_trees(case: dict[str, Any]) -> None:
    entries = {e["slot"]: bytes.fromhex(e["c"]) for e in case["entries"]}
    tree = ticks.TickTree(bytes.fromhex(case["tick_secret"]), entries)
    assert tree.root.hex() == case["root"]
    assert ticks.rebuild_root(bytes.fromhex(case["tick_secret"]), entries).hex() == case["root"]
    for item in case["paths"]:
        assert b64u(tree.path(item["slot"])) == item["path"]


@pytest.mark.parametrize("case", vec("tick_empty_nodes"), ids=lambda c: f"{c['level']}-{c['index']}")
def test_empty_nodes(case: dict[str, Any]) -> None:
    assert ticks.empty_node(bytes.fromhex(case["tick_secret"]), case["level"], case["index"]).hex() == case["value"]


@pytest.mark.parametrize("name", ["after", "after_small_log"])
def test_proof_of_the_receipt(name: str) -> None:
    proof = RECEIPT[name]["proof"]
    proven = ticks.verify_proof(proof, bytes.fromhex(RECEIPT["commitment"]), LOG)
    assert (proven.tick, proven.at) == (RECEIPT["index"], "2026-03-01T00:30:10Z")
    again = ticks.make_proof(
        proof["leaf"], unb64u(proof["path"]), int.from_bytes(unb64u(proof["slot"]), "big"), proof["tlog"]
    )
    assert again == proof
    assert len(dumps(proof)) == RECEIPT["sizes"]["proof"] or name != "after"


@pytest.mark.parametrize("case", vec("bad_tick_proofs"), ids=lambda c: c["id"])
def test_bad_proofs(case: dict[str, Any]) -> None:
    with pytest.raises(CryptoError) as refused:
        ticks.verify_proof(case["proof"], ticks.commitment(case["entry_jcs"].encode()), LOG)
    assert refused.value.code == case["expect"]


def sealed_log(counts: list[int]) -> tuple[list[ticks.SealedTick], merkle.Tree, str]:
    log = merkle.Tree()
    sealed = []
    for number, count in enumerate(counts):
        entries = [ticks.commitment({"n": number, "i": i}) for i in range(count)]
        tick = ticks.seal_tick(number, f"2026-03-01T00:{number:02d}:00Z", entries)
        log.append(tick.leaf_bytes)
        sealed.append(tick)
    return sealed, log, checkpoints.sign_checkpoint("example/log", log.size, log.root(), b"\7" * 32)


KEY = checkpoints.NoteKey("example/log", checkpoints.LOG_KEY, ed25519_public(b"\7" * 32))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.data())
def test_every_sealed_entry_is_proven_and_a_flipped_byte_is_not(counts: list[int], data: st.DataObject) -> None:
    sealed, log, note = sealed_log(counts)
    ticks.check_leaves([t.leaf for t in sealed])
    for number, tick in enumerate(sealed):
        assert len(set(tick.slots.values())) == len(tick.slots) == counts[number]
        for c, slot in tick.slots.items():
            proof = ticks.make_proof(
                tick.leaf, tick.tree.path(slot), slot, checkpoints.proof_text(number, log.inclusion(number), note)
            )
            assert ticks.verify_proof(proof, c, KEY).tick == number
            broken = copy.deepcopy(proof)
            path = bytearray(tick.tree.path(slot))
            path[data.draw(st.integers(0, 767))] ^= data.draw(st.integers(1, 255))
            broken["path"] = b64u(path)
            with pytest.raises(CryptoError):
                ticks.verify_proof(broken, c, KEY)
            with pytest.raises(CryptoError):
                ticks.verify_proof(proof, bytes(32), KEY)


def test_two_seals_of_nothing_differ_and_two_of_one_entry_too() -> None:
    assert (
        ticks.seal_tick(0, "2026-03-01T00:00:00Z", []).tree.root
        != ticks.seal_tick(0, "2026-03-01T00:00:00Z", []).tree.root
    )
    with pytest.raises(ValueError):
        ticks.seal_tick(0, "2026-03-01T00:00:00Z", [bytes(32), bytes(32)])


@pytest.mark.parametrize(
    "leaves",
    [
        [{"at": "2026-03-01T00:00:00Z", "root": b64u(bytes(32)), "tick": 1, "v": 1}],
        [{"at": "2026-03-01T00:00:00Z", "root": b64u(bytes(32)), "tick": i, "v": 1} for i in range(2)],
        [{"at": "2026-03-01T00:00:00Z", "root": b64u(bytes(31)), "tick": 0, "v": 1}],
        [{"at": "2026-03-01T00:00:00Z", "root": b64u(bytes(32)), "tick": False, "v": 1}],
    ],
)
def test_leaves_out_of_order(leaves: list[dict[str, Any]]) -> None:
    with pytest.raises(CryptoError) as refused:
        ticks.check_leaves(leaves)
    assert refused.value.code == "JSON_PROFILE"


@given(
    st.datetimes(
        min_value=__import__("datetime").datetime(1971, 1, 1), max_value=__import__("datetime").datetime(2200, 1, 1)
    )
)
def test_tick_by_is_a_whole_minute_60_to_119_seconds_later(moment: datetime) -> None:
    from datetime import UTC

    from crypto.canonical import format_time

    at = format_time(moment.replace(tzinfo=UTC))
    gap = ticks.unix(ticks.tick_by(at)) - ticks.unix(at)
    assert ticks.tick_by(at).endswith(":00Z") and 60 <= gap <= 119

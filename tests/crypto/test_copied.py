"""Copied boxes: a bid that holds boxes of another one is its bidder's fault, and no honest bid is ever taken for a copy (protocol §5.1)."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import headers, sealed_bid, verdicts
from crypto.canonical import b64u, loads
from crypto.headers import hash_of_text, parse_header
from tests.crypto import copied_sets, third_reader
from tests.crypto.ceremony import SIDES
from tests.crypto.copied_sets import EVERYBODY, Set, T, changed, file_of, honest, readdressed, seed_of, taken

KNOWN: list[dict[str, Any]] = json.loads(copied_sets.FILE.read_text("utf-8"))["copied_boxes"]
SETS = {one.id: one for one in copied_sets.sets()}


def judged(one: Set, bidder: str, copied: bool) -> verdicts.Verdict:
    """The verdict on a bid of a set whose stored bytes are those that were signed."""
    raw = one.raws[bidder]
    data = file_of(raw, seed_of(bidder))
    parts, complaints = one.posted(bidder)
    header = parse_header(raw)
    root = sealed_bid.inspect(io.BytesIO(data)).sealed_root
    found = verdicts.open_bid(
        io.BytesIO(data), header, sealed_root=root, parts=parts, sides=SIDES, complaints=complaints, copied=copied
    )
    seed = one.seeds().get(bidder)
    if seed and found.code in verdicts.RESCUABLE:
        found = verdicts.open_with_seed(io.BytesIO(data), header, seed, sealed_root=root)
    return found


def test_the_hash_of_a_header_is_read_from_its_text() -> None:
    for raw in next(iter(SETS.values())).raws.values():
        assert hash_of_text(b64u(raw)) == b64u(parse_header(raw).header_hash)
    assert hash_of_text("no base64url") == ""


def verdicts_of(one: Set) -> dict[str, tuple[str, str]]:
    copied = one.copies()
    found = {bidder: judged(one, bidder, bidder in copied) for bidder in one.raws}
    return {bidder: (verdict.code, verdict.cause) for bidder, verdict in found.items()}


def test_the_vectors_are_what_the_code_gives() -> None:
    assert copied_sets.FILE.read_text("utf-8") == copied_sets.text()


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case["id"])
def test_a_reader_that_uses_nothing_of_ours_finds_the_same_copies(case: dict[str, Any]) -> None:
    bids = []
    for row in case["bids"]:
        file = third_reader.File(file_of(row["header"].encode(), bytes(32)))
        bids.append(
            (file, {int(j): bytes.fromhex(one) for j, one in row["shares"].items()}, bytes.fromhex(row["seed"]))
        )
    assert third_reader.copied(bids) == [row["copied"] for row in case["bids"]]


OPENED, COPIED, REDERIVE = ("opened", ""), ("SHARE_COMMIT", "bidder"), ("REDERIVE", "bidder")
UNRESOLVED, TOO_FEW = ("UNRESOLVED", "unknown"), ("TOO_FEW_SHARES", "unknown")
PARTLESS = ("BIDDER_PART_MISSING", "bidder")
EXPECTED = {
    "none-shared": {"A": OPENED, "B": OPENED, "C": OPENED},
    "whole-header": {"A": COPIED, "B": OPENED, "C": OPENED},
    "whole-header-twice": {"A": COPIED, "B": OPENED, "C": COPIED},
    "enc-only": {"A": COPIED, "B": OPENED},
    "ct-only": {"A": COPIED, "B": OPENED},
    "boxes-with-commitments": {"A": COPIED, "B": OPENED},
    "one-box-and-t-of-its-own": {"A": REDERIVE, "B": OPENED},
    "one-box-and-too-few-came": {"A": COPIED, "B": OPENED},
    "one-ct-in-another-place": {"A": COPIED, "B": OPENED},
    "copied-box-0": {"A": COPIED, "B": OPENED},
    "copied-boxes-and-no-part": {"A": COPIED, "B": OPENED},
    "origin-without-its-part": {"A": PARTLESS, "B": PARTLESS},
    "officers-lie-of-the-origin": {"A": UNRESOLVED, "B": UNRESOLVED},
    "officers-lie-and-it-is-rescued": {"A": COPIED, "B": OPENED},
    "too-few-came": {"A": TOO_FEW, "B": TOO_FEW},
    "copy-of-garbage": {"A": UNRESOLVED, "B": UNRESOLVED},
    "copy-of-a-copy": {"A": COPIED, "B": OPENED, "C": UNRESOLVED},
}


@pytest.mark.parametrize("name", SETS)
def test_the_honest_open_and_the_copier_is_at_fault(name: str) -> None:
    assert verdicts_of(SETS[name]) == EXPECTED[name]


def test_lost_bytes_come_before_a_copy() -> None:
    one = SETS["whole-header"]
    header = one.headers["A"]
    found = verdicts.open_bid(
        io.BytesIO(b""), header, sealed_root=bytes(32), parts={}, sides=SIDES, complaints={}, copied=True
    )
    assert (found.code, found.cause) == ("SEALED_ROOT", "platform")


def test_a_wrong_share_of_an_officer_does_not_free_the_copier() -> None:
    one = SETS["whole-header"]
    data = file_of(one.raws["A"], seed_of("A"))
    root = sealed_bid.inspect(io.BytesIO(data)).sealed_root
    found = verdicts.open_bid(
        io.BytesIO(data), one.headers["A"], sealed_root=root, parts={1: bytes(32)}, sides=SIDES, copied=True
    )
    assert (found.code, found.cause) == COPIED


# laws: whoever copies whatever, whoever comes, whoever lies

BIDDERS = ("A", "B", "C", "D")


@st.composite
def attacks(draw: Any) -> Set:
    """B and D are honest; A and C make their headers of their own, of boxes of whoever, of whole headers under their names."""
    raws = {name: honest(name) for name in BIDDERS}
    for cheat in draw(st.permutations(("A", "C"))):
        how = draw(st.sampled_from(("own", "whole", "parts", "parts", "parts")))
        if how == "whole":
            raws[cheat] = readdressed(raws[draw(st.sampled_from([n for n in BIDDERS if n != cheat]))], cheat)
        if how == "parts":
            for _ in range(draw(st.integers(1, 3))):
                source = draw(st.sampled_from([n for n in BIDDERS if n != cheat]))
                fields = draw(st.sampled_from((("enc",), ("ct",), ("enc", "ct"), ("enc", "ct", "c"), ("c",))))
                theirs = {box["j"]: box for box in loads(raws[source])["boxes"]}
                places = draw(st.lists(st.tuples(st.sampled_from(EVERYBODY), st.sampled_from(EVERYBODY)), max_size=4))
                raws[cheat] = changed(raws[cheat], {to: {key: theirs[of][key] for key in fields} for to, of in places})
            if draw(st.booleans()):
                raws[cheat] = changed(raws[cheat], {}, commit=loads(raws["B"])["commit"])
    came = tuple(sorted(draw(st.sets(st.sampled_from(EVERYBODY)))))
    liars = {name: tuple(draw(st.sets(st.sampled_from(EVERYBODY)))) for name in draw(st.sets(st.sampled_from(BIDDERS)))}
    rescued = tuple(draw(st.sets(st.sampled_from(BIDDERS))))
    return Set("drawn", raws, came, liars, rescued)


@pytest.mark.promise("S4")
@settings(max_examples=150, deadline=None)
@given(attacks())
def test_an_honest_bid_is_never_called_a_copy(one: Set) -> None:
    copied, found = one.copies(), verdicts_of(one)
    fair = {name for name in BIDDERS if one.raws[name] == honest(name)}
    assert {"B", "D"} <= fair and not copied & fair
    for name in BIDDERS:
        good = len(one.posted(name)[0])
        if name in fair:
            can = good >= T or name in one.rescued
            assert found[name] == OPENED if can else found[name][0] in verdicts.RESCUABLE
        elif good >= T:
            assert found[name][0] == "REDERIVE"
        elif name in copied:
            assert found[name] == COPIED
    held = {name: {box[k] for box in loads(raw)["boxes"] for k in ("enc", "ct")} for name, raw in one.raws.items()}
    shown = {name for name in fair if found[name] == OPENED}
    assert copied == {name for name in BIDDERS if name not in fair and any(held[name] & held[of] for of in shown)}


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.sampled_from(EVERYBODY))
def test_ones_own_sealing_with_a_single_box_of_another(seed: bytes, other: bytes, j: int) -> None:
    """The copier's own t shares join a seed, and the honest bid counts all the same."""
    theirs = honest("B", seed=other)
    mine = changed(honest("A", seed=seed), taken(theirs, (j,), "enc", "ct"))
    one = Set("drawn", {"A": mine, "B": theirs})
    assert one.copies() == {"A"}
    header = one.headers["A"]
    assert headers.join_shares(header, one.posted("A")[0]) == seed
    assert verdicts_of(one)["A"] == REDERIVE

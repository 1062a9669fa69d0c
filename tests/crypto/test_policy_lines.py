"""Lines of policies, their generations, and which of them are alive (protocol sections 2 and 5.3): cases, and laws over any line."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import policies
from crypto.canonical import b64u
from crypto.errors import CryptoError
from crypto.keys import ed25519_public, kid, x25519_public
from crypto.policies import extends, policy_id
from crypto.policy_lines import generation_of, generations, line_to
from tests.crypto.ceremony import SIDES, policy_of

NEW = ["2026-03-01T01:30:00Z", "2026-03-02T01:30:00Z", "2026-03-03T01:30:00Z", "2026-03-04T01:30:00Z"]


def officer(number: int, side: str, serial: int = 1) -> dict[str, Any]:
    """Officer `number` of a large pool, with the key of one serial."""
    sign, seal = bytes([number]) * 32, bytes([number, serial] * 16)
    return {
        "name": f"officer {number}",
        "pk": b64u(x25519_public(seal)),
        "side": side,
        "sign_kid": kid("ed25519", ed25519_public(sign)),
    }


def people(numbers: tuple[int, ...], serial: int = 1) -> list[dict[str, Any]]:
    return [officer(number, side, serial) for number, side in zip(numbers, SIDES, strict=True)]


def successor(old: dict[str, Any], numbers: tuple[int, ...], **change: Any) -> dict[str, Any]:
    serial = old["serial"] + 1
    return {**old, "supersedes": policy_id(old), "serial": serial, "officers": people(numbers, serial), **change}


def extension(old: dict[str, Any], deadline: str) -> dict[str, Any]:
    return {**old, "supersedes": policy_id(old), "deadline": deadline, "opens_at": deadline}


FIRST = policy_of(officers=people((1, 2, 3, 4, 5)))


def refused(line: list[dict[str, Any]]) -> str:
    with pytest.raises(CryptoError) as refusal:
        generations(line)
    return refusal.value.code


def test_an_extension_stays_in_its_generation_and_new_officers_begin_one() -> None:
    longer = extension(FIRST, NEW[1])
    changed = successor(longer, (1, 2, 3, 4, 6))
    found = generations([FIRST, longer, changed])
    assert [one.ids for one in found] == [(policy_id(FIRST), policy_id(longer)), (policy_id(changed),)]
    assert [(one.missing, one.alive) for one in found] == [((5,), True), ((), True)]
    assert generation_of(found, policy_id(FIRST)) is found[0] and found[0].sides_missing == ("tenderee",)
    assert [found[0].number_of(one) for one in changed["officers"]] == [1, 2, 3, 4, 0]
    for unknown in ("", policy_id(extension(longer, NEW[2]))):
        with pytest.raises(CryptoError):
            generation_of(found, unknown)


@pytest.mark.parametrize(
    ("numbers", "missing", "alive"),
    [
        ((1, 2, 3, 4, 5), (), True),
        ((1, 2, 3, 4, 9), (5,), True),
        ((1, 2, 3, 8, 9), (4, 5), True),  # 2 gone: 2 < 3, and 3 are left
        ((1, 2, 7, 8, 9), (3, 4, 5), False),  # 3 gone: as many keys in other hands as open a bid
        ((6, 7, 8, 9, 10), (1, 2, 3, 4, 5), False),
        ((5, 4, 3, 2, 1), (), True),  # another order is another number, not another officer
    ],
)
def test_who_is_missing_kills_a_generation_or_does_not(
    numbers: tuple[int, ...], missing: tuple[int, ...], alive: bool
) -> None:
    found = generations([FIRST, successor(FIRST, numbers)])
    assert (found[0].missing, found[0].alive) == (missing, alive) and found[1].alive


def test_enough_must_be_left_too() -> None:
    """t = 4 of 5: one may go, two may not, although four keys open a bid. t = 2 of 5: two gone are two keys in other hands."""
    sides = ("platform", "tenderee", "supervisor", "notary", "notary")
    four = {**FIRST, "t": 4, "officers": [officer(j, side) for j, side in enumerate(sides, 1)]}
    four["officers"][4]["side"] = "supervisor"
    assert [
        generations([four, successor(four, numbers)])[0].alive for numbers in ((1, 2, 3, 4, 9), (1, 2, 3, 8, 9))
    ] == [True, False]
    two = {**FIRST, "t": 2, "n": 5}
    assert [generations([two, successor(two, numbers)])[0].alive for numbers in ((1, 2, 3, 4, 9), (1, 2, 3, 8, 9))] == [
        True,
        False,
    ]


def test_who_came_back_was_missing_all_the_same() -> None:
    """A key that left once may be in other hands: that a later generation names its officer again does not heal it."""
    middle = successor(FIRST, (6, 7, 8, 4, 5))
    found = generations([FIRST, middle, successor(middle, (1, 2, 3, 4, 5))])
    assert [(one.missing, one.alive) for one in found] == [((1, 2, 3), False), ((1, 2, 3), False), ((), True)]


def test_a_new_signing_key_is_another_officer() -> None:
    rekeyed = successor(FIRST, (1, 2, 3, 4, 5))
    rekeyed["officers"][0]["sign_kid"] = kid("ed25519", ed25519_public(b"z" * 32))
    assert generations([FIRST, rekeyed])[0].missing == (1,)


def test_what_is_no_line_is_refused() -> None:
    good = successor(FIRST, (1, 2, 3, 4, 9))
    longer = extension(FIRST, NEW[1])
    assert refused([]) == "CONTEXT_MISMATCH"
    for change in (
        {"serial": 1},
        {"serial": 0},
        {"supersedes": ""},
        {"supersedes": policy_id(longer)},
        {"lot": "2"},
        {"tender": "U"},
        {"platform": "other"},
        {"envelope": "bid"},
        {"co_opening": True},
        {"file_names": True},
        {"deadline": "2026-02-28T01:30:00Z"},
        {"max_plen": FIRST["max_plen"] - 1},
        {"opens_at": "2026-02-28T01:30:00Z"},
    ):
        assert refused([FIRST, {**good, **change}]) == "CONTEXT_MISMATCH", change
    for change in (
        {"window": 7},
        {"t": 2},
        {"rescue": False},
        {"mirror": "digests"},
    ):  # allowed with a new serial alone
        assert refused([FIRST, {**longer, **change}]) == "CONTEXT_MISMATCH", change
        assert len(generations([FIRST, {**good, **change}])) == 2
    assert refused([FIRST, longer, good]) == "CONTEXT_MISMATCH", "a successor of the one before the newest"


def test_a_line_is_found_from_its_newest_policy_on() -> None:
    dropped = {**FIRST, "window": 7}
    changed = successor(FIRST, (1, 2, 3, 4, 9))
    assert line_to([dropped, changed, FIRST], policy_id(changed)) == [FIRST, changed]
    assert line_to([dropped, changed, FIRST], policy_id(dropped)) == [dropped]
    with pytest.raises(CryptoError):
        line_to([changed], policy_id(changed))


# --- laws -------------------------------------------------------------------------------------------------------------

steps = st.lists(
    st.one_of(st.just("extend"), st.permutations(range(1, 9)).map(lambda all_: tuple(all_[:5]))), max_size=5
)


def line_of(moves: list[Any]) -> list[dict[str, Any]]:
    line = [FIRST]
    for at, move in enumerate(moves):
        line.append(
            extension(line[-1], f"2026-03-{at + 2:02d}T01:30:00Z") if move == "extend" else successor(line[-1], move)
        )
    return line


@given(steps)
def test_generations_are_the_line_cut_where_nothing_extends(moves: list[Any]) -> None:
    line = line_of(moves)
    found = generations(line)
    assert [policy for one in found for policy in one.policies] == line
    assert all(extends(old, new) for one in found for old, new in pairwise(one.policies))
    assert not any(extends(old.policies[-1], new.policies[0]) for old, new in pairwise(found))
    assert list(found[-1].ids) == policies.policy_chain(line), (
        "a new bid may bear what the newest generation keeps valid"
    )
    serials = [one.policy["serial"] for one in found]
    assert serials == sorted(set(serials))
    assert line_to(reversed(line), policy_id(line[-1])) == line


@given(steps)
def test_alive_is_what_five_three_says_and_never_comes_back(moves: list[Any]) -> None:
    line = line_of(moves)
    for one in generations(line):
        k, t, n = len(one.missing), one.policy["t"], one.policy["n"]
        assert one.alive is (k < t and n - k >= t)
    for cut in range(1, len(line)):
        before, after = generations(line[:cut]), generations(line)
        for old in before:
            same = generation_of(after, old.ids[0])
            assert set(old.missing) <= set(same.missing), "nobody who left is there again"
            assert old.alive or not same.alive, "no dead generation lives again"
    assert generations(line)[-1].alive and not generations(line)[-1].missing


@given(steps)
def test_of_an_alive_generation_enough_officers_sit_in_the_newest(moves: list[Any]) -> None:
    """So that its bids can be opened by those who come: t of its officers hold keys in the newest policy too."""
    found = generations(line_of(moves))
    for one in found:
        if one.alive:
            sitting = {one.number_of(officer_) for officer_ in found[-1].policy["officers"]} - {0}
            assert len(sitting) >= one.policy["t"]


@given(steps, st.integers(0, 4))
def test_any_step_back_to_the_serial_of_before_is_refused(moves: list[Any], at: int) -> None:
    line = line_of([*moves, (1, 2, 3, 4, 6)])
    bad = {**line[-1], "serial": line[-2]["serial"] - min(at, line[-2]["serial"])}
    assert refused([*line[:-1], bad]) == "CONTEXT_MISMATCH"

"""Gaps of a log, and the right edge it goes on from: the pure parts of a bundle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crypto import merkle, ticks
from crypto.canonical import format_time
from trading.disclosure.gaps import gaps
from trading.disclosure.log_part import edge_of

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
BUSY = ticks.Busy("2026-03-01T02:00:00Z", "2026-03-01T02:00:00Z")


def at(minutes: float) -> str:
    return format_time(START + timedelta(minutes=minutes))


def test_every_minute_is_due_and_what_is_missing_is_named() -> None:
    assert gaps([(0, at(0)), (1, at(1)), (2, at(2))], []) == []
    assert gaps([(0, at(0)), (1, at(4)), (2, at(5))], []) == [{"after": 0, "count": 3, "first": at(1), "last": at(3)}]


def test_a_policy_quickens_the_log_from_the_tick_after_its_own() -> None:
    leaves = [(0, at(60)), (1, at(61)), (2, at(62))]
    assert gaps(leaves, []) == []
    assert gaps(leaves, [(1, BUSY)]) == [
        {"after": 1, "count": 5, "first": "2026-03-01T01:01:10Z", "last": "2026-03-01T01:01:50Z"}
    ]
    assert [gap["after"] for gap in gaps(leaves, [(0, BUSY)])] == [0, 1]
    assert gaps([(0, at(300)), (1, at(301))], [(0, BUSY)]) == [], "two hours after the opening it is over"


@given(st.sets(st.integers(0, 400), min_size=2, max_size=60))
def test_named_and_kept_ticks_are_the_whole_schedule(kept: set[int]) -> None:
    """What is there and what is named make up the schedule, each moment once (policies known from the start)."""
    moments = ticks.schedule(at(50), at(130), [BUSY])
    there = sorted(moments[place] for place in kept if place < len(moments))
    leaves = list(enumerate(there))
    found = gaps(leaves, [(0, BUSY)])
    named = [moment for gap in found for moment in ticks.schedule(gap["first"], gap["last"], [BUSY])]
    if there:
        assert sorted(named + there) == [moment for moment in moments if there[0] <= moment <= there[-1]]
        assert sum(gap["count"] for gap in found) == len(named)


@given(st.integers(0, 300), st.integers(1, 40))
def test_a_log_goes_on_from_its_edge(before: int, more: int) -> None:
    leaves = [merkle.leaf_hash(bytes([n % 256, n // 256])) for n in range(before + more)]
    tree = merkle.Tree(leaves)
    parts = edge_of(before)
    assert sum(1 << level for level, _ in parts) == before and len(parts) == before.bit_count()
    from web.verifier.log_claims import _Edge

    grown = _Edge(before, [tree.node(level, index) for level, index in parts])
    assert grown.root() == tree.root(before)
    for leaf in leaves[before:]:
        grown.append(leaf)
        assert grown.root() == tree.root(grown.size)

"""Which tests stay together on one worker of pytest-xdist, and which begin first.

pytest-xdist 3.8 puts the name of a group behind the id of a test, which pytest 9.2 no longer lets it: with these two ``--dist loadgroup``
groups nothing, and says nothing. So the groups are told from the ids here.

A file stays together, so that what is made for a file is made once. Tests that each take long are dealt out one by one. What takes longest
begins first, so that no core is idle at the end; the weights are rough seconds, for the order only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from xdist.scheduler import LoadScopeScheduling

WALK = re.compile(r"(?P<file>(?:.*/)?tests/walk/[^:]+)::.*\[(?P<variant>[a-z]{2}-\d+)")
ALONE = re.compile(
    r"tests/(?:faults|journeys|laws|sizes|js)/|tests/web/(?:\w+/)?test_(?:queries_per_bid|edge|shedding|confined)"
)
TOGETHER = re.compile(r"tests/web/bundles/")
"""Whole tenders are played once for all files of this folder."""
WEIGHTS = (("tests/walk/", 60.0), ("tests/faults/", 10.0), ("tests/journeys/", 20.0), ("tests/laws/", 20.0), ("tests/js/", 10.0),
           ("tests/web/bundles/", 0.5), ("tests/web/desks/", 1.0), ("tests/web/", 0.3), ("tests/evaluation/", 0.5),
           ("tests/deposits/", 0.5), ("tests/trading/", 0.1), ("tests/", 0.02))  # fmt: skip

LONG = 15.0
"""Rough seconds of a test of the tier that takes long."""


def group(nodeid: str) -> str:
    """The tests of one group run on one worker, one after the other."""
    if walk := WALK.match(nodeid):  # the tests of a file of walks go on in one town, one for each language
        return f"{walk['file']} {walk['variant']}"
    if ALONE.match(nodeid):
        return nodeid
    if found := TOGETHER.match(nodeid):
        return found[0]
    return nodeid.partition("::")[0]


def weight(nodeid: str) -> float:
    return next((seconds for begin, seconds in WEIGHTS if nodeid.startswith(begin)), 0.0)


def longest_first(nodeids: Iterable[str], long: Collection[str] = ()) -> list[str]:
    """The ids, those of the heaviest group first; within a group they stay in their order. ``long``: ids of that tier."""
    kept = list(nodeids)
    heavy: defaultdict[str, float] = defaultdict(float)
    for nodeid in kept:
        heavy[group(nodeid)] += max(weight(nodeid), LONG if nodeid in long else 0)
    return sorted(kept, key=lambda nodeid: (-heavy[group(nodeid)], group(nodeid)))


class Scheduling(LoadScopeScheduling):
    """The groups of ``group``, dealt out in the order in which the workers have sorted their tests."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by number of tests

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

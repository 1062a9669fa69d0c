"""Ticks a log owed and does not have: the downtime, named (protocol §4, schedule; §6, claim C2). Pure.

A missed moment is never filled in. A bundle names each run of missed moments, so that whoever verifies it can tell an outage that is
owned up to from a tick that was taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from crypto import ticks
from crypto.canonical import later

Gap = dict[str, Any]
"""``{after, count, first, last}``: between tick ``after`` and the next, ``count`` due moments from ``first`` to ``last`` have no tick."""


def gaps(leaves: Sequence[tuple[int, str]], policies: Sequence[tuple[int, ticks.Busy]]) -> list[Gap]:
    """All gaps between the first and the last of ``leaves`` (tick, at). ``policies``: (tick it was sealed in, deadline and opening); it
    quickens the log from the next tick on."""
    found = []
    for (tick, at), (_, following) in pairwise(leaves):
        second = ticks.unix(at)
        known = [busy for sealed, busy in policies if sealed <= tick and busy.span[1] > second]
        if ticks.next_tick(at, known) >= following:
            continue
        count, first, last = ticks.due(later(at, 1), later(following, -1), known)
        found.append({"after": tick, "count": count, "first": first, "last": last})
    return found

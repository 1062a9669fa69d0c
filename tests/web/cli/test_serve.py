"""`bidhall serve`: what a worker does with its memory before it takes the first request."""

from __future__ import annotations

import subprocess
import sys

SETTLED = """
import gc
from web.app import find_desks
from web.cli import serve

class Ring:
    pass

find_desks()
serve.settle()
held = gc.get_freeze_count()
assert held > 100_000, held
before = gc.get_stats()[0]["collections"]
for _ in range(3 * serve.GATHER):
    ring = Ring()
    ring.ring = ring
assert 2 <= gc.get_stats()[0]["collections"] - before <= 6
assert sum(type(one) is Ring for one in gc.get_objects()) <= serve.GATHER
assert gc.get_freeze_count() == held
"""


def test_what_was_loaded_is_not_looked_at_again_and_what_a_request_leaves_is_still_gathered() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True, timeout=60)

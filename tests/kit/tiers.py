"""Which tier a test is in, by its folder and by what it asks for. Each test is in exactly one; `make ci` runs all (docs/tests.md).

A new test gets its tier by itself. The one tier that is written at a test is ``long``: that a test takes long cannot be seen from outside.
"""

from __future__ import annotations

import re
from collections.abc import Collection

TIERS = {
    "pure": "no database of a test: arithmetic, formats, words, files",
    "acts": "acts of the product on a database of its own",
    "pages": "pages, commands and papers over such a database",
    "journeys": "a real browser on a served house",
    "town": "in the filled demo town (make walk, make town)",
    "long": "kills, full disks, sizes, surges, and laws that take long",
}
LONG_FOLDERS = ("faults", "sizes")


def tier(path: str, fixtures: Collection[str], marks: Collection[str]) -> str:
    """The tier of a test. ``path``: of its file, from tests/."""
    folder = path.split("/")[0]
    if folder in LONG_FOLDERS or "long" in marks:
        return "long"
    if path.endswith("/test_town.py") or (folder == "walk" and "town" in fixtures):
        return "town"
    if folder == "journeys" or "browser" in fixtures or "browser" in marks:
        return "journeys"
    if "databases" not in fixtures:
        return "pure"
    return "pages" if folder == "web" else "acts"


SAME_ON_BOTH = (
    r"web/bundles/test_(?!bundle|two_envelopes|co_opening|officers_replaced|mirror)",  # the verifier reads files; how they are made is run
    r"web/(commands|cli)/",  # tools on a bidder's or an officer's machine, which ask a server
    r"web/(\w+/)?test_(headers|look|helping|refusals|forms|words)",  # how pages are dressed
    r"web/(\w+/)?test_queries_per_bid",  # how many questions a page asks
)
"""Tests that open a database and would find nothing else on PostgreSQL: what they are about has no SQL of its own."""


def on_postgres(path: str, fixtures: Collection[str], tier: str) -> bool:
    """Whether a test runs again on PostgreSQL: all that opens a database, but for journeys, walks and ``SAME_ON_BOTH``."""
    if "databases" not in fixtures or tier in ("journeys", "town"):
        return False
    return not any(re.match(one, path) for one in SAME_ON_BOTH)

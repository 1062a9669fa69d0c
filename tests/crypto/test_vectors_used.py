"""No vector lies idle: every top-level entry of the protocol's vectors is asked for by a test of this folder."""

import re
from pathlib import Path

from tests.crypto.vectors import all_vectors

DESCRIPTIVE = {"format", "version", "suite", "notes"}  # they say what the file is; test_the_file_is_known checks them


def test_every_entry_is_used() -> None:
    used = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        used |= set(re.findall(r'vec\("([a-z0-9_]+)"\)', path.read_text("utf-8")))
    assert used == set(all_vectors()) - DESCRIPTIVE


def test_the_file_is_known() -> None:
    from crypto.headers import SUITE

    vectors = all_vectors()
    assert (vectors["format"], vectors["version"], vectors["suite"]) == ("sealed-bid vectors", 1, SUITE)
    assert len(vectors["notes"]) == 3

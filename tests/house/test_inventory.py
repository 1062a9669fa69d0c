"""Routes, options, codes, tables, kinds of entries and files are those on record: who changes one says so by changing the list."""

from __future__ import annotations

import pytest

from tests.house import inventory


@pytest.mark.parametrize("name", inventory.LISTS)
def test_the_list_is_the_one_on_record(name: str) -> None:
    now, recorded = set(inventory.now(name)), set(inventory.recorded(name))
    told = f"{name}: if this is meant, run python -m tests.house.inventory and commit the list"
    assert {"gone": sorted(recorded - now), "new": sorted(now - recorded)} == {"gone": [], "new": []}, told

"""Two worlds that are one until somebody bids in the second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kit.database import Databases

if TYPE_CHECKING:
    from tests.laws.test_secrecy import Twin


@pytest.fixture
def twins(databases: Databases, tmp_path: Path) -> Iterator[tuple[Twin, Twin]]:
    from tests.laws.test_secrecy import make_twins

    yield from make_twins(databases, tmp_path)

"""Which statements each test sends to its database, as digests: what `make pg-choice` chooses by (tests/kit/postgres_choice.py).

TEST_STATEMENTS=FOLDER pytest -p tests.kit.statements …     # one file a worker: {"test", "pg", "seconds", "statements"} a line
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

LISTS = re.compile(r"\((?:\s*(?:%\(\w+\)s|\?|\$\d+)(?:::[\w ]+)?\s*,?)+\)")
"""A list of parameters, of which there may be any number."""
NAMED = re.compile(r"\b(bidhall_(?:test|kept|template)_\w+|sa_savepoint_\d+)")
"""Names that are made up each time."""
_seen: set[str] = set()


def digest(statement: str) -> str:
    """Of a statement, however many values its lists have."""
    plain = re.sub(r"(\(…\)(?:, )?)+", "(…)", LISTS.sub("(…)", NAMED.sub("…", statement)))
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


@event.listens_for(Engine, "before_cursor_execute")
def _note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    _seen.add(statement)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _seen.clear()
    begun = time.monotonic()
    yield
    told = {
        "test": item.nodeid,
        "pg": item.get_closest_marker("pg") is not None,
        "seconds": round(time.monotonic() - begun, 3),
        "statements": sorted(map(digest, _seen)),
    }
    folder = Path(os.environ["TEST_STATEMENTS"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{os.environ.get('PYTEST_XDIST_WORKER', 'all')}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(told) + "\n")

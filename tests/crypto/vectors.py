"""The protocol's vectors, loaded once, and the deterministic bytes they are made of."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def all_vectors() -> dict[str, Any]:
    return json.loads((Path(__file__).parent.parent / "vectors" / "sealed_bid_vectors.json").read_text("utf-8"))


USED: set[str] = set()


def vec(key: str) -> Any:
    """One top-level entry; remembered, so that a test can tell what no test has touched."""
    USED.add(key)
    return all_vectors()[key]


def gen(label: str, size: int) -> bytes:
    """The vectors' gen(label, n): SHA-256 in counter mode, cut to n bytes."""
    out = bytearray()
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(label.encode() + counter.to_bytes(4, "big")).digest()
        counter += 1
    return bytes(out[:size])

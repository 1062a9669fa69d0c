"""The worked vectors of the calculation rules, and how an answer is compared with what is expected."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent.parent / "vectors" / "formula_vectors.json"


def vectors(room: str) -> list[Any]:
    """The vectors whose method begins with `room.`, as pytest parameters."""
    found = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]
    chosen = [pytest.param(one, id=one["id"]) for one in found if one["method"].startswith(room + ".")]
    assert chosen, f"no vectors for {room}"
    return chosen


def agree(answer: object, expected: object) -> bool:
    """Numbers by value, other strings literally, lists in order, maps in any order; more keys than expected are
    allowed."""
    if isinstance(expected, Mapping):
        return isinstance(answer, Mapping) and all(
            key in answer and agree(answer[key], held) for key, held in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(agree, answer, expected))
    if isinstance(expected, str) and isinstance(answer, str) and _number(expected) and _number(answer):
        return Decimal(answer) == Decimal(expected)
    return type(answer) is type(expected) and answer == expected


def _number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None

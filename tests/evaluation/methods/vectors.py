"""The vectors of the calculation rules, published ones and edges, asked of one module alone: `make mutants` judges each by its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.trading.vectors import FILE, agree
from trading.kernel.exact import Answer, BadValue

VECTORS: list[dict[str, Any]] = [
    one
    for file in (FILE, FILE.with_name("formula_edges.json"))
    for one in json.loads(file.read_text("utf-8"))["vectors"]
]


def vectors_of(*methods: str) -> Any:
    """The vectors of some methods, as pytest parameters; each method has one at least."""
    found = [one for one in VECTORS if one["method"] in methods]
    assert {one["method"] for one in found} == set(methods)
    return pytest.mark.parametrize("vector", found, ids=lambda one: one["id"])


def hold(methods: Mapping[str, Answer], vector: dict[str, Any]) -> None:
    """A vector has the answer it expects: the values, or the code of what is refused."""
    try:
        found = methods[vector["method"]](vector.get("params") or {}, vector["inputs"])
    except BadValue as fault:
        found = {"error": fault.code}
    assert agree(found, vector["expected"])


def refused(methods: Mapping[str, Answer], method: str, inputs: dict[str, Any], **params: Any) -> tuple[str, str]:
    """(code, place) of the refusal of a question."""
    with pytest.raises(BadValue) as fault:
        methods[method](params, inputs)
    return fault.value.code, fault.value.where

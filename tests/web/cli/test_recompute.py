"""`bidhall recompute`: the published vectors, the reading rules for every method, the exit codes."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from web.cli import vectors as recompute

VECTORS = Path(__file__).parents[2] / "vectors"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((VECTORS / name).read_text("utf-8"))["vectors"]


PUBLISHED = load("formula_vectors.json")
EDGES = load("formula_edges.json")


def run(source: str, data: bytes = b"") -> tuple[int, bytes, str]:
    out, err = io.BytesIO(), io.StringIO()
    code = recompute.recompute(source, stdin=io.BytesIO(data), out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def ask(*vectors: dict[str, Any]) -> dict[str, Any]:
    code, out, err = run("-", json.dumps({"vectors": list(vectors)}).encode())
    assert (code, err) == (0, "")
    return json.loads(out)


def ask_raw(text: str) -> dict[str, Any]:
    code, out, _ = run("-", text.encode())
    assert code == 0
    return json.loads(out)


def agrees(expected: object, found: object) -> bool:
    """Numbers by value, other strings literally, lists in order, maps whole except for extra keys of the outputs."""
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and expected.keys() == found.keys()
            and all(agrees(expected[key], found[key]) for key in expected)
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(map(agrees, expected, found))
    if isinstance(expected, str) and isinstance(found, str) and NUMBER.fullmatch(expected) and NUMBER.fullmatch(found):
        return Decimal(expected) == Decimal(found)
    return type(expected) is type(found) and expected == found


@pytest.mark.parametrize("vector", PUBLISHED, ids=lambda vector: vector["id"])
def test_published_vector(vector: dict[str, Any]) -> None:
    found = ask(vector)[vector["id"]]
    assert {key: value for key, value in found.items() if not agrees(vector["expected"].get(key), value)} == {}
    assert vector["expected"].keys() == found.keys()


@pytest.mark.parametrize("vector", EDGES, ids=lambda vector: vector["id"])
def test_edge_vector(vector: dict[str, Any]) -> None:
    found = ask(vector)[vector["id"]]
    if "error" in vector["expected"]:
        assert found.keys() == {"error"}
        assert found["error"].split()[0] == vector["expected"]["error"]
    else:
        assert {key: found.get(key) for key in vector["expected"]} == vector["expected"]


def test_every_rule_of_scoring_has_edges_of_its_own() -> None:
    elsewhere = ("deadline.", "deposit.", "stats.", "id.")  # with their owners
    named = {vector["method"] for vector in PUBLISHED if not vector["method"].startswith(elsewhere)}
    without = named - {vector["method"] for vector in EDGES}
    assert without == {"expert.range_check", "gp.rank_lowest_price"}  # their published vectors hold their edges


def test_no_method_answers_more_than_the_published_names() -> None:
    assert recompute.methods().keys() == {vector["method"] for vector in PUBLISHED}


def test_answers_every_vector_of_a_file_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "vectors.json"
    path.write_bytes((VECTORS / "formula_vectors.json").read_bytes())
    code, out, err = run(str(path))
    assert (code, err) == (0, "")
    assert list(json.loads(out)) == [vector["id"] for vector in PUBLISHED]


# --- files that cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"vectors"',
        b"{}",
        b'{"vectors": null}',
        b'{"vectors": {}}',
        b'{"vectors": [1]}',
        b'{"vectors": [null]}',
        b'{"vectors": [{"method": "expert.mean"}]}',
        b'{"vectors": [{"id": 1}]}',
        b'{"vectors": [{"id": null}]}',
        b'{"vectors": [{"id": "a"}, {"id": "a"}]}',
        b'{"vectors": [{"id": "a", "inputs": {"x": NaN}}]}',
        b'{"vectors": [{"id": "a", "inputs": {"x": -Infinity}}]}',
        b'{"vectors": []} {}',
        b'{"vectors": [{"id": "\xff"}]}',
        '{"vectors": []}'.encode("utf-16"),
        b'{"vectors": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
def test_a_file_that_is_no_list_of_vectors_is_refused(data: bytes) -> None:
    code, out, err = run("-", data)
    assert (code, out) == (2, b"")
    assert err.startswith("bidhall recompute: -: ")


@pytest.mark.parametrize("path", ["missing.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_refused(path: str, tmp_path: Path) -> None:
    code, out, err = run(str(tmp_path / path))
    assert (code, out) == (2, b"")
    assert err


def test_no_vectors_no_answers() -> None:
    assert ask() == {}
    assert run("-", b'\xef\xbb\xbf{"vectors": [], "title": 1.5}') == (0, b"{}\n", "")


# --- vectors that are wrong -------------------------------------------------------------------------------------------

SCORES = '{"vectors": [{"id": "x", "method": "expert.mean", "inputs": {"scores": [#]}}]}'
MEAN = {"id": "x", "method": "expert.mean", "inputs": {"scores": ["1", "2"]}}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"method": "expert.median"}, "unknown_method"),
        ({"method": None}, "unknown_method"),
        ({"method": ["expert.mean"]}, "unknown_method"),
        ({"method": 1}, "unknown_method"),
        ({"inputs": None}, "missing"),
        ({"inputs": []}, "bad_object"),
        ({"params": []}, "bad_object"),
        ({"params": "x"}, "bad_object"),
        ({"params": {"places": "2"}}, "bad_count"),
        ({"params": {"places": -1}}, "too_small"),
        ({"params": {"places": True}}, "bad_count"),
        ({"params": {"places": 10**9}}, "too_large"),
        ({"params": {"rounding": "half_up"}}, "unknown_word"),
        ({"params": {"rounding": 2}}, "unknown_word"),
        ({"inputs": {"scores": []}}, "too_short"),
        ({"inputs": {"scores": {}}}, "bad_list"),
        ({"inputs": {"scores": ["1", None]}}, "bad_number"),
        ({"inputs": {"scores": ["-1"]}}, "too_small"),
    ],
)
def test_a_wrong_vector_is_an_answer_with_a_code(changed: dict[str, Any], code: str) -> None:
    found = ask(MEAN | changed, MEAN | {"id": "y"})
    assert found["x"].keys() == {"error"}
    assert found["x"]["error"].split()[0] == code
    assert found["y"] == {"mean": "1.50"}


def test_null_params_are_absent_and_other_keys_are_ignored() -> None:
    loose = MEAN | {"params": None, "title": 1, "expected": 2, "notes": 3, "colour": "red"}
    assert ask(loose)["x"] == {"mean": "1.50"}
    assert ask(MEAN | {"params": {"places": None, "rounding": None, "colour": 1}})["x"] == {"mean": "1.50"}


@pytest.mark.parametrize(
    "literal",
    [
        "1.5", "1.0", "1e3", "1E3", "true", "null", '"1,000"', '"1e3"', '"+5"', '".5"', '"5."', '" 5"', '"5 "', '"5\\n"', '""',
        '"-"', '"--1"', '"0x1"', '"1_000"', '"\\u0661"', '"\\uff11"', '"NaN"', '"Infinity"', "[]", "{}",
    ],
)  # fmt: skip
def test_what_is_not_a_number(literal: str) -> None:
    found = ask_raw(SCORES.replace("#", literal))
    assert found["x"]["error"].startswith("bad_number at scores[0]")


@pytest.mark.parametrize(
    ("literal", "written"),
    [("7", "7.00"), ('"7"', "7.00"), ('"007.10"', "7.10"), ('"-0"', "0.00"), ("-0", "0.00"), ('"0.005"', "0.01"),
     ("9" * 5000, "9" * 5000 + ".00"), (f'"{"9" * 5000}.5"', "9" * 5000 + ".50")],
)  # fmt: skip
def test_what_is_a_number(literal: str, written: str) -> None:
    found = ask_raw(SCORES.replace("#", literal))
    assert found["x"] == {"mean": written}


def test_an_id_that_utf_8_cannot_write_is_still_answered() -> None:
    assert ask(MEAN | {"id": "\ud800"}) == {"\ud800": {"mean": "1.50"}}
    assert ask(MEAN | {"id": "投标人"}) == {"投标人": {"mean": "1.50"}}


def test_a_defect_in_one_rule_costs_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(params: object, inputs: object) -> dict[str, Any]:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(recompute.methods(), "expert.mean", broken)
    found = ask(MEAN, {"id": "y", "method": "expert.majority", "inputs": {"cases": []}})
    assert found == {
        "x": {"error": "defect in expert.mean: ZeroDivisionError: division by zero"},
        "y": {"finding_stands": []},
    }


# --- every method, with each value spoilt in turn -----------------------------------------------------------------------

SPOILS: list[Any] = [
    None, True, -1, 0, 10**30, 1.5, "", "x", "1e3", "-1", "0", "999999999999999999999999", "0.3333333333333333333",
    "9999-12-31", "0001-01-01", "2026-02-30", [], ["x"], [None], {}, {"A": None}, "壹圆", "零", "\ud800",
]  # fmt: skip


def places_of(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(value, dict):
        for key, held in value.items():
            yield from places_of(held, (*at, key))
    if isinstance(value, list) and value:
        yield from places_of(value[0], (*at, 0))


def first_of_each_method() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for vector in PUBLISHED:
        found.setdefault(vector["method"], vector)
    return list(found.values())


@pytest.mark.parametrize("vector", first_of_each_method(), ids=lambda vector: vector["method"])
def test_any_spoilt_value_has_an_answer(vector: dict[str, Any]) -> None:
    """Whatever stands at any place of a vector, the answer is outputs or one error text, never a crash and never both."""
    asked = {"params": vector.get("params") or {}, "inputs": vector["inputs"]}
    spoilt: list[dict[str, Any]] = []
    for place in places_of(asked):
        for spoil in SPOILS:
            changed = copy.deepcopy(asked)
            holder: Any = changed
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = spoil
            spoilt.append({"id": str(len(spoilt)), "method": vector["method"], **changed})
    found = ask(*spoilt)
    assert len(found) == len(spoilt)
    for answer in found.values():
        assert "error" not in answer or (answer.keys() == {"error"} and answer["error"])
        assert not answer.get("error", "").startswith("defect")
    # A number of binary floating point or an unknown type is never let through where a value was read.
    assert sum("error" in answer for answer in found.values()) > len(spoilt) // 4

"""`bidhall recompute FILE`: anybody's check of the calculation rules, without a database and without changing
anything.

The file holds vectors, each naming a method with params and inputs; the answer names each vector's outputs, or its
error as `{"error": "code at place: what was expected"}`. A wrong vector is an answer; only a file that cannot be
understood at all is refused. JSON numbers with a point or an exponent are kept apart while reading, so that no binary
float is ever made of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from trading.kernel.errors import Refusal
from trading.kernel.exact import Answer, BadValue, record, take


class BadFile(ValueError):
    """The file is no list of vectors; the reason is for standard error."""


class InexactNumber:
    """A JSON number with a point or an exponent: no reader of values takes it."""


@cache
def methods() -> dict[str, Answer]:
    """Every calculation rule by name, gathered from the files that own them. A name given twice is a defect."""
    from deposits.refunds import rules
    from evaluation.collusion import devices, payers, prices
    from evaluation.methods import (
        abnormal_prices,
        corrections,
        expert_scores,
        panel_rules,
        policy,
        price_scores,
        ranking,
        works_prices,
        works_reviews,
    )
    from trading.kernel import deadlines, ids
    from trading.opening import rules as opening_rules
    from trading.reports import statistics

    found: dict[str, Answer] = {}
    for owner in (
        price_scores,
        policy,
        ranking,
        abnormal_prices,
        corrections,
        works_prices,
        works_reviews,
        expert_scores,
        panel_rules,
        deadlines,
        rules,
        statistics,
        ids,
        devices,
        payers,
        prices,
        opening_rules,
    ):
        twice = found.keys() & owner.METHODS.keys()
        if twice:
            raise RuntimeError(f"two files answer {sorted(twice)}")
        found |= owner.METHODS
    return found


def read_vectors(data: bytes) -> list[Mapping[str, Any]]:
    """The vectors of a file. Refuses: BadFile, when it is not JSON in UTF-8 or not an object with vectors that have
    ids of their own.
    """
    try:
        held = json.loads(
            data.decode("utf-8-sig"),
            parse_float=lambda _: InexactNumber(),
            parse_constant=_no_constant,
            parse_int=lambda digits: int(Decimal(digits)),
        )  # int(str) stops at 4300 digits
    except UnicodeDecodeError as error:
        raise BadFile(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise BadFile(f"not JSON: {error}") from None
    if not isinstance(held, dict) or not isinstance(held.get("vectors"), list):
        raise BadFile('not an object with a list "vectors"')
    seen: set[str] = set()
    for position, vector in enumerate(held["vectors"]):
        name = vector.get("id") if isinstance(vector, dict) else None
        if not isinstance(name, str):
            raise BadFile(f'vectors[{position}] is not an object with a string "id"')
        if name in seen:
            raise BadFile(f"the id {name!r} stands twice")
        seen.add(name)
    return held["vectors"]


def answer(vector: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of one vector, or `{"error": text}` with a code first."""
    name = vector.get("method")
    try:
        rule = methods().get(name) if isinstance(name, str) else None
        if rule is None:
            raise BadValue("unknown_method", "method", "the name of a calculation rule")
        return rule(take(vector, "params", record, default={}), take(vector, "inputs", record))
    except (BadValue, Refusal) as error:
        return {"error": str(error)}
    except (OverflowError, RecursionError) as error:
        return {"error": f"out_of_range: {error or type(error).__name__}"}
    except Exception as error:  # a defect of ours must not cost the answers to the other vectors
        return {"error": f"defect in {name}: {type(error).__name__}: {error}"}


def answers(data: bytes) -> dict[str, dict[str, Any]]:
    """An answer for every vector of the file, by its id. Refuses: BadFile."""
    return {vector["id"]: answer(vector) for vector in read_vectors(data)}


def recompute(
    source: str, *, stdin: BinaryIO | None = None, out: BinaryIO | None = None, err: TextIO | None = None
) -> int:
    """The command: read `source` (a path, or `-` for standard input), write the answers as JSON in UTF-8, return the
    exit code.

    0: every vector has an answer, be it an error. 2: the file cannot be used; the reason is on standard error,
    nothing on the output.
    """
    err = err or sys.stderr
    try:
        data = (stdin or sys.stdin.buffer).read() if source == "-" else Path(source).read_bytes()
        found = answers(data)
    except BadFile as error:
        print(f"bidhall recompute: {source}: {error}", file=err)
        return 2
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        print(f"bidhall recompute: {source}: cannot be read: {error}", file=err)
        return 2
    (out or sys.stdout.buffer).write(_written(found) + b"\n")
    return 0


def _written(found: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(found, ensure_ascii=False, indent=1).encode("utf-8")
    except UnicodeEncodeError:  # an id with half a surrogate pair, which JSON can name and UTF-8 cannot
        return json.dumps(found, ensure_ascii=True, indent=1).encode("ascii")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

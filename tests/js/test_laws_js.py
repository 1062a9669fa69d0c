"""The laws of tests/laws/test_envelope.py on the other side: files are changed and shares handed in, and the modules of the browser (in
node) refuse each with the very code that Python gives, name the same officer, and read the same seed."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crypto import headers, sealed_bid
from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from tests.js.serving import ROOT
from tests.laws import test_envelope as laws

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node found: the laws were NOT tried in JavaScript")
SEEDS = [20260301, 7, 424242]
"""Each begins another row of changes; the changes are the same on every machine."""


def js(job: dict[str, Any]) -> Any:
    assert NODE is not None
    done = subprocess.run(
        [NODE, "tests/js/laws.mjs"],
        cwd=ROOT,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changes_of(one: laws.Sealed, source: random.Random) -> list[dict[str, Any]]:
    """Bits in the magic, the length, the header, the chunks; cuts, additions, chunks in another order or number."""
    count, size = len(one.chunks), len(one.data)
    places = [0, 7, 8, 9, 10, 11, 12, one.first - 1, one.first, size - 1]
    places += [source.randrange(12, one.first) for _ in range(30)] + [
        source.randrange(one.first, size) for _ in range(10)
    ]
    found: list[dict[str, Any]] = [{"how": "flip", "at": at, "by": 1 << source.randrange(8)} for at in places]
    found += [
        {"how": "cut", "at": at} for at in (0, 11, 12, one.first - 1, one.first, size - 1, source.randrange(size))
    ]
    found += [{"how": "append", "more": b64u(source.randbytes(n))} for n in (1, 16, 40)]
    orders = [source.choices(range(count), k=source.randrange(count + 2)) for _ in range(8)]
    found += [{"how": "order", "order": order} for order in [list(range(count))[::-1], [0] * count, *orders]]
    return [*found, {"how": "none"}]


def changed(one: laws.Sealed, change: dict[str, Any]) -> bytes:
    if change["how"] == "flip":
        data = bytearray(one.data)
        data[change["at"]] ^= change["by"]
        return bytes(data)
    if change["how"] == "cut":
        return one.data[: change["at"]]
    if change["how"] == "append":
        return one.data + unb64u(change["more"])
    if change["how"] == "order":
        return one.data[: one.first] + b"".join(one.chunks[i] for i in change["order"])
    return one.data


def said(act: Any) -> str:
    try:
        act()
    except CryptoError as error:
        return error.code
    return "opened"


@pytest.mark.parametrize("start", SEEDS)
def test_every_change_is_refused_with_the_same_code(start: int, tmp_path: Path) -> None:
    source = random.Random(start)
    nonsense = laws.seal(b"\xff" * 4 + bytes(600_000))
    rows = [laws.large(), laws.seal(laws.content_of([10])), nonsense]
    job: list[dict[str, Any]] = []
    wanted: list[list[str]] = []
    for at, one in enumerate(rows):
        path = tmp_path / str(at)
        path.write_bytes(one.data)
        changes = changes_of(one, source)
        job.append(
            {"path": str(path), "seed": b64u(one.seed), "root": b64u(one.root), "first": one.first, "changes": changes}
        )
        wanted.append(
            [
                said(lambda one=one, change=change: sealed_bid.open(io.BytesIO(changed(one, change)), one.seed))
                for change in changes
            ]
        )
    answer = js({"files": job, "shares": [], "fitting": []})["files"]
    for one, row, codes, told in zip(rows, job, wanted, answer, strict=True):
        for change, code, found in zip(row["changes"], codes, told, strict=True):
            assert found["unsigned"]["code"] == code, change
            same = changed(one, change) == one.data
            # With the signed root and not one share: other bytes are refused as such before anybody is asked for shares.
            assert found["signed"]["code"] in ({"TOO_FEW_SHARES"} if same else {"SEALED_ROOT", *laws.STRUCTURE}), (
                change,
                found,
            )
    came = {code for codes in wanted for code in codes}
    assert {
        "FORMAT",
        "SIZE",
        "HEADER_CANONICAL",
        "HEADER_SCHEMA",
        "REDERIVE",
        "CHUNK_AUTH",
        "MANIFEST",
        "opened",
    } <= came


@pytest.mark.parametrize("start", SEEDS)
def test_shares_join_alike_and_the_same_officer_is_named(start: int) -> None:
    source, cases = random.Random(start), []
    wanted: list[dict[str, Any]] = []
    for _ in range(150):
        n = source.randrange(2, 16)
        one = laws.shared(source.randrange(2, n + 1), n, source.random() < 0.4)
        parts = {j: part for j, part in one.parts.items() if source.random() < 0.8}
        for j in [j for j in parts if source.random() < 0.2]:
            parts[j] = bytes(32)
        order = list(parts)
        source.shuffle(order)
        cases.append({"header": b64u(one.header.raw), "parts": [[j, b64u(parts[j])] for j in order]})
        try:
            wanted.append({"seed": b64u(headers.join_shares(one.header, parts))})
        except CryptoError as error:
            wanted.append({"code": error.code, "j": error.index if error.code == "SHARE_COMMIT" else None})
    assert js({"files": [], "shares": cases, "fitting": []})["shares"] == wanted
    assert {row.get("code", "seed") for row in wanted} == {
        "seed",
        "SHARE_COMMIT",
        "TOO_FEW_SHARES",
        "BIDDER_PART_MISSING",
    }


def test_one_share_too_few_fits_every_secret_alike() -> None:
    source, cases = random.Random(5), []
    for _ in range(40):
        n = source.randrange(2, 16)
        t = source.randrange(2, n + 1)
        order = source.sample(range(1, n + 1), t)
        cases.append(
            {
                "t": t,
                "secret": b64u(source.randbytes(1)),
                "coefficients": [b64u(source.randbytes(1)) for _ in range(t - 1)],
                "few": order[:-1],
                "last": order[-1],
            }
        )
    for case, found in zip(cases, js({"files": [], "shares": [], "fitting": cases})["fitting"], strict=True):
        assert found == {"secrets": 256, "whole": unb64u(case["secret"], 1)[0]}

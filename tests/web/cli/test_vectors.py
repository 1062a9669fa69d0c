"""The protocol's published vectors, put to the commands as files: somebody else's bytes, receipts and shares."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import H, b64u, unb64u
from crypto.documents import sign_document
from tests.crypto.test_sealed_bid import rebuilt
from tests.crypto.vectors import vec
from tests.kit.commands import Desk

SEALED = [case for case in vec("sealed") if case.get("sealed_base64")]
RECEIPT = vec("receipt")
TRUST = {
    "origin": RECEIPT["origin"],
    "log_key": RECEIPT["vkey_log"],
    "platform_keys": [b64u(bytes.fromhex(vec("keys")["platform_sign"]["pk"]))],
    "supervisor_keys": [],
    "witnesses": [RECEIPT["vkey_witness"]],
    "quorum": 0,
}


def test_there_are_whole_files_among_the_vectors() -> None:
    assert SEALED


@pytest.mark.parametrize("case", SEALED, ids=lambda case: case["id"])
def test_inspect_finds_what_the_vectors_say(desk: Desk, case: dict[str, Any]) -> None:
    told = desk.run("inspect", desk.write("bid", base64.b64decode(case["sealed_base64"])), "--json").json
    assert told["ok"] and told["size"] == case["sealed_size"] and told["ctx"] == case["ctx"]
    assert (
        unb64u(told["header_hash"]).hex() == case["header_hash"]
        and unb64u(told["sealed_root"]).hex() == case["sealed_root"]
    )


@pytest.mark.parametrize("name", ["before", "after", "after_small_log", "refused_many"])
def test_receipts_of_the_vectors(desk: Desk, name: str) -> None:
    ran = desk.run("receipt", desk.write("r.json", RECEIPT[name]), "--trust", desk.write("t.json", TRUST), "--json")
    assert ran.code == 0, ran.out
    assert ran.json["state"] == ("submitted" if name == "before" else "in_log")
    assert name == "refused_many" or unb64u(ran.json["c"]).hex() == RECEIPT["commitment"]


@pytest.mark.parametrize("case", vec("bad_receipts"), ids=lambda case: case["id"])
def test_bad_receipts_of_the_vectors(desk: Desk, case: dict[str, Any]) -> None:
    ran = desk.run("receipt", desk.write("r.json", case["receipt"]), "--trust", desk.write("t.json", TRUST), "--json")
    assert (ran.code, ran.json["ok"], ran.json["code"]) == (1, False, case["expect"])


def shares_of(desk: Desk, parts: dict[str, str], data: bytes) -> list[str]:
    """A document for each part of a vector; nobody's signature is asked for, the commitments are."""
    name = b64u(H("header", data[12 : 12 + int.from_bytes(data[8:12], "big")]))
    head: dict[str, Any] = {"v": 1, "at": "2026-03-01T01:34:00Z", "set": b64u(bytes(32))}
    files = []
    for j, part in parts.items():
        text = b64u(bytes.fromhex(part))
        kind, document = (
            ("shares", {**head, "j": int(j), "items": [{"header_hash": name, "part": text, "error": ""}]})
            if int(j)
            else ("bidder-part", {**head, "header_hash": name, "part": text})
        )
        files.append(desk.write(f"s{j}.json", sign_document(kind, document, bytes(range(32)))))
    return files


@pytest.mark.parametrize("case", SEALED, ids=lambda case: case["id"])
def test_open_finds_what_was_sealed_from_every_quorum(desk: Desk, case: dict[str, Any]) -> None:
    data = base64.b64decode(case["sealed_base64"])
    for number, quorum in enumerate(case["open_with"]):
        shares = shares_of(desk, {str(j): case["parts"][str(j)] for j in quorum}, data)
        out = desk.path(f"out{number}")
        ran = desk.run("open", desk.write("bid", data), "--shares", *shares, "-o", out, "--json")
        assert ran.code == 0, ran.err
        assert ran.json["announce"] == case["manifest"]["announce"] == json.loads(Path(out, "form.json").read_bytes())
        for item in case["manifest"]["files"]:
            assert Path(out, "files", item["name"]).stat().st_size == item["size"]


@pytest.mark.parametrize("case", vec("bad"), ids=lambda case: case["id"])
def test_tampered_files_of_the_vectors(desk: Desk, case: dict[str, Any]) -> None:
    """`open` names what is wrong; what needs no keys to see, `inspect` names by the same code."""
    data = rebuilt(case)
    bid = desk.write("bid", data)
    ran = desk.run("open", bid, "--shares", *shares_of(desk, case["shares"], data), "-o", desk.path("out"))
    assert ran.code == 1 and f"[{case['expect']}]" in ran.err, ran.err
    assert not Path(desk.path("out")).exists()
    seen = desk.run("inspect", bid, "--json")
    plain = case["expect"] in ("FORMAT", "SIZE", "HEADER_CANONICAL")
    assert (seen.code, seen.json["code"]) == ((1, case["expect"]) if plain else (0, ""))

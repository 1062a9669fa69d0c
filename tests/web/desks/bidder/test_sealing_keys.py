"""The keys the sealing page goes by, over what the platform really hands to it: its own modules, in node, on honest and forged data."""

from __future__ import annotations

import copy
import json
import shutil
from typing import Any

import pytest

from crypto.canonical import b64u, unb64u
from crypto.checkpoints import LOG_KEY, NoteKey
from crypto.documents import sign_document
from crypto.keys import ed25519_public, kid, x25519_public
from crypto.signatures import payload_of
from tests.js.test_cross import js
from tests.web.desks.rooms import Rooms

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node found: the page's checks were NOT run")
THIEF = bytes([7]) * 32


@pytest.fixture
def held(rooms: Rooms) -> dict[str, Any]:
    """What the sealing page of a lot is handed."""
    lot = rooms.world.lot("BIDDING")
    rooms.world.take_part(lot, "bidder1")
    return dict(rooms.person("bidder1", "bidder-signer").get(f"/bidder/lots/{lot}/data").json)


def forged(held: dict[str, Any], platform: bytes, *, renamed: bool, signers: int = 15) -> dict[str, Any]:
    """The policy sealed to keys of the thief's, signed with the platform's key and the thief's under the officers' key ids or their own."""
    policy = json.loads(payload_of(held["policy"]))
    own = [bytes([number]) * 32 for number in range(1, policy["n"] + 1)]
    for officer, secret in zip(policy["officers"], own, strict=True):
        officer["pk"] = b64u(x25519_public(secret))
        if renamed:
            officer["sign_kid"] = kid("ed25519", ed25519_public(secret))
    envelope = sign_document("policy", policy, platform, *own[:signers])
    for row, officer in zip(envelope["signatures"][1:], policy["officers"], strict=False):
        row["keyid"] = officer["sign_kid"]
    return {**held, "policy": envelope}


def enrolled(held: dict[str, Any], index: int, *, vouching: bytes = b"") -> dict[str, Any]:
    """An enrolment of the thief's key in an officer's name, under the receipt of the officer's own."""
    row = copy.deepcopy(held["enrolments"][index])
    was = json.loads(payload_of(row["document"]))
    before = kid("ed25519", unb64u(was["sign_pk"], 32)) if vouching else ""
    mine = was | {"sign_pk": b64u(ed25519_public(bytes([index + 1]) * 32)), "replaces": before}
    keys = (bytes([index + 1]) * 32, vouching) if vouching else (bytes([index + 1]) * 32,)
    row["document"] = sign_document("enrolment", mine, *keys)
    return row


@pytest.mark.promise("S3")
def test_the_page_refuses_what_the_platforms_key_alone_can_hand_out(rooms: Rooms, held: dict[str, Any]) -> None:
    platform, own = rooms.world.office.keys.signing, ed25519_public(THIEF)
    first = js("sealing_keys", tries=[{"held": held, "known": None}])[0]
    assert first["id"] == held["policy_id"]
    fresh = {one["who"]: one["key"] for one in first["fresh"]}
    assert fresh["platform"] == b64u(rooms.world.office.keys.public) and "log" in fresh
    assert fresh["officer1"] == b64u(ed25519_public(rooms.world.keys["officer1"].sign)) and "officer5" in fresh
    known = first["known"]
    log = str(NoteKey(held["trust"]["origin"], LOG_KEY, own))
    supervisors = [*held["trust"]["supervisor_keys"], b64u(own)]
    renamed = forged(held, platform, renamed=True)
    tries: dict[str, tuple[dict[str, Any], Any, str]] = {
        "officers named, signed by others": (forged(held, platform, renamed=False), None, "SIG"),
        "the platform's signature alone": (forged(held, platform, renamed=False, signers=0), None, "SIG"),
        "officers' names with other keys": (renamed, None, "SIG"),
        "and an enrolment nobody logged": (
            {**renamed, "enrolments": [enrolled(held, number) for number in range(5)]},
            None,
            "CONTEXT_MISMATCH",
        ),
        "no enrolments": ({**held, "enrolments": []}, None, "SIG"),
        "a log of the thief's": ({**held, "trust": {**held["trust"], "log_key": log}}, known, "log"),
        "a platform key of the thief's": (
            {**held, "trust": {**held["trust"], "platform_keys": [b64u(own)]}},
            known,
            "platform",
        ),
        "a supervisor of the thief's vouches": (
            {
                **held,
                "trust": {**held["trust"], "supervisor_keys": supervisors},
                "enrolments": [*held["enrolments"], enrolled(held, 0, vouching=THIEF)],
            },
            known,
            "supervisor",
        ),
        "an officer known with another key": (
            held,
            {**known, "officers": {**known["officers"], "officer2": b64u(own)}},
            "officer2",
        ),
        "honest again": (held, known, ""),
    }
    found = js("sealing_keys", tries=[{"held": data, "known": kept} for data, kept, _ in tries.values()])
    for (what, (_, kept, wanted)), answer in zip(tries.items(), found, strict=True):
        if not wanted:
            assert (answer["id"], answer["fresh"]) == (held["policy_id"], []), what
        elif kept is None:
            assert answer == {"code": wanted, "changed": None}, (what, answer)
        else:
            assert answer["code"] == "known.changed" and answer["changed"]["who"] == wanted, (what, answer)

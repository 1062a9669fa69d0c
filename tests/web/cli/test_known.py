"""What a person's own folder remembers of the platform's keys and the officers': said at the first use, held against at every later one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u, unb64u
from crypto.checkpoints import LOG_KEY, NoteKey
from crypto.documents import sign_document
from crypto.keys import ed25519_public, kid
from crypto.recovery import key_words
from crypto.signatures import payload_of
from crypto.trust import trust_of
from tests.kit import commands
from tests.kit.commands import Desk
from tests.kit.world import World
from tests.web.cli.test_seal import forged, prepare
from trading.kernel.errors import Conflict
from web.cli.known import Known

THIEF = bytes([7]) * 32


def spoken(key: bytes, lang: str = "en") -> str:
    return " · ".join(key_words("ed25519", key, lang))


def seal(desk: Desk, world: World, lot: str, name: str, *more: str) -> commands.Ran:
    return desk.run(*prepare(desk, world, lot), "-o", desk.path(name), *more)


def test_the_first_use_says_what_was_not_checked_and_the_second_knows(desk: Desk, world: World, lot: str) -> None:
    first = seal(desk, world, lot, "a", "--json")
    assert first.code == 0 and first.json["trust"] == "enclosed" and "Not checked" in first.err
    told = {one["who"]: one["words"] for one in first.json["not_checked"]}
    assert told["the platform"] == spoken(world.office.keys.public)
    assert told["officer1"] == spoken(ed25519_public(world.keys["officer1"].sign)) and told["officer1"] in first.err
    assert {"the public log", "officer5"} <= told.keys()
    assert os.stat(desk.path("keys.json.known")).st_mode & 0o777 == 0o600
    again = seal(desk, world, lot, "b", "--json")
    assert (again.code, again.json["trust"], again.json["not_checked"]) == (0, "known", [])
    assert "Not checked" not in again.err


def test_nothing_is_remembered_of_a_ticket_that_was_refused(desk: Desk, world: World, lot: str) -> None:
    arguments = prepare(desk, world, lot)
    desk.write("form.json", {"price": "0"})
    assert desk.run(*arguments, "-o", desk.path("a")).code == 2
    assert not Path(desk.path("keys.json.known")).exists()


@pytest.mark.promise("S3")
def test_who_brings_a_log_or_officers_of_its_own_is_stopped_by_what_is_known(
    desk: Desk, world: World, lot: str
) -> None:
    assert seal(desk, world, lot, "a").code == 0
    arguments, ticket = prepare(desk, world, lot), json.loads(payload_of(commands.ticket(world, lot)))
    policy, platform = json.loads(payload_of(json.loads(ticket["policy"]))), world.office.keys.signing
    own = ed25519_public(THIEF)
    log = str(NoteKey(ticket["trust"]["origin"], LOG_KEY, own))
    tries = {
        "a log of the thief's": (platform, {**ticket["trust"], "log_key": log}, "the public log"),
        "a platform key of the thief's": (
            THIEF,
            {**ticket["trust"], "platform_keys": [b64u(own)]},
            "the platform",
        ),
    }
    for what, (signer, trust, who) in tries.items():
        desk.write("ticket.json", forged(ticket, policy, [THIEF], signer, trust=trust))
        ran = desk.run(*arguments, "-o", desk.path("b"))
        assert ran.code == 1 and "[known.changed]" in ran.err and f"The key of {who}" in ran.err, (what, ran.err)
        assert spoken(own) in ran.err and desk.path("keys.json.known") in ran.err, what
        assert not Path(desk.path("b")).exists(), what
    ran = desk.run(*arguments, "-o", desk.path("b"), "--lang", "zh")
    assert "平台 的公钥与本机记录的不同" in ran.err and spoken(own, "zh") in ran.err


@pytest.mark.promise("S3")
def test_a_supervisor_nobody_knows_cannot_vouch_for_an_officers_new_key(desk: Desk, world: World, lot: str) -> None:
    """With platform and log key together: the officer's "lost" key, replaced by one a supervisor of the thief's has signed for."""
    assert seal(desk, world, lot, "a").code == 0
    arguments, ticket = prepare(desk, world, lot), json.loads(payload_of(commands.ticket(world, lot)))
    supervisor = bytes([8]) * 32
    row = json.loads(ticket["enrolments"][0])
    was = json.loads(payload_of(row["document"]))
    lost = was | {"sign_pk": b64u(ed25519_public(THIEF)), "replaces": kid("ed25519", unb64u(was["sign_pk"], 32))}
    ticket["enrolments"].append(
        json.dumps({"document": sign_document("enrolment", lost, THIEF, supervisor), "receipt": row["receipt"]})
    )
    ticket["trust"]["supervisor_keys"].append(b64u(ed25519_public(supervisor)))
    desk.write("ticket.json", sign_document("ticket", ticket, world.office.keys.signing))
    ran = desk.run(*arguments, "-o", desk.path("b"))
    assert ran.code == 1 and "[known.changed]" in ran.err and "The key of the supervisory body" in ran.err, ran.err


def test_an_officers_other_key_stops_and_keys_somebody_compared_go_on(desk: Desk, world: World, lot: str) -> None:
    assert seal(desk, world, lot, "a").code == 0
    known = desk.read("keys.json.known")
    known["known"][0]["officers"]["officer2"] = b64u(ed25519_public(THIEF))
    desk.write("keys.json.known", known)
    ran = seal(desk, world, lot, "b")
    now = ed25519_public(world.keys["officer2"].sign)
    assert ran.code == 1 and "[known.changed]" in ran.err and "The key of officer2" in ran.err
    assert spoken(ed25519_public(THIEF)) in ran.err and spoken(now) in ran.err
    ticket = json.loads(payload_of(commands.ticket(world, lot)))
    keys = [json.loads(payload_of(json.loads(row)["document"]))["sign_pk"] for row in ticket["enrolments"]]
    compared = desk.write("compared.json", {**ticket["trust"], "officer_keys": keys})
    assert seal(desk, world, lot, "c", "--trust", compared).code == 0
    ran = seal(desk, world, lot, "d", "--json")
    assert ran.code == 0 and ran.json["trust"] == "known"


def test_keys_given_by_hand_leave_nothing_unchecked(desk: Desk, world: World, lot: str) -> None:
    ticket = json.loads(payload_of(commands.ticket(world, lot)))
    keys = [json.loads(payload_of(json.loads(row)["document"]))["sign_pk"] for row in ticket["enrolments"]]
    whole = desk.write("whole.json", {**ticket["trust"], "officer_keys": keys})
    platform = desk.write("platform.json", ticket["trust"])
    assert seal(desk, world, lot, "a", "--trust", whole, "--known", desk.path("k1"), "--json").json["not_checked"] == []
    only = seal(desk, world, lot, "b", "--trust", platform, "--known", desk.path("k2"), "--json").json["not_checked"]
    assert [one["who"] for one in only] == [f"officer{j}" for j in range(1, 6)]


def test_a_key_that_follows_is_said_and_remembered(tmp_path: Path, desk: Desk, world: World, lot: str) -> None:
    trust = trust_of(json.loads(payload_of(commands.ticket(world, lot)))["trust"])
    first, second, other = (ed25519_public(bytes([number]) * 32) for number in (1, 2, 3))
    path = tmp_path / "known"
    Known(path, "here", "en").keep(trust, {"Li": [first]})
    assert Known(path, "here", "en").follow({"Li": [first, second], "Wu": [other]}) == ["Wu"]
    Known(path, "here", "en").keep(trust, {"Li": [first, second]})
    for chain in ([first], [other], [first, other]):
        with pytest.raises(Conflict) as refused:
            Known(path, "here", "en").follow({"Li": chain})
        assert refused.value.code == "known.changed" and refused.value.facts["before"] == spoken(second)
    assert Known(path, "elsewhere", "en").trust is None


@pytest.mark.parametrize("value", [{"type": "x"}, [], {"type": "bidhall-known-keys", "v": 1, "known": [{}]}])
def test_another_file_is_not_taken_for_what_is_known(desk: Desk, world: World, lot: str, value: Any) -> None:
    known = desk.write("other", value)
    ran = seal(desk, world, lot, "a", "--known", known)
    assert ran.code == 2 and "not the keys seen before" in ran.err

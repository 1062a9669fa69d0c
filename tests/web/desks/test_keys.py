"""Keys: challenge, enrolment, rotation, whose key it is, the recovery sheet; and a key lost, vouched for by the supervisor."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from crypto import hpke, keys, signatures
from crypto.canonical import b64u, format_time, unb64u
from crypto.recovery import key_words
from tests.kit.world import Keys
from tests.web.desks.rooms import Person, Rooms
from trading.kernel.access import Role
from trading.parties import enrolments, parties


@pytest.fixture
def bidder(rooms: Rooms) -> Person:
    return rooms.person("bidder1", "bidder-signer")


def enrolment(rooms: Rooms, person: Person, new: Keys, *signers: bytes, seal: bool = True) -> dict[str, Any]:
    held = person.get("/account/keys/data").json
    document = enrolments.enrolment_document(
        platform=held["platform"],
        holder=held["party"],
        role=held["role"],
        sign_public=keys.ed25519_public(new.sign),
        seal_public=keys.x25519_public(new.seal) if seal else None,
        replaces=held["current"]["kid"] if held["current"] else "",
        at=format_time(rooms.world.now),
    )
    return dict(signatures.sign("enrolment", document, new.sign, *signers))


def answer(person: Person, new: Keys) -> str:
    box = person.act(
        "/account/keys/acts/challenge", page="/account/keys", json=True, seal_pk=b64u(keys.x25519_public(new.seal))
    )
    assert box.status_code == 200
    return b64u(hpke.open_box(new.seal, unb64u(box.json["enc"]), unb64u(box.json["ct"]), b"bidhall/sb1/enrol"))


def test_a_key_is_replaced_with_both_signatures_and_proof(rooms: Rooms, bidder: Person) -> None:
    old, new = rooms.world.keys["bidder1"], Keys()
    before = bidder.get("/account/keys/data").json["current"]["kid"]
    alone = json.dumps(enrolment(rooms, bidder, new))
    lone = bidder.act("/account/keys/acts/enrol", json=True, enrolment=alone, answer=answer(bidder, new))
    assert lone.status_code == 422 and lone.json["code"] == "key.refused"
    envelope = json.dumps(enrolment(rooms, bidder, new, old.sign))
    unproved = bidder.act(
        "/account/keys/acts/enrol", page="/account/keys", json=True, enrolment=envelope, answer=b64u(b"\0" * 32)
    )
    assert unproved.status_code == 422 and unproved.json["code"] == "key.wrong_answer"
    done = bidder.act("/account/keys/acts/enrol", page="/account/keys", enrolment=envelope, answer=answer(bidder, new))
    assert done.status_code == 303 and done.location == "/account/keys"
    after = bidder.get("/account/keys/data").json["current"]
    assert after["kid"] == keys.kid("ed25519", keys.ed25519_public(new.sign)) != before
    sheet = bidder.get("/account/keys/sheet?lang=en").text
    assert keys.fingerprint("ed25519", keys.ed25519_public(new.sign)) in sheet and b64u(new.sign) not in sheet
    assert re.search(r"Open https?://[^/ ]+/account/keys/restore", sheet), "paper says where to go"


def test_a_lost_key_is_vouched_for_by_the_supervisor(rooms: Rooms, bidder: Person) -> None:
    new = Keys()
    stranger = json.dumps(enrolment(rooms, bidder, new, Keys().sign))
    refused = bidder.act(
        "/account/keys/acts/enrol", page="/account/keys", json=True, enrolment=stranger, answer=answer(bidder, new)
    )
    assert refused.status_code == 422 and refused.json["code"] == "key.refused"
    vouched = json.dumps(enrolment(rooms, bidder, new, rooms.world.keys["watch"].sign))
    assert (
        bidder.act(
            "/account/keys/acts/enrol", page="/account/keys", enrolment=vouched, answer=answer(bidder, new)
        ).status_code
        == 303
    )


def test_the_desk_names_whose_key_it_is(rooms: Rooms) -> None:
    for username, role, holder in (
        ("bidder1", "bidder", None),
        ("officer1", "officer", "officer1"),
        ("buyer", "tenderee", None),
        ("watch", "supervisor", "watch"),
        ("agent", "agency", None),
    ):
        person = rooms.person(username, "bidder-signer" if role == "bidder" else "")
        held = person.get("/account/keys/data").json
        with rooms.world.view("clock") as view:
            code = parties.account(view.session, rooms.world.people[username]).party.code
        assert (held["role"], held["party"]) == (role, holder or code)
        assert held["needs_seal"] is (role == "bidder")
        for lang in ("zh", "en"):
            assert person.get(f"/account/keys?lang={lang}").status_code == 200
    assert rooms.person("clerk").get("/account/keys").status_code == 403
    assert rooms.person("bidder1", str(Role.BIDDER_OPERATOR.value)).get("/account/keys").status_code == 403


def test_what_is_pasted_wrongly_is_named(rooms: Rooms, bidder: Person) -> None:
    page = bidder.act("/account/keys/acts/enrol", page="/account/keys", enrolment="not json", answer="")
    assert page.status_code == 422 and "not json" in page.text
    bad = bidder.act("/account/keys/acts/challenge", page="/account/keys", json=True, seal_pk=b64u(b"\0" * 32))
    assert bad.status_code == 422 and bad.json["code"] == "key.bad"


def test_a_lost_key_goes_to_the_supervisor_by_the_pages(rooms: Rooms, bidder: Person) -> None:
    watch, new = rooms.person("watch"), Keys()
    lone = json.dumps(enrolment(rooms, bidder, new))
    empty = bidder.act(
        "/account/keys/acts/ask", page="/account/keys", json=True, enrolment=lone, answer=answer(bidder, new), reason=""
    )
    assert empty.status_code == 422
    done = bidder.act(
        "/account/keys/acts/ask", page="/account/keys", enrolment=lone, answer=answer(bidder, new), reason="硬盘损坏"
    )
    assert done.status_code == 303
    page = watch.get("/account/keys/requests?lang=en").text
    assert "硬盘损坏" in page and " · ".join(key_words("ed25519", keys.ed25519_public(new.sign), "en")) in page
    with rooms.world.view("watch") as view:
        row = enrolments.requests(view)[0]
        ident, both = row.id, signatures.countersign(signatures.from_text(row.document), rooms.world.keys["watch"].sign)
    where = f"/account/keys/requests/{ident}/acts/"
    unsaid = watch.act(where + "refuse", page="/account/keys/requests", request=str(ident), reason="电话打不通" * 100)
    assert unsaid.status_code == 422 and "电话打不通" in unsaid.text and '<details class="small" open>' in unsaid.text
    assert bidder.act(where + "confirm", page="/account/keys", enrolment=json.dumps(both)).status_code == 403
    assert watch.act(where + "confirm", page="/account/keys/requests", enrolment=json.dumps(both)).status_code == 303
    after = bidder.get("/account/keys/data").json["current"]
    assert after["kid"] == keys.kid("ed25519", keys.ed25519_public(new.sign)) and not after["ended"]
    assert "lost, replaced with the supervisor" in bidder.get("/account/keys?lang=en").text


def test_a_key_is_revoked_with_a_reason_and_a_sure_hand(rooms: Rooms, bidder: Person) -> None:
    page = bidder.get("/account/keys/lost?lang=en").text
    assert (
        "A bid you have submitted stays valid and sealed" in page and "neither hand in nor replace nor withdraw" in page
    )
    assert bidder.act("/account/keys/acts/revoke", page="/account/keys/lost", reason="电脑失窃").status_code == 422
    assert (
        bidder.act("/account/keys/acts/revoke", page="/account/keys/lost", reason="电脑失窃", sure="yes").status_code
        == 303
    )
    assert "Your key is revoked" in bidder.get("/account/keys?lang=en").text
    assert bidder.get("/account/keys/data").json["current"]["ended"] is True
    for lang in ("zh", "en"):
        assert bidder.get(f"/account/keys/lost?lang={lang}").status_code == 200
        assert bidder.get(f"/account/keys/restore?lang={lang}").status_code == 200

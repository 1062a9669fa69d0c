"""Key enrolment: proof of possession, the replaced key's signature, and keys no policy may hold (protocol §2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crypto import hpke, keys, signatures
from crypto.canonical import b64u, format_time, unb64u
from tests.kit.world import SETUP, Keys, World
from trading import enrolments, parties
from trading.enrolments import EnrolledKey
from trading.kernel.access import Role
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from trading.parties import Account


def document(world: World, username: str, role: str, held: Keys, *, replaces: bytes | None = None, **changes: Any) -> dict[str, Any]:
    with world.look(username) as look:
        account = parties.account(look.session, world.people[username])
        made = enrolments.enrolment_document(
            platform=world.office.platform, holder=enrolments.holder_of(account, role), role=role,
            sign_public=keys.ed25519_public(held.sign), seal_public=None, at=format_time(look.now),
            replaces=keys.kid("ed25519", keys.ed25519_public(replaces)) if replaces else "",
        )
    return made | changes


def enrol(world: World, username: str, role: str, envelope: Any, answer: str = "") -> EnrolledKey:
    with world.work(username) as work:
        return enrolments.enrol(work, parties.account(work.session, world.people[username]), role, envelope, answer=answer)


def test_enrolled_keys_stand_and_are_logged(world: World) -> None:
    with world.look("clerk") as look:
        key = enrolments.standing_key(look.session, look.session.get(Account, world.people["bidder1"]).party.code, "bidder")
        assert enrolments.sign_bytes(key) == keys.ed25519_public(world.keys["bidder1"].sign)
        logged = list(look.session.scalars(select(LogEntry).where(LogEntry.event == "key-enrolled")))
        assert len(logged) == len(list(look.session.scalars(select(EnrolledKey))))
        assert signatures.document_hash(signatures.payload_of(signatures.from_text(key.document))) in {entry.statement for entry in logged}


def test_rotation_needs_the_old_key_too(world: World) -> None:
    old, new = world.keys["officer1"], Keys()
    alone = signatures.sign("enrolment", document(world, "officer1", "officer", new, replaces=old.sign), new.sign)
    with pytest.raises(Invalid) as refusal:
        enrol(world, "officer1", "officer", alone)
    assert refusal.value.facts["reason"] == "SIG"
    world.enrol("officer1", "officer", seal=False, replaces=old.sign, new=new)
    with world.look("clerk") as look:
        assert enrolments.sign_bytes(enrolments.standing_key(look.session, "officer1", "officer")) == keys.ed25519_public(new.sign)
        ended = enrolments.key_by_kid(look.session, keys.kid("ed25519", keys.ed25519_public(old.sign)))
        assert ended.ended_at is not None


def test_a_second_first_key_is_refused(world: World) -> None:
    new = Keys()
    with pytest.raises(Invalid) as refusal:
        enrol(world, "officer1", "officer", signatures.sign("enrolment", document(world, "officer1", "officer", new), new.sign))
    assert refusal.value.facts["reason"] == "CONTEXT_MISMATCH"


def test_a_supervisor_vouches_for_a_lost_key_but_not_for_their_own(world: World) -> None:
    lost, new, watch = world.keys["officer2"], Keys(), world.keys["watch"]
    made = document(world, "officer2", "officer", new, replaces=lost.sign)
    enrol(world, "officer2", "officer", signatures.sign("enrolment", made, new.sign, watch.sign))
    third = Keys()
    own = document(world, "watch", "supervisor", third, replaces=watch.sign)
    stranger = Keys()
    with pytest.raises(Invalid, match="key.refused"):
        enrol(world, "watch", "supervisor", signatures.sign("enrolment", own, third.sign, stranger.sign))


@pytest.mark.parametrize(("field", "value"), [("party", "officer2"), ("platform", "elsewhere.example"), ("role", "expert")])
def test_an_enrolment_says_who_where_and_as_what(world: World, field: str, value: str) -> None:
    new, old = Keys(), world.keys["officer1"]
    made = document(world, "officer1", "officer", new, replaces=old.sign) | {field: value}
    with pytest.raises(Invalid) as refusal:
        enrol(world, "officer1", "officer", signatures.sign("enrolment", made, new.sign, old.sign))
    assert refusal.value.facts["fields"] == [field]


def test_an_old_or_future_enrolment_is_refused(world: World) -> None:
    new, old = Keys(), world.keys["officer1"]
    for shift in (timedelta(minutes=-11), timedelta(minutes=11)):
        made = document(world, "officer1", "officer", new, replaces=old.sign, at=format_time(world.now + shift))
        with pytest.raises(Invalid, match="key.context"):
            enrol(world, "officer1", "officer", signatures.sign("enrolment", made, new.sign, old.sign))


def test_the_sealing_key_must_open_its_challenge(world: World) -> None:
    old, new = world.keys["bidder1"], Keys()
    public = b64u(keys.x25519_public(new.seal))
    made = document(world, "bidder1", "bidder", new, replaces=old.sign, seal_pk=public)
    envelope = signatures.sign("enrolment", made, new.sign, old.sign)
    with pytest.raises(Invalid, match="key.not_challenged"):
        enrol(world, "bidder1", "bidder", envelope, b64u(bytes(32)))
    with world.work("bidder1") as work:
        box = enrolments.challenge(work, public)
    answer = b64u(hpke.open_box(new.seal, unb64u(box["enc"]), unb64u(box["ct"]), enrolments.CHALLENGE_INFO))
    for wrong in ("", "?", b64u(bytes(32))):
        with pytest.raises(Invalid, match="key.wrong_answer"):
            enrol(world, "bidder1", "bidder", envelope, wrong)
    world.clock.advance(minutes=11)
    with pytest.raises(Invalid, match="key.context"):  # by now the document itself is too old
        enrol(world, "bidder1", "bidder", envelope, answer)
    late = signatures.sign("enrolment", made | {"at": format_time(world.now)}, new.sign, old.sign)
    with pytest.raises(TooLate, match="key.challenge_old"):
        enrol(world, "bidder1", "bidder", late, answer)


def test_bad_x25519_keys_get_no_challenge(world: World) -> None:
    for bad in (bytes(32), b"\1" + bytes(31), b"\xff" * 32):
        with pytest.raises(Invalid, match="key.bad"), world.work("bidder1") as work:
            enrolments.challenge(work, b64u(bad))


def test_one_key_is_never_two_peoples(world: World) -> None:
    shared, old = world.keys["officer2"], world.keys["officer1"]
    made = document(world, "officer1", "officer", shared, replaces=old.sign)
    with pytest.raises(Conflict, match="key.known"):
        enrol(world, "officer1", "officer", signatures.sign("enrolment", made, shared.sign, old.sign))


def test_nobody_enrols_for_another_or_in_another_role(world: World) -> None:
    new = Keys()
    envelope = signatures.sign("enrolment", document(world, "officer1", "officer", new), new.sign)
    with pytest.raises(NotAllowed, match="key.not_yours"), world.work("officer2") as work:
        enrolments.enrol(work, parties.account(work.session, world.people["officer1"]), "officer", envelope)
    with pytest.raises(NotAllowed, match="key.not_yours"), world.work("officer1") as work:
        enrolments.enrol(work, parties.account(work.session, world.people["officer1"]), "supervisor", envelope)
    with pytest.raises(NotAllowed, match="access.role"), world.work("clerk") as work:
        enrolments.challenge(work, b64u(keys.x25519_public(new.seal)))


def test_the_name_of_the_drill_bid_is_nobodys(world: World) -> None:
    with world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        who = parties.invite(work, centre, username="drill", name="x", password="correct horse battery", roles=[Role.OFFICER])
        world.people["drill"] = who.id
    with pytest.raises(Invalid, match="key.name_reserved"):
        world.enrol("drill", "officer", seal=False)
    with pytest.raises(NotFound), world.look("clerk") as look:
        enrolments.standing_key(look.session, "drill", "officer")

"""Key enrolment: proof of possession, the replaced key's signature, and keys no policy may hold (protocol §2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crypto import hpke, keys, signatures
from crypto.canonical import b64u, format_time, unb64u
from tests.kit.world import SETUP, Keys, World
from trading.kernel.access import Role
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooLate
from trading.parties import enrolments, parties
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Account


def document(
    world: World, username: str, role: str, held: Keys, *, replaces: bytes | None = None, **changes: Any
) -> dict[str, Any]:
    with world.view(username) as view:
        account = parties.account(view.session, world.people[username])
        made = enrolments.enrolment_document(
            platform=world.office.platform,
            holder=enrolments.holder_of(account, role),
            role=role,
            sign_public=keys.ed25519_public(held.sign),
            seal_public=None,
            at=format_time(view.now),
            replaces=keys.kid("ed25519", keys.ed25519_public(replaces)) if replaces else "",
        )
    return made | changes


def enrol(world: World, username: str, role: str, envelope: Any, answer: str = "") -> EnrolledKey:
    with world.work(username) as work:
        return enrolments.enrol(
            work, parties.account(work.session, world.people[username]), role, envelope, answer=answer
        )


def test_enrolled_keys_stand_and_are_logged(world: World) -> None:
    with world.view("clerk") as view:
        key = enrolments.standing_key(
            view.session, view.session.get_one(Account, world.people["bidder1"]).party.code, "bidder"
        )
        assert enrolments.sign_bytes(key) == keys.ed25519_public(world.keys["bidder1"].sign)
        logged = list(view.session.scalars(select(LogEntry).where(LogEntry.event == "key-enrolled")))
        assert len(logged) == len(list(view.session.scalars(select(EnrolledKey))))
        assert signatures.document_hash(signatures.payload_of(signatures.from_text(key.document))) in {
            entry.statement for entry in logged
        }


def test_rotation_needs_the_old_key_too(world: World) -> None:
    old, new = world.keys["officer1"], Keys()
    alone = signatures.sign("enrolment", document(world, "officer1", "officer", new, replaces=old.sign), new.sign)
    with pytest.raises(Invalid) as refusal:
        enrol(world, "officer1", "officer", alone)
    assert refusal.value.facts["reason"] == "SIG"
    world.enrol("officer1", "officer", seal=False, replaces=old.sign, new=new)
    with world.view("clerk") as view:
        assert enrolments.sign_bytes(
            enrolments.standing_key(view.session, "officer1", "officer")
        ) == keys.ed25519_public(new.sign)
        ended = enrolments.key_by_kid(view.session, keys.kid("ed25519", keys.ed25519_public(old.sign)))
        assert ended.ended_at is not None


def test_a_second_first_key_is_refused(world: World) -> None:
    new = Keys()
    with pytest.raises(Invalid) as refusal:
        enrol(
            world,
            "officer1",
            "officer",
            signatures.sign("enrolment", document(world, "officer1", "officer", new), new.sign),
        )
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


@pytest.mark.parametrize(
    ("field", "value"), [("party", "officer2"), ("platform", "elsewhere.example"), ("role", "expert")]
)
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
        who = parties.invite(
            work, centre, username="drill", name="x", password="correct horse battery", roles=[Role.OFFICER]
        )
        world.people["drill"] = who.id
    with pytest.raises(Invalid, match="key.name_reserved"):
        world.enrol("drill", "officer", seal=False)
    with pytest.raises(NotFound), world.view("clerk") as view:
        enrolments.standing_key(view.session, "drill", "officer")


# --- revoked and lost -------------------------------------------------------------------------------------------------------------


def account_of(unit: Any, world: World, username: str) -> Account:
    return parties.account(unit.session, world.people[username])


def revoke(world: World, username: str, role: str, reason: str = "电脑失窃") -> None:
    with world.work(username) as work:
        enrolments.revoke(work, account_of(work, world, username), role, reason=reason)


def ask(world: World, username: str, role: str, new: Keys, reason: str = "硬盘损坏") -> int:
    lone = signatures.sign(
        "enrolment", document(world, username, role, new, replaces=world.keys[username].sign), new.sign
    )
    with world.work(username) as work:
        return enrolments.ask(work, account_of(work, world, username), role, lone, reason=reason).id


def vouch(world: World, ident: int, *, by: bytes | None = None, who: str = "watch") -> EnrolledKey:
    with world.work(who) as work:
        row = enrolments.request(work.session, ident)
        both = signatures.countersign(signatures.from_text(row.document), by or world.keys[who].sign)
        return enrolments.confirm(work, row, both)


def test_a_revoked_key_signs_nothing_more_not_even_its_successor(world: World) -> None:
    with pytest.raises(Invalid, match="form.required"):
        revoke(world, "officer1", "officer", " ")
    revoke(world, "officer1", "officer")
    old, new = world.keys["officer1"], Keys()
    with world.view("clerk") as view:
        assert enrolments.find_key(view.session, "officer1", "officer") is None
        assert (
            enrolments.key_by_kid(view.session, keys.kid("ed25519", keys.ed25519_public(old.sign))).end_reason
            == "revoked"
        )
    with pytest.raises(NotFound, match="key.not_enrolled"):
        revoke(world, "officer1", "officer")
    thief = signatures.sign(
        "enrolment", document(world, "officer1", "officer", new, replaces=old.sign), new.sign, old.sign
    )
    with pytest.raises(Invalid, match="key.revoked"):
        enrol(world, "officer1", "officer", thief)
    first = signatures.sign("enrolment", document(world, "officer1", "officer", new), new.sign)
    with pytest.raises(Invalid) as refusal:  # the chain is not cut: a "first" key would be the platform's to mint
        enrol(world, "officer1", "officer", first)
    assert refusal.value.facts["reason"] == "CONTEXT_MISMATCH"
    made = vouch(world, ask(world, "officer1", "officer", new))
    assert made.sign_kid == keys.kid("ed25519", keys.ed25519_public(new.sign))


def test_an_application_waits_for_a_supervisor_who_is_somebody_else(world: World) -> None:
    new = Keys()
    ident = ask(world, "officer2", "officer", new)
    world.clock.advance(hours=5)
    with pytest.raises(NotAllowed), world.work("agent") as work:
        enrolments.confirm(work, enrolments.request(work.session, ident), {})
    with pytest.raises(Invalid, match="key.refused"):
        vouch(world, ident, by=Keys().sign)
    with world.view("watch") as view:
        assert [row.id for row in enrolments.requests(view)] == [ident]
    vouch(world, ident)
    with world.view("watch") as view:
        assert enrolments.requests(view) == []
        standing = enrolments.standing_key(view.session, "officer2", "officer")
        assert enrolments.sign_bytes(standing) == keys.ed25519_public(new.sign)
        assert enrolments.request(view.session, ident).state == "CONFIRMED"
    with pytest.raises(Conflict, match="key.request_settled"):
        vouch(world, ident)


def test_nobody_vouches_for_their_own_application(world: World) -> None:
    ident = ask(world, "watch", "supervisor", Keys())
    with pytest.raises(NotAllowed, match="key.own_request"):
        vouch(world, ident)


def test_a_supervisor_signs_what_was_applied_for_and_nothing_else(world: World) -> None:
    new, other = Keys(), Keys()
    ident = ask(world, "officer2", "officer", new)
    made = document(world, "officer2", "officer", other, replaces=world.keys["officer2"].sign)
    slipped = signatures.sign("enrolment", made, other.sign, world.keys["watch"].sign)
    with pytest.raises(Invalid, match="key.refused"), world.work("watch") as work:
        enrolments.confirm(work, enrolments.request(work.session, ident), slipped)


def test_an_application_is_refused_with_words_withdrawn_by_the_next_and_grows_old(world: World) -> None:
    first = ask(world, "officer2", "officer", Keys())
    with pytest.raises(Invalid, match="form.required"), world.work("watch") as work:
        enrolments.refuse(work, enrolments.request(work.session, first), reason="")
    second = ask(world, "officer2", "officer", Keys())
    with world.view("watch") as view:
        assert enrolments.request(view.session, first).state == "WITHDRAWN"
    with world.work("watch") as work:
        enrolments.refuse(work, enrolments.request(work.session, second), reason="电话无人接听")
    third = ask(world, "officer2", "officer", Keys())
    world.clock.advance(days=4)
    with pytest.raises(TooLate, match="key.request_old"):
        vouch(world, third)


def test_a_key_found_again_settles_the_application(world: World) -> None:
    ident = ask(world, "officer2", "officer", Keys())
    world.enrol("officer2", "officer", seal=False, replaces=world.keys["officer2"].sign, new=Keys())
    with world.view("watch") as view:
        assert enrolments.request(view.session, ident).state == "WITHDRAWN"

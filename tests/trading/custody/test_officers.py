"""Officers, policies and drills: side rules, keys, one act of signing over all envelopes, and boxes that really open (protocol §2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crypto import keys, signatures
from crypto.canonical import b64u
from crypto.documents import open_policy
from crypto.errors import CryptoError
from crypto.headers import SUITE
from crypto.policies import SIDES, check_policy
from tests.kit.world import DEADLINE, OFFICERS, PASSWORD, SETUP, Keys, World, password_hash
from trading.custody import officers, policies
from trading.kernel.access import Role
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, WrongStep
from trading.parties import enrolments, parties
from trading.tendering import tenders


def drafted(world: World, regime: str = "GP") -> str:
    """A lot whose policies wait for signatures."""
    ref = world.lot("DRAFTED", regime=regime)
    with world.work("agent") as work:
        tenders.plan(work, world.lot_in(work, ref), deadline=DEADLINE)
    world.name_officers(ref)
    world.offer_keys(ref)
    with world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    return ref


def name(world: World, ref: str, rows: list[tuple[str, str]], t: int) -> list[str]:
    """The codes naming is refused with."""
    with pytest.raises(Invalid) as refusal, world.work("agent") as work:
        named = [(parties.account(work.session, world.people[username]), side) for username, side in rows]
        officers.name_officers(work, world.lot_in(work, ref), named, t=t)
    return [fault.code for fault in refusal.value.faults]


@given(st.lists(st.sampled_from(SIDES), min_size=1, max_size=8), st.integers(0, 9))
def test_side_rules_agree_with_the_protocols(sides: list[str], t: int) -> None:
    """Naming refuses just what a policy with these sides would be refused for."""
    faults = Faults()
    officers.check_sides(faults, sides, t)
    document: dict[str, Any] = {
        "v": 1,
        "suite": SUITE,
        "platform": "p",
        "tender": "t",
        "lot": "1",
        "envelope": "bid",
        "serial": 1,
        "supersedes": "",
        "t": t,
        "n": len(sides),
        "co_opening": False,
        "deadline": "2026-03-24T01:30:00Z",
        "opens_at": "2026-03-24T01:30:00Z",
        "window": 30,
        "max_plen": 65536,
        "file_names": False,
        "mirror": "none",
        "rescue": True,
        "officers": [
            {
                "name": f"o{j}",
                "pk": b64u(keys.x25519_public(bytes([j + 1]) * 32)),
                "side": side,
                "sign_kid": b64u(bytes([j]) * 16),
            }
            for j, side in enumerate(sides)
        ],
    }
    try:
        check_policy(document)
    except CryptoError:
        assert faults.found
    else:
        assert not faults.found


def test_sides_follow_the_house_a_person_comes_from(world: World) -> None:
    ref = world.lot("DRAFTED")
    five = [(username, side) for username, _, side in OFFICERS]
    assert name(world, ref, [("officer1", "supervisor"), *five[1:]], 3) == ["officer.side"]
    assert "officer.role_needed" in name(world, ref, [("clerk", "platform"), *five[1:]], 3)
    assert "officer.twice" in name(world, ref, [five[0], five[0], *five[2:]], 3)
    assert name(world, ref, five[:3], 2) == ["officer.side_opens_alone", "officer.side_blocks_alone"]


def test_a_policy_is_complete_with_the_last_signature(world: World) -> None:
    ref = drafted(world, "WORKS")
    world.sign_policies(ref, only=("officer1", "officer2", "officer3", "officer4"))
    with world.view("clerk") as view:
        assert officers.find_policy(view.session, world.lot_in(view, ref)) is None
    world.sign_policies(ref, only=("officer5",))
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        known = {
            seat.sign_kid: keys.ed25519_public(world.keys[seat.account.username].sign)
            for seat in officers.seats(view.session, lot)
        }
        for envelope in officers.envelopes(lot):
            row = officers.current_policy(view.session, lot, envelope)
            assert row.dsse is not None
            document = open_policy(signatures.from_text(row.dsse), world.office.keys.public, known)
            assert (document["envelope"], document["t"], document["n"]) == (envelope, 3, 5)
            entry = view.session.scalars(select(LogEntry).where(LogEntry.c == row.log_c)).one()
            assert (entry.event, entry.part, entry.lot) == ("policy", envelope, "1")
            assert entry.statement == signatures.document_hash(document)


def test_one_act_signs_every_envelope(world: World) -> None:
    ref = drafted(world, "WORKS")
    with world.view("officer1") as view:
        assert [row.envelope for row in policies.policies_to_sign(view)] == ["bid", "draw:experts/1", "draw:k/1"]
    world.sign_policies(ref, only=("officer1",))
    with world.view("officer1") as view:
        assert policies.policies_to_sign(view) == []
    with world.view("officer2") as view:
        assert len(policies.policies_to_sign(view)) == 3


def test_keys_differ_by_envelope_and_person(world: World) -> None:
    ref = drafted(world, "WORKS")
    with world.view("clerk") as view:
        publics = [
            public for seat in officers.seats(view.session, world.lot_in(view, ref)) for public in seat.publics.values()
        ]
    assert len(publics) == len(set(publics)) == 15


@pytest.mark.parametrize("what", ["other signer", "two signers", "other kind", "altered", "unknown"])
def test_a_signature_that_is_not_the_officers_is_refused(world: World, what: str) -> None:
    ref = drafted(world)
    with world.view("officer1") as view:
        document = officers.policy_document(policies.policies_to_sign(view)[0])
    own = world.keys["officer1"].sign
    envelope = {
        "other signer": lambda: signatures.sign("policy", document, world.keys["officer2"].sign),
        "two signers": lambda: signatures.sign("policy", document, own, world.keys["officer2"].sign),
        "other kind": lambda: signatures.sign("drill", document, own),
        "altered": lambda: signatures.sign("policy", document, own) | {"payload": "bm8="},
        "unknown": lambda: signatures.sign("policy", document | {"t": 2}, own),
    }[what]()
    expected = NotFound if what in ("unknown", "altered") else Invalid
    with pytest.raises(expected), world.work("officer1") as work:
        policies.sign_policies(work, world.lot_in(work, ref), [envelope])
    with world.view("officer1") as view:
        assert len(policies.policies_to_sign(view)) == 2


def test_nobody_signs_twice_and_strangers_never(world: World) -> None:
    ref = drafted(world)
    with world.view("officer1") as view:
        document = officers.policy_document(policies.policies_to_sign(view)[0])
    envelope = world.policy_signature("officer1", document)
    with world.work("officer1") as work:
        policies.sign_policy(work, world.lot_in(work, ref), envelope)
    with pytest.raises(Conflict, match="policy.signed"), world.work("officer1") as work:
        policies.sign_policy(work, world.lot_in(work, ref), envelope)
    other = world.lot("DRAFTED")
    with pytest.raises(NotAllowed, match="officer.not_yours"), world.work("officer1") as work:
        policies.sign_policy(work, world.lot_in(work, other), envelope)
    with pytest.raises(NotAllowed, match="access.role"), world.work("agent") as work:
        policies.sign_policy(work, world.lot_in(work, ref), envelope)


def test_keys_once_given_stand_until_officers_are_named_anew(world: World) -> None:
    ref = drafted(world)
    with pytest.raises(Conflict, match="officer.keys_given"):
        world.offer_keys(ref)
    world.name_officers(ref)
    with pytest.raises(WrongStep, match="officer.keys_missing"), world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    with world.view("officer1") as view:
        assert {scope["serial"] for scope in officers.scopes_to_key(view, world.lot_in(view, ref))} == {2}
        assert policies.policies_to_sign(view) == []


def test_naming_anew_takes_a_complete_policy_out_of_force_but_keeps_it(world: World) -> None:
    ref = world.lot("READY")
    with world.view("clerk") as view:
        old = officers.current_policy(view.session, world.lot_in(view, ref)).policy_id
    world.name_officers(ref)
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        assert officers.find_policy(view.session, lot) is None
        assert (
            view.session.scalars(select(officers.Policy).where(officers.Policy.policy_id == old)).one().dsse is not None
        )


def test_bad_and_borrowed_keys_are_refused(world: World) -> None:
    ref = world.lot("DRAFTED")
    world.name_officers(ref)
    good = b64u(keys.x25519_public(Keys().seal))
    with pytest.raises(Invalid) as refusal, world.work("officer1") as work:
        officers.offer_keys(work, world.lot_in(work, ref), {"bid": b64u(bytes(32)), "price": good})
    assert {fault.where for fault in refusal.value.faults} == {"bid", "draw:experts/1", "envelopes"}
    with world.work("officer1") as work:
        officers.offer_keys(
            work, world.lot_in(work, ref), {"bid": good, "draw:experts/1": b64u(keys.x25519_public(Keys().seal))}
        )
    with pytest.raises(Invalid) as refusal, world.work("officer2") as work:
        officers.offer_keys(
            work, world.lot_in(work, ref), {"bid": good, "draw:experts/1": b64u(keys.x25519_public(Keys().seal))}
        )
    assert [fault.code for fault in refusal.value.faults] == ["officer.key_twice"]


def test_a_drill_needs_the_part_and_the_signature(world: World) -> None:
    ref = drafted(world)
    world.sign_policies(ref)
    with world.view("officer1") as view:
        drill = policies.drills_to_open(view)[0]
        envelope, part = world.drill_answer(view, "officer1", drill)
        assert drill.policy.envelope == "bid" and officers.drill_header(drill).ctx["bidder"] == "drill"
        document = policies.drill_document(world.office.platform, drill, 1, at="2026-03-02T01:00:00Z")
        drill_id = drill.id

    def back(username: str, envelope: Any, part: str) -> None:
        with world.work(username) as work:
            policies.return_drill(work, work.session.get_one(officers.Drill, drill_id), envelope, part=part)

    with pytest.raises(Invalid, match="drill.part"):
        back("officer1", envelope, b64u(bytes(32)))
    with pytest.raises(Invalid, match="drill.part"):
        back("officer2", envelope, part)
    for wrong in (
        {"j": 2},
        {"policy": b64u(bytes(32))},
        {"header_hash": b64u(bytes(32))},
        {"at": "2026-01-01T00:00:00Z"},
    ):
        with pytest.raises(Invalid, match="drill.context"):
            back("officer1", signatures.sign("drill", document | wrong, world.keys["officer1"].sign), part)
    with pytest.raises(Invalid, match="drill.signature"):
        back("officer1", signatures.sign("drill", document, world.keys["officer2"].sign), part)
    back("officer1", envelope, part)
    with pytest.raises(Conflict, match="drill.done"):
        back("officer1", envelope, part)
    with world.view("clerk") as view:
        assert len(list(view.session.scalars(select(LogEntry).where(LogEntry.event == "drill")))) == 1


def test_a_draw_escrow_opens_later_and_has_the_smallest_size(world: World) -> None:
    ref = drafted(world, "WORKS")
    world.sign_policies(ref)
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        bid, draw = (
            officers.policy_document(officers.current_policy(view.session, lot, name)) for name in ("bid", "draw:k/1")
        )
    assert (bid["deadline"], bid["opens_at"], bid["rescue"]) == ("2026-03-24T01:30:00Z", "2026-03-24T01:30:00Z", True)
    assert (draw["opens_at"], draw["max_plen"], draw["rescue"]) == ("2026-03-24T03:30:00Z", 65536, False)


# --- one holder replaced, or lost -------------------------------------------------------------------------------------------------


def replace_seat(world: World, ref: str, j: int, username: str, side: str) -> None:
    with world.work("agent") as work:
        officers.replace_officer(
            work, world.lot_in(work, ref), j, parties.account(work.session, world.people[username]), side
        )


def newcomer(world: World, username: str = "officer6", party: str = "centre") -> None:
    with world.office.work(SETUP) as work:
        who = parties.invite(
            work,
            parties.party(work.session, world.party_ids[party]),
            username=username,
            name=username,
            password=PASSWORD,
            hashed=password_hash(),
            roles=[Role.OFFICER],
        )
        world.people[username] = who.id
    world.enrol(username, "officer", seal=False)


def test_one_holder_is_replaced_before_publication_and_all_sign_and_drill_again(world: World) -> None:
    ref = world.lot("READY")
    newcomer(world)
    with world.view("clerk") as view:
        before = officers.current_policy(view.session, world.lot_in(view, ref)).policy_id
        kept = {seat.j: dict(seat.publics) for seat in officers.seats(view.session, world.lot_in(view, ref))}
    replace_seat(world, ref, 2, "officer6", "platform")
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        now = {seat.j: seat.publics for seat in officers.seats(view.session, lot)}
        assert now[2] == {} and {j: now[j] for j in (1, 3, 4, 5)} == {j: kept[j] for j in (1, 3, 4, 5)}
        assert officers.find_policy(view.session, lot) is None
    with pytest.raises(WrongStep, match="officer.keys_missing"), world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    people = ("officer1", "officer6", "officer3", "officer4", "officer5")
    give_keys(world, ref, "officer6")
    with world.work("agent") as work:
        policies.draft_policies(work, world.lot_in(work, ref))
    world.sign_policies(ref, only=people)
    with pytest.raises(Invalid, match="lot.not_publishable"):
        world.publish(ref)
    world.open_drills(ref, only=people)
    world.tick()
    world.publish(ref)
    with world.view("clerk") as view:
        policy = officers.policy_document(officers.current_policy(view.session, world.lot_in(view, ref)))
        assert [one["name"] for one in policy["officers"]] == list(people)
        assert (
            policy["supersedes"] == ""
            and officers.current_policy(view.session, world.lot_in(view, ref)).policy_id != before
        )
    with pytest.raises(WrongStep), world.work("agent") as work:
        officers.replace_officer(
            work, world.lot_in(work, ref), 2, parties.account(work.session, world.people["officer2"]), "platform"
        )


def give_keys(world: World, ref: str, username: str) -> None:
    with world.work(username) as work:
        lot = world.lot_in(work, ref)
        officers.offer_keys(
            work,
            lot,
            {
                scope["envelope"]: b64u(keys.x25519_public(world.scope_secret(username, scope)))
                for scope in officers.scopes_to_key(work, lot)
            },
        )


def test_replaced_and_replaced_back_the_first_policies_stand_again(world: World) -> None:
    ref = world.lot("READY")
    newcomer(world)
    with world.view("clerk") as view:
        before = officers.current_policy(view.session, world.lot_in(view, ref)).policy_id
    replace_seat(world, ref, 2, "officer6", "platform")
    replace_seat(world, ref, 2, "officer2", "platform")
    give_keys(world, ref, "officer2")
    with world.work("agent") as work:
        assert policies.draft_policies(work, world.lot_in(work, ref)) == []
    with world.view("clerk") as view:
        lot = world.lot_in(view, ref)
        assert officers.current_policy(view.session, lot).policy_id == before
    world.publish(ref)


def test_a_replacement_keeps_the_rules_of_sides_and_persons(world: World) -> None:
    ref = world.lot("READY")
    for j, username, side, code in (
        (2, "officer1", "platform", "officer.twice"),
        (5, "officer2", "platform", "officer.twice"),
        (2, "clerk", "platform", "officer.role_needed"),
        (2, "officer2", "supervisor", "officer.side"),
    ):
        with pytest.raises(Invalid) as refusal:
            replace_seat(world, ref, j, username, side)
        assert code in {fault.code for fault in refusal.value.faults}
    with pytest.raises(NotFound, match="officer.no_seat"):
        replace_seat(world, ref, 6, "officer2", "platform")
    newcomer(world)
    with pytest.raises(Invalid) as refusal:
        replace_seat(world, ref, 5, "officer6", "platform")
    assert {fault.code for fault in refusal.value.faults} == {"officer.side_opens_alone", "officer.side_blocks_alone"}


def test_lost_and_revoked_keys_are_counted_replaced_ones_are_not(world: World) -> None:
    ref = world.lot("BIDDING")
    old = world.keys["officer1"].sign
    world.enrol("officer1", "officer", seal=False, replaces=old, new=Keys())
    with world.view("clerk") as view:
        assert officers.lost_seats(view.session, world.lot_in(view, ref)) == {}
    with world.work("officer3") as work:
        enrolments.revoke(work, parties.account(work.session, world.people["officer3"]), "officer", reason="失窃")
    with world.view("clerk") as view:
        assert officers.lost_seats(view.session, world.lot_in(view, ref)) == {3: "revoked"}

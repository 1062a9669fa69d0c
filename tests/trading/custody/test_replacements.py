"""Officers replaced after publication: who may, when, what becomes of bids sealed before, and the opening under two sets of officers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crypto.canonical import b64u, format_time, loads
from crypto.keys import x25519_public
from crypto.policies import policy_id
from crypto.policy_lines import Generation
from crypto.signatures import payload_of
from crypto.trust import trust_of
from crypto.verdicts import policy_dead
from tests.kit import opening_steps, replacing, sealing
from tests.kit.opening_steps import form
from tests.kit.replacing import DEADLY, SHUFFLED, SPARE
from tests.kit.sealing import SIGNER
from tests.kit.world import DEADLINE, OFFICERS, Keys, World
from trading import draws, publication, timeline
from trading.bidding import bids, officer_news, participants, tickets, uploads
from trading.custody import officers, policies, replacements
from trading.hall import legal_effects
from trading.hall import package as opening_package
from trading.kernel.audit import LogEntry
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, Refusal, TooLate, WrongStep
from trading.kernel.outbox import Message
from trading.opening import ceremony, decryption, rescue
from trading.opening.files import check_package, read_package
from trading.opening.rules import decrypt_outcome
from trading.parties import parties
from trading.tendering import notices

NAMES = tuple(username for username, _, _ in OFFICERS)
NEW = tuple(username for username, _ in SHUFFLED)


def price(number: int) -> dict[str, str]:
    return form(price=f"{2_700_000 + 10_000 * number}.00")


def bid_again(world: World, ref: str, username: str, **announce: str) -> bids.Outcome:
    with world.view(username, SIGNER) as view:
        mine = participants.own(view, world.lot_in(view, ref))
        current = bids.standing(view.session, mine.id)
        assert current is not None
        replaces = current.bid.statement
    made = sealing.seal(world, ref, username, replaces=replaces, form=form(**announce))
    return sealing.hand_in(world, ref, username, *made)


def own_states(world: World, ref: str) -> dict[str, list[str]]:
    found = {}
    for username in world.bidders:
        with world.view(username, SIGNER) as view:
            found[username] = [
                one.state for one in officer_news.own_bids(view, participants.own(view, world.lot_in(view, ref)))
            ]
    return found


def verdicts(world: World, ref: str) -> dict[str, tuple[str, str, str]]:
    """bidder → verdict, cause, price, of a lot that was opened."""
    with world.view("clock") as view:
        rows = ceremony.opened_bids(view.session, ceremony.opening(view.session, world.lot_in(view, ref)))
        return {
            next(name for name, number in world.party_ids.items() if number == row.party_id): (
                row.verdict,
                row.cause,
                row.announce.get("price", ""),
            )
            for row in rows
        }


def line_of(world: World, ref: str, envelope: str = officers.BID) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        return officers.policy_chain(view.session, world.lot_in(view, ref), envelope)


# --- the whole way --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alive(world: World) -> str:
    """Three bids, then one officer replaced and the others seated anew; bidder2 seals again."""
    ref = world.lot("BIDDING")
    opening_steps.bid(world, ref, {name: price(at) for at, name in enumerate(world.bidders)})
    replacing.replace_officers(world, ref, SHUFFLED)
    assert own_states(world, ref) == {"bidder1": ["kept"], "bidder2": ["kept"], "bidder3": ["kept"]}
    assert bid_again(world, ref, "bidder2", price="2600000.00").accepted
    assert own_states(world, ref) == {"bidder1": ["kept"], "bidder2": ["newest"], "bidder3": ["kept"]}
    return ref


def test_bids_of_before_and_after_are_opened_each_by_those_they_were_sealed_to(world: World, alive: str) -> None:
    sealing.close(world, alive)
    sealing.list_set(world, alive)
    opening_steps.open_set(world, alive, came=NEW)
    assert verdicts(world, alive) == {
        "bidder1": ("opened", "", "2700000.00"),
        "bidder2": ("opened", "", "2600000.00"),
        "bidder3": ("opened", "", "2720000.00"),
    }
    with world.view("clock") as view:
        row = ceremony.opening(view.session, world.lot_in(view, alive))
        shares = [loads(payload_of(document)) for document in documents_of(view, row)]
        # the new one, second now, has a box of the new bid alone
        assert [(one["j"], len(one["items"])) for one in shares] == [(1, 3), (2, 1), (3, 3), (4, 3), (5, 3)]
        given = ceremony.posted(view.session, row)
        by_hash = {bid.header_hash: bid.party_id for bid in bids.standing_bids(view.session, row.lot)}
        boxes = {
            name: sorted(given[h].parts)
            for name, number in world.party_ids.items()
            for h in given
            if by_hash[h] == number
        }
    assert boxes == {"bidder1": [1, 2, 3, 4], "bidder2": [1, 2, 3, 4, 5], "bidder3": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("came", "opened"),
    [
        (("officer6", "officer1", "officer2", "officer3"), True),  # three of the earlier ones
        (("officer6", "officer1", "officer2"), False),  # three of now, but of those bids just two
    ],
)
def test_old_bids_want_t_of_their_own_officers(world: World, alive: str, came: tuple[str, ...], opened: bool) -> None:
    sealing.close(world, alive)
    sealing.list_set(world, alive)
    for username in came:
        opening_steps.share(world, alive, username)
    opening_steps.turn(world, minutes=31)
    decryption.open_bids(world.office, world.actor("host"), alive)
    if not opened:
        with world.view("clock") as view:
            failed = rescue.failures(view.session, ceremony.opening(view.session, world.lot_in(view, alive)))
            assert [(one.code, one.cause) for one in failed] == [("TOO_FEW_SHARES", "unknown")] * 2
        opening_steps.turn(world)
        opening_steps.turn(world, minutes=31)
        decryption.open_bids(world.office, world.actor("host"), alive)
    codes = {name: code for name, (code, _, _) in verdicts(world, alive).items()}
    assert codes == {
        "bidder1": "opened" if opened else "TOO_FEW_SHARES",
        "bidder2": "opened",
        "bidder3": "opened" if opened else "TOO_FEW_SHARES",
    }


def test_who_left_gives_nothing(world: World, alive: str) -> None:
    sealing.close(world, alive)
    sealing.list_set(world, alive)
    with pytest.raises(NotAllowed) as refusal:
        opening_steps.share(world, alive, "officer5")
    assert refusal.value.code == "officer.not_yours"


def test_bids_of_a_dead_policy_are_told_listed_and_paid_back(world: World) -> None:
    ref = world.lot("BIDDING", "WORKS")
    works = {name: form("WORKS", price=f"{2_700_000 + at}.00") for at, name in enumerate(world.bidders)}
    opening_steps.bid(world, ref, works)
    replacing.replace_officers(world, ref, DEADLY, dies=True, ground="stolen")
    assert own_states(world, ref) == {name: ["dead"] for name in world.bidders}
    made = sealing.seal(
        world, ref, "bidder3", replaces=statement_of(world, ref, "bidder3"), form=form("WORKS", price="2500000.00")
    )
    assert sealing.hand_in(world, ref, "bidder3", *made).accepted
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    came = tuple(username for username, _ in DEADLY)
    opening_steps.open_set(world, ref, came=came)
    assert verdicts(world, ref) == {
        "bidder1": ("POLICY_DEAD", "unknown", ""),
        "bidder2": ("POLICY_DEAD", "unknown", ""),
        "bidder3": ("opened", "", "2500000.00"),
    }
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert [
            (one.code, one.outcome.result) for one in legal_effects.of_lot(view.session, lot) if one.code != "opened"
        ] == [("POLICY_DEAD", "ruling_required")] * 2
        row = ceremony.opening(view.session, lot)
        assert all(
            item["header_hash"] not in {i["header_hash"] for i in loads(payload_of(doc))["items"]}
            for doc in documents_of(view, row)
            for item in row.bids
            if item["header_hash"] in ceremony.dead(view.session, row)
        ), "no officer gave a part of a dead bid"


def documents_of(look: Any, row: ceremony.Opening) -> list[Any]:
    return [json.loads(share.document) for share in ceremony.shares(look.session, row)]


def statement_of(world: World, ref: str, username: str) -> str:
    with world.view(username, SIGNER) as view:
        current = bids.standing(view.session, participants.own(view, world.lot_in(view, ref)).id)
        assert current is not None
        return current.bid.statement


def test_officers_of_one_side_gone_are_that_sides_fault(world: World) -> None:
    """Two of two: t = 2 of 4, both of the platform's people gone: dead, cause platform, so the deposit goes back (rulebook 5.2)."""
    policy = {
        "t": 2,
        "n": 4,
        "officers": [{"side": side} for side in ("platform", "platform", "tenderee", "supervisor")],
    }
    verdict = policy_dead("x", Generation((policy,), (1, 2)))
    assert (verdict.cause, decrypt_outcome(verdict.cause).deposit) == ("platform", "refund")


# --- before and while -----------------------------------------------------------------------------------------------------------------


def test_two_persons_and_what_the_page_said(world: World) -> None:
    ref = world.lot("BIDDING")
    replacing.hire(world)
    replacing.propose(world, ref, DEADLY)
    with pytest.raises(NotAllowed) as refusal:
        replacing.confirm(world, ref, dies=True, by="agent")
    assert refusal.value.code == "officers.same_person"
    with pytest.raises(WrongStep) as wrong:
        replacing.confirm(world, ref, dies=False)
    assert wrong.value.code == "officers.bids_would_die"
    with pytest.raises(Conflict) as conflict:
        replacing.propose(world, ref, SPARE)
    assert conflict.value.code == "officers.change_open"
    with pytest.raises(Conflict), world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=DEADLINE + timedelta(days=5), reason="顺延")
    replacing.confirm(world, ref, dies=True)
    with pytest.raises(WrongStep) as wrong:
        replacing.confirm(world, ref, dies=True)
    assert wrong.value.code == "officers.confirmed"
    with world.work("buyer") as work:
        replacements.take_back(work, world.lot_in(work, ref))
    with pytest.raises(NotFound), world.work("buyer") as work:
        replacements.take_back(work, world.lot_in(work, ref))
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert officers.next_seats(view.session, lot) == []
        assert [seat.account.username for seat in officers.seats(view.session, lot)] == list(NAMES)
    replacing.replace_officers(world, ref, SPARE)
    assert [policy["serial"] for policy in line_of(world, ref)] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"ground": "tired"}, {"ground"}),
        ({"reason": " "}, {"reason"}),
        ({"t": 4}, {"t"}),
        ({"named": (*SPARE[:4], ("officer1", "platform"))}, {"officers", "t"}),
        ({"named": (*SPARE[:4], ("buyer", "tenderee"))}, {"officers.4", "t"}),
        ({"named": (*SPARE[:4], ("officer6", "notary"))}, {"officers.4"}),
    ],
)
def test_what_a_proposal_must_be(world: World, changes: dict[str, Any], fields: set[str]) -> None:
    ref = world.lot("BIDDING")
    replacing.hire(world)
    with pytest.raises(Invalid) as refusal:
        replacing.propose(world, ref, **{"named": SPARE, **changes})
    assert {fault.where for fault in refusal.value.faults} == fields


def test_nothing_to_replace_and_nobody_elses_lot(world: World) -> None:
    ref = world.lot("BIDDING")
    replacing.hire(world)
    same = tuple((username, side) for username, _, side in OFFICERS)
    with pytest.raises(Invalid) as refusal:
        replacing.propose(world, ref, same)
    assert refusal.value.code == "officers.same"
    with pytest.raises(NotAllowed):
        replacing.propose(world, ref, SPARE, by="agent2")
    with pytest.raises(NotAllowed):
        replacing.propose(world, ref, SPARE, by="buyer")
    ready = world.lot("READY")
    with pytest.raises(WrongStep):
        replacing.propose(world, ready, SPARE)


def test_the_same_person_with_new_keys_is_another_officer(world: World) -> None:
    ref = world.lot("BIDDING")
    world.enrol("officer5", "officer", seal=False, replaces=world.keys["officer5"].sign, new=Keys())
    same = tuple((username, side) for username, _, side in OFFICERS)
    replacing.replace_officers(world, ref, same)
    with world.view("clock") as view:
        found = officers.generations(view.session, world.lot_in(view, ref))
    assert [(one.missing, one.alive) for one in found] == [((5,), True), ((), True)]


def test_too_close_to_the_deadline_unless_it_moves_too(world: World) -> None:
    ref = world.lot("BIDDING")
    replacing.hire(world)
    world.clock.set(DEADLINE - timedelta(hours=2))
    replacing.propose(world, ref, SPARE)
    with world.work("agent") as work:
        replacements.take_back(work, world.lot_in(work, ref))
    world.clock.set(DEADLINE - timedelta(hours=2) + timedelta(seconds=1))
    with pytest.raises(TooLate) as refusal:
        replacing.propose(world, ref, SPARE)
    assert (refusal.value.code, refusal.value.facts["until"]) == ("officers.too_close", DEADLINE - timedelta(hours=2))
    later = DEADLINE + timedelta(days=2)
    for wrong in (DEADLINE - timedelta(minutes=1), later + timedelta(seconds=1)):
        with pytest.raises(Invalid):
            replacing.propose(world, ref, SPARE, deadline=wrong)
    replacing.take_over(world, ref, SPARE, deadline=later)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert (lot.deadline, lot.opens_at, lot.threshold) == (later, later, 3)
        draw = officers.current_policy(view.session, lot, officers.draw_envelope("experts", lot))
        assert draw.deadline == later, "the escrow of a draw closes when the bids open"
        notice = notices.latest(view.session, lot, "correction")
    assert notice.body["deadline"] == "2026-03-26T01:30:00Z" and "2026-03-26 09:30" in notice.text


def test_the_last_signature_comes_in_time_or_not_at_all(world: World) -> None:
    ref = world.lot("BIDDING")
    replacing.hire(world)
    replacing.propose(world, ref, SPARE)
    replacing.confirm(world, ref)
    replacing.give_keys(world, ref)
    names = tuple(username for username, _ in SPARE)
    world.sign_policies(ref, only=names[:4])
    world.clock.set(DEADLINE - timedelta(hours=1))
    with pytest.raises(TooLate) as refusal:
        world.sign_policies(ref, only=names[4:])
    assert refusal.value.code == "officers.too_close"
    assert len(line_of(world, ref)) == 1, "the officers of before stay"
    with world.view("clock") as view:
        assert len(officers.seats(view.session, world.lot_in(view, ref))) == 5


def test_a_key_changed_on_the_way_does_not_kill_bids_unseen(world: World) -> None:
    """SPARE leaves one officer out; two more lose their keys before they give theirs: three missing, and nobody confirmed that."""
    ref = world.lot("BIDDING")
    replacing.hire(world)
    replacing.propose(world, ref, SPARE)
    replacing.confirm(world, ref)
    for username in ("officer1", "officer3"):
        world.enrol(username, "officer", seal=False, replaces=world.keys[username].sign, new=Keys())
    replacing.give_keys(world, ref)
    with pytest.raises(WrongStep) as refusal:
        world.sign_policies(ref, only=tuple(username for username, _ in SPARE))
    assert refusal.value.code == "officers.bids_would_die"
    assert len(line_of(world, ref)) == 1


def test_while_keys_are_tried_nothing_is_sealed_and_then_it_goes_on(world: World) -> None:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    old = sealing.seal(world, ref, "bidder1")
    with world.work("bidder1", SIGNER) as work:
        waiting = uploads.start(work, world.lot_in(work, ref), length=len(old[0])).token
    uploads.receive(world.office, world.actor("bidder1", SIGNER), waiting, offset=0, pieces=[old[0]])
    early = sealing.hand_in(world, ref, "bidder2", *sealing.seal(world, ref, "bidder2"))
    replacing.take_over(world, ref, SPARE)
    names = tuple(username for username, _ in SPARE)
    made = sealing.seal(world, ref, "bidder1")

    def refused() -> str:
        with pytest.raises(Refusal) as refusal:
            sealing.hand_in(world, ref, "bidder1", *made)
        return refusal.value.code

    assert refused() == "policy.drilling"
    with pytest.raises(WrongStep), world.view("bidder1", SIGNER) as view:
        tickets.ticket(view, world.lot_in(view, ref))
    world.open_drills(ref, only=names[:4])
    assert refused() == "policy.drilling"
    with world.view("clock") as view:
        assert officers.untried(view.session, world.lot_in(view, ref)) == [5]
    world.open_drills(ref, only=names[4:])
    with world.work("bidder1", SIGNER) as work:  # uploaded before, submitted after: a signed no
        outcome = bids.submit(work, world.lot_in(work, ref), token=waiting, submission=old[1])
    assert (outcome.accepted, outcome.reason) == (False, "CONTEXT_MISMATCH"), "sealed to officers who were replaced"
    with pytest.raises(Invalid) as late:
        sealing.hand_in(world, ref, "bidder1", *old)
    assert late.value.facts["reason"] == "CONTEXT_MISMATCH"
    assert early.accepted and sealing.hand_in(world, ref, "bidder1", *made).accepted
    with world.view("bidder1", SIGNER) as view:
        tickets.ticket(view, world.lot_in(view, ref))


def test_everybody_who_takes_part_is_told_whether_they_have_bid_or_not(world: World) -> None:
    ref = world.lot("BIDDING")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted
    replacing.replace_officers(world, ref, DEADLY, dies=True)
    timeline.turn(world.office)
    timeline.turn(world.office)
    with world.view("clock") as view:
        sent = [
            (row.to, row.template)
            for row in view.session.scalars(select(Message))
            if row.template.startswith("officers.")
        ]
        lot = world.lot_in(view, ref)
        notice = notices.latest(view.session, lot, "correction")
        change = officer_news.last_change(view.session, lot)
        assert change is not None and change.told_at is not None
    assert len(sent) == len(set(sent)) and {template for _, template in sent} == {"officers.changed_dead"}
    asked = (*world.bidders, "purchaser", "agency", "centre", "supervisor")
    assert {to for to, _ in sent} == {f"party:{world.party_ids[name]}" for name in asked}
    assert notice.body["bids_die"] is True and notice.body["policy"] == policy_id(line_of(world, ref)[-1])
    assert "POLICY_DEAD" in notice.text and "重新密封" in notice.text


def test_an_extension_after_new_officers_keeps_their_drills(world: World, alive: str) -> None:
    names = tuple(username for username, _ in SHUFFLED)
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, alive), deadline=DEADLINE + timedelta(days=3), reason="顺延")
    world.sign_policies(alive, only=names)
    with world.view("clock") as view:
        lot = world.lot_in(view, alive)
        assert officers.untried(view.session, lot) == []
        assert officers.drilled(view.session, officers.current_policy(view.session, lot)) == {1, 2, 3, 4, 5}
        found = officers.generations(view.session, lot)
    assert [len(one.ids) for one in found] == [1, 2] and found[0].alive
    assert own_states(world, alive) == {"bidder1": ["kept"], "bidder2": ["newest"], "bidder3": ["kept"]}


def test_a_policy_dropped_before_publication_is_in_no_line(world: World) -> None:
    """Replaced, drafted anew and replaced back: three policies are in the log, the first stands again and is the whole line."""
    ref = world.lot("READY")
    replacing.hire(world)
    first = line_of(world, ref)
    for username in ("officer7", "officer2"):
        with world.work("agent") as work:
            account = parties.account(work.session, world.people[username])
            officers.replace_officer(work, world.lot_in(work, ref), 2, account, "platform")
        with world.work(username) as work:
            lot = world.lot_in(work, ref)
            officers.offer_keys(
                work,
                lot,
                {
                    scope["envelope"]: b64u(x25519_public(world.scope_secret(username, scope)))
                    for scope in officers.scopes_to_key(work, lot)
                },
            )
        with world.work("agent") as work:
            policies.draft_policies(work, world.lot_in(work, ref))
        if username == "officer7":
            world.sign_policies(ref, only=("officer1", "officer7", "officer3", "officer4", "officer5"))
            assert [policy["officers"][1]["name"] for policy in line_of(world, ref)] == ["officer7"]
    assert line_of(world, ref) == first and len(first) == 1
    world.publish(ref)
    world.issue(ref)
    opening_steps.bid(world, ref, {name: price(at) for at, name in enumerate(world.bidders)})
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    with world.view("host") as view:
        package = opening_package.package(view, world.lot_in(view, ref))
        checked = check_package(read_package(package), trust_of(package["trust"]), now=format_time(world.now))
    assert len(package["policies"]) == 1 and len(checked.headers) == 3


def test_officers_may_be_replaced_twice(world: World) -> None:
    ref = world.lot("BIDDING")
    replacing.replace_officers(world, ref, SPARE)
    back = tuple((username, side) for username, _, side in OFFICERS)
    replacing.replace_officers(world, ref, back)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        found = officers.generations(view.session, lot)
        stages = [(seat.serial, seat.stage) for seat in view.session.scalars(select(officers.OfficerSeat))]
    assert [(one.policy["serial"], one.missing, one.alive) for one in found] == [
        (1, (5,), True),
        (2, (5,), True),
        (3, (), True),
    ]
    assert sorted(set(stages)) == [(1, "past"), (2, "past"), (3, "standing")]


def test_the_log_shows_each_policy_in_its_place(world: World, alive: str) -> None:
    with world.view("clock") as view:
        lot = world.lot_in(view, alive)
        wanted = select(LogEntry).where(
            LogEntry.lot == lot.no_text, LogEntry.event.in_(("policy", "drill", "published"))
        )
        events = [(e.event, e.part) for e in view.session.scalars(wanted.order_by(LogEntry.id))]
    bid = [event for event, part in events if part in (officers.BID, "")]
    assert bid == ["policy", *["drill"] * 5, "published", "policy", *["drill"] * 5]


def test_a_draw_that_has_begun_stays_with_its_officers(world: World) -> None:
    ref = world.lot("BIDDING", "WORKS")
    with world.work("host") as work:
        lot = world.lot_in(work, ref)
        draws.announce(work, lot, label="k", pool=lot.coefficients)
    replacing.replace_officers(world, ref, SPARE)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        row = draws.draw(view.session, lot, "k")
        assert draws.policy_of(view.session, row).policy_id == row.notice["policy"]
        assert len(officers.policy_rows(view.session, lot, officers.draw_envelope("k", lot))) == 1
        assert len(officers.policy_rows(view.session, lot, officers.draw_envelope("experts", lot))) == 2

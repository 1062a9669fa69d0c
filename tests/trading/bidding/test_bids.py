"""Submitting: the second of the deadline, the receipt for every answer, and nothing else changed."""

from __future__ import annotations

import base64
import copy
import io
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from crypto import sealed_bid, submissions
from crypto.canonical import b64u, format_time, loads, unb64u
from crypto.documents import sign_document
from crypto.receipts import IN_LOG, SUBMITTED, number_of, verify_receipt
from crypto.signatures import document_hash, payload_of
from tests.kit import sealing, stages
from tests.kit.rows import changed, fingerprint, unchanged
from tests.kit.sealing import SIGNER
from tests.kit.world import Keys, World
from trading import timeline
from trading.bidding import bids, participants, tickets, uploads
from trading.bidding.bids import BidReceipt, SealedBid, StandingBid
from trading.kernel import audit, log
from trading.kernel.access import Role
from trading.kernel.clock import Span, floor_second, parse_moment
from trading.kernel.errors import Conflict, NotAllowed, NotFound, NotReady

MOMENT = timedelta(microseconds=1)
REFUSED = {"bid_receipt", "log_entry", "log_pending", "log_document"}
"""All the tables a refused attempt writes to."""


@pytest.fixture
def ref(world: World) -> str:
    return stages.bidding(world)


def deadline_of(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
    assert found is not None
    return found


def upload(world: World, ref: str, username: str, sealed: bytes) -> str:
    with world.work(username, SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    assert uploads.receive(world.office, world.actor(username, SIGNER), token, offset=0, pieces=[sealed]).whole
    return token


def submit(
    world: World, ref: str, username: str, token: str, submission: Any, *, arrived_at: datetime | None = None
) -> bids.Outcome:
    with world.work(username, SIGNER, arrived_at=arrived_at) as work:
        return bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)


def statement_of(envelope: Any) -> str:
    return document_hash(payload_of(envelope))


def standing(world: World, ref: str) -> list[str]:
    with world.view("clock") as view:
        return [bid.statement for bid in bids.standing_bids(view.session, world.lot_in(view, ref))]


def proved(world: World, username: str, outcome: bids.Outcome, event: str) -> dict[str, Any]:
    """A receipt holds for a stranger who trusts the two published keys: at once as signed, after its tick as logged by then."""
    with world.view("clock") as view:
        trust = tickets.trust(view)
    key = log.log_key(world.office.platform, world.office.keys)
    platform = [unb64u(one) for one in trust["platform_keys"]]
    before = verify_receipt(sealing.receipt_of(world, username, outcome), platform, key, ())
    assert before.state in (SUBMITTED, IN_LOG)
    world.tick()
    world.tick()
    after = verify_receipt(sealing.receipt_of(world, username, outcome), platform, key, ())
    assert after.state == IN_LOG and after.proven is not None and after.proven.at <= after.entry["tick_by"]
    assert after.entry["event"] == event and after.entry["reason"] == outcome.reason
    assert after.entry["statement"] == outcome.receipt.statement
    return after.entry


@pytest.mark.rule("X-05")
@pytest.mark.promise("R2")
def test_the_last_microsecond_counts_and_the_deadlines_own_does_not(world: World, ref: str) -> None:
    deadline = deadline_of(world, ref)
    made = {name: sealing.seal(world, ref, name) for name in world.bidders}
    world.clock.set(deadline - timedelta(minutes=5))
    tokens = {name: upload(world, ref, name, made[name][0]) for name in world.bidders}
    moments = {
        "bidder1": (deadline - MOMENT, True),
        "bidder2": (deadline, False),
        "bidder3": (deadline + MOMENT, False),
    }
    for name, (moment, accepted) in moments.items():
        world.clock.set(moment)
        outcome = submit(world, ref, name, tokens[name], made[name][1])
        assert (outcome.accepted, outcome.reason) == (accepted, "" if accepted else "LATE"), name
    assert standing(world, ref) == [statement_of(made["bidder1"][1])]


@pytest.mark.rule("X-05", "Y-06")
@pytest.mark.parametrize("queued", [0, 1, 30, 59])
def test_the_moment_at_the_edge_counts_not_our_queue(world: World, ref: str, queued: int) -> None:
    """R2: stamped a microsecond before T and taken from the queue up to 59 s later: accepted, and opened by the closing tick."""
    deadline = deadline_of(world, ref)
    early, late = sealing.seal(world, ref, "bidder1"), sealing.seal(world, ref, "bidder2")
    world.clock.set(deadline - timedelta(minutes=2))
    tokens = upload(world, ref, "bidder1", early[0]), upload(world, ref, "bidder2", late[0])
    for seconds in range(-60, queued + 1, 10):
        world.clock.set(deadline + timedelta(seconds=seconds))
        timeline.turn(world.office)
    world.clock.set(deadline + timedelta(seconds=queued))
    assert submit(world, ref, "bidder1", tokens[0], early[1], arrived_at=deadline - MOMENT).accepted
    assert submit(world, ref, "bidder2", tokens[1], late[1], arrived_at=deadline).reason == "LATE"
    sealing.close(world, ref)
    assert standing(world, ref) == [statement_of(early[1])]


@pytest.mark.parametrize("queued", [60, 61, 3600])
def test_what_our_queue_kept_beyond_the_closing_tick_is_not_signed(world: World, ref: str, queued: int) -> None:
    deadline = deadline_of(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    world.clock.set(deadline - timedelta(minutes=2))
    token = upload(world, ref, "bidder1", sealed)
    sealing.close(world, ref)
    world.clock.set(deadline + timedelta(seconds=queued))
    with unchanged(world), pytest.raises(NotReady) as refusal:
        submit(world, ref, "bidder1", token, submission, arrived_at=deadline - MOMENT)
    assert refusal.value.code == "log.too_slow"


@pytest.mark.promise("R2")
@pytest.mark.parametrize(("came", "reason"), [(-MOMENT, "UNAVAILABLE"), (timedelta(0), "LATE")])
def test_who_came_in_time_and_waited_too_long_holds_the_platforms_own_word_for_it(
    world: World, ref: str, came: timedelta, reason: str
) -> None:
    deadline = deadline_of(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    world.clock.set(deadline - timedelta(minutes=2))
    token = upload(world, ref, "bidder1", sealed)
    sealing.close(world, ref)
    world.clock.set(deadline + timedelta(seconds=61))
    with world.work("bidder1", SIGNER) as work:
        outcome = bids.not_settled(work, world.lot_in(work, ref), token=token, arrived_at=Span.at(deadline + came))
    assert (outcome.accepted, outcome.reason) == (False, reason)
    with world.view("clock") as view:
        attempt = audit.document(view.session, outcome.receipt.statement)
    assert attempt["bytes"] == len(sealed) and parse_moment(attempt["last_at"]) == floor_second(deadline + came)
    entry = proved(world, "bidder1", outcome, "bid-refused")
    assert parse_moment(entry["at"]) >= deadline
    assert standing(world, ref) == []


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)])
def test_a_clock_that_jumps_back_does_not_reopen_the_intake(world: World, ref: str, back: timedelta) -> None:
    """R7: once the closing list is written, nothing is taken, replaced or withdrawn, whatever the clock says."""
    deadline = deadline_of(world, ref)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", sealed, submission).accepted
    other = sealing.seal(world, ref, "bidder2")
    world.clock.set(deadline - timedelta(minutes=2))
    token = upload(world, ref, "bidder2", other[0])
    sealing.close(world, ref)
    world.clock.set(deadline - back)
    for act in (
        lambda: submit(world, ref, "bidder2", token, other[1]),
        lambda: withdraw(world, ref, "bidder1", submission),
    ):
        try:
            outcome = act()
        except NotReady as refusal:  # its tick is sealed already: nothing can be signed for that moment
            assert refusal.code == "log.too_slow"
        else:
            assert outcome.reason == "UNAVAILABLE"
    assert standing(world, ref) == [statement_of(submission)]


def withdraw(world: World, ref: str, username: str, submission: Any, **changes: Any) -> bids.Outcome:
    document = submissions.make_withdrawal(bids.submission_payload(submission), at=format_time(world.now)) | changes
    with world.work(username, SIGNER) as work:
        return bids.withdraw(
            work, world.lot_in(work, ref), withdrawal=sign_document("withdrawal", document, world.keys[username].sign)
        )


@pytest.mark.rule("X-06")
def test_an_accepted_bid_leaves_a_receipt_that_a_stranger_can_check(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, submission)
    entry = proved(world, "bidder1", outcome, "bid-received")
    assert entry["statement"] == statement_of(submission)
    assert parse_moment(entry["at"]) <= world.now


# --- what is refused --------------------------------------------------------------------------------------------------


def resigned(world: World, submission: Any, username: str = "bidder1", key: bytes | None = None, **changes: Any) -> Any:
    return sign_document("submission", bids.submission_payload(submission) | changes, key or world.keys[username].sign)


def other_hash(text: str) -> str:
    raw = bytearray(unb64u(text))
    raw[0] ^= 1
    return b64u(bytes(raw))


def broken_signature(world: World, submission: Any) -> Any:
    spoiled = copy.deepcopy(dict(submission))
    spoiled["signatures"] = [dict(spoiled["signatures"][0], sig=base64.b64encode(bytes(64)).decode())]
    return spoiled


SPOILED: dict[str, tuple[Callable[[World, Any], Any], str]] = {
    "another root": (
        lambda w, s: resigned(w, s, sealed_root=other_hash(bids.submission_payload(s)["sealed_root"])),
        "SEALED_ROOT",
    ),
    "another header": (
        lambda w, s: resigned(w, s, header_hash=other_hash(bids.submission_payload(s)["header_hash"])),
        "CONTEXT_MISMATCH",
    ),
    "another size": (
        lambda w, s: resigned(w, s, sealed_size=bids.submission_payload(s)["sealed_size"] + 1),
        "CONTEXT_MISMATCH",
    ),
    "another lot": (lambda w, s: resigned(w, s, lot="2"), "CONTEXT_MISMATCH"),
    "another tender": (lambda w, s: resigned(w, s, tender="KP-2026-000000"), "CONTEXT_MISMATCH"),
    "another platform": (lambda w, s: resigned(w, s, platform="elsewhere.example"), "CONTEXT_MISMATCH"),
    "another bidder": (lambda w, s: resigned(w, s, bidder=sealing.code_of(w, "bidder2")), "CONTEXT_MISMATCH"),
    "another policy": (
        lambda w, s: resigned(w, s, policy=other_hash(bids.submission_payload(s)["policy"])),
        "CONTEXT_MISMATCH",
    ),
    "replaces no bid": (
        lambda w, s: resigned(w, s, replaces=other_hash(bids.submission_payload(s)["policy"])),
        "CONTEXT_MISMATCH",
    ),
    "a stranger's key": (lambda w, s: resigned(w, s, key=Keys().sign), "SIG"),
    "another bidder's key": (lambda w, s: resigned(w, s, key=w.keys["bidder2"].sign), "SIG"),
    "a broken signature": (broken_signature, "SIG"),
    "another kind of document": (
        lambda w, s: sign_document(
            "withdrawal",
            submissions.make_withdrawal(bids.submission_payload(s), at=format_time(w.now)),
            w.keys["bidder1"].sign,
        ),
        "SIG_TYPE",
    ),
}


@pytest.mark.rule("Y-05")
@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_statement_is_refused_with_its_code_and_nothing_else_changes(
    world: World, ref: str, name: str
) -> None:
    spoil, code = SPOILED[name]
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    before = fingerprint(world)
    bad = spoil(world, submission)
    outcome = submit(world, ref, "bidder1", token, bad)
    assert (outcome.accepted, outcome.reason) == (False, code)
    assert changed(world, before) == REFUSED
    with unchanged(world):
        again = submit(world, ref, "bidder1", token, bad)  # the same attempt again: the same answer
    assert again.receipt.c == outcome.receipt.c
    good = submit(world, ref, "bidder1", token, submission)
    assert good.accepted  # what was refused does not stand in the way
    named = proved(world, "bidder1", outcome, "bid-refused")["statement"]
    assert (named == attempt_of(world, outcome)) if code in ("SIG", "SIG_TYPE") else (named == statement_of(bad))


def attempt_of(world: World, outcome: bids.Outcome) -> str:
    """The hash of the attempt a receipt speaks of, made again from the document handed out with it."""
    with world.view("bidder1", SIGNER) as view:
        document = tickets.receipt_file(view, bids.own_receipt(view, outcome.receipt.c))["statement"]
    assert document["bidder"] == sealing.code_of(world, "bidder1")
    return document_hash(document)


@pytest.mark.parametrize(
    "junk", [None, {}, [], "x", {"payload": "?", "payloadType": "x", "signatures": []}, {"payload": 1}, 7]
)
def test_a_statement_that_is_none_is_refused_as_an_attempt(world: World, ref: str, junk: Any) -> None:
    sealed, _ = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    before = fingerprint(world)
    outcome = submit(world, ref, "bidder1", token, junk)
    assert not outcome.accepted and outcome.reason in ("SIG", "JSON_PROFILE", "FORMAT", "SIG_TYPE")
    assert changed(world, before) <= REFUSED and standing(world, ref) == []
    proved(world, "bidder1", outcome, "bid-refused")


def test_bits_flipped_on_the_way_are_found(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    head = 12 + int.from_bytes(sealed[8:12], "big")
    for count, at in enumerate((head, len(sealed) // 2, len(sealed) - 1)):
        bad = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        statement = resigned(world, submission, tool=f"try/{count}")  # the same statement would get its first answer
        assert submit(world, ref, "bidder1", upload(world, ref, "bidder1", bad), statement).reason == "SEALED_ROOT", at
    assert standing(world, ref) == []


@pytest.mark.rule("X-05")
def test_a_cut_upload_is_refused_and_proved_with_what_came(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    with world.work("bidder1", SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor("bidder1", SIGNER), token, offset=0, pieces=[sealed[:5000]])
    outcome = submit(world, ref, "bidder1", token, submission)
    assert outcome.reason == "SIZE"
    with world.work("bidder1", SIGNER) as work:
        whole = uploads.start(work, world.lot_in(work, ref), length=len(sealed)).token
    uploads.receive(world.office, world.actor("bidder1", SIGNER), whole, offset=0, pieces=[sealed[:5000]])
    assert submit(world, ref, "bidder1", whole, submission).receipt.c == outcome.receipt.c
    uploads.receive(world.office, world.actor("bidder1", SIGNER), whole, offset=5000, pieces=[sealed[5000:]])
    assert submit(world, ref, "bidder1", whole, submission).accepted  # the rest came: the same statement is good now
    with unchanged(world), pytest.raises(Conflict) as refusal, world.work("bidder1", SIGNER) as work:
        bids.prove_attempt(work, world.lot_in(work, ref), token=token)
    assert refusal.value.code == "bid.attempt_not_over"
    world.clock.set(deadline_of(world, ref))
    with world.work("bidder1", SIGNER) as work:
        attempt = bids.prove_attempt(work, world.lot_in(work, ref), token=token)
        again = bids.prove_attempt(work, world.lot_in(work, ref), token=token)
    assert attempt.reason == "LATE" and again.receipt.c == attempt.receipt.c
    with world.view("bidder1", SIGNER) as view:
        document = tickets.receipt_file(view, bids.own_receipt(view, attempt.receipt.c))["statement"]
    assert document["bytes"] == 5000 and document["bidder"] == sealing.code_of(world, "bidder1")


@pytest.mark.promise("S4")
def test_a_copied_envelope_is_nobody_elses_bid(world: World, ref: str) -> None:
    """S4: bytes and statement of another bidder, its statement signed anew, its header with another name: all refused."""
    sealed, submission = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", sealed, submission).accepted
    own = sealing.seal(world, ref, "bidder2")
    token = upload(world, ref, "bidder2", own[0])
    assert (
        submit(world, ref, "bidder2", token, submission).reason == "SIG"
    )  # and it is not kept under the first one's hash
    assert submit(world, ref, "bidder2", token, resigned(world, submission, "bidder2")).reason == "SEALED_ROOT"
    theirs = sealing.code_of(world, "bidder1").encode()
    renamed = sealed.replace(theirs, sealing.code_of(world, "bidder2").encode())
    inspected = sealed_bid.inspect(io.BytesIO(renamed))
    copied = sign_document(
        "submission",
        submissions.make_submission(inspected, sealed_at=format_time(world.now), tool="copy/1"),
        world.keys["bidder2"].sign,
    )
    token = upload(world, ref, "bidder2", renamed)
    assert submit(
        world, ref, "bidder2", token, copied
    ).accepted  # no key tells it apart here; it can never be opened (test_opening)


def test_an_upload_for_another_lot_cannot_be_handed_in_here(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
    second = world.lot("DRAFTED")
    with unchanged(world), pytest.raises(NotFound), world.work("bidder1", SIGNER) as work:
        bids.submit(work, world.lot_in(work, second), token=token, submission=submission)
    assert lot.ref != second


def test_the_same_bytes_are_taken_once(world: World, ref: str) -> None:
    """Withdrawn, then the same file under a new statement: a clear refusal with a proof, never an error at the deadline."""
    sealed, submission = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", sealed, submission).accepted
    world.clock.advance(seconds=5)
    replacing = resigned(world, submission, replaces=statement_of(submission), sealed_at=format_time(world.now))
    outcome = sealing.hand_in(world, ref, "bidder1", sealed, replacing)
    assert outcome.reason == "CONTEXT_MISMATCH" and standing(world, ref) == [statement_of(submission)]
    assert withdraw(world, ref, "bidder1", submission).accepted
    anew = resigned(world, submission, sealed_at=format_time(world.now))
    assert sealing.hand_in(world, ref, "bidder1", sealed, anew).reason == "CONTEXT_MISMATCH"
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted


# --- again, instead, back ---------------------------------------------------------------------------------------------


@pytest.mark.promise("R13")
def test_the_same_submission_gets_the_first_answer(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    first = submit(world, ref, "bidder1", token, submission)
    world.clock.set(deadline_of(world, ref) + timedelta(days=1))
    with unchanged(world):
        again = submit(
            world, ref, "bidder1", token, submission
        )  # long after: the answer was lost, the client asks again
    assert again.accepted and again.receipt.c == first.receipt.c and again.receipt.entry == first.receipt.entry


def told_again(world: World, act: Callable[[], bids.Outcome]) -> tuple[str, dict[str, Any]]:
    """The refusal of an answer that no longer holds: nothing is written, in the log or elsewhere."""
    with unchanged(world), pytest.raises(Conflict) as refusal:
        act()
    return refusal.value.code, dict(refusal.value.facts)


def number(outcome: bids.Outcome) -> str:
    return number_of(unb64u(outcome.receipt.c))


def test_a_submission_sent_again_once_it_was_replaced_or_withdrawn_names_what_counts_now(
    world: World, ref: str
) -> None:
    sealed, one = sealing.seal(world, ref, "bidder1", data=b"one")
    old = upload(world, ref, "bidder1", sealed)
    first = submit(world, ref, "bidder1", old, one)
    world.clock.advance(seconds=3)
    sealed, two = sealing.seal(world, ref, "bidder1", data=b"two", replaces=statement_of(one))
    new = upload(world, ref, "bidder1", sealed)
    second = submit(world, ref, "bidder1", new, two)
    replaced = ("bid.replaced_since", {"at": first.receipt.at, "number": number(second)})
    assert told_again(world, lambda: submit(world, ref, "bidder1", old, one)) == replaced
    assert submit(world, ref, "bidder1", new, two).receipt.c == second.receipt.c, "what stands is answered as before"
    taken_back = withdraw(world, ref, "bidder1", two)
    withdrawn = ("bid.withdrawn_since", {"at": second.receipt.at, "number": number(taken_back)})
    assert told_again(world, lambda: submit(world, ref, "bidder1", new, two)) == withdrawn
    replaced = ("bid.replaced_since", {"at": first.receipt.at, "number": number(taken_back)})
    assert told_again(world, lambda: submit(world, ref, "bidder1", old, one)) == replaced
    third = sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1", data=b"three"))
    world.clock.set(deadline_of(world, ref) + timedelta(days=1))
    withdrawn = ("bid.withdrawn_since", {"at": second.receipt.at, "number": number(third)})
    assert told_again(world, lambda: submit(world, ref, "bidder1", new, two)) == withdrawn


def test_a_withdrawal_sent_again_withdraws_no_later_bid_and_says_so(world: World, ref: str) -> None:
    made = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted
    statement = submissions.make_withdrawal(loads(payload_of(made[1])), at=format_time(world.now))
    signed = sign_document("withdrawal", statement, world.keys["bidder1"].sign)

    def again() -> bids.Outcome:
        with world.work("bidder1", SIGNER) as work:
            return bids.withdraw(work, world.lot_in(work, ref), withdrawal=signed)

    first = again()
    with unchanged(world):
        assert again().receipt.c == first.receipt.c, "nothing stands: the first answer still holds"
    anew = sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1"))
    assert told_again(world, again) == ("bid.bid_since", {"at": first.receipt.at, "number": number(anew)})
    assert len(standing(world, ref)) == 1


def test_an_answer_lost_before_it_was_committed_is_given_anew(
    world: World, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(Exception):
        pass

    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    actor = world.actor("bidder1", SIGNER)
    with unchanged(world), pytest.raises(Gone), world.office.work(actor) as work:
        bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)
        raise Gone
    assert submit(world, ref, "bidder1", token, submission).accepted
    assert len(standing(world, ref)) == 1


def test_two_lines_at_once_have_one_effect(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    found: list[bids.Outcome] = []
    threads = [
        threading.Thread(target=lambda: found.append(submit(world, ref, "bidder1", token, submission)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len({one.receipt.c for one in found}) == 1 and all(one.accepted for one in found)
    with world.view("clock") as view:
        assert view.session.scalar(select(func.count()).select_from(SealedBid)) == 1
        assert view.session.scalar(select(func.count()).select_from(BidReceipt)) == 1


def test_replacing_keeps_the_old_bid_until_the_new_one_is_taken(world: World, ref: str) -> None:
    first, one = sealing.seal(world, ref, "bidder1", data=b"one")
    assert sealing.hand_in(world, ref, "bidder1", first, one).accepted
    bad = sealing.seal(world, ref, "bidder1", data=b"two", replaces="")
    assert sealing.hand_in(world, ref, "bidder1", *bad).reason == "CONTEXT_MISMATCH"
    assert standing(world, ref) == [statement_of(one)]
    second, two = sealing.seal(world, ref, "bidder1", data=b"two", replaces=statement_of(one))
    outcome = sealing.hand_in(world, ref, "bidder1", second, two)
    assert outcome.receipt.kind == "replaced" and standing(world, ref) == [statement_of(two)]
    third = sealing.seal(world, ref, "bidder1", data=b"three", replaces=statement_of(one))
    assert sealing.hand_in(world, ref, "bidder1", *third).reason == "CONTEXT_MISMATCH"  # the old one no longer stands
    proved(world, "bidder1", outcome, "bid-replaced")


@pytest.mark.rule("X-05")
def test_withdrawing_and_bidding_anew(world: World, ref: str) -> None:
    _, one = (made := sealing.seal(world, ref, "bidder1"))
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted
    taken_back = withdraw(world, ref, "bidder1", one)
    assert taken_back.receipt.kind == "withdrawn" and standing(world, ref) == []
    world.clock.advance(seconds=3)
    assert withdraw(world, ref, "bidder1", one).reason == "CONTEXT_MISMATCH"  # nothing stands that could be withdrawn
    assert (
        sealing.hand_in(world, ref, "bidder1", *(two := sealing.seal(world, ref, "bidder1"))).receipt.kind == "received"
    )
    assert standing(world, ref) == [statement_of(two[1])]
    proved(world, "bidder1", taken_back, "bid-withdrawn")


def test_nobody_withdraws_anothers_bid(world: World, ref: str) -> None:
    made = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", *made).accepted
    assert withdraw(world, ref, "bidder2", made[1]).reason == "CONTEXT_MISMATCH"
    assert (
        withdraw(world, ref, "bidder2", made[1], bidder=sealing.code_of(world, "bidder2")).reason == "CONTEXT_MISMATCH"
    )
    assert standing(world, ref) == [statement_of(made[1])]


@pytest.mark.rule("X-05")
def test_withdrawing_ends_with_the_deadline(world: World, ref: str) -> None:
    made = {name: sealing.seal(world, ref, name) for name in ("bidder1", "bidder2")}
    for name, one in made.items():
        assert sealing.hand_in(world, ref, name, *one).accepted
    deadline = deadline_of(world, ref)
    world.clock.set(deadline - MOMENT)
    assert withdraw(world, ref, "bidder1", made["bidder1"][1]).accepted
    world.clock.set(deadline)
    assert withdraw(world, ref, "bidder2", made["bidder2"][1]).reason == "LATE"
    assert standing(world, ref) == [statement_of(made["bidder2"][1])]


def test_who_has_left_hands_in_nothing(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    with world.work("bidder1", SIGNER) as work:
        bids.leave(work, participants.own(work, world.lot_in(work, ref)))
    with unchanged(world), pytest.raises(NotFound) as refusal:
        submit(world, ref, "bidder1", token, submission)
    assert refusal.value.code == "participant.none"


def test_nobody_leaves_while_a_bid_stands(world: World, ref: str) -> None:
    """Else it would be opened for a firm whose deposit has gone back."""
    sealed, submission = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", sealed, submission).accepted

    def leave() -> None:
        with world.work("bidder1", SIGNER) as work:
            bids.leave(work, participants.own(work, world.lot_in(work, ref)))

    with unchanged(world), pytest.raises(Conflict) as refusal:
        leave()
    assert refusal.value.code == "participant.bid_stands" and refusal.value.facts == {"ref": ref}
    assert withdraw(world, ref, "bidder1", submission).accepted
    leave()
    with world.view("bidder1") as view, pytest.raises(NotFound):
        participants.own(view, world.lot_in(view, ref))


# --- floods and roles -------------------------------------------------------------------------------------------------


def test_only_a_signer_hands_in(world: World, ref: str) -> None:
    sealed, submission = sealing.seal(world, ref, "bidder1")
    token = upload(world, ref, "bidder1", sealed)
    for username, role in (
        ("bidder1", Role.BIDDER_OPERATOR),
        ("agent", None),
        ("clerk", None),
        ("host", None),
        ("officer1", None),
    ):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username, role) as work:
            bids.submit(work, world.lot_in(work, ref), token=token, submission=submission)


def test_receipts_are_the_bidders_own(world: World, ref: str) -> None:
    outcome = sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1"))
    with world.view("bidder2", SIGNER) as view:
        assert list(bids.own_receipts(view)) == []
        with pytest.raises(NotFound):
            bids.own_receipt(view, outcome.receipt.c)
    for username in ("agent", "clerk", "host", "watch"):
        with pytest.raises(NotAllowed), world.view(username) as view:
            bids.own_receipts(view)


def test_one_standing_bid_and_rows_that_stay(world: World, ref: str) -> None:
    from sqlalchemy.exc import DBAPIError

    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted
    for table in (SealedBid, BidReceipt):
        for change in (
            lambda s, t: s.execute(t.__table__.update().values(part="x")),
            lambda s, t: s.execute(t.__table__.delete()),
        ):
            with pytest.raises(DBAPIError), world.work("clock") as work:
                change(work.session, table)
    with pytest.raises(DBAPIError), world.work("clock") as work:
        row = work.session.scalars(select(StandingBid)).one()
        work.session.execute(
            insert(StandingBid).values(
                participant_id=row.participant_id, lot_id=row.lot_id, part=row.part, bid_id=row.bid_id
            )
        )


@pytest.mark.promise("R2")
def test_bidders_do_not_wait_for_each_other_and_the_closing_waits_for_all(world: World, ref: str) -> None:
    """While one submission is still open another is taken; whoever takes the lot for himself, as the closing does, gets it after both, and
    the two of one bidder stand in line. SQLite's writers stand in one line anyway."""
    if world.office.engine.dialect.name != "postgresql":
        pytest.skip("SQLite's writers stand in one line")
    ready = {name: sealing.seal(world, ref, name) for name in ("bidder1", "bidder2")}
    tokens = {name: upload(world, ref, name, sealed) for name, (sealed, _) in ready.items()}
    inside, go = threading.Event(), threading.Event()
    order: list[str] = []

    def slow() -> None:
        with world.work("bidder1", SIGNER) as work:
            assert bids.submit(
                work, world.lot_in(work, ref), token=tokens["bidder1"], submission=ready["bidder1"][1]
            ).accepted
            inside.set()
            assert go.wait(20)
            order.append("first")

    def again() -> None:
        assert submit(world, ref, "bidder1", tokens["bidder1"], ready["bidder1"][1]).again
        order.append("again")

    def close() -> None:
        with world.work("clock") as work:
            work.lock(world.lot_in(work, ref))
            order.append("closing")
            assert len(bids.standing_bids(work.session, world.lot_in(work, ref))) == 2

    threads = [threading.Thread(target=one) for one in (slow, again, close)]
    threads[0].start()
    assert inside.wait(20)
    assert submit(world, ref, "bidder2", tokens["bidder2"], ready["bidder2"][1]).accepted
    threads[1].start()
    threads[2].start()
    threads[1].join(0.5)
    assert order == [] and threads[1].is_alive() and threads[2].is_alive()
    go.set()
    for one in threads:
        one.join(20)
    assert order[0] == "first" and set(order) == {"first", "again", "closing"}

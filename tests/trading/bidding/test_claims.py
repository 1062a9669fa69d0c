"""A receipt the platform signed and lost: claimed in time it stops the opening until the supervisory body has settled it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crypto.canonical import b64u, loads, unb64u
from crypto.documents import sign_document
from crypto.opening import make_opening_set
from crypto.signatures import payload_of
from crypto.ticks import make_entry, sign_entry
from tests.kit import opening_steps, sealing, stages, verdict_steps
from tests.kit.rows import unchanged
from tests.kit.sealing import SIGNER
from tests.kit.verdict_steps import row_of
from tests.kit.world import Keys, World
from trading.bidding import bids, claims, closing
from trading.custody import officers
from trading.hall import legal_effects
from trading.kernel import audit
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import Conflict, Invalid, NotAllowed, TooEarly, TooLate
from trading.opening import findings, opening_set


def lost(world: World) -> tuple[str, dict[str, Any]]:
    """Four take part, three bids stand, that of bidder4 was received, answered and lost; the closing tick is sealed."""

    def build(world: World) -> tuple[str, dict[str, Any]]:
        ref = stages.bidding(world)
        verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
        receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
        sealing.close(world, ref)
        return ref, receipt

    found = stages.reach(world, "a bid lost", build)
    return str(found[0]), dict(found[1])


@pytest.fixture
def four(engine: sa.Engine, tmp_path: Any) -> World:
    return World(engine, tmp_path, bidders=4)


def test_a_lost_bid_stops_the_opening_until_it_is_settled(four: World) -> None:
    world = four
    ref, receipt = lost(world)
    claim = verdict_steps.file_claim(world, ref, "bidder4", receipt)
    assert (claim.code, claim.outcome) == ("LOG_OMISSION", "")
    with unchanged(world):
        assert verdict_steps.file_claim(world, ref, "bidder4", receipt).id == claim.id
    with unchanged(world), pytest.raises(Conflict) as refusal, world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref))
    assert refusal.value.code == "claim.open"
    verdict_steps.settle_claim(world, ref, "upheld")
    with unchanged(world), pytest.raises(Conflict):
        verdict_steps.settle_claim(world, ref, "rejected")
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        found = legal_effects.of_party(view.session, lot, world.party_ids["bidder4"])
        assert found is not None and (found.code, found.cause) == ("LOG_OMISSION", "platform")
        assert (found.outcome.result, found.outcome.deposit, found.outcome.claim_for_loss) == (
            "treated_as_withdrawn",
            "refund",
            True,
        )
        assert [one.outcome.result for one in legal_effects.of_lot(view.session, lot)] == ["opened"] * 3 + [
            "treated_as_withdrawn"
        ]


def test_a_claim_after_the_set_stops_shares_and_decryption_and_the_window_runs_anew(four: World) -> None:
    world = four
    ref, receipt = lost(world)
    with world.work("host") as work:
        row = opening_set.list_bids(work, world.lot_in(work, ref))
        begins, until = row.shares_from, row.shares_until
    verdict_steps.file_claim(world, ref, "bidder4", receipt)
    world.clock.set(begins)
    for act in (lambda: opening_steps.share(world, ref, "officer1"), lambda: verdict_steps.decrypt(world, ref)):
        with unchanged(world), pytest.raises((Conflict, TooEarly)):
            act()
    world.clock.set(until + timedelta(hours=1))
    with unchanged(world), pytest.raises(Conflict) as refusal:
        verdict_steps.decrypt(world, ref)
    assert refusal.value.code == "claim.open"
    verdict_steps.settle_claim(world, ref, "rejected")
    with world.view("clock") as view:
        row = row_of(world, view, ref)
        assert (row.shares_from, row.shares_until) == (world.now, world.now + (until - begins))
        assert legal_effects.of_party(view.session, row.lot, world.party_ids["bidder4"]) is None
    opening_steps.turn(world)
    opening_steps.open_set(world, ref)


def test_when_a_claim_may_be_filed(four: World) -> None:
    world = four
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
    receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
    with unchanged(world), pytest.raises(TooEarly):
        verdict_steps.file_claim(world, ref, "bidder4", receipt)
    sealing.close(world, ref)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        row = closing.closing(view.session, lot)
        assert lot.opens_at is not None
        end = closing.claims_end(row, lot.opens_at)
    world.clock.set(end + timedelta(seconds=1))
    with unchanged(world), pytest.raises(TooLate) as refusal:
        verdict_steps.file_claim(world, ref, "bidder4", receipt)
    assert refusal.value.code == "claim.too_late"
    world.clock.set(end)
    assert verdict_steps.file_claim(world, ref, "bidder4", receipt).code == "LOG_OMISSION"


def test_what_is_no_claim(four: World) -> None:
    world = four
    ref, receipt = lost(world)
    with world.view("bidder1", SIGNER) as view:
        mine = bids.own_receipts(view, world.lot_in(view, ref))[0]
        stands = {**bids.receipt_document(view.session, mine)}
        stands["statement"] = audit.document(view.session, mine.statement)
    with unchanged(world), pytest.raises(Conflict) as refusal:
        verdict_steps.file_claim(world, ref, "bidder1", stands)
    assert refusal.value.code == "claim.unfounded"
    entry = loads(payload_of(receipt["entry"]))
    forged = sign_entry(
        make_entry(
            at=entry["at"],
            event="bid-received",
            tender=entry["tender"],
            lot=entry["lot"],
            envelope="bid",
            statement=entry["statement"],
        ),
        Keys().sign,
    )
    late = sign_entry(
        make_entry(
            at="2027-01-01T00:00:00Z",
            event="bid-received",
            tender=entry["tender"],
            lot=entry["lot"],
            envelope="bid",
            statement=entry["statement"],
        ),
        world.office.keys.signing,
    )
    for what, who, given, code in (
        ("signed by a stranger", "bidder4", receipt | {"entry": forged}, "claim.receipt_bad"),
        ("of after the deadline", "bidder4", receipt | {"entry": late}, "claim.receipt_bad"),
        ("another bidder's", "bidder1", receipt, "claim.receipt_bad"),
        ("without its statement", "bidder4", {"entry": receipt["entry"]}, "claim.receipt_bad"),
        ("another statement", "bidder4", receipt | {"statement": stands["statement"]}, "claim.receipt_bad"),
        ("a false proof", "bidder4", receipt | {"proof": stands["proof"]}, "claim.receipt_bad"),
    ):
        with unchanged(world), pytest.raises(Invalid) as wrong:
            verdict_steps.file_claim(world, ref, who, given)
        assert wrong.value.code == code, what
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("a stranger's key", {"key": Keys().sign}),
        ("another entry", {"entry": b64u(bytes(32))}),
        ("another lot", {"lot": "9"}),
        ("another moment", {"at": "2026-01-01T00:00:00Z"}),
    )
    for what, how in changes:
        with unchanged(world), pytest.raises(Invalid) as wrong:
            verdict_steps.file_claim(world, ref, "bidder4", receipt, **how)
        assert wrong.value.code == "claim.bad", what
    for username in ("host", "watch", "officer1", "agent"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            claims.file(work, world.lot_in(work, ref), claim={}, receipt=receipt)


def test_a_bid_listed_but_kept_out_of_the_set(world: World) -> None:
    """A platform that publishes a set without one of the bids it listed itself."""
    ref = stages.closed(world)
    with world.view("bidder1", SIGNER) as view:
        mine = bids.own_receipts(view, world.lot_in(view, ref))[0]
        receipt = {
            **bids.receipt_document(view.session, mine),
            "statement": audit.document(view.session, mine.statement),
        }
    with world.work("host") as work:  # ours would refuse to publish it: another's code under the same key
        lot = world.lot_in(work, ref)
        listed = sorted(
            (
                {"entry": bid.c, "header_hash": bid.header_hash, "statement": bid.statement}
                for bid in bids.standing_bids(work.session, lot)
                if bid.c != mine.c
            ),
            key=lambda one: unb64u(one["header_hash"]),
        )
        document = make_opening_set(
            officers.policy_document(officers.current_policy(work.session, lot)),
            at=write_moment(floor_second(work.now)),
            deadline_entry=unb64u(closing.closing(work.session, lot).deadline_c),
            bids=listed,
        )
        signed = sign_document("opening-set", document, world.office.keys.signing)
        statement = audit.keep_document(work, "opening-set", signed, signed=True)
        work.log("opening-set", statement=statement, tender=lot.tender.ref, lot=lot.no_text, envelope="bid")
    claim = verdict_steps.file_claim(world, ref, "bidder1", receipt)
    assert claim.code == "SET_OMISSION"
    with world.view("clock") as view, pytest.raises(Conflict):
        claims.require_none_open(view, world.lot_in(view, ref), "bid")


def test_who_settles_and_with_what(four: World) -> None:
    world = four
    ref, receipt = lost(world)
    verdict_steps.file_claim(world, ref, "bidder4", receipt)
    for outcome, reasons in (("", verdict_steps.REASONS), ("maybe", verdict_steps.REASONS), ("upheld", "短")):
        with unchanged(world), pytest.raises(Invalid):
            verdict_steps.settle_claim(world, ref, outcome, reasons)
    for username in ("host", "agent", "officer5", "bidder4"):
        with unchanged(world), pytest.raises(NotAllowed), world.work(username) as work:
            claim = claims.of_lot(work.session, world.lot_in(work, ref))[0]
            findings.settle_claim(work, claim, outcome="upheld", reasons=verdict_steps.REASONS)


def test_a_lot_that_failed_for_want_of_the_bid_the_platform_lost(four: World) -> None:
    world = four
    ref = stages.bidding(world)
    verdict_steps.bid(world, ref, "bidder1", "bidder2")
    receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
    sealing.close(world, ref)
    assert verdict_steps.file_claim(world, ref, "bidder4", receipt).code == "LOG_OMISSION"
    verdict_steps.settle_claim(world, ref, "upheld")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        found = legal_effects.of_party(view.session, lot, world.party_ids["bidder4"])
        assert lot.failure == "few_bidders" and found is not None and found.outcome.claim_for_loss
        assert legal_effects.of_party(view.session, lot, world.party_ids["bidder1"]) is None

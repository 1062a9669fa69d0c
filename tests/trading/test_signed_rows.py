"""A row is a cache: what decides is what its people signed, at the moment it decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crypto.canonical import b64u, loads
from crypto.documents import sign_document
from crypto.keys import ed25519_public, kid, new_secret
from crypto.signatures import payload_of
from evaluation.scoring.sheet_rows import Sheet
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing, stages
from tests.kit.altering import rewrite
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading import timeline
from trading.awarding import awards
from trading.bidding import bids, closing, uploads
from trading.kernel.errors import Conflict
from trading.opening import decryption


def deadline_of(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
    assert found is not None
    return found


def state(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return str(world.lot_in(view, ref).state)


def is_closed(world: World, ref: str) -> bool:
    with world.view("clock") as view:
        return closing.is_closed(view.session, world.lot_in(view, ref))


def turn_at(world: World, moment: datetime) -> None:
    world.clock.set(moment)
    timeline.turn(world.office)


def stored(moment: datetime) -> str:
    """A moment as the column holds it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def refused(what: Any, column: str, table: str = "lot") -> None:
    with pytest.raises(Conflict) as refusal:
        what()
    assert refusal.value.code == "signed.differs", refusal.value
    assert refusal.value.facts["column"] == column and refusal.value.facts["where"].startswith(table + " ")


@pytest.mark.promise("R7")
def test_a_deadline_moved_forward_by_sql_closes_nothing_and_turns_nobody_away(world: World) -> None:
    ref = stages.bidding(world)
    signed = deadline_of(world, ref)
    soon = world.now + timedelta(minutes=1)
    rewrite(world, "UPDATE lot SET deadline = :at WHERE ref = :ref", at=stored(soon), ref=ref)
    for minutes in (1, 2, 5):
        turn_at(world, soon + timedelta(minutes=minutes))
    assert state(world, ref) == "BIDDING" and not is_closed(world, ref)
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted
    world.clock.set(signed - timedelta(seconds=1))
    assert sealing.hand_in(world, ref, "bidder2", *sealing.seal(world, ref, "bidder2")).accepted
    for seconds in (0, 60):
        turn_at(world, signed + timedelta(seconds=seconds))
    assert is_closed(world, ref) and state(world, ref) == "FAILED"  # two bids: judged by what is signed


def test_a_deadline_moved_back_by_sql_closes_at_the_signed_moment_and_takes_nothing_late(world: World) -> None:
    ref = stages.bid(world)
    signed = deadline_of(world, ref)
    later = signed + timedelta(days=9)
    rewrite(world, "UPDATE lot SET deadline = :at, opens_at = :at WHERE ref = :ref", at=stored(later), ref=ref)
    world.clock.set(signed - timedelta(minutes=1))
    made = sealing.seal(world, ref, "bidder1")
    with world.work("bidder1", sealing.SIGNER) as work:
        token = uploads.start(work, world.lot_in(work, ref), length=len(made[0])).token
    uploads.receive(world.office, world.actor("bidder1", sealing.SIGNER), token, offset=0, pieces=[made[0]])
    world.clock.set(signed)
    with world.work("bidder1", sealing.SIGNER) as work:
        assert bids.submit(work, world.lot_in(work, ref), token=token, submission=made[1]).reason in (
            "LATE",
            "CONTEXT_MISMATCH",
        )
    for seconds in (0, 60, 70):
        turn_at(world, signed + timedelta(seconds=seconds))
    assert is_closed(world, ref) and state(world, ref) == "OPENING"
    refused(lambda: sealing.list_set(world, ref), "deadline")


def test_a_changed_row_of_a_policy_turns_no_honest_bid_away(world: World) -> None:
    ref = stages.bidding(world)
    made = {name: sealing.seal(world, ref, name) for name in world.bidders}
    rewrite(world, "UPDATE policy SET payload = replace(payload, 'T', 't'), t = 2 WHERE envelope = 'bid'")
    assert sealing.hand_in(world, ref, "bidder1", *made["bidder1"]).accepted
    rewrite(world, "UPDATE policy SET dsse = replace(dsse, 'A', 'B') WHERE envelope = 'bid'")
    assert sealing.hand_in(world, ref, "bidder2", *made["bidder2"]).accepted
    rewrite(world, "UPDATE policy SET standing = NOT standing WHERE envelope = 'bid'")
    assert sealing.hand_in(world, ref, "bidder3", *made["bidder3"]).accepted


def test_a_key_put_into_the_table_signs_for_nobody(world: World) -> None:
    ref = stages.bidding(world)
    sealed, submission = sealing.seal(world, ref, "bidder1")
    thief = new_secret()
    public = ed25519_public(thief)
    code = sealing.code_of(world, "bidder1")
    rewrite(
        world,
        "UPDATE enrolled_key SET sign_public = :public, sign_kid = :kid WHERE holder = :code",
        public=b64u(public),
        kid=kid("ed25519", public),
        code=code,
    )
    forged = sign_document("submission", loads(payload_of(submission)), thief)
    assert sealing.hand_in(world, ref, "bidder1", sealed, forged).reason == "SIG"
    again = sealing.seal(world, ref, "bidder1")
    assert sealing.hand_in(world, ref, "bidder1", *again).accepted


def test_a_lot_ended_or_put_off_by_sql_goes_on_taking_bids(world: World) -> None:
    ref = stages.bidding(world)
    made = {name: sealing.seal(world, ref, name) for name in world.bidders}
    rewrite(world, "UPDATE lot SET state = 'TERMINATED' WHERE ref = :ref", ref=ref)
    assert sealing.hand_in(world, ref, "bidder1", *made["bidder1"]).accepted
    far = stored(deadline_of(world, ref) - timedelta(minutes=1))
    rewrite(world, "UPDATE lot SET state = 'BIDDING', issue_at = :at WHERE ref = :ref", at=far, ref=ref)
    assert sealing.hand_in(world, ref, "bidder2", *made["bidder2"]).accepted


def test_a_standing_bid_dropped_by_sql_fails_no_lot_and_opens_none(world: World) -> None:
    ref = stages.bid(world)
    rewrite(world, "DELETE FROM standing_bid WHERE id = (SELECT min(id) FROM standing_bid)")
    sealing.close(world, ref)
    assert is_closed(world, ref) and state(world, ref) == "OPENING"  # with two of three it would have failed
    with unchanged(world):
        refused(lambda: sealing.list_set(world, ref), "bid_id", "standing_bid")


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("UPDATE lot SET threshold = 2", "lot", "threshold"),
        ("UPDATE lot SET scheme = replace(scheme, 'max', 'mix')", "lot", "scheme"),
        ("UPDATE lot SET form = replace(form, 'price', 'prise')", "lot", "form"),
        ("UPDATE lot SET ceiling_minor = ceiling_minor - 1", "lot", "ceiling_minor"),
        ("UPDATE project SET regime = 'WORKS'", "project", "regime"),
        ("UPDATE project SET method = 'GP_LOWEST'", "project", "method"),
        ("UPDATE closing SET entries = '{}'", "closing", "entries"),
        ("UPDATE sealed_bid SET blob = replace(blob, '0', '1')", "sealed_bid", "blob"),
    ],
)
def test_no_set_is_published_over_a_row_that_differs_and_the_row_is_named(
    world: World, statement: str, table: str, column: str
) -> None:
    ref = stages.closed(world)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: sealing.list_set(world, ref), column, table)


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("UPDATE policy SET t = 2 WHERE envelope = 'bid'", "policy", "t"),
        ("UPDATE officer_seat SET sign_kid = 'x' WHERE j = 1", "officer_seat", "sign_kid"),
        ("UPDATE opening SET bids = '[]'", "opening", "bids"),
    ],
)
def test_no_share_is_taken_over_a_row_that_differs(world: World, statement: str, table: str, column: str) -> None:
    ref = stages.listed(world)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: opening_steps.share(world, ref, opening_steps.ALL[0]), column, table)


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("UPDATE sealed_bid SET blob = replace(blob, '0', '1')", "sealed_bid", "blob"),
        ("UPDATE sealed_bid SET sealed_root = header_hash", "sealed_bid", "sealed_root"),
        ("UPDATE lot SET form = replace(form, 'price', 'prise')", "lot", "form"),
    ],
)
def test_no_bid_is_decrypted_over_a_row_that_differs(world: World, statement: str, table: str, column: str) -> None:
    ref = stages.shared(world)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: decryption.open_bids(world.office, world.actor("host"), ref), column, table)


def test_a_share_altered_after_it_was_given_opens_nothing(world: World) -> None:
    ref = stages.shared(world)
    rewrite(world, "UPDATE share SET parts = '{}' WHERE j = 1")
    refused(lambda: decryption.open_bids(world.office, world.actor("host"), ref), "parts", "share")


def test_a_log_entry_altered_stops_the_opening(world: World) -> None:
    ref = stages.listed(world)
    rewrite(world, "UPDATE log_document SET text = replace(text, 'A', 'B') WHERE kind = 'policy'")
    with unchanged(world), pytest.raises(Conflict, match="signed.altered"):
        opening_steps.share(world, ref, opening_steps.ALL[0])


def test_sheets_exchanged_by_sql_give_no_report(world: World) -> None:
    steps.library(world)
    ref = steps.scored(world)
    first, second = _two_sheets(world)
    for one, other in ((first, second), (second, first)):
        rewrite(
            world,
            "UPDATE sheet SET statement = :told, salt = :salt, c = :c WHERE id = :id",
            **{**other, "id": one["id"]},
        )
    with unchanged(world):
        refused(lambda: steps.draw_up(world, ref), "seat_id", "sheet")


def _two_sheets(world: World) -> list[dict[str, Any]]:
    with world.view("clock") as view:
        rows = view.session.scalars(select(Sheet).order_by(Sheet.id).limit(2))
        return [{"id": one.id, "told": one.statement, "salt": one.salt, "c": one.c} for one in rows]


def test_a_price_or_a_ranking_changed_by_sql_is_awarded_to_nobody(world: World) -> None:
    ref = stages.proposed(world)
    rewrite(world, "UPDATE award SET ranking = replace(ranking, '2700000', '2900000')")

    def decide() -> None:
        with world.work("buyer") as work:
            awards.decide(work, world.lot_in(work, ref))

    with unchanged(world):
        refused(decide, "ranking", "award")

"""Taking part, asking, answering and archiving go by what was signed, whatever the rows say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.kit import opening_steps, sealing, stages
from tests.kit.altering import rewrite
from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.awarding import archives
from trading.bidding import bids, participants
from trading.kernel.errors import Conflict, NotFound, TooLate
from trading.tendering import enquiries


def refused(act: Callable[[], Any], table: str, column: str) -> None:
    with pytest.raises(Conflict) as refusal:
        act()
    assert refusal.value.code == "signed.differs", refusal.value
    assert (refusal.value.facts["where"].split()[0], refusal.value.facts["column"]) == (table, column)


# --- taking part ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["deadline = published_at", "state = 'TERMINATED'"])
def test_nobody_is_kept_from_taking_part_by_a_row(world: World, change: str) -> None:
    ref = world.lot("BIDDING")
    rewrite(world, f"UPDATE lot SET {change} WHERE ref = :ref", ref=ref)
    assert world.take_part(ref, "bidder1") == [1]


def test_a_deadline_moved_back_by_sql_lets_nobody_in_late(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.view("clock") as view:
        deadline = world.lot_in(view, ref).deadline
    assert deadline is not None
    far = (deadline + timedelta(days=9)).strftime("%Y-%m-%d %H:%M:%S.%f")
    rewrite(world, "UPDATE lot SET deadline = :far, opens_at = :far WHERE ref = :ref", far=far, ref=ref)
    world.clock.set(deadline)
    with unchanged(world), pytest.raises(TooLate):
        world.take_part(ref, "bidder1")


def test_who_has_left_by_the_row_alone_goes_on(world: World) -> None:
    """Nobody can be put out of a lot by a row, from its first upload to its bid."""
    ref = stages.bidding(world)
    rewrite(world, "UPDATE participant SET withdrawn_at = joined_at")
    assert world.take_part(ref, "bidder1") == [1]
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1")).accepted


def test_who_has_left_is_not_opened_because_its_row_says_otherwise(world: World) -> None:
    ref = stages.bid(world)
    rewrite(world, "UPDATE participant SET withdrawn_at = joined_at WHERE id = 1")
    sealing.close(world, ref)
    with unchanged(world):
        refused(lambda: sealing.list_set(world, ref), "participant", "withdrawn_at")


def test_leaving_is_final_whatever_the_row_says_at_the_opening(world: World) -> None:
    ref = stages.bidding(world)
    with world.work("bidder1", sealing.SIGNER) as work:
        bids.leave(work, participants.own(work, world.lot_in(work, ref)))
    with world.view("bidder1") as view, pytest.raises(NotFound):
        participants.own(view, world.lot_in(view, ref))
    rewrite(world, "UPDATE participant SET withdrawn_at = NULL")
    sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1"))
    for username in ("bidder2", "bidder3"):
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username)).accepted
    world.tick()
    sealing.close(world, ref)
    with unchanged(world):
        refused(lambda: sealing.list_set(world, ref), "participant", "withdrawn_at")


# --- enquiries ------------------------------------------------------------------------------------------------------------


def asked(world: World) -> str:
    ref = world.lot("BIDDING")
    with world.work("bidder1") as work:
        return enquiries.ask(work, world.lot_in(work, ref), question="质保期从何时起算？").ref


def answer(world: World, name: str) -> None:
    with world.work("agent") as work:
        enquiries.answer(work, enquiries.enquiry(work.session, name), text="自验收合格之日起算")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("question = '可以指定品牌吗？'", "question"),
        ("asker_party_id = (SELECT max(id) FROM party)", "asker_party_id"),
        ("answered_at = asked_at", "answered_at"),
    ],
)
def test_no_question_that_nobody_asked_is_answered(world: World, change: str, column: str) -> None:
    name = asked(world)
    rewrite(world, f"UPDATE enquiry SET {change}")
    with unchanged(world):
        refused(lambda: answer(world, name), "enquiry", column)


def test_a_question_is_asked_and_answered_although_the_lots_row_says_it_is_over(world: World) -> None:
    ref = world.lot("BIDDING")
    rewrite(world, "UPDATE lot SET state = 'FAILED' WHERE ref = :ref", ref=ref)
    with world.work("bidder1") as work:
        name = enquiries.ask(work, world.lot_in(work, ref), question="质保期从何时起算？").ref
    answer(world, name)


def test_a_term_of_questions_moved_by_sql_is_named(world: World) -> None:
    ref = world.lot("BIDDING")
    rewrite(world, "UPDATE lot SET clarify_until = published_at WHERE ref = :ref", ref=ref)

    def ask() -> None:
        with world.work("bidder1") as work:
            enquiries.ask(work, world.lot_in(work, ref), question="质保期从何时起算？")

    with unchanged(world):
        refused(ask, "lot", "clarify_until")


# --- the archive ------------------------------------------------------------------------------------------------------------


def finished(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.contracted(world)
        opening_steps.turn(world)
        return ref

    return str(stages.reach(world, "finished", build))


def seal(world: World, ref: str) -> None:
    with world.work("clerk") as work:
        archives.seal(work, world.lot_in(work, ref))


@pytest.mark.parametrize(
    ("statement", "table", "column"),
    [
        ("UPDATE contract SET amount_minor = amount_minor + 1", "contract", "amount_minor"),
        (
            "UPDATE notice SET published_at = (SELECT min(published_at) FROM notice) WHERE kind = 'contract'",
            "notice",
            "document_hash",
        ),
        ("DELETE FROM notice WHERE kind = 'award'", "notice", "document_hash"),
        ("UPDATE opened_bid SET price_minor = price_minor + 1 WHERE id = 1", "opened_bid", "price_minor"),
        ("UPDATE award SET ranking = replace(ranking, '2700000', '2900000')", "award", "ranking"),
    ],
)
def test_no_archive_is_sealed_over_a_row_that_differs(world: World, statement: str, table: str, column: str) -> None:
    ref = finished(world)
    rewrite(world, statement)
    with unchanged(world):
        refused(lambda: seal(world, ref), table, column)


def test_an_archive_of_what_was_signed_is_sealed(world: World) -> None:
    ref = finished(world)
    seal(world, ref)
    with world.view("clock") as view:
        assert str(world.lot_in(view, ref).state) == "ARCHIVED"

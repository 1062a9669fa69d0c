"""The clock's hand: early, late, twice, from two machines, jumping back: harmless."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from sqlalchemy import func, select

from tests.kit import sealing, stages
from tests.kit.rows import fingerprint, unchanged
from tests.kit.world import World
from trading import timeline
from trading.bidding import closing
from trading.kernel import log
from trading.kernel.audit import LogEntry
from trading.kernel.errors import NotAllowed, WrongStep
from trading.kernel.log_ticks import LogTick
from trading.tendering.notices import Notice
from trading.tendering.tenders import Lot


def state(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return str(world.lot_in(view, ref).state)


def deadline_of(world: World, ref: str) -> datetime:
    with world.view("clock") as view:
        found = world.lot_in(view, ref).deadline
    assert found is not None
    return found


def test_what_is_due_is_read_without_a_trace(world: World) -> None:
    ref = stages.bid(world)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.deadline is not None
        moment = timedelta(microseconds=1)
        with unchanged(world):
            assert timeline.due(view.session, lot.deadline - moment) == []
            assert [(d.what, d.lot_id, d.since) for d in timeline.due(view.session, lot.deadline)] == [
                ("close", lot.id, lot.deadline)
            ]
            assert timeline.due(view.session, lot.deadline) == timeline.due(view.session, lot.deadline)


def test_issue_and_close_are_taken_in_their_order_and_once(world: World) -> None:
    ref = world.lot("NOTICE")
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        assert lot.issue_at is not None and lot.deadline is not None
    world.clock.set(lot.deadline + timedelta(days=3))  # nothing ran for weeks
    taken = timeline.turn(world.office)
    assert taken[:2] == [f"issue {ref}", f"close {ref}"] and "tick" in taken and state(world, ref) == "FAILED"
    with unchanged(world):
        assert timeline.turn(world.office) == []
        assert timeline.take_due(world.office) == []


def test_a_turn_twice_at_the_same_moment_changes_nothing(world: World) -> None:
    ref = stages.bid(world)
    deadline = deadline_of(world, ref)
    for seconds in (0, 60, 61, 3600):
        world.clock.set(deadline + timedelta(seconds=seconds))
        timeline.turn(world.office)
        with unchanged(world):
            assert timeline.turn(world.office) == []


def test_several_machines_at_once_take_each_step_once(world: World) -> None:
    """R11: threads stand for machines; on PostgreSQL they really run at once."""
    ref = stages.bid(world)
    deadline = deadline_of(world, ref)
    before = ticks(world)
    for seconds in (0, 60, 120):
        world.clock.set(deadline + timedelta(seconds=seconds))
        ready = threading.Barrier(4)
        wrong: list[BaseException] = []

        def run(ready: threading.Barrier = ready, wrong: list[BaseException] = wrong) -> None:
            ready.wait()
            try:
                timeline.turn(world.office)
            except BaseException as error:
                wrong.append(error)

        machines = [threading.Thread(target=run) for _ in range(4)]
        for machine in machines:
            machine.start()
        for machine in machines:
            machine.join()
        assert wrong == []
    assert ticks(world) == before + 3 and state(world, ref) == "OPENING"
    with world.view("clock") as view:
        assert view.session.scalar(select(func.count()).select_from(closing.Closing)) == 1
        for event in ("deadline",):
            assert view.session.scalar(select(func.count()).select_from(LogEntry).where(LogEntry.event == event)) == 1


def ticks(world: World) -> int:
    with world.view("clock") as view:
        return int(view.session.scalar(select(func.count()).select_from(LogTick)) or 0)


def test_a_clock_jumping_to_and_fro_closes_once_and_reopens_nothing(world: World) -> None:
    ref = stages.bid(world)
    deadline = deadline_of(world, ref)
    path = (-3600, 60, -3600, 61, -86400, 0, 130, -1, 3600, 10)
    seen, head = [], 0
    for seconds in path:
        world.clock.set(deadline + timedelta(seconds=seconds))
        timeline.turn(world.office)
        seen.append(state(world, ref))
        now = ticks(world)
        assert now >= head
        head = now
    assert seen[0] == "BIDDING" and set(seen[1:]) == {"OPENING"}
    with world.view("clock") as view:
        ats = list(view.session.scalars(select(LogTick.at).order_by(LogTick.tick)))
        assert ats == sorted(set(ats))
        assert view.session.scalar(select(func.count()).select_from(closing.Closing)) == 1


def test_a_missed_moment_is_never_filled_in(world: World) -> None:
    stages.bid(world)
    before = ticks(world)
    world.clock.advance(hours=5)
    timeline.turn(world.office)
    assert ticks(world) == before + 1
    with world.view("clock") as view:
        last = log.last_tick(view.session)
        assert last is not None and last.at <= world.now < last.at + timedelta(minutes=1)


def test_too_few_bids_are_judged_once_with_one_notice(world: World) -> None:
    ref = stages.bidding(world)
    sealing.close(world, ref)
    timeline.turn(world.office)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        kinds = list(view.session.scalars(select(Notice.kind).where(Notice.lot_id == lot.id, Notice.kind == "failure")))
        assert kinds == ["failure"] and lot.state == "FAILED"


def test_nobody_else_turns_the_clock(world: World) -> None:
    ref = stages.bid(world)
    before = fingerprint(world)
    for username in ("clerk", "host", "agent"):
        for step in ("close", "judge", "issue", "settle"):
            try:
                with world.work(username) as work:
                    lot = work.session.get(Lot, world.lot_in(work, ref).id)
                    assert lot is not None
                    world.clock.set(lot.deadline or world.now)
                    assert not timeline.STEPS[step](work, lot)
            except (NotAllowed, WrongStep):
                pass
    assert fingerprint(world) == before

"""What stands beside every page is asked for all lots at once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from deposits.views import limits
from tests.kit.asked import asked
from tests.kit.world import World
from trading.tendering import enquiries
from trading.views import agency_waiting, oversight


def _announced(world: World) -> str:
    ref = world.lot("NOTICE")
    with world.work("bidder1") as work:
        enquiries.ask(work, world.lot_in(work, ref), question="第三章的数量是否含备品？")
    return ref


def test_neither_purchaser_nor_supervisor_asks_once_a_lot(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    counts = []
    for lots in (1, 3):
        refs = [_announced(world) for _ in range(lots)]
        with world.view("agent") as view:
            agency_waiting.waiting(view)  # calendars and rules are read once a process
            with asked(world) as of_agent:
                found = agency_waiting.waiting(view)
        with world.view("watch") as view, asked(world) as of_watch:
            running, refunds = oversight.limits(view, running=True), limits.refund_limits(view, running=True)
            assert [one for one in oversight.limits(view) if one.met_at is None] == running and not refunds
        assert {one.lot for one in found if one.kind == "enquiry"} >= {*refs}
        assert {one.lot for one in running} >= {*refs}
        counts.append((len(of_agent), len(of_watch)))
    assert counts[0] == counts[1] and counts[0][0] < 12 and counts[0][1] < 16

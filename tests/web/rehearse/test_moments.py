"""What the clock of a rehearsal may go to: the next moment of any lot, and never over a deadline for bids."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit.world import World
from trading.kernel.access import CLOCK
from trading.kernel.errors import Conflict
from trading.views.rehearsal_queries import AFTER, BEFORE, is_closing, next_moment, next_working_day, not_past


def test_the_clock_stops_before_a_deadline_and_stays_until_it_is_sealed(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    with world.office.view(CLOCK) as view:
        assert next_moment(view) is None and not_past(view) is None and next_working_day(view) > view.now
    ref = world.lot()
    with world.office.view(CLOCK) as view:
        deadline = world.lot_in(view, ref).deadline
        assert deadline is not None
        found = next_moment(view)
        assert found is not None and view.now < found.at <= deadline - BEFORE and found.ref == ref
    for away, stops in (
        (timedelta(hours=-1), False),
        (-BEFORE - timedelta(seconds=1), False),
        (-BEFORE, True),
        (timedelta(0), True),
        (AFTER - timedelta(seconds=1), True),
        (AFTER, False),
    ):
        world.clock.set(deadline + away)
        with world.office.view(CLOCK) as view:
            assert is_closing(view) is stops
            if stops:
                with pytest.raises(Conflict) as refused:
                    not_past(view)
                assert refused.value.code == "rehearsal.closing" and refused.value.facts["ref"] == ref
            else:
                assert not_past(view) == (deadline - BEFORE if away < timedelta(0) else None)
                nearest = next_moment(view)
                assert nearest is None or nearest.at > view.now

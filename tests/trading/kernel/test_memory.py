"""A process that has found its log to be an old copy signs nothing: no act, no tick."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from crypto import checkpoints
from tests.kit.world import SETUP, World
from trading import timeline
from trading.kernel import log
from trading.kernel.access import CLOCK
from trading.kernel.audit import LogEntry
from trading.kernel.errors import NotReady
from trading.kernel.memory import Memory


@pytest.mark.promise("I1")
def test_no_act_and_no_tick_once_the_log_is_known_to_be_old(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path / "office")
    world.tick()
    keys, platform = world.office.keys, world.office.platform
    later = checkpoints.sign_checkpoint(
        log.origin(platform), 1000, b"\1" * 32, keys.log
    )  # of a history that is not here
    memory = Memory(platform, log.log_key(platform, keys), [tmp_path / "memory"])
    memory.write(tmp_path / "memory", later, "2026-03-02T09:00:00Z")
    office = replace(world.office, memory=memory)
    world.clock.set(world.now + timedelta(minutes=2))
    with office.view(CLOCK) as view:
        before = log.size(view), view.session.scalar(select(func.count()).select_from(LogEntry))
    with pytest.raises(NotReady, match=r"memory\.behind"):
        timeline.turn(office)
    assert office.trouble is not None
    with pytest.raises(NotReady, match=r"log\.stands_still"), office.work(SETUP) as work:
        work.record("test.act", "platform")
    with office.view(CLOCK) as view:
        assert before == (log.size(view), view.session.scalar(select(func.count()).select_from(LogEntry)))

"""A world as if it had been brought back from a backup, and others outside remembered more of its log than it has."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from crypto import checkpoints
from tests.kit.world import SETUP, World
from trading.kernel import log, restored
from trading.kernel.clock import write_moment
from trading.kernel.memory import Memory
from trading.kernel.restored import Standing, covered
from trading.parties import parties


def note(world: World, size: int, root: bytes | None = None) -> str:
    """A checkpoint of ticks this log never had: rightly signed, as the lost ones were."""
    return checkpoints.sign_checkpoint(
        log.origin(world.office.platform), size, root or secrets.token_bytes(32), world.office.keys.log
    )


def size(world: World) -> int:
    with world.view("clock") as view:
        return log.size(view)


def bring_back(world: World, folder: Path, lost: int = 3, told: str = "") -> str:
    """From now on the world stands as restored, and a memory in ``folder`` holds ``lost`` ticks more (``told``: the lost log's own last
    checkpoint); returns the remembered note."""
    keys = world.office.keys
    memory = Memory(
        world.office.platform,
        log.log_key(world.office.platform, keys),
        [folder / "log.memory"],
        excused=lambda session, kept: covered(session, keys.public, kept),
    )
    told = told or note(world, size(world) + lost)
    memory.write(folder / "log.memory", told, write_moment(world.now))
    with world.office.work(SETUP) as work:
        restored.note(work.session, backup_at=world.now, at=world.now)
    world.office = replace(world.office, memory=memory, restored=Standing())
    with world.view("clock") as view:
        world.office.restored.look(view)
        memory.look(view.session)
    return told


def declare(world: World, folder: Path, lost: int, told: str = "") -> str:
    """The same, and the gap declared by the only one there is to do it; returns the remembered note."""
    told = bring_back(world, folder, lost, told)
    with world.office.work(replace(SETUP, fresh_until=world.now + parties.FRESH)) as work:
        seen = world.office.memory.seen()
        assert restored.confirm(work, seen, remembered=size(world) + lost, alone=True) is not None
    with world.view("clock") as view:
        assert world.office.restored.look(view) is None and world.office.memory.look_anew(view.session) is None
    world.tick()
    return told

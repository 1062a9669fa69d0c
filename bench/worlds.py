"""Worlds for the benches: an office on SQLite with many bidders, set up by the product's own acts (the kit of the tests).

The kit is imported where it is used, so that ``python -m bench`` lists its benches without it. While a world is made its database
does not wait for the disk; what is measured runs on ``reopened``, where every commit does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.race import workshop
from crypto import passwords
from trading.kernel.access import Role
from trading.kernel.blobs import LocalBlobs
from trading.kernel.db import open_engine
from trading.parties import parties

if TYPE_CHECKING:
    from tests.kit.world import World

DATABASE = "bidhall.db"
PASSWORD = "correct horse battery"
"""Of everybody in a world, as in the kit."""


@contextmanager
def disk() -> Iterator[Path]:
    """A folder on the disk of the machine, for what must wait for it."""
    with tempfile.TemporaryDirectory(prefix="bidhall-bench-") as name:
        yield Path(name)


@contextmanager
def world_in(folder: Path, bidders: int, url: str = "") -> Iterator[World]:
    """A new world in ``folder`` with so many bidders, their keys enrolled; its database in the folder, or an empty one at ``url``."""
    from tests.kit.world import World
    from web import schema  # the tables of all rooms

    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(url or f"sqlite:///{folder / DATABASE}", durable=False)
    schema.migrate(engine)
    world = World(engine, folder, bidders=3)
    try:
        add_bidders(world, bidders - len(world.bidders))
        yield world
    finally:
        world.office.engine.dispose()
        engine.dispose()


def add_bidders(world: World, count: int) -> None:
    """More bidders beside the kit's three; one password's hash serves all, making 2 000 would take minutes."""
    from tests.kit.world import SETUP, credit_code

    hashed = passwords.hash_password(PASSWORD)
    first = len(world.bidders) + 1
    names = [f"bidder{number}" for number in range(first, first + count)]
    with world.office.work(SETUP) as work:
        for number, name in enumerate(names, start=first):
            party = parties.register(
                work,
                code=credit_code(100 + number),
                name=f"投标单位{number}有限公司",
                kind="bidder",
                region="130205",
                bank_account=f"6222{number:08d}",
            )
            who = parties.invite(
                work,
                party,
                username=name,
                name=name,
                password=PASSWORD,
                hashed=hashed,
                roles=[Role.BIDDER_SIGNER, Role.BIDDER_OPERATOR],
            )
            world.party_ids[name], world.people[name] = party.id, who.id
    for name in names:
        world.bidders.append(name)
        world.enrol(name, "bidder")


@contextmanager
def reopened(world: World, source: Path, target: Path) -> Iterator[World]:
    """The same world on a copy of its folder, whose commits wait for the disk; the clock stands where it stood."""
    from tests.kit import data_keys
    from tests.kit.world import World

    world.office.engine.dispose()  # so that the write-ahead log is folded into the file
    target.mkdir(parents=True)
    shutil.copytree(source / "blobs", target / "blobs", copy_function=_linked)
    shutil.copyfile(source / DATABASE, target / DATABASE)
    engine = open_engine(f"sqlite:///{target / DATABASE}")
    data_keys.attach(engine)
    copy = object.__new__(World)
    copy.__dict__.update(world.__dict__)
    clock = type(world.clock)(world.now)
    copy.office = replace(world.office, engine=engine, clock=clock, blobs=LocalBlobs(target / "blobs"))
    try:
        yield copy
    finally:
        engine.dispose()
        shutil.rmtree(target)


def _linked(source: str, target: str) -> Any:
    """A blob is never changed in place: a second name for it is as good as a copy, where the file system allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


__all__ = ["DATABASE", "PASSWORD", "add_bidders", "disk", "reopened", "workshop", "world_in"]

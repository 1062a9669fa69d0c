"""Worlds that are killed: a template folder is copied for each trial, and what acts on the copy is a forked worker process with engine and
blob store of its own, killed by SIGKILL at a named point (trading/kernel/faults.py), or from outside at any moment.

The worker tells its parent what it told its client, line by line, the moment the act has returned: an acknowledgement.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.house.tree import ROOT
from tests.kit import sealing
from tests.kit.world import World
from trading.disclosure import audit
from trading.kernel import faults
from trading.kernel.access import Actor, Role
from trading.kernel.blobs import LocalBlobs
from trading.kernel.clock import SetClock
from trading.kernel.db import open_engine

KILLS = int(os.environ.get("BIDHALL_TEST_KILLS", "0"))
"""How many kills a path must at least survive in the long run (`make faults`); 0: the short loops only."""

Told = Callable[..., None]
Work = Callable[[World, Told], None]


@dataclass
class Worker:
    """What became of a worker. ``acked``: what it had told its client; ``killed`` by SIGKILL; ``error``: its traceback, "" if it ended
    well."""

    acked: list[dict[str, Any]] = field(default_factory=list)
    killed: bool = False
    error: str = ""


def points(*names: str) -> list[str]:
    """Every fault point that stands in these files of the product."""
    found: list[str] = []
    for name in names:
        found += re.findall(r'(?<!def )\bfault\("([a-z.-]+)"\)', (ROOT / name).read_text(encoding="utf-8"))
    return sorted(set(found))


def over(world: World, *, url: str = "", folder: Path | None = None) -> World:
    """The same world with an engine of its own (and, copied, on another database and store)."""
    other = object.__new__(World)
    other.__dict__.update(world.__dict__)
    blobs = LocalBlobs(folder) if folder else world.office.blobs
    engine = open_engine(url or world.office.engine.url.render_as_string(hide_password=False))
    other.office = replace(world.office, engine=engine, blobs=blobs, clock=SetClock(world.now))
    return other


@contextmanager
def copied(world: World, folder: Path) -> Iterator[World]:
    """A copy of an SQLite world in ``folder``, gone at the end; on PostgreSQL the world itself."""
    if world.office.engine.dialect.name != "sqlite":
        yield world
        return
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.office.blobs.folder, folder / "blobs")
    path = folder / "bidhall.db"
    with closing(world.office.engine.raw_connection()) as raw, closing(sqlite3.connect(path)) as copy:
        raw.driver_connection.backup(copy)  # type: ignore[union-attr]
    made = over(world, url=f"sqlite:///{path}", folder=folder / "blobs")
    try:
        yield made
    finally:
        made.office.engine.dispose()
        shutil.rmtree(folder, ignore_errors=True)


def worker(world: World, work: Work, *, fault: str = "", kill_after: float = 0) -> Worker:
    """Run ``work`` in a process of its own, with faults armed; with ``kill_after`` killed from outside after so many seconds."""
    return join(begin(world, work, fault=fault), kill_after=kill_after)


def begin(world: World, work: Work, *, fault: str = "", go: int | None = None) -> tuple[int, int]:
    """(pid, pipe) of a worker that has begun; with ``go`` it waits until that pipe is closed, so that several set off together."""
    world.office.engine.dispose()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        if go is not None:
            os.read(go, 1)
        mine = over(world, folder=world.office.blobs.folder)

        def tell(**facts: Any) -> None:
            os.write(writing, json.dumps(facts).encode() + b"\n")

        faults.arm(fault)
        try:
            work(mine, tell)
            status = 0
        except BaseException:
            tell(error=traceback.format_exc())
    finally:
        os._exit(status)  # no cleaning up of what belongs to the parent
    raise AssertionError


def join(begun: tuple[int, int], *, kill_after: float = 0) -> Worker:
    pid, reading = begun
    if kill_after:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    data = b""
    while piece := os.read(reading, 65536):
        data += piece
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    found = Worker(killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)
    for line in data.splitlines():
        facts = json.loads(line)
        if "error" in facts:
            found.error = facts["error"]
        else:
            found.acked.append(facts)
    return found


# --- what must hold after every death ---------------------------------------------------------------------------------


def log_holds(world: World) -> None:
    """The whole log verifies: ticks, trees, checkpoints, and every row against its entry."""
    with world.office.view(Actor(Role.AUDIT_ADMIN, name="test")) as view:
        found = audit.verify(view)
    assert found.ok, found.faults


def audited(world: World, folder: Path) -> None:
    """The same by the command an operator has, in a process of its own over a folder made ready for servers."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BIDHALL_")}
    environment |= {
        "BIDHALL_DATA": str(folder),
        "BIDHALL_PLATFORM": world.office.platform,
        "BIDHALL_BLOBS": str(folder / "blobs"),
        "BIDHALL_DATABASE": world.office.engine.url.render_as_string(hide_password=False),
        "BIDHALL_LANG": "en",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from web.cli.main import main; main()", "audit", "verify"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def sealed_again(world: World, ref: str, username: str, *, replaces: str = "") -> tuple[bytes, Any]:
    return sealing.seal(world, ref, username, replaces=replaces, data=b"offer " * 200_000)

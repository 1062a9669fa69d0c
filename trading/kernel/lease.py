"""Who signs against a memory: one database at a time, named in the memory itself until its time is up or its process has ended.

Two copies of one data folder, started at once, continue the same log twice, and neither is behind the other before a tick has passed. So
who signs leaves in each memory who it is; another database is refused as long as that stands. Servers and commands over the *same*
database may be as many as they like: a tick is sealed once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from trading.kernel.clock import machine_seconds
from trading.kernel.machine import boot, line

SECONDS = 150
"""How long a lease stands after it was last renewed: two quiet ticks, and some patience."""


@dataclass(frozen=True)
class Holder:
    """``database``: the same for all who write to one, another for every copy; ``space``: where ``pid`` and its ``started`` mean something;
    ``until``: unix seconds."""

    database: str
    host: str
    boot: str
    space: str
    pid: int
    started: str
    until: int = 0

    def renewed(self) -> Holder:
        return replace(self, until=machine_seconds() + SECONDS)

    def stands(self) -> bool:
        """Whether its time is not up, and its process not known to have ended: known on the machine, and since the boot, it runs on."""
        if self.until <= machine_seconds():
            return False
        if (self.host, self.boot, self.space) != (socket.gethostname(), boot(), space()) or not self.boot:
            return True
        return started(self.pid) == self.started

    def is_same_process(self, other: Holder) -> bool:
        """A server that was restarted under a process gives its database another name, not the process."""
        return replace(self, until=0, database="") == replace(other, until=0, database="")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def of_json(value: Any) -> Holder | None:
    """None for none. Raises: ValueError for what is no lease."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or value.keys() != Holder.__dataclass_fields__.keys():
        raise ValueError("not a lease")
    if any(type(value[name]) is not (int if name in ("pid", "until") else str) for name in value):
        raise ValueError("not a lease")
    return Holder(**value)


def of_process(engine: Engine) -> Holder:
    """This process, over this database."""
    return Holder(database_of(engine), socket.gethostname(), boot(), space(), os.getpid(), started(os.getpid()))


def database_of(engine: Engine) -> str:
    """A name that every copy changes: the file's own place on its disk, or the server's start and the number of its database."""
    if engine.dialect.name == "sqlite":
        path = engine.url.database
        if not path or path == ":memory:" or not Path(path).exists():
            return f"sqlite {id(engine)}"
        found = os.stat(path)
        return f"sqlite {boot()} {found.st_dev}:{found.st_ino}"
    with engine.connect() as connection:
        asked = "SELECT pg_postmaster_start_time()::text, oid::text FROM pg_database WHERE datname = current_database()"
        since, number = connection.execute(text(asked)).one()
    return f"postgresql {since} {number}"


def space() -> str:
    """Within which process numbers are counted: a container's are its own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def started(pid: int) -> str:
    """When a process began, in ticks since the boot; "" where there is none: a number alone is given to another one day."""
    stat = line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if len(stat) < 20 or stat[0] in ("Z", "X") else stat[19]

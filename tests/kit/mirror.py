"""A mirror beside a world: the real store and the real server in a thread, its key enrolled for a person of the supervisory body.

with mirror_beside(world, tmp_path) as beside:      # policies drafted from now on ask for whole files
    ...
    beside.stop(); beside.start()
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.kit.world import PASSWORD, SETUP, Keys, World, password_hash
from trading.bidding import copies
from trading.kernel.access import Role
from trading.parties import parties
from web.workers.mirror.line import Line
from web.workers.mirror.server import Mirror
from web.workers.mirror.store import Store


@dataclass
class Beside:
    """A mirror under the world's clock. ``line``: the platform's own line to it."""

    world: World
    store: Store
    port: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def line(self) -> Line:
        line = self.world.office.mirror
        assert isinstance(line, Line)
        return line

    def start(self) -> None:
        self._stop = threading.Event()
        ready = threading.Event()
        served = Mirror(self.store, self.world.office.platform, [self.world.office.keys.public], self.world.clock)

        def on_ready(port: int) -> None:
            self.port = port
            ready.set()

        self._thread = threading.Thread(
            target=served.run, args=("127.0.0.1", self.port, self._stop, on_ready), daemon=True
        )
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def send(self) -> None:
        """What the clock does every few seconds."""
        copies.send_due(self.world.office)


def enrol_mirror(world: World, secret: bytes) -> None:
    """A person of the supervisory body of the name ``mirror`` enrols the mirror's key."""
    with world.office.work(SETUP) as work:
        firm = parties.party(work.session, world.party_ids["supervisor"])
        who = parties.invite(
            work,
            firm,
            username="mirror",
            name="mirror",
            password=PASSWORD,
            hashed=password_hash(),
            roles=[Role.SUPERVISOR],
        )
        world.people["mirror"] = who.id
    world.enrol("mirror", "supervisor", seal=False, new=Keys(sign=secret))


@contextmanager
def mirror_beside(world: World, folder: Path, mode: str = "files") -> Iterator[Beside]:
    """A mirror running until the block ends."""
    beside = Beside(world, Store(folder / "mirror"))
    enrol_mirror(world, beside.store.secret)
    beside.start()
    office = world.office
    line = Line(
        f"http://127.0.0.1:{beside.port}", beside.store.public, office.platform, office.keys.signing, office.clock
    )
    world.office, world.mirror_mode = replace(office, mirror=line), mode
    try:
        yield beside
    finally:
        beside.stop()

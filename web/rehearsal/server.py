"""A platform of one's own for a rehearsal: in this process, on a free loopback port, on a clock that the play moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from deposits.bank.simulated import SimulatedBank
from trading import timeline
from trading.kernel.clock import SetClock
from trading.kernel.db import open_engine
from trading.kernel.work import Office
from web import clockwork, schema, wiring
from web.app import create_app
from web.settings import Settings

TICK = timedelta(seconds=10)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The rehearsal tells its own story."""


@dataclass
class Stage:
    """A running platform and its clock. ``base`` is its address."""

    office: Office
    clock: SetClock
    base: str
    settings: Settings
    bank: SimulatedBank

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def turn(self) -> None:
        """One turn of the clock where it stands; the money room's part only when the procedure moved, ticks alone move no money."""
        if any(step != "tick" for step in timeline.turn(self.office)):
            self.money()

    def money(self) -> None:
        """The money room's part of a turn: refunds that fell due, orders to the bank."""
        clockwork.money(self.office, self.bank)

    def jump(self, moment: datetime) -> None:
        """Straight to a moment, one turn there: the log shows the gap."""
        if moment < self.now:
            raise ValueError(f"the rehearsal clock does not go back: {self.now} to {moment}")
        self.clock.set(moment)
        self.turn()

    def walk(self, moment: datetime) -> None:
        """To a moment through every tick on the way (10 s)."""
        while self.now + TICK <= moment:
            self.clock.set(self.now + TICK)
            self.turn()
        if self.now < moment:
            self.jump(moment)

    def settle(self) -> None:
        """A little more than two minutes through every tick: whatever was signed before is in the log then."""
        self.walk(self.now + timedelta(seconds=130))


@contextmanager
def stage(settings: Settings, start: datetime) -> Iterator[Stage]:
    """Migrate, wire, serve; closed at the end. The data folder is marked as one made for rehearsal."""
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / wiring.REHEARSAL).touch()
    clock = SetClock(start)
    engine = open_engine(settings.database, durable=False)
    office = replace(wiring.open_office(replace(settings, test_clock="")), clock=clock, engine=engine)
    schema.migrate(office.engine)
    app = create_app(replace(settings, test_clock=start.isoformat()), office)
    server: BaseWSGIServer = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, name="rehearsal", daemon=True)
    thread.start()
    try:
        bank = SimulatedBank(settings.data / wiring.BANK_FILE, clock)
        yield Stage(office, clock, f"http://127.0.0.1:{server.server_port}", settings, bank)
    finally:
        server.shutdown()
        thread.join()
        office.engine.dispose()


def settings_of(folder: Path, *, platform: str = "bidhall.rehearsal") -> Settings:
    """Settings of a rehearsal in a folder: SQLite and files, nothing from the environment."""
    return Settings(data=folder, database=f"sqlite:///{folder / 'bidhall.db'}", blobs=str(folder / "blobs"), platform=platform)

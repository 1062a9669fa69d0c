"""A platform of one's own for a rehearsal: in this process, on a free loopback port, on a clock that the play moves; on request with a
second process of the same platform (``web.rehearsal.helper``), so that people who act at the same time are served on two cores."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from deposits.bank.simulated import SimulatedBank
from trading import timeline
from trading.kernel import at_rest
from trading.kernel.clock import Clock, FileClock, SetClock, write_moment
from trading.kernel.db import open_engine
from trading.kernel.work import Office
from web import schema, wiring
from web.app import create_app
from web.settings import Settings
from web.workers import scheduler

TICK = timedelta(seconds=10)
T = TypeVar("T")
Steps = Generator[None, None, Any]
"""A part of a play that pauses wherever what was signed must be in the log before it goes on."""


CLOCK_FILE = "stage.clock"
GATHER = 10_000


class _ToldClock(SetClock):
    """A clock moved here whose hour a second process reads from a file."""

    def __init__(self, moment: datetime, path: Path) -> None:
        super().__init__(moment)
        path.write_text(write_moment(moment, exact=True), encoding="ascii")
        self._told = FileClock(path)

    def set(self, moment: datetime) -> None:
        super().set(moment)
        self._told.set(moment)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The rehearsal tells its own story."""


@dataclass
class Stage:
    """A running platform and its clock. ``base`` is its address; ``bases`` the addresses of all its processes."""

    office: Office
    clock: SetClock
    base: str
    settings: Settings
    bank: SimulatedBank
    pace: timedelta = TICK
    bases: list[str] = field(default_factory=list)
    pool: ThreadPoolExecutor | None = None

    def each(self, act: Callable[[T], object], these: Iterable[T]) -> None:
        """The same act by several people, who do not wait for each other; one after the other where the platform is one process."""
        for _done in self.pool.map(act, these) if self.pool else map(act, these):
            pass

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def turn(self) -> None:
        """One turn of the clock where it stands; the money room's part only when the procedure moved, ticks alone move no money."""
        if any(step != "tick" for step in timeline.turn(self.office)):
            self.money()

    def money(self) -> None:
        """The money room's part of a turn: refunds that fell due, orders to the bank."""
        scheduler.money(self.office, self.bank)

    def look_at_files(self) -> None:
        """What the scanner's job would do where no scanner is: files are noted as unscanned, and the log's next tick seals that."""
        scheduler.scan(self.office, None)
        self.turn()

    def jump(self, moment: datetime) -> None:
        """Straight to a moment, one turn there: the log shows the gap."""
        if moment < self.now:
            raise ValueError(f"the rehearsal clock does not go back: {self.now} to {moment}")
        self.clock.set(moment)
        self.turn()

    def walk(self, moment: datetime) -> None:
        """To a moment through every tick on the way (10 s), or at the pace of this stage."""
        while self.now + self.pace <= moment:
            self.clock.set(self.now + self.pace)
            self.turn()
        if self.now < moment:
            self.jump(moment)

    def settle(self) -> None:
        """A little more than two minutes through every tick: whatever was signed before is in the log then."""
        self.walk(self.now + timedelta(seconds=130))

    def play(self, steps: Steps) -> Any:
        """One part, at every pause a little time."""
        return self.together([steps])[0]

    def together(self, parts: Iterable[Steps]) -> list[Any]:
        """Several parts side by side: each goes on to its next pause, then time passes for all of them. Returns what each returned."""
        running, found = dict(enumerate(parts)), {}
        while running:
            for at, steps in list(running.items()):
                try:
                    next(steps)
                except StopIteration as end:
                    found[at] = end.value
                    del running[at]
            if running:
                self.settle()
        return [found[at] for at in sorted(found)]


@contextmanager
def stage(settings: Settings, start: datetime, *, pace: timedelta = TICK, second: bool = False) -> Iterator[Stage]:
    """Migrate, wire, serve; closed at the end. The data folder is marked as one made for rehearsal. ``pace``: the steps in which time is
    walked through; ``second``: by two processes."""
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / wiring.REHEARSAL).touch()
    told = settings.data / CLOCK_FILE
    clock = _ToldClock(start, told) if second else SetClock(start)
    office = office_of(settings, clock)
    schema.migrate(office.engine)
    with ExitStack() as stack:
        stack.callback(office.engine.dispose)
        server = serving(settings, office, start)
        stack.callback(server.server_close)
        thread = threading.Thread(target=server.serve_forever, name="rehearsal", daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        bases = [address_of(server)]
        scene = Stage(
            office, clock, bases[0], settings, SimulatedBank(settings.data / wiring.BANK_FILE, clock), pace, bases
        )
        if second:
            stack.callback(told.unlink)
            bases.append(stack.enter_context(_second(settings, told)))
            scene.pool = stack.enter_context(ThreadPoolExecutor(4))
            lighten()
        yield scene


def office_of(settings: Settings, clock: Clock) -> Office:
    """The office of a rehearsal: commits do not wait for the disk."""
    engine = open_engine(settings.database, durable=False)
    at_rest.attach(engine, wiring.data_keys(settings, engine))
    return replace(wiring.open_office(replace(settings, test_clock="")), clock=clock, engine=engine)


def serving(settings: Settings, office: Office, start: datetime) -> BaseWSGIServer:
    app = create_app(replace(settings, test_clock=start.isoformat()), office)
    return make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)


def lighten() -> None:
    """In a process that does nothing else: what was loaded by now is left alone by the collector of cycles, as in ``bidhall serve``."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GATHER)


def address_of(server: BaseWSGIServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@contextmanager
def _second(settings: Settings, told: Path) -> Iterator[str]:
    """A second process of the platform, which ends with its standard input."""
    asked = {**asdict(settings), "data": str(settings.data), "test_clock": str(told)}
    with subprocess.Popen(
        [sys.executable, "-m", "web.rehearsal.helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        try:
            yield child.stdout.readline().strip()
        finally:
            child.stdin.close()
            child.wait(30)


def settings_of(folder: Path, *, platform: str = "bidhall.rehearsal") -> Settings:
    """Settings of a rehearsal in a folder: SQLite and files, nothing from the environment."""
    return Settings(
        data=folder, database=f"sqlite:///{folder / 'bidhall.db'}", blobs=str(folder / "blobs"), platform=platform
    )


def settings_from(told: str) -> Settings:
    """Settings as one process of a rehearsal hands them to another."""
    asked = json.loads(told)
    lists = {"probes": tuple(tuple(one) for one in asked["probes"]), "memory": tuple(asked["memory"])}
    return Settings(**{**asked, "data": Path(asked["data"]), **lists})

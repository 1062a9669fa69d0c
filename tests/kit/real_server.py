"""Real servers to be killed: `bidhall serve` itself, its workers and its clocks, over the folder of a world; and people at its door.

    with hatchery() as nest, rooms(world, folder) as house:
        server = nest.serve(house, fault="bid.stored:down@1")   # the command, in a session (and process group) of its own
        server.kill()                                           # kill -9 to the server and all its workers
        server.kill_worker()                                    # … or to one worker, which the server replaces

A hatchery is one process that has imported the platform and forks a process for each `serve`, so that booting costs a tenth of what the
imports cost; the command, its checks and migrations, gunicorn and the workers' own building of the application are all run anew. ``cold``
servers start from nothing, as an operator's do. The clock of a house is a file, which the test moves; the servers' own clocks turn each
second all the same.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command

from bench.service import AGENT, COOKIE, _keep_keys
from bench.start import free_port
from migrations import runner  # and with it every table: a world's database has them all
from tests.house.tree import ROOT
from tests.kit.world import SETUP, World
from trading.kernel.access import Role
from trading.kernel.clock import write_moment
from trading.parties import parties
from web.settings import Settings

SOUND_SECONDS = 10.0
"""How long after a death the platform may take to answer soundly (promise R3)."""

NEST = """
import ctypes, json, os, signal, sys
import gunicorn.app.base, web.app, web.http.arrivals, web.cli.main, web.workers.scheduler, web.cli.serve
import web.http.edge, web.logs, web.schema, web.wiring
from trading.kernel import faults
web.app.find_desks()
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)          # orphans come to us, and need no burying: SIGCHLD is ignored
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("warm", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    out = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order["env"])
    faults.arm(order["env"].get(faults.VARIABLE, ""))
    sys.argv = ["bidhall", *order["words"]]
    try:
        web.cli.main.main()
    finally:
        os._exit(1)
"""


class Died(Exception):
    """The line broke, or nobody answers: what a client sees of a death."""


# --- a house: a world's folder as the platform's data folder ----------------------------------------------------------


@dataclass
class House:
    """A world whose folder servers run on. ``at`` moves the world's clock and the servers' together; ``settings`` they have beside."""

    world: World
    folder: Path
    clock_file: Path
    settings: dict[str, str] = field(default_factory=dict)
    _app: Any = None

    def at(self, moment: datetime) -> None:
        self.world.clock.set(moment)
        new = self.clock_file.with_suffix(".new")
        new.write_text(write_moment(moment, exact=True), encoding="ascii")
        new.replace(self.clock_file)

    def advance(self, **by: float) -> None:
        self.at(self.world.now + timedelta(**by))

    def environment(self, fault: str = "") -> dict[str, str]:
        world = self.world
        return {
            "BIDHALL_DATA": str(self.folder),
            "BIDHALL_DATABASE": world.office.engine.url.render_as_string(hide_password=False),
            "BIDHALL_BLOBS": str(self.folder / "blobs"),
            "BIDHALL_PLATFORM": world.office.platform,
            "BIDHALL_LANG": "en",
            "BIDHALL_TEST_CLOCK": str(self.clock_file),
            "BIDHALL_TEST_FAULT": fault,
            **self.settings,
        }

    def person(self, server: Server, username: str, role: Role | None = None) -> Guest:
        """Somebody freshly signed in: the row and the cookie as the page of signing in makes them (which takes 60 an hour)."""
        from flask import session
        from flask_login import login_user
        from flask_wtf.csrf import generate_csrf

        from web.app import create_app
        from web.http import login

        world = self.world
        if self._app is None:
            settings = Settings(
                data=self.folder, database="", blobs="", platform=world.office.platform, test_clock="set"
            )
            self._app = create_app(settings, world.office)
        app = self._app
        signer: Any = app.session_interface.get_signing_serializer(app)
        with world.office.work(SETUP) as work:
            who = parties.account(work.session, world.people[username])
            token = parties.open_login(work, who, role or world.actor(username).role, AGENT)
            row = parties.find_login(work.session, token, work.now)
            assert row is not None
            found = login._person(work.session, token, row)
            with app.test_request_context(
                "/", environ_base={"REMOTE_ADDR": "127.0.0.1"}, headers={"User-Agent": AGENT}
            ):
                login_user(found)
                csrf = generate_csrf()
                cookie = f"{COOKIE}={signer.dumps(dict(session))}"
        return Guest(world, server.port, username, cookie, csrf)


def house_of(world: World, folder: Path, *, clock: Path | None = None) -> House:
    """A world in ``folder`` (database and blobs in it) made ready for servers: the platform's keys as files, the mark of a rehearsal, the
    mark of the schema's version (a world's tables are made from the same table of tables, at once). ``clock``: a file of its own for the
    moment, where the folder's disk is not to be written to."""
    with world.office.engine.begin() as connection:
        command.stamp(runner._config(connection), "head")
    _keep_keys(world, folder)
    (folder / "rehearsal").touch()
    house = House(world, folder, clock or folder / "clock")
    house.at(world.now)
    return house


# --- people -----------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Guest:
    """A client with a sign-in; each request on a line of its own. Raises ``Died`` where the line breaks."""

    world: World
    port: int
    username: str
    cookie: str
    csrf: str

    def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Answer:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(
                method, path, body or None, {"User-Agent": AGENT, "Cookie": self.cookie, "Connection": "close", **named}
            )
            answer = line.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Died(repr(error)) from error
        finally:
            line.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def json(self, path: str) -> Any:
        answer = self.ask("GET", path, Accept="application/json")
        assert answer.status == 200, (path, answer.status, answer.text[:2000])
        return answer.json

    def post(self, path: str, *, form_id: str = "", **fields: Any) -> Answer:
        held = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in fields.items()}
        form = {"csrf_token": self.csrf, "form_id": form_id or secrets.token_urlsafe(16), **held}
        return self.ask(
            "POST",
            path,
            urllib.parse.urlencode(form).encode(),
            Accept="application/json",
            Content_Type="application/x-www-form-urlencoded",
        )


# --- servers ----------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """One running `bidhall serve`: ``pid`` is that of the server and of its process group. ``log``: what it wrote."""

    pid: int
    port: int
    log: Path
    boot_seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        return _stands(self.pid)

    def workers(self) -> list[int]:
        return [pid for pid, (parent, _group, state) in _table().items() if parent == self.pid and state != "Z"]

    def kill(self) -> None:
        """kill -9 to the server and all its workers at once, and wait until none of the group is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.gone()

    def kill_worker(self, at: int = 0) -> bool:
        """kill -9 to one worker, whose clock dies with it; the server starts another. False if there was none."""
        found = sorted(self.workers())
        if not found:
            return False
        try:
            os.kill(found[at % len(found)], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def gone(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        if self.process is not None:
            self.process.wait(seconds)
        while any(group == self.pid and _holds(pid, state) for pid, (_parent, group, state) in _table().items()):
            assert time.monotonic() < end, f"a process of group {self.pid} does not go"
            time.sleep(0.002)

    def ready(self, seconds: float = 60) -> float:
        """Wait for the first page made from the database; returns the seconds since this was asked. Raises ``Died`` if it ended before:
        the clock of an armed server may reach the named step before anybody asks for a page."""
        start = time.monotonic()
        while True:
            try:
                line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                line.request("GET", "/notices", headers={"Connection": "close"})
                if line.getresponse().status == 200:
                    return time.monotonic() - start
            except (OSError, http.client.HTTPException):
                pass
            finally:
                line.close()
            if not self.alive():
                self.kill()  # what is left of it, before another takes its address
                raise Died(f"the server ended: {self.log.read_text(errors='replace')[-3000:]}")
            assert time.monotonic() - start < seconds, self.log.read_text(errors="replace")[-3000:]
            time.sleep(0.005)


@dataclass
class Nest:
    """The process that forks servers."""

    process: subprocess.Popen[bytes]
    servers: list[Server] = field(default_factory=list)

    def serve(
        self,
        house: House,
        *,
        fault: str = "",
        workers: int = 2,
        port: int = 0,
        cold: bool = False,
        wait: bool = True,
        before: str = "",
    ) -> Server:
        """A server over a house, answering (unless not ``wait``). ``cold``: a fresh interpreter, as the installed command is, which may
        run the lines ``before`` in the process that will fork the workers.

        One that took longer than it may is killed and started again, twice at most: a machine with much else to do is slow once, what a
        start does itself shows again."""
        port = port or free_port()
        for _ in range(2):
            server = self._started(house, fault, workers, port, cold, wait, before)
            if server.boot_seconds < SOUND_SECONDS:
                return server
            server.kill()
        return self._started(house, fault, workers, port, cold, wait, before)

    def _started(
        self, house: House, fault: str, workers: int, port: int, cold: bool, wait: bool, before: str
    ) -> Server:
        words = ["serve", "--port", str(port), "--workers", str(workers), "--no-watch"]
        log = house.folder / f"serve-{port}.log"
        start = time.monotonic()
        if cold:
            code = f"{before}\nfrom web.cli.main import main; main()"
            with log.open("ab") as out:
                process = subprocess.Popen(
                    [sys.executable, "-c", code, *words],
                    cwd=ROOT,
                    env={**_plain(), **house.environment(fault)},
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            server = Server(process.pid, port, log, process=process)
        else:
            assert self.process.stdin is not None and self.process.stdout is not None
            order = {"words": words, "env": house.environment(fault), "log": str(log)}
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
            server = Server(int(self.process.stdout.readline()), port, log)
        self.servers.append(server)
        if wait:
            server.ready()
            server.boot_seconds = time.monotonic() - start
        return server


@contextmanager
def hatchery() -> Iterator[Nest]:
    """A nest; at its end every server of it that still runs is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", NEST],
        cwd=ROOT,
        env=_plain(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    nest = Nest(process)
    assert process.stdout is not None and process.stdout.readline() == b"warm\n"
    try:
        yield nest
    finally:
        for server in nest.servers:
            if server.alive():
                server.kill()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def _plain() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("BIDHALL_")}


def _table() -> dict[int, tuple[int, int, str]]:
    """pid → (parent, process group, state) of everything that runs."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            found[int(entry.name)] = int(parent), int(group), state
    return found


def _holds(pid: int, state: str) -> bool:
    """Whether a process holds what it had open: one whose first thread has ended does, until the last thread has."""
    if state != "Z":
        return True
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def _stands(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

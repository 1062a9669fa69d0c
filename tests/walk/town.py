"""The demo town of `bidhall serve --demo`, served as a visitor gets it: forked workers, real files, a clock that runs.

It is filled once a run and kept; every walk gets a copy of its own, which begins at the moment the filling ended, so that "a deadline in a
quarter of an hour" is true for each. The clock stands in a file that a thread moves on at the pace of the machine's own; a walk may move it
forward.

``BIDHALL_WALK_TOWN`` names a folder where the filled town is kept between runs (made there when it is not there yet).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

import migrations.tables  # noqa: F401  so that every table with sealed columns is known
from bench.start import free_port
from tests.house.tree import ROOT
from trading.kernel import at_rest
from trading.kernel.clock import FileClock, write_moment
from web.wiring import DATA_KEYS

FILLED = "filled-at"
COMMAND = """
import sys
from pathlib import Path
from flask import Flask
from tests.kit import warm
Flask.jinja_options = warm.templates_in(Path(sys.argv.pop(1)))  # compiled once a run, not once a town
from web.cli.main import main
sys.argv[0] = "bidhall"
main()
"""
FILL = """
import sys
from web.rehearsal.town import filling
from web.settings import read_settings
settings = read_settings()
settings.data.mkdir(parents=True, exist_ok=True)
(settings.data / "rehearsal").touch()
filling.fill(settings, lambda line: print(line, flush=True))
"""
FILL_SECONDS, START_SECONDS = 600, 60
PACE = 0.2
"""Seconds between two moves of the clock's file."""


@dataclass
class SignIn:
    """What a person's browser holds after signing in, the page it led to, and until when other walks may go on with it."""

    cookies: list[Any]
    home: str
    until: datetime


@dataclass
class Town:
    """A served copy. ``base`` is its address, ``facts`` what the town says of itself (``town.json``)."""

    base: str
    data: Path
    clock: FileClock
    log: Path
    facts: Any = None
    _ahead: timedelta = timedelta()
    _zero: float = field(default_factory=time.monotonic)
    _start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    _over: threading.Event = field(default_factory=threading.Event)
    _words: set[str] = field(default_factory=set)
    _said: str = ""
    _known: set[str] = field(default_factory=set)
    typed: set[str] = field(default_factory=set)
    """What people typed into forms: a refusal cites it."""
    links: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Links that were shown: by person and kind, with the page that showed them."""
    looked: set[str] = field(default_factory=set)
    """Kinds of pages somebody has looked at."""
    tried: set[tuple[str, str]] = field(default_factory=set)
    signed_in: dict[str, SignIn] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self._start + self._ahead + timedelta(seconds=time.monotonic() - self._zero)

    def jump(self, *, to: datetime | None = None, **by: float) -> None:
        """Move the clock forward, and wait until the town's log has a tick of then: whatever fell due has been taken."""
        forward = to - self.now if to else timedelta(**by)
        if forward > timedelta():
            self._ahead += forward
            self.clock.set(self.now)
        self.settle()

    def settle(self, seconds: float = 0) -> None:
        """Wait until the log has a tick of this moment (or of ``seconds`` from now)."""
        wanted = self.now + timedelta(seconds=seconds) - timedelta(seconds=11)
        for _ in range(600):
            if self.last_tick() >= wanted:
                return
            time.sleep(0.1)
        raise AssertionError(
            f"no tick since {self.last_tick()}, it is {self.now}; the server said:\n{self.log.read_text()[-2000:]}"
        )

    def last_tick(self) -> datetime:
        found = self.ask("select max(at) from log_tick")[0][0]
        return datetime.fromisoformat(str(found)).replace(tzinfo=UTC) if found else datetime.fromtimestamp(0, UTC)

    def ask(self, question: str, *of: Any) -> list[tuple[Any, ...]]:
        """Read the town's database: to find a lot or a person for the walk, never to change anything."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'bidhall.db'}?mode=ro", uri=True)) as database:
            return database.execute(question, of).fetchall()

    def lot(self, state: str) -> str:
        """The reference of the newest lot in a state of rulebook §1.5."""
        found = self.ask("select ref from lot where state = ? order by id desc", state)
        assert found, f"the town has no lot in {state}"
        return str(found[0][0])

    def key_file(self, username: str) -> Path:
        return self.data / "keys" / f"{username}.json"

    def says(self, words: str) -> bool:
        """Whether words stand in what people of the town wrote (its database, what they typed): data, not words of the pages."""
        if words in self._known or any(words in text for text in self.typed):
            return True
        if words not in self._said:
            self._read_words()
        if words in self._said:
            self._known.add(words)
        return words in self._known

    def wrote(self, text: str) -> bool:
        """Whether somebody wrote just this, no more."""
        if text not in self._words:
            self._read_words()
        return text in self._words

    def _read_words(self) -> None:
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'bidhall.db'}?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            texts: set[str] = set()
            for table in tables:
                for row in database.execute(f'select * from "{table}"'):
                    for cell in row:
                        if isinstance(cell, str):
                            texts.update(_texts(cell))
        texts.update(self._sealed_texts())
        self._words, self._said = texts, "\n".join(texts)

    def _sealed_texts(self) -> Iterator[str]:
        """What stands sealed in the database: names and accounts of payers, telephone numbers."""
        ring = at_rest.Ring(path=self.data / DATA_KEYS)
        engine = create_engine(
            "sqlite://", creator=lambda: sqlite3.connect(f"file:{self.data / 'bidhall.db'}?mode=ro", uri=True)
        )
        with engine.connect() as database:
            for one in at_rest.all_values(database):
                yield ring.open(one.held.table.name, one.column, one.row, one.token)
        engine.dispose()


def _texts(cell: str) -> Iterator[str]:
    """A cell of the database as it was written; of one in JSON, each text in it too."""
    try:
        held = json.loads(cell) if cell.startswith(("{", "[")) else None
    except ValueError:
        held = None
    yield cell if held is None else json.dumps(held, ensure_ascii=False)
    todo = [held]
    while todo:
        one = todo.pop()
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        if isinstance(one, str):
            yield one


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """The filled town, made by the first of all workers that asks."""
    kept = Path(os.environ.get("BIDHALL_WALK_TOWN") or folder / "town")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_name(kept.name + ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / FILLED).exists():
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            done = subprocess.run([sys.executable, "-c", FILL], cwd=ROOT, env=_environment(kept), capture_output=True, text=True,
                                  timeout=FILL_SECONDS, check=False)  # fmt: skip
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
            (kept / FILLED).write_text(write_moment(datetime.now(UTC)), encoding="ascii")
    yield kept


@contextmanager
def served(kept: Path, folder: Path) -> Iterator[Town]:
    """A copy of the filled town, served until the block ends; its log must then tell of no fault."""
    data = folder / "data"
    shutil.copytree(kept, data)
    start = datetime.fromisoformat((data / FILLED).read_text(encoding="ascii"))
    clock = FileClock(folder / "clock")
    clock.set(start)
    port = free_port()
    log = folder / "serve.log"
    told = json.loads((data / "town.json").read_text(encoding="utf-8"))
    town = Town(f"http://127.0.0.1:{port}", data, clock, log, told, _start=start)
    compiled = str(kept.with_name(kept.name + ".templates"))
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", COMMAND, compiled, "serve", "--demo", "--port", str(port), "--no-watch"], cwd=folder,
            env={**_environment(data), "BIDHALL_TEST_CLOCK": str(clock.path), "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    mover = threading.Thread(target=_move, args=(town,), name="walk-clock", daemon=True)
    mover.start()
    try:
        _wait(town, server)
        yield town
    finally:
        town._over.set()
        mover.join()
        with contextlib.suppress(ProcessLookupError):
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:6000]


def _environment(data: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BIDHALL_")}
    return {**clean, "BIDHALL_DATA": str(data)}


def _move(town: Town) -> None:
    while not town._over.wait(PACE):
        town.clock.set(town.now)


def _wait(town: Town, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, town.log.read_text(encoding="utf-8", errors="replace")[-4000:]
        try:
            with urllib.request.urlopen(town.base + "/time", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the town does not answer")

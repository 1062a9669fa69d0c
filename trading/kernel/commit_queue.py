"""Writers of an SQLite database take turns in the order they came, and short ones that follow each other share one commit.

SQLite has one writer at a time and waits for the disk with every commit: a rush of bids would spend its time waiting for locks and disks.
So the units of work of a process queue here, fair and without retries; what follows a unit at once and is marked ``together`` goes into
the same transaction, each under a savepoint of its own, so that it is done wholly or not at all whatever the others do. Nobody leaves
before the commit that holds all of them is on the disk; if it fails, it has failed for each of them. Between processes a lock on a file
beside the database keeps the order. On PostgreSQL, which does all this itself, nothing here is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import TimeoutError as Waited

from trading.kernel.db import PATIENCE_MS, in_transaction, say
from trading.kernel.faults import fault

MOST_TOGETHER = 64
"""Units that share a commit at most."""
LONGEST_NS = 80_000_000
"""Nanoseconds after which a shared transaction takes no more units in: who came first waits no longer than this for the others."""
LOOK_AGAIN_MS = 1
_GROUND = "bidhall_ground"
"""The savepoint under all of a transaction. SQLite may roll all of it back by itself when a disk is full or fails; then this is gone, and
nothing that was in it, or came after, is taken for done."""


@dataclass
class _Group:
    """One transaction and the units in it. ``error``: why it could not be committed, for all of them."""

    connection: Connection
    since: int
    units: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Turns:
    """The queue of one process for one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = weakref.ref(engine)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[threading.Event, bool]] = deque()
        self._taken = False
        self._group: _Group | None = None
        path = engine.url.database or ""
        self._door = _Door(path + "-turn") if path and path != ":memory:" and not path.startswith("file:") else None

    @contextlib.contextmanager
    def turn(self, *, together: bool) -> Iterator[Connection]:
        """A connection inside a transaction that nobody else writes in; left by an exception it is rolled back to where it was. Returns
        once all of it is durable. ``together``: short, and may share its commit with others.

        Raises: TimeoutError of SQLAlchemy when the turn did not come, OperationalError, or why the commit failed.
        """
        self._enter(together)
        try:
            group = self._begun()
        except BaseException:
            self._pass_on()
            raise
        try:
            with group.connection.begin_nested():
                yield group.connection
        except BaseException:
            self._leave(group, together)
            raise
        self._leave(group, together)

    def _enter(self, together: bool) -> None:
        ticket = (threading.Event(), together)
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            self._waiting.append(ticket)
        try:
            if ticket[0].wait(PATIENCE_MS / 1000):
                return
        except BaseException:  # interrupted by hand: nobody may wait for one who has left
            if not self._gone(ticket):
                self._pass_on()
            raise
        if self._gone(ticket):
            raise Waited("no turn to write")

    def _gone(self, ticket: tuple[threading.Event, bool]) -> bool:
        """Leave the line; False if the turn has come meanwhile."""
        with self._lock:
            if ticket[0].is_set():
                return False
            self._waiting.remove(ticket)
            return True

    def _begun(self) -> _Group:
        """The open transaction, or a new one."""
        if self._group is not None:
            return self._group
        engine = self._engine()
        assert engine is not None
        if self._door is not None:
            self._door.open()
        try:
            connection = engine.connect()
            try:
                connection.begin()
                say(connection, f"SAVEPOINT {_GROUND}")
            except BaseException:
                connection.close()
                raise
        except BaseException:
            if self._door is not None:
                self._door.close()
            raise
        self._group = _Group(connection, time.monotonic_ns())
        return self._group

    def _leave(self, group: _Group, together: bool) -> None:
        """The next one goes into the same transaction, or it is committed now; then wait until it is."""
        group.units += 1
        may = (
            together
            and group.units < MOST_TOGETHER
            and time.monotonic_ns() - group.since < LONGEST_NS
            and in_transaction(group.connection)
        )
        with self._lock:
            follows = may and bool(self._waiting) and self._waiting[0][1]
            if follows:  # found and let in at one go: else it might have left, and nobody would commit
                self._waiting.popleft()[0].set()
        if follows:
            group.done.wait()
        else:
            self._commit(group)
        if group.error is not None:
            raise group.error

    def _commit(self, group: _Group) -> None:
        try:
            fault("turns.commit")
            say(group.connection, f"RELEASE {_GROUND}")
            group.connection.commit()
            fault("turns.committed")
        except BaseException as error:
            group.error = error
            with contextlib.suppress(Exception):
                group.connection.rollback()
        finally:
            self._group = None
            with contextlib.suppress(Exception):
                group.connection.close()
            if self._door is not None:
                self._door.close()
            self._pass_on()
            group.done.set()

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft()[0].set()
            else:
                self._taken = False


class _Door:
    """A lock between processes, of two files, so that who has just been in queues behind who waits."""

    def __init__(self, path: str) -> None:
        self._path, self._pid = path, 0
        self._inside = self._next = -1

    def open(self) -> None:
        """Raises: TimeoutError of SQLAlchemy."""
        if self._pid != os.getpid():  # a lock belongs to an open file, and those of a parent are not ours
            self._inside, self._next = (
                os.open(self._path + end, os.O_RDWR | os.O_CREAT, 0o600) for end in ("", "-next")
            )
            self._pid = os.getpid()
            weakref.finalize(self, _shut, self._pid, self._inside, self._next)
        end = time.monotonic_ns() + PATIENCE_MS * 1_000_000
        _hold(self._next, end)
        try:
            _hold(self._inside, end)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def close(self) -> None:
        fcntl.flock(self._inside, fcntl.LOCK_UN)


def _shut(pid: int, *files: int) -> None:
    if pid == os.getpid():
        for one in files:
            os.close(one)


def _hold(line: int, end: int) -> None:
    while True:
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic_ns() > end:
                raise Waited("no turn to write") from None
            time.sleep(LOOK_AGAIN_MS / 1000)


_turns: weakref.WeakKeyDictionary[Engine, Turns] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def turns_of(engine: Engine) -> Turns:
    """The one queue of an engine."""
    with _making:
        found = _turns.get(engine)
        if found is None:
            found = _turns[engine] = Turns(engine)
        return found
